"""Workers lease jobs, take over from crashed workers, and bury jobs that crash them."""

import asyncio
import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import timedelta

import pytest

from desk.base.clock import utc_now
from desk.base.errors import InvalidInput
from desk.governance.approvals import ApprovalDecision, Thresholds
from desk.optimization.repositories.trial_repository import KIND as TRIALS
from desk.runs.repository import change_run, list_runs, load_events, load_run
from graphs.conversations.turn_execution import ask, begin_conversation, resume, turn_of
from graphs.jobs import fair_queue, job_queue
from graphs.jobs.approval_decisions import decide_approval
from graphs.jobs.execution import execute
from graphs.jobs.reproduction import request_reproduction
from graphs.runs.creation import create_run
from graphs.runs.reproductions import Reproduction, reproductions
from store.errors import OutcomeUnknown
from store.records import Key
from tests.graphs.dependencies import OWNER, open_dependencies
from tests.graphs.jobs.queued_runs import eventually, executions, fake, queued_dependencies, until_state, working
from tests.graphs.jobs.storm import storm

TALK = "talk"
SEARCH = "optimize the S&P 500 since 2015 with 10% volatility, 10 trials, 100 paths, 1 year, base case"

pytestmark = pytest.mark.anyio


async def trials(dependencies, run: str) -> int:
    return len((await dependencies.store.records.list(OWNER, TRIALS, prefix=run, limit=1000)).records)


async def nothing_left(dependencies) -> bool:
    return await left(dependencies) == (0, 0)


async def left(dependencies, owner: str = OWNER) -> tuple[int, int]:
    """Places and messages that are still in use."""
    gate, _ = await fair_queue.load_queue(dependencies.store, owner)
    return len(gate.places), await job_queue.queue_of(dependencies).depth()


def stored(home, query: str) -> list[tuple[str]]:
    """Reads the database, since no port returns this."""
    with closing(sqlite3.connect(home / "store.sqlite")) as file:
        return file.execute(query).fetchall()


async def absent(home, query: str) -> bool:
    return not stored(home, query)


async def test_a_worker_reaches_the_same_result_as_an_execution_in_place(tmp_path, small):
    async with open_dependencies(tmp_path / "place") as dependencies:
        run = await create_run(dependencies, OWNER, small())
        place = [event async for event in execute(dependencies, OWNER, run)]
        digest = (await load_run(dependencies.store, OWNER, run)).result_digest
    async with queued_dependencies(tmp_path / "queue") as dependencies:
        run = await job_queue.submit(dependencies, OWNER, small())
        async with working(dependencies):
            followed = [event async for event in job_queue.follow_run(dependencies, OWNER, run.id)]
            completed_run = await until_state(dependencies, run.id, "completed")
        assert await left(dependencies) == (0, 0)
        assert await load_events(dependencies.store, OWNER, run.id) == followed
    assert completed_run.result_digest == digest
    assert [event.comparable() | {"run": "", "id": ""} for event in followed if event.event != "job_progressed"] == [
        event.comparable() | {"run": "", "id": ""} for event in place if event.event != "job_progressed"
    ]
    states = ["created", "queued", "validating", "running", "aggregating", "completed"]
    assert [each.state for each in completed_run.history] == states
    assert [each.by for each in completed_run.history] == [OWNER, OWNER, *["worker"] * 4]


async def test_a_search_of_a_conversation_is_executed_by_a_worker_and_reproduced_by_one(home):
    async with queued_dependencies(home) as dependencies, working(dependencies):
        await begin_conversation(dependencies, OWNER, conversation_id=TALK)
        events = [event async for event in ask(dependencies, OWNER, TALK, SEARCH)]
        [run] = await list_runs(dependencies.store, OWNER)
        assert (run.state, run.history[-1].by) == ("completed", "worker")
        assert [event for event in events if event.run == run.id] == await load_events(
            dependencies.store, OWNER, run.id
        )
        assert (await turn_of(dependencies.store, OWNER, TALK, 1)).outcome == "answered"
        await request_reproduction(dependencies, OWNER, run.id)

        async def ended() -> list[Reproduction]:
            stored_reproductions = await reproductions(dependencies.store, OWNER, run.id)
            return [each for each in stored_reproductions if each.ended_at is not None]

        [again] = await eventually(ended)
        assert (again.state, again.same) == ("done", True)


