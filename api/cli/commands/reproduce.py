"""`reproduce`: compute a completed run again and compare the digests."""

import sys

import typer

from api.cli.exit_codes import DONE, FAULT
from api.cli.options import RunName, Server
from api.cli.output.results import print_digests
from api.cli.runs.opening import open_runs
from api.cli.runs.port import FailedRun


def register(app: typer.Typer) -> None:
    app.command()(reproduce)


def reproduce(run: RunName, *, server: Server = None) -> int:
    """Repeat a run from its manifest, without any model, and compare the digests (exit code 1 if they differ)."""
    with open_runs(server) as runs:
        reproduction = runs.reproduce(run)
    if isinstance(reproduction, FailedRun):
        print(reproduction.message, file=sys.stderr)
        return FAULT
    return DONE if print_digests(reproduction) else FAULT
