"""Which metrics are shown where, and the limits and columns that follow from their table."""

from typing import get_args

import pytest

from desk.figures.metric_figures import metric_figures
from desk.optimization.mandate_limits import LIMITS
from desk.optimization.reading.trial_pages import SortBy
from desk.optimization.request import Limits
from quant.numeric.measured import Measured
from quant.strategies.metrics import METRICS, Metrics, Place, metrics_shown

SAMPLE = Metrics(**{name: Measured(value=0.01 * place) for place, name in enumerate(METRICS, 1)})


@pytest.mark.parametrize("place", get_args(Place))
def test_the_figures_of_a_place_are_its_rows(place: Place) -> None:
    figures = list(metric_figures(SAMPLE, place))
    rows = metrics_shown(place)
    assert rows
    assert [figure.row for figure in figures] == list(rows.values())
    for figure, (name, row) in zip(figures, rows.items(), strict=True):
        scale = 10_000.0 if row.unit == "bps" else 1.0
        assert figure.value.value == pytest.approx(getattr(SAMPLE, name).value * scale)
        assert figure.unit == row.unit
        assert figure.quantity.startswith(row.quantity)


def test_trials_are_sorted_by_every_metric() -> None:
    assert get_args(SortBy) == ("number", "objective", *METRICS)


def test_every_limit_bounds_a_metric() -> None:
    assert list(LIMITS) == list(Limits.model_fields)
    assert {row.metric for row in LIMITS.values()} <= {*METRICS}
