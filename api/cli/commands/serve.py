"""`serve`: the HTTP service.

FastAPI and uvicorn are imported when the command runs.
"""

import asyncio
import signal
import sys
import threading
import time
from typing import TYPE_CHECKING, Annotated, Any

import structlog
import typer

from api.app import create_app, create_dependencies, open_configured_store
from api.cli.worker_processes import workers
from api.home import prepare_home
from api.http.identity.loopback import LOOPBACK
from api.models import model_maker
from api.settings import Settings, read_settings
from desk.base.clock import utc_now
from desk.base.errors import InvalidInput
from desk.market.bundled import BundledPrices

if TYPE_CHECKING:
    from fastapi import FastAPI

GRACE = 3
"""Seconds for open requests at shutdown."""
LARGEST_MESSAGE = 4_096
"""Bytes of a message to a WebSocket, which the server ignores."""


def register(app: typer.Typer) -> None:
    app.command()(serve)


def serve(
    *,
    host: Annotated[str | None, typer.Option(help="Address to listen on; by default STRATIGOS_HOST.")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="Port; by default STRATIGOS_PORT.")] = None,
) -> int:
    """Serve the HTTP interface, with worker processes; its documentation is at /api/docs.

    With STRATIGOS_SERVES=endpoint the command serves a real-time endpoint of SageMaker on port 8080 instead.
    """
    from uvicorn.config import LOGGING_CONFIG

    from api.http.identity.authentication import check_auth_settings
    from api.http.server import LARGEST_HEAD, Server, listening_sockets, run
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
            reason=f"without sign-in, every client that reaches {settings.host} would be the user",
            allowed=f"{', '.join(LOOPBACK)}, or any address with STRATIGOS_AUTH=keys (or cognito)",
        )
    check_auth_settings(settings)
    models = model_maker(settings)()
    asyncio.run(check_store(settings))
    # without a handler, SIGTERM would end the process before its workers give back their jobs
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with (
        listening_sockets(settings.host, settings.port) as sockets,
        process(settings, "serve") as metrics,
        workers(settings.workers),
    ):
        loaded = threading.Event()
        dependencies = create_dependencies(settings, models, queued=True, metrics=metrics)
        app = create_app(settings, dependencies, metrics, loaded=loaded)
        if "keys" in settings.auth:
            asyncio.run(warn_without_keys(settings))
        threading.Thread(target=_warm, args=[app, loaded], name="warm", daemon=True).start()
        server = Server(
            app,
            log_level=settings.log_level,
            log_config=None if settings.log == "stdout" else LOGGING_CONFIG,
            timeout_graceful_shutdown=GRACE,
            access_log=False,  # the log of requests omits the tickets in addresses
            server_header=False,
            proxy_headers=bool(settings.trusted_proxies),  # by default uvicorn trusts every local process
            forwarded_allow_ips=settings.trusted_proxies,
            h11_max_incomplete_event_size=LARGEST_HEAD,
            ws_max_size=LARGEST_MESSAGE,
        )
        answer = run(server, sockets)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(
                number, signal.SIG_IGN
            )  # a second signal must not stop the workers from giving back their jobs
        return answer


async def check_store(settings: Settings) -> None:
    """Open the store once, so that a damaged or full one ends the command with a message."""
    prepare_home(settings)
    async with open_configured_store(settings):
        pass


async def warn_without_keys(settings: Settings) -> None:
    from api.http.identity.api_keys import has_valid_key

    async with open_configured_store(settings) as store:
        if not await has_valid_key(store, now=utc_now()):
            create = "python -m api keys create --owner NAME --role portfolio-manager"
            print(
                f"No API key is valid, so no client can sign in with one; create one: {create}",
                file=sys.stderr,
                flush=True,
            )


def _warm(app: "FastAPI", loaded: threading.Event) -> None:
    """Load the OpenAPI document, the numeric core and the kernels of an evaluation before the service says it is ready.

    They take seconds, and a minute where the kernels are not compiled yet.
    """
    app.openapi()
    from desk.scenarios.repository import built_in_catalog
    from desk.strategies.evaluation_details import evaluate_with_catalog
    from desk.strategies.evaluation_schemas import EvaluationRequest
    from desk.strategies.templates import templates

    begun = time.perf_counter()
    config = templates()[0].rule.config
    for estimator in (config.estimator, "garch"):  # the one estimator with kernels of its own
        lookback = config.lookback_days if estimator == config.estimator else None
        request = EvaluationRequest(
            config=config.model_copy(update={"estimator": estimator, "lookback_days": lookback})
        )
        asyncio.run(evaluate_with_catalog(built_in_catalog(), BundledPrices(), request))
    loaded.set()
    logger: Any = structlog.get_logger()
    logger.info("kernels_loaded", seconds=round(time.perf_counter() - begun, 1))
