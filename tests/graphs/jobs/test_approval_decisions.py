"""Runs above a threshold wait for approval without spending, and continue without loss or repetition."""

import asyncio
import signal
from dataclasses import replace
from functools import partial
from itertools import product
from typing import Any

import pytest
from langchain_core.runnables import RunnableConfig
from langgraph.types import Command
from pydantic import ValidationError

from agents.embedded_planner import EmbeddedPlanner
from desk.base.errors import InvalidInput, UserError
from desk.governance.approvals import (
    AlreadyDecided,
    Approval,
    NoApprovalRequested,
    Thresholds,
    approval_key,
    load_approval,
)
from desk.governance.principals import Principal
from desk.optimization.estimate import estimate
from desk.optimization.inputs.market_data import load_market
from desk.runs.context import Context, RunMarket
from desk.runs.events.approvals import ApprovalDecided, ApprovalRequested
from desk.runs.events.run import RunFailed
from desk.runs.repository import load_final_result, load_run
from graphs.checkpoints.checkpointer import open_checkpoints
from graphs.dependencies import Dependencies
from graphs.jobs.approval_decisions import decide_approval
from graphs.jobs.reproduction import reproduce
from graphs.optimization import Execution, optimization_graph
from graphs.runs.creation import create_run
from graphs.runs.event_log import EventLog
from tests.graphs.dependencies import OWNER, open_dependencies, small_request
from tests.graphs.runs.approval_process import LOW
from tests.graphs.runs.runs_with_approval import (
    MONDAY,
    RUN,
    THURSDAY,
    CountingRunner,
    check_kills_around_approval,
    count_trials,
    decision,
    events_of_run,
    execute_run,
    open_with_approval,
    run_process,
    run_until_approval,
    state_of_run,
)
from tests.soak_variants import covering

pytestmark = pytest.mark.anyio


class Counting(EmbeddedPlanner):
    """Counts the questions to each agent."""

    heard: list[str]

    def _reply(self, messages):
        self.heard.append(self.answers_with)
        return super()._reply(messages)


def submitted(dependencies: Dependencies) -> int:
    assert isinstance(dependencies.jobs, CountingRunner)
    return dependencies.jobs.jobs


@pytest.fixture(scope="module")
def calm(tmp_path_factory) -> list[Any]:
    """The events of the small request without approval."""

    async def execute_without_approval() -> list[Any]:
        async with open_dependencies(tmp_path_factory.mktemp("calm")) as dependencies:
            return await run_until_approval(dependencies, small_request())

    return asyncio.run(execute_without_approval())


async def test_above_a_threshold_a_run_waits_before_any_agent_is_asked(home, small):
    model = Counting(heard=[])
    async with open_with_approval(home, model=model) as dependencies:
        events = await run_until_approval(dependencies, small())
        assert await state_of_run(dependencies) == "waiting"
        assert await events_of_run(dependencies) == events
        assert await execute_run(dependencies) == events
        approval = await load_approval(dependencies.store, OWNER, RUN)

        [question] = [event.asked for event in events if isinstance(event, ApprovalRequested)]
        assert approval is not None
        assert approval == Approval(asked=question, question=approval.question)
        assert events[-1].event == "approval_requested"
        assert question.exceeded == ("evaluations",)
        assert question.thresholds == LOW
        assert question.estimate == estimate(small())
        assert question.request_digest == events[0].request_digest == small().content_digest()
        assert question.at == MONDAY
        assert model.heard == []
        assert submitted(dependencies) == await count_trials(dependencies) == 0


@pytest.mark.parametrize(
    "thresholds",
    [
        pytest.param(None, marks=pytest.mark.soak),
        pytest.param(Thresholds(), marks=pytest.mark.soak),
        pytest.param(Thresholds(evaluations=None), marks=pytest.mark.soak),
        Thresholds(evaluations=20),
    ],
)
async def test_a_run_below_all_thresholds_needs_no_approval(home, small, thresholds):
    async with open_with_approval(home, thresholds=thresholds) as dependencies:
        events = await run_until_approval(dependencies, small())
        assert await load_approval(dependencies.store, OWNER, RUN) is None
    assert events[-1].event == "run_finished"
    assert not [event for event in events if event.node == "approve"]


