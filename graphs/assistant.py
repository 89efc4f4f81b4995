"""One turn of a conversation: the assistant is asked, calls its tools, and its checked claims are released.

START -> supervise -> release -> END

A turn is a thread of its own: what it stores does not grow with the conversation, whose turns lie in the store. A tool
that waits for a person interrupts the graph; the turn goes on where it was once the person has decided.
"""

import contextvars
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, TypedDict

from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.config import get_stream_writer
from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.runtime import Runtime
from langgraph.types import interrupt

from agents.build import Agent
from desk.conversation.context import ApprovalPending, ChatContext, Evidence
from desk.conversation.focus import Focus
from desk.conversation.reply import Reply
from desk.figures.figures import RenderedClaim
from desk.figures.guard.claims import render, violations
from desk.optimization.partial_results import reasons
from desk.runs.events import ClaimReleased, NodeFinished, NodeStarted, TraceEvent
from graphs.agent_decisions import Question, decide
from graphs.runs.event_log import EventLog, NodeLog
from quant.numeric.frozen import Frozen

RECURSION_LIMIT = 10
CODE = "code"
"""Author of what no model says."""

Tell: TypeAlias = Callable[[TraceEvent], None]


class PastTurn(Frozen):
    """An earlier turn, as the assistant is reminded of it."""

    asked: str
    did: tuple[tuple[str, dict[str, Any]], ...]
    answered: tuple[str, ...]
    """Its claims with references in place of the figures."""


class State(TypedDict):
    reply: Reply | None
    author: str
    missing: list[str]
    """Why there is no reply, where a budget is the reason."""


@dataclass(frozen=True, kw_only=True)
class TurnContext:
    """What the nodes of one turn share; it is rebuilt on a resume."""

    context: Callable[[NodeLog, Tell], ChatContext]
    evidence: Evidence
    log: EventLog
    agent: Agent
    asked: str
    before: Sequence[PastTurn]


def assistant_graph(checkpointer: BaseCheckpointSaver[str]) -> CompiledStateGraph[State, TurnContext, Any, Any]:
    graph = StateGraph(State, context_schema=TurnContext)
    graph.add_node("supervise", supervise)
    graph.add_node("release", release)
    graph.add_edge(START, "supervise")
    graph.add_edge("supervise", "release")
    graph.add_edge("release", END)
    return graph.compile(checkpointer=checkpointer, name="assistant")


async def supervise(state: State, runtime: Runtime[TurnContext]) -> dict[str, Any]:  # noqa: ARG001  (as every node)
    """Ask the assistant, whose tools do the work."""
    turn = runtime.context
    node_log = NodeLog(turn.log, "assistant")
    here, write = contextvars.copy_context(), get_stream_writer()  # a run that a tool launches is not in this context
    context = turn.context(node_log, lambda event: here.run(write, event))
    await node_log.emit(NodeStarted)
    question = Question(
        agent="assistant",
        ordinal=0,
        text=question_text(turn.asked, context.focus, turn.before),
        answer=Reply,
        problems=lambda reply, _: problems(reply, context),
        reduced=lambda _: None,
    )
    while True:
        turn.evidence.changes.clear()  # a repetition reads the same returns again, in the same order
        try:
            answer = await decide(question, turn.agent, context=context, node_log=node_log, trials=0)
        except ApprovalPending as waiting:
            interrupt({"run": waiting.run, "subject": waiting.subject})
        else:
            break
    await node_log.emit(NodeFinished)
    return {"reply": answer.answer, "author": answer.decision.author, "missing": list(reasons([answer.decision]))}


async def release(state: State, runtime: Runtime[TurnContext]) -> dict[str, Any]:
    """Show the claims, one by one, with code's figures in them."""
    turn, reply = runtime.context, state["reply"]
    node_log = NodeLog(turn.log, "release")
    await node_log.emit(NodeStarted)
    for ordinal, note in enumerate(note_claims(turn.evidence, state["missing"])):
        await node_log.emit(ClaimReleased, f"note-{ordinal}", author=CODE, claim=note)
    for ordinal, claim in enumerate(reply.claims if reply else ()):
        rendered = render(claim, turn.evidence.figures)
        await node_log.emit(ClaimReleased, ordinal, author=state["author"], claim=rendered)
    await node_log.emit(NodeFinished)
    return {}


def note_claims(evidence: Evidence, missing: Sequence[str]) -> list[RenderedClaim]:
    """What code says before the assistant does."""
    texts = (*missing, *evidence.notes)
    return [RenderedClaim(section="answer", text=text, figures=(), template=text) for text in texts]


def question_text(message: str, focus: Focus, before: Sequence[PastTurn]) -> str:
    """What the assistant reads: one line of JSON, so that nothing in it can pass for a part of the frame."""
    document = {
        "person": message,
        "focus": focus.model_dump(mode="json", exclude_none=True, exclude_defaults=True),
        "before": [turn.model_dump(mode="json") for turn in before],
    }
    return json.dumps(document, ensure_ascii=False)


def problems(reply: Reply, context: ChatContext) -> list[str]:
    figures = context.evidence.figures
    empty = ["empty_reply: say something, or decline with offers"]
    return [
        *(empty if not reply.claims and (reply.outcome == "answered" or not reply.offers) else []),
        *violations(reply.claims, figures, context.permitted_names),
    ]
