"""The figures of a result's out-of-sample evidence."""

from collections.abc import Iterator

from desk.figures.figures import Figure, Unit
from desk.optimization.out_of_sample_schemas import CrossValidation, OutOfSample, WalkForward
from quant.numeric.measured import Measured

_WHERE = "in purged cross-validation"


def out_of_sample_figures(evidence: OutOfSample) -> Iterator[Figure]:
    if evidence.cross_validation is not None:
        yield from _cross_validation(evidence.cross_validation)
    if evidence.walk_forward is not None:
        yield from _walk_forward(evidence.walk_forward)


def _figure(part: str, id_: str, quantity: str, value: float | Measured | str, unit: Unit, field: str) -> Figure:
    number, error = (value.value, value.error) if isinstance(value, Measured) else (value, None)
    source = f"result.out_of_sample.{part}.{field}"
    return Figure(id=id_, quantity=quantity, value=number, unit=unit, error=error, source=source)


def _cross_validation(evidence: CrossValidation) -> Iterator[Figure]:
    advantage, utility = evidence.advantage_bps, evidence.utility_bps
    rows: tuple[tuple[str, str, float, Unit, str], ...] = (
        ("median_bps", f"median advantage {_WHERE}", advantage.median, "bps", "advantage_bps.median"),
        ("low_bps", f"lower end of the advantage {_WHERE}", advantage.low, "bps", "advantage_bps.low"),
        ("high_bps", f"upper end of the advantage {_WHERE}", advantage.high, "bps", "advantage_bps.high"),
        (
            "below_zero",
            f"share of negative outcomes {_WHERE}",
            advantage.below_zero,
            "percent",
            "advantage_bps.below_zero",
        ),
        ("utility_bps", f"median utility {_WHERE}", utility.median, "bps", "utility_bps.median"),
        ("paths", f"count of histories joined {_WHERE}", evidence.paths, "count", "paths"),
        ("purge", "purge of the cross-validation, on both sides of a test", evidence.purge, "days", "purge"),
        ("embargo", "embargo of the cross-validation, after a test", evidence.embargo, "days", "embargo"),
    )
    for name, quantity, value, unit, field in rows:
        yield _figure("cross_validation", f"cross_validation_{name}", quantity, value, unit, field)


def _walk_forward(evidence: WalkForward) -> Iterator[Figure]:
    rows: tuple[tuple[str, str, float | Measured, Unit, str], ...] = (
        ("bps", "walk-forward advantage, with the choice made anew each year", evidence.advantage_bps, "bps",
         "advantage_bps"),
        ("years", "length of the walk-forward series", evidence.years, "years", "years"),
        ("choices", "choices of the walk-forward, one for each calendar year", len(evidence.choices), "count",
         "choices"),
        ("changes", "how often the choice of the walk-forward changed", evidence.changes, "count", "changes"),
    )  # fmt: skip
    for name, quantity, value, unit, field in rows:
        yield _figure("walk_forward", f"walk_forward_{name}", quantity, value, unit, field)
