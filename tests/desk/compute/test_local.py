import asyncio
import itertools

import pytest

from desk.compute.local import LocalRunner
from desk.optimization.repositories.trial_repository import load_trials
from store.embedded import open_store

pytestmark = pytest.mark.anyio
ENDED = {"completed", "failed", "cancelled"}


class Loader:
    """The port that gives the market; counts how often it was asked."""

    def __init__(self, market, error: Exception | None = None) -> None:
        self.market = market
        self.error = error
        self.asked = 0

    async def __call__(self, owner, request):
        self.asked += 1
        if self.error is not None:
            raise self.error
        return self.market


async def ended(runner, job):
    """Every status on the way to the last one."""
    seen = [await runner.status(job.id())]
    while seen[-1].state not in ENDED:
        await asyncio.sleep(0.01)
        seen.append(await runner.status(job.id()))
    return seen


async def test_a_job_that_is_submitted_twice_runs_once(world, searched, job, tmp_path) -> None:
    load = Loader(world.market)
    async with open_store(tmp_path) as store:
        runner = LocalRunner(store, load)
        asked = job(world.request)
        first = await runner.submit(asked)
        assert (first.state, first.done, first.total) == ("queued", 0, 12)
        await runner.submit(asked)
        last = (await ended(runner, asked))[-1]
        after = await runner.submit(asked)
        assert await load_trials(store, "anne", "r1") == searched.trials
    assert load.asked == 1
    assert after == last
    assert (last.state, last.done, last.computed, last.stopped) == ("completed", 12, 12, "budget")


async def test_trials_are_in_the_store_before_progress_is_shown(world, job, tmp_path) -> None:
    async with open_store(tmp_path) as store:
        runner = LocalRunner(store, Loader(world.market))
        asked = job(world.request, budget=40)
        status = await runner.submit(asked)
        seen = [status]
        while status.state not in ENDED:
            status = await runner.status(asked.id())
            assert len(await load_trials(store, "anne", "r1")) >= status.done
            seen.append(status)
        done = [s.done for s in seen]
    assert done == sorted(done)
    assert done[-1] == 40
    order = [state for state, _ in itertools.groupby(s.state for s in seen)]
    assert order in (["queued", "running", "completed"], ["queued", "completed"])


async def test_what_a_cancelled_job_finished_stays_and_is_not_computed_again(world, job, tmp_path) -> None:
    asked = job(world.request, budget=200)
    async with open_store(tmp_path) as store:
        runner = LocalRunner(store, Loader(world.market))
        await runner.submit(asked)
        while True:
            await asyncio.sleep(0.01)
            if await load_trials(store, "anne", "r1"):
                break
        status = await runner.cancel(asked.id())
        kept = await load_trials(store, "anne", "r1")
        assert status.state == "cancelled"
        assert 0 < len(kept) < 200
        assert [t.number for t in kept] == list(range(len(kept)))

        shorter = job(world.request, budget=200, plan=1, first=len(kept))
        again = LocalRunner(store, Loader(world.market))
        await again.submit(shorter.model_copy(update={"budget": 3}))
        last = (await ended(again, shorter))[-1]
        assert (last.state, last.computed) == ("completed", 3)
        assert (await load_trials(store, "anne", "r1"))[: len(kept)] == kept


async def test_a_job_that_was_cut_off_is_finished_by_another_process(world, searched, job, tmp_path) -> None:
    from desk.optimization.repositories.trial_repository import save_trials

    async with open_store(tmp_path) as store:
        await save_trials(store, "anne", "r1", searched.saved[:7])
        runner = LocalRunner(store, Loader(world.market))
        asked = job(world.request)
        await runner.submit(asked)
        last = (await ended(runner, asked))[-1]
        assert (last.done, last.computed) == (12, 5)
        assert await load_trials(store, "anne", "r1") == searched.trials


async def test_a_fault_is_told_with_its_class_and_stores_nothing(world, job, tmp_path) -> None:
    async with open_store(tmp_path) as store:
        runner = LocalRunner(store, Loader(world.market, ZeroDivisionError("by nothing")))
        asked = job(world.request)
        await runner.submit(asked)
        last = (await ended(runner, asked))[-1]
        assert (last.state, last.error) == ("failed", "ZeroDivisionError: by nothing")
        assert await load_trials(store, "anne", "r1") == ()


async def test_a_job_that_failed_starts_again_when_it_is_submitted_again(world, searched, job, tmp_path) -> None:
    async with open_store(tmp_path) as store:
        load = Loader(world.market, ConnectionError("the prices are not there yet"))
        runner = LocalRunner(store, load)
        asked = job(world.request)
        await runner.submit(asked)
        assert (await ended(runner, asked))[-1].state == "failed"
        load.error = None
        assert (await runner.submit(asked)).state == "queued"
        assert (await ended(runner, asked))[-1].state == "completed"
        assert await load_trials(store, "anne", "r1") == searched.trials


async def test_an_unknown_job_has_no_status(world, tmp_path) -> None:
    async with open_store(tmp_path) as store:
        runner = LocalRunner(store, Loader(world.market))
        with pytest.raises(KeyError):
            await runner.status("nothing-plan-0")
