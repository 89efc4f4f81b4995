"""Many jobs of a few users on several worker processes, one of which is killed."""

import asyncio
import os
import signal
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from desk.optimization.request import OptimizationRequest
from desk.runs.repository import list_runs
from graphs.dependencies import Dependencies
from graphs.jobs import fair_queue, job_queue
from tests.graphs.jobs.queued_runs import Begun, eventually, executions, queued_dependencies

ROOT = Path(__file__).parents[3]
SECONDS = 240


async def storm(home: Path, request: OptimizationRequest, *, wanted: Sequence[int], processes: int) -> None:
    """User k submits `wanted[k]` jobs, the largest number first, before any worker starts."""
    users = {f"user{k}": count for k, count in enumerate(wanted)}
    total = sum(wanted)
    async with queued_dependencies(home) as dependencies:
        for user, count in users.items():
            await asyncio.gather(*(job_queue.submit(dependencies, user, request) for _ in range(count)))
        command = [sys.executable, "-m", "tests.graphs.jobs.storm_workers", str(home), str(processes)]
        working = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdin=asyncio.subprocess.PIPE)
        killed = await _killed(home, total * 2 // 3)
        await eventually(lambda: _finished(dependencies, users), seconds=SECONDS)
        await working.communicate(b"")
        runs_of = {user: await list_runs(dependencies.store, user) for user in users}
        assert await job_queue.queue_of(dependencies).depth() == 0
    assert working.returncode == 0
    assert {user: Counter(run.state for run in runs) for user, runs in runs_of.items()} == {
        user: {"completed": count} for user, count in users.items()
    }
    _executed_once(home, killed, total)
    _in_fair_order(home, users)


async def _killed(home: Path, after: int) -> int:
    """Kill the process that starts the next job after so many, and return its id."""

    async def begun() -> list[Begun]:
        return executions(home)[after:]

    process = (await eventually(begun, seconds=SECONDS))[-1].process
    os.kill(process, signal.SIGKILL)
    return process


async def _finished(dependencies: Dependencies, users: Iterable[str]) -> bool:
    gates = [(await fair_queue.load_queue(dependencies.store, user))[0] for user in users]
    return not any(gate.places or gate.waiting for gate in gates)


def _executed_once(home: Path, killed: int, total: int) -> None:
    """Only jobs of the killed process are started again."""
    executed = executions(home)
    again = {run for run, times in Counter(each.run for each in executed).items() if times > 1}
    assert len({each.run for each in executed}) == total
    assert again <= {[each.run for each in executed if each.process == killed][-1]}
    assert len(executed) == total + len(again)


def _in_fair_order(home: Path, users: dict[str, int]) -> None:
    """Between two jobs of a user, at most two jobs of each other user are executed."""
    order = [each.owner for each in executions(home)]
    for user, count in users.items():
        last = max(place for place, owner in enumerate(order) if owner == user)
        rounds = -(-count // 2) + 1  # one more: places are released one by one
        assert last < sum(min(2 * rounds, most) for most in users.values()) + len(users), (user, order)
