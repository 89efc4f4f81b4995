"""`data`: the quality gates of a price file, imports, and the check of correlations."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from api.cli.command_line import CommandLine
from api.cli.data.correlations import correlations
from api.cli.data.imports import import_
from api.cli.exit_codes import DONE, USER_ERROR
from api.cli.options import AsJson
from api.cli.terminal import plain, stdout
from desk.base.text import spaced

_SIGNS = {"PASS": "✔", "WARN": "◆", "FAIL": "✖", "SKIP": "–"}
_STYLES = {"PASS": "green", "WARN": "yellow", "FAIL": "bold red", "SKIP": "dim"}


def register(app: typer.Typer) -> None:
    data = CommandLine(help="Price data.", rich_markup_mode="rich", no_args_is_help=True)
    data.command()(check)
    data.command("import")(import_)
    data.command()(correlations)
    data.callback()(_data)
    app.add_typer(data, name="data")


def _data() -> None:
    """Price data."""


def check(
    file: Annotated[str, typer.Argument(metavar="FILE", help="Daily closes: CSV, Excel, Parquet or JSON.")],
    *,
    calendar: Annotated[
        str, typer.Option("--calendar", help="Exchange whose sessions the file must have, such as XNYS, or none.")
    ] = "XNYS",
    json_: AsJson = False,
) -> int:
    """Check a price file against every quality gate (exit code 2 if it cannot be used)."""
    # the gates compute with numpy
    from desk.market.checks.prices import inspect
    from desk.market.files.price_file import PriceFile

    prices = asyncio.run(PriceFile(Path(file)).load("file"))
    report = inspect(prices, None if calendar == "none" else calendar)
    if json_:
        print(report.model_dump_json())
        return DONE if report.usable else USER_ERROR
    console = stdout()
    console.print(plain(f"{report.source}: {report.sessions} sessions, {report.first} to {report.last}"))
    console.print(plain(f"assets: {', '.join(report.assets)}"))
    table = Table(box=None, pad_edge=False)
    for heading in ("Gate", "State", "Found"):
        table.add_column(heading, no_wrap=heading != "Found")
    for gate in report.gates:
        table.add_row(
            spaced(gate.name),
            f"{_SIGNS[gate.status]} {gate.status}",
            plain(gate.detail) + ("" if not gate.rows else "\n" + plain("; ".join(gate.rows[:5]))),
            style=_STYLES[gate.status] if gate.status != "PASS" else None,
        )
    console.print(table)
    console.print(f"content hash: {report.digest}")
    console.print(
        "✔ usable"
        if report.usable
        else "✖ not usable: fix the gates that fail; --calendar NAME (or none) for other sessions"
    )
    return DONE if report.usable else USER_ERROR
