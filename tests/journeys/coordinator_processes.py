"""Processes that execute the reference run, and are killed at it."""

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


async def started(*arguments: str) -> asyncio.subprocess.Process:
    coordinator = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.journeys.coordinator", *arguments, cwd=REPOSITORY, stdout=subprocess.PIPE
    )
    assert coordinator.stdout is not None
    assert await coordinator.stdout.readline() == b"begun\n"
    return coordinator


@dataclass(frozen=True)
class Killed:
    process: int
    stored: int
    """Trials."""


async def killed(home: Path, chance: random.Random, *arguments: str) -> list[Killed]:
    """Three processes that execute the run, one after the other, each until more trials are stored."""
    found: list[Killed] = []
    async with open_store(home) as store:
        for moment in sorted(chance.sample(range(1, 80), 3)):
            pause = chance.uniform(0.0, 1.0)
            coordinator = await started(*arguments)
            while len(await load_trials(store, OWNER, RUN)) < moment:
                assert coordinator.returncode is None
                await asyncio.sleep(0.05)
            await asyncio.sleep(pause)
            coordinator.kill()
            assert await coordinator.wait() == -signal.SIGKILL, "it ended before it could be killed"
            found.append(Killed(coordinator.pid, len(await load_trials(store, OWNER, RUN))))
            sys.stdout.write(f"\n{found[-1]}")
    return found


async def ended(*arguments: str) -> dict[str, int]:
    coordinator = await started(*arguments)
    said, _ = await coordinator.communicate()
    assert coordinator.returncode == 0
    computed = said.decode().removeprefix("computed ").strip()
    return {"pid": coordinator.pid} | ({"computed": int(computed)} if computed else {})
