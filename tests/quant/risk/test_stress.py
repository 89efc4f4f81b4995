"""Stress against published falls, eigenvalues, least squares and a constrained minimiser."""

import asyncio
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, stats

from desk.market.bundled import BundledPrices
from quant.numeric.errors import DataError, Infeasible
from quant.numeric.returns import Returns
from quant.performance.crises import HISTORICAL_WINDOWS, HistoricalWindow
from quant.risk.correlation_stress import equicorrelation, reverse_stress, stressed_correlation, stressed_covariance
from quant.risk.stress import factor_exposures, factor_shock, stress_table

few = settings(max_examples=40, deadline=None)


def returns_of(universe: str) -> Returns:
    prices = asyncio.run(BundledPrices().load(universe))
    return Returns.from_prices(prices.dates, prices.assets, prices.closes)


@pytest.fixture(scope="module")
def index() -> Returns:
    return returns_of("sp500")


def correlation_of(seed: int, count: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.asarray(np.corrcoef(rng.standard_normal((count, count + 2)) + rng.standard_normal(count + 2)))


def test_the_windows_lose_what_is_known_of_the_index(index: Returns) -> None:
    """Price index, close to close: published falls of the S&P 500."""
    rows = {row.window.first: row for row in stress_table(index, [1.0])}
    index_losses = {
        "1998-07-17": 19.3,
        "2000-03-24": 49.1,
        "2007-10-09": 56.8,
        "2018-09-20": 19.8,
        "2020-02-19": 33.9,
        "2022-01-03": 25.4,
    }
    for first, percent in index_losses.items():
        row = rows[first]
        assert row.loss is not None
        assert round(100 * row.loss, 1) == percent, first
        assert row.coverage == 1.0
        assert row.reason is None
    for first, last in (("1987-10-14", "1987-10-19"), ("2024-07-16", "2024-08-05"), ("2025-02-19", "2025-04-08")):
        row = rows[first]
        assert (row.loss, row.assets, row.coverage) == (None, (), 0.0)
        assert row.reason is not None
        assert row.reason.startswith("the data have 0 of the ")
        assert last in row.reason
    assert len(rows) == 12


def test_the_sessions_of_the_windows_are_the_exchanges() -> None:
    import exchange_calendars

    calendar = exchange_calendars.get_calendar("XNYS", start="1987-01-01", end="2025-12-31")
    for window in HISTORICAL_WINDOWS:
        assert calendar.is_session(window.first)
        assert calendar.is_session(window.last)
        assert len(calendar.sessions_in_range(window.first, window.last)) - 1 == window.sessions, window.name


def test_a_window_is_offered_from_95_percent_of_its_sessions_on(index: Returns) -> None:
    window = next(w for w in HISTORICAL_WINDOWS if w.first == "2007-10-09")
    begin = int(np.searchsorted(index.dates, np.datetime64(window.first))) + 1
    for missing, offered in ((17, True), (18, False)):  # 355 sessions: 5% are 17.75
        row = stress_table(index.rows(begin + missing, len(index)), [1.0], windows=(window,))[0]
        assert (row.loss is not None) == offered
        assert row.coverage == pytest.approx((355 - missing) / 355)
    assert row.reason == f"the data have {355 - 18} of the 355 sessions from 2007-10-09 to 2009-03-09"
    longer = replace(window, last="2009-03-10", sessions=356)
    assert stress_table(index, [1.0], windows=(longer,))[0].coverage == 1.0


def test_the_assets_of_a_portfolio_left_alone_add_up_to_its_loss() -> None:
    returns = returns_of("stocks")
    weights = np.random.default_rng(1).dirichlet(np.ones(20)) * 0.8
    for row in stress_table(returns, weights):
        if row.loss is None:
            continue
        inside = (returns.dates > np.datetime64(row.window.first)) & (returns.dates <= np.datetime64(row.window.last))
        holdings = weights.copy()
        for day in returns.values[inside]:
            holdings = holdings * (1 + day)
        assert row.loss == pytest.approx(1 - (holdings.sum() + 0.2), abs=1e-12)
        assert math.fsum(row.assets) == pytest.approx(row.loss, abs=1e-12)
    half = stress_table(returns, 0.5 * weights)
    for row, whole in zip(half, stress_table(returns, weights), strict=True):
        assert row.loss == (None if whole.loss is None else pytest.approx(0.5 * whole.loss, rel=1e-12))


def test_exposures_are_least_squares_with_an_intercept() -> None:
    rng = np.random.default_rng(2)
    factors = rng.standard_normal((400, 3)) * [0.01, 1.0, 1e-5]
    returns = 0.001 + factors @ rng.standard_normal((3, 5)) + 0.002 * rng.standard_normal((400, 5))
    design = np.column_stack([np.ones(400), factors * [100, 1, 1e5]])
    expected = np.linalg.lstsq(design, returns, rcond=None)[0][1:] * np.array([[100], [1], [1e5]])
    np.testing.assert_allclose(factor_exposures(returns, factors), expected.T, rtol=1e-9)


def test_a_factor_shock_is_linear_and_its_parts_add_up() -> None:
    rng = np.random.default_rng(3)
    exposures, weights = rng.standard_normal((6, 3)), rng.dirichlet(np.ones(6))
    a, b = rng.standard_normal((2, 3)) / 10
    shock = factor_shock(exposures, a, weights)
    assert shock.loss == pytest.approx(-weights @ exposures @ a, rel=1e-12)
    np.testing.assert_allclose(shock.assets, -weights * (exposures @ a), rtol=1e-10, atol=1e-15)
    np.testing.assert_allclose(shock.factors, -(weights @ exposures) * a, rtol=1e-10, atol=1e-15)
    both = factor_shock(exposures, a + 2 * b, weights).loss
    assert both == pytest.approx(shock.loss + 2 * factor_shock(exposures, b, weights).loss, abs=1e-12)


@few
@given(st.integers(0, 2**32 - 1), st.integers(1, 30), st.floats(0, 1), st.floats(0, 1))
def test_a_stressed_correlation_stays_one(seed: int, count: int, share: float, place: float) -> None:
    r = correlation_of(seed, count) if count > 1 else np.ones((1, 1))
    lowest = -1 / (count - 1) if count > 1 else -1.0
    target = lowest + place * (1 - lowest)
    stressed = stressed_correlation(r, share, target)
    assert np.linalg.eigvalsh(stressed)[0] >= -1e-9
    np.testing.assert_allclose(np.diag(stressed), 1.0, atol=1e-15)
    np.testing.assert_array_equal(stressed, stressed.T)
    off = ~np.eye(count, dtype=bool)
    np.testing.assert_allclose(stressed[off], ((1 - share) * r + share * target)[off], atol=1e-12)
    np.testing.assert_allclose(stressed_correlation(r, share, equicorrelation(count, target)), stressed, atol=1e-12)
    variances = np.random.default_rng(seed).uniform(0.01, 0.5, count)
    covariance = np.sqrt(variances)[:, None] * r * np.sqrt(variances)
    rebuilt = stressed_covariance(covariance, share, target, volatility_factor=1.5)
    np.testing.assert_allclose(np.diag(rebuilt), 2.25 * variances, rtol=1e-9)
    np.testing.assert_allclose(rebuilt / np.sqrt(np.outer(variances, variances)) / 2.25, stressed, atol=1e-9)


def test_volatilities_scale_one_by_one_and_an_asset_without_variance_keeps_none() -> None:
    covariance = np.diag([0.04, 0.0, 0.01])
    rebuilt = stressed_covariance(covariance, 1.0, 0.5, volatility_factor=[1.0, 3.0, 2.0])
    np.testing.assert_allclose(rebuilt, [[0.04, 0, 0.02], [0, 0, 0], [0.02, 0, 0.04]], atol=1e-15)
    np.testing.assert_allclose(stressed_covariance(covariance, 0.0), covariance, atol=1e-15)


def test_the_lowest_equicorrelation_is_singular() -> None:
    assert np.linalg.eigvalsh(equicorrelation(5, -0.25))[0] == pytest.approx(0.0, abs=1e-12)
    with pytest.raises(DataError, match=r"`correlation` of 5 assets must lie in \[-0.25, 1\]; got -0.26"):
        equicorrelation(5, -0.26)


@few
@given(st.integers(0, 2**32 - 1), st.floats(0.01, 0.9))
def test_reverse_stress_is_the_constrained_minimum(seed: int, limit: float) -> None:
    rng = np.random.default_rng(seed)
    covariance = correlation_of(seed, 4) * 0.04
    weights, mean = rng.uniform(-0.3, 1.0, 4), rng.normal(0.0, 0.01, 4)
    answer = reverse_stress(weights, covariance, limit, mean=mean)
    shock = np.array(answer.shock)
    if answer.distance > 0:
        assert -weights @ shock == pytest.approx(limit, rel=1e-9)
    assert answer.distance**2 == pytest.approx((shock - mean) @ np.linalg.solve(covariance, shock - mean), rel=1e-6)
    law = stats.norm(weights @ mean, math.sqrt(weights @ covariance @ weights))
    assert answer.probability == pytest.approx(law.cdf(-limit), rel=1e-8)
    # nothing that loses as much is nearer: along any direction within the limit's plane the distance grows
    side = rng.standard_normal((20, 4))
    side -= np.outer(side @ weights, weights) / (weights @ weights)
    for step in 0.01 * side:
        other = shock + step - mean
        assert other @ np.linalg.solve(covariance, other) >= answer.distance**2 * (1 - 1e-9)


def test_reverse_stress_agrees_with_a_general_minimiser() -> None:
    covariance = correlation_of(7, 3) * 0.05
    weights = np.array([0.5, 0.3, 0.2])
    answer = reverse_stress(weights, covariance, 0.25)
    theirs = optimize.minimize(
        lambda x: x @ np.linalg.solve(covariance, x),
        np.full(3, -0.3),
        constraints={"type": "ineq", "fun": lambda x: -weights @ x - 0.25},
        options={"ftol": 1e-14},
    )
    np.testing.assert_allclose(answer.shock, theirs.x, atol=1e-5)
    assert answer.distance == pytest.approx(math.sqrt(theirs.fun), rel=1e-6)


def test_reverse_stress_takes_singular_covariances_and_means_that_lose() -> None:
    twin = reverse_stress([0.5, 0.5], [[0.04, 0.04], [0.04, 0.04]], 0.2)
    assert twin.distance == pytest.approx(1.0)
    assert twin.shock == pytest.approx((-0.2, -0.2))
    losing = reverse_stress([1.0], [[0.01]], 0.1, mean=[-0.2])
    assert (losing.shock, losing.distance) == ((-0.2,), 0.0)
    assert losing.probability == pytest.approx(stats.norm.cdf(1.0), rel=1e-9)
    assert reverse_stress([1.0], [[0.0]], 0.1, mean=[-0.1]).probability == 1.0
    with pytest.raises(Infeasible, match=r"`limit` 0.1 is out of reach: the portfolio has no variance"):
        reverse_stress([1.0, -1.0], [[0.04, 0.04], [0.04, 0.04]], 0.1)


ONES = np.eye(2)


@pytest.mark.parametrize(
    ("attempt", "message"),
    [
        (lambda: stressed_correlation(ONES, 1.5), r"`share` must lie in \[0, 1\]; got 1.5"),
        (lambda: stressed_correlation(ONES, math.nan), "`share` must lie in"),
        (lambda: stressed_correlation(ONES, 0.5, 1.2), r"must lie in \[-1, 1\]; got 1.2"),
        (lambda: stressed_correlation(ONES, 0.5, np.eye(3)), r"`target` must have shape \(2, 2\); got \(3, 3\)"),
        (lambda: stressed_correlation(2 * ONES, 0.5), "`correlation` must have ones on its diagonal"),
        (
            lambda: stressed_correlation(ONES, 0.5, [[1.0, 0.2], [0.3, 1.0]]),
            "`target` must be symmetric; row 0, column 1 is 0.2, row 1, column 0 is 0.3",
        ),
        (
            lambda: stressed_correlation(np.eye(3), 0.5, [[1, 0.9, -0.9], [0.9, 1, 0.9], [-0.9, 0.9, 1]]),
            "`target` must be positive semidefinite; the smallest eigenvalue of its correlations is -0.8",
        ),
        (lambda: stressed_correlation([[1.0, math.nan], [0.0, 1.0]], 0.5), "must be finite; row 0, column 1 is nan"),
        (lambda: stressed_covariance(-ONES, 0.5), "`covariance` must have no negative variances; asset 0 has -1.0"),
        (lambda: stressed_covariance(ONES, 0.5, volatility_factor=-1.0), "`volatility_factor` must be"),
        (lambda: stressed_covariance(ONES, 0.5, volatility_factor=[1.0] * 3), "`volatility_factor` must be"),
        (lambda: equicorrelation(0), "`count` must be at least 1; got 0"),
        (lambda: reverse_stress([1.0, 0.0], ONES, 0.0), "`limit` must be a positive loss; got 0.0"),
        (lambda: reverse_stress([1.0, 0.0], ONES, 0.1, mean=[0.0]), r"`mean` must have shape \(2,\)"),
        (lambda: reverse_stress([1.0], ONES, 0.1), r"`weights` must have shape \(2,\)"),
        (lambda: factor_shock(ONES, [0.1], [0.5, 0.5]), r"`shocks` must have shape \(2,\)"),
        (lambda: factor_shock(ONES, [0.1, 0.1], [0.5]), r"`weights` must have shape \(2,\)"),
        (lambda: factor_exposures(np.ones((3, 1)), np.ones((4, 1))), "must have the same T"),
        (lambda: factor_exposures(np.ones((3, 1)), np.ones((3, 2))), r"at least K \+ 2"),
        (lambda: factor_exposures(np.ones((5, 1)), np.full((5, 1), 0.1)), "`factors` column 0 does not vary"),
        (
            lambda: factor_exposures(np.ones((5, 1)), np.outer(np.arange(5.0), [1.0, 2.0])),
            "`factors` are collinear: 2 columns of rank 1",
        ),
    ],
)
def test_impossible_input_is_refused(attempt: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        attempt()


def test_weights_that_do_not_fit_the_data_are_refused(index: Returns) -> None:
    with pytest.raises(DataError, match=r"`weights` must have shape \(1,\), one for each asset; got \(2,\)"):
        stress_table(index, [0.5, 0.5])


@pytest.mark.parametrize(
    ("first", "last", "sessions", "message"),
    [
        ("2008-09-31", "2008-11-20", 49, "`first` must be a day such as 2008-09-12; got '2008-09-31'"),
        ("2008-09-12", "soon", 49, "`last` must be a day"),
        ("2008-09-12", "2008-09-12", 49, "`last` must be after `first` 2008-09-12; got 2008-09-12"),
        ("2008-09-12", "2008-11-20", 0, "`sessions` must be at least 1; got 0"),
    ],
)
def test_a_window_that_is_none_is_refused(first: str, last: str, sessions: int, message: str) -> None:
    with pytest.raises(DataError, match=message):
        HistoricalWindow("mine", first, last, sessions)
