"""As many searches as the process has threads, or more."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

import pytest

from desk.runs.repository import load_run
from graphs.jobs.execution import execute
from graphs.runs.creation import create_run
from tests.graphs.dependencies import OWNER, open_dependencies

pytestmark = pytest.mark.anyio


async def test_a_search_leaves_one_thread_free_for_storage(home, small):
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(1))
    async with open_dependencies(home) as dependencies, asyncio.timeout(60.0):
        run = await create_run(dependencies, OWNER, small())
        async for _ in execute(dependencies, OWNER, run):
            pass
        assert (await load_run(dependencies.store, OWNER, run)).state == "completed"
