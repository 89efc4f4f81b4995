"""Limits of request bodies: bytes, parts of the JSON document, and the time in which they must arrive."""

import asyncio
import math
import re
import time
from collections.abc import Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from typing import Any

from fastapi import HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.requests import ClientDisconnect
from starlette.types import Message, Receive

from api.http.dependencies import body_slot
from api.http.errors.validation import boolean_errors, request_schema

BODY_SECONDS = 30.0
"""Seconds in which a body must arrive; large bodies get more time, see `MIN_BYTES_PER_SECOND`."""
MIN_BYTES_PER_SECOND = 100_000
"""Each this many bytes extend the time by a second."""
MAX_PARTS = 20_000
"""Strings, lists, objects and comma-separated values of a JSON body. Each can be invalid, and reporting the errors of
many takes seconds."""

_STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+"?', re.DOTALL)  # matches an unterminated one, to avoid quadratic time


def limited_route(
    max_bytes: int,
    *,
    max_parts: int | None = MAX_PARTS,
    ignore_values: bool = False,
    seconds: float = BODY_SECONDS,
    slot: Callable[[Request], AbstractAsyncContextManager[object]] = body_slot,
) -> type[APIRoute]:
    """A route class that rejects larger bodies with 413 and slower ones with 408.

    With `ignore_values` the values of lists and objects do not count as parts, for routes that take long lists of
    numbers. The body is read inside `slot`; when that raises, nothing of it is read.
    """

    class LimitedRoute(APIRoute):
        def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
            handler = super().get_route_handler()

            async def limited_handler(request: Request) -> Response:
                request = Request(request.scope, _limited(request.receive, max_bytes, seconds))
                if request.method in ("GET", "HEAD"):
                    return await handler(request)
                async with slot(request):
                    if max_parts is None:
                        return await handler(request)
                    content = await _read_body(request)
                if _count_parts(content, max_parts, ignore_values=ignore_values) > max_parts:
                    allowed = f"{max_parts:,} strings, lists, objects" + ("" if ignore_values else " and values")
                    raise HTTPException(413, f"the body has too many parts; expected at most {allowed}")
                if b"true" in content or b"false" in content:
                    await _reject_booleans_as_numbers(request)
                return await handler(request)

            return limited_handler

    return LimitedRoute


async def _read_body(request: Request) -> bytes:
    """The body, which the request caches for its handler."""
    try:
        return await request.body()
    except ClientDisconnect as error:
        raise HTTPException(400, "the connection closed before the end of the body") from error


async def _reject_booleans_as_numbers(request: Request) -> None:
    try:
        errors = boolean_errors(await request.json(), request_schema(request))
    except (ValueError, RecursionError):  # FastAPI reports what is wrong with the JSON
        return
    if errors:
        raise RequestValidationError(errors)


def _limited(receive: Receive, max_bytes: int, seconds: float) -> Receive:
    size = 0
    start = time.monotonic()

    async def limited_receive() -> Message:
        nonlocal size
        remaining = start + seconds + size / MIN_BYTES_PER_SECOND - time.monotonic()
        try:
            async with asyncio.timeout(remaining):
                message = await receive()
        except TimeoutError as error:
            raise HTTPException(408, f"the body did not arrive within {math.ceil(seconds)} seconds") from error
        size += len(message.get("body", b""))
        if size > max_bytes:
            allowed = f"{max_bytes // 1_000_000} MB" if max_bytes >= 1_000_000 else f"{max_bytes // 1_000} kB"
            raise HTTPException(413, f"the body is too large; expected at most {allowed}")
        return message

    return limited_receive


def _count_parts(content: bytes, max_parts: int, *, ignore_values: bool) -> int:
    strings = (content.count(b'"') - content.count(b'\\"')) // 2
    if strings > max_parts:
        return strings
    structure = _STRING.sub(b"", content)
    values = 0 if ignore_values else structure.count(b",")
    return strings + structure.count(b"[") + structure.count(b"{") + values
