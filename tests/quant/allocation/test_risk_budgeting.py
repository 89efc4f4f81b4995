"""Risk budgeting against published portfolios, closed forms and a general optimiser."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from quant.allocation.risk_budgeting import (
    ACCEPTED,
    risk_contributions,
    risk_parity,
    risk_parity_weights,
)
from quant.covariance.semidefinite import checked_covariance
from quant.numeric.errors import DataError, Infeasible

RICHARD_RONCALLI = [
    [0.01, 0.0075, 0.01, 0.015],
    [0.0075, 0.0225, 0.015, 0.0225],
    [0.01, 0.015, 0.04, 0.045],
    [0.015, 0.0225, 0.045, 0.09],
]


def of_correlation(volatilities: list[float], pairs: dict[tuple[int, int], float]) -> np.ndarray:
    correlation = np.eye(len(volatilities))
    for (i, j), value in pairs.items():
        correlation[i, j] = correlation[j, i] = value
    return correlation * np.outer(volatilities, volatilities)


def sample_cov(seed: int, assets: int, sessions: int, market: float = 1.0) -> np.ndarray:
    """Covariance of returns with a common factor."""
    rng = np.random.default_rng(seed)
    own = rng.standard_normal((sessions, assets)) * rng.uniform(0.005, 0.03, assets)
    common = rng.standard_normal((sessions, 1)) * rng.uniform(-0.2, 1.5, assets) * 0.01 * market
    return np.atleast_2d(np.cov((own + common).T))


def shares_of_risk(weights: np.ndarray, cov: np.ndarray) -> np.ndarray:
    return weights * (cov @ weights) / (weights @ cov @ weights)


def random_budgets(seed: int, assets: int) -> np.ndarray:
    return np.random.default_rng(seed).dirichlet(np.ones(assets))


# Maillard, Roncalli and Teiletche (2010), p. 65, in percent to the digits printed there
@pytest.mark.parametrize(
    ("pairs", "expected", "digit"),
    [({}, [48, 24, 16, 12], 0.5), ({(0, 1): 0.8, (2, 3): -0.5}, [38.4, 19.2, 24.3, 18.2], 0.051)],
)
def test_equal_risk_contributions_are_those_of_maillard_roncalli_and_teiletche(
    pairs: dict[tuple[int, int], float], expected: list[float], digit: float
) -> None:
    weights = risk_parity(of_correlation([0.1, 0.2, 0.3, 0.4], pairs))
    np.testing.assert_allclose(100 * weights, expected, rtol=0, atol=digit)


# Richard and Roncalli (arXiv 1902.05710), table 1, in percent
@pytest.mark.parametrize(
    ("budgets", "expected"),
    [(None, [41.01, 27.34, 18.99, 12.66]), ([0.3, 0.3, 0.195, 0.205], [45.05, 30.04, 14.67, 10.24])],
)
def test_risk_budgets_are_those_of_richard_and_roncalli(budgets: list[float] | None, expected: list[float]) -> None:
    np.testing.assert_allclose(100 * risk_parity(RICHARD_RONCALLI, budgets), expected, rtol=0, atol=0.0051)


@pytest.mark.parametrize("assets", [2, 5, 9])
def test_weights_are_the_minimum_that_a_general_optimiser_finds(assets: int) -> None:
    cov, budgets = sample_cov(assets, assets, 60) * 1e4, random_budgets(assets, assets)
    solution = minimize(
        lambda y: 0.5 * y @ cov @ y - budgets @ np.log(y),
        1.0 / np.sqrt(np.diag(cov)),
        jac=lambda y: cov @ y - budgets / y,
        bounds=[(1e-9, None)] * assets,
        method="L-BFGS-B",
        options={"ftol": 1e-16, "gtol": 1e-10, "maxiter": 5000},
    )
    np.testing.assert_allclose(risk_parity(cov, budgets), solution.x / solution.x.sum(), rtol=0, atol=2e-6)


@given(st.integers(0, 10**6), st.integers(1, 60), st.integers(2, 90))
@settings(max_examples=60)
def test_shares_of_risk_are_the_budgets(seed: int, assets: int, sessions: int) -> None:
    cov, budgets = sample_cov(seed, assets, sessions, market=3.0), random_budgets(seed, assets)
    try:
        weights = risk_parity(cov, budgets)
    except Infeasible:
        assert sessions <= 2 * assets  # few sessions: returns of some long-only portfolio cancel on each of them
        return
    assert weights.min() > 0
    assert weights.sum() == pytest.approx(1, abs=1e-14)
    volatility = np.sqrt(weights @ cov @ weights)
    rounding = 1e-14 * (weights @ np.sqrt(np.diag(cov))) ** 2 / volatility**2  # of the check itself
    assert np.abs(shares_of_risk(weights, cov) - budgets).max() < ACCEPTED + rounding


def test_five_hundred_assets_have_equal_shares_to_1e_10() -> None:
    cov = sample_cov(3, 500, 1000)
    assert np.abs(shares_of_risk(risk_parity(cov), cov) - 1 / 500).max() < 1.1e-10


@given(st.integers(0, 10**6), st.integers(2, 40), st.sampled_from([1e-30, 1e-4, 252.0, 1e20]))
@settings(max_examples=25)
def test_unit_of_the_covariance_changes_nothing(seed: int, assets: int, unit: float) -> None:
    cov = sample_cov(seed, assets, 100)
    np.testing.assert_allclose(risk_parity(unit * cov), risk_parity(cov), rtol=1e-9)


@given(st.integers(0, 10**6), st.integers(2, 40))
@settings(max_examples=25)
def test_unit_of_an_asset_changes_only_its_weight(seed: int, assets: int) -> None:
    cov, unit = sample_cov(seed, assets, 100), np.random.default_rng(seed).uniform(0.01, 100.0, assets)
    scaled = risk_parity(cov * np.outer(unit, unit)) * unit
    np.testing.assert_allclose(scaled / scaled.sum(), risk_parity(cov), rtol=1e-7)


@given(st.integers(0, 10**6), st.integers(2, 40))
@settings(max_examples=25)
def test_order_of_the_assets_changes_nothing(seed: int, assets: int) -> None:
    cov, budgets = sample_cov(seed, assets, 100), random_budgets(seed, assets)
    order = np.random.default_rng(seed).permutation(assets)
    swapped = risk_parity(cov[np.ix_(order, order)], budgets[order])
    np.testing.assert_allclose(swapped, risk_parity(cov, budgets)[order], rtol=0, atol=1e-8)


@pytest.mark.parametrize("rho", [-0.049, 0.0, 0.5, 0.999999, 1.0])
def test_one_common_correlation_gives_inverse_volatilities(rho: float) -> None:
    volatilities = np.linspace(0.05, 0.6, 20)
    cov = (rho + (1 - rho) * np.eye(20)) * np.outer(volatilities, volatilities)
    inverse = 1 / volatilities
    np.testing.assert_allclose(risk_parity(cov), inverse / inverse.sum(), rtol=1e-8)


@pytest.mark.parametrize("rho", [-0.9999, -0.5, 0.0, 0.3, 0.99])
@pytest.mark.parametrize("budget", [0.01, 0.5, 0.8])
def test_two_assets_have_the_closed_form(rho: float, budget: float) -> None:
    """Roncalli (2013), Introduction to Risk Parity and Budgeting, section 2.2.1.1."""
    first, second = 0.1, 0.35
    root = np.sqrt((budget - 0.5) ** 2 * rho**2 + budget * (1 - budget))
    a = (budget - 0.5) * rho + root
    weight = a / first / (a / first + (1 - budget) / second)
    cov = [[first**2, rho * first * second], [rho * first * second, second**2]]
    np.testing.assert_allclose(risk_parity(cov, [budget, 1 - budget]), [weight, 1 - weight], rtol=1e-7)


def test_budgets_without_correlation_give_root_of_budget_over_volatility() -> None:
    volatilities, budgets = np.array([0.1, 0.2, 0.4]), np.array([0.5, 0.3, 0.2])
    expected = np.sqrt(budgets) / volatilities
    np.testing.assert_allclose(risk_parity(np.diag(volatilities**2), budgets), expected / expected.sum(), rtol=1e-12)


def test_a_duplicated_asset_splits_the_weight_that_both_budgets_earn() -> None:
    cov = sample_cov(5, 6, 100)
    twice = np.r_[np.arange(6), 2]
    cov_twice = cov[np.ix_(twice, twice)]
    weights = risk_parity(cov_twice, [0.2, 0.1, 0.1, 0.2, 0.1, 0.1, 0.2])
    single = risk_parity(cov, [0.2, 0.1, 0.3, 0.2, 0.1, 0.1])
    assert weights[6] == pytest.approx(2 * weights[2], rel=1e-7)
    np.testing.assert_allclose(weights[[0, 1, 3, 4, 5]], single[[0, 1, 3, 4, 5]], rtol=1e-7)


def test_one_asset_takes_all() -> None:
    assert risk_parity([[0.04]]).tolist() == [1.0]


def test_a_zero_budget_is_a_zero_weight_and_the_rest_is_solved_without_it() -> None:
    cov = sample_cov(8, 5, 100)
    weights = risk_parity(cov, [0.4, 0.0, 0.3, 0.0, 0.3])
    budgeted = [0, 2, 4]
    assert weights[[1, 3]].tolist() == [0.0, 0.0]
    np.testing.assert_array_equal(weights[budgeted], risk_parity(cov[np.ix_(budgeted, budgeted)], [0.4, 0.3, 0.3]))


@pytest.mark.parametrize("gap", [1e-3, 1e-5, 1e-7, 1e-9])
def test_assets_that_nearly_cancel_still_reach_their_budgets(gap: float) -> None:
    """The closed form: each pair gets half the risk, its two assets are alike, and the pairs are uncorrelated."""
    cov = np.zeros((4, 4))
    cov[:2, :2] = [[1.0, gap - 1.0], [gap - 1.0, 1.0]]
    cov[2:, 2:] = [[1.0, 0.2], [0.2, 1.0]]
    weights = risk_parity(cov)
    volatilities = np.sqrt([2 * gap, 2.4])
    pair = 1 / volatilities / (1 / volatilities).sum() / 2
    np.testing.assert_allclose(weights, [pair[0], pair[0], pair[1], pair[1]], rtol=1e-6)


def test_known_definiteness_changes_no_bit() -> None:
    for assets in (10, 60):
        cov = sample_cov(9, assets, 100)
        np.testing.assert_array_equal(risk_parity(cov, semidefinite=True), risk_parity(cov))


def test_the_core_for_other_kernels_agrees_and_gives_the_residual() -> None:
    cov, budgets, out = sample_cov(4, 12, 60), random_budgets(4, 12), np.empty(12)
    residual = risk_parity_weights(cov, budgets, out)
    np.testing.assert_array_equal(out, risk_parity(cov, budgets))
    assert np.abs(shares_of_risk(out, cov) - budgets).max() == pytest.approx(residual, abs=1e-14)
    assert risk_parity_weights(cov, 2 * budgets, out) == np.inf
    assert risk_parity_weights(np.full((12, 12), np.nan), budgets, out) == np.inf


def test_contributions_are_weight_times_slope_of_the_volatility() -> None:
    cov = sample_cov(1, 7, 100)
    weights = np.random.default_rng(1).normal(size=7)

    def volatility(w: np.ndarray) -> float:
        return float(np.sqrt(w @ cov @ w))

    step = 1e-6
    slopes = [(volatility(weights + step * e) - volatility(weights - step * e)) / (2 * step) for e in np.eye(7)]
    contributions = risk_contributions(weights, cov)
    np.testing.assert_allclose(contributions, weights * slopes, rtol=1e-6)
    assert contributions.sum() == pytest.approx(volatility(weights), rel=1e-13)


def test_contributions_of_assets_with_and_without_variance() -> None:
    np.testing.assert_allclose(risk_contributions([0.5, 0.5], [[0.0, 0.0], [0.0, 0.04]]), [0.0, 0.1], rtol=1e-12)


def indefinite(assets: int) -> np.ndarray:
    """A correlation matrix but for one eigenvalue of about -0.02."""
    values, vectors = np.linalg.eigh(np.corrcoef(sample_cov(2, assets, 3 * assets)))
    values[0] = -0.02
    matrix = vectors * values @ vectors.T
    matrix = 0.5 * (matrix + matrix.T)
    deviations = np.sqrt(np.diag(matrix))
    return matrix / np.outer(deviations, deviations)


COV = np.array([[0.04, 0.01], [0.01, 0.09]])


@pytest.mark.parametrize(
    ("cov", "message"),
    [
        ([0.1, 0.2], r"`cov` must have shape \(N, N\), N > 0; got \(2,\)"),
        (np.ones((2, 3)), r"got \(2, 3\)"),
        (np.empty((0, 0)), r"got \(0, 0\)"),
        ([[0.04, np.nan], [np.nan, 0.09]], "`cov` must be finite; row 0, column 1 is nan"),
        ([[0.04, 0.0], [np.inf, 0.09]], "`cov` must be finite; row 1, column 0 is inf"),
        ([[np.nan, 0.0], [0.0, 0.09]], "row 0, column 0 is nan"),
        ([[0.04, 0.01], [0.02, 0.09]], "`cov` must be symmetric; row 1, column 0 is"),
        ([[0.04, 0.0], [0.0, 0.0]], "positive variances; asset 1 has 0.0"),
        ([[0.04, 0.0], [0.0, -0.01]], "no negative variances; asset 1 has -0.01"),
        ([[0.04, 0.01], [0.01, 0.0]], "asset 1 has covariances but no variance"),
        (
            [[1.0, 2.0], [2.0, 1.0]],
            "`cov` must be positive semidefinite; .* of its correlations is -1",
        ),
        (indefinite(10), "smallest eigenvalue of its correlations is -0.0"),
        (indefinite(80), "smallest eigenvalue of its correlations is -0.0"),
    ],
)
def test_a_matrix_that_is_no_covariance_is_refused(cov: np.ndarray, message: str) -> None:
    with pytest.raises(DataError, match=message):
        risk_parity(cov)


@pytest.mark.parametrize(
    ("budgets", "message"),
    [
        ([0.5, 0.6], "`budgets` must have the sum 1, to 1e-06; got 1.1"),
        ([0.5, 0.3, 0.2], r"`budgets` must have shape \(2,\), as `cov` has 2 assets; got \(3,\)"),
        ([1.5, -0.5], "finite and not negative; that of asset 1 is -0.5"),
        ([np.nan, 0.5], "that of asset 0 is nan"),
        ([0.5, np.inf], "that of asset 1 is inf"),
    ],
)
def test_budgets_that_are_no_shares_are_refused(budgets: list[float], message: str) -> None:
    with pytest.raises(DataError, match=message):
        risk_parity(COV, budgets)


@pytest.mark.parametrize("cov", [[[1.0, -1.0], [-1.0, 1.0]], [[0.01, -0.03], [-0.03, 0.09]]])
def test_a_portfolio_without_risk_has_no_budgets(cov: list[list[float]]) -> None:
    with pytest.raises(Infeasible, match="cancels to rounding"):
        risk_parity(cov)


@pytest.mark.parametrize(
    ("weights", "cov", "message"),
    [
        ([0.5], COV, r"`weights` must be finite, of shape \(2,\)"),
        ([0.5, np.nan], COV, "`weights` must be finite"),
        ([0.0, 0.0], COV, "`weights` have no risk"),
        ([0.5, 0.5], [[0.04, 0.01], [0.02, 0.09]], "symmetric"),
        ([0.5, 0.5], [[1.0, 2.0], [2.0, 1.0]], "positive semidefinite"),
    ],
)
def test_contributions_refuse(weights: list[float], cov: np.ndarray, message: str) -> None:
    with pytest.raises(DataError, match=message):
        risk_contributions(weights, cov)


def test_rounding_is_no_asymmetry_and_is_taken_away() -> None:
    cov = COV.copy()
    cov[0, 1] *= 1 + 1e-12
    checked = checked_covariance(cov)
    assert checked[0, 1] == checked[1, 0]
    np.testing.assert_allclose(risk_parity(cov), risk_parity(COV), rtol=1e-10)


def test_read_only_and_column_ordered_arrays_are_taken_and_left_alone() -> None:
    cov, budgets = sample_cov(6, 9, 60), random_budgets(6, 9)
    expected, columns = risk_parity(cov, budgets), np.asfortranarray(cov)
    for array in (cov, budgets, columns):
        array.setflags(write=False)
    np.testing.assert_array_equal(risk_parity(cov, budgets), expected)
    np.testing.assert_array_equal(risk_parity(columns, budgets), expected)


def test_budgets_that_miss_one_by_rounding_are_rescaled() -> None:
    cov = np.array([[0.04, 0.01], [0.01, 0.09]])
    exact = risk_parity(cov, [0.4, 0.6])
    np.testing.assert_allclose(risk_parity(cov, [0.4 * 1.0000001, 0.6 * 1.0000001]), exact, rtol=1e-12)
    with pytest.raises(DataError, match="sum 1"):
        risk_parity(cov, [0.4, 0.60001])