async def test_an_approved_run_has_the_same_result_as_without_approval(home, small, calm):
    async with open_with_approval(home) as dependencies:
        first = await run_until_approval(dependencies, small())
        run = await decide_approval(dependencies, OWNER, RUN, decision(reason="within the budget"))
        assert run.state == "running"
        later = await execute_run(dependencies)
        events = await events_of_run(dependencies)
        assert await state_of_run(dependencies) == "completed"
        assert (await reproduce(dependencies, OWNER, RUN)).digest() == calm[-1].result_digest
    [decision_event] = [event for event in events if isinstance(event, ApprovalDecided)]
    assert (decision_event.decided.verdict, decision_event.decided.by, decision_event.decided.reason) == (
        "approved",
        "risk officer",
        "within the budget",
    )
    assert events == [*first, decision_event, *later]
    assert [e.comparable() for e in events if e.node != "approve"] == [e.comparable() for e in calm]


async def test_an_edited_run_is_executed_as_it_was_edited(home, small, calm):
    larger = small(trials=12, scenarios=tuple(s.model_copy(update={"paths": 200}) for s in small().scenarios))
    edited_request = small()
    async with open_with_approval(home) as dependencies:
        await run_until_approval(dependencies, larger)
        run = await decide_approval(dependencies, OWNER, RUN, decision("edited", trials=10, paths=100))
        assert run.request == edited_request
        events = await execute_run(dependencies)
        result = await load_final_result(dependencies.store, OWNER, RUN)
        all_events = await events_of_run(dependencies)
    assert result is not None
    assert result.manifest.request.on_any_data() == edited_request
    assert events[-1].result_digest == calm[-1].result_digest
    [decision_event] = [event for event in all_events if isinstance(event, ApprovalDecided)]
    assert decision_event.estimate == estimate(edited_request)
    assert decision_event.request_digest == edited_request.content_digest()


async def test_a_rejected_run_leaves_no_job(home, small):
    model = Counting(heard=[])
    async with open_with_approval(home, model=model) as dependencies:
        first = await run_until_approval(dependencies, small())
        run = await decide_approval(dependencies, OWNER, RUN, decision("rejected", reason="too dear"))
        assert run.state == "rejected"
        events = await execute_run(dependencies)
        assert events == await events_of_run(dependencies) == await execute_run(dependencies)
        assert await state_of_run(dependencies) == "rejected"
        assert submitted(dependencies) == await count_trials(dependencies) == 0
        assert await load_final_result(dependencies.store, OWNER, RUN) is None
        with pytest.raises(AlreadyDecided, match="rejected by risk officer on 2026-03-02"):
            await decide_approval(dependencies, OWNER, RUN, decision())
    assert model.heard == []
    assert [type(event) for event in events[len(first) :]] == [ApprovalDecided, RunFailed]
    assert events[-1].code == "rejected"


async def test_approving_twice_runs_once(home, small):
    async with open_with_approval(home) as dependencies, open_with_approval(home) as other:
        await run_until_approval(dependencies, small())
        await asyncio.gather(*(decide_approval(each, OWNER, RUN, decision()) for each in (dependencies, other)))
        with pytest.raises(AlreadyDecided, match="approved by risk officer on 2026-03-02 at 09:00 UTC"):
            await decide_approval(dependencies, OWNER, RUN, decision("rejected", reason="too late"))
        with pytest.raises(AlreadyDecided):
            await decide_approval(dependencies, OWNER, RUN, decision("edited", trials=20))
        both = await asyncio.gather(execute_run(dependencies), execute_run(other))
        await decide_approval(other, OWNER, RUN, decision(at=THURSDAY))
        approval = await load_approval(dependencies.store, OWNER, RUN)
        all_events = await events_of_run(dependencies)
        assert await count_trials(dependencies) == small().trials
        assert await state_of_run(dependencies) == "completed"
    assert approval is not None
    assert approval.decided is not None
    assert approval.decided.at == MONDAY
    assert {events[-1].event for events in both if events} == {"run_finished"}
    kinds = [event.event for event in all_events]
    assert kinds.count("run_finished") == kinds.count("approval_decided") == kinds.count("approval_requested") == 1


