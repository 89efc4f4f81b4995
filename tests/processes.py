"""Child processes of tests: how they start and whether they run."""

import asyncio
import os
from multiprocessing import get_context
from typing import Any

EXIT_TIMEOUT = 60.0

# Each process is forked from one that has imported what is slow to import.
FORK_SERVER = get_context("forkserver")
FORK_SERVER.set_forkserver_preload(
    [
        "tests.journeys.bedrock_run_process",
        "tests.graphs.conversations.conversation_process",
        "agents.models.bedrock",
        "exchange_calendars",
        "numba.np.linalg",
        "numba.typed",
        "scipy.linalg",
        "desk.optimization.judgement.judge",
        "desk.optimization.search.search",
    ]
)


def is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


async def exit_code_of(process: Any) -> int | None:
    await asyncio.to_thread(process.join, EXIT_TIMEOUT)
    return process.exitcode
