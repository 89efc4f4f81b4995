"""The metrics of an evaluation as figures: which are shown in a place, their names, quantities and units."""

from collections.abc import Iterator
from typing import NamedTuple

from desk.figures.figures import Unit
from quant.numeric.measured import Measured
from quant.numeric.units import BASIS_POINTS
from quant.strategies.metrics import Metric, Metrics, Place, metrics_shown


class MetricFigure(NamedTuple):
    name: str
    quantity: str
    value: Measured
    unit: Unit
    row: Metric


def metric_figures(metrics: Metrics, place: Place) -> Iterator[MetricFigure]:
    """The metrics shown in `place`, in the order of the table, without those that a stored result lacks."""
    for name, row, value in metrics.measured():
        if place in row.shown:
            yield MetricFigure(figure_name(name, row), row.glossed_quantity, _in_unit(row, value), row.unit, row)


def metric_labels(place: Place) -> dict[str, str]:
    """The labels of the metrics shown in `place`, by the name of the figure."""
    return {figure_name(name, row): row.label for name, row in metrics_shown(place).items()}


def figure_name(name: str, row: Metric) -> str:
    """The name of a metric in the id of a figure: with its unit where the figure is in basis points."""
    return f"{name}_bps" if row.unit == "bps" else name


def _in_unit(row: Metric, value: Measured) -> Measured:
    if row.unit != "bps":
        return value
    return Measured(value=BASIS_POINTS * value.value, error=None if value.error is None else BASIS_POINTS * value.error)
