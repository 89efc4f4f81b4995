"""The graph of one conversation turn: the assistant calls its tools, and its checked claims are released.

START -> supervise -> release -> END

Each turn is a LangGraph thread of its own, so its checkpoints do not grow with the conversation, whose turns are in the
store. A tool that waits for a person interrupts the graph; the decision resumes the turn.
"""

import contextvars
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeAlias, TypedDict

from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.config import get_stream_writer
from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.runtime import Runtime
from langgraph.types import interrupt

from agents.build import Agent
from agents.table import ASSISTANT, INTERRUPTIONS
from desk.conversation.context import ApprovalPending, ChatContext, Evidence
from desk.conversation.focus import Focus
from desk.conversation.reply import Reply
from desk.figures.figures import Claim, RenderedClaim
from desk.figures.guard.claims import render, violations
from desk.optimization.partial_results import reasons
from desk.optimization.reading.template import AUTHOR
from desk.runs.events.agents import ToolCalled
from desk.runs.events.judgement import ClaimReleased
from desk.runs.events.run import NodeFinished, NodeStarted
from desk.runs.events.table import TraceEvent
from desk.runs.repository import load_events
from graphs.agent_decisions import Question, decide
from graphs.runs.event_log import EventLog, NodeLog
from quant.numeric.frozen import Frozen

RECURSION_LIMIT = 10
CODE = "code"
"""Author of a reply that code wrote."""

Tell: TypeAlias = Callable[[TraceEvent], None]


class PastTurn(Frozen):
    """An earlier turn, as shown to the assistant."""

    asked: str
    did: tuple[tuple[str, dict[str, Any]], ...]
    answered: tuple[str, ...]
    """Its claims, with references instead of figures."""


class State(TypedDict):
    reply: Reply | None
    author: str
    missing: list[str]
    """What code says about a missing reply."""
    described: list[Claim]
    """The template's claims about the tools' results, if there is no reply."""


@dataclass(frozen=True, kw_only=True)
class TurnContext:
    """Objects that the nodes of one turn share; rebuilt on a resume."""

    context: Callable[[NodeLog, Tell], ChatContext]
    evidence: Evidence
    log: EventLog
    agent: Agent
    asked: str
    before: Sequence[PastTurn]


def assistant_graph(checkpointer: BaseCheckpointSaver[str]) -> CompiledStateGraph[State, TurnContext, Any, Any]:
    return _compiled().copy({"checkpointer": checkpointer})


@cache
def _compiled() -> CompiledStateGraph[State, TurnContext, Any, Any]:
    """Without checkpoints; once per process, as LangGraph disassembles every node."""
    graph = StateGraph(State, context_schema=TurnContext)
    graph.add_node("supervise", supervise)
    graph.add_node("release", release)
    graph.add_edge(START, "supervise")
    graph.add_edge("supervise", "release")
    graph.add_edge("release", END)
    return graph.compile(name="assistant")


async def supervise(state: State, runtime: Runtime[TurnContext]) -> dict[str, Any]:  # noqa: ARG001  (as every node)
    """Ask the assistant, whose tools do the work."""
    turn = runtime.context
    node_log = NodeLog(turn.log, ASSISTANT.name)
    here, write = contextvars.copy_context(), get_stream_writer()  # not inherited by runs that a tool launches
    context = turn.context(node_log, lambda event: here.run(write, event))
    await node_log.emit(NodeStarted, **ASSISTANT.node_fields)
    question = Question(
        agent=ASSISTANT.name,
        ordinal=0,
        text=question_text(turn.asked, context.focus, turn.before),
        answer=Reply,
        problems=lambda reply, _: problems(reply, context),
        reduced=lambda _: None,
    )
    while True:
        turn.evidence.changes.clear()  # a repeated execution applies the same tool results in the same order
        try:
            answer = await decide(question, turn.agent, context=context, node_log=node_log, trials=0)
        except ApprovalPending as waiting:
            interrupt({"run": waiting.run, "subject": waiting.subject})
        else:
            break
    await node_log.emit(NodeFinished)
    if answer.answer is not None:
        return {"reply": answer.answer, "author": answer.decision.author, "missing": [], "described": []}
    described = await describe_results(context, turn.asked)
    missing = [*reasons([answer.decision], INTERRUPTIONS), *([ASSISTANT.absence_sentence] if described else [])]
    return {"reply": None, "author": AUTHOR, "missing": missing, "described": described}


async def release(state: State, runtime: Runtime[TurnContext]) -> dict[str, Any]:
    """Release the claims one by one, with their figures rendered by code."""
    turn = runtime.context
    node_log = NodeLog(turn.log, "release")
    await node_log.emit(NodeStarted)
    for ordinal, note in enumerate(note_claims(turn.evidence, state["missing"])):
        await node_log.emit(ClaimReleased, f"note-{ordinal}", author=CODE, claim=note)
    for ordinal, claim in enumerate(claims_of(state)):
        rendered = render(claim, turn.evidence.figures)
        await node_log.emit(ClaimReleased, ordinal, author=state["author"], claim=rendered)
    for ordinal, reading in enumerate(reading_claims(turn.evidence)):
        await node_log.emit(ClaimReleased, f"reading-{ordinal}", author=CODE, claim=reading)
    await node_log.emit(NodeFinished)
    return {}


async def describe_results(context: ChatContext, message: str) -> list[Claim]:
    """What the tools of the turn returned, as far as each sentence passes the check of claims."""
    # lazy: reading a conversation needs no sentences
    from desk.conversation.sentences.descriptions import describe_stored_result

    events = await load_events(context.store, context.owner, context.run)
    calls = [(event.tool, event.arguments) for event in events if isinstance(event, ToolCalled)]
    results = context.evidence.results(calls)
    claims = dict.fromkeys(claim for tool, result in results for claim in describe_stored_result(tool, result, message))
    figures, names = context.evidence.figures, context.permitted_names
    return [claim for claim in claims if not violations([claim], figures, names)]


def claims_of(state: State) -> Sequence[Claim]:
    """The claims of the assistant, or of the template that replaces it."""
    return state["reply"].claims if state["reply"] else state.get("described", [])  # absent in older checkpoints


def note_claims(evidence: Evidence, missing: Sequence[str]) -> list[RenderedClaim]:
    """Claims that code adds before the assistant's own."""
    return _plain_claims((*missing, *evidence.notes))


def reading_claims(evidence: Evidence) -> list[RenderedClaim]:
    """Claims that code adds behind the assistant's own: how the message was read."""
    return _plain_claims(evidence.readings)


def _plain_claims(texts: Iterable[str]) -> list[RenderedClaim]:
    return [RenderedClaim(section="answer", text=text, figures=(), template=text) for text in texts]


def question_text(message: str, focus: Focus, before: Sequence[PastTurn]) -> str:
    """The assistant's input as one line of JSON, so that no text can imitate its structure."""
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