async def test_one_of_two_concurrent_decisions_counts(home, small):
    async with open_with_approval(home) as dependencies, open_with_approval(home) as other:
        await run_until_approval(dependencies, small())
        answers = await asyncio.gather(
            decide_approval(dependencies, OWNER, RUN, decision("edited", trials=12)),
            decide_approval(other, OWNER, RUN, decision("rejected", reason="no")),
            return_exceptions=True,
        )
        approval = await load_approval(dependencies.store, OWNER, RUN)
        run = await load_run(dependencies.store, OWNER, RUN)
    [error] = [answer for answer in answers if isinstance(answer, BaseException)]
    assert isinstance(error, AlreadyDecided)
    assert approval is not None
    assert approval.decided is not None
    rejected = approval.decided.verdict == "rejected"
    assert (run.state, run.request.trials) == (("rejected", 10) if rejected else ("running", 12))


@pytest.mark.parametrize(("decisions", "reads"), covering([*product(["edited", "rejected"], repeat=2)], [1, 2, 3]))
async def test_a_decision_between_the_reads_of_another_one_counts(home, small, decisions, reads):
    first, second = decisions
    choices = {"edited": {"trials": 12}, "rejected": {"reason": "no"}}

    class Slow:
        """Executes the other decision after the approval was read so many times."""

        def __init__(self, port):
            self._port = port
            self._left = reads

        def __getattr__(self, name):
            return getattr(self._port, name)

        async def get(self, key):
            record = await self._port.get(key)
            if key == approval_key(OWNER, RUN, "launch"):
                self._left -= 1
                if self._left == 0:
                    await decide_approval(dependencies, OWNER, RUN, decision(first, **choices[first]))
            return record

    async with open_with_approval(home) as dependencies:
        await run_until_approval(dependencies, small())
        slow = replace(dependencies, store=replace(dependencies.store, records=Slow(dependencies.store.records)))
        late = decision(second, at=THURSDAY, **choices[second])
        if first == second:
            answer = await decide_approval(slow, OWNER, RUN, late)
            assert answer == await load_run(dependencies.store, OWNER, RUN)
        else:
            with pytest.raises(AlreadyDecided, match=f"was {first} by risk officer on 2026-03-02"):
                await decide_approval(slow, OWNER, RUN, late)
        run = await load_run(dependencies.store, OWNER, RUN)
    assert (run.state, run.request.trials) == (("rejected", 10) if first == "rejected" else ("running", 12))


async def test_a_process_that_read_the_request_before_its_edit_does_not_execute_it(home, small):
    """The process reaches the approval node after a person has edited the request."""
    loading, edited = asyncio.Event(), asyncio.Event()

    class Slow:
        def __init__(self, prices):
            self._prices = prices

        async def load(self, universe):
            loading.set()
            await edited.wait()
            return await self._prices.load(universe)

    model = Counting(heard=[])
    async with open_with_approval(home) as dependencies, open_with_approval(home, model=model) as other:
        await create_run(dependencies, OWNER, small(), run_id=RUN)
        late = asyncio.create_task(execute_run(replace(other, prices=Slow(other.prices))))
        await loading.wait()
        await execute_run(dependencies)
        await decide_approval(dependencies, OWNER, RUN, decision("edited", trials=12))
        edited.set()
        await late
        assert model.heard == []
        assert await state_of_run(dependencies) == "running"
        await execute_run(dependencies)
        result = await load_final_result(dependencies.store, OWNER, RUN)
    assert result is not None
    assert result.counts.trials == result.manifest.request.trials == 12


