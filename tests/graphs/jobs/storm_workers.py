"""Worker processes over one home, until standard input ends: `python -m tests.graphs.storming HOME PROCESSES`."""

import asyncio
import os
import signal
import sys
from pathlib import Path

from graphs.worker import Worker
from tests.graphs.queued import fake, queued_desk

LEASE = 1.0


async def work(home: Path) -> None:
    async with queued_desk(home) as desk:
        worker = Worker(desk, lease=LEASE, execution=fake(home, seconds=0.01))
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, worker.stop)
        await worker.work()


def main(home: Path, processes: int) -> None:
    children: list[int] = []
    for _ in range(processes):  # before there is any thread; importing once is cheaper than once a process
        child = os.fork()
        if child == 0:
            os.close(0)
            asyncio.run(work(home))
            os._exit(0)
        children.append(child)
    sys.stdin.read()
    for child in children:
        os.kill(child, signal.SIGTERM)  # a child that was killed is not gone before it is waited for
    for child in children:
        os.waitpid(child, 0)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
