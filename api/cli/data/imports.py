"""`data import`: a price file becomes a named data set, for requests and conversations."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from pydantic import TypeAdapter, ValidationError

from api.accepted_values import input_error
from api.cli import options
from api.cli.dependencies import with_dependencies
from api.cli.exit_codes import DONE, USER_ERROR
from api.cli.runs.opening import server_url
from api.cli.terminal import plain, stdout
from api.settings import read_settings
from desk.base.errors import InvalidInput
from desk.market.datasets.schemas import DatasetName, ImportReport, Terms

if TYPE_CHECKING:
    from api.settings import Settings
    from graphs.dependencies import Dependencies

_NAME: TypeAdapter[str] = TypeAdapter(DatasetName)
_NAMES = "a name of small letters, digits, _ and -, such as mydata"
_DEFAULTS = Terms()


def import_(
    file: Annotated[str, typer.Argument(metavar="FILE", help="Daily closes or levels: CSV, Excel, Parquet or JSON.")],
    *,
    name: Annotated[
        str | None,
        typer.Option("--as", metavar="NAME", help="Name of a new or existing data set (by default that of the file)."),
    ] = None,
    kind: Annotated[
        str, typer.Option("--kind", help="prices; index, for levels or yields; or curve, for rates by tenor.")
    ] = _DEFAULTS.kind,
    currency: Annotated[str, typer.Option("--currency", help="Currency of the prices.")] = _DEFAULTS.currency,
    calendar: Annotated[
        str, typer.Option("--calendar", help="Exchange whose sessions the file must have, such as XNYS, or none.")
    ] = _DEFAULTS.calendar,
    price_index: Annotated[bool, typer.Option("--price-index", help="The prices leave dividends out.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only report what the import would do.")] = False,
    server: options.Server = None,
    json_: options.AsJson = False,
) -> int:
    """Import a file as a data set (exit code 2 if a quality gate fails); NAME is then a universe of requests."""
    try:
        dataset = _NAME.validate_python(Path(file).stem.lower() if name is None else name)
        terms = Terms.model_validate(
            {"kind": kind, "currency": currency, "calendar": calendar, "total_return": not price_index}
        )
    except ValidationError as error:
        if error.title == "Terms":
            raise input_error(error, lambda path: f"--{path}") from error
        raise InvalidInput("--as", name or Path(file).stem, allowed=_NAMES) from error
    try:
        content = Path(file).read_bytes()
    except OSError as error:
        reason = f"cannot be read: {error.strerror}"
        raise InvalidInput("FILE", file, reason=reason, allowed="a file of prices") from error
    if url := server_url(read_settings(), server):
        report = _import_there(url, dataset, content, terms, commit=not dry_run)
        return _close(report, as_json=json_)

    async def answer(settings: "Settings", dependencies: "Dependencies") -> int:
        from desk.market.datasets.ingestion import import_file  # computes with numpy

        now = dependencies.now()
        report = await import_file(
            dependencies.store, settings.owner, dataset, content, terms, commit=not dry_run, now=now
        )
        return _close(report, as_json=json_)

    return with_dependencies(answer)


def _import_there(url: str, dataset: str, content: bytes, terms: Terms, *, commit: bool) -> ImportReport:
    from api.client.client import Client  # an adapter is imported when it is used

    settings = read_settings()
    with Client(url, key=settings.key, renew_key=settings.renew_key) as client:
        return client.import_prices(dataset, content, terms, commit=commit)


def _close(report: ImportReport, *, as_json: bool) -> int:
    code = DONE if report.usable else USER_ERROR
    if as_json:
        print(report.model_dump_json())
        return code
    version, console = report.version, stdout()
    days = f"{version.days} days, {version.first} to {version.last}"
    console.print(plain(f"{report.dataset}: {days}, in {version.currency}"))
    console.print(plain(f"assets: {', '.join(version.assets)}"))
    for gate in version.gates:
        if gate.status in ("WARN", "FAIL"):
            console.print(plain(f"{gate.status} {gate.name}: {gate.detail}"))
    if report.committed:
        console.print(f"✔ stored as {report.dataset}@{version.hash[:12]}; optimize --universe {report.dataset} uses it")
    elif report.unchanged:
        console.print("✔ unchanged: the data set has this content already")
    else:
        console.print("✔ usable; nothing is stored by --dry-run" if report.usable else "✖ not usable")
    return code
