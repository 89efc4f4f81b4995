"""Worker processes over one home, until standard input ends: `python -m tests.graphs.jobs.storm_workers HOME N`."""

import asyncio
import os
import signal
import sys
from pathlib import Path

from graphs.jobs.worker import Worker
from tests.graphs.jobs.queued_runs import fake, queued_dependencies

LEASE = 1.0


async def work(home: Path) -> None:
    async with queued_dependencies(home) as dependencies:
        worker = Worker(dependencies, lease=LEASE, execution=fake(home, seconds=0.01))
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, worker.stop)
        await worker.work()


def main(home: Path, processes: int) -> None:
    children: list[int] = []
    for _ in range(processes):  # fork before any thread exists; importing once is cheaper than once per process
        child = os.fork()
        if child == 0:
            os.close(0)
            asyncio.run(work(home))
            os._exit(0)
        children.append(child)
    sys.stdin.read()
    for child in children:
        os.kill(child, signal.SIGTERM)  # a killed child remains until it is waited for
    for child in children:
        os.waitpid(child, 0)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
