"""`serve`: the HTTP service."""

import threading
from importlib import import_module
from typing import TYPE_CHECKING, Annotated

import typer

from api.loopback import LOOPBACK
from api.settings import read_settings
from tools.errors import InvalidInput

if TYPE_CHECKING:
    from fastapi import FastAPI

CANNOT_START = 2
GRACE = 3
"""Seconds that requests have to end once the server is told to."""


def register(app: typer.Typer) -> None:
    app.command()(serve)


def serve(
    *,
    host: Annotated[str | None, typer.Option(help="Address to listen on; by default STRATIGOS_HOST.")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="Port; by default STRATIGOS_PORT.")] = None,
) -> int:
    """Serve the HTTP interface, with workers beside it; its documentation stands at /api/docs."""
    import uvicorn

    from api.app import create_app, create_desk, prepare_home
    from api.models import maker_of
    from api.workers import workers

    settings = read_settings()
    settings = settings.model_copy(
        update={"host": host or settings.host, "port": settings.port if port is None else port}
    )
    if settings.host not in LOOPBACK:
        raise InvalidInput(
            "--host",
            settings.host,
            reason=f"nobody signs in yet, so whoever reaches {settings.host} would be the user",
            allowed=", ".join(LOOPBACK),
        )
    models = maker_of(settings)()
    prepare_home(settings)
    app = create_app(settings, create_desk(settings, models, queued=True))
    threading.Thread(target=_warm, args=[app], name="warm", daemon=True).start()
    with workers(settings.workers):
        try:  # streams of events stay open as long as somebody reads: they are cut when the server ends
            uvicorn.run(
                app,
                host=settings.host,
                port=settings.port,
                log_level=settings.log_level,
                timeout_graceful_shutdown=GRACE,
            )
        except SystemExit:  # it has said why it could not start, such as a port that is taken
            return CANNOT_START
    return 0


def _warm(app: "FastAPI") -> None:
    """The document and the libraries of the numeric core take seconds: the first request shall not wait for them."""
    app.openapi()
    import_module("tools.evaluation")
