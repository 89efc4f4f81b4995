"""Executes a run that needs a person's approval, and dies by SIGKILL around its n-th write."""

import asyncio
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from graphs.runs import decide_approval, execute
from tests.graphs.conftest import OWNER, open_desk
from tools.approval import Decided, Thresholds

LOW = Thresholds(evaluations=5)


def go_on(home: Path, run: str, now: datetime, decided: Decided | None, writes: int) -> None:
    """The whole of a process, which records the decision, if there is one, before it executes."""
    asyncio.run(_go_on(home, run, now, decided, writes))


async def _go_on(home: Path, run: str, now: datetime, decided: Decided | None, writes: int) -> None:
    from tests.graphs.killed import Deadly  # a script of its own, which changes the path

    async with open_desk(home) as opened:
        desk = replace(opened, thresholds=LOW, now=lambda: now)
        Deadly.left = writes
        for port in ("records", "events", "blobs"):
            object.__setattr__(desk.store, port, Deadly(getattr(desk.store, port)))
        if decided is not None:
            await decide_approval(desk, OWNER, run, decided)
        async for _ in execute(desk, OWNER, run):
            pass
