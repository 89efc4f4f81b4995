"""Searches that are as many as the threads of the process, or more."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

import pytest

from graphs.run_book import run_of
from graphs.runs import create_run, execute
from tests.graphs.conftest import OWNER, open_desk

pytestmark = pytest.mark.anyio


async def test_a_search_leaves_a_thread_for_what_it_stores(home, small):
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(1))
    async with open_desk(home) as desk, asyncio.timeout(60.0):
        run = await create_run(desk, OWNER, small())
        async for _ in execute(desk, OWNER, run):
            pass
        assert (await run_of(desk.store, OWNER, run)).state == "completed"
