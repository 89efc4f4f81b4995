import asyncio
import itertools
import threading

import pytest

from desk.compute.local import LocalRunner
from desk.optimization.repositories.trial_repository import load_trials
from desk.optimization.search.search import LocalSimulator
from store.embedded import open_store

pytestmark = pytest.mark.anyio
ENDED = {"completed", "failed", "cancelled"}


class Loader:
    """Loads the market, and counts the loads."""

    def __init__(self, market, error: Exception | None = None) -> None:
        self.market = market
        self.error = error
        self.loads = 0

    async def __call__(self, owner, request):
        self.loads += 1
        if self.error is not None:
            raise self.error
        return self.market


async def wait_until_finished(runner, job):
    """All statuses up to the last one."""
    statuses = [await runner.status(job.id())]
    while statuses[-1].state not in ENDED:
        await asyncio.sleep(0.01)
        statuses.append(await runner.status(job.id()))
    return statuses


async def test_a_job_that_is_submitted_twice_runs_once(world, finished_search, job, tmp_path) -> None:
    load = Loader(world.market)
    async with open_store(tmp_path) as store:
        runner = LocalRunner(store, load)
        search_job = job(world.request)
        first = await runner.submit(search_job)
        assert (first.state, first.done, first.total) == ("queued", 0, 12)
        await runner.submit(search_job)
        last = (await wait_until_finished(runner, search_job))[-1]
        after = await runner.submit(search_job)
        assert await load_trials(store, "anne", "r1") == finished_search.trials
    assert load.loads == 1
    assert after == last
    assert (last.state, last.done, last.computed, last.stopped) == ("completed", 12, 12, "budget")


async def test_trials_are_in_the_store_before_progress_is_shown(world, job, tmp_path) -> None:
    async with open_store(tmp_path) as store:
        runner = LocalRunner(store, Loader(world.market))
        search_job = job(world.request, budget=40)
        status = await runner.submit(search_job)
        statuses = [status]
        while status.state not in ENDED:
            status = await runner.status(search_job.id())
            assert len(await load_trials(store, "anne", "r1")) >= status.done
            statuses.append(status)
        counts = [s.done for s in statuses]
    assert counts == sorted(counts)
    assert counts[-1] == 40
    order = [state for state, _ in itertools.groupby(s.state for s in statuses)]
    assert order in (["queued", "running", "completed"], ["queued", "completed"])


async def test_completed_work_of_a_cancelled_job_is_reused(world, job, tmp_path) -> None:
    search_job = job(world.request, budget=200)
    async with open_store(tmp_path) as store:
        runner = LocalRunner(store, Loader(world.market))
        await runner.submit(search_job)
        while True:
            await asyncio.sleep(0.01)
            if await load_trials(store, "anne", "r1"):
                break
        status = await runner.cancel(search_job.id())
        stored_trials = await load_trials(store, "anne", "r1")
        assert status.state == "cancelled"
        assert 0 < len(stored_trials) < 200
        assert [t.number for t in stored_trials] == list(range(len(stored_trials)))

        shorter = job(world.request, budget=200, plan=1, first=len(stored_trials))
        again = LocalRunner(store, Loader(world.market))
        await again.submit(shorter.model_copy(update={"budget": 3}))
        last = (await wait_until_finished(again, shorter))[-1]
        assert (last.state, last.computed) == ("completed", 3)
        assert (await load_trials(store, "anne", "r1"))[: len(stored_trials)] == stored_trials


class SlowChunk(LocalSimulator):
    """Ends its second chunk once `finish` is set, and stops there."""

    def __init__(self, world, begun: threading.Event, finish: threading.Event) -> None:
        super().__init__(world)
        self.begun, self.finish = begun, finish

    def evaluations(self, chunks, paths):
        yield next(super().evaluations(chunks, paths))
        self.begun.set()
        assert self.finish.wait(60)
        yield next(super().evaluations(chunks[1:], paths))


async def test_a_cancelled_task_ends_after_the_thread_that_saves_through_its_loop(world, job, tmp_path) -> None:
    begun, finish = threading.Event(), threading.Event()
    async with open_store(tmp_path) as store:
        runner = LocalRunner(
            store, Loader(world.market), simulator=lambda world, report: SlowChunk(world, begun, finish)
        )
        earlier = asyncio.all_tasks()
        await runner.submit(job(world.request, budget=200))
        [task] = asyncio.all_tasks() - earlier
        assert await asyncio.to_thread(begun.wait, 60)
        for _ in range(2):  # a loop that closes cancels what an interrupt has already cancelled
            task.cancel()
            await asyncio.sleep(0.01)
        assert not task.done()
        finish.set()
        await asyncio.wait([task])
        assert task.cancelled()


async def test_an_interrupted_job_is_finished_by_another_process(world, finished_search, job, tmp_path) -> None:
    from desk.optimization.repositories.trial_repository import save_trials

    async with open_store(tmp_path) as store:
        await save_trials(store, "anne", "r1", finished_search.saved[:7])
        runner = LocalRunner(store, Loader(world.market))
        search_job = job(world.request)
        await runner.submit(search_job)
        last = (await wait_until_finished(runner, search_job))[-1]
        assert (last.done, last.computed) == (12, 5)
        assert await load_trials(store, "anne", "r1") == finished_search.trials


async def test_a_fault_is_reported_with_its_class_and_stores_nothing(world, job, tmp_path) -> None:
    async with open_store(tmp_path) as store:
        runner = LocalRunner(store, Loader(world.market, ZeroDivisionError("by nothing")))
        search_job = job(world.request)
        await runner.submit(search_job)
        last = (await wait_until_finished(runner, search_job))[-1]
        assert (last.state, last.error) == ("failed", "ZeroDivisionError: by nothing")
        assert await load_trials(store, "anne", "r1") == ()


async def test_a_job_that_failed_starts_again_when_it_is_submitted_again(world, finished_search, job, tmp_path) -> None:
    async with open_store(tmp_path) as store:
        load = Loader(world.market, ConnectionError("the prices are not there yet"))
        runner = LocalRunner(store, load)
        search_job = job(world.request)
        await runner.submit(search_job)
        assert (await wait_until_finished(runner, search_job))[-1].state == "failed"
        load.error = None
        assert (await runner.submit(search_job)).state == "queued"
        assert (await wait_until_finished(runner, search_job))[-1].state == "completed"
        assert await load_trials(store, "anne", "r1") == finished_search.trials


async def test_an_unknown_job_has_no_status(world, tmp_path) -> None:
    async with open_store(tmp_path) as store:
        runner = LocalRunner(store, Loader(world.market))
        with pytest.raises(KeyError):
            await runner.status("nothing-plan-0")
