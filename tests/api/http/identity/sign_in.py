"""An application that requires sign-in, keys for it, and a client that is not on loopback."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI

from api.app import create_app
from api.http.identity.api_keys import KeyTerms, create
from api.settings import Settings
from store.embedded import open_store
from tests.api.http.application import documented, open_client
from tests.graphs.dependencies import open_dependencies

REMOTE_URL = "http://desk.example"


def secured_application(home: Path, auth: str = "keys", **changed: Any) -> FastAPI:
    """An application where people sign in."""
    settings = Settings.model_validate({"STRATIGOS_HOME": home, "STRATIGOS_AUTH": auth} | changed)
    return documented(create_app(settings, open_dependencies(home)))


async def create_key(home: Path, owner: str = "anna", *, age: int = 0, **terms: Any) -> str:
    async with open_store(home) as store:
        key_terms = KeyTerms(owner=owner, roles=("portfolio-manager",)).model_copy(update=terms)
        return (await create(store, key_terms, days=90, now=datetime.now(UTC) - timedelta(days=age)))[1]


@asynccontextmanager
async def remote_client(app: FastAPI) -> AsyncGenerator[httpx.AsyncClient]:
    """As from another machine."""
    async with open_client(app) as client:
        client.base_url = REMOTE_URL
        yield client


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}
