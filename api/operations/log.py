"""The log: one JSON object a line, in the home of the settings or on standard output."""

import io
import json
import logging
import os
import re
import sys
import tempfile
import traceback
from collections.abc import Generator, Mapping, MutableMapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Literal, TypeAlias

from agents.recording.scrubbing import scrub

Place: TypeAlias = Literal["home", "stdout"]

STDOUT = "standard output"
TOLD_BY = ("asyncio", "uvicorn")
"""Libraries whose lines become ours where a container reads them."""

_LOG = "stratigos.log"
_SILENT = logging.NullHandler()
_HIDDEN = "***"
_SECRET_FIELD = re.compile(
    r"(?i)(^|[_-])(authorization|cookie|set-cookie|api[_-]?key|password|secret|ticket|token)($|[_-]?value$)"
)
_SECRET_VARIABLE = re.compile(r"(KEY|SECRET|TOKEN|PASSWORD)(_ID)?$")
_SHORTEST = 8
"""Characters below which the value of a variable is a word that may stand anywhere."""
_OURS = re.compile(
    r"stratigos_[0-9a-f]{6,}_[A-Za-z0-9_-]+|eyJ[A-Za-z0-9_-]{4,}\.[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]*)?|(?<=ticket=)[^&\s\"\\]+"
)
"""API keys, JSON web tokens, and tickets of addresses."""


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


class Secrets:
    """Takes out of lines what may not stand in them; it knows the secrets of the environment by heart."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        found = {v for name, v in environment.items() if _SECRET_VARIABLE.search(name) and len(v) >= _SHORTEST}
        self._values = sorted({json.dumps(value)[1:-1] for value in found}, key=len, reverse=True)

    def fields(self, _: object, __: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        return _without_fields(dict(line))

    def text(self, _: object, __: str, line: Any) -> str:
        for value in self._values:
            line = line.replace(value, _HIDDEN)
        return scrub(_OURS.sub(_HIDDEN, line))


class _ToOurLog(logging.Handler):
    """Lines of a library in our form."""

    def emit(self, record: logging.LogRecord) -> None:
        import structlog

        logger: Any = structlog.get_logger()
        told = {"library": record.name, "told": record.getMessage()}
        logger.log(record.levelno, "library", **told, exc_info=record.exc_info or None)


@contextmanager
def log_to(home: Path, level: str, *, strict: bool = False, place: Place = "home") -> Generator[None]:
    """Write what happens inside to `home`/stratigos.log or to stdout; `strict` fails where it cannot be written."""
    import structlog

    logging.getLogger().addHandler(_SILENT)  # libraries would write tracebacks between our lines
    before, was_configured = structlog.get_config(), structlog.is_configured()
    secrets = Secrets(os.environ)
    with stdout_lines() if place == "stdout" else io.FileIO(home / _LOG, "a") as out:
        structlog.configure(
            processors=[
                structlog.contextvars.merge_contextvars,
                structlog.processors.add_log_level,
                structlog.processors.TimeStamper(fmt="iso", utc=True),
                structlog.processors.format_exc_info,
                secrets.fields,
                structlog.processors.JSONRenderer(),
                secrets.text,
            ],
            wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
            logger_factory=structlog.WriteLoggerFactory(file=_Lines(out, strict=strict)),
        )
        try:
            yield
        finally:
            structlog.reset_defaults()
            if was_configured:
                structlog.configure(**before)


@contextmanager
def libraries_told(place: Place) -> Generator[None]:
    """On standard output the lines of uvicorn and asyncio have our form; elsewhere they go where they always go."""
    if place == "home":
        yield
        return
    handler = _ToOurLog()
    loggers = [logging.getLogger(name) for name in TOLD_BY]
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
    """Each write is one call of the system, so that processes do not write into each other's lines."""
    return io.FileIO(sys.stdout.fileno(), "w", closefd=False)


def record(error: BaseException, home: Path | None, place: Place = "home") -> Path | str | None:
    """Keep the traceback of a fault, and say where: in the log, or in a file of its own."""
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
