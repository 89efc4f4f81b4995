"""Turns are answered whoever is connected, once, and by the next process if one dies."""

import asyncio
from contextlib import aclosing

import pytest

from graphs.answering import Answering, Slots
from graphs.conversations import begin_conversation, turn_of
from graphs.runs import events_of
from tests.graphs.conftest import OWNER, open_desk
from tests.graphs.conversing import TALK
from tools.errors import Conflicting

JOKE, RISK = "tell me a joke", "how volatile is the S&P 500?"

pytestmark = pytest.mark.anyio


async def answered(desk, turn, owner: str = OWNER):
    """The turn once somebody has answered it."""
    while (found := await turn_of(desk.store, owner, turn.conversation, turn.number)).state == "running":
        await desk.store.events.wait(owner, turn.id, 1_000, timeout=0.02)
    return found


async def test_a_message_is_answered_while_nobody_reads(home):
    async with open_desk(home) as desk, aclosing(Answering(desk)) as answering:
        await begin_conversation(desk, OWNER, conversation_id=TALK)
        asked = await answering.ask(OWNER, TALK, RISK)
        assert (asked.number, asked.state) == (1, "running")
        turn = await answered(desk, asked)
        assert (turn.state, turn.outcome) == ("completed", "answered")
        events = await events_of(desk.store, OWNER, turn.id)
        assert [event.sequence for event in events] == list(range(1, len(events) + 1))
        assert (events[0].event, events[-1].event) == ("turn_started", "turn_finished")


async def test_the_same_key_gives_the_same_turn(home):
    async with open_desk(home) as desk, aclosing(Answering(desk)) as answering:
        await begin_conversation(desk, OWNER, conversation_id=TALK)
        turns = await asyncio.gather(*(answering.ask(OWNER, TALK, JOKE, key="k") for _ in range(5)))
        assert {turn.id for turn in turns} == {f"{TALK}-1"}
        await answered(desk, turns[0])
        again = await answering.ask(OWNER, TALK, JOKE, key="k")
        assert (again.number, again.state) == (1, "completed")
        with pytest.raises(Conflicting, match="turn 1, which says something else"):
            await answering.ask(OWNER, TALK, RISK, key="k")
        assert (await answering.ask(OWNER, TALK, JOKE, key="another")).number == 2


async def test_whoever_has_the_fewest_turns_comes_next():
    slots, order = Slots(2, each=2), []
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
