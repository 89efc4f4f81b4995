"""Background turns are answered once, without a client, and by the next process after a crash."""

import asyncio
import signal
from contextlib import aclosing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from agents.embedded_planner import EmbeddedPlanner
from agents.models.failures import ModelFailure
from desk.base.clock import utc_now
from desk.base.errors import Conflicting, NotFound
from desk.runs.repository import load_events
from graphs.conversations.background_turns import BackgroundTurns, FairSlots
from graphs.conversations.repository import delete_conversation
from graphs.conversations.turn_execution import ask, begin_conversation, turn_of
from graphs.dependencies import Dependencies
from graphs.runs.leases import LeaseHeld, is_leased
from store.errors import Conflict, Unavailable
from store.records import Records, iterate_records
from tests.graphs.conversations.conversation_process import TALK
from tests.graphs.dependencies import OWNER, open_dependencies
from tests.journeys.bedrock_run_process import DeadlyEvents
from tests.processes import FORK_SERVER

JOKE, RISK = "tell me a joke", "how volatile is the S&P 500?"

pytestmark = pytest.mark.anyio


async def answered(dependencies, turn, owner: str = OWNER):
    """Wait until the turn is answered, and return it."""
    while (current := await turn_of(dependencies.store, owner, turn.conversation, turn.number)).state == "running":
        await dependencies.store.events.wait(owner, turn.id, 1_000, timeout=0.02)
    return current


async def test_a_message_is_answered_without_a_reader(home):
    async with open_dependencies(home) as dependencies, aclosing(BackgroundTurns(dependencies)) as answering:
        await begin_conversation(dependencies, OWNER, conversation_id=TALK)
        new_turn = await answering.ask(OWNER, TALK, RISK)
        assert (new_turn.number, new_turn.state) == (1, "running")
        turn = await answered(dependencies, new_turn)
        assert (turn.state, turn.outcome) == ("completed", "answered")
        events = await load_events(dependencies.store, OWNER, turn.id)
        assert [event.sequence for event in events] == list(range(1, len(events) + 1))
        assert (events[0].event, events[-1].event) == ("turn_started", "turn_finished")


async def test_the_same_key_gives_the_same_turn(home):
    async with open_dependencies(home) as dependencies, aclosing(BackgroundTurns(dependencies)) as answering:
        await begin_conversation(dependencies, OWNER, conversation_id=TALK)
        turns = await asyncio.gather(*(answering.ask(OWNER, TALK, JOKE, key="k") for _ in range(5)))
        assert {turn.id for turn in turns} == {f"{TALK}-1"}
        await answered(dependencies, turns[0])
        again = await answering.ask(OWNER, TALK, JOKE, key="k")
        assert (again.number, again.state) == (1, "completed")
        with pytest.raises(Conflicting, match="turn 1, which says something else"):
            await answering.ask(OWNER, TALK, RISK, key="k")
        assert (await answering.ask(OWNER, TALK, JOKE, key="another")).number == 2


async def test_the_owner_with_the_fewest_turns_is_served_next():
    slots, order = FairSlots(2, each=2), []
    release = asyncio.Event()

    async def hold(owner: str) -> None:
        async with slots.hold(owner):
            order.append(owner)
            await release.wait()

    tasks = [asyncio.create_task(hold(owner)) for owner in "aaaab"]
    await asyncio.sleep(0)
    tasks.pop(2).cancel()
    await asyncio.sleep(0)
    assert order == ["a", "a"]
    release.set()
    await asyncio.gather(*tasks)
    assert sorted(order) == ["a", "a", "a", "b"]


# ---- crashes, and several processes on one store


def serve(home: Path, text: str, deadly: list[str]) -> None:
    """Main function of a process that dies at the first event of one of these kinds."""
    asyncio.run(_serve(home, text, deadly))


async def _serve(home: Path, text: str, deadly: list[str]) -> None:
    async with open_dependencies(home) as dependencies, aclosing(BackgroundTurns(dependencies)) as answering:
        object.__setattr__(dependencies.store, "events", DeadlyEvents(dependencies.store.events, deadly, before=False))
        await begin_conversation(dependencies, OWNER, conversation_id=TALK)
        await answered(dependencies, await answering.ask(OWNER, TALK, text))


async def killed(home: Path, text: str, kind: str) -> None:
    process = FORK_SERVER.Process(target=serve, args=(home, text, [kind]))
    process.start()
    await asyncio.to_thread(process.join)
    assert process.exitcode == -signal.SIGKILL


def later(dependencies: Dependencies) -> Dependencies:
    """The same dependencies after all earlier leases have expired."""
    return replace(dependencies, now=lambda: utc_now() + timedelta(minutes=2))


