"""`tearsheet`: the statistics of a return series, on the terminal or as a file."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, TypeAlias, get_args

import typer
from pydantic import ValidationError

from api.cli.exit_codes import DONE
from api.cli.options import Server
from api.cli.output.files import format_of, print_bytes, save_file
from api.cli.output.tearsheet import show_tearsheet
from api.cli.runs.opening import open_runs
from api.cli.terminal import stdout
from api.export.job_files import Format
from api.export.tearsheet.files import as_file
from desk.base.errors import InvalidInput, reason_and_allowed
from desk.tearsheets.schemas import TearsheetRequest, TearsheetTable

FORMATS: tuple[Format, ...] = get_args(Format)
OutputFormat: TypeAlias = Literal["text", "json", "csv", "xlsx", "html"]
_SUBJECT = "Subject (one of these)"
_HOW = "Comparison and days"
_FILE = "Output"


def register(app: typer.Typer) -> None:
    app.command()(tearsheet)


def _subject(name: str, metavar: str, text: str) -> typer.models.OptionInfo:
    return typer.Option(name, metavar=metavar, help=text, show_default=False, rich_help_panel=_SUBJECT)


def _how(name: str, metavar: str, text: str) -> typer.models.OptionInfo:
    return typer.Option(name, metavar=metavar, help=text, show_default=False, rich_help_panel=_HOW)


def tearsheet(
    *,
    asset: Annotated[str | None, _subject("--asset", "NAME", "sp500, AAPL, or an asset of your data sets.")] = None,
    prices: Annotated[str | None, _subject("--prices", "FILE", "A file of prices, of any frequency.")] = None,
    returns: Annotated[str | None, _subject("--returns", "FILE", "A file of returns: 0.01 is one percent.")] = None,
    portfolio: Annotated[str | None, _subject("--portfolio", "ID", "A stored portfolio.")] = None,
    holdings: Annotated[
        str | None, _subject("--holdings", "FILE", "Weights over time: a date and one column per asset, cash included.")
    ] = None,
    run: Annotated[str | None, _subject("--run", "RUN", "The winner of a run: its id or `last`.")] = None,
    column: Annotated[str | None, _how("--column", "NAME", "The column of a file with several series.")] = None,
    benchmark: Annotated[
        str | None,
        _how("--benchmark", "NAME", "An asset, a column of the file, `none`, or of a run `asset`; sp500 by default."),
    ] = None,
    cash_rate: Annotated[
        str | None, _how("--cash-rate", "X", "Riskless rate a year; the Treasury bill by default.")
    ] = None,
    periods: Annotated[str | None, _how("--periods", "N", "Periods a year; by the dates by default.")] = None,
    window: Annotated[str | None, _how("--window", "N", "Periods of a rolling window; half a year by default.")] = None,
    first_day: Annotated[str | None, _how("--first-day", "DATE", "First day used.")] = None,
    last_day: Annotated[str | None, _how("--last-day", "DATE", "Last day used.")] = None,
    format_: Annotated[
        OutputFormat | None,
        typer.Option(
            "--format",
            help="text, json, csv (one table), xlsx (all tables) or html (a page); by default that of --output.",
            rich_help_panel=_FILE,
        ),
    ] = None,
    table: Annotated[
        TearsheetTable, typer.Option("--table", help="The content of a csv file.", rich_help_panel=_FILE)
    ] = "statistics",
    output: Annotated[
        str,
        typer.Option(
            "--output", "-o", metavar="PATH", help="A file that does not exist yet; - is stdout.", rich_help_panel=_FILE
        ),
    ] = "-",
    force: Annotated[bool, typer.Option("--force", help="Overwrite the file.", rich_help_panel=_FILE)] = False,
    server: Server = None,
) -> int:
    """Describe a return series: growth, drawdowns, calendar, risk over time, tail, benchmark and crises."""
    form: OutputFormat = format_ or ("text" if output == "-" else format_of(output, FORMATS))
    _check_subject(asset=asset, prices=prices, returns=returns, portfolio=portfolio, holdings=holdings, run=run)
    fields: dict[str, object] = {
        "asset": asset,
        "portfolio": portfolio,
        "benchmark": benchmark,
        "cash_rate": cash_rate,
        "periods": periods,
        "window": window,
        "first_day": first_day,
        "last_day": last_day,
    }
    present = {name: value for name, value in fields.items() if value is not None}
    present |= _from_files(prices, returns, holdings, column, benchmark)
    with open_runs(server) as runs:
        if run is not None:
            present["job"] = runs.completed(run).run
        document = runs.tearsheet(_request(present))
    if form == "text":
        show_tearsheet(stdout(), document)
        return DONE
    content = as_file(document, form, table)
    if output == "-":
        print_bytes(content)
    else:
        save_file(output, content, force=force)
    return DONE


def _check_subject(**subjects: str | None) -> None:
    present = [f"--{name}" for name, value in subjects.items() if value is not None]
    if len(present) != 1:
        reason = f"the subject is {' and '.join(present) or 'missing'}"
        allowed = f"exactly one of {', '.join(f'--{name}' for name in subjects)}"
        raise InvalidInput("tearsheet", present, reason=reason, allowed=allowed)


def _from_files(
    prices: str | None, returns: str | None, holdings: str | None, column: str | None, benchmark: str | None
) -> Mapping[str, object]:
    """The fields of the request that come from files; a benchmark may be another column of the file."""
    if column is not None and not (prices or returns):
        raise InvalidInput("--column", column, allowed="--column with --prices or --returns")
    if not (prices or returns or holdings):
        return {}
    # files are read with numpy
    from desk.tearsheets.series_files import read_holdings, read_series

    if holdings is not None:
        return {"holdings": read_holdings(Path(holdings))}
    path = Path(prices or returns or "")
    kind = "prices" if prices else "returns"
    (series,) = read_series(path, kind, [column], field="--column")
    fields: dict[str, object] = {"series": series}
    if benchmark is not None:
        try:
            (other,) = read_series(path, kind, [benchmark], field="--benchmark")
        except InvalidInput as error:
            if error.field != "--benchmark":
                raise
        else:
            fields |= {"benchmark": None, "benchmark_series": other}
    return fields


def _request(fields: Mapping[str, object]) -> TearsheetRequest:
    try:
        return TearsheetRequest.model_validate(fields)
    except ValidationError as error:
        first = error.errors()[0]
        reason, allowed = reason_and_allowed(first["msg"])
        path = ".".join(map(str, first["loc"]))
        field = _OPTIONS.get(path, "--" + path.replace("_", "-") if path else "tearsheet")
        raise InvalidInput(field, first["input"], reason=reason, allowed=allowed or "a value as in --help") from error


_OPTIONS = {"job": "--run"}
"""Options whose name is not that of the field."""
