import asyncio
import os
import signal
import subprocess
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from agents.embedded_planner import PLANNER, EmbeddedPlanner
from desk.base.errors import InvalidInput, UserError
from desk.base.text import number
from desk.compute.local import LocalRunner
from desk.optimization.durations import load_durations
from desk.optimization.estimate import estimate
from desk.optimization.inputs.owned_market import load_owned_market
from desk.optimization.reading.findings import explainable_figures
from desk.optimization.request import Limit, Limits
from desk.runs.events.agents import DecisionMade, DraftRejected
from desk.runs.events.judgement import ClaimReleased
from desk.runs.events.run import RunFailed
from desk.runs.repository import list_runs, load_events, load_final_result, load_run
from graphs.jobs.execution import execute
from graphs.jobs.reproduction import reproduce
from graphs.runs.creation import create_run
from graphs.runs.job_status import job_of
from store.records import Key, iterate_records
from tests.graphs.dependencies import open_dependencies, small_request

OWNER = "local"
CHILD = Path(__file__).with_name("run_process.py")

pytestmark = pytest.mark.anyio


async def run(dependencies, request, **options) -> list:
    name = await create_run(dependencies, OWNER, request, **options)
    return [event async for event in execute(dependencies, OWNER, name)]


def kinds(events) -> list[str]:
    return [event.event if event.node == "run" else f"{event.node}.{event.event}" for event in events]


@pytest.fixture(scope="module")
def finished_run(tmp_path_factory) -> tuple[Path, list]:
    """A run of the small request in a home of its own, which tests only read: the home and the events."""
    place = tmp_path_factory.mktemp("finished") / "home"

    async def executed() -> list:
        async with open_dependencies(place) as dependencies:
            return await run(dependencies, small_request())

    return place, asyncio.run(executed())


async def test_the_embedded_planner_drives_a_run_from_request_to_result(finished_run, opened):
    place, events = finished_run
    async with opened(place) as dependencies:
        [stored_run] = await list_runs(dependencies.store, OWNER)
        result = await load_final_result(dependencies.store, OWNER, stored_run.id)

        assert stored_run.state == "completed"
        assert result is not None
        assert result.explanation is not None
        assert events[-1].result_digest == stored_run.result_digest == result.digest()
        assert await load_events(dependencies.store, OWNER, stored_run.id) == events

        decisions = [event.decision for event in events if isinstance(event, DecisionMade)]
        assert tuple(decisions) == result.manifest.decisions
        assert {d.author for d in decisions} == {PLANNER}
        assert [d.agent for d in decisions][:2] == ["risk_manager", "market_analyst"]
        assert not [event for event in events if isinstance(event, DraftRejected)]

        assert result.counts.trials == 10
        claims = [event.claim for event in events if isinstance(event, ClaimReleased)]
        assert sorted(c.text for c in claims) == sorted(c.text for c in result.explanation.claims)
        assert {"winner", "counter_argument", "risk", "market", "search"} <= {c.section for c in claims}
        figure_ids = {figure.id for figure in result.figures}
        assert {id_ for claim in claims for id_ in claim.figures} <= figure_ids


async def test_a_completed_run_yields_its_stored_events(finished_run, opened):
    place, first = finished_run
    async with opened(place) as dependencies:
        again = [event async for event in execute(dependencies, OWNER, first[0].run)]
    assert again == first


async def test_the_manifest_reproduces_the_result_without_a_model(finished_run, opened):
    class Unasked(EmbeddedPlanner):
        def _reply(self, messages):
            raise AssertionError("a model was asked")

    place, events = finished_run
    async with opened(place, Unasked()) as dependencies:
        assert (await reproduce(dependencies, OWNER, events[0].run)).digest() == events[-1].result_digest
        assert len(await list_runs(dependencies.store, OWNER)) == 1


async def test_a_search_that_a_budget_of_time_ended_is_reproduced_to_the_same_trial(home, opened, small):
    async with opened(home) as dependencies:
        events = await run(dependencies, small(trials=30, max_minutes=1e-6, stopping="budget"))
        result = await load_final_result(dependencies.store, OWNER, events[0].run)
        assert result is not None
        assert result.counts.stopped == "time"
        assert 0 < result.counts.trials < 30
        assert f"after {result.counts.trials} of 30 trials" in " ".join(result.caveats)
        again = await reproduce(dependencies, OWNER, events[0].run)
    assert again.counts == result.counts
    assert again.digest() == events[-1].result_digest


async def test_limits_that_no_candidate_meets_end_in_an_explained_verdict(home, opened, small):
    limits = Limits(expected_shortfall=Limit(bound=0.0005, scenarios=("base_case",)))
    request = small(limits=limits, mandate={"min_weight": 0.0})
    async with opened(home) as dependencies:
        events = await run(dependencies, request)
        result = await load_final_result(dependencies.store, OWNER, events[0].run)
    assert result is not None
    assert result.explanation is not None
    assert result.verdict.colour == "infeasible"
    assert result.winner is None
    assert [c.section for c in result.explanation.claims][:2] == ["winner", "why"]
    assert "counter_argument" in {c.section for c in result.explanation.claims}