async def test_a_resume_without_a_decision_does_not_pass_the_approval(home, small):
    async with open_with_approval(home) as dependencies:
        await run_until_approval(dependencies, small())
        run = await load_run(dependencies.store, OWNER, RUN)
        context = Context(
            principal=Principal(owner=OWNER),
            run=RUN,
            request=run.request,
            store=dependencies.store,
            jobs=dependencies.jobs,
            market=RunMarket(partial(load_market, dependencies.prices), run.request),
            ledger=run.ledger,
        )
        execution = Execution(
            context=context,
            log=EventLog(dependencies.store, OWNER, RUN, await events_of_run(dependencies)),
            agents={},
            author="nobody",
            approval=await load_approval(dependencies.store, OWNER, RUN),
        )
        async with open_checkpoints(dependencies.checkpoints) as checkpoints:
            graph = optimization_graph(checkpoints)
            place: RunnableConfig = {"configurable": {"thread_id": f"{OWNER}/{RUN}"}}
            for _ in range(2):
                await graph.ainvoke(Command(resume="approved"), place, context=execution)
                assert (await graph.aget_state(place)).next == ("approve",)
        assert submitted(dependencies) == await count_trials(dependencies) == 0


async def test_only_runs_that_wait_can_be_decided(home, small):
    async with open_with_approval(home) as dependencies:
        with pytest.raises(UserError, match="there is no run"):
            await decide_approval(dependencies, OWNER, RUN, decision())
        await create_run(dependencies, OWNER, small(), run_id=RUN)
        with pytest.raises(NoApprovalRequested, match="waits for no decision"):
            await decide_approval(dependencies, OWNER, RUN, decision())
        await execute_run(dependencies)
        with pytest.raises(UserError, match="there is no run"):
            await decide_approval(dependencies, "other", RUN, decision())
        assert await state_of_run(dependencies) == "waiting"


@pytest.mark.parametrize(
    ("verdict", "changes"),
    [
        ("approved", {"trials": 20}),
        ("edited", {}),
        ("edited", {"trials": 5}),
        ("edited", {"paths": 100_001}),
        ("rejected", {}),
        ("rejected", {"reason": "  "}),
        ("rejected", {"reason": "no", "paths": 200}),
    ],
)
def test_a_decision_fits_its_verdict(verdict, changes):
    with pytest.raises(ValidationError):
        decision(verdict, **changes)


@pytest.mark.slow
@pytest.mark.soak
async def test_a_run_that_waits_survives_kill_and_three_days(tmp_path, small):
    await check_kills_around_approval(tmp_path, small(), (7,), (1, 14))


@pytest.mark.soak
async def test_a_rejection_whose_process_died_is_logged_when_the_run_is_read(home, small):
    async with open_with_approval(home) as dependencies:
        await run_until_approval(dependencies, small())
    assert await run_process(home, THURSDAY, decision("rejected", reason="too dear"), 1) == -signal.SIGKILL
    async with open_with_approval(home) as dependencies:
        assert await state_of_run(dependencies) == "rejected"
        events = await execute_run(dependencies)
        assert [event.event for event in events[-3:]] == ["approval_requested", "approval_decided", "run_failed"]
        assert await execute_run(dependencies) == events
        assert await count_trials(dependencies) == 0


async def test_an_invalid_edit_is_rejected_and_the_run_keeps_waiting(home, small, tmp_path):
    from desk.market.bundled import BundledPrices

    prices = await BundledPrices().load("sp500")
    file = tmp_path / "prices.csv"

    def write(last: float) -> None:
        rows = [f"{day},{close[0]}" for day, close in zip(prices.dates, prices.closes, strict=True)]
        file.write_text("\n".join(["date,index", *rows[:-1], f"{prices.dates[-1]},{last}"]))

    write(3800.0)
    async with open_with_approval(home) as dependencies:
        await run_until_approval(dependencies, small(universe="index", prices_file=str(file)))
        write(3801.0)
        with pytest.raises(InvalidInput, match="the prices with which the run began"):
            await decide_approval(dependencies, OWNER, RUN, decision("edited", trials=20))
        approval = await load_approval(dependencies.store, OWNER, RUN)
        assert await state_of_run(dependencies) == "waiting"
    assert approval is not None
    assert approval.decided is None
