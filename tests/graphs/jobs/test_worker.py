"""Workers: they take jobs under a lease, take over from those that die, and put aside what kills them."""

import asyncio
import sqlite3
import time
from contextlib import closing
from dataclasses import replace
from datetime import timedelta

import pytest

from graphs import jobs, reproductions, turnstile
from graphs.conversations import ask, begin_conversation, resume, turn_of
from graphs.run_book import Run, change_run, events_of, list_runs, run_of
from graphs.runs import create_run, decide_approval, execute
from store.errors import Unanswered
from store.records import Key
from tests.graphs.conftest import OWNER, open_desk
from tests.graphs.queued import eventually, executions, fake, queued_desk, working
from tests.graphs.storm import storm
from tools.approval import Decided, Thresholds
from tools.context import utc_now
from tools.errors import InvalidInput
from tools.trials import KIND as TRIALS

TALK = "talk"
SEARCH = "optimize the S&P 500 with 10% volatility, 10 trials, 100 paths, 1 year, base case and bear market"

pytestmark = pytest.mark.anyio


async def until(desk, run: str, state: str) -> Run:
    async def look() -> Run | None:
        found = await run_of(desk.store, OWNER, run)
        return found if found.state == state else None

    found = await eventually(look)
    assert found is not None
    return found


async def trials(desk, run: str) -> int:
    return len((await desk.store.records.list(OWNER, TRIALS, prefix=run, limit=1000)).records)


async def nothing_left(desk) -> bool:
    return await left(desk) == (0, 0)


async def left(desk, owner: str = OWNER) -> tuple[int, int]:
    """Places and messages that are still taken."""
    gate, _ = await turnstile.read(desk.store, owner)
    return len(gate.places), await jobs.queue_of(desk).depth()


def stored(home, query: str) -> list[tuple[str]]:
    """What no port shows."""
    with closing(sqlite3.connect(home / "store.sqlite")) as file:
        return file.execute(query).fetchall()


async def absent(home, query: str) -> bool:
    return not stored(home, query)


async def test_a_worker_comes_to_the_result_that_is_computed_in_place(tmp_path, small):
    async with open_desk(tmp_path / "place") as desk:
        run = await create_run(desk, OWNER, small())
        place = [event async for event in execute(desk, OWNER, run)]
        digest = (await run_of(desk.store, OWNER, run)).result_digest
    async with queued_desk(tmp_path / "queue") as desk:
        run = await jobs.submit(desk, OWNER, small())
        async with working(desk):
            followed = [event async for event in jobs.followed(desk, OWNER, run.id)]
            done = await until(desk, run.id, "completed")
        assert await left(desk) == (0, 0)
        assert await events_of(desk.store, OWNER, run.id) == followed
    assert done.result_digest == digest
    assert [event.comparable() | {"run": "", "id": ""} for event in followed if event.event != "job_progressed"] == [
        event.comparable() | {"run": "", "id": ""} for event in place if event.event != "job_progressed"
    ]
    passed = ["created", "queued", "validating", "running", "aggregating", "completed"]
    assert [each.state for each in done.history] == passed
    assert [each.by for each in done.history] == [OWNER, OWNER, *["worker"] * 4]


async def test_a_search_of_a_conversation_is_executed_by_a_worker_and_reproduced_by_one(home):
    async with queued_desk(home) as desk, working(desk):
        await begin_conversation(desk, OWNER, conversation_id=TALK)
        told = [event async for event in ask(desk, OWNER, TALK, SEARCH)]
        [run] = await list_runs(desk.store, OWNER)
        assert (run.state, run.history[-1].by) == ("completed", "worker")
        assert [event for event in told if event.run == run.id] == await events_of(desk.store, OWNER, run.id)
        assert (await turn_of(desk.store, OWNER, TALK, 1)).outcome == "answered"
        await reproductions.ask(desk, OWNER, run.id)

        async def ended() -> list[reproductions.Reproduction]:
            found = await reproductions.reproductions(desk.store, OWNER, run.id)
            return [each for each in found if each.ended_at is not None]

        [again] = await eventually(ended)
        assert (again.state, again.same) == ("done", True)


