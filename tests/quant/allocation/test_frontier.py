"""The critical line against published corners, its optimality conditions, a conic solver, and invariances."""

import importlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quant.allocation.critical_line import minimum_variance_weights
from quant.allocation.frontier import Frontier, efficient_frontier
from quant.numeric.errors import DataError, Infeasible

# Bailey and Lopez de Prado (2013), "An open-source implementation of the critical-line algorithm for portfolio
# optimization", Algorithms 6, 169-196: mean and covariance of CLA_Data.csv, ten assets.
PUBLISHED = json.loads(Path(__file__).with_name("published_cla.json").read_text(encoding="utf-8"))
# The paper's table of corner portfolios, column lambda
PUBLISHED_LAMBDAS = [
    58.30308533, 4.17427285, 1.94556614, 0.16458117, 0.14738875,
    0.05617220, 0.05204819, 0.03652161, 0.03097117, 0.0,
]  # fmt: skip


def markowitz_frontier() -> Frontier:
    return efficient_frontier(PUBLISHED["mean"], PUBLISHED["covariance"])


def test_corners_are_those_of_bailey_and_lopez_de_prado() -> None:
    np.testing.assert_allclose(markowitz_frontier().corners.lambdas, PUBLISHED_LAMBDAS, rtol=0, atol=6e-9)


def test_ends_and_best_ratio_are_those_of_bailey_and_lopez_de_prado() -> None:
    frontier = markowitz_frontier()
    assert frontier.minimum_variance.expected_return == pytest.approx(0.803215, abs=1e-6)
    assert frontier.minimum_variance.volatility == pytest.approx(0.205238, abs=1e-6)
    best = frontier.maximum_sharpe()
    assert best.expected_return / best.volatility == pytest.approx(4.4535, abs=5e-5)
    assert frontier.weights[0].tolist() == [0, 1, 0, 0, 0, 0, 0, 0, 0, 0]


def test_corners_are_those_of_markowitz_1959() -> None:
    """Portfolio Selection, chapter 8: three securities."""
    frontier = efficient_frontier(
        [0.062, 0.146, 0.128], [[0.0146, 0.0187, 0.0145], [0.0187, 0.0854, 0.0104], [0.0145, 0.0104, 0.0289]]
    )
    np.testing.assert_allclose(frontier.corners.lambdas, [4.16666667, 0.14080643, 0.03332765, 0.0], rtol=0, atol=6e-9)
    expected = [
        [0, 1, 0], [0, 0.22496808, 0.77503192], [0.84140518, 0, 0.15859482], [0.99310345, 0, 0.00689655]
    ]  # fmt: skip
    np.testing.assert_allclose(frontier.corners.weights, expected, rtol=0, atol=6e-9)


def violation(
    frontier: Frontier, multiplier: float, weights: np.ndarray, lower: np.ndarray, upper: np.ndarray
) -> float:
    """Relative violation of the KKT conditions by the gradients of assets that may rise and that may fall."""
    gradient = frontier.cov @ weights - multiplier * frontier.mean
    may_rise, may_fall = weights < upper - 1e-10, weights > lower + 1e-10
    scale = np.abs(frontier.cov).max() + multiplier * np.ptp(frontier.mean)
    gap = gradient[may_fall].max(initial=-np.inf) - gradient[may_rise].min(initial=np.inf)
    return gap / scale if scale > 0 else gap


