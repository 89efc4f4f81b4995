"""Trace events besides the answers: sequence numbers, agents, trials, checks."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from agents.embedded_planner import EmbeddedPlanner
from desk.optimization.repositories.trial_repository import load_trials, save_trials
from desk.optimization.request import OptimizationRequest
from desk.optimization.result import OptimizationResult
from desk.runs.events.agents import AgentFinished, AgentStarted, DecisionMade, DraftRejected, FiguresChecked
from desk.runs.events.models import ModelAnswered
from desk.runs.events.search import EstimateMade, JobProgressed, ScenariosChecked, TrialFinished
from desk.runs.events.table import TraceEvent
from desk.runs.repository import load_events, load_final_result
from graphs.jobs.execution import execute
from graphs.runs.creation import create_run
from graphs.runs.event_log import EventLog, NodeLog
from graphs.runs.trial_events import TrialEvents
from quant.strategies.objective import scenario_weights
from quant.worlds.scenario import BUILT_IN
from tests.graphs.dependencies import FIRST_DAY, OWNER, open_dependencies
from tests.graphs.invented_answers import answer_with_calls

SCENARIOS = tuple(s.model_copy(update={"paths": 128, "years": 1}) for s in BUILT_IN[:2])
REQUEST = OptimizationRequest(trials=10, scenarios=SCENARIOS, seed=3, first_day=FIRST_DAY)


class Hasty(EmbeddedPlanner):
    """A planner whose first explanation has an invented number, and whose answers report tokens."""

    drafts: list[str]

    def _reply(self, messages):
        if self.answers_with == "Draft" and not self.drafts:
            self.drafts.append("one")
            claims = [{"section": name, "text": "It gains 5."} for name in ("winner", "counter_argument")]
            reply = answer_with_calls(("Draft", {"claims": claims}))
        else:
            reply = super()._reply(messages)
        usage = {"input_tokens": 7, "output_tokens": 3, "total_tokens": 10, "input_token_details": {"cache_read": 2}}
        return reply.model_copy(update={"usage_metadata": usage})


class Traced:
    """One run, with its stored events and those its observer received."""

    events: Sequence[TraceEvent]
    stored: Sequence[TraceEvent]
    payloads: Sequence[dict[str, object]]
    observed: Sequence[TraceEvent]
    followed: Sequence[TraceEvent]
    """Repeat the run with the decisions of the first."""
    result: OptimizationResult

    async def make(self, home) -> None:
        async with open_dependencies(home, Hasty(drafts=[])) as unobserved:
            observed: list[TraceEvent] = []
            dependencies = replace(unobserved, observe=observed.append)
            run = await create_run(dependencies, OWNER, REQUEST)
            self.events = [event async for event in execute(dependencies, OWNER, run)]
            self.again = [event async for event in execute(dependencies, OWNER, run)]
            self.observed = observed
            self.stored = await load_events(dependencies.store, OWNER, run)
            self.payloads = [event.payload for event in await dependencies.store.events.read(OWNER, run)]
            self.trials = await load_trials(dependencies.store, OWNER, run)
            result = await load_final_result(dependencies.store, OWNER, run)
            assert result is not None
            self.result = result
            other = await create_run(dependencies, OWNER, REQUEST)
            events_of_repetition = execute(dependencies, OWNER, other, decisions=result.manifest.decisions)
            self.followed = [event async for event in events_of_repetition]

    def of(self, kind: type) -> list:
        return [event for event in self.events if isinstance(event, kind)]


@pytest.fixture(scope="module")
def executed_run(tmp_path_factory) -> Traced:
    trace = Traced()
    asyncio.run(trace.make(tmp_path_factory.mktemp("executed_run")))
    return trace


def test_events_are_numbered_without_gaps_and_the_number_is_stored_once(executed_run):
    assert [event.sequence for event in executed_run.events] == list(range(1, len(executed_run.events) + 1))
    assert executed_run.stored == executed_run.events == executed_run.again
    assert not any("sequence" in payload for payload in executed_run.payloads)


def test_an_observer_gets_each_new_event_once(executed_run):
    ours = [event for event in executed_run.observed if event.run == executed_run.events[0].run]
    assert ours == executed_run.events


def test_an_agent_begins_before_its_first_call_and_ends_when_its_decision_is_stored(executed_run):
    starts, decisions, ends = (
        executed_run.of(AgentStarted),
        executed_run.of(DecisionMade),
        executed_run.of(AgentFinished),
    )
    assert [(e.agent, e.ordinal) for e in starts] == [(e.decision.agent, e.decision.ordinal) for e in decisions]
    assert [(e.agent, e.ordinal) for e in ends] == [(e.agent, e.ordinal) for e in starts]
    for begin, decision, end in zip(starts, decisions, ends, strict=True):
        within = executed_run.events[begin.sequence : decision.sequence - 1]
        answers = [e for e in within if isinstance(e, ModelAnswered)]
        assert {e.agent for e in answers} == {begin.agent}
        assert end.sequence == decision.sequence + 1
        assert end.outcome == "answered"
        assert begin.model == answers[0].model
        assert (end.usage.answers, end.usage.retries) == (len(answers), 0)
        assert end.usage.tokens == 10 * len(answers)
        assert end.usage.cached_tokens == 2 * len(answers)
        assert end.usage.seconds == pytest.approx(sum(e.seconds for e in answers))
    assert sum(e.usage.answers for e in ends) == len(executed_run.of(ModelAnswered))


def test_a_run_that_follows_decisions_asks_no_agent(executed_run):
    kinds = {type(event) for event in executed_run.followed}
    assert DecisionMade in kinds
    assert TrialFinished in kinds
    assert not kinds & {AgentStarted, AgentFinished, ModelAnswered, FiguresChecked}


def test_the_paths_of_every_world_are_checked_before_the_search(executed_run):
    [checked] = executed_run.of(ScenariosChecked)
    request = executed_run.result.manifest.request
    assert (checked.worlds, checked.base) == ("calibrated", request.worlds_base)
    assert checked.sequence < executed_run.of(EstimateMade)[0].sequence
    assert [check.scenario for check in checked.checks] == [scenario.name for scenario in request.scenarios]
    for check, scenario in zip(checked.checks, request.scenarios, strict=True):
        moments = {moment.name: moment for moment in check.moments}
        assert (moments["mean"].implied, moments["mean"].passed) == (pytest.approx(scenario.mu), True)
        assert (moments["volatility"].implied, moments["volatility"].passed) == (pytest.approx(scenario.sigma), True)
    assert f"{request.worlds_base.volatility:.1%}" in checked.line()


def test_each_draft_is_refused_or_checked(executed_run):
    checked, [rejection] = executed_run.of(FiguresChecked), executed_run.of(DraftRejected)
    assert rejection.agent == "explainer"
    assert [e.agent for e in checked] == [e.decision.agent for e in executed_run.of(DecisionMade)]
    explained = next(
        e.decision.answer["claims"] for e in executed_run.of(DecisionMade) if e.decision.agent == "explainer"
    )
    assert checked[-1].sequence > rejection.sequence
    assert checked[-1].digest != rejection.digest
    assert checked[-1].claims == len(explained)
    assert checked[-1].references == sum(claim["text"].count("{{") for claim in explained)


def test_trial_events_precede_the_progress_that_counts_them(executed_run):
    finished_trials = executed_run.of(TrialFinished)
    assert [(e.trial, e.digest) for e in finished_trials] == [(t.number, t.digest) for t in executed_run.trials]
    count, before = 0, 0
    for event in executed_run.events:
        count += isinstance(event, TrialFinished)
        if isinstance(event, EstimateMade):
            before = count
        if isinstance(event, JobProgressed):
            assert count - before == event.done
    assert count == executed_run.result.counts.trials


@pytest.mark.anyio
async def test_a_screened_trial_has_no_objective_and_no_trial_is_read_twice(home, executed_run):
    trials = [trial.model_copy(update={"screened": trial.number % 2 == 0}) for trial in executed_run.trials]
    async with open_dependencies(home) as dependencies:
        await save_trials(dependencies.store, OWNER, "one", [(trial, np.zeros((2, 3))) for trial in trials])
        context: Any = SimpleNamespace(store=dependencies.store, owner=OWNER, run="one", request=REQUEST)
        telling = TrialEvents(context, NodeLog(EventLog(dependencies.store, OWNER, "one", ()), "search"), trials[:2], 1)
        finished_trials: list[Any] = [*await telling.up_to(3), *await telling.up_to(3), *await telling.up_to(10)]
    assert [event.trial for event in finished_trials] == list(range(1, 10))
    assert [event.objective is None for event in finished_trials] == [trial.screened for trial in trials[1:]]


def test_the_objective_of_a_trial_is_its_mean_benefit_which_no_other_trial_changes(executed_run):
    weights = scenario_weights([s.probability for s in SCENARIOS])
    for event, trial in zip(executed_run.of(TrialFinished), executed_run.trials, strict=True):
        benefits = [e.metrics.benefit.value for e in (*trial.evaluations, trial.train)]
        assert event.objective == pytest.approx(sum(w * u for w, u in zip(weights, benefits, strict=True)))
    again = [e.comparable() for e in executed_run.followed if isinstance(e, TrialFinished)]
    differ = {"id", "run"}
    assert [{k: v for k, v in e.items() if k not in differ} for e in again] == [
        {k: v for k, v in e.comparable().items() if k not in differ} for e in executed_run.of(TrialFinished)
    ]
