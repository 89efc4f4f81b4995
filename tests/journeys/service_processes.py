"""`serve`, and workers besides, as processes that a supervisor begins and ends."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncGenerator, Generator, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from pathlib import Path
from time import monotonic
from typing import IO

import httpx

from tests.doubles.aws import free_port

ROOT = Path(__file__).parents[2]
SOON = 20.0
"""Seconds in which a service ends that is told to."""


class Supervised:
    def __init__(self, home: Path, *, besides: Sequence[str] = (), **environment: str) -> None:
        self._commands = ("serve", *besides)
        self._environment = os.environ | {"STRATIGOS_HOME": str(home), "PYTHONFAULTHANDLER": "1"} | environment
        self._said = home.parent / "said"

    @asynccontextmanager
    async def running(self, *told: signal.Signals) -> AsyncGenerator[str]:
        """The address of the service; when this is left, it is told to end, once by each signal, and does so well."""
        address = f"http://127.0.0.1:{(port := free_port())}"
        with self._said.open("w+") as said, self._begun(port, said) as processes:
            await self._answered(f"{address}/api/health", processes)
            yield address
            ended = monotonic()
            for one in told or [signal.SIGTERM]:
                for process in processes:
                    process.send_signal(one)
                await asyncio.sleep(0.3)
            codes = [await asyncio.to_thread(self._ended, process) for process in processes]
            assert monotonic() - ended < SOON, self._said.read_text()
            assert codes == [0] * len(processes), self._said.read_text()
            assert "Traceback" not in self._said.read_text()

    @contextmanager
    def _begun(self, port: int, said: IO[str]) -> Generator[list["subprocess.Popen[bytes]"]]:
        with ExitStack() as stack:
            processes: list[subprocess.Popen[bytes]] = []
            for command in self._commands:
                line = [sys.executable, "-m", "api", *command.split(), *(["--port", str(port)] * (command == "serve"))]
                process = subprocess.Popen(line, cwd=ROOT, env=self._environment, stdout=said, stderr=said)
                processes.append(stack.enter_context(process))
                stack.callback(process.kill)
            yield processes

    def _ended(self, process: "subprocess.Popen[bytes]") -> int:
        """The exit code; one that does not end tells what it is at."""
        with suppress(subprocess.TimeoutExpired):
            return process.wait(SOON)
        process.send_signal(signal.SIGABRT)
        return process.wait(SOON)

    async def _answered(self, url: str, processes: Sequence["subprocess.Popen[bytes]"]) -> None:
        async with httpx.AsyncClient() as client, asyncio.timeout(120.0):
            while True:
                assert all(process.poll() is None for process in processes), self._said.read_text()
                try:
                    await client.get(url)
                except httpx.TransportError:
                    await asyncio.sleep(0.05)
                else:
                    return
