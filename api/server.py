"""uvicorn, which ends streams before it waits for requests: a reader would hold it up, and comes again anyway."""

import asyncio
import logging
import socket
from typing import Any

import uvicorn
from fastapi import FastAPI


class Server(uvicorn.Server):
    def __init__(self, app: FastAPI, **options: Any) -> None:
        super().__init__(uvicorn.Config(app, **options))
        self._app = app

        logging.getLogger("uvicorn.error").addFilter(_tame)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await self._app.state.served.following.aclose()
        await super().shutdown(sockets)


def _tame(record: logging.LogRecord) -> bool:
    """No ticket of a socket's address is told, and a request that is cut off at the end of its time is no fault."""
    if record.exc_info and isinstance(record.exc_info[1], asyncio.CancelledError):
        record.msg, record.args, record.exc_info = "A request was cut off by the shutdown", (), None
    if isinstance(record.args, tuple) and "WebSocket" in record.msg:
        record.args = tuple(each.partition("?")[0] if isinstance(each, str) else each for each in record.args)
    return True
