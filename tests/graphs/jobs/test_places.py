"""The limit of jobs at work holds for all owners and workers together."""

import asyncio
from collections import Counter
from contextlib import AsyncExitStack

import pytest

from desk.runs.repository import change_run, load_run
from graphs.jobs import job_queue
from graphs.jobs.places import free_abandoned_places, leave_place, take_place
from store.errors import Conflict
from store.records import iterate_records
from tests.graphs.dependencies import small_request
from tests.graphs.jobs.queued_runs import eventually, queued_dependencies, working

pytestmark = pytest.mark.anyio
OWNERS = ("ann", "bob", "cid")
LIMIT = 2


async def test_two_workers_together_execute_no_more_jobs_than_the_limit(home):
    at_work, most, done, reached = 0, 0, Counter(), asyncio.Event()

    async def execution(dependencies, owner, run):
        nonlocal at_work, most
        at_work += 1
        most = max(most, at_work)
        if at_work == LIMIT:
            reached.set()
        await reached.wait()  # the first job works until the limit is reached
        await change_run(
            dependencies.store,
            owner,
            run,
            lambda one: one.advanced_to("completed", at=dependencies.now(), by="worker"),
        )
        at_work -= 1
        done[owner] += 1

    async with AsyncExitStack() as stack:
        one, other = [
            await stack.enter_async_context(queued_dependencies(home, jobs_at_work=LIMIT, jobs_per_user=2))
            for _ in range(2)
        ]
        runs = [(owner, await job_queue.submit(one, owner, small_request())) for owner in OWNERS for _ in range(2)]
        options = {"concurrency": 2, "execution": execution, "lease": 0.6}
        async with working(one, **options), working(other, **options):

            async def ended() -> bool:
                places = [record async for record in iterate_records(one.store.records, "_desk", "place")]
                return not places and all(
                    [(await load_run(one.store, o, run.id)).state == "completed" for o, run in runs]
                )

            await eventually(ended, seconds=180)
    assert done == dict.fromkeys(OWNERS, 2)
    assert most == LIMIT


async def test_a_place_is_kept_until_its_job_leaves_it_or_has_ended(home):
    async with queued_dependencies(home) as dependencies:
        store, now = dependencies.store, dependencies.now()
        run = await job_queue.submit(dependencies, "ann", small_request())
        assert await take_place(store, 1, "ann", run.id, now)
        assert await take_place(store, 1, "ann", run.id, now)
        assert not await take_place(store, 1, "bob", "another", now)
        assert await free_abandoned_places(store, 1) == 0
        await leave_place(store, 1, "ann", run.id)
        assert await take_place(store, 1, "bob", "gone", now)
        assert await free_abandoned_places(store, 1) == 1
        assert await take_place(store, 1, "ann", run.id, now)
        with pytest.raises(Conflict):
            await store.records.put((await store.records.list("_desk", "place")).records[0].key, {}, expected=0)
