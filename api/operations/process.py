"""The log and metrics of a service or worker process, with a log line at its start and end."""

import os
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import structlog

from api import VERSION
from api.home import prepare_home
from api.operations.log import capture_library_logs, log_to
from api.operations.metrics import Kind, Metrics, periodic_metrics
from api.settings import Settings


@contextmanager
def process(settings: Settings, kind: Kind) -> Generator[Metrics | None]:
    prepare_home(settings)
    with (
        log_to(settings.home, settings.log_level, place=settings.log),
        capture_library_logs(settings.log),
        periodic_metrics(settings.metrics, kind, settings.deployment) as metrics,
    ):
        logger: Any = structlog.get_logger()
        logger.info("process_started", kind=kind, version=VERSION, process=os.getpid())
        try:
            yield metrics
        finally:
            logger.info("process_stopped", kind=kind, process=os.getpid())