def problem(seed: int, kinds: set[str], assets: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Mean, covariance, bounds; `kinds` makes it degenerate in one way or several."""
    rng = np.random.default_rng(seed)
    sessions = max(3, int(assets * rng.choice([0.3, 0.8, 1.2, 5.0])))
    returns = rng.standard_normal((sessions, assets)) * rng.uniform(0.005, 0.03, assets)
    returns += rng.standard_normal((sessions, 1)) * rng.uniform(-0.2, 2.0, assets) * 0.01
    mean, lower, upper = rng.normal(0.0, 0.1, assets), np.zeros(assets), np.ones(assets)
    if "ties" in kinds:
        mean = np.round(mean, 1)
    if "duplicates" in kinds:
        twin = rng.integers(0, max(1, assets // 2), assets)
        returns = returns[:, twin]
        mean = mean[twin] if "ties" in kinds else mean
    if "coarse" in kinds:
        returns = np.round(returns, 2)
    if "short" in kinds:
        lower, upper = -rng.uniform(0.0, 0.5, assets), rng.uniform(0.0, 1.0, assets) + 1.5 / assets
    if "caps" in kinds:
        upper = np.full(assets, max(1 / assets, rng.choice([0.05, 0.1, 0.25, 0.5])))
    if "fixed" in kinds and assets > 2:
        upper[0] = lower[0]
    cov = np.atleast_2d(np.cov(returns.T))
    if "alike" in kinds:
        cov = np.eye(assets) * 0.04
    if "cash" in kinds:
        cov[0], cov[:, 0] = 0.0, 0.0
    return mean, cov, lower, upper


KINDS = ["ties", "duplicates", "coarse", "short", "caps", "fixed", "alike", "cash"]


@given(st.integers(0, 10**6), st.sets(st.sampled_from(KINDS)), st.integers(1, 100))
@settings(max_examples=150)
def test_every_corner_is_optimal_at_its_multiplier(seed: int, kinds: set[str], assets: int) -> None:
    mean, cov, lower, upper = problem(seed, kinds, assets)
    if upper.sum() < 1:
        return
    try:
        frontier = efficient_frontier(mean, cov, 5, lower, upper)
    except DataError:
        # where short positions cancel all risk beside cash, rounding may end the line early: it is said, never hidden
        if {"cash", "short"} <= kinds:
            return
        raise
    corners = frontier.corners
    assert corners.lambdas[-1] == 0
    assert (np.diff(corners.lambdas) <= 0).all()
    assert (np.diff(corners.returns) <= 0).all()
    for weights in (*corners.weights, *frontier.weights):
        assert (weights >= lower - 1e-15).all()
        assert (weights <= upper + 1e-15).all()
        assert weights.sum() == pytest.approx(1, abs=1e-12)
    for multiplier, weights in zip(corners.lambdas, corners.weights, strict=True):
        assert violation(frontier, multiplier, weights, lower, upper) < 1e-8


@given(st.integers(0, 10**6), st.sets(st.sampled_from(KINDS)), st.integers(2, 40))
@settings(max_examples=40)
def test_the_line_begins_at_the_greatest_return_that_the_bounds_allow(seed: int, kinds: set[str], assets: int) -> None:
    mean, cov, lower, upper = problem(seed, kinds, assets)
    if upper.sum() < 1:
        return
    weights, rest = lower.copy(), 1 - lower.sum()
    for i in np.argsort(-mean):
        weights[i] += min(rest, upper[i] - lower[i])
        rest -= min(rest, upper[i] - lower[i])
    assert efficient_frontier(mean, cov, 2, lower, upper).returns[0] == pytest.approx(weights @ mean, abs=1e-12)


def least_variance(
    cov: np.ndarray, lower: np.ndarray, upper: np.ndarray, mean: np.ndarray | None = None, target: float = 0.0
) -> np.ndarray:
    """The same portfolio by an interior-point method."""
    from scipy import sparse

    clarabel: Any = importlib.import_module("clarabel")
    n = len(cov)
    equalities = np.ones((1, n)) if mean is None else np.vstack([np.ones(n), mean])
    expected = np.array([1.0]) if mean is None else np.array([1.0, target])
    settings_ = clarabel.DefaultSettings()
    settings_.verbose = False
    settings_.tol_gap_abs = settings_.tol_gap_rel = settings_.tol_feas = 1e-11
    solver = clarabel.DefaultSolver(
        sparse.csc_matrix(np.triu(cov / np.abs(cov).max())),
        np.zeros(n),
        sparse.csc_matrix(np.vstack([equalities, np.eye(n), -np.eye(n)])),
        np.concatenate([expected, upper, -lower]),
        [clarabel.ZeroConeT(len(expected)), clarabel.NonnegativeConeT(2 * n)],
        settings_,
    )
    return np.array(solver.solve().x)


@pytest.mark.parametrize("kinds", [(), ("short",), ("caps",), ("ties",), ("duplicates", "caps"), ("cash",)])
@pytest.mark.parametrize("assets", [3, 12, 40])
def test_every_portfolio_has_the_least_variance_that_a_conic_solver_finds(kinds: tuple[str, ...], assets: int) -> None:
    mean, cov, lower, upper = problem(assets, set(kinds), assets)
    frontier = efficient_frontier(mean, cov, 6, lower, upper)
    for target, weights, volatility in zip(
        frontier.returns[1:], frontier.weights[1:], frontier.volatilities[1:], strict=True
    ):
        theirs = least_variance(cov, lower, upper, mean, target)
        scale = np.diag(cov).max()
        assert weights @ cov @ weights == pytest.approx(volatility**2, rel=1e-12, abs=1e-15 * scale)
        assert volatility**2 == pytest.approx(theirs @ cov @ theirs, rel=1e-6, abs=1e-8 * scale)


@pytest.mark.parametrize("rate", [-0.3, 0.0, 0.05])
@pytest.mark.parametrize("kinds", [(), ("short",), ("caps",)])
def test_no_portfolio_of_a_fine_frontier_has_a_better_ratio(rate: float, kinds: tuple[str, ...]) -> None:
    mean, _, lower, upper = problem(21, set(kinds), 10)
    cov = np.cov(np.random.default_rng(21).normal(size=(60, 10)).T) + 0.3
    frontier = efficient_frontier(mean, cov, 20_001, lower, upper)
    best = frontier.maximum_sharpe(rate)
    ours = (best.expected_return - rate) / best.volatility
    fine = ((frontier.returns - rate) / frontier.volatilities).max()
    assert fine <= ours + 1e-12
    assert ours == pytest.approx(fine, rel=1e-6)
    assert best.weights @ mean == pytest.approx(best.expected_return, rel=1e-12)


def test_without_bounds_that_bind_the_best_ratio_is_the_tangency_portfolio() -> None:
    """Weights proportional to the inverse covariance times the excess means, by elementary calculus."""
    mean, cov, _, _ = problem(3, set(), 6)
    mean = np.abs(mean) + 0.1
    tangency = np.linalg.solve(cov, mean - 0.01)
    tangency /= tangency.sum()
    bound = 2 * np.abs(tangency).max() + 1
    best = efficient_frontier(mean, cov, 2, -bound, bound).maximum_sharpe(0.01)
    np.testing.assert_allclose(best.weights, tangency, rtol=0, atol=1e-9)


def test_points_are_equally_spaced_in_return_and_reach_both_ends() -> None:
    frontier = markowitz_frontier()
    assert frontier.weights.shape == (50, 10)
    np.testing.assert_allclose(np.diff(frontier.returns, 2), 0, atol=1e-14)
    np.testing.assert_array_equal(frontier.weights[[0, -1]], frontier.corners.weights[[0, -1]])


def test_a_return_asked_for_is_met_with_the_points_portfolio() -> None:
    frontier = markowitz_frontier()
    for p in (0, 7, 33, 49):
        portfolio = frontier.at_return(float(frontier.returns[p]))
        np.testing.assert_allclose(portfolio.weights, frontier.weights[p], rtol=0, atol=1e-13)
        assert portfolio.volatility == pytest.approx(frontier.volatilities[p], rel=1e-13)


@given(st.integers(0, 10**6), st.sampled_from([(), ("short",), ("caps",)]), st.integers(2, 30))
@settings(max_examples=25)
def test_order_of_the_assets_changes_nothing(seed: int, kinds: tuple[str, ...], assets: int) -> None:
    mean, cov, lower, upper = problem(seed, set(kinds), assets)
    order = np.random.default_rng(seed).permutation(assets)
    one = efficient_frontier(mean, cov, 9, lower, upper)
    other = efficient_frontier(mean[order], cov[np.ix_(order, order)], 9, lower[order], upper[order])
    np.testing.assert_allclose(other.returns, one.returns, rtol=0, atol=1e-6 * np.ptp(mean))
    np.testing.assert_allclose(other.volatilities, one.volatilities, rtol=1e-6, atol=1e-7)


@given(st.integers(0, 10**6), st.integers(2, 30), st.sampled_from([1 / 252, 1e-9, 1e6]))
@settings(max_examples=25)
def test_unit_of_time_changes_no_weight(seed: int, assets: int, unit: float) -> None:
    mean, _, lower, upper = problem(seed, {"caps"}, assets)
    cov = np.cov(np.random.default_rng(seed).normal(size=(3 * assets, assets)).T)
    one, other = (efficient_frontier(u * mean, u * cov, 9, lower, upper) for u in (1.0, unit))
    np.testing.assert_allclose(other.weights, one.weights, rtol=0, atol=1e-8)
    np.testing.assert_allclose(other.corners.lambdas, one.corners.lambdas, rtol=1e-7, atol=1e-9)


def test_a_duplicated_asset_changes_no_risk() -> None:
    mean, cov, _, _ = problem(11, set(), 15)
    twice = np.r_[np.arange(15), np.arange(15)]
    one, other = efficient_frontier(mean, cov), efficient_frontier(mean[twice], cov[np.ix_(twice, twice)])
    np.testing.assert_allclose(other.volatilities, one.volatilities, rtol=1e-9)
    np.testing.assert_allclose(other.weights[:, :15] + other.weights[:, 15:], one.weights, rtol=0, atol=1e-8)


def test_equal_means_leave_one_portfolio_that_of_least_variance() -> None:
    _, cov, lower, upper = problem(6, set(), 20)
    frontier = efficient_frontier(np.full(20, 0.07), cov)
    assert frontier.weights.shape == (1, 20)
    theirs = least_variance(cov, lower, upper)
    assert frontier.volatilities[0] == pytest.approx(np.sqrt(theirs @ cov @ theirs), rel=1e-6)


def test_the_greatest_return_of_several_portfolios_belongs_to_the_one_of_least_variance() -> None:
    frontier = efficient_frontier([0.1, 0.1, 0.05], np.diag([0.04, 0.01, 0.0025]), 2)
    np.testing.assert_allclose(frontier.weights[0], [0.2, 0.8, 0.0], rtol=0, atol=1e-14)  # inverse variances


@pytest.mark.parametrize(("lower", "upper"), [(0.0, 1.0), (-2.0, 3.0), (1.0, 1.0)])
def test_one_asset_is_the_frontier(lower: float, upper: float) -> None:
    frontier = efficient_frontier([0.07], [[0.04]], lower=lower, upper=upper)
    assert frontier.weights.tolist() == [[1.0]]
    assert frontier.volatilities.tolist() == [0.2]
    assert frontier.maximum_sharpe(0.02).expected_return == 0.07


@pytest.mark.parametrize(("lower", "upper"), [([0.2, 0.3, 0.5], 1.0), (0.0, [0.2, 0.3, 0.5]), ([0.2, 0.3, 0.5],) * 2])
def test_bounds_that_leave_one_portfolio_give_it(lower: Any, upper: Any) -> None:
    frontier = efficient_frontier([0.1, 0.2, 0.3], np.diag([0.01, 0.02, 0.03]), lower=lower, upper=upper)
    np.testing.assert_allclose(frontier.weights, [[0.2, 0.3, 0.5]], rtol=0, atol=1e-15)


def test_a_weight_fixed_by_its_bounds_stays() -> None:
    mean, cov, lower, upper = problem(4, set(), 8)
    lower[3] = upper[3] = 0.17
    frontier = efficient_frontier(mean, cov, 9, lower, upper)
    assert (frontier.weights[:, 3] == 0.17).all()
    theirs = least_variance(cov, lower, upper)
    assert frontier.volatilities[-1] == pytest.approx(np.sqrt(theirs @ cov @ theirs), rel=1e-6)


def test_two_hundred_assets_sold_short_and_fewer_sessions_end_within_the_steps() -> None:
    rng = np.random.default_rng(9)
    cov = np.cov(rng.normal(size=(120, 200)).T) + 1e-3
    frontier = efficient_frontier(rng.normal(size=200), cov, 9, -0.05, 0.1)
    lower, upper = np.full(200, -0.05), np.full(200, 0.1)
    worst = max(
        violation(frontier, multiplier, weights, lower, upper)
        for multiplier, weights in zip(frontier.corners.lambdas, frontier.corners.weights, strict=True)
    )
    assert worst < 1e-8
    assert len(frontier.corners.lambdas) > 100


def test_the_same_problem_gives_the_same_bits() -> None:
    np.testing.assert_array_equal(markowitz_frontier().weights, markowitz_frontier().weights)


@pytest.mark.parametrize("assets", [1, 2, 7, 50])
@pytest.mark.parametrize("kinds", [(), ("short",), ("caps",), ("duplicates",)])
def test_the_core_of_least_variance_agrees_with_a_conic_solver(assets: int, kinds: tuple[str, ...]) -> None:
    _, cov, lower, upper = problem(assets, set(kinds), assets)
    out = np.empty(assets)
    assert minimum_variance_weights(cov, lower, upper, out) == 0
    theirs = least_variance(cov, lower, upper)
    assert out.sum() == pytest.approx(1, abs=1e-12)
    assert (out >= lower).all()
    assert (out <= upper).all()
    assert out @ cov @ out == pytest.approx(theirs @ cov @ theirs, rel=1e-6, abs=1e-8 * np.diag(cov).max())


def test_the_core_of_least_variance_says_when_there_is_no_portfolio() -> None:
    out, cov = np.empty(2), np.eye(2)
    assert minimum_variance_weights(cov, np.zeros(2), np.full(2, 0.4), out) == 1
    assert minimum_variance_weights(cov, np.full(2, 0.6), np.ones(2), out) == 1
    assert minimum_variance_weights(cov, np.array([0.0, 0.5]), np.array([1.0, 0.4]), out) == 1
    assert minimum_variance_weights(cov, np.zeros(2), np.full(2, 0.5), out) == 0
    assert out.tolist() == [0.5, 0.5]


MEAN, COV = [0.05, 0.1], np.array([[0.01, 0.0], [0.0, 0.04]])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"mean": [0.05]}, r"`mean` must be finite, of shape \(2,\) as `cov`; got \(1,\)"),
        ({"mean": [0.05, np.nan]}, "`mean` must be finite"),
        ({"cov": np.ones((2, 3))}, r"`cov` must have shape \(N, N\)"),
        ({"cov": [[0.01, 0.02], [0.0, 0.04]]}, "`cov` must be symmetric"),
        (
            {"cov": [[0.01, 0.03], [0.03, 0.04]]},
            "`cov` must be positive semidefinite; .* is -0.5",
        ),
        ({"cov": [[0.0, 0.01], [0.01, 0.04]]}, "asset 0 has covariances but no variance"),
        ({"points": 1}, "`points` must be at least 2; got 1"),
        ({"lower": np.nan}, "`lower` must be finite; asset 0 has nan"),
        ({"upper": np.inf}, "`upper` must be finite; asset 0 has inf"),
        ({"upper": [1.0, 1.0, 1.0]}, r"`upper` must be a number or have shape \(2,\); got \(3,\)"),
    ],
)
def test_input_that_cannot_be_used_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        efficient_frontier(**{"mean": MEAN, "cov": COV, **changes})


@pytest.mark.parametrize(
    ("lower", "upper", "message"),
    [
        (0.6, 1.0, "`lower` 0.6 of assets 0, 1, which sum to 1.2"),
        (0.0, 0.4, "`upper` 0.4 of assets 0, 1, which sum to 0.8"),
        ([0.0, 0.5], [1.0, 0.4], "`lower` must not be above `upper`; asset 1 has 0.5 and 0.4"),
    ],
)
def test_bounds_that_leave_no_portfolio_are_named(lower: Any, upper: Any, message: str) -> None:
    with pytest.raises(Infeasible, match=message):
        efficient_frontier(MEAN, COV, lower=lower, upper=upper)


def test_a_return_that_no_efficient_portfolio_has_is_refused_with_the_limit() -> None:
    frontier = efficient_frontier(MEAN, COV)
    with pytest.raises(Infeasible, match=r"`target` 0.2 is above the maximum return, 0.1"):
        frontier.at_return(0.2)
    with pytest.raises(Infeasible, match=r"`target` 0.05 is below the return of the minimum variance, 0.06"):
        frontier.at_return(0.05)
    with pytest.raises(DataError, match="`target` must be finite"):
        frontier.at_return(float("nan"))


def test_a_rate_that_leaves_no_best_ratio_is_refused() -> None:
    frontier = efficient_frontier(MEAN, COV)
    with pytest.raises(Infeasible, match=r"no portfolio returns more than the `rate` 0.1; the maximum is 0.1"):
        frontier.maximum_sharpe(0.1)
    with pytest.raises(DataError, match="`rate` must be finite"):
        frontier.maximum_sharpe(float("inf"))
    riskless = efficient_frontier(MEAN, np.diag([0.0, 0.04]))
    with pytest.raises(Infeasible, match=r"without risk returns more than the `rate` 0.01"):
        riskless.maximum_sharpe(0.01)
    assert riskless.maximum_sharpe(0.05).expected_return > 0.05


def test_a_line_of_cash_and_one_risky_asset_is_straight() -> None:
    frontier = efficient_frontier([0.02, 0.1], np.diag([0.0, 0.04]), 5)
    np.testing.assert_allclose(frontier.weights[:, 1], [1.0, 0.75, 0.5, 0.25, 0.0], rtol=0, atol=1e-15)
    np.testing.assert_allclose(frontier.volatilities, 0.2 * frontier.weights[:, 1], rtol=0, atol=1e-15)


def test_a_large_covariance_is_judged_too() -> None:
    """From 250 assets on the check runs on a separate thread."""
    rng = np.random.default_rng(0)
    basis, _ = np.linalg.qr(rng.standard_normal((300, 300)))
    cov = (basis * np.append(-0.5, np.linspace(0.1, 2.0, 299))) @ basis.T
    with pytest.raises(DataError, match="`cov` must be positive semidefinite; the smallest eigenvalue"):
        efficient_frontier(rng.normal(0.05, 0.02, 300), 0.5 * (cov + cov.T))