async def test_a_bad_request_leaves_nothing_in_the_store(home, opened, small):
    async with opened(home) as dependencies:
        with pytest.raises(InvalidInput):
            await create_run(dependencies, OWNER, small(universe="no_such_universe"))
        tight = Limits(max_drawdown=Limit(bound=0.01, tolerated=0.0))
        with pytest.raises(InvalidInput, match="max_drawdown"):
            await create_run(
                dependencies, OWNER, small(limits=tight, mandate={"min_weight": 0.9, "target_volatility": 0.15})
            )
        wild = [
            s.model_copy(update={"engine": "regime_switching", "mu": 0.5, "sigma": 0.01}) for s in small().scenarios
        ]
        with pytest.raises(InvalidInput, match=r"scenarios\.base_case: .*expected sigma above"):
            await create_run(dependencies, OWNER, small(scenarios=tuple(wild)))
        assert await list_runs(dependencies.store, OWNER) == []


async def test_a_run_is_visible_to_its_owner_only(finished_run, opened):
    place, events = finished_run
    async with opened(place) as dependencies:
        assert len(await list_runs(dependencies.store, OWNER)) == 1
        assert await list_runs(dependencies.store, "other") == []
        assert await load_final_result(dependencies.store, "other", events[0].run) is None
        assert await load_events(dependencies.store, "other", events[0].run) == []


async def test_a_stored_decision_is_not_requested_again(home, opened, small):
    questions: list[str] = []

    class Counting(EmbeddedPlanner):
        def _reply(self, messages):
            questions.append(self.answers_with)
            if self.answers_with == "Draft":
                raise LookupError("the model is gone")
            return super()._reply(messages)

    async with opened(home, Counting()) as dependencies:
        name = await create_run(dependencies, OWNER, small())
        with pytest.raises(LookupError):
            [event async for event in execute(dependencies, OWNER, name)]
        assert (await load_run(dependencies.store, OWNER, name)).state == "failed"
        assert "RiskAssessment" in questions
    questions.clear()

    async with opened(home) as dependencies:
        resumed = [event async for event in execute(dependencies, OWNER, name)]
        assert (await load_run(dependencies.store, OWNER, name)).state == "completed"
        events = await load_events(dependencies.store, OWNER, name)
    assert questions == []
    assert kinds(resumed)[0] == "explainer.model_answered"
    assert kinds(events).count("run_failed") == 1
    assert len({event.id for event in events}) == len(events)


async def test_changed_prices_are_refused_on_a_resume(home, opened, small, tmp_path):
    from desk.market.bundled import BundledPrices

    prices = await BundledPrices().load("sp500")
    file = tmp_path / "prices.csv"

    def write(last: float) -> None:
        rows = [f"{day},{close[0]}" for day, close in zip(prices.dates, prices.closes, strict=True)]
        file.write_text("\n".join(["date,index", *rows[:-1], f"{prices.dates[-1]},{last}"]))

    class Gone(EmbeddedPlanner):
        def _reply(self, messages):
            if self.answers_with == "SearchPlan":
                raise LookupError
            return super()._reply(messages)

    write(3800.0)
    async with opened(home, Gone()) as dependencies:
        name = await create_run(dependencies, OWNER, small(universe="index", prices_file=str(file)))
        with pytest.raises(LookupError):
            [event async for event in execute(dependencies, OWNER, name)]
    write(3801.0)
    async with opened(home) as dependencies:
        with pytest.raises(InvalidInput, match="the prices with which the run began"):
            [event async for event in execute(dependencies, OWNER, name)]
        last = (await load_events(dependencies.store, OWNER, name))[-1]
        assert isinstance(last, RunFailed)
        assert last.code == "unusable_input"


@pytest.mark.soak
async def test_the_same_request_asked_again_has_the_same_digest_and_another_one_adds_to_the_ledger(home, opened, small):
    async with opened(home) as dependencies:
        digests, ledger = [], []
        for request in (small(), small(), small(seed=4), small()):
            events = await run(dependencies, request)
            result = await load_final_result(dependencies.store, OWNER, events[0].run)
            assert result is not None
            assert result.luck is not None
            digests.append(result.digest())
            ledger.append(result.luck.ledger_trials)
    assert digests[0] == digests[1]
    assert ledger[0] == ledger[1] == 10
    assert 10 < ledger[2] == ledger[3] <= 20
    assert digests[3] != digests[0]


async def test_a_run_that_other_code_began_is_not_resumed(home, opened, small):
    async with opened(home) as dependencies:
        name = await create_run(dependencies, OWNER, small())
        record = await dependencies.store.records.get(Key(OWNER, "run", name))
        assert record is not None
        await dependencies.store.records.put(record.key, {**record.document, "code_version": "0" * 64})
        with pytest.raises(UserError, match="another version of the program"):
            [event async for event in execute(dependencies, OWNER, name)]
        assert await load_events(dependencies.store, OWNER, name) == []


