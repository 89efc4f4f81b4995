"""Jobs from their submission to their worker: who has a place, what a key names, what a cancel does."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from graphs import jobs, turnstile
from graphs.leases import leased
from graphs.run_book import NoSuchRun, change_run, events_of, list_runs, run_of
from graphs.runs import create_run, decide_approval, execute
from graphs.states import AFTER, IllegalTransition
from tests.graphs.conftest import OWNER
from tests.graphs.queued import queued_desk
from tools.approval import Decided, Thresholds
from tools.context import utc_now
from tools.errors import InvalidInput
from tools.trace import RunFailed

pytestmark = pytest.mark.anyio


async def submitted(desk, request, count: int, owner: str = OWNER) -> list[str]:
    return [(await jobs.submit(desk, owner, request)).id for _ in range(count)]


async def received(desk) -> dict:
    delivery = await jobs.queue_of(desk).receive(lease=60.0, wait=0.0)
    assert delivery is not None
    await jobs.queue_of(desk).finish(delivery)
    return delivery.body


def states(run) -> list[str]:
    return [each.state for each in run.history]


async def test_a_submitted_run_is_queued_and_its_message_names_it(home, small):
    async with queued_desk(home) as desk:
        run = await jobs.submit(desk, OWNER, small())
        assert await run_of(desk.store, OWNER, run.id) == run
        assert (run.state, states(run)) == ("queued", ["created", "queued"])
        assert await received(desk) == {"owner": OWNER, "job": run.id, "number": 1}


async def test_a_request_that_its_prices_cannot_serve_leaves_nothing(home, small):
    async with queued_desk(home) as desk:
        with pytest.raises(InvalidInput):
            await jobs.submit(desk, OWNER, small(universe="no_such_universe"), idempotency_key="k")
        assert await list_runs(desk.store, OWNER) == []
        assert await jobs.queue_of(desk).depth() == 0
        assert (await jobs.submit(desk, OWNER, small(), idempotency_key="k")).state == "queued"


async def test_the_same_key_is_the_same_run_also_at_once(home, small):
    async with queued_desk(home) as desk, queued_desk(home) as other:
        again = [jobs.submit(d, OWNER, small(), idempotency_key="a key") for d in (desk, other) * 3]
        assert len({run.id for run in await asyncio.gather(*again)}) == 1
        assert len(await list_runs(desk.store, OWNER)) == 1
        assert await jobs.queue_of(desk).depth() == 1
        with pytest.raises(jobs.KeyUsed, match="another request"):
            await jobs.submit(desk, OWNER, small(seed=4), idempotency_key="a key")
        theirs = await jobs.submit(desk, "other", small(seed=4), idempotency_key="a key")
        assert theirs.owner == "other"


async def test_a_key_holds_for_a_day(home, small):
    async with queued_desk(home, now=lambda: utc_now() - timedelta(hours=24)) as yesterday:
        first = await jobs.submit(yesterday, OWNER, small(), idempotency_key="a key")
        second = await jobs.submit(replace(yesterday, now=utc_now), OWNER, small(seed=4), idempotency_key="a key")
    assert second.id != first.id


async def test_an_owner_has_two_places_and_the_next_follows_in_order(home, small):
    async with queued_desk(home) as desk:
        mine = await submitted(desk, small(), 4)
        theirs = await submitted(desk, small(), 1, "other")
        messages = [await received(desk) for _ in range(3)]
        assert [message["job"] for message in messages] == [*mine[:2], *theirs]
        assert await jobs.queue_of(desk).depth() == 0
        await jobs.release_next(desk, OWNER, mine[1], messages[1]["number"])
        assert (await received(desk))["job"] == mine[2]
        await jobs.release_next(desk, OWNER, mine[1], messages[1]["number"])  # told twice, it gives one place
        assert await jobs.queue_of(desk).depth() == 0
        assert await jobs.begin(desk, OWNER, mine[1], messages[1]["number"]) is None


async def test_what_a_crash_left_unsent_is_sent_by_the_sweep(home, small):
    class Crash(RuntimeError):
        pass

    class Broken:
        async def send(self, body):
            raise Crash

    async with queued_desk(home) as desk:
        with pytest.raises(Crash):
            await jobs.submit(replace(desk, queue=Broken()), OWNER, small(), idempotency_key="k")
        [run] = await list_runs(desk.store, OWNER)
        assert await jobs.sweep(desk) == 0  # its sender may be at it
        later = replace(desk, now=lambda: utc_now() + timedelta(minutes=1))
        assert await jobs.sweep(later) == 1
        assert (await received(desk))["job"] == run.id
        assert await jobs.sweep(later) == 0
        assert (await jobs.submit(desk, OWNER, small(), idempotency_key="k")).id == run.id


async def test_a_queued_run_is_cancelled_at_once_and_gives_its_place_back(home, small):
    async with queued_desk(home, jobs_per_user=1) as desk:
        first, second, third = await submitted(desk, small(), 3)
        assert (await jobs.cancel(desk, OWNER, second, by=OWNER)).state == "cancelled"
        run = await jobs.cancel(desk, OWNER, first, by="chief", reason="no budget")
        assert (run.state, run.history[-1].by, run.history[-1].reason) == ("cancelled", "chief", "no budget")
        assert await jobs.cancel(desk, OWNER, first, by=OWNER) == run
        messages = [await received(desk), await received(desk)]
        assert [message["job"] for message in messages] == [first, third]
        assert await jobs.begin(desk, OWNER, first, messages[0]["number"]) is None
        [event] = await events_of(desk.store, OWNER, first)
        assert isinstance(event, RunFailed)
        assert event.code == "cancelled"
        with pytest.raises(NoSuchRun):
            await jobs.cancel(desk, "other", third, by="other")


async def test_a_cancel_waits_for_the_worker_that_holds_the_run(home, small):
    async with queued_desk(home) as desk:
        run = await jobs.submit(desk, OWNER, small())
        message = await received(desk)
        async with leased(desk.store, OWNER, run.id):
            assert await jobs.begin(desk, OWNER, run.id, message["number"]) is not None
            asked = await jobs.cancel(desk, OWNER, run.id, by="chief", reason="no budget")
            assert (asked.state, asked.cancelling and asked.cancelling.by) == ("queued", "chief")
            await jobs.release_next(desk, OWNER, run.id, message["number"])
        run = await run_of(desk.store, OWNER, run.id)
        assert (run.state, run.history[-1].by, run.cancelling) == ("cancelled", "chief", None)
        again = await jobs.restart(desk, OWNER, run.id, by=OWNER)
        assert again.state == "queued"
        assert (await received(desk))["number"] == 2


async def test_a_decided_run_is_queued_again(home, small):
    async with queued_desk(home, thresholds=Thresholds(evaluations=1)) as desk:
        run = await create_run(desk, OWNER, small())
        async for _ in execute(desk, OWNER, run):
            pass
        assert (await run_of(desk.store, OWNER, run)).state == "waiting"
        decided = Decided(verdict="approved", by="chief", at=utc_now())
        assert (await decide_approval(desk, OWNER, run, decided)).state == "queued"
        assert (await received(desk))["job"] == run
        await decide_approval(desk, OWNER, run, decided)
        assert await jobs.queue_of(desk).depth() == 0


async def test_a_run_that_waits_for_a_person_is_cancelled_at_once_and_can_still_be_rejected(home, small):
    async with queued_desk(home, thresholds=Thresholds(evaluations=1)) as desk:
        run = await create_run(desk, OWNER, small())
        async for _ in execute(desk, OWNER, run):
            pass
        async with leased(desk.store, OWNER, run):  # the worker that asked has yet to leave it
            cancelled = await jobs.cancel(desk, OWNER, run, by=OWNER)
        assert (cancelled.state, cancelled.cancelling) == ("cancelled", None)
        rejected = Decided(verdict="rejected", reason="not needed", by="chief", at=utc_now())
        assert (await decide_approval(desk, OWNER, run, rejected)).state == "rejected"


async def test_only_what_the_table_allows_follows(home, small):
    async with queued_desk(home) as desk:
        run = await jobs.submit(desk, OWNER, small())
        for state in AFTER.keys() - set(AFTER["queued"]):
            with pytest.raises(IllegalTransition, match="allowed: validating, failed, cancelled, expired"):
                await change_run(desk.store, OWNER, run.id, lambda r, s=state: r.moved(s, at=utc_now(), by="x"))
        assert await run_of(desk.store, OWNER, run.id) == run


async def test_a_burst_of_one_owner_loses_no_job(home, small):
    async with queued_desk(home) as desk, queued_desk(home) as other:
        runs = await asyncio.gather(*(jobs.submit(d, OWNER, small()) for d in (desk, other) * 10))
        gate, _ = await turnstile.read(desk.store, OWNER)
        assert len(gate.places) == 2
        assert {t.job for t in gate.places} | set(gate.waiting) == {run.id for run in runs}
        assert len(gate.waiting) == 18
