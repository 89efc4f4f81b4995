"""The log: one JSON object per line, in the home folder or on standard output, with secrets removed."""

import io
import json
import logging
import os
import re
import sys
import tempfile
import threading
import traceback
from collections.abc import Generator, Mapping, MutableMapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path
from typing import Any, Literal, TypeAlias

from agents.recording.scrubbing import scrub

Place: TypeAlias = Literal["home", "stdout"]

STDOUT = "standard output"
LIBRARIES = ("asyncio", "uvicorn")
"""Libraries whose log lines are converted to JSON on standard output."""

_LOG = "stratigos.log"
_SILENT = logging.NullHandler()
_HIDDEN = "***"
_SECRET_FIELD = re.compile(
    r"(?i)(^|[_-])(authorization|cookie|set-cookie|api[_-]?key|password|secret|ticket|token)($|[_-]?value$)"
)
_SECRET_VARIABLE = re.compile(r"(KEY|SECRET|TOKEN|PASSWORD)(_ID)?$")
_MIN_SECRET_LENGTH = 8
"""Shorter values of variables are not removed, because they may be ordinary words."""
_CREDENTIALS = re.compile(
    r"stratigos_[0-9a-f]{6,}_[A-Za-z0-9_-]+|eyJ[A-Za-z0-9_-]{4,}\.[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]*)?|(?<=ticket=)[^&\s\"\\]+"
)
"""API keys, JSON web tokens, and tickets in URLs."""


class _Lines(io.StringIO):
    """Writes each text as one line; when the disk is full, to stderr instead of failing, unless `strict`."""

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


class _Logs(io.StringIO):
    """The open logs: each text goes to the log of the run that produced it, or to the one that was opened last.

    Structlog has one configuration in a process, and runs in threads have a log each.
    """

    def __init__(self) -> None:
        super().__init__()
        self._own: ContextVar[_Lines | None] = ContextVar("log", default=None)
        self._open: dict[_Lines, dict[str, Any]] = {}
        """The open logs with their configurations, in the order in which they were opened."""
        self._lock = threading.Lock()
        self._before: dict[str, Any] | None = None
        """Structlog's configuration before the first log was opened."""

    def write(self, text: str, /) -> int:
        own, opened = self._own.get(), tuple(self._open)
        if not opened:
            sys.stderr.write(text)
            return len(text)
        return (own if own in opened else opened[-1]).write(text)

    @contextmanager
    def opened(self, lines: _Lines, configuration: dict[str, Any]) -> Generator[None]:
        import structlog

        own = self._own.get()
        with self._lock:
            if not self._open:
                self._before = structlog.get_config() if structlog.is_configured() else None
            structlog.configure(**configuration)
            self._open[lines] = configuration
        self._own.set(lines)
        try:
            yield
        finally:
            self._own.set(own)
            with self._lock:
                del self._open[lines]
                last = next(reversed(self._open.values()), self._before)
                structlog.reset_defaults()
                if last is not None:
                    structlog.configure(**last)


_logs = _Logs()


class Secrets:
    """Removes secrets from lines: secret fields, credentials, and the values of secret environment variables."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        secrets = {
            v for name, v in environment.items() if _SECRET_VARIABLE.search(name) and len(v) >= _MIN_SECRET_LENGTH
        }
        self._values = sorted({json.dumps(value)[1:-1] for value in secrets}, key=len, reverse=True)

    def fields(self, _: object, __: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        return _without_fields(dict(line))

    def text(self, _: object, __: str, line: Any) -> str:
        for value in self._values:
            line = line.replace(value, _HIDDEN)
        return scrub(_CREDENTIALS.sub(_HIDDEN, line))


class _LibraryHandler(logging.Handler):
    """Converts lines of a library."""

    def emit(self, record: logging.LogRecord) -> None:
        import structlog

        logger: Any = structlog.get_logger()
        fields = {"library": record.name, "told": record.getMessage()}
        logger.log(record.levelno, "library", **fields, exc_info=record.exc_info or None)


@contextmanager
def log_to(home: Path, level: str, *, strict: bool = False, place: Place = "home") -> Generator[None]:
    """Log to `home`/stratigos.log or to stdout inside the block; `strict` raises when it cannot be written."""
    import structlog

    logging.getLogger().addHandler(_SILENT)  # keeps tracebacks of libraries out of the log
    secrets = Secrets(os.environ)
    with stdout_lines() if place == "stdout" else io.FileIO(home / _LOG, "a") as out:
        configuration = {
            "processors": [
                structlog.contextvars.merge_contextvars,
                structlog.processors.add_log_level,
                structlog.processors.TimeStamper(fmt="iso", utc=True),
                structlog.processors.format_exc_info,
                secrets.fields,
                structlog.processors.JSONRenderer(),
                secrets.text,
            ],
            "wrapper_class": structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
            "logger_factory": structlog.WriteLoggerFactory(file=_logs),
        }
        with _logs.opened(_Lines(out, strict=strict), configuration):
            yield


@contextmanager
def capture_library_logs(place: Place) -> Generator[None]:
    """Convert the log lines of uvicorn and asyncio when the log is on standard output."""
    if place == "home":
        yield
        return
    handler = _LibraryHandler()
    loggers = [logging.getLogger(name) for name in LIBRARIES]
    for logger in loggers:
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        for logger in loggers:
            logger.removeHandler(handler)
            logger.setLevel(logging.NOTSET)


def stdout_lines() -> io.FileIO:
    """Unbuffered standard output: each line is one system call, so lines of processes do not mix."""
    return io.FileIO(sys.stdout.fileno(), "w", closefd=False)


def record(error: BaseException, home: Path | None, place: Place = "home") -> Path | str | None:
    """Write the traceback of an unexpected error to the log or a file, and return where."""
    import structlog

    if home is not None:
        with suppress(OSError), log_to(home, "error", strict=True, place=place):
            logger: Any = structlog.get_logger()
            logger.error("fault", exc_info=error)
            return home / _LOG if place == "home" else STDOUT
    with (
        suppress(OSError),
        tempfile.NamedTemporaryFile("w", prefix="stratigos-fault-", delete=False) as out,
    ):
        traceback.print_exception(error, file=out)
        return Path(out.name)
    return None


def _without_fields(value: Any) -> Any:
    match value:
        case dict():
            return {k: _HIDDEN if _SECRET_FIELD.search(str(k)) else _without_fields(v) for k, v in value.items()}
        case list() | tuple():
            return [_without_fields(item) for item in value]
        case _:
            return value
