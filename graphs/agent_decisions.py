"""Asks an agent one question of a run: checks the answer and stores the decision before any of it is shown."""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar

from langchain_core.messages import HumanMessage

from agents.build import Agent
from agents.models.stream_events import ModelCall, ModelFallback, ModelRetry, Notice, ToolStart
from desk.figures.figures import Claim, collect_figures
from desk.figures.guard.claims import REFERENCE, codes, recited_claims
from desk.governance.budgets import BudgetName, BudgetSpent
from desk.governance.scope import Scope
from desk.governance.usage import AgentName
from desk.optimization.answers import Decision
from desk.runs.decisions import StoredDecision, load_decision, save_decision
from desk.runs.events.agents import (
    AgentFinished,
    AgentStarted,
    DecisionMade,
    DraftRejected,
    FiguresChecked,
    ToolCalled,
    ToolReturned,
)
from desk.runs.events.models import ModelAnswered, ModelReplaced, ModelRetried, Stop
from desk.runs.events.run import WarningIssued
from desk.runs.events.table import TraceEvent
from desk.runs.model_answers import delete_answers
from graphs.runs.event_log import NodeLog
from graphs.runs.usage import usage_of
from graphs.stream_parts import AgentAnswered, ToolRefused, ToolResult, agent_steps, digest
from quant.numeric.frozen import Frozen

ABSTAINED = "abstained"
ROUNDS = 2
"""Drafts that an agent may submit."""

NO_ANSWER: dict[Stop, str] = {
    "answered": "no_answer: call the answer's tool with a complete answer",
    "truncated": "truncated: the answer was longer than allowed; use fewer and shorter claims",
    "malformed": "malformed: the arguments were not JSON; call the answer's tool with complete JSON",
    "blocked": "blocked: a guardrail stopped the answer",
}
"""The problem reported to the agent when a model call ends without an answer, by the stop reason of that call."""

Answer = TypeVar("Answer", bound=Frozen)


class DecisionMissing(RuntimeError):
    """A run without models needs a decision that was not supplied."""


@dataclass(frozen=True)
class Question(Generic[Answer]):
    agent: AgentName
    ordinal: int
    text: str
    answer: type[Answer]
    problems: Callable[[Answer, int], list[str]]
    """Returns the problems of an answer, each as `code: how to correct it`; takes the number of trials so far."""
    reduced: Callable[[Answer], Answer | None]
    """Returns the part of a rejected answer that can be used without its claims."""


@dataclass(frozen=True)
class AgentAnswer(Generic[Answer]):
    """The answer, or None for an abstention, with the stored decision that contains it."""

    answer: Answer | None
    decision: Decision
    trials: int


async def decide(
    question: Question[Answer],
    agent: Agent | None,
    *,
    context: Scope,
    node_log: NodeLog,
    trials: int,
) -> AgentAnswer[Answer]:
    """Return the stored decision, or ask the agent and store its decision."""
    stored_decision = await load_decision(context.store, context.owner, context.run, question.agent, question.ordinal)
    if stored_decision is None:
        if agent is None:
            raise DecisionMissing(f"there is no decision {question.ordinal} of the {question.agent}")
        fresh = await _Consultation(question, agent, context, node_log, trials).decide()
        stored_decision = await save_decision(context.store, context.owner, context.run, fresh)
    await delete_answers(context.store, context.owner, context.run, question.agent)
    decision_event = node_log.make(
        DecisionMade, decision=stored_decision.decision, refused_calls=stored_decision.refused_calls
    )
    await node_log.publish(*stored_decision.events, decision_event, *_finished_events(stored_decision, node_log))
    trials = trials if stored_decision.trials is None else stored_decision.trials
    return AgentAnswer(_answer(question, stored_decision.decision, trials), stored_decision.decision, trials)


