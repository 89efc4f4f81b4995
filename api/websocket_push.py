"""Pushes appended events to WebSockets through the management API of API Gateway."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, asynccontextmanager, closing
from functools import partial
from typing import TYPE_CHECKING, Any

from store.errors import Unavailable
from store.events import Event, Events
from store.serialization import Document
from store.store import Store

if TYPE_CHECKING:
    from api.settings import Settings
    from graphs.streaming.websocket_connections import WebSocketConnections

RETRY_SECONDS = 5.0
LONGEST_PAUSE = 1.0
CALLS_AT_ONCE = 16
GONE, THROTTLED = 410, 429


class ManagementApi:
    """Adapter of `graphs.streaming.websocket_connections.Gateway`."""

    def __init__(self, client: Any, *, retry_seconds: float = RETRY_SECONDS) -> None:
        self._client = client
        self._retry_seconds = retry_seconds
        self._threads = ThreadPoolExecutor(CALLS_AT_ONCE, thread_name_prefix="sockets")

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def post(self, connection: str, text: str) -> None:
        from botocore.exceptions import (  # pyright: ignore[reportMissingTypeStubs]
            BotoCoreError,
            ClientError,
            ParamValidationError,
        )

        from graphs.streaming.websocket_connections import ConnectionGone
        from store.aws.backoff import Backoff
        from store.aws.client_errors import reason

        backoff = Backoff(self._retry_seconds, LONGEST_PAUSE)
        call = partial(self._client.post_to_connection, ConnectionId=connection, Data=text.encode("utf-8", "replace"))
        while True:
            try:
                await asyncio.get_running_loop().run_in_executor(self._threads, call)
                return
            except ParamValidationError:
                raise
            except (ClientError, BotoCoreError) as error:
                status = _status(error)
                if status == GONE:
                    raise ConnectionGone(connection) from error
                unavailable = Unavailable(f"the WebSocket gateway is unavailable ({reason(error)})")
                if status is not None and status < 500 and status != THROTTLED:
                    raise unavailable from error
                await backoff.wait(unavailable)


def _status(error: Exception) -> int | None:
    """The status of the response; None without one."""
    response: Any = getattr(error, "response", None)
    return response and response["ResponseMetadata"]["HTTPStatusCode"]


class AnnouncedEvents:
    """Adapter of `store.events.Events` that announces each stored event to `tell`."""

    def __init__(self, events: Events, tell: Callable[[str, str], None]) -> None:
        self._events = events
        self._tell = tell

    async def append(self, owner: str, run_id: str, event_id: str, payload: Document) -> int:
        number = await self._events.append(owner, run_id, event_id, payload)
        self._tell(owner, run_id)
        return number

    async def append_many(
        self, owner: str, run_id: str, events: Iterable[tuple[str, Document]], *, expected: int | None = None
    ) -> list[int]:
        numbers = await self._events.append_many(owner, run_id, events, expected=expected)
        self._tell(owner, run_id)
        return numbers

    async def read(self, owner: str, run_id: str, after: int = 0, limit: int = 1000) -> list[Event]:
        return await self._events.read(owner, run_id, after, limit)

    async def last(self, owner: str, run_id: str) -> int:
        return await self._events.last(owner, run_id)

    async def wait(self, owner: str, run_id: str, after: int, *, timeout: float) -> bool:  # noqa: ASYNC109
        return await self._events.wait(owner, run_id, after, timeout=timeout)

    async def delete(self, owner: str, run_id: str) -> int:
        return await self._events.delete(owner, run_id)


@asynccontextmanager
async def push_events(
    settings: "Settings", store: Store
) -> "AsyncGenerator[tuple[Store, WebSocketConnections | None]]":
    """A store that announces appended events, and the sockets that receive them."""
    if not settings.sockets:
        yield store, None
        return
    from graphs.streaming.websocket_connections import WebSocketConnections
    from store.aws.clients import connect

    with (
        closing(await asyncio.to_thread(connect, "apigatewaymanagementapi", settings.sockets)) as client,
        closing(ManagementApi(client)) as gateway,
    ):
        async with aclosing(WebSocketConnections(store, gateway)) as sockets:
            yield Store(store.records, AnnouncedEvents(store.events, sockets.notify), store.blobs), sockets
