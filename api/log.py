"""The log: one JSON object a line, in the home of the settings."""

import io
import logging
import sys
import tempfile
import traceback
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

_LOG = "stratigos.log"
_SILENT = logging.NullHandler()


class _Lines(io.StringIO):
    """Each text is a line at once; a full disk costs the line, which goes to stderr, and not what it tells of."""

    def __init__(self, out: io.FileIO, *, strict: bool) -> None:
        super().__init__()
        self._out = out
        self._strict = strict

    def write(self, text: str, /) -> int:
        try:
            self._out.write(text.encode("utf-8", "replace"))
        except OSError:
            if self._strict:
                raise
            sys.stderr.write(text)
        return len(text)


@contextmanager
def log_to(home: Path, level: str, *, strict: bool = False) -> Generator[None]:
    """Write what happens inside to `home`/stratigos.log; `strict` fails where it cannot be written."""
    import structlog

    logging.getLogger().addHandler(_SILENT)  # libraries would write tracebacks between our lines
    with io.FileIO(home / _LOG, "a") as out:
        structlog.configure(
            processors=[
                structlog.contextvars.merge_contextvars,
                structlog.processors.add_log_level,
                structlog.processors.TimeStamper(fmt="iso", utc=True),
                structlog.processors.format_exc_info,
                structlog.processors.JSONRenderer(),
            ],
            wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
            logger_factory=structlog.WriteLoggerFactory(file=_Lines(out, strict=strict)),
        )
        try:
            yield
        finally:
            structlog.reset_defaults()


def record(error: BaseException, home: Path | None) -> Path | None:
    """Keep the traceback of a fault, and say where: in the home's log, or in a file of its own."""
    import structlog

    if home is not None:
        with suppress(OSError), log_to(home, "error", strict=True):
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
