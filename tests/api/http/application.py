"""The HTTP application as tests reach it: in the same process, or over loopback."""

import asyncio
import json
import socket
import threading
from collections.abc import AsyncGenerator, Generator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import uvicorn
from fastapi import FastAPI

from api.app import create_app
from api.settings import Settings
from graphs.dependencies import Dependencies
from tests.graphs.dependencies import open_dependencies
from tests.session_folder import make_once

BASE = "http://127.0.0.1"


def settings_of(home: Path, owner: str = "local") -> Settings:
    return Settings.model_validate({"STRATIGOS_HOME": home, "STRATIGOS_OWNER": owner})


def application(
    home: Path, dependencies: AbstractAsyncContextManager[Dependencies] | None = None, *, owner: str = "local"
) -> FastAPI:
    app = create_app(settings_of(home, owner), dependencies or open_dependencies(home))
    return documented(app)


def documented(app: FastAPI) -> FastAPI:
    """With the document of another application: FastAPI makes its own where the version of the routes differs."""
    app.openapi_schema, app._openapi_routes_version = document(), app.router._get_routes_version()
    return app


@cache
def document() -> dict[str, Any]:
    """The same for every application; it takes most of a second to make."""
    return json.loads(make_once("openapi.json", _write_document).read_text())


def _write_document(file: Path) -> None:
    nowhere = Path("/nowhere")
    file.write_text(json.dumps(create_app(settings_of(nowhere), open_dependencies(nowhere)).openapi()))


@asynccontextmanager
async def open_client(app: FastAPI) -> AsyncGenerator[httpx.AsyncClient]:
    """A client whose calls are answered in this event loop; responses come whole, so nothing streams."""
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url=BASE) as client:
            yield client


@contextmanager
def run_server(app: FastAPI) -> Generator[str]:
    """The address of a real server in a thread of its own, for streams and sockets."""
    listening = socket.create_server(("127.0.0.1", 0))
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # asyncio does so for sockets that it makes
    server = uvicorn.Server(
        uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=2, ws="websockets-sansio")
    )
    thread = threading.Thread(target=lambda: asyncio.run(server.serve([listening])), name="server")
    thread.start()
    try:
        while not server.started and thread.is_alive():
            thread.join(0.01)
        yield f"{BASE}:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
        listening.close()
