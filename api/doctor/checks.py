"""Runs every check of `python -m api doctor`."""

import sqlite3
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from api.app import create_dependencies
from api.doctor.environment import check_database, check_home, check_kernels, check_port, check_python
from api.doctor.findings import Finding, failed, invalid_setting, ok
from api.doctor.services import check_clock, check_compute, check_models, check_resources, check_sign_in
from api.doctor.stored_work import CHECKS
from api.settings import Settings, read_settings
from desk.base.errors import InvalidInput, UserError
from graphs.dependencies import Dependencies
from store.errors import StoreError


async def run_checks() -> AsyncGenerator[Finding]:
    """Run the checks in order of dependency: interpreter, settings, home, services, then the store."""
    yield check_python(sys.version_info[:2])
    try:
        settings = read_settings()
    except InvalidInput as error:
        yield invalid_setting("settings", error)
        return
    yield ok("settings", "all settings are valid")
    home = check_home(settings)
    yield home
    for check in (check_database, check_port, check_kernels):
        yield check(settings)
    for check_service in (check_models, check_sign_in, check_clock, check_compute, check_resources):
        yield await check_service(settings)
    if home.state == "failed":
        return
    try:
        async with open_dependencies(settings) as dependencies:
            for check_stored in CHECKS:
                yield await check_stored(dependencies, settings)
    except (UserError, StoreError, OSError, sqlite3.Error) as error:
        yield failed("store", str(error), "fix the failures above; the check changed nothing in the store")


@asynccontextmanager
async def open_dependencies(settings: Settings) -> AsyncGenerator[Dependencies]:
    """The dependencies with a queue, logging to the home folder because the report uses standard output."""
    async with create_dependencies(settings.model_copy(update={"log": "home"}), queued=True) as dependencies:
        yield dependencies
