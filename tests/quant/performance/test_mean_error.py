import numpy as np
import pytest
from scipy.signal import lfilter
from scipy.special import stdtrit

from quant.numeric.errors import DataError
from quant.performance.mean_error import PARTS, mean_error, student_quantile


@pytest.mark.parametrize("persistence", [0.0, 0.95, 0.99])
def test_an_interval_of_the_mean_covers_it_in_95_percent_also_under_dependence(persistence: float) -> None:
    """A persistence of 0.99 is a half-life of 69 days, where a part has 400."""
    shocks = np.random.default_rng(5).normal(size=(800, 16 * 400 + 1000))
    series = np.asarray(lfilter([1.0], [1.0, -persistence], shocks))[:, 1000:]
    quantile = stdtrit(15, 0.975)
    covered = np.mean([abs(row.mean()) <= quantile * mean_error(row) for row in series])
    assert covered == pytest.approx(0.95, abs=0.025), "three errors of 800 trials"


def test_parts_differ_by_one_day_at_most_and_hold_every_day() -> None:
    series = np.random.default_rng(6).normal(size=101)
    parts = [series[101 * part // 16 : 101 * (part + 1) // 16].mean() for part in range(16)]
    assert mean_error(series) == pytest.approx(np.std(parts, ddof=1) / 4)
    assert mean_error(np.full(101, 0.25)) == 0.0


def test_a_series_needs_two_days_for_each_part() -> None:
    with pytest.raises(DataError, match="series"):
        mean_error(np.ones(2 * PARTS - 1))


@pytest.mark.parametrize("degrees", [4.0, 5.5, 15.0, 120.0, 1e9])
@pytest.mark.parametrize("probability", [0.025, 0.2, 0.5, 0.95, 0.975])
def test_quantiles_of_students_t_agree_with_scipy(degrees: float, probability: float) -> None:
    assert student_quantile(probability, degrees) == pytest.approx(stdtrit(degrees, probability), abs=1e-3)