async def test_a_conversation_resumes_when_its_cancelled_search_is_rejected(home):
    async with queued_dependencies(home, thresholds=Thresholds(evaluations=1)) as dependencies, working(dependencies):
        await begin_conversation(dependencies, OWNER, conversation_id=TALK)
        [event async for event in ask(dependencies, OWNER, TALK, SEARCH)]
        assert (await turn_of(dependencies.store, OWNER, TALK, 1)).state == "waiting"
        [run] = await list_runs(dependencies.store, OWNER)
        await job_queue.cancel(dependencies, OWNER, run.id, by=OWNER)
        rejected = ApprovalDecision(verdict="rejected", reason="not needed", by=OWNER, at=utc_now())
        await decide_approval(dependencies, OWNER, run.id, rejected)
        [event async for event in resume(dependencies, OWNER, TALK, 1)]
        turn = await turn_of(dependencies.store, OWNER, TALK, 1)
        assert any("not needed" in claim.text for claim in turn.claims)


async def test_a_cancel_stops_the_search_and_keeps_its_trials(home, small):
    async with queued_dependencies(home) as dependencies:
        run = await job_queue.submit(dependencies, OWNER, small(trials=2000))
        async with working(dependencies):
            await eventually(lambda: trials(dependencies, run.id))
            await job_queue.cancel(dependencies, OWNER, run.id, by=OWNER, reason="enough")
            cancelled = await until_state(dependencies, run.id, "cancelled")
        assert cancelled.history[-1].reason == "enough"
        assert 0 < await trials(dependencies, run.id) < 1000
        assert (await load_events(dependencies.store, OWNER, run.id))[-1].event == "run_failed"
        assert await left(dependencies) == (0, 0)


async def test_a_stopped_worker_returns_its_job_at_once(home, small):
    started_at = asyncio.Event()

    async def endless(dependencies, owner, run):
        started_at.set()
        await asyncio.Event().wait()

    async with queued_dependencies(home) as dependencies:
        run = await job_queue.submit(dependencies, OWNER, small())
        for _ in range(4):  # more often than a job may crash
            started_at.clear()
            async with working(dependencies, execution=endless):
                await started_at.wait()
        assert await left(dependencies) == (1, 1)
        async with working(dependencies, execution=fake(home)):
            await until_state(dependencies, run.id, "completed")
        assert await left(dependencies) == (0, 0)


async def test_a_user_error_fails_the_job_without_retries(home, small):
    tries = []

    async def refused(dependencies, owner, run):
        tries.append(run)
        raise InvalidInput("prices_file", "x", allowed="the prices with which the run began")

    async with queued_dependencies(home) as dependencies:
        run = await job_queue.submit(dependencies, OWNER, small())
        async with working(dependencies, execution=refused):
            failed_run = await until_state(dependencies, run.id, "failed")
        assert "prices_file" in failed_run.history[-1].reason
        assert await left(dependencies) == (0, 0)
        with pytest.raises(job_queue.FailedRun, match="prices_file"):
            [event async for event in job_queue.follow_run(dependencies, OWNER, run.id)]
    assert tries == [run.id]


async def test_a_job_that_kills_three_workers_becomes_a_dead_letter_and_can_be_replayed(home, small):
    async def deadly(dependencies, owner, run):
        tries.append(run)
        raise RuntimeError("a crash without a stored state")

    tries: list[str] = []
    async with queued_dependencies(home) as dependencies:
        poison = await job_queue.submit(dependencies, OWNER, small())
        async with working(dependencies, execution=deadly, lease=0.6):
            failed_run = await until_state(dependencies, poison.id, "failed")
        assert tries == [poison.id] * 3
        assert "dead letter" in failed_run.history[-1].reason
        assert (await load_events(dependencies.store, OWNER, poison.id))[-1].event == "run_failed"
        assert await left(dependencies) == (0, 0)
        [letter] = await job_queue.queue_of(dependencies).dead_letters()
        with pytest.raises(job_queue.NoSuchDeadLetter):
            await job_queue.replay(dependencies, "nothing", by="operator")
        assert (await job_queue.replay(dependencies, letter.id, by="operator")).state == "queued"
        async with working(dependencies, execution=fake(home)):
            await until_state(dependencies, poison.id, "completed")
        assert await job_queue.queue_of(dependencies).dead_letters() == []


