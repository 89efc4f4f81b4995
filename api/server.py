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

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        logging.getLogger("uvicorn.error").addFilter(_without_traceback)
        try:
            await self._app.state.served.following.aclose()
            await super().shutdown(sockets)
        finally:
            logging.getLogger("uvicorn.error").removeFilter(_without_traceback)


def _without_traceback(record: logging.LogRecord) -> bool:
    """A request that is cut off when its time is over is no fault."""
    if record.exc_info and isinstance(record.exc_info[1], asyncio.CancelledError):
        record.msg, record.args, record.exc_info = "A request was cut off by the shutdown", (), None
    return True
