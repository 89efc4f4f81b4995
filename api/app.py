"""Composition root: the one place where ports meet adapters."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, aclosing, asynccontextmanager
from functools import cache
from typing import TYPE_CHECKING

from api import VERSION
from api.home import prepare_home
from api.operations.log import log_to
from api.settings import Settings
from desk.base.errors import InvalidInput

if TYPE_CHECKING:
    from pathlib import Path

    from fastapi import FastAPI, Response
    from langchain_core.callbacks import AsyncCallbackHandler
    from starlette.routing import BaseRoute

    from agents.models.factory import Models
    from api.operations.metrics import Metrics
    from desk.runs.events import TraceEvent
    from graphs.checkpoints.table import DynamoTable
    from graphs.dependencies import Dependencies
    from store.queue import Queue
    from store.store import Store


AREAS = {
    "jobs": "Optimizations: submitted, followed, cancelled, decided, and what they found",
    "evaluations": "One configuration at once, what a search would take, and what there is to choose from",
    "events": "What happens in a job or in an answer, live and from any number on",
    "approvals": "What waits for a person, also for another one than whoever asked",
    "threads": "Conversations with the assistant",
    "agent": "The same conversations for clients of AG-UI 1.0",
    "portfolios": "Portfolios that are kept",
    "optimization": "Weights of a portfolio: risk parity, hierarchical risk parity, efficient frontier",
    "monte-carlo": "What wealth may become",
    "market-data": "Prices and returns, data sets of one's own, marks on bad data",
    "audit": "Who changed what, and who took what away",
    "health": "Whether the service is up",
}
"""The chapters of the documentation."""


@asynccontextmanager
async def create_dependencies(
    settings: Settings,
    models: "Models | Callable[[], Models] | None" = None,
    *,
    queued: bool = False,
    metrics: "Metrics | None" = None,
) -> "AsyncGenerator[Dependencies]":
    """What runs are executed with, as `settings` choose it; `queued` by workers, otherwise in place.

    Without `models` runs can be read and reproduced, and none that asks an agent can be executed. What makes them is
    called when the first is asked for; neither they nor the checkpoints are looked at before.
    """
    from api.compute import job_runner
    from api.models import models_for
    from api.operations.telemetry import exported
    from api.websocket_push import pushed
    from desk.market.bundled import BundledPrices
    from graphs.dependencies import Dependencies

    ready = models_for(settings, models)
    prepare_home(settings)
    prices = BundledPrices()
    checkpoints = await _checkpoints(settings, checked=ready is not None and ready is models)
    place = settings.log if queued else "home"  # a command in place has standard output for its answer
    with log_to(settings.home, settings.log_level, place=place), exported(settings.telemetry) as telemetry:
        async with (
            opened_store(settings) as plain,
            _queue(settings, queued=queued) as queue,
            pushed(settings, plain) as (store, sockets),
            job_runner(settings, store, prices) as jobs,
        ):
            yield Dependencies(
                store=store,
                prices=prices,
                jobs=jobs,
                models=ready,
                checkpoints=checkpoints,
                budgets=settings.budgets,
                thresholds=settings.thresholds,
                second_person=frozenset({"holdout"} if settings.auth else ()),
                observe=_each([each.observe for each in (telemetry, metrics) if each is not None]),
                listeners=_listeners(settings),
                queue=queue,
                jobs_per_user=settings.jobs_per_user,
                sockets=sockets,
            )


def _each(observers: "Sequence[Callable[[TraceEvent], None]]") -> "Callable[[TraceEvent], None] | None":
    def observe(event: "TraceEvent") -> None:
        for each in observers:
            each(event)

    return observe if observers else None


def create_app(
    settings: Settings, dependencies: "AbstractAsyncContextManager[Dependencies]", metrics: "Metrics | None" = None
) -> "FastAPI":
    """The HTTP application; it opens the desk when it starts and closes it when it ends."""
    from fastapi_offline import FastAPIOffline

    from api.http.dependencies import Service
    from api.http.errors.handlers import add_error_handlers
    from api.http.identity.authentication import check_auth_settings, create_identity
    from api.http.middleware import audit as auditing
    from api.http.middleware.local_origin import LocalOriginOnly
    from api.http.middleware.stack import add_middleware
    from api.http.openapi import make_once
    from api.http.rate_limits import RateLimits
    from api.operations.metrics import Measured
    from api.operations.readiness import ReadinessChecks
    from desk.governance.audit_log import AuditLog

    check_auth_settings(settings)
    database = None if settings.store else settings.home / "store.sqlite"

    @asynccontextmanager
    async def lifespan(app: "FastAPI") -> AsyncGenerator[None]:
        from graphs.conversations.background_turns import Answering
        from graphs.streaming.followers import Following

        async with (
            dependencies as opened,
            aclosing(Answering(opened)) as answering,
            aclosing(Following(opened.store)) as following,
            aclosing(ReadinessChecks(opened, database)) as readiness,
        ):
            if not settings.auth:
                answering.attend(settings.owner)
            identity = create_identity(settings, opened.store)
            log = AuditLog(opened.store, settings.audit_key)
            app.state.service = Service(settings, identity, limits, opened, answering, following, readiness, log)
            yield

    app = FastAPIOffline(  # its documentation loads nothing from other hosts
        title="Stratigos",
        version=VERSION,
        summary="A strategy desk for portfolio managers, run by AI agents that never compute a number themselves",
        openapi_tags=[{"name": name, "description": told} for name, told in AREAS.items()],
        swagger_ui_parameters={"docExpansion": "list", "defaultModelsExpandDepth": 0},
        lifespan=lifespan,
        docs_url="/api/docs",
        redoc_url=None,
        static_url="/api/docs/static",
        swagger_ui_oauth2_redirect_url="/api/docs/oauth2-redirect",
        openapi_url="/api/openapi.json",
    )
    make_once(app)
    add_error_handlers(app)
    app.add_middleware(auditing.AuditOutcomes)
    if not settings.auth:
        app.add_middleware(LocalOriginOnly)
    limits = RateLimits(settings) if settings.auth else None
    add_middleware(app, settings, limits)
    app.router.routes.extend(_routes())
    for place in ("/", "/api"):
        app.add_api_route(place, _to_documentation, include_in_schema=False)
    if metrics is not None:
        app.add_middleware(Measured, metrics=metrics)
    return app


@cache
def _routes() -> "list[BaseRoute]":
    """The same for every application of a process: most of what the first request takes is to make them."""
    from fastapi import APIRouter, Depends

    from api.http.dependencies import CALCULATION_SLOT, get_principal, reject_unknown_parameters, require_permissions
    from api.http.errors.problems import ENVELOPE_RESPONSE, error_responses
    from api.http.identity.authentication import BEARER, KEY
    from api.http.middleware import audit as auditing
    from api.http.routes import (
        agent,
        approvals,
        archive,
        audit,
        evaluations,
        events,
        health,
        jobs,
        market_data,
        market_events,
        monte_carlo,
        optimization,
        portfolios,
        results,
        threads,
        tickets,
        turns,
    )

    known = [Depends(each) for each in (BEARER, KEY, get_principal, reject_unknown_parameters, auditing.audit_request)]
    routes = APIRouter(responses=error_responses(), dependencies=known)
    every = APIRouter()
    every.include_router(health.router, prefix="/api", responses=error_responses() | ENVELOPE_RESPONSE)
    looking = require_permissions("research:read", "research:read")
    research = require_permissions("research:read", "research:write")
    data = require_permissions("market-data:read", "proprietary-data:write")
    for area, *conditions in (
        (results, research, CALCULATION_SLOT),  # `/jobs/compare` comes before `/jobs/{job_id}`
        (jobs, research),
        (approvals,),  # the permission depends on the question
        (archive, research),
        (evaluations, research, CALCULATION_SLOT),
        (events, research),
        (tickets, looking),
        (threads, research),
        (turns, research),
        (agent, research),
        (portfolios, research),
        (optimization, research, CALCULATION_SLOT),
        (monte_carlo, research, CALCULATION_SLOT),
        (market_data, data, CALCULATION_SLOT),
        (market_events, data),
        (audit, require_permissions("admin:read", "admin:write")),
    ):
        routes.include_router(area.router, dependencies=conditions)
    every.include_router(routes, prefix="/api")  # a prefix of its own would have every route made here already
    return every.routes


async def _to_documentation() -> "Response":
    from fastapi.responses import RedirectResponse

    return RedirectResponse("/api/docs")


def _listeners(settings: Settings) -> "tuple[AsyncCallbackHandler, ...]":
    if not settings.log_prompts:
        return ()
    from api.operations.prompt_log import PromptLog

    return (PromptLog(),)


@asynccontextmanager
async def _queue(settings: Settings, *, queued: bool) -> "AsyncGenerator[Queue | None]":
    if not queued:
        yield None
        return
    if not settings.queue:
        from store.sqlite.queue import open_sqlite_queue

        async with open_sqlite_queue(settings.home) as queue:
            yield queue
        return
    from store.aws.queue import open_sqs_queue

    url, _, dead = settings.queue.removeprefix("sqs:").partition(",dead:")
    async with open_sqs_queue(url, dead) as queue:
        yield queue


@asynccontextmanager
async def opened_store(settings: Settings) -> "AsyncGenerator[Store]":
    from store.embedded import open_store
    from store.errors import Unavailable

    if not settings.store:
        async with open_store(settings.home) as store:
            yield store
        return
    from store.aws.store import open_aws_store

    table, _, bucket = settings.store.removeprefix("dynamodb:").partition(",s3:")
    async with AsyncExitStack() as stack:
        try:
            opened = await stack.enter_async_context(open_aws_store(table, bucket))
        except Unavailable as error:
            allowed = "a table that store.aws.store.create_table has made, and a bucket, both of yours"
            raise InvalidInput("STRATIGOS_STORE", settings.store, reason=str(error), allowed=allowed) from error
        yield opened


async def _checkpoints(settings: Settings, *, checked: bool) -> "Path | DynamoTable":
    if not settings.checkpoints:
        return settings.home / "checkpoints.sqlite"
    from graphs.checkpoints.table import DynamoTable

    table, _, bucket = settings.checkpoints.removeprefix("dynamodb:").partition(",s3:")
    place = DynamoTable(table, bucket or None)
    if checked:
        from graphs.checkpoints.table_check import check

        await asyncio.to_thread(check, place)
    return place