async def test_a_dead_letter_releases_its_place_despite_faults(home, small):
    class Cut:
        """A queue that loses the response after the dead letter is stored."""

        def __init__(self, queue) -> None:
            self._queue = queue

        def __getattr__(self, name):
            return getattr(self._queue, name)

        async def bury(self, delivery, reason):
            await self._queue.bury(delivery, reason)
            raise OutcomeUnknown("connection lost")

    async def deadly(dependencies, owner, run):
        raise RuntimeError("a crash without a stored state")

    async with queued_dependencies(home) as dependencies:
        await job_queue.submit(dependencies, OWNER, small())
        async with working(replace(dependencies, queue=Cut(dependencies.queue)), execution=deadly, lease=0.6):
            [_] = await eventually(job_queue.queue_of(dependencies).dead_letters)
            await eventually(lambda: nothing_left(dependencies), seconds=5.0)


async def test_a_run_that_waits_for_approval_gives_its_place_to_the_next(home, small):
    async with queued_dependencies(home, jobs_per_user=1, thresholds=Thresholds(evaluations=1)) as dependencies:
        dear = await job_queue.submit(dependencies, OWNER, small())
        async with working(dependencies):
            await until_state(dependencies, dear.id, "waiting")
            await eventually(lambda: nothing_left(dependencies))
            approval = ApprovalDecision(verdict="approved", by="chief", at=utc_now())
            assert (await decide_approval(dependencies, OWNER, dear.id, approval)).state == "queued"
        async with working(dependencies, execution=fake(home)):
            await until_state(dependencies, dear.id, "completed")


async def test_a_job_that_waited_for_a_week_has_expired(home, small):
    async with queued_dependencies(home) as dependencies:
        old = await job_queue.submit(replace(dependencies, now=lambda: utc_now() - timedelta(days=8)), OWNER, small())
        async with working(dependencies, execution=fake(home)):
            expired = await until_state(dependencies, old.id, "expired")
        assert "7 days" in expired.history[-1].reason
        assert executions(home) == []
        assert await left(dependencies) == (0, 0)


async def test_an_interrupted_expiry_is_completed(home, small):
    async with queued_dependencies(home) as dependencies:
        run = await job_queue.submit(dependencies, OWNER, small())
        await change_run(
            dependencies.store,
            OWNER,
            run.id,
            lambda found: found.with_state("expired", at=dependencies.now(), by="worker"),
        )
        async with working(dependencies, execution=fake(home)):
            await eventually(lambda: nothing_left(dependencies))
        assert [event.event for event in await load_events(dependencies.store, OWNER, run.id)] == ["run_failed"]
        assert executions(home) == []


async def test_an_unknown_reproduction_is_discarded(home):
    async with queued_dependencies(home) as dependencies:
        await job_queue.queue_of(dependencies).send({"owner": OWNER, "job": "job", "reproduction": "none"})
        assert stored(home, "SELECT id FROM messages")
        async with working(dependencies, lease=0.6):
            assert await eventually(lambda: absent(home, "SELECT id FROM messages"))


async def test_a_worker_deletes_expired_records(home):
    notes = "SELECT id FROM records WHERE kind = 'note'"
    async with queued_dependencies(home) as dependencies:
        await dependencies.store.records.put(Key(OWNER, "note", "n"), {}, expires=utc_now() - timedelta(seconds=1))
        assert stored(home, notes)
        async with working(dependencies):
            assert await eventually(lambda: absent(home, notes))


async def test_a_small_storm_with_a_killed_worker_loses_and_repeats_no_job(tmp_path, small):
    await storm(tmp_path, small(), wanted=(14, 3, 3, 3), processes=2)
