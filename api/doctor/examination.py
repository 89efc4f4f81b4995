"""All checks of an installation, in the order of their dependencies."""

import sqlite3
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from api.app import create_dependencies
from api.doctor.findings import Finding, failed, ok, refused
from api.doctor.installation import clock, compute, database, home, kernels, models, port, python, sign_in
from api.doctor.stored_work import CHECKS
from api.settings import Settings, read_settings
from desk.base.errors import InvalidInput, UserError
from store.errors import StoreError

if TYPE_CHECKING:
    from graphs.dependencies import Dependencies


async def examine() -> AsyncGenerator[Finding]:
    """Everything, in an order in which what comes later needs what came before."""
    yield python(sys.version_info[:2])
    try:
        settings = read_settings()
    except InvalidInput as error:
        yield refused("settings", error)
        return
    yield ok("settings", "they can be read")
    at_home = home(settings)
    yield at_home
    for look in (database, port, kernels):
        yield look(settings)
    for look_at in (models, sign_in, clock, compute):
        yield await look_at(settings)
    if at_home.state == "failed":
        return
    try:
        async with opened(settings) as dependencies:
            for look_into in CHECKS:
                yield await look_into(dependencies, settings)
    except (UserError, StoreError, OSError, sqlite3.Error) as error:
        yield failed("store", str(error), "mend what stands above; nothing in the store was touched")


@asynccontextmanager
async def opened(settings: Settings) -> "AsyncGenerator[Dependencies]":
    """The desk with its queue, and its log in the home: standard output is for the answer."""
    async with create_dependencies(settings.model_copy(update={"log": "home"}), queued=True) as dependencies:
        yield dependencies