async def test_a_conversation_whose_waiting_search_was_cancelled_goes_on_once_that_is_rejected(home):
    async with queued_desk(home, thresholds=Thresholds(evaluations=1)) as desk, working(desk):
        await begin_conversation(desk, OWNER, conversation_id=TALK)
        [event async for event in ask(desk, OWNER, TALK, SEARCH)]
        assert (await turn_of(desk.store, OWNER, TALK, 1)).state == "waiting"
        [run] = await list_runs(desk.store, OWNER)
        await jobs.cancel(desk, OWNER, run.id, by=OWNER)
        rejected = Decided(verdict="rejected", reason="not needed", by=OWNER, at=utc_now())
        await decide_approval(desk, OWNER, run.id, rejected)
        [event async for event in resume(desk, OWNER, TALK, 1)]
        turn = await turn_of(desk.store, OWNER, TALK, 1)
        assert any("not needed" in claim.text for claim in turn.claims)


async def test_a_cancel_stops_the_search_and_keeps_what_it_found(home, small):
    async with queued_desk(home) as desk:
        run = await jobs.submit(desk, OWNER, small(trials=2000))
        async with working(desk):
            await eventually(lambda: trials(desk, run.id))
            begun = time.monotonic()
            await jobs.cancel(desk, OWNER, run.id, by=OWNER, reason="enough")
            cancelled = await until(desk, run.id, "cancelled")
            assert time.monotonic() - begun < 10.0
        assert cancelled.history[-1].reason == "enough"
        assert 0 < await trials(desk, run.id) < 1000
        assert (await events_of(desk.store, OWNER, run.id))[-1].event == "run_failed"
        assert await left(desk) == (0, 0)


async def test_a_worker_that_is_stopped_gives_its_job_back_at_once(home, small):
    begun = asyncio.Event()

    async def endless(desk, owner, run):
        begun.set()
        await asyncio.Event().wait()

    async with queued_desk(home) as desk:
        run = await jobs.submit(desk, OWNER, small())
        for _ in range(4):  # as often as a job may not die
            begun.clear()
            async with working(desk, execution=endless):
                await begun.wait()
        assert await left(desk) == (1, 1)
        async with working(desk, execution=fake(home)):
            await until(desk, run.id, "completed")
        assert await left(desk) == (0, 0)


async def test_what_cannot_be_served_fails_and_is_not_tried_again(home, small):
    tries = []

    async def refused(desk, owner, run):
        tries.append(run)
        raise InvalidInput("prices_file", "x", allowed="the prices with which the run began")

    async with queued_desk(home) as desk:
        run = await jobs.submit(desk, OWNER, small())
        async with working(desk, execution=refused):
            failed = await until(desk, run.id, "failed")
        assert "prices_file" in failed.history[-1].reason
        assert await left(desk) == (0, 0)
        with pytest.raises(jobs.Failed, match="prices_file"):
            [event async for event in jobs.followed(desk, OWNER, run.id)]
    assert tries == [run.id]


async def test_a_job_that_kills_three_workers_is_put_aside_and_can_be_replayed(home, small):
    async def deadly(desk, owner, run):
        tries.append(run)
        raise RuntimeError("as a process that dies: it leaves no word in the store")

    tries: list[str] = []
    async with queued_desk(home) as desk:
        poison = await jobs.submit(desk, OWNER, small())
        async with working(desk, execution=deadly, lease=0.6):
            failed = await until(desk, poison.id, "failed")
        assert tries == [poison.id] * 3
        assert "dead letter" in failed.history[-1].reason
        assert (await events_of(desk.store, OWNER, poison.id))[-1].event == "run_failed"
        assert await left(desk) == (0, 0)
        [letter] = await jobs.queue_of(desk).dead()
        with pytest.raises(jobs.NoSuchLetter):
            await jobs.replay(desk, "nothing", by="operator")
        assert (await jobs.replay(desk, letter.id, by="operator")).state == "queued"
        async with working(desk, execution=fake(home)):
            await until(desk, poison.id, "completed")
        assert await jobs.queue_of(desk).dead() == []


