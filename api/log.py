"""The log: one JSON object a line, in the home of the settings."""

import logging
import tempfile
import traceback
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

_LOG = "stratigos.log"
_SILENT = logging.NullHandler()


@contextmanager
def log_to(home: Path, level: str) -> Generator[None]:
    """Write what happens inside to `home`/stratigos.log."""
    import structlog

    logging.getLogger().addHandler(_SILENT)  # libraries would write tracebacks between our lines
    with (home / _LOG).open("a", encoding="utf-8") as out:
        structlog.configure(
            processors=[
                structlog.contextvars.merge_contextvars,
                structlog.processors.add_log_level,
                structlog.processors.TimeStamper(fmt="iso", utc=True),
                structlog.processors.format_exc_info,
                structlog.processors.JSONRenderer(),
            ],
            wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
            logger_factory=structlog.WriteLoggerFactory(file=out),
        )
        try:
            yield
        finally:
            structlog.reset_defaults()


def record(error: BaseException, home: Path | None) -> Path | None:
    """Keep the traceback of a fault, and say where: in the home's log, or in a file of its own."""
    import structlog

    if home is not None:
        with suppress(OSError), log_to(home, "error"):
            logger: Any = structlog.get_logger()
            logger.error("fault", exc_info=error)
            return home / _LOG
    with (
        suppress(OSError),
        tempfile.NamedTemporaryFile("w", prefix="stratigos-fault-", delete=False) as out,
    ):
        traceback.print_exception(error, file=out)
        return Path(out.name)
    return None
