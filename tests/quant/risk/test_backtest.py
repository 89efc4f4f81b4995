"""Coverage tests against published ratios, likelihoods written with scipy, and their size and power in simulation."""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from quant.numeric.errors import DataError
from quant.risk.backtest import christoffersen, kupiec, rolling_value_at_risk
from quant.risk.tails import Method, value_at_risk
from quant.volatility.garch import Garch


def days_of(hits: list[bool] | np.ndarray) -> np.ndarray:
    return np.where(hits, -0.03, 0.001)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 600), st.sampled_from([0.9, 0.95, 0.99]))
def test_kupiecs_ratio_is_that_of_two_binomials(count: int, level: float) -> None:
    test = kupiec(days_of(np.arange(600) < count), 0.02, level)
    ratio = 2 * (stats.binom.logpmf(count, 600, count / 600) - stats.binom.logpmf(count, 600, 1 - level))
    assert test.exceedances == count
    assert test.expected == pytest.approx(600 * (1 - level))
    assert test.test.statistic == pytest.approx(ratio, rel=1e-6, abs=1e-9)
    assert test.test.p_value == pytest.approx(stats.chi2.sf(test.test.statistic, 1), rel=1e-9, abs=1e-300)


@pytest.mark.parametrize(
    ("level", "observations", "lowest", "highest"),
    [(0.99, 255, 0, 7), (0.99, 510, 1, 11), (0.99, 1000, 4, 17), (0.95, 255, 6, 21), (0.95, 510, 16, 36)],
)
def test_the_95_percent_regions_are_kupiecs(level: float, observations: int, lowest: int, highest: int) -> None:
    """Kupiec (1995), as in Jorion, Value at Risk, 3rd edition, table 6-2: N < 7, 1 < N < 11, and so on.

    The table gives no lower end for 255 days at 99%; none at all there has the ratio -2 ln .99^255 = 5.13, above 3.84.
    """
    accepted = [
        count
        for count in range(observations)
        if kupiec(days_of(np.arange(observations) < count), 0.02, level, observations=100).test.p_value > 0.05
    ]
    assert (accepted[0], accepted[-1]) == (lowest + 1, highest - 1)


def transition_ratio(hits: np.ndarray) -> float:
    """Likelihood of a first-order chain over that of independence, from scipy's entropy of the rows."""
    table = np.zeros((2, 2))
    for before, after in pairwise(hits):
        table[int(before), int(after)] += 1
    both = table.sum(axis=0)
    rows = [stats.entropy(row) * row.sum() for row in table if row.sum()]
    return 2 * (stats.entropy(both) * both.sum() - float(np.sum(rows)))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.booleans(), min_size=30, max_size=120), st.sampled_from([0.9, 0.99]))
def test_christoffersens_ratios_are_those_of_a_chain(hits: list[bool], level: float) -> None:
    days = days_of(hits)
    test = christoffersen(days, 0.02, level, observations=30)
    coverage = kupiec(days, 0.02, level, observations=30)
    assert test.independence.statistic == pytest.approx(transition_ratio(np.array(hits)), rel=1e-8, abs=1e-8)
    assert test.independence.p_value == pytest.approx(stats.chi2.sf(test.independence.statistic, 1), rel=1e-9)
    both = test.independence.statistic + coverage.test.statistic
    assert test.conditional.statistic == pytest.approx(both, rel=1e-12)
    assert test.conditional.p_value == pytest.approx(stats.chi2.sf(both, 2), rel=1e-9)
    assert sum(test.transitions) == len(hits) - 1


def test_right_forecasts_are_rejected_as_often_as_the_level_says_and_wrong_ones_more() -> None:
    rng = np.random.default_rng(12)
    right = rng.standard_normal((1500, 1000)) / 100
    limit = -stats.norm.ppf(0.05) / 100
    size = np.mean([kupiec(x, limit, 0.95).test.p_value < 0.05 for x in right])
    power = np.mean([kupiec(1.25 * x, limit, 0.95).test.p_value < 0.05 for x in right])
    assert size == pytest.approx(0.05, abs=0.02)
    assert power > 0.9


