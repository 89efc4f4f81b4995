"""A result as a workbook of Excel; the same result gives the same bytes."""

import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from api.export.formats import asset_table, figure_table, trial_table, weight_table
from api.export.formatting import benefit
from desk.optimization.reading.chart_schemas import Provenance
from desk.optimization.result import OptimizationResult
from quant.numeric.measured import Measured
from quant.strategies.metrics import METRICS, Metrics
from quant.strategies.trial import Trial

if TYPE_CHECKING:
    from desk.optimization.reading.history import History

EPOCH = datetime(1980, 1, 1)  # noqa: DTZ001 - the earliest that a ZIP file can say, in no time zone
Rows = Iterable[Sequence[Any]]


def as_workbook(
    result: OptimizationResult, trials: Sequence[Trial], of: Provenance, history: "History | None" = None
) -> bytes:
    return write_workbook(_sheets(result, trials, of) | _asset_sheets(result, history))


def write_workbook(sheets: Mapping[str, Rows]) -> bytes:
    """A workbook of these sheets, each with its header as the first row; equal sheets give equal bytes."""
    from openpyxl import Workbook
    from openpyxl.writer.excel import ExcelWriter

    workbook = Workbook(write_only=True)
    workbook.properties.creator = "Stratigos"
    workbook.properties.created = workbook.properties.modified = EPOCH
    for title, rows in sheets.items():
        sheet = workbook.create_sheet(title)
        sheet.freeze_panes = "A2"
        for row in rows:
            sheet.append([_cell(sheet, value) for value in row])
    output = io.BytesIO()
    with ZipFile(output, "w") as archive:
        ExcelWriter(workbook, archive).save()  # `Workbook.save` would put the time of day in
    return _timeless(output)


def _sheets(result: OptimizationResult, trials: Sequence[Trial], of: Provenance) -> dict[str, Rows]:
    others = [name for name in METRICS if name != "utility"]
    return {
        "Result": _summary(result, of),
        "Figures": figure_table(result.figures),
        "Scenarios": (
            (
                "scenario",
                "weight",
                "benefit_bps",
                "standard error",
                "timing_bps",
                "utility",
                "benchmark_utility",
                *others,
            ),
            *(
                (
                    s.scenario,
                    s.weight,
                    s.benefit_bps.value,
                    s.benefit_bps.error,
                    s.timing_bps.value,
                    s.winner.metrics.utility.value,
                    s.benchmark.metrics.utility.value,
                    *(_value(s.winner.metrics, name) for name in others),
                )
                for s in result.scenarios
            ),
        ),
        "Trials": trial_table(result, trials),
        "Request": (("field", "value"), *_flat(result.manifest.request.model_dump(mode="json"))),
    }


def _asset_sheets(result: OptimizationResult, history: "History | None") -> dict[str, Rows]:
    """Sheets of a result on several assets."""
    if result.attribution is None:
        return {}
    return {"Assets": asset_table(result.attribution), "Weights": weight_table(result, history)}


def _value(metrics: Metrics, name: str) -> float | None:
    """A metric; None where a stored result lacks it."""
    measured: Measured | None = getattr(metrics, name)
    return None if measured is None else measured.value


def _summary(result: OptimizationResult, of: Provenance) -> Iterator[tuple[str, Any]]:
    yield "what", "value"
    yield from of.model_dump().items()
    yield "name", result.manifest.request.name
    for reason in result.partial:
        yield "partial result", reason
    yield "verdict", result.verdict.colour
    yield "headline", result.verdict.headline
    yield "reason", result.verdict.reason
    yield "benefit", benefit(result)
    if result.winner is not None:
        for name, value in result.winner.config.model_dump(mode="json", exclude_none=True).items():
            yield f"winner: {name}", value
    for caveat in result.caveats:
        yield "caveat", caveat


def _flat(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict | list):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for name, one in items:
            yield from _flat(one, f"{path}.{name}" if path else str(name))
    else:
        yield path, value


def _cell(sheet: Any, value: Any) -> Any:
    """Text is text, whatever it begins with: nothing in the file is a formula.

    A carriage return becomes the end of a line: as such, XML would keep it with one of openpyxl's writers only.
    """
    from openpyxl.cell import WriteOnlyCell
    from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE

    if not isinstance(value, str):
        return value
    cell = WriteOnlyCell(sheet, ILLEGAL_CHARACTERS_RE.sub("�", value.replace("\r\n", "\n").replace("\r", "\n")))
    cell.data_type = "s"
    cell.quotePrefix = True
    return cell


def _timeless(archive: io.BytesIO) -> bytes:
    """The same archive with no time of day in it."""
    packed = io.BytesIO()
    with ZipFile(archive) as source, ZipFile(packed, "w", ZIP_DEFLATED) as target:
        for name in source.namelist():
            target.writestr(ZipInfo(name, EPOCH.timetuple()[:6]), source.read(name), ZIP_DEFLATED)
    return packed.getvalue()
