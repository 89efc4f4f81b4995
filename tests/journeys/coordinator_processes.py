"""Processes that execute the reference run, and tests kill."""

import asyncio
import random
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from desk.optimization.repositories.trial_repository import load_trials
from store.embedded import open_store
from tests.doubles.sagemaker.instances import REPOSITORY
from tests.graphs.dependencies import OWNER
from tests.journeys.reference_job import RUN


async def start_coordinator(*arguments: str) -> asyncio.subprocess.Process:
    coordinator = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.journeys.coordinator", *arguments, cwd=REPOSITORY, stdout=subprocess.PIPE
    )
    assert coordinator.stdout is not None
    assert await coordinator.stdout.readline() == b"begun\n"
    return coordinator


@dataclass(frozen=True)
class KilledProcess:
    process: int
    stored_trials: int


async def kill_coordinators(home: Path, chance: random.Random, *arguments: str) -> list[KilledProcess]:
    """Execute the run in three processes, one after the other, and kill each once enough trials are stored."""
    killed_processes: list[KilledProcess] = []
    async with open_store(home) as store:
        for moment in sorted(chance.sample(range(1, 80), 3)):
            pause = chance.uniform(0.0, 1.0)
            coordinator = await start_coordinator(*arguments)
            while len(await load_trials(store, OWNER, RUN)) < moment:
                assert coordinator.returncode is None
                await asyncio.sleep(0.05)
            await asyncio.sleep(pause)
            coordinator.kill()
            assert await coordinator.wait() == -signal.SIGKILL, "it ended before it could be killed"
            killed_processes.append(KilledProcess(coordinator.pid, len(await load_trials(store, OWNER, RUN))))
            sys.stdout.write(f"\n{killed_processes[-1]}")
    return killed_processes


async def run_coordinator(*arguments: str) -> dict[str, int]:
    coordinator = await start_coordinator(*arguments)
    output, _ = await coordinator.communicate()
    assert coordinator.returncode == 0
    computed = output.decode().removeprefix("computed ").strip()
    return {"pid": coordinator.pid} | ({"computed": int(computed)} if computed else {})
