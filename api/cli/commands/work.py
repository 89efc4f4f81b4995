"""`work`: a process that executes jobs of the queue.

OpenTelemetry and LangGraph are imported when the command runs.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from api.app import create_dependencies
from api.cli.exit_codes import DONE
from api.models import model_maker
from api.settings import Settings, read_settings

if TYPE_CHECKING:
    from agents.models.factory import Models
    from api.operations.metrics import Metrics

STDIN = 0


def register(app: typer.Typer) -> None:
    app.command()(work)


def work(
    *,
    jobs: Annotated[int, typer.Option(min=1, max=64, help="Jobs at a time; each uses all cores.")] = 1,
    while_fed: Annotated[
        bool,
        typer.Option("--while-fed", help="Stop when standard input ends, as it does when the parent process ends."),
    ] = False,
) -> int:
    """Execute queued jobs until a signal; an unfinished job returns to the queue for another worker."""
    from api.operations.process import process

    settings = read_settings()
    models = model_maker(settings)()
    with process(settings, "work") as metrics:
        asyncio.run(_work(settings, models, metrics, jobs, while_fed=while_fed))
    return DONE


async def _work(settings: Settings, models: "Models", metrics: "Metrics | None", jobs: int, *, while_fed: bool) -> None:
    from api.operations.metrics import record_gauges_periodically
    from graphs.jobs.worker import Worker

    loop = asyncio.get_running_loop()
    async with (
        create_dependencies(settings, models, queued=True, metrics=metrics) as dependencies,
        record_gauges_periodically(dependencies, metrics),
    ):
        worker = Worker(dependencies, concurrency=jobs)
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, worker.stop)
        if while_fed:
            loop.add_reader(STDIN, _end_with, loop, worker.stop)
        print(f"worker {os.getpid()} takes jobs", file=sys.stderr)
        await worker.work()


def _end_with(loop: asyncio.AbstractEventLoop, stop: Callable[[], None]) -> None:
    if not os.read(STDIN, 4096):
        loop.remove_reader(STDIN)
        stop()