async def test_weights_of_the_holdout_are_shown_to_the_reader_and_to_no_agent(finished_run, opened):
    place, events = finished_run
    async with opened(place) as dependencies:
        result = await load_final_result(dependencies.store, OWNER, events[0].run)
    assert result is not None
    hidden = {figure.id for figure in result.figures} - {figure.id for figure in explainable_figures(result)}
    assert {"today_weight", "next_trade"} <= hidden
    assert result.explanation is not None
    assert not hidden & {id_ for claim in result.explanation.claims for id_ in claim.figures}


async def test_a_process_that_lags_behind_another_reaches_the_same_result(home, opened, small):
    is_waiting, released = asyncio.Event(), asyncio.Event()

    class Late(LocalRunner):
        async def submit(self, job):
            is_waiting.set()
            await released.wait()
            return await super().submit(job)

    async with opened(home) as dependencies, opened(home) as other:
        late = replace(other, jobs=Late(other.store, partial(load_owned_market, other.store, other.prices)))
        name = await create_run(dependencies, OWNER, small())

        async def lag() -> None:
            async for _ in execute(late, OWNER, name):
                pass

        lagging = asyncio.create_task(lag())
        await asyncio.wait_for(is_waiting.wait(), 60)
        async for _ in execute(dependencies, OWNER, name):
            pass
        first = await load_run(dependencies.store, OWNER, name)
        released.set()
        await lagging
        result = await load_final_result(dependencies.store, OWNER, name)
        assert await load_run(dependencies.store, OWNER, name) == first
        assert first.state == "completed"
        assert result is not None
        assert result.digest() == first.result_digest
        assert result.counts.plans > 1


async def test_a_fault_of_a_second_process_leaves_a_completed_run_completed(home, opened, small):
    is_waiting, is_finished = asyncio.Event(), asyncio.Event()

    class Dead(LocalRunner):
        async def submit(self, job):
            is_waiting.set()
            await is_finished.wait()
            raise ConnectionError

    async with opened(home) as dependencies, opened(home) as other:
        late = replace(other, jobs=Dead(other.store, partial(load_owned_market, other.store, other.prices)))
        name = await create_run(dependencies, OWNER, small())

        async def fail() -> None:
            async for _ in execute(late, OWNER, name):
                pass

        failing = asyncio.create_task(fail())
        await asyncio.wait_for(is_waiting.wait(), 60)
        async for _ in execute(dependencies, OWNER, name):
            pass
        is_finished.set()
        with pytest.raises(ConnectionError):
            await failing
        assert (await load_run(dependencies.store, OWNER, name)).state == "completed"


@pytest.mark.soak
async def test_a_repeatedly_killed_run_has_the_same_result(tmp_path, opened, small):
    calm, rough = tmp_path / "calm", tmp_path / "rough"
    request = small()
    async with opened(calm) as dependencies:
        expected = await run(dependencies, request, run_id="same")
    async with opened(rough) as dependencies:
        await create_run(dependencies, OWNER, request, run_id="same")

    environment = {**os.environ, "PYTHONPATH": str(Path.cwd())}
    codes = []
    for after in (1, 4, 7, 13, 18, 22, 9, 2, 5, 1000):
        command = [sys.executable, str(CHILD), str(rough), "same", str(after)]
        codes.append(await asyncio.to_thread(subprocess.call, command, env=environment, timeout=120))
        if codes[-1] == 0:
            break
    assert codes[-1] == 0
    assert len(codes) > 6
    assert set(codes[:-1]) == {-signal.SIGKILL}

    async with opened(rough) as dependencies:
        events = await load_events(dependencies.store, OWNER, "same")
        trials = [record async for record in iterate_records(dependencies.store.records, OWNER, "trial")]
    assert [e.comparable() for e in events] == [e.comparable() for e in expected]
    assert len(trials) == request.trials
    assert all(record.version == 1 for record in trials)


async def test_a_finished_run_compares_its_time_with_its_estimate_and_corrects_later_estimates(finished_run, opened):
    place, events = finished_run
    async with opened(place) as dependencies:
        stored_run = await load_run(dependencies.store, OWNER, events[0].run)
        machines = dependencies.jobs.machines
        job = await job_of(dependencies.store, OWNER, stored_run.id)
        assert job.estimate is not None
        end = events[-1]
        assert end.estimated == job.estimate.expected_time
        assert end.seconds == pytest.approx(job.seconds, abs=1.0), "the state changes after the event is written"
        assert f"Finished in {number(end.seconds, 1)} s (estimated: about " in end.line()
        begun, ended = (event.at for event in (events[0], end))
        assert end.seconds == pytest.approx((ended - begun).total_seconds(), abs=1.0)
        durations = await load_durations(dependencies.store, machines)
        [duration] = [each for each in durations.runs if each.run == stored_run.id]
        assert duration.ratio == pytest.approx(
            end.seconds / estimate(stored_run.request, machines=machines).seconds, abs=0.05
        )
