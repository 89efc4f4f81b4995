"""A result as JSON or CSV; the same result gives the same bytes."""

import csv
import io
import json
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from desk.figures.figures import Figure
from desk.optimization.attribution_schemas import AssetShare, Attribution
from desk.optimization.reading.chart_schemas import Provenance
from desk.optimization.result import OptimizationResult
from quant.strategies.config import StrategyConfig
from quant.strategies.metrics import METRICS
from quant.strategies.trial import Trial

if TYPE_CHECKING:
    from desk.optimization.reading.history import History

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_CONFIG = tuple(StrategyConfig.model_fields)
_PLOTTED = (
    "number",
    "digest",
    "objective",
    "volatility",
    "excess_return",
    "drawdown",
    "feasible",
    "screened",
)
_PROVENANCE = ("job", "as_of", "data_version", "code_version", "result_digest")
"""Fields of the provenance that every row of a CSV file repeats."""


def provenance(run: str, result: OptimizationResult) -> Provenance:
    manifest = result.manifest
    return Provenance(
        job=run,
        as_of=manifest.last_day,
        data_version=manifest.data_digest,
        code_version=manifest.code_version,
        result_digest=result.digest(),
    )


def as_json(result: OptimizationResult) -> str:
    return result.model_dump_json(indent=2) + "\n"


def as_document(
    result: OptimizationResult, trials: Sequence[Trial], of: Provenance, history: "History | None" = None
) -> str:
    """The whole result, all trials and the weights over time, with their provenance."""
    header, *rows = weight_table(result, history)
    document = {
        "provenance": of.model_dump(mode="json"),
        "result": result.model_dump(mode="json"),
        "trials": [trial.model_dump(mode="json") for trial in trials],
        "weights": {name: list(column) for name, column in zip(header, zip(*rows, strict=True), strict=False)},
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def as_csv(result: OptimizationResult, trials: Sequence[Trial], of: Provenance) -> str:
    """One row per trial; text that a spreadsheet would read as a formula is quoted."""
    header, *rows = trial_table(result, trials)
    name = result.manifest.request.name
    return _to_csv([("strategy", *header), *((name, *row) for row in rows)], of)


def as_figures(result: OptimizationResult, of: Provenance) -> str:
    """One row per figure of the result, with the tool that computed it."""
    return _to_csv(figure_table(result.figures), of)


def as_weights(result: OptimizationResult, of: Provenance, history: "History | None") -> str:
    """One row per session of train and validate: weights of strategy, benchmark and each asset."""
    return _to_csv(weight_table(result, history), of)


def weight_table(result: OptimizationResult, history: "History | None") -> Iterator[tuple[Any, ...]]:
    """The header, then one row per session; the header alone for a result without a winner.

    An asset's column has its name, after `asset: ` so that none is mistaken for another column.
    """
    shares = () if result.attribution is None else result.attribution.assets
    yield "date", "strategy", "constant_weight", *(f"asset: {share.name}" for share in shares)
    if history is None:
        return
    columns = [history.winner_weight, history.benchmark_weight]
    if history.asset_weights is not None:
        columns.extend(history.asset_weights)
    for date, *weights in zip(history.dates(), *columns, strict=True):
        yield str(date), *map(float, weights)


def asset_table(attribution: Attribution) -> Iterator[tuple[Any, ...]]:
    """What each asset of the winner holds, adds and costs, then borrowing and the whole."""
    yield tuple(AssetShare.model_fields)
    for share in attribution.assets:
        yield tuple(share.model_dump().values())
    yield "borrowing", None, None, attribution.borrowing_return, attribution.borrowing_volatility, None, None
    yield "total", None, None, attribution.excess_return, attribution.volatility, None, None


def as_figures_csv(figures: Iterable[Figure]) -> str:
    """One row per figure of a report that has no run."""
    return to_csv(figure_table(figures))


def figure_table(figures: Iterable[Figure]) -> Iterator[tuple[Any, ...]]:
    yield "figure", "quantity", "value", "unit", "error", "source"
    for figure in figures:
        yield figure.id, figure.quantity, figure.value, figure.unit, figure.error, figure.source


def trial_table(result: OptimizationResult, trials: Sequence[Trial]) -> Iterator[list[Any]]:
    """The header, then one row per trial that was evaluated on all paths; `history_` are its training metrics."""
    by_digest = {trial.digest: trial for trial in trials}
    yield [*_PLOTTED, "chosen", *_CONFIG, *(f"history_{name}" for name in METRICS)]
    for trial in result.trials:
        searched = by_digest.get(trial.digest)
        config = searched.config if searched else None
        parameters = [getattr(config, name, None) for name in _CONFIG]
        if config is None:
            parameters[_CONFIG.index("weight_function")] = trial.weight_function
        is_winner = result.winner is not None and trial.digest == result.winner.digest
        history = {name: value.value for name, _, value in searched.train.metrics.measured()} if searched else {}
        yield [*(getattr(trial, name) for name in _PLOTTED), is_winner, *parameters, *map(history.get, METRICS)]


def _to_csv(table: Iterable[Sequence[Any]], of: Provenance) -> str:
    values = [getattr(of, name) for name in _PROVENANCE]
    return to_csv((*row, *(values if n else _PROVENANCE)) for n, row in enumerate(table))


def to_csv(table: Iterable[Sequence[Any]]) -> str:
    """The rows as CSV; text that a spreadsheet would read as a formula is quoted."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    for row in table:
        writer.writerow([_cell(value) for value in row])
    return out.getvalue()


def _cell(value: object) -> object:
    """Numbers stay numbers; text that begins like a formula becomes plain text."""
    if isinstance(value, str) and value.startswith(_FORMULA):
        return "'" + value
    return value
