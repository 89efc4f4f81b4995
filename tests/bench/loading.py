"""Servers in separate processes, and clients with persistent connections."""

import asyncio
import os
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import httpx

CONNECTIONS, SECONDS, WARM = 8, 4.0, 1.0


@dataclass(frozen=True)
class Load:
    """Latencies of a server under load."""

    latencies: tuple[float, ...]
    """Sorted, in seconds."""
    seconds: float

    @property
    def rate(self) -> float:
        return len(self.latencies) / self.seconds

    def quantile(self, share: float) -> float:
        return statistics.quantiles(self.latencies, n=100)[round(100 * share) - 1]

    @property
    def text(self) -> str:
        p50, p99 = (1000 * self.quantile(share) for share in (0.50, 0.99))
        return f"{self.rate:,.0f} requests a second, p50 {p50:.3g} ms, p99 {p99:.3g} ms"


@contextmanager
def serving(*command: str, ready: str, **environment: str) -> Generator[str]:
    """The address of `python -m *command --port PORT`, once `ready` answers."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    arguments = [sys.executable, "-m", *command, "--port", str(port)]
    process = subprocess.Popen(arguments, env=os.environ | environment, stdout=subprocess.DEVNULL)
    try:
        _wait(process, f"{address}{ready}")
        yield address
    finally:
        process.terminate()
        process.wait(20)


def _wait(process: "subprocess.Popen[bytes]", url: str) -> None:
    for _ in range(600):
        assert process.poll() is None, f"the server ended with {process.returncode}"
        try:
            httpx.get(url)
        except httpx.ConnectError:
            time.sleep(0.1)
        else:
            return
    raise TimeoutError(url)


def measure_load(address: str, method: str, path: str, body: bytes = b"") -> Load:
    """Load of `CONNECTIONS` clients that each repeat the request without pause, for `SECONDS` after a warm-up."""
    return asyncio.run(_measure_load(httpx.URL(address), method, path, body))


async def _measure_load(address: httpx.URL, method: str, path: str, body: bytes) -> Load:
    head = f"{method} {path} HTTP/1.1\r\nHost: {address.host}\r\nContent-Length: {len(body)}\r\n"
    request = f"{head}Content-Type: application/json\r\n\r\n".encode() + body
    begin = time.perf_counter() + WARM
    end = begin + SECONDS
    clients = [_client(address, request, begin, end) for _ in range(CONNECTIONS)]
    latencies = sorted(chain.from_iterable(await asyncio.gather(*clients)))
    return Load(tuple(latencies), SECONDS)


async def _client(address: httpx.URL, request: bytes, begin: float, end: float) -> list[float]:
    assert address.port is not None
    reader, writer = await asyncio.open_connection(address.host, address.port)
    latencies: list[float] = []
    while (sent_at := time.perf_counter()) < end:
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200"), head
        length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        await reader.readexactly(int(length.partition(b":")[2]))
        if sent_at >= begin:
            latencies.append(time.perf_counter() - sent_at)
    writer.close()
    await writer.wait_closed()
    return latencies


def content_of(folder: Path, answer: httpx.Response) -> str:
    """A file with the bytes of the response."""
    assert answer.status_code == 200, answer.text
    file = folder / "answer.json"
    file.write_bytes(answer.content)
    return str(file)
