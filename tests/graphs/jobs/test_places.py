"""The limit of jobs at work holds for all owners and workers together."""

import asyncio
from collections import Counter
from contextlib import AsyncExitStack
from dataclasses import replace

import pytest

from desk.runs.repository import change_run, load_run
from graphs.jobs import job_queue
from graphs.jobs.fair_queue import load_queue
from graphs.jobs.places import count_free_places, free_abandoned_places, leave_place, take_place
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
        await complete(dependencies, owner, run)
        at_work -= 1
        done[owner] += 1

    async with AsyncExitStack() as stack:
        one, other = [
            await stack.enter_async_context(queued_dependencies(home, jobs_at_work=LIMIT, jobs_per_user=2))
            for _ in range(2)
        ]
        runs = [(owner, await job_queue.submit(one, owner, small_request())) for owner in OWNERS for _ in range(2)]
        options = {"concurrency": 2, "execution": execution}
        async with working(one, **options), working(other, **options):

            async def ended() -> bool:
                places = [record async for record in iterate_records(one.store.records, "_desk", "place")]
                return not places and all(
                    [(await load_run(one.store, o, run.id)).state == "completed" for o, run in runs]
                )

            await eventually(ended, seconds=180)
    assert done == dict.fromkeys(OWNERS, 2)
    assert most == LIMIT


async def complete(dependencies, owner, run):
    def completed(one):
        return one.advanced_to("completed", at=dependencies.now(), by="worker")

    await change_run(dependencies.store, owner, run, completed)


class Sends:
    """A queue that lists the jobs that were sent."""

    def __init__(self, queue):
        self._queue, self.jobs = queue, []

    def __getattr__(self, name):
        return getattr(self._queue, name)

    async def send(self, body):
        self.jobs.append(body["job"])
        return await self._queue.send(body)


async def is_refused(dependencies, owner) -> bool:
    owner_queue, _ = await load_queue(dependencies.store, owner)
    return any(ticket.refused for ticket in owner_queue.places)


async def test_a_refused_job_has_no_message_until_a_place_is_free(home):
    first_may_end = asyncio.Event()

    async def execution(dependencies, owner, run):
        if owner == "ann":
            await first_may_end.wait()
        await complete(dependencies, owner, run)

    async with queued_dependencies(home, jobs_at_work=1) as opened:
        sends = Sends(opened.queue)
        dependencies = replace(opened, queue=sends)
        async with working(dependencies, concurrency=2, execution=execution):
            first = await job_queue.submit(dependencies, "ann", small_request())

            async def has_begun() -> bool:
                return bool((await load_queue(dependencies.store, "ann"))[0].places[0].begun)

            await eventually(has_begun)
            second = await job_queue.submit(dependencies, "bob", small_request())
            await eventually(lambda: is_refused(dependencies, "bob"))
            first_may_end.set()

            async def ended() -> bool:
                return (await load_run(dependencies.store, "bob", second.id)).state == "completed"

            await eventually(ended, seconds=20.0)  # less than a sweep later
        assert sends.jobs == [first.id, second.id, second.id]
        assert await sends.depth() == 0


async def test_a_job_that_is_refused_while_a_place_is_freed_is_sent_at_once(home):
    async with queued_dependencies(home, jobs_at_work=1) as opened:
        run = await job_queue.submit(opened, "ann", small_request())
        dependencies = replace(opened, queue=(sends := Sends(opened.queue)))
        await job_queue.refuse(dependencies, "ann", run.id, 1)
        assert sends.jobs == [run.id]
        assert not await is_refused(dependencies, "ann")


async def test_the_sweep_sends_the_oldest_refused_jobs_when_an_abandoned_place_is_free(home):
    async with queued_dependencies(home, jobs_at_work=1, jobs_per_user=2) as opened:
        runs = {owner: await job_queue.submit(opened, owner, small_request()) for owner in OWNERS}
        dependencies = replace(opened, queue=(sends := Sends(opened.queue)))
        assert await take_place(dependencies.store, 1, "dan", "gone", dependencies.now())
        for owner in reversed(OWNERS):
            await job_queue.refuse(dependencies, owner, runs[owner].id, 1)
        assert sends.jobs == []
        assert await job_queue.sweep(dependencies) == 1
        assert sends.jobs == [runs["ann"].id]
        assert await take_place(dependencies.store, 1, "ann", runs["ann"].id, dependencies.now())
        assert await job_queue.sweep(dependencies) == 0
        assert await job_queue.sweep(replace(dependencies, jobs_at_work=0)) == 2
        assert sends.jobs == [runs[owner].id for owner in OWNERS]


async def test_a_place_is_kept_until_its_job_leaves_it_or_has_ended(home):
    async with queued_dependencies(home) as dependencies:
        store, now = dependencies.store, dependencies.now()
        run = await job_queue.submit(dependencies, "ann", small_request())
        assert await take_place(store, 1, "ann", run.id, now)
        assert await take_place(store, 1, "ann", run.id, now)
        assert not await take_place(store, 1, "bob", "another", now)
        assert await free_abandoned_places(store, 1) == 0
        assert await leave_place(store, 1, "ann", run.id) == 1
        assert await take_place(store, 1, "bob", "gone", now)
        assert await count_free_places(store, 1) == 0
        assert await free_abandoned_places(store, 1) == 1
        assert await take_place(store, 1, "ann", run.id, now)
        with pytest.raises(Conflict):
            await store.records.put((await store.records.list("_desk", "place")).records[0].key, {}, expected=0)
