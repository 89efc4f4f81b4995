"""A service where people sign in, by saying who they are."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI
from starlette.requests import HTTPConnection

from api.app import create_app
from api.http.errors.problems import Problem
from api.settings import Settings
from desk.governance.principals import Principal
from desk.governance.roles import ROLES
from graphs.dependencies import Dependencies
from tests.api.http.application import BASE, documented
from tests.graphs.dependencies import open_dependencies


class HeaderIdentity:
    """Whoever the header names."""

    async def authenticate(self, connection: HTTPConnection) -> Principal:
        name = connection.headers.get("x-api-key", "")
        if not name.isalpha():
            raise Problem(401, "nobody that is known asks")
        return Principal(owner=name, roles=ROLES, via="key:test")


def settings_with(home: Path, **changed: Any) -> Settings:
    return Settings.model_validate({"STRATIGOS_HOME": home, "STRATIGOS_AUTH": "keys", **changed})


def named_application(home: Path, dependencies: Any = None, **changed: Any) -> FastAPI:
    return documented(create_app(settings_with(home, **changed), dependencies or open_dependencies(home)))


@asynccontextmanager
async def open_named_client(app: FastAPI, host: str = "127.0.0.1") -> AsyncGenerator[httpx.AsyncClient]:
    """A client in this event loop, from that address; `X-API-Key` says who asks."""
    async with app.router.lifespan_context(app):
        accept_any_name(app)
        transport = httpx.ASGITransport(app, raise_app_exceptions=False, client=(host, 1))
        async with httpx.AsyncClient(transport=transport, base_url=BASE) as client:
            yield client


def accept_any_name(app: FastAPI) -> Dependencies:
    app.state.service = replace(app.state.service, identity=HeaderIdentity())
    return app.state.service.dependencies