def _finished_events(stored_decision: StoredDecision, node_log: NodeLog) -> list[TraceEvent]:
    """The events of an agent's end, with the model usage of all executions, interrupted ones included."""
    decision = stored_decision.decision
    began = next((event for event in stored_decision.events if isinstance(event, AgentStarted)), None)
    if began is None:  # the decision was supplied with the run
        return []
    events = {event.id: event for event in (*node_log.log.since(began.id), *stored_decision.events)}
    usage = usage_of(event for event in events.values() if event.acting_agent == decision.agent)
    outcome = ABSTAINED if decision.author == ABSTAINED else "answered"
    fields = {"agent": decision.agent, "ordinal": decision.ordinal, "outcome": outcome, "usage": usage}
    return [node_log.make(AgentFinished, decision.ordinal, **fields)]


def _answer(question: Question[Answer], decision: Decision, trials: int) -> Answer | None:
    if decision.author == ABSTAINED:
        return None
    answer = question.answer.model_validate(decision.answer)
    if problems := question.problems(answer, trials):
        raise ValueError(f"the stored decision of the {question.agent} does not fit: {codes(problems)}")
    return answer


class _Consultation(Generic[Answer]):
    def __init__(
        self, question: Question[Answer], agent: Agent, context: Scope, node_log: NodeLog, trials: int
    ) -> None:
        self._question = question
        self._agent = agent
        self._context = context
        self._node_log = node_log
        self._trials = trials
        self._events: list[TraceEvent] = []
        self._calls = 0
        self._returns = 0
        self._refused = 0
        self._answers = 0
        self._last: ModelCall | None = None
        self._superseded = False
        """Whether another process has stored the decision first; this one then emits no events."""

    async def decide(self) -> StoredDecision:
        rejected: list[str] = []
        try:
            last, budget = await self._draft(rejected), None
        except BudgetSpent as spent:
            last, budget = None, spent.budget
            await self._publish(self._warning_event("budget_spent", budget))
        abstained = last is None or self._last is None
        decision = Decision(
            agent=self._question.agent,
            ordinal=self._question.ordinal,
            author=ABSTAINED if last is None or self._last is None else self._last.model,
            answer={} if last is None else last.model_dump(mode="json"),
            rejected=tuple(rejected),
            abstained_for=self._reason(budget) if abstained else None,
            budget=budget,
        )
        return StoredDecision(decision, tuple(self._events), self._refused, self._trials)

    def _reason(self, budget: BudgetName | None) -> Literal["no_answer", "blocked", "budget"]:
        if budget is not None:
            return "budget"
        return "blocked" if self._last and self._last.stop == "blocked" else "no_answer"

    async def _draft(self, rejected: list[str]) -> Answer | None:
        """The first valid draft, else the usable part of the last; appends hashes of rejected drafts to `rejected`."""
        last: Answer | None = None
        text, agent, ordinal = self._question.text, self._question.agent, self._question.ordinal
        fields = {"agent": agent, "ordinal": ordinal, "model": self._agent.model}
        await self._publish(self._node_log.make(AgentStarted, ordinal, **fields))
        for round_ in range(ROUNDS):
            last = await self._consult(text)
            if self._superseded:
                break
            problems = (
                [NO_ANSWER[self._last.stop if self._last else "answered"]] if last is None else self._problems(last)
            )
            digest = "" if last is None else hashlib.sha256(last.model_dump_json().encode()).hexdigest()
            if last is not None and not problems:
                await self._publish(self._checked_event(round_, last, digest))
                break
            rejected += [digest] if digest else []
            rejection = {"agent": agent, "digest": digest, "reasons": codes(problems)}
            await self._publish(self._node_log.make(DraftRejected, round_, **rejection))
            if self._last and self._last.stop == "blocked":  # the guardrail would block the same question again
                break
            text = "\n".join([self._question.text, "", "Your last draft was refused:", *problems])
        else:
            last = None if last is None else self._question.reduced(last)
            if last is not None and self._problems(last):
                last = None
        return last

    def _problems(self, answer: Answer) -> list[str]:
        claims = dict(answer).get("claims", ())
        return [*self._question.problems(answer, self._trials), *recited_claims(claims, self._agent.prompt)]

    def _checked_event(self, round_: int, answer: Answer, digest: str) -> TraceEvent:
        claims: Sequence[Claim] = dict(answer).get("claims", ())
        references = sum(len(REFERENCE.findall(claim.text)) for claim in claims)
        counts = {"claims": len(claims), "references": references}
        return self._node_log.make(FiguresChecked, round_, agent=self._question.agent, digest=digest, **counts)

    async def _consult(self, text: str) -> Answer | None:
        """The typed answer, or None if the agent reached its limits or ended without one."""
        parts = self._agent.loop.astream(
            {"messages": [HumanMessage(text)]},
            context=self._context,
            stream_mode=["updates", "custom"],
            version="v2",
        )
        answer: Answer | None = None
        async for together in agent_steps(parts, self._agent.tools):
            events: list[TraceEvent] = []
            for step in together:
                match step:
                    case ToolStart():
                        events.append(self._called_event(step))
                    case ToolResult():
                        events.append(self._returned_event(step))
                    case ToolRefused():
                        self._refused += 1
                    case ModelCall() | ModelRetry() | ModelFallback():
                        events.append(await self._model_event(step))
                    case Notice():
                        events.append(self._warning_event(step.code, step.subject))
                    case AgentAnswered(answer=given):
                        assert isinstance(given, self._question.answer)
                        answer = given
            await self._publish(*events)
        return answer

    def _called_event(self, step: ToolStart) -> TraceEvent:
        ordinal = f"{self._calls}-{step.tool}-{_canonical(step.arguments)}"
        self._calls += 1
        agent = self._question.agent
        return self._node_log.make(ToolCalled, ordinal, agent=agent, tool=step.tool, arguments=step.arguments)

    def _returned_event(self, step: ToolResult) -> TraceEvent:
        ordinal = f"{self._returns}-{step.tool}-{_canonical(step.arguments)}"
        self._returns += 1
        figures = tuple(figure.id for figure in collect_figures(step.result))
        agent, result = self._question.agent, digest(step.result)
        return self._node_log.make(
            ToolReturned, ordinal, agent=agent, tool=step.tool, result_digest=result, figures=figures
        )

    async def _model_event(self, step: ModelCall | ModelRetry | ModelFallback) -> TraceEvent:
        """An answer's event has the same ordinal after a resume, whatever retries came before it."""
        match step:
            case ModelCall():
                kind, ordinal = ModelAnswered, f"{self._answers}"
                self._answers += 1
                self._last = step
                self._superseded = await self._is_decided()
            case ModelRetry():
                kind, ordinal = ModelRetried, f"{self._answers}-{step.model}-{step.attempt}"
            case ModelFallback():
                kind, ordinal = ModelReplaced, f"{self._answers}-{step.model}"
        return self._node_log.make(kind, ordinal, agent=self._question.agent, **step.model_dump())

    def _warning_event(self, code: str, subject: str) -> TraceEvent:
        """Emitted once per run, by the first agent that raises it."""
        if subject.startswith("agent "):
            subject = subject.replace("agent", self._question.agent, 1)
        return self._node_log.log.make(WarningIssued, "run", 0, f"{code}-{subject}", code=code, subject=subject)

    async def _is_decided(self) -> bool:
        """Checked after each model answer: another process may decide differently once cached answers are deleted."""
        context, question = self._context, self._question
        stored_decision = await load_decision(
            context.store, context.owner, context.run, question.agent, question.ordinal
        )
        return stored_decision is not None

    async def _publish(self, *events: TraceEvent) -> None:
        if not self._superseded:
            self._events += events
            await self._node_log.publish(*events)


def _canonical(arguments: dict[str, Any]) -> str:
    return json.dumps(arguments, sort_keys=True)
