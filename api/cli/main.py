"""All commands, and the mapping of errors to messages and exit codes."""

import functools
import io
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import typer
from typer.core import TyperGroup
from typer.exceptions import TyperException

from api.cli.command_line import CommandLine
from api.cli.commands import (
    approvals,
    approve,
    audit,
    cancel,
    chat,
    cleanup,
    data,
    doctor,
    draft,
    export,
    keys,
    migrate,
    optimize,
    pipeline,
    replay,
    reproduce,
    runs,
    serve,
    show,
    surrogate,
    tearsheet,
    trace,
    work,
    worker,
)
from api.cli.exit_codes import BROKEN_PIPE, DONE, FAULT, INTERRUPTED, USER_ERROR
from api.cli.terminal import plain
from api.operations.log import Place, record
from api.settings import read_settings
from desk.base.errors import UserError
from store.errors import Corrupted, NewerSchema, StoreError, Unavailable

app = CommandLine(
    help=(
        "Stratigos searches for dynamic asset allocations and measures how much of the winner is luck.\n\n"
        "Agents decide what needs judgement; every number comes from the numeric core. "
        "Start with [bold]optimize --help[/bold]."
    ),
    rich_markup_mode="rich",
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120},
    epilog=(
        "Exit codes: 0 done, 1 a fault or a digest that differs, 2 invalid input, 3 a run waits for approval, "
        "130 interrupted."
    ),
)
for command in (
    optimize,
    chat,
    approve,
    approvals,
    audit,
    draft,
    runs,
    show,
    trace,
    reproduce,
    export,
    tearsheet,
    cancel,
    data,
    pipeline,
    surrogate,
    cleanup,
    migrate,
    replay,
    serve,
    keys,
    work,
    worker,
    doctor,
):
    command.register(app)


@functools.cache
def _parser() -> TyperGroup:
    """The parser of all commands, which takes 8 ms to build."""
    return typer.main.get_group(app)


def run(arguments: Sequence[str]) -> int:
    """Execute one command line; returns the exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    try:
        answer = _parser().main([*arguments] or ["--help"], prog_name="python -m api", standalone_mode=False)
        sys.stdout.flush()
    except TyperException as error:
        return _print_error(_usage(error))
    except UserError as error:
        return _print_error(str(error))
    except (Unavailable, Corrupted, NewerSchema) as error:
        return _storage_error(error)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    except SystemExit:  # Typer exits on a broken pipe
        return BROKEN_PIPE
    except KeyboardInterrupt:
        return INTERRUPTED
    except Exception as error:  # noqa: BLE001  (the outermost handler: logs the traceback, prints one line)
        return _fault(error)
    return answer if isinstance(answer, int) else DONE


def _usage(error: TyperException) -> str:
    """The message about a misspelled option or a superfluous argument."""
    return f"{error.format_message().strip()} (--help lists the options)"


def _print_error(message: str) -> int:
    print("\n".join(plain(line) for line in message.split("\n")), file=sys.stderr)
    return USER_ERROR


def _storage_error(error: StoreError) -> int:
    place = record(error, *_log())
    advice = "`doctor` names the file and how to repair it" + (f"; its traceback is in {place}" if place else "")
    if isinstance(error, Unavailable):
        advice = "try again later; `runs` lists the runs that have begun"
    print(plain(f"{error}; {advice}"), file=sys.stderr)
    return FAULT


def _fault(error: Exception) -> int:
    place = record(error, *_log())
    log = f"its traceback is in {place}" if place else "no log could be written"
    print(f"A fault ended the command ({type(error).__name__}); {log}", file=sys.stderr)
    return FAULT


def _log() -> tuple[Path | None, Place]:
    """The home, if it exists, and the destination of its log."""
    try:
        settings = read_settings()
    except UserError:
        return None, "home"
    return settings.home if settings.home.is_dir() else None, settings.log
