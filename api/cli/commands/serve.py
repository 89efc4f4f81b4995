"""`serve`: the HTTP service."""

import asyncio
import signal
import sys
import threading
from importlib import import_module
from typing import TYPE_CHECKING, Annotated

import typer

from api.http.identity.loopback import LOOPBACK
from api.settings import Settings, read_settings
from desk.base.clock import utc_now
from desk.base.errors import InvalidInput

if TYPE_CHECKING:
    from fastapi import FastAPI

GRACE = 3
"""Seconds that requests have to end once the server is told to."""
LARGEST_MESSAGE = 4_096
"""Bytes that a socket may be sent, none of which is heard."""


def register(app: typer.Typer) -> None:
    app.command()(serve)


def serve(
    *,
    host: Annotated[str | None, typer.Option(help="Address to listen on; by default STRATIGOS_HOST.")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="Port; by default STRATIGOS_PORT.")] = None,
) -> int:
    """Serve the HTTP interface, with workers beside it; its documentation stands at /api/docs.

    With STRATIGOS_SERVES=endpoint it is a real-time endpoint of SageMaker instead: /ping and /invocations on port 8080.
    """
    from uvicorn.config import LOGGING_CONFIG

    from api.app import create_app, create_dependencies
    from api.cli.worker_processes import workers
    from api.http.identity.authentication import check_auth_settings
    from api.http.server import LARGEST_HEAD, Server, listening, run
    from api.models import maker_of
    from api.operations.process import process

    settings = read_settings()
    if settings.serves == "endpoint":
        from api.endpoint import serve_endpoint

        return serve_endpoint(settings, host, port)
    settings = settings.model_copy(
        update={"host": host or settings.host, "port": settings.port if port is None else port}
    )
    if settings.host not in LOOPBACK and not settings.auth:
        raise InvalidInput(
            "--host",
            settings.host,
            reason=f"nobody signs in, so whoever reaches {settings.host} would be the user",
            allowed=f"{', '.join(LOOPBACK)}, or any address with STRATIGOS_AUTH=keys (or cognito)",
        )
    check_auth_settings(settings)
    models = maker_of(settings)()
    # without a handler the signal would end the process before its workers have given back what they are at
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with (
        listening(settings.host, settings.port) as sockets,
        process(settings, "serve") as metrics,
        workers(settings.workers),
    ):
        app = create_app(settings, create_dependencies(settings, models, queued=True, metrics=metrics), metrics)
        if "keys" in settings.auth:
            asyncio.run(warn_without_keys(settings))
        threading.Thread(target=_warm, args=[app], name="warm", daemon=True).start()
        server = Server(
            app,
            log_level=settings.log_level,
            log_config=None if settings.log == "stdout" else LOGGING_CONFIG,
            timeout_graceful_shutdown=GRACE,
            access_log=False,  # ours holds no address with a ticket in it
            server_header=False,
            proxy_headers=bool(settings.trusted_proxies),  # uvicorn would believe whoever is on this machine
            forwarded_allow_ips=settings.trusted_proxies,
            h11_max_incomplete_event_size=LARGEST_HEAD,
            ws_max_size=LARGEST_MESSAGE,
        )
        answer = run(server, sockets)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)  # who is told twice shall still let its workers give back their jobs
        return answer


async def warn_without_keys(settings: Settings) -> None:
    from api.app import opened_store
    from api.http.identity.api_keys import has_valid_key

    async with opened_store(settings) as store:
        if not await has_valid_key(store, now=utc_now()):
            make = "python -m api keys create --owner NAME --role portfolio-manager"
            print(f"No API key holds, so nobody signs in with one; {make} makes one", file=sys.stderr, flush=True)


def _warm(app: "FastAPI") -> None:
    """The document and the libraries of the numeric core take seconds: the first request shall not wait for them."""
    app.openapi()
    import_module("desk.optimization.evaluation")
