"""A long conversation about one result: time and memory of a turn at its beginning and at its end."""

import asyncio
import statistics
import time
from pathlib import Path

import pytest

from graphs.conversations.turn_execution import begin_conversation, turn_of
from tests.bench.comparison import Comparison, Row
from tests.graphs.conversations.conversation_process import CHEAP, TALK, send_message, stored
from tests.graphs.conversations.interrupted_turns import SEARCH
from tests.graphs.dependencies import OWNER, open_dependencies

pytestmark = pytest.mark.bench

TURNS, WINDOW = 200, 20
FLAT = 1.25


async def talk(home: Path) -> tuple[list[float], list[float], list[int]]:
    """Seconds of each turn, those of the processor, and the bytes in use before the first and after each window."""
    async with open_dependencies(home) as dependencies:
        await begin_conversation(dependencies, OWNER, conversation_id=TALK)
        await send_message(dependencies, SEARCH)
        for text in CHEAP:  # what is imported and read once is no part of a turn
            await send_message(dependencies, text)
        seconds: list[float] = []
        cpu_seconds: list[float] = []
        sizes = [sum(stored(home))]
        for number in range(TURNS):
            start, began = time.perf_counter(), time.process_time()
            await send_message(dependencies, CHEAP[number % len(CHEAP)])
            seconds.append(time.perf_counter() - start)
            cpu_seconds.append(time.process_time() - began)
            if (number + 1) % WINDOW == 0:
                sizes.append(sum(stored(home)))
        first, last = [await turn_of(dependencies.store, OWNER, TALK, number) for number in (2, 2 + TURNS)]
        assert [claim.text for claim in first.claims] == [claim.text for claim in last.claims]
        return seconds, cpu_seconds, sizes


def test_a_long_conversation_stays_as_quick_and_small(comparison: Comparison, tmp_path: Path) -> None:
    seconds, cpu_seconds, sizes = asyncio.run(talk(tmp_path))
    early, late = statistics.median(seconds[:WINDOW]), statistics.median(seconds[-WINDOW:])
    work = sum(cpu_seconds[-WINDOW:]) / sum(cpu_seconds[:WINDOW])
    light, heavy = ((sizes[n] - sizes[n - 1]) / WINDOW / 1024 for n in (1, -1))
    suffix = " (missed)" if max(work, heavy / light) > FLAT else ""
    note = (
        f"turns {TURNS - WINDOW + 1} to {TURNS} against 1 to {WINDOW}: time x {late / early:.2f}, of the processor x "
        f"{work:.2f}; {heavy:.1f} KiB a turn against {light:.1f}, x {heavy / light:.2f}; the last two below {FLAT} "
        f"wanted{suffix}"
    )
    size = f"{TURNS} turns about one result, embedded planner"
    comparison.rows.append(Row("a late turn of a conversation", size, late, {"an early turn": early}, None, note))
