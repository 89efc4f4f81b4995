"""Limits of what a request is made of, answered in the envelope of every error."""

import asyncio
import math
import re
import time
from collections.abc import Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from typing import Any

from fastapi import HTTPException, Request, Response
from fastapi.routing import APIRoute
from starlette.requests import ClientDisconnect
from starlette.types import Message, Receive

from api.http.dependencies import reading

PATIENCE = 30.0
"""Seconds that a body may take, and more as it arrives: see `SLOWEST`."""
SLOWEST = 100_000
"""Bytes that must arrive in each second beyond."""
PARTS = 20_000
"""Of JSON: its texts, lists, objects and what commas part; each can be wrong, and telling of many takes seconds."""

_TEXT = re.compile(rb'"(?:[^"\\]++|\\.)*+"?', re.DOTALL)  # an open one too, or each quote in it would be tried


def at_most(
    size: int,
    *,
    parts: int | None = PARTS,
    numbers: bool = False,
    patience: float = PATIENCE,
    reading: Callable[[Request], AbstractAsyncContextManager[object]] = reading,
) -> type[APIRoute]:
    """Routes that read bodies of `size` bytes and `parts` of JSON, among which `numbers` need not count.

    A body is read inside of `reading`, and nothing of it where that raises.
    """

    class Limited(APIRoute):
        def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
            handler = super().get_route_handler()

            async def limited(request: Request) -> Response:
                request = Request(request.scope, _counted(request.receive, size, patience))
                if request.method in ("GET", "HEAD"):
                    return await handler(request)
                async with reading(request):
                    if parts is None:
                        return await handler(request)
                    content = await _read(request)
                if _parts(content, parts, numbers=numbers) > parts:
                    allowed = f"{parts:,} texts, lists, objects" + ("" if numbers else " and values")
                    raise HTTPException(413, f"the body has too many parts; expected {allowed}")
                return await handler(request)

            return limited

    return Limited


async def _read(request: Request) -> bytes:
    """The body, which the request keeps."""
    try:
        return await request.body()
    except ClientDisconnect as error:
        raise HTTPException(400, "the body ended before its end") from error


def _counted(receive: Receive, size: int, patience: float) -> Receive:
    received = 0
    begun = time.monotonic()

    async def counted() -> Message:
        nonlocal received
        left = begun + patience + received / SLOWEST - time.monotonic()
        try:
            async with asyncio.timeout(left):
                message = await receive()
        except TimeoutError as error:
            raise HTTPException(408, f"the body did not arrive in {math.ceil(patience)} seconds") from error
        received += len(message.get("body", b""))
        if received > size:
            allowed = f"{size // 1_000_000} MB" if size >= 1_000_000 else f"{size // 1_000} kB"
            raise HTTPException(413, f"the body is too large; expected {allowed}")
        return message

    return counted


def _parts(content: bytes, most: int, *, numbers: bool) -> int:
    texts = (content.count(b'"') - content.count(b'\\"')) // 2  # those in a text are no part of their own
    if texts > most:
        return texts
    bare = _TEXT.sub(b"", content)
    return texts + bare.count(b"[") + bare.count(b"{") + (0 if numbers else bare.count(b","))
