"""`serve` and additional workers as processes, as a supervisor starts and stops them."""

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
STOP_SECONDS = 60.0
"""Seconds within which a service ends after a signal."""


class SupervisedService:
    def __init__(self, home: Path, *, besides: Sequence[str] = (), **environment: str) -> None:
        self._commands = ("serve", *besides)
        self._environment = os.environ | {"STRATIGOS_HOME": str(home), "PYTHONFAULTHANDLER": "1"} | environment
        self._output = home.parent / "output"

    @asynccontextmanager
    async def running(self, *signals: signal.Signals) -> AsyncGenerator[str]:
        """The address of the running service; at its end each signal is sent once, and every process exits with 0."""
        address = f"http://127.0.0.1:{(port := free_port())}"
        with self._output.open("w+") as output, self._start(port, output) as processes:
            await self._wait_until_healthy(f"{address}/api/health", processes)
            yield address
            stop_time = monotonic()
            for number in signals or [signal.SIGTERM]:
                for process in processes:
                    process.send_signal(number)
                await asyncio.sleep(0.3)
            codes = [await asyncio.to_thread(self._exit_code, process) for process in processes]
            assert monotonic() - stop_time < STOP_SECONDS, self._output.read_text()
            assert codes == [0] * len(processes), self._output.read_text()
            assert "Traceback" not in self._output.read_text()

    @contextmanager
    def _start(self, port: int, output: IO[str]) -> Generator[list["subprocess.Popen[bytes]"]]:
        with ExitStack() as stack:
            processes: list[subprocess.Popen[bytes]] = []
            for command in self._commands:
                line = [sys.executable, "-m", "api", *command.split(), *(["--port", str(port)] * (command == "serve"))]
                process = subprocess.Popen(line, cwd=ROOT, env=self._environment, stdout=output, stderr=output)
                processes.append(stack.enter_context(process))
                stack.callback(process.kill)
            yield processes

    def _exit_code(self, process: "subprocess.Popen[bytes]") -> int:
        """The exit code; a process that does not end prints its stacks."""
        with suppress(subprocess.TimeoutExpired):
            return process.wait(STOP_SECONDS)
        process.send_signal(signal.SIGABRT)
        return process.wait(STOP_SECONDS)

    async def _wait_until_healthy(self, url: str, processes: Sequence["subprocess.Popen[bytes]"]) -> None:
        async with httpx.AsyncClient() as client, asyncio.timeout(120.0):
            while True:
                assert all(process.poll() is None for process in processes), self._output.read_text()
                try:
                    await client.get(url)
                except httpx.TransportError:
                    await asyncio.sleep(0.05)
                else:
                    return
