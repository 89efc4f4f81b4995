"""`export`: a result as a file."""

from typing import Annotated, get_args

import typer

from api.cli.exit_codes import DONE
from api.cli.options import RunName, Server
from api.cli.output.files import format_of, print_bytes, save_file
from api.cli.runs.opening import open_runs
from api.export.job_files import Format

FORMATS: tuple[Format, ...] = get_args(Format)


def register(app: typer.Typer) -> None:
    app.command()(export)


def export(
    run: RunName,
    *,
    format_: Annotated[
        Format | None,
        typer.Option(
            "--format",
            help="json: the whole result; csv: the trials; xlsx: both; html: the report. By default that of the "
            "file's ending, and json on stdout.",
        ),
    ] = None,
    output: Annotated[
        str,
        typer.Option("--output", "-o", metavar="PATH", help="A file that does not exist yet; - is stdout."),
    ] = "-",
    force: Annotated[bool, typer.Option("--force", help="Overwrite the file.")] = False,
    server: Server = None,
) -> int:
    """Write a result as JSON, its trials as CSV, both as a workbook, or its report as HTML."""
    form: Format = format_ or ("json" if output == "-" else format_of(output, FORMATS))
    with open_runs(server) as runs:
        content = runs.export(run, form)
    if output == "-":
        print_bytes(content)
    else:
        save_file(output, content, force=force)
    return DONE
