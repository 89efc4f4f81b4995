"""`show`: the result of a run."""

import typer

from api.cli.exit_codes import DONE
from api.cli.following import save_report
from api.cli.options import AsJson, RunName, Server
from api.cli.output.files import print_bytes
from api.cli.output.results import print_result
from api.cli.runs.opening import open_runs
from api.settings import read_settings


def register(app: typer.Typer) -> None:
    app.command()(show)


def show(run: RunName, *, server: Server = None, json_: AsJson = False) -> int:
    """Show the result of a run, and write its report again."""
    with open_runs(server) as runs:
        if json_:
            print_bytes(runs.export(run, "json"))
            return DONE
        completed = runs.completed(run)
        path = save_report(read_settings(), runs, completed)
    print_result(completed.result, path, watermark=completed.watermark)
    return DONE
