"""Composition root: chooses the adapters of all ports from the settings, and registers the routes."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, aclosing, asynccontextmanager
from functools import cache
from typing import TYPE_CHECKING

from api import VERSION
from api.compute import create_job_runner
from api.home import prepare_home
from api.models import prepare_models
from api.operations.log import log_to
from api.settings import Settings
from api.websocket_push import push_events
from desk.base.errors import InvalidInput
from desk.market.bundled import BundledPrices

if TYPE_CHECKING:
    from pathlib import Path
    from threading import Event

    from fastapi import FastAPI, Response
    from langchain_core.callbacks import AsyncCallbackHandler
    from starlette.routing import BaseRoute

    from agents.models.factory import Models
    from api.operations.metrics import Metrics
    from desk.governance.roles import Permission
    from desk.runs.events.table import TraceEvent
    from graphs.checkpoints.table import DynamoTable
    from graphs.dependencies import Dependencies
    from store.queue import Queue
    from store.store import Store


AREAS = {
    "jobs": "Optimization jobs: submission, progress, approval, cancellation and results",
    "evaluations": "Evaluation of one configuration, estimate of a search, and the available choices",
    "strategies": "Saved strategies, in versions that never change, and scenarios",
    "events": "Events of jobs and answers, live and resumable from any sequence number",
    "approvals": "Questions that wait for a decision, also of other users",
    "threads": "Conversations with the assistant",
    "agent": "The same conversations for clients of AG-UI 1.0",
    "portfolios": "Stored portfolios",
    "optimization": "Weights of a portfolio: risk parity, hierarchical risk parity, efficient frontier",
    "tearsheets": "Tear sheets: the record of any return series, with its falls, years, ratios and crises",
    "monte-carlo": "Simulations of future wealth",
    "market-data": "Prices and returns, own data sets, and markers of bad data",
    "audit": "The audit log: who changed what, and who exported data",
    "users": "The signed-in user, preferences, and sessions of browsers",
    "glossary": "The terms of the desk, explained",
    "health": "Whether the service is up",
}
"""The tags of the OpenAPI document."""


@asynccontextmanager
async def create_dependencies(
    settings: Settings,
    models: "Models | Callable[[], Models] | None" = None,
    *,
    queued: bool = False,
    metrics: "Metrics | None" = None,
) -> "AsyncGenerator[Dependencies]":
    """The dependencies of runs as the settings choose them; `queued` runs are executed by workers.

    Without `models`, runs can be read and reproduced but not executed. A function for `models` is called when an agent
    first needs one, and the checkpoints are not checked before.
    """
    from api.operations.telemetry import telemetry_export
    from graphs.dependencies import Dependencies

    model_set = prepare_models(settings, models)
    prepare_home(settings)
    prices = BundledPrices()
    checkpoints = await _checkpoints(settings, checked=model_set is not None and model_set is models)
    place = settings.log if queued else "home"  # standard output is reserved for the answer of a command
    with log_to(settings.home, settings.log_level, place=place), telemetry_export(settings.telemetry) as telemetry:
        async with (
            open_configured_store(settings) as configured_store,
            _queue(settings, queued=queued) as queue,
            push_events(settings, configured_store) as (store, sockets),
            create_job_runner(settings, store, prices) as jobs,
        ):
            yield Dependencies(
                store=store,
                prices=prices,
                jobs=jobs,
                models=model_set,
                checkpoints=checkpoints,
                budgets=settings.budgets,
                thresholds=settings.thresholds,
                second_person=frozenset({"holdout"} if settings.auth else ()),
                observe=_fan_out([observer.observe for observer in (telemetry, metrics) if observer is not None]),
                listeners=_listeners(settings),
                queue=queue,
                jobs_per_user=settings.jobs_per_user,
                jobs_at_work=settings.jobs_at_work,
                lifetimes=settings.lifetimes,
                sockets=sockets,
                flush_telemetry=None if telemetry is None else telemetry.flush,
                audit_key=settings.audit_key,
            )


def _fan_out(observers: "Sequence[Callable[[TraceEvent], None]]") -> "Callable[[TraceEvent], None] | None":
    def observe(event: "TraceEvent") -> None:
        for observer in observers:
            observer(event)

    return observe if observers else None


def create_app(
    settings: Settings,
    dependencies: "AbstractAsyncContextManager[Dependencies]",
    metrics: "Metrics | None" = None,
    *,
    loaded: "Event | None" = None,
) -> "FastAPI":
    """The HTTP application; its lifespan opens and closes the dependencies.

    It is not ready before `loaded` is set.
    """
    from fastapi_offline import FastAPIOffline

    from api.http.dependencies import AppState
    from api.http.errors.handlers import add_error_handlers
    from api.http.identity.authentication import check_auth_settings, create_identity
    from api.http.introduction import INTRODUCTION
    from api.http.middleware import audit as auditing
    from api.http.middleware.local_origin import LocalOriginOnly
    from api.http.middleware.stack import add_middleware
    from api.http.openapi import generate_once
    from api.http.rate_limits import RateLimits
    from api.http.web import add_web_application
    from api.operations.metrics import RequestMetrics
    from api.operations.readiness import ReadinessChecks
    from desk.governance.audit_log import AuditLog

    check_auth_settings(settings)
    database = None if settings.store else settings.home / "store.sqlite"

    @asynccontextmanager
    async def lifespan(app: "FastAPI") -> AsyncGenerator[None]:
        from graphs.conversations.background_turns import BackgroundTurns
        from graphs.streaming.followers import LogFollowers

        async with (
            dependencies as deps,
            aclosing(BackgroundTurns(deps)) as answering,
            aclosing(LogFollowers(deps.store)) as following,
            aclosing(ReadinessChecks(deps, database, settings, loaded)) as readiness,
        ):
            if not settings.auth:
                answering.attend(settings.owner)
            identity, sign_in = create_identity(settings, deps.store)
            log = AuditLog(deps.store, settings.audit_key)
            app.state.service = AppState(
                settings, identity, limits, deps, answering, following, readiness, log, sign_in, metrics
            )
            yield

    app = FastAPIOffline(  # its documentation loads nothing from other hosts
        title="Stratigos",
        version=VERSION,
        summary="A strategy desk for portfolio managers, run by AI agents that never compute a number themselves",
        description=INTRODUCTION,
        openapi_tags=[{"name": name, "description": text} for name, text in AREAS.items()],
        swagger_ui_parameters={"docExpansion": "list", "defaultModelsExpandDepth": 0},
        lifespan=lifespan,
        docs_url="/api/docs",
        redoc_url=None,
        static_url="/api/docs/static",
        swagger_ui_oauth2_redirect_url="/api/docs/oauth2-redirect",
        openapi_url="/api/openapi.json",
    )
    generate_once(app)
    add_error_handlers(app)
    app.add_middleware(auditing.AuditOutcomes)
    if not settings.auth:
        app.add_middleware(LocalOriginOnly)
    limits = RateLimits(settings) if settings.auth else None
    add_middleware(app, settings, limits)
    app.router.routes.extend(_routes())
    app.add_api_route("/api", _to_documentation, include_in_schema=False)
    add_web_application(app)
    if metrics is not None:
        app.add_middleware(RequestMetrics, metrics=metrics)
    return app


@cache
def _routes() -> "list[BaseRoute]":
    """The routes, shared by all applications of a process: creating them takes most of the first request."""
    from fastapi import APIRouter, Depends

    from api.http.dependencies import CALCULATION_SLOT, get_principal, reject_unknown_parameters, require_permissions
    from api.http.errors.problems import ENVELOPE_RESPONSE, error_responses
    from api.http.identity.authentication import BEARER, KEY, SESSION
    from api.http.middleware import audit as auditing
    from api.http.openapi import operation_id, state_permissions
    from api.http.routes import (
        agent,
        approvals,
        archive,
        audit,
        drafts,
        evaluations,
        events,
        glossary,
        health,
        holdouts,
        jobs,
        market_data,
        market_events,
        monte_carlo,
        optimization,
        portfolios,
        results,
        risk,
        tearsheets,
        threads,
        tickets,
        turns,
        websocket,
    )
    from api.http.routes.market import market_state
    from api.http.routes.overview import catalogue, desk
    from api.http.routes.strategies import library, scenarios
    from api.http.routes.users import me, session, sign_in

    checks = [
        Depends(each)
        for each in (BEARER, KEY, SESSION, get_principal, reject_unknown_parameters, auditing.audit_request)
    ]
    routes = APIRouter(responses=error_responses(), dependencies=checks)
    every = APIRouter(generate_unique_id_function=operation_id)
    every.include_router(health.router, prefix="/api", responses=error_responses() | ENVELOPE_RESPONSE)
    every.include_router(sign_in.router, prefix="/api", dependencies=[Depends(reject_unknown_parameters)])
    looking: tuple[Permission, Permission] = ("research:read", "research:read")
    research: tuple[Permission, Permission] = ("research:read", "research:write")
    data: tuple[Permission, Permission] = ("market-data:read", "proprietary-data:write")
    admin: tuple[Permission, Permission] = ("admin:read", "admin:write")
    for area, permissions, *conditions in (
        (results, research, CALCULATION_SLOT),  # `/jobs/compare` comes before `/jobs/{job_id}`
        (jobs, research),
        (holdouts, research, CALCULATION_SLOT),
        (drafts, research),
        (catalogue, research),
        (desk, research),
        (approvals, None),  # the permission depends on the question
        (archive, research),
        (me, ()),
        (session, ()),
        (evaluations, research, CALCULATION_SLOT),
        (scenarios, research),
        (library, research),  # after `/strategies/templates` of evaluations
        (events, research),
        (websocket, research),
        (tickets, looking),
        (glossary, looking),
        (threads, research),
        (turns, research),
        (agent, research),
        (portfolios, research),
        (optimization, research, CALCULATION_SLOT),
        (risk, research, CALCULATION_SLOT),
        (monte_carlo, research, CALCULATION_SLOT),
        (tearsheets, research, CALCULATION_SLOT),
        (market_data, data, CALCULATION_SLOT),
        (market_state, data, CALCULATION_SLOT),
        (market_events, data),
        (audit, admin),
    ):
        if permissions:
            conditions.insert(0, require_permissions(*permissions))
        state_permissions(area.router, permissions)
        routes.include_router(area.router, dependencies=conditions)
    every.include_router(routes, prefix="/api")  # a prefix of the router would create every route twice
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
async def open_configured_store(settings: Settings) -> "AsyncGenerator[Store]":
    from store.embedded import open_store
    from store.errors import Unavailable

    if not settings.store:
        async with open_store(settings.home) as store:
            yield store
        return
    from store.aws.store import open_aws_store

    prefix, _, bucket = settings.store.removeprefix("dynamodb:").partition(",s3:")
    async with AsyncExitStack() as stack:
        try:
            store = await stack.enter_async_context(open_aws_store(prefix, bucket))
        except Unavailable as error:
            allowed = (
                "tables that store.aws.store.create_tables creates, to which `migrate` copies that of an earlier "
                "version, and a bucket"
            )
            raise InvalidInput("STRATIGOS_STORE", settings.store, reason=str(error), allowed=allowed) from error
        yield store


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
