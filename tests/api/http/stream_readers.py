"""Clients that follow jobs to their end, and come back where they were whenever they are cut off."""

import asyncio
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import httpx
import websockets
from websockets.asyncio.client import connect

from tests.api.http.live_run import frames, payload

PAUSE = 0.1
ENDED = 1000


@dataclass
class Reader:
    job: str
    door: Literal["stream", "socket"]
    headers: dict[str, str]
    events: list[Any] = field(default_factory=list)
    connected: bool = False
    cuts: int = 0
    done: bool = False

    @property
    def kinds(self) -> set[str]:
        return {each["event"]["event"] for each in self.events}

    async def follow(self, client: httpx.AsyncClient, address: Callable[[], str]) -> None:
        """Until the service says that nothing will come; `address` is where it is at that time."""
        while True:
            place = f"{address()}/api/runs/{self.job}/events"
            last = self.events[-1]["sequence"] if self.events else 0
            try:
                self.done = await (
                    self._stream(client, place, last) if self.door == "stream" else self._socket(place, last)
                )
            except (httpx.TransportError, websockets.ConnectionClosed, websockets.InvalidHandshake, OSError):
                self.done = False
            if self.done:
                return
            self.cuts += self.connected
            self.connected = False
            await asyncio.sleep(PAUSE)

    async def _stream(self, client: httpx.AsyncClient, place: str, last: int) -> bool:
        async with client.stream("GET", place, headers=self.headers | {"Last-Event-ID": str(last)}) as response:
            assert response.status_code in (200, 204, 503), await response.aread()
            self.connected = response.status_code == 200
            async for frame in frames(response):
                if frame["event"] == "end":
                    return True
                self.events.append(payload(frame))
        return response.status_code == 204

    async def _socket(self, place: str, last: int) -> bool:
        place = f"{place.replace('http', 'ws', 1)}/ws?after={last}"
        async with connect(place, additional_headers=self.headers, proxy=None) as socket:
            self.connected = True
            async for message in socket:
                if "sequence" in (event := json.loads(message)):
                    self.events.append(event)
        return socket.close_code == ENDED


async def wait_until(condition: Callable[[], bool], *, seconds: float = 120.0) -> None:
    async with asyncio.timeout(seconds):
        while True:
            if condition():
                return
            await asyncio.sleep(0.01)


def jobs_with_event(readers: Sequence[Reader], kind: str) -> set[str]:
    """The jobs of which somebody was told an event of this kind."""
    return {reader.job for reader in readers if kind in reader.kinds}
