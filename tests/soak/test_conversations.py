"""A turn of a conversation, killed at every event and at every write, and gone on with."""

import signal

import pytest

from tests.graphs import test_conversations
from tests.graphs.test_conversations import SEARCH, prepare, process, questions, traces

searched = test_conversations.searched

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
