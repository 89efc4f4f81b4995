"""`runs`: the list of runs."""

import typer

from api.cli.exit_codes import DONE
from api.cli.options import AsJson, Server
from api.cli.output.results import print_summaries
from api.cli.runs.opening import open_runs


def register(app: typer.Typer) -> None:
    app.command()(runs)


def runs(*, server: Server = None, json_: AsJson = False) -> int:
    """List your runs, newest first."""
    with open_runs(server) as port:
        print_summaries(port.summaries(), as_json=json_)
    return DONE
