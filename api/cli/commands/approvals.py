"""`approvals`: questions that wait for a decision."""

import typer

from api.cli.exit_codes import DONE
from api.cli.options import AsJson, Server
from api.cli.output.results import print_questions
from api.cli.runs.opening import open_runs


def register(app: typer.Typer) -> None:
    app.command()(approvals)


def approvals(*, server: Server = None, json_: AsJson = False) -> int:
    """List the runs that wait for your decision, newest first; at a server also those of other users."""
    with open_runs(server) as runs:
        print_questions(runs.questions(), as_json=json_)
    return DONE
