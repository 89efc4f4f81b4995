"""The application as a function that a Runtime API invokes."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from pathlib import Path
from typing import Any, NamedTuple

from fastapi import FastAPI

from api.app import create_app
from api.home import prepare_home
from api.lambda_.dispatch import Function
from api.lambda_.runtime import RuntimeApi, run
from api.operations.log import log_to
from api.settings import Settings
from graphs.dependencies import Dependencies
from tests.api.http.application import documented
from tests.api.lambda_ import sample_routes as odd
from tests.doubles.lambda_.runtime_api import Answer, Lambda, runtime_api
from tests.graphs.dependencies import open_dependencies


class Driven(NamedTuple):
    lambda_: Lambda
    app: FastAPI
    gate: asyncio.Event
    """A stream goes on once it is set."""

    async def answer(self, event: Any, **options: Any) -> Answer:
        return await asyncio.to_thread(self.lambda_.invoke(event, **options).wait)

    async def begun(self, event: Any, **options: Any) -> tuple[Answer, bytes]:
        """The answer that comes, with its first chunk after the prelude."""
        answer = self.lambda_.invoke(event, **options)
        prelude = await asyncio.to_thread(answer.chunks.get, timeout=60)
        assert prelude.endswith(bytes(8))
        return answer, await asyncio.to_thread(answer.chunks.get, timeout=60)


@asynccontextmanager
async def driven(
    home: Path, dependencies: AbstractAsyncContextManager[Dependencies] | None = None, **given: str
) -> AsyncGenerator[Driven]:
    """The own runtime client in this event loop, and Lambda in threads of its own."""
    gate = asyncio.Event()
    settings = Settings.model_validate({"STRATIGOS_HOME": home, **given})
    app = documented(odd.with_routes(create_app(settings, dependencies or open_dependencies(home)), gate))
    prepare_home(settings)
    with log_to(home, "info"), runtime_api() as lambda_:
        running = asyncio.create_task(run(RuntimeApi(lambda_.address), lambda: nullcontext(Function(app))))
        try:
            assert await asyncio.to_thread(lambda_.next_requests.acquire, timeout=120), "it did not begin"
            yield Driven(lambda_, app, gate)
        finally:
            running.cancel()
            await asyncio.wait({running})
        assert running.cancelled(), running.exception()
