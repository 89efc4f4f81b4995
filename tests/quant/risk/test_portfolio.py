"""Contributions against numerical derivatives, drawdowns against a walk over the wealth."""

import asyncio
import math
from datetime import date
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from desk.market.bundled import BundledPrices
from quant.allocate import minimum_cvar
from quant.numeric.errors import DataError
from quant.numeric.returns import Returns
from quant.performance.drawdown_periods import drawdown_table
from quant.performance.summary import tearsheet
from quant.risk.backtest import christoffersen, kupiec, rolling_value_at_risk
from quant.risk.portfolio import Measure, component_contributions, portfolio_returns
from quant.risk.stress import factor_exposures
from quant.risk.tails import expected_shortfall, tail_risk, value_at_risk

few = settings(max_examples=40, deadline=None)
MEASURES: tuple[Measure, ...] = ("volatility", "value_at_risk", "expected_shortfall")
daily = arrays(np.float64, st.integers(1, 60), elements=st.floats(-0.25, 0.375, width=32))


def panel(seed: int, days: int = 300, count: int = 4) -> Returns:
    rng = np.random.default_rng(seed)
    values = 0.01 * (rng.standard_t(5, (days, 1)) + rng.standard_t(4, (days, count))).clip(-40, 40)
    dates = np.datetime64("2010-01-01") + np.arange(days)
    return Returns(dates, tuple(f"A{i}" for i in range(count)), values)


def total_of(weights: np.ndarray, data: Any, measure: Measure, level: float) -> float:
    """The measure, computed independently."""
    if isinstance(data, Returns):
        outcomes = data.values @ weights
        if measure == "volatility":
            return float(outcomes.std(ddof=1))
        return (value_at_risk if measure == "value_at_risk" else expected_shortfall)(outcomes, level)
    deviation = math.sqrt(weights @ data @ weights)
    if measure == "volatility":
        return deviation
    if measure == "value_at_risk":
        return float(-stats.norm(0, deviation).ppf(1 - level))
    return float(deviation * stats.norm.pdf(stats.norm.ppf(level)) / (1 - level))


@few
@given(st.integers(0, 2**32 - 1), st.sampled_from(MEASURES), st.sampled_from([0.9, 0.95, 0.99]), st.booleans())
def test_contributions_are_weight_times_derivative_and_add_up(
    seed: int, measure: Measure, level: float, historical: bool
) -> None:
    returns = panel(seed)
    data = returns if historical else np.cov(returns.values.T)
    weights = np.random.default_rng(seed).uniform(-0.5, 1.0, 4)
    contributions = component_contributions(weights, data, measure=measure, level=level)
    assert contributions.total == pytest.approx(total_of(weights, data, measure, level), rel=1e-9)
    assert math.fsum(contributions.components) == pytest.approx(contributions.total, abs=1e-12)
    assert math.fsum(contributions.shares) == pytest.approx(1.0, abs=1e-9)
    step = 1e-7
    for i in range(4):
        up, down = weights.copy(), weights.copy()
        up[i] += step
        down[i] -= step
        slope = (total_of(up, data, measure, level) - total_of(down, data, measure, level)) / (2 * step)
        assert contributions.components[i] == pytest.approx(weights[i] * slope, rel=1e-4, abs=1e-7)


@few
@given(st.integers(0, 2**32 - 1), st.sampled_from(MEASURES), st.floats(0.1, 5.0), st.permutations(range(4)))
def test_contributions_scale_with_the_weights_and_follow_their_assets(
    seed: int, measure: Measure, factor: float, order: list[int]
) -> None:
    returns = panel(seed, 120)
    weights = np.random.default_rng(seed).uniform(0.0, 1.0, 4)
    one = component_contributions(weights, returns, measure=measure)
    scaled = component_contributions(factor * weights, returns, measure=measure)
    np.testing.assert_allclose(scaled.components, np.multiply(factor, one.components), rtol=1e-8, atol=1e-12)
    names = tuple(returns.assets[i] for i in order)
    permuted = Returns(returns.dates, names, returns.values[:, order])
    there = component_contributions(weights[order], permuted, measure=measure)
    np.testing.assert_allclose(there.components, np.array(one.components)[order], rtol=1e-8, atol=1e-12)


