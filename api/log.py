"""The log: one JSON object a line, in the home of the settings."""

import logging
import tempfile
import traceback
from contextlib import suppress
from pathlib import Path
from typing import Any, TextIO

_place: Path | None = None


def open_log(home: Path, level: str) -> None:
    """Write what happens from now on to `home`/stratigos.log."""
    import structlog

    global _place  # noqa: PLW0603  (a process has one log)
    _place = home / "stratigos.log"
    out: TextIO = _place.open("a", encoding="utf-8")
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


def record(error: BaseException) -> Path | None:
    """Keep the traceback of a fault, and say where: in the log, or in a file of its own before the log is open."""
    import structlog

    if _place is not None:
        logger: Any = structlog.get_logger()
        logger.error("fault", exc_info=error)
        return _place
    with (
        suppress(OSError),
        tempfile.NamedTemporaryFile("w", prefix="stratigos-fault-", delete=False) as out,
    ):
        traceback.print_exception(error, file=out)
        return Path(out.name)
    return None
