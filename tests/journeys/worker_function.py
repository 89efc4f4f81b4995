"""A Lambda function that executes runs, with its queue and the events of EventBridge."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from api.app import create_app
from api.lambda_.dispatch import respond
from api.settings import read_settings
from graphs.jobs import job_queue
from tests.api.lambda_.function_events import queue_event
from tests.doubles.sagemaker.fleet import Fleet
from tests.journeys.reference_job import dependencies_of_settings


class OneFunction:
    """The function with its queue and EventBridge."""

    def __init__(self, app: Any, fleet: Fleet) -> None:
        self._app = app
        self._events: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        loop = asyncio.get_running_loop()
        fleet.listeners.append(lambda event: loop.call_soon_threadsafe(self._events.put_nowait, event))

    @property
    def dependencies(self) -> Any:
        return self._app.state.service.dependencies

    async def invoke(self, event: dict[str, Any]) -> Any:
        return await respond(self._app, event, asyncio.get_running_loop().time() + 600.0)

    async def work(self) -> None:
        while (delivery := await job_queue.queue_of(self.dependencies).receive(lease=60.0, wait=0.0)) is not None:
            assert await self.invoke(queue_event(delivery)) == {"batchItemFailures": []}

    async def handle_next_event(self) -> None:
        try:
            event = await asyncio.wait_for(self._events.get(), 120.0)
        except TimeoutError:
            event = {"task": "sweep"}  # as a schedule sends it each minute
        await self.invoke(event)
        await self.work()


@asynccontextmanager
async def function(fleet: Fleet) -> AsyncGenerator[OneFunction]:
    app = create_app(read_settings(), dependencies_of_settings(queued=True))
    async with app.router.lifespan_context(app):
        yield OneFunction(app, fleet)
