"""A limit of the size of bodies that is answered in the envelope of every error."""

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import HTTPException, Request, Response
from fastapi.routing import APIRoute
from starlette.types import Message, Receive


def at_most(size: int) -> type[APIRoute]:
    """Routes that read bodies of `size` bytes; FastAPI's own limit answers with plain text."""

    class Limited(APIRoute):
        def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
            handler = super().get_route_handler()

            async def limited(request: Request) -> Response:
                return await handler(Request(request.scope, _counted(request.receive, size)))

            return limited

    return Limited


def _counted(receive: Receive, size: int) -> Receive:
    received = 0

    async def counted() -> Message:
        nonlocal received
        message = await receive()
        received += len(message.get("body", b""))
        if received > size:
            allowed = f"{size // 1_000_000} MB" if size >= 1_000_000 else f"{size // 1_000} kB"
            raise HTTPException(413, f"the body is too large; allowed: {allowed}")
        return message

    return counted