async def test_a_job_that_is_put_aside_gives_its_place_back_whatever_happens_meanwhile(home, small):
    class Cut:
        """A queue whose answer is lost once the letter is there."""

        def __init__(self, queue) -> None:
            self._queue = queue

        def __getattr__(self, name):
            return getattr(self._queue, name)

        async def bury(self, delivery, reason):
            await self._queue.bury(delivery, reason)
            raise Unanswered("connection lost")

    async def deadly(desk, owner, run):
        raise RuntimeError("as a process that dies: it leaves no word in the store")

    async with queued_desk(home) as desk:
        await jobs.submit(desk, OWNER, small())
        async with working(replace(desk, queue=Cut(desk.queue)), execution=deadly, lease=0.6):
            [_] = await eventually(jobs.queue_of(desk).dead)
            await eventually(lambda: nothing_left(desk), seconds=5.0)


async def test_a_run_that_waits_for_approval_gives_its_place_to_the_next(home, small):
    async with queued_desk(home, jobs_per_user=1, thresholds=Thresholds(evaluations=1)) as desk:
        dear = await jobs.submit(desk, OWNER, small())
        async with working(desk):
            await until(desk, dear.id, "waiting")
            await eventually(lambda: nothing_left(desk))
            decided = Decided(verdict="approved", by="chief", at=utc_now())
            assert (await decide_approval(desk, OWNER, dear.id, decided)).state == "queued"
            await until(desk, dear.id, "completed")


async def test_a_job_that_waited_for_a_week_has_expired(home, small):
    async with queued_desk(home) as desk:
        old = await jobs.submit(replace(desk, now=lambda: utc_now() - timedelta(days=8)), OWNER, small())
        async with working(desk, execution=fake(home)):
            expired = await until(desk, old.id, "expired")
        assert "7 days" in expired.history[-1].reason
        assert executions(home) == []
        assert await left(desk) == (0, 0)


async def test_a_job_whose_end_was_cut_off_is_told_that_it_has_expired(home, small):
    async with queued_desk(home) as desk:
        run = await jobs.submit(desk, OWNER, small())
        await change_run(desk.store, OWNER, run.id, lambda found: found.moved("expired", at=desk.now(), by="worker"))
        async with working(desk, execution=fake(home)):
            await eventually(lambda: nothing_left(desk))
        assert [event.event for event in await events_of(desk.store, OWNER, run.id)] == ["run_failed"]
        assert executions(home) == []


async def test_a_reproduction_that_nobody_asked_for_is_thrown_away(home):
    async with queued_desk(home) as desk:
        await jobs.queue_of(desk).send({"owner": OWNER, "job": "job", "reproduction": "none"})
        assert stored(home, "SELECT id FROM messages")
        async with working(desk, lease=0.6):
            assert await eventually(lambda: absent(home, "SELECT id FROM messages"))


async def test_a_worker_deletes_what_has_expired(home):
    notes = "SELECT id FROM records WHERE kind = 'note'"
    async with queued_desk(home) as desk:
        await desk.store.records.put(Key(OWNER, "note", "n"), {}, expires=utc_now() - timedelta(seconds=1))
        assert stored(home, notes)
        async with working(desk):
            assert await eventually(lambda: absent(home, notes))


async def test_a_small_storm_with_a_killed_worker_loses_and_repeats_nothing(tmp_path, small):
    await storm(tmp_path, small(), wanted=(35, 5, 5, 5, 5, 5), processes=2)
