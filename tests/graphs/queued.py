"""A desk with a queue, and runs that are submitted without the seconds that a search takes."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from graphs.runs import Desk
from store.sqlite_queue import open_sqlite_queue
from tests.graphs.conftest import open_desk


@asynccontextmanager
async def queued_desk(home: Path, *, jobs_per_user: int = 2, **changes) -> AsyncGenerator[Desk]:
    async with open_desk(home) as desk, open_sqlite_queue(home) as queue:
        yield replace(desk, queue=queue, jobs_per_user=jobs_per_user, **changes)
