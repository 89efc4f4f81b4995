"""Compares two results: differences of requests, data, code, decisions and key figures."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from desk.base.text import spaced
from desk.figures import labels
from desk.figures.figures import Figure, Unit
from desk.figures.sheet import Sheet
from desk.optimization.request import OptimizationRequest
from desk.optimization.result import OptimizationResult
from quant.numeric.frozen import Frozen
from quant.numeric.measured import Measured
from quant.strategies.metrics import metrics_shown

_PERCENT = frozenset(
    "target_volatility min_weight max_weight max_change expected_premium mu sigma cash_rate probability bound "
    "tolerated dividend_yield cash_rate_after no_trade_band constant_weight".split()
)
_WORDS = {"mu": "expected return", "sigma": "volatility", "bound": "largest value"}


class Change(Frozen):
    """A field of the request in which the results differ."""

    field: str
    """Path of the field."""
    words: str
    """The field for people."""
    first: str
    """Value in the first result."""
    second: str
    """Value in the second result."""


class Comparison(Frozen):
    """Two results, second minus first."""

    identical: bool
    """Whether the results have the same digest."""
    changes: tuple[Change, ...]
    """Fields of the request that differ."""
    same_data: bool
    """Whether both used the same prices."""
    same_seed: bool
    """Whether both used the same seed."""
    same_code: bool
    """Whether both used the same version of the program."""
    same_decisions: bool
    """Decisions of the agents, which may differ for the same request."""
    same_winner: bool
    """Whether both chose the same configuration."""
    figures: tuple[Figure, ...]
    """Differences, each with its standard error."""


def compare(first: OptimizationResult, second: OptimizationResult) -> Comparison:
    changes = tuple(_changes(first.manifest.request, second.manifest.request))
    return Comparison(
        identical=first.digest() == second.digest(),
        changes=changes,
        same_data=_data(first) == _data(second),
        same_seed=first.manifest.request.seed == second.manifest.request.seed,
        same_code=first.manifest.code_version == second.manifest.code_version,
        same_decisions=_numeric_decisions(first) == _numeric_decisions(second),
        same_winner=first.winner is not None
        and second.winner is not None
        and first.winner.digest == second.winner.digest,
        figures=_figures(first, second, changes),
    )


def _data(result: OptimizationResult) -> tuple[str, str]:
    return result.manifest.data_digest, result.manifest.rates_digest


def _numeric_decisions(result: OptimizationResult) -> list[tuple[str, int, dict[str, Any]]]:
    """Return the decisions that affect numbers, without the claims of the agents."""
    without_claims = (
        (d.agent, d.ordinal, {name: value for name, value in d.answer.items() if name != "claims"})
        for d in result.manifest.decisions
    )
    return [decision for decision in without_claims if decision[2]]


def _changes(first: OptimizationRequest, second: OptimizationRequest) -> Iterator[Change]:
    fields = [dict(_flat(_plain(request))) for request in (first, second)]
    for field in dict.fromkeys((*fields[0], *fields[1])):
        before, after = (_format_value(field, of.get(field)) for of in fields)
        if before != after:
            yield Change(field=field, words=_in_words(field), first=before, second=after)


def _plain(request: OptimizationRequest) -> dict[str, Any]:
    """Dump a request with scenarios by name, without the private path of the price file."""
    dumped = request.model_dump(exclude={"prices_file"})
    return dumped | {"scenarios": {scenario["name"]: scenario for scenario in dumped["scenarios"]}}


def _flat(values: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{path}{name}.")  # pyright: ignore[reportUnknownArgumentType]
        else:
            yield f"{path}{name}", value


def _format_value(field: str, value: Any) -> str:
    if value is None or value == ():
        return "none"
    if isinstance(value, tuple):
        return ", ".join(_format_value(field, one) for one in value)  # pyright: ignore[reportUnknownVariableType]
    if isinstance(value, float):
        return f"{value:.6g}" if field.rpartition(".")[2] not in _PERCENT else f"{100 * value:.6g}%"
    return str(value)


def _in_words(field: str) -> str:
    return " of ".join(_WORDS.get(part, spaced(part)) for part in reversed(field.split(".")))


def _figures(first: OptimizationResult, second: OptimizationResult, changes: Sequence[Change]) -> tuple[Figure, ...]:
    sheet = Sheet("compare_results", "compare")
    sheet.add("changes", "differences between the requests", len(changes), "count")
    for n, change in enumerate(changes, 1):
        sheet.add(f"change_{n}_setting", "a setting that differs", change.words, "text")
        sheet.add(f"change_{n}_first", 'value of a differing setting in the "former result"', change.first, "text")
        sheet.add(f"change_{n}_second", 'value of a differing setting in the "latter result"', change.second, "text")
    for word, of, result in (("first", "former", first), ("second", "latter", second)):
        manifest = result.manifest
        sheet.add(f"verdict_{word}", f'colour of the verdict of the "{of} result"', result.verdict.colour, "text")
        sheet.add(f"last_day_{word}", f'last day of the prices of the "{of} result"', manifest.last_day, "date")
        sheet.add(f"seed_{word}", f'seed of the "{of} result"', str(manifest.request.seed), "text")
        if result.winner is not None:
            name = labels.strategy_label(result.winner.config)
            sheet.add(f"winner_{word}", f'the winning configuration of the "{of} result"', name, "text")
    of_first, of_second = _key_figures(first), _key_figures(second)
    for name, (words, unit, value) in of_first.items():
        other = of_second[name][2]
        sheet.add(f"{name}_first", f'{words} in the "former result"', value, unit)
        sheet.add(f"{name}_second", f'{words} in the "latter result"', other, unit)
        if value is not None and other is not None:
            change, in_ = _difference(value, other, unit)
            sheet.add(f"{name}_change", f'{words}, the "latter less the former"', change, in_)
    return sheet.figures


def _key_figures(result: OptimizationResult) -> dict[str, tuple[str, Unit, Measured | None]]:
    benefit, luck = result.benefit, result.luck
    train = result.winner.train.metrics if result.winner else None

    def plain(value: float | None) -> Measured | None:
        return None if value is None else Measured(value=value)

    return {
        "benefit": (
            "benefit over the volatility-matched constant weight",
            "bps",
            benefit.basis_points if benefit else None,
        ),
        "timing": ("part of the benefit that timing earns", "bps", benefit.timing_bps if benefit else None),
        "drawdown_saved": (
            "mean drawdown of the benchmark minus the winner's",
            "points",
            benefit.drawdown_points if benefit else None,
        ),
        **{
            row.short or name: (
                f"{row.glossed_quantity} of the winner on the training history",
                row.unit,
                None if train is None else getattr(train, name),
            )
            for name, row in metrics_shown("comparison").items()
        },
        "confidence": (
            "deflated Sharpe ratio of the advantage, the confidence that it is more than luck",
            "probability",
            plain(luck.active_deflated_sharpe if luck else None),
        ),
        "overfitting": (
            "probability of backtest overfitting",
            "probability",
            plain(luck.overfitting if luck else None),
        ),
        "trials": ("configurations tried", "count", plain(result.counts.trials)),
    }


def _difference(first: Measured, second: Measured, unit: Unit) -> tuple[Measured, Unit]:
    """Difference with an error for independent values, which is too large on common paths."""
    factor = 100.0 if unit in ("percent", "probability") else 1.0
    errors = [e.error for e in (first, second) if e.error is not None]
    error = factor * math.hypot(*errors) if len(errors) == 2 else None
    value = Measured(value=factor * (second.value - first.value), error=error)
    return value, "points" if factor != 1.0 else unit