async def test_the_next_process_resumes_the_turn_of_a_killed_one(home):
    await killed(home, RISK, "tool_returned")
    async with open_dependencies(home) as dependencies:
        interrupted = await turn_of(dependencies.store, OWNER, TALK, 1)
        assert interrupted.state == "running"
        async with aclosing(BackgroundTurns(dependencies)) as early:
            await early.ensure_all(OWNER)
            assert await is_leased(dependencies.store, OWNER, interrupted.id)
        async with aclosing(BackgroundTurns(later(dependencies))) as answering:
            await answering.ensure_all(OWNER)
            turn = await answered(dependencies, interrupted)
        assert (turn.state, turn.outcome) == ("completed", "answered")
        kinds = [event.event for event in await load_events(dependencies.store, OWNER, turn.id)]
        assert [kinds.count(kind) for kind in ("turn_started", "tool_returned", "turn_finished")] == [1, 1, 1]


async def test_one_of_two_processes_answers_a_turn(home):
    questions: list[str] = []

    class Counting(EmbeddedPlanner):
        def _reply(self, messages):
            questions.append(str(self.answers_with))
            return super()._reply(messages)

    async with (
        open_dependencies(home, Counting()) as one,
        open_dependencies(home, Counting()) as other,
        aclosing(BackgroundTurns(one, lease=1.0)) as first,
        aclosing(BackgroundTurns(other, lease=1.0)) as second,
    ):
        await begin_conversation(one, OWNER, conversation_id=TALK)
        turn = await first.ask(OWNER, TALK, RISK)
        await second.ensure(OWNER, TALK, 1)
        assert (await answered(other, turn)).outcome == "answered"
    once = len(questions)
    questions.clear()
    async with open_dependencies(home, Counting()) as dependencies, aclosing(BackgroundTurns(dependencies)) as alone:
        await begin_conversation(dependencies, OWNER, conversation_id="alone")
        await answered(dependencies, await alone.ask(OWNER, "alone", RISK))
    assert once == len(questions)


async def test_a_stopped_servers_turn_is_resumed_by_the_next_server(home):
    async with open_dependencies(home) as dependencies:
        await begin_conversation(dependencies, OWNER, conversation_id=TALK)
        async with aclosing(BackgroundTurns(dependencies)) as answering:
            turn = await answering.ask(OWNER, TALK, RISK)
            await dependencies.store.events.wait(OWNER, turn.id, 0, timeout=120.0)
        assert (await turn_of(dependencies.store, OWNER, TALK, 1)).state == "running"
        assert not await is_leased(dependencies.store, OWNER, turn.id)
        async with aclosing(BackgroundTurns(dependencies)) as answering:
            await answering.ensure_all(OWNER)
            assert (await answered(dependencies, turn)).outcome == "answered"


async def test_interrupted_turns_resume_when_their_owner_asks_again(home):
    async with open_dependencies(home) as dependencies:
        await begin_conversation(dependencies, OWNER, conversation_id=TALK)
        async with aclosing(BackgroundTurns(dependencies)) as answering:
            turn = await answering.ask(OWNER, TALK, RISK)
            await dependencies.store.events.wait(OWNER, turn.id, 0, timeout=120.0)
        async with aclosing(BackgroundTurns(dependencies)) as answering:
            for owner in ("another", OWNER, OWNER):
                answering.attend(owner)
            assert (await answered(dependencies, turn)).outcome == "answered"


async def test_a_failed_search_for_interrupted_turns_is_repeated(home):
    class Failing:
        def __init__(self, records: Records) -> None:
            self.records = records
            self.fails = True

        def __getattr__(self, name):
            return getattr(self.records, name)

        async def list(self, *args, **how):
            if self.fails:
                raise Unavailable("for now")
            return await self.records.list(*args, **how)

    async with open_dependencies(home) as dependencies:
        await begin_conversation(dependencies, OWNER, conversation_id=TALK)
        async with aclosing(BackgroundTurns(dependencies)) as answering:
            turn = await answering.ask(OWNER, TALK, RISK)
        failing = Failing(dependencies.store.records)
        failing_dependencies = replace(dependencies, store=replace(dependencies.store, records=failing))
        async with aclosing(BackgroundTurns(failing_dependencies)) as answering:
            answering.attend(OWNER)
            await asyncio.sleep(0.05)
            failing.fails = False
            assert (await turn_of(dependencies.store, OWNER, TALK, 1)).state == "running"
            answering.attend(OWNER)
            assert (await answered(dependencies, turn)).outcome == "answered"