def test_five_hundred_nearly_collinear_assets_add_up() -> None:
    rng = np.random.default_rng(0)
    loadings = rng.standard_normal((500, 3))
    covariance = 1e-4 * (loadings @ loadings.T) + 1e-12 * np.eye(500)
    weights = rng.uniform(-1, 1, 500)
    for measure in MEASURES:
        contributions = component_contributions(weights, covariance, measure=measure, level=0.99)
        assert abs(math.fsum(contributions.components) - contributions.total) < 1e-9
        assert contributions.total == pytest.approx(total_of(weights, covariance, measure, 0.99), rel=1e-9)


def test_an_asset_without_variance_contributes_nothing_and_cash_alone_has_no_shares() -> None:
    covariance = np.diag([0.04, 0.0])
    assert component_contributions([0.5, 0.5], covariance).components == pytest.approx((0.1, 0.0))
    none = component_contributions([0.0, 1.0], covariance)
    assert (none.total, none.components) == (0.0, (0.0, 0.0))
    with pytest.raises(DataError, match="a risk of zero has no shares"):
        _ = none.shares
    assert component_contributions([2.0], [[0.04]]).total == pytest.approx(0.4)


@pytest.mark.parametrize(
    ("weights", "data", "arguments", "message"),
    [
        ([0.5, 0.5], np.eye(3), {}, r"`weights` must have shape \(3,\)"),
        ([0.5, math.nan], np.eye(2), {}, r"`weights` must be finite; \(1,\) is nan"),
        (
            [0.5, 0.5],
            [[1.0, 0.5], [0.4, 1.0]],
            {},
            "symmetric; row 1, column 0 is 0.4, row 0, column 1 is 0.5",
        ),
        (
            [0.5, 0.5],
            [[1.0, 2.0], [2.0, 1.0]],
            {},
            "`data` must be positive semidefinite; the smallest eigenvalue of its correlations is -1",
        ),
        ([0.5, 0.5], np.eye(3)[:2], {}, r"`data` must have shape \(N, N\), N > 0; got \(2, 3\)"),
        ([0.5, 0.5], [[math.inf, 0.0], [0.0, 1.0]], {}, "`data` must be finite; row 0, column 0 is inf"),
        ([0.5, 0.5], np.eye(2), {"measure": "beta"}, "`measure` must be volatility, .*; got 'beta'"),
        ([0.5, 0.5], np.eye(2), {"level": 0.0}, "`level` must lie in"),
        ([0.25] * 4, panel(1, 50), {"measure": "value_at_risk", "level": 0.99}, "less than one of 50 sessions"),
        ([0.25] * 4, panel(1, 1), {}, "at least 2 sessions"),
        ([0.25] * 3, panel(1), {}, r"`weights` must have shape \(4,\)"),
    ],
)
def test_impossible_contributions_are_refused(weights: Any, data: Any, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        component_contributions(weights, data, **arguments)


def test_a_portfolio_is_the_weighted_mean_of_its_assets() -> None:
    returns = panel(3)
    weights = [0.2, 0.3, -0.1, 0.5]
    np.testing.assert_allclose(
        portfolio_returns(returns.values, weights), returns.values @ weights, rtol=1e-12, atol=1e-15
    )
    with pytest.raises(DataError, match=r"`returns` must be finite; \(1, 0\) is nan"):
        portfolio_returns([[0.0], [math.nan]], [1.0])
    with pytest.raises(DataError, match=r"`weights` must have shape \(1,\), one for each asset; got \(2,\)"):
        portfolio_returns([[0.0]], [1.0, 0.0])
    with pytest.raises(DataError, match=r"`returns` must have 2 dimension\(s\)"):
        portfolio_returns([0.0], [1.0])


@few
@given(daily)
def test_drawdowns_are_those_of_a_walk_over_the_wealth(returns: np.ndarray) -> None:
    rows = drawdown_table(returns, count=100)
    wealth = np.concatenate([[1.0], np.cumprod(1 + returns)])
    covered: set[int] = set()
    for row in rows:
        peak = row.start - 1
        assert row.depth == pytest.approx(1 - wealth[row.trough + 1] / wealth[peak + 1], abs=1e-12)
        assert wealth[peak + 1] == pytest.approx(wealth[: peak + 2].max(), rel=1e-12)
        assert row.sessions_down == row.trough - peak
        end = returns.size if row.recovery is None else row.recovery
        assert row.length == min(end, returns.size - 1) - peak
        assert row.ongoing == (row.recovery is None) == (row.sessions_to_recover is None)
        assert row.ongoing or row.sessions_to_recover == end - row.trough
        under = wealth[peak + 2 : end + 1]
        assert (under < wealth[peak + 1] * (1 + 1e-12)).all()
        assert under.min() == pytest.approx(wealth[row.trough + 1], rel=1e-12)
        if not row.ongoing:
            assert wealth[end + 1] >= wealth[peak + 1] * (1 - 1e-12)
        sessions = set(range(peak + 1, end))
        assert not covered & sessions
        covered |= sessions
    assert [row.depth for row in rows] == sorted((row.depth for row in rows), reverse=True)
    below = np.flatnonzero(wealth[1:] < np.maximum.accumulate(wealth)[1:] * (1 - 1e-12))
    assert set(below.tolist()) <= covered


def test_the_deepest_falls_of_the_index_are_the_known_ones() -> None:
    """Closes of the S&P 500: -56.8% from 2007-10-09 to 2009-03-09, -49.1% from 2000-03-24 to 2002-10-09, -33.9% from
    2020-02-19 to 2020-03-23; the fall of 2022 had not ended in the data.
    """
    prices = asyncio.run(BundledPrices().load("sp500"))
    closes = prices.closes[:, 0]
    rows = drawdown_table(closes[1:] / closes[:-1] - 1, prices.dates[1:], count=4)
    assert [(r.peak_date, r.trough_date) for r in rows] == [
        (date(2007, 10, 9), date(2009, 3, 9)),
        (date(2000, 3, 24), date(2002, 10, 9)),
        (date(2020, 2, 19), date(2020, 3, 23)),
        (date(2022, 1, 3), date(2022, 10, 12)),
    ]
    assert [round(100 * r.depth, 1) for r in rows] == [56.8, 49.1, 33.9, 25.4]
    assert rows[0].recovery_date == date(2013, 3, 28)
    assert rows[2].recovery_date == date(2020, 8, 18)
    assert [r.ongoing for r in rows] == [False, False, False, True]
    assert rows[2].sessions_down == 23
    assert rows[0].depth == pytest.approx(1 - 676.53 / 1565.15, abs=1e-9)


def test_a_series_that_only_rises_never_fell() -> None:
    assert drawdown_table([0.01, 0.0, 0.02]) == ()
    first = drawdown_table([-0.1, 0.05, 0.2])[0]
    assert (first.peak_date, first.start, first.trough, first.recovery, first.sessions_down) == (None, 0, 0, 2, 1)
    assert len(drawdown_table([-0.1, 0.2] * 9, count=3)) == 3


@pytest.mark.parametrize(
    ("returns", "arguments", "message"),
    [
        ([0.1, math.nan], {}, "finite"),
        ([], {}, "finite, of shape"),
        ([-1.0], {}, "above -1"),
        ([0.1], {"count": 0}, "`count` must be at least 1; got 0"),
        ([0.1], {"dates": ["2020-01-01", "2020-01-02"]}, r"`dates` of shape \(2,\) do not fit"),
        ([0.1, 0.1], {"dates": ["2020-01-02", "2020-01-02"]}, "`dates` must ascend"),
        ([0.1], {"dates": ["NaT"]}, "`dates` must ascend"),
    ],
)
def test_impossible_drawdowns_are_refused(returns: Any, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        drawdown_table(returns, **arguments)


def test_the_returns_of_one_asset_are_measured_as_their_array() -> None:
    days = panel(6, 600)
    one = Returns(days.dates, ("A",), days.values[:, :1])
    x = days.values[:, 0]
    assert value_at_risk(one, 0.99, 10) == value_at_risk(x, 0.99, 10)
    assert expected_shortfall(one, 0.9, method="filtered_ewma") == expected_shortfall(x, 0.9, method="filtered_ewma")
    assert tail_risk(one, methods=("gaussian",)) == tail_risk(x, methods=("gaussian",))
    np.testing.assert_array_equal(rolling_value_at_risk(one), rolling_value_at_risk(x))
    assert drawdown_table(one) == drawdown_table(x, days.dates) == tearsheet(one).worst_falls[:5]
    assert kupiec(one, 0.01, 0.95) == kupiec(x, 0.01, 0.95)
    assert christoffersen(one, 0.01, 0.95) == christoffersen(x, 0.01, 0.95)
    weights = np.full(len(days.assets), 0.25)
    np.testing.assert_array_equal(portfolio_returns(days, weights), portfolio_returns(days.values, weights))
    np.testing.assert_array_equal(factor_exposures(days, one), factor_exposures(days.values, one.values))
    np.testing.assert_array_equal(minimum_cvar(days), minimum_cvar(days.values))


def test_several_assets_have_no_value_at_risk_together() -> None:
    with pytest.raises(DataError, match="`returns` must hold one asset; got 4"):
        value_at_risk(panel(6, 60))
