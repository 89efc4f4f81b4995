"""Runs a command with the dependencies of this home."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from api.app import create_dependencies
from api.settings import Settings, read_settings

if TYPE_CHECKING:
    from graphs.dependencies import Dependencies


def with_dependencies(answer: "Callable[[Settings, Dependencies], Awaitable[int]]") -> int:
    """The exit code of `answer`; the dependencies have no models."""

    async def run() -> int:
        settings = read_settings()
        async with create_dependencies(settings) as dependencies:
            return await answer(settings, dependencies)

    return asyncio.run(run())