def test_forecasts_may_change_from_day_to_day() -> None:
    days = np.array([-0.01, -0.03, 0.0] * 200)
    limits = np.tile([0.02, 0.02, 0.001], 200)
    assert kupiec(days, limits, 0.95).exceedances == 200
    assert christoffersen(days, limits, 0.95).transitions == (199, 200, 200, 0)
    assert kupiec(days, 0.01, 0.95).exceedances == 200  # a loss equal to its value-at-risk does not exceed it


def waves(seed: int, days: int) -> np.ndarray:
    """Daily returns with volatility clusters."""
    model = Garch(0.0, 1e-6, 0.06, 0.0, 0.935)
    rng = np.random.default_rng(seed)
    h, out = model.long_run_variance, np.empty(days)
    for t in range(days):
        out[t] = math.sqrt(h) * rng.standard_normal()
        h = model.omega + model.alpha * out[t] ** 2 + model.beta * h
    return out


@pytest.mark.parametrize("method", ["historical", "gaussian", "filtered_ewma"])
def test_announcements_look_back_only(method: Method) -> None:
    x = waves(1, 320)
    announced = rolling_value_at_risk(x, 0.95, window=250, method=method)
    assert announced.shape == (70,)
    assert announced[12] == value_at_risk(x[12:262], 0.95, 1, method)
    changed = x.copy()
    changed[262:] = -0.5
    np.testing.assert_array_equal(rolling_value_at_risk(changed, 0.95, method=method)[:13], announced[:13])


def test_clustering_is_found_in_slow_forecasts_and_hardly_in_filtered_ones() -> None:
    """In all of five histories at 5%, and in at most two of them."""

    def p_value(x: np.ndarray, method: Method) -> float:
        limits = rolling_value_at_risk(x, 0.95, window=1000, method=method)
        return christoffersen(x[1000:], limits, 0.95).independence.p_value

    histories = [waves(seed, 4000) for seed in range(5)]
    slow = [p_value(x, "historical") for x in histories]
    quick = [p_value(x, "filtered_ewma") for x in histories]
    assert max(slow) < 0.05
    assert sum(p < 0.05 for p in quick) <= 2


def test_impossible_announcements_are_refused() -> None:
    x = waves(2, 300)
    with pytest.raises(DataError, match="not fitted anew each day"):
        rolling_value_at_risk(x, method="filtered_garch")
    for window in (1, 300):
        with pytest.raises(DataError, match=rf"`window` must lie in \[2, T - 1\], T = 300; got {window}"):
            rolling_value_at_risk(x, window=window)
    with pytest.raises(DataError, match="less than one of 50 outcomes"):
        rolling_value_at_risk(x, 0.99, window=50)
    with pytest.raises(DataError, match="must be finite; row"):
        rolling_value_at_risk(np.append(x, [np.nan, 0.0]))


@pytest.mark.parametrize("test", [kupiec, christoffersen])
@pytest.mark.parametrize(
    ("days", "limits", "level", "message"),
    [
        (np.zeros(499), 0.02, 0.95, r"T >= 500; got \(499,\)"),
        (np.zeros((500, 1)), 0.02, 0.95, r"`returns` must be finite, of shape \(T,\), T >= 500; got \(500, 1\)"),
        (np.zeros(500), np.zeros(499), 0.95, r"`value_at_risk` must be a number or of shape \(500,\); got \(499,\)"),
        (np.append(np.zeros(500), np.nan), 0.02, 0.95, "`returns` must be finite; row 500 is nan"),
        (np.zeros(500), math.inf, 0.95, "`value_at_risk` must be finite; row 0 is inf"),
        (np.zeros(500), 0.02, 1.0, r"`level` must lie in \(0, 1\); got 1\.0"),
    ],
)
def test_impossible_input_is_refused(test, days: np.ndarray, limits: float, level: float, message: str) -> None:
    with pytest.raises(DataError, match=message):
        test(days, limits, level)
