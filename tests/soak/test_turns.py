"""The time of a turn does not grow with the conversation."""

import shutil
from statistics import median
from time import perf_counter

import pytest

from tests.graphs.conversations.conversation_process import CHEAP, send_message
from tests.graphs.dependencies import open_dependencies

pytestmark = [pytest.mark.anyio, pytest.mark.soak]

TURNS, COMPARED = 200, 20


async def test_the_last_of_two_hundred_turns_take_no_longer_than_the_first(home, home_with_result):
    shutil.copytree(home_with_result, home)
    seconds: list[float] = []
    async with open_dependencies(home) as dependencies:
        for n in range(TURNS):
            start = perf_counter()
            await send_message(dependencies, CHEAP[n % len(CHEAP)])
            seconds.append(perf_counter() - start)
    first, last = median(seconds[:COMPARED]), median(seconds[-COMPARED:])
    print(f"median of the first {COMPARED} turns {first:.3f} s, of the last {COMPARED} {last:.3f} s", flush=True)
    assert last < 1.5 * first
