"""Executes a run and dies by SIGKILL around its n-th write: `run_process.py HOME RUN N`."""

import asyncio
import os
import signal
import sys
from pathlib import Path

from graphs.jobs.execution import execute
from tests.graphs.dependencies import OWNER, open_dependencies


class Deadly:
    """A port that counts writes; the process dies before or after the n-th."""

    left = 0

    def __init__(self, port: object) -> None:
        self._port = port

    def __getattr__(self, name: str):
        method = getattr(self._port, name)
        if name not in ("append_many", "put", "put_many"):
            return method

        async def write(*arguments, **options):
            Deadly.left -= 1
            last = Deadly.left == 0
            if last and name == "append_many":
                os.kill(os.getpid(), signal.SIGKILL)
            try:
                return await method(*arguments, **options)
            finally:  # a conflicting write counts too
                if last:
                    os.kill(os.getpid(), signal.SIGKILL)

        return write


async def main(home: Path, run: str, writes: int) -> None:
    Deadly.left = writes
    async with open_dependencies(home) as dependencies:
        store = dependencies.store
        for port in ("records", "events", "blobs"):
            object.__setattr__(store, port, Deadly(getattr(store, port)))
        async for _ in execute(dependencies, OWNER, run):
            pass


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])))
