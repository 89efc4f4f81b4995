"""`export`: a result as a file."""

from typing import Annotated

import typer

from api.cli.exit_codes import DONE
from api.cli.options import RunName, Server
from api.cli.output.files import print_bytes, save_file
from api.cli.runs.opening import open_runs
from api.export.job_files import Format


def register(app: typer.Typer) -> None:
    app.command()(export)


def export(
    run: RunName,
    *,
    format_: Annotated[
        Format,
        typer.Option("--format", help="json: the whole result; csv: the trials; xlsx: both; html: the report."),
    ] = "json",
    output: Annotated[
        str,
        typer.Option("--output", "-o", metavar="PATH", help="A file that does not exist yet; - is stdout."),
    ] = "-",
    force: Annotated[bool, typer.Option("--force", help="Overwrite the file.")] = False,
    server: Server = None,
) -> int:
    """Write a result as JSON, its trials as CSV, both as a workbook, or its report as HTML."""
    with open_runs(server) as runs:
        content = runs.export(run, format_)
    if output == "-":
        print_bytes(content)
    else:
        save_file(output, content, force=force)
    return DONE
