"""A turn of a conversation, killed at every event and at every write, and gone on with."""

import signal

import pytest

from tests.api import test_chat
from tests.api.test_chat import CTRL_C, CTRL_D
from tests.graphs import test_conversations
from tests.graphs.test_conversations import SEARCH, prepare, process, questions, traces

searched = test_conversations.searched
terminal = test_chat.terminal

pytestmark = [pytest.mark.anyio, pytest.mark.soak]


def lost(place, searched):
    """Questions that were asked more often than an undisturbed turn asks them."""
    assert not questions(searched) - questions(place)
    return (questions(place) - questions(searched)).total()


@pytest.mark.parametrize("before", [True, False])
async def test_a_turn_killed_at_each_event_comes_to_the_same(before: bool, home, searched):
    expected = await traces(searched)
    for log in expected["logs"].values():
        for event in log:
            place = home / event["id"]
            await prepare(place)
            assert process(place, SEARCH, [event["id"]], before=before) == -signal.SIGKILL
            assert process(place, SEARCH, []) == 0
            assert await traces(place) == expected
            assert lost(place, searched) <= 2  # what was asked when the process died
            print(f"{event['node']} {event['event']}", flush=True)


async def test_a_turn_killed_at_each_write_comes_to_the_same(home, searched):
    expected = await traces(searched)
    writes, code = 0, None
    while code != 0:
        writes += 1
        place = home / str(writes)
        await prepare(place)
        code = process(place, SEARCH, [], writes=writes)
        assert code in (0, -signal.SIGKILL)
        assert code == 0 or process(place, SEARCH, []) == 0
        assert await traces(place) == expected
        assert lost(place, searched) <= 2
        print(f"write {writes}", flush=True)
    assert writes > 50


def test_after_ctrl_c_the_next_start_goes_on(terminal):
    for moment in ("Assistant calls", "Risk manager: limits", "Estimate, plan 1", "Judging", "Checking every claim"):
        chat = terminal()
        chat.until("› ")
        chat.type(SEARCH)
        chat.until(moment)
        chat.press(CTRL_C)
        chat.until("Interrupted; what was finished is kept.")
        chat.until("› ")
        chat.press(CTRL_C)
        assert chat.ended() == 0
        again = terminal("--conversation", "last")
        again.until(f"Going on with: {SEARCH}")
        again.until("The verdict is ")
        again.until("› ")
        again.press(CTRL_D)
        assert again.ended() == 0