async def test_a_turn_at_a_terminal_is_left_to_it(home):
    async with open_dependencies(home) as dependencies, aclosing(BackgroundTurns(dependencies)) as answering:
        await begin_conversation(dependencies, OWNER, conversation_id=TALK)
        asking = ask(dependencies, OWNER, TALK, RISK)
        await anext(asking)
        before = await dependencies.store.events.last(OWNER, f"{TALK}-1")
        await answering.ensure_all(OWNER)
        await answering.ensure(OWNER, TALK, 1)
        await asyncio.sleep(0.1)
        assert await dependencies.store.events.last(OWNER, f"{TALK}-1") == before
        await asking.aclose()
        turn = await answering.ensure(OWNER, TALK, 1, adopted=True)
        assert (await answered(dependencies, turn)).outcome == "answered"


@pytest.mark.soak
async def test_a_failed_turn_logs_its_failure(home):
    class Failing(EmbeddedPlanner):
        def _reply(self, messages):
            raise ModelFailure("model", "access_denied")

    async with open_dependencies(home, Failing()) as dependencies, aclosing(BackgroundTurns(dependencies)) as answering:
        await begin_conversation(dependencies, OWNER, conversation_id=TALK)
        turn = await answered(dependencies, await answering.ask(OWNER, TALK, RISK))
        assert turn.state == "failed"
        assert (await load_events(dependencies.store, OWNER, turn.id))[-1].event == "run_failed"
        assert (await answering.ask(OWNER, TALK, JOKE)).number == 2


async def test_temporarily_unavailable_storage_does_not_end_a_turn(home):
    """The turn starts and ends although the disk is full for a while."""

    class Faulty:
        left = 3

        def __init__(self, port) -> None:
            self._port = port

        def __getattr__(self, name):
            return getattr(self._port, name)

        async def append_many(self, *arguments):
            if Faulty.left:
                Faulty.left -= 1
                raise Unavailable("disk full")
            return await self._port.append_many(*arguments)

    async with (
        open_dependencies(home) as dependencies,
        aclosing(BackgroundTurns(dependencies, again=0.05)) as answering,
    ):
        await begin_conversation(dependencies, OWNER, conversation_id=TALK)
        object.__setattr__(dependencies.store, "events", Faulty(dependencies.store.events))
        turn = await answered(dependencies, await answering.ask(OWNER, TALK, RISK))
        assert Faulty.left == 0
        assert turn.state in ("completed", "failed")
        assert (await load_events(dependencies.store, OWNER, turn.id))[-1].event in ("turn_finished", "run_failed")


async def test_a_deleted_conversation_is_not_answered(home):
    async with open_dependencies(home) as dependencies, aclosing(BackgroundTurns(dependencies)) as answering:
        await begin_conversation(dependencies, OWNER, conversation_id=TALK)
        turn = await answering.ask(OWNER, TALK, RISK)
        await dependencies.store.events.wait(OWNER, turn.id, 0, timeout=120.0)
        with pytest.raises(LeaseHeld):
            await delete_conversation(dependencies, OWNER, TALK)
        await answered(dependencies, turn)
        await delete_conversation(dependencies, OWNER, TALK)
        for kind in ("turn", "evidence", "message", "feedback", "answer"):
            assert [record async for record in iterate_records(dependencies.store.records, OWNER, kind)] == []
        assert await dependencies.store.events.last(OWNER, turn.id) == 0
        with pytest.raises(NotFound):
            await answering.ask(OWNER, TALK, RISK)
        with pytest.raises(Conflict):
            await begin_conversation(dependencies, OWNER, conversation_id=TALK)


async def test_a_repeated_deletion_completes_an_interrupted_one(home):
    class Cut:
        """Records whose deletions lose the connection."""

        def __init__(self, port) -> None:
            self._port = port

        def __getattr__(self, name):
            return getattr(self._port, name)

        async def delete(self, *arguments, **options):
            raise Unavailable("connection lost")

    async with open_dependencies(home) as dependencies:
        await begin_conversation(dependencies, OWNER, conversation_id=TALK)
        [event async for event in ask(dependencies, OWNER, TALK, RISK)]
        records = dependencies.store.records
        object.__setattr__(dependencies.store, "records", Cut(records))
        with pytest.raises(Unavailable):
            await delete_conversation(dependencies, OWNER, TALK)
        object.__setattr__(dependencies.store, "records", records)
        assert [record async for record in iterate_records(records, OWNER, "turn")]
        with pytest.raises(NotFound):
            await delete_conversation(dependencies, OWNER, TALK)
        for kind in ("turn", "evidence", "message", "feedback", "answer"):
            assert [record async for record in iterate_records(records, OWNER, kind)] == []
