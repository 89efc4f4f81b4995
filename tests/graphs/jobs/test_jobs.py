"""Jobs from submission to execution: places, idempotency keys, cancellation."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import get_args

import pytest

from desk.base.clock import utc_now
from desk.base.errors import InvalidInput
from desk.governance.approvals import ApprovalDecision, Thresholds
from desk.runs.events.run import RunFailed
from desk.runs.repository import NoSuchRun, change_run, list_runs, load_events, load_run
from desk.runs.states import SUCCESSORS, IllegalTransition, RunState
from graphs.jobs import fair_queue, job_queue
from graphs.jobs.approval_decisions import decide_approval
from graphs.jobs.execution import execute
from graphs.runs.creation import create_run
from graphs.runs.leases import hold_lease
from tests.graphs.dependencies import OWNER
from tests.graphs.jobs.queued_runs import queued_dependencies

pytestmark = pytest.mark.anyio


async def submitted(dependencies, request, count: int, owner: str = OWNER) -> list[str]:
    return [(await job_queue.submit(dependencies, owner, request)).id for _ in range(count)]


async def received(dependencies) -> dict:
    delivery = await job_queue.queue_of(dependencies).receive(lease=60.0, wait=0.0)
    assert delivery is not None
    await job_queue.queue_of(dependencies).finish(delivery)
    return delivery.body


def states(run) -> list[str]:
    return [each.state for each in run.history]


async def test_a_submitted_run_is_queued_and_its_message_names_it(home, small):
    async with queued_dependencies(home) as dependencies:
        run = await job_queue.submit(dependencies, OWNER, small())
        assert await load_run(dependencies.store, OWNER, run.id) == run
        assert (run.state, states(run)) == ("queued", ["created", "queued"])
        assert await received(dependencies) == {"owner": OWNER, "job": run.id, "number": 1}


async def test_a_request_that_its_prices_cannot_serve_stores_nothing(home, small):
    async with queued_dependencies(home) as dependencies:
        with pytest.raises(InvalidInput):
            await job_queue.submit(dependencies, OWNER, small(universe="no_such_universe"), idempotency_key="k")
        assert await list_runs(dependencies.store, OWNER) == []
        assert await job_queue.queue_of(dependencies).depth() == 0
        assert (await job_queue.submit(dependencies, OWNER, small(), idempotency_key="k")).state == "queued"


async def test_the_same_key_is_the_same_run_even_concurrently(home, small):
    async with queued_dependencies(home) as dependencies, queued_dependencies(home) as other:
        again = [job_queue.submit(d, OWNER, small(), idempotency_key="a key") for d in (dependencies, other) * 3]
        assert len({run.id for run in await asyncio.gather(*again)}) == 1
        assert len(await list_runs(dependencies.store, OWNER)) == 1
        assert await job_queue.queue_of(dependencies).depth() == 1
        with pytest.raises(job_queue.IdempotencyKeyUsed, match="another request"):
            await job_queue.submit(dependencies, OWNER, small(seed=4), idempotency_key="a key")
        theirs = await job_queue.submit(dependencies, "other", small(seed=4), idempotency_key="a key")
        assert theirs.owner == "other"


async def test_a_key_holds_for_a_day(home, small):
    async with queued_dependencies(home, now=lambda: utc_now() - timedelta(hours=24)) as yesterday:
        first = await job_queue.submit(yesterday, OWNER, small(), idempotency_key="a key")
        second = await job_queue.submit(replace(yesterday, now=utc_now), OWNER, small(seed=4), idempotency_key="a key")
    assert second.id != first.id


async def test_an_owner_has_two_places_and_the_next_follows_in_order(home, small):
    async with queued_dependencies(home) as dependencies:
        mine = await submitted(dependencies, small(), 4)
        theirs = await submitted(dependencies, small(), 1, "other")
        messages = [await received(dependencies) for _ in range(3)]
        assert [message["job"] for message in messages] == [*mine[:2], *theirs]
        assert await job_queue.queue_of(dependencies).depth() == 0
        await job_queue.release_place(dependencies, OWNER, mine[1], messages[1]["number"])
        assert (await received(dependencies))["job"] == mine[2]
        await job_queue.release_place(
            dependencies, OWNER, mine[1], messages[1]["number"]
        )  # delivered twice, it releases one place
        assert await job_queue.queue_of(dependencies).depth() == 0
        assert await job_queue.begin(dependencies, OWNER, mine[1], messages[1]["number"]) is None


async def test_the_sweep_sends_what_a_crash_left_unsent(home, small):
    class Crash(RuntimeError):
        pass

    class Broken:
        async def send(self, body):
            raise Crash

    async with queued_dependencies(home) as dependencies:
        with pytest.raises(Crash):
            await job_queue.submit(replace(dependencies, queue=Broken()), OWNER, small(), idempotency_key="k")
        [run] = await list_runs(dependencies.store, OWNER)
        assert await job_queue.sweep(dependencies) == 0  # its sender may still be sending it
        later = replace(dependencies, now=lambda: utc_now() + timedelta(minutes=1))
        assert await job_queue.sweep(later) == 1
        assert (await received(dependencies))["job"] == run.id
        assert await job_queue.sweep(later) == 0
        assert (await job_queue.submit(dependencies, OWNER, small(), idempotency_key="k")).id == run.id


async def test_a_queued_run_is_cancelled_at_once_and_gives_its_place_back(home, small):
    async with queued_dependencies(home, jobs_per_user=1) as dependencies:
        first, second, third = await submitted(dependencies, small(), 3)
        assert (await job_queue.cancel(dependencies, OWNER, second, by=OWNER)).state == "cancelled"
        run = await job_queue.cancel(dependencies, OWNER, first, by="chief", reason="no budget")
        assert (run.state, run.history[-1].by, run.history[-1].reason) == ("cancelled", "chief", "no budget")
        assert await job_queue.cancel(dependencies, OWNER, first, by=OWNER) == run
        messages = [await received(dependencies), await received(dependencies)]
        assert [message["job"] for message in messages] == [first, third]
        assert await job_queue.begin(dependencies, OWNER, first, messages[0]["number"]) is None
        [event] = await load_events(dependencies.store, OWNER, first)
        assert isinstance(event, RunFailed)
        assert event.code == "cancelled"
        with pytest.raises(NoSuchRun):
            await job_queue.cancel(dependencies, "other", third, by="other")


async def test_a_cancel_waits_for_the_worker_that_holds_the_run(home, small):
    async with queued_dependencies(home) as dependencies:
        run = await job_queue.submit(dependencies, OWNER, small())
        message = await received(dependencies)
        async with hold_lease(dependencies.store, OWNER, run.id):
            assert await job_queue.begin(dependencies, OWNER, run.id, message["number"]) is not None
            cancelling_run = await job_queue.cancel(dependencies, OWNER, run.id, by="chief", reason="no budget")
            assert (cancelling_run.state, cancelling_run.cancelling and cancelling_run.cancelling.by) == (
                "queued",
                "chief",
            )
            await job_queue.release_place(dependencies, OWNER, run.id, message["number"])
        run = await load_run(dependencies.store, OWNER, run.id)
        assert (run.state, run.history[-1].by, run.cancelling) == ("cancelled", "chief", None)
        again = await job_queue.restart(dependencies, OWNER, run.id, by=OWNER)
        assert again.state == "queued"
        assert (await received(dependencies))["number"] == 2


async def test_a_decided_run_is_queued_again(home, small):
    async with queued_dependencies(home, thresholds=Thresholds(evaluations=1)) as dependencies:
        run = await create_run(dependencies, OWNER, small())
        async for _ in execute(dependencies, OWNER, run):
            pass
        assert (await load_run(dependencies.store, OWNER, run)).state == "waiting"
        approval = ApprovalDecision(verdict="approved", by="chief", at=utc_now())
        assert (await decide_approval(dependencies, OWNER, run, approval)).state == "queued"
        assert (await received(dependencies))["job"] == run
        await decide_approval(dependencies, OWNER, run, approval)
        assert await job_queue.queue_of(dependencies).depth() == 0


async def test_a_run_that_waits_for_a_person_is_cancelled_at_once_and_can_still_be_rejected(home, small):
    async with queued_dependencies(home, thresholds=Thresholds(evaluations=1)) as dependencies:
        run = await create_run(dependencies, OWNER, small())
        async for _ in execute(dependencies, OWNER, run):
            pass
        async with hold_lease(dependencies.store, OWNER, run):  # the requesting worker still holds the lease
            cancelled = await job_queue.cancel(dependencies, OWNER, run, by=OWNER)
        assert (cancelled.state, cancelled.cancelling) == ("cancelled", None)
        rejected = ApprovalDecision(verdict="rejected", reason="not needed", by="chief", at=utc_now())
        assert (await decide_approval(dependencies, OWNER, run, rejected)).state == "rejected"


async def test_only_transitions_of_the_table_are_allowed(home, small):
    async with queued_dependencies(home) as dependencies:
        run = await job_queue.submit(dependencies, OWNER, small())
        for state in set(get_args(RunState)) - set(SUCCESSORS["queued"]):
            with pytest.raises(IllegalTransition, match="expected validating, failed, cancelled, expired"):
                await change_run(
                    dependencies.store, OWNER, run.id, lambda r, s=state: r.with_state(s, at=utc_now(), by="x")
                )
        assert await load_run(dependencies.store, OWNER, run.id) == run


async def test_a_burst_of_one_owner_loses_no_job(home, small):
    async with queued_dependencies(home) as dependencies, queued_dependencies(home) as other:
        runs = await asyncio.gather(*(job_queue.submit(d, OWNER, small()) for d in (dependencies, other) * 10))
        gate, _ = await fair_queue.load_queue(dependencies.store, OWNER)
        assert len(gate.places) == 2
        assert {t.job for t in gate.places} | set(gate.waiting) == {run.id for run in runs}
        assert len(gate.waiting) == 18
