"""`cancel`: end a run."""

import sys
from typing import Annotated

import typer

from api.cli.exit_codes import DONE
from api.cli.options import RunName, Server
from api.cli.runs.opening import open_runs


def register(app: typer.Typer) -> None:
    app.command()(cancel)


def cancel(
    run: RunName,
    *,
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; its history shows it.")] = "",
    server: Server = None,
) -> int:
    """Cancel a job of a server, or a run that is computed elsewhere; its finished trials are kept.

    Ctrl-C ends a run that a terminal computes.
    """
    with open_runs(server) as runs:
        print(runs.cancel(run, reason), file=sys.stderr)
    return DONE
