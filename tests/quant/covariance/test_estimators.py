import math
import re
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from quant.covariance.correlation_repair import nearest_correlation
from quant.covariance.denoising import denoise, denoised_covariance
from quant.covariance.estimators import ILL_CONDITIONED, condition_number, correlation, exponential, pairwise, sample
from quant.covariance.semidefinite import checked_covariance
from quant.covariance.shrinkage import ledoit_wolf, nonlinear_shrinkage
from quant.numeric.errors import DataError
from quant.numeric.returns import Returns

seeds = st.integers(0, 2**32 - 1)
few = settings(max_examples=25, deadline=None)


def returns_of(seed: int, assets: int = 6, sessions: int = 80) -> np.ndarray:
    """Daily returns with a common factor and very different volatilities."""
    rng = np.random.default_rng(seed)
    loadings = rng.normal(1.0, 0.5, assets) * 0.01
    own = rng.standard_t(5, (sessions, assets)) * np.geomspace(0.001, 0.02, assets)
    return 0.0005 + rng.normal(size=(sessions, 1)) * loadings + own


def dated(values: np.ndarray) -> Returns:
    days = np.datetime64("2020-01-01") + np.arange(len(values))
    return Returns(days, tuple(f"A{i}" for i in range(values.shape[1])), values)


@few
@given(seeds)
def test_sample_is_numpys(seed: int) -> None:
    x = returns_of(seed)
    np.testing.assert_allclose(sample(x), np.cov(x.T), rtol=1e-12, atol=1e-18)
    np.testing.assert_array_equal(sample(dated(x)), sample(x))


@few
@given(seeds, st.floats(0.05, 0.4))
def test_missing_returns_are_left_out_as_pandas_does(seed: int, share: float) -> None:
    x = returns_of(seed, assets=4, sessions=120)
    x[np.random.default_rng(seed).random(x.shape) < share] = np.nan
    x[:, 0] = np.nan_to_num(x[:, 0])
    frame = pd.DataFrame(x)
    inner = sample(x, alignment="inner")
    np.testing.assert_allclose(inner, frame.dropna().cov(), rtol=1e-10, atol=1e-18)
    np.testing.assert_allclose(pairwise(x), frame.cov(), rtol=1e-10, atol=1e-16)
    complete = frame.dropna().to_numpy()
    for estimate in (ledoit_wolf, exponential_94, denoised_covariance):
        dropped = matrix_of(estimate(x, alignment="inner"))
        np.testing.assert_allclose(dropped, matrix_of(estimate(complete)), rtol=1e-9, atol=1e-18)


def exponential_94(returns: Any, **options: Any) -> np.ndarray:
    return exponential(returns, decay=0.94, **options)


def matrix_of(estimate: Any) -> np.ndarray:
    return estimate if isinstance(estimate, np.ndarray) else estimate.matrix


@few
@given(seeds, st.floats(0.8, 0.995))
def test_exponential_is_pandas_s(seed: int, decay: float) -> None:
    x = returns_of(seed)
    last = pd.DataFrame(x).ewm(alpha=1.0 - decay).cov().iloc[-x.shape[1] :].to_numpy()
    np.testing.assert_allclose(exponential(x, decay=decay), last, rtol=1e-9, atol=1e-16)
    halflife = math.log(0.5) / math.log(decay)
    np.testing.assert_allclose(exponential(x, halflife=halflife), last, rtol=1e-8, atol=1e-16)


def test_exponential_about_zero_follows_the_recursion_of_riskmetrics() -> None:
    x = returns_of(3)
    level, weight = np.zeros((6, 6)), 0.0
    for row in x:
        level, weight = 0.94 * level + 0.06 * np.outer(row, row), 0.94 * weight + 0.06
    np.testing.assert_allclose(exponential(x, decay=0.94, centred=False), level / weight, rtol=1e-11, atol=1e-18)


def mean_squared_error_intensity(x: np.ndarray) -> float:
    """Ledoit and Wolf (2004), lemmas 3.2 to 3.4, term by term."""
    sessions, assets = x.shape
    x = x - x.mean(axis=0)
    s = x.T @ x / sessions
    m = np.trace(s) / assets
    d2 = ((s - m * np.eye(assets)) ** 2).sum() / assets
    b2 = sum(((np.outer(row, row) - s) ** 2).sum() / assets for row in x) / sessions**2
    return min(b2, d2) / d2


@pytest.mark.parametrize("sessions", [5, 40, 300])
@pytest.mark.parametrize("seed", range(4))
def test_ledoit_wolf_is_the_papers(seed: int, sessions: int) -> None:
    x = returns_of(seed, assets=12, sessions=sessions)
    shrunk = ledoit_wolf(x)
    intensity = mean_squared_error_intensity(x)
    assert shrunk.intensity == pytest.approx(intensity, rel=1e-12)
    s = np.cov(x.T, ddof=0)
    expected = (1 - intensity) * s + intensity * np.trace(s) / 12 * np.eye(12)
    np.testing.assert_allclose(shrunk.matrix, expected, rtol=1e-12, atol=1e-18)
    assert np.linalg.eigvalsh(shrunk.matrix)[0] > 0.0


def constant_correlation_intensity(x: np.ndarray) -> tuple[float, np.ndarray]:
    """Ledoit and Wolf (2004, "Honey"), appendix B, with a loop over each pair."""
    sessions, n = x.shape
    y = x - x.mean(axis=0)
    s = y.T @ y / sessions
    r = s / np.sqrt(np.outer(np.diag(s), np.diag(s)))
    rbar = (r.sum() - n) / (n * (n - 1))
    f = rbar * np.sqrt(np.outer(np.diag(s), np.diag(s)))
    np.fill_diagonal(f, np.diag(s))
    pi = rho = 0.0
    for i in range(n):
        for j in range(n):
            product = y[:, i] * y[:, j] - s[i, j]
            p = (product**2).mean()
            pi += p
            if i == j:
                rho += p
                continue
            theta_ii = ((y[:, i] ** 2 - s[i, i]) * product).mean()
            theta_jj = ((y[:, j] ** 2 - s[j, j]) * product).mean()
            rho += rbar / 2 * (math.sqrt(s[j, j] / s[i, i]) * theta_ii + math.sqrt(s[i, i] / s[j, j]) * theta_jj)
    return max(0.0, min(1.0, (pi - rho) / ((f - s) ** 2).sum() / sessions)), f


@pytest.mark.parametrize(("seed", "sessions"), [(0, 30), (1, 30), (2, 200), (3, 8)])
def test_shrinkage_to_a_constant_correlation_is_the_papers(seed: int, sessions: int) -> None:
    x = returns_of(seed, assets=8, sessions=sessions)
    shrunk = ledoit_wolf(x, target="constant_correlation")
    intensity, target = constant_correlation_intensity(x)
    assert shrunk.intensity == pytest.approx(intensity, rel=1e-9)
    expected = (1 - intensity) * np.cov(x.T, ddof=0) + intensity * target
    np.testing.assert_allclose(shrunk.matrix, expected, rtol=1e-9, atol=1e-18)
    np.testing.assert_allclose(np.diag(shrunk.matrix), x.var(axis=0), rtol=1e-12)


@pytest.mark.parametrize("target", ["scaled_identity", "constant_correlation"])
def test_one_asset_is_not_shrunk(target: Any) -> None:
    x = returns_of(1, assets=1)
    shrunk = ledoit_wolf(x, target=target)
    assert shrunk.intensity == 0.0
    assert shrunk.matrix == pytest.approx(x.var(), rel=1e-12)


def test_the_intensity_falls_with_more_sessions() -> None:
    intensities = [ledoit_wolf(returns_of(5, 20, n)).intensity for n in (25, 100, 400, 3200)]
    assert intensities == sorted(intensities, reverse=True)
    assert intensities[-1] < 0.05


def loss(estimate: np.ndarray, truth: np.ndarray) -> float:
    return float(((estimate - truth) ** 2).sum())


@pytest.mark.parametrize(
    ("assets", "sessions"),
    [pytest.param(60, 120, marks=pytest.mark.soak), (80, 40), pytest.param(30, 30, marks=pytest.mark.soak), (100, 300)],
)
def test_shrinkage_is_nearer_to_the_truth_than_the_sample(assets: int, sessions: int) -> None:
    """Three groups of eigenvalues as in Ledoit and Wolf (2020), section 5: a fifth 1, two fifths 3, two fifths 10."""
    rng = np.random.default_rng(assets)
    truth = np.diag(np.repeat([1.0, 3.0, 10.0], [assets * 2 // 10, assets * 4 // 10, assets * 4 // 10]))
    of_sample, linear, nonlinear = np.zeros(20), np.zeros(20), np.zeros(20)
    for k in range(20):
        x = rng.normal(size=(sessions, assets)) @ np.sqrt(truth)
        of_sample[k] = loss(np.cov(x.T), truth)
        linear[k] = loss(ledoit_wolf(x).matrix, truth)
        nonlinear[k] = loss(nonlinear_shrinkage(x), truth)
    assert linear.mean() < 0.75 * of_sample.mean()
    assert nonlinear.mean() < 0.75 * of_sample.mean()
    if assets == 100:
        assert nonlinear.mean() < 0.9 * linear.mean()


def test_nonlinear_shrinkage_finds_the_limit_of_equal_eigenvalues() -> None:
    """With the identity as truth the optimal eigenvalues are all 1, while the sample's reach from 0.25 to 2.25."""
    x = np.random.default_rng(8).normal(size=(1200, 300))
    eigenvalues = np.linalg.eigvalsh(nonlinear_shrinkage(x))
    assert np.linalg.eigvalsh(np.cov(x.T))[-1] > 2.1
    assert eigenvalues.min() > 0.8
    assert eigenvalues.max() < 1.25


@few
@given(seeds, st.floats(1e-4, 1e4), st.permutations(range(6)))
def test_estimates_follow_the_scale_and_the_order_of_the_assets(seed: int, scale: float, order: list[int]) -> None:
    x = returns_of(seed)
    for estimate in (sample, ledoit_wolf, exponential_94, denoised_covariance, nonlinear_shrinkage):
        base = matrix_of(estimate(x))
        np.testing.assert_allclose(matrix_of(estimate(scale * x)), scale**2 * base, rtol=1e-6, atol=1e-10 * scale**2)
        permuted = matrix_of(estimate(x[:, order]))
        np.testing.assert_allclose(permuted, base[np.ix_(order, order)], rtol=1e-6, atol=1e-10)


def two_factor(assets: int, sessions: int) -> np.ndarray:
    rng = np.random.default_rng(11)
    common = rng.normal(size=(sessions, 2)) * [1.0, 0.7]
    return (common @ rng.normal(1.0, 0.6, (2, assets)) + rng.normal(size=(sessions, assets))) * 0.01


def test_denoising_finds_the_factors_and_replaces_the_rest_by_their_mean() -> None:
    x = two_factor(80, 800)
    clean = denoised_covariance(x)
    assert clean.factors == 2
    assert clean.threshold == pytest.approx(clean.noise_variance * (1 + math.sqrt(0.1)) ** 2, rel=1e-12)
    s = np.cov(x.T)
    np.testing.assert_array_equal(np.diag(clean.matrix), np.diag(sample(x)))
    # Lopez de Prado (2020), snippet 2.5, written out
    values, vectors = np.linalg.eigh(np.corrcoef(x.T))
    values[:-2] = values[:-2].mean()
    corr = vectors @ np.diag(values) @ vectors.T
    corr /= np.sqrt(np.outer(np.diag(corr), np.diag(corr)))
    np.testing.assert_allclose(clean.matrix, corr * np.sqrt(np.outer(np.diag(s), np.diag(s))), rtol=1e-10, atol=1e-18)
    assert condition_number(clean.matrix) < condition_number(s)
    again = denoise(s, observations=800, noise_variance=clean.noise_variance)
    np.testing.assert_allclose(again.matrix, clean.matrix, rtol=1e-10, atol=1e-18)


def test_pure_noise_has_no_factor_and_a_noise_variance_of_nearly_one() -> None:
    x = np.random.default_rng(2).normal(size=(1000, 200))
    clean = denoised_covariance(x, noise_variance=1.0)
    # Tracy-Widom: the largest eigenvalue strays about N**(-2/3) above the edge, rarely by more than one factor
    assert clean.factors <= 1
    assert denoised_covariance(x).noise_variance == pytest.approx(1.0, abs=0.08)


def test_one_asset_is_not_denoised() -> None:
    x = returns_of(1, assets=1)
    np.testing.assert_allclose(denoised_covariance(x).matrix, [[x.var(ddof=1)]], rtol=1e-12)


def test_denoising_makes_a_singular_covariance_definite() -> None:
    clean = denoised_covariance(two_factor(60, 40))
    assert np.linalg.eigvalsh(clean.matrix)[0] > 0.0


def dual_nearest(matrix: np.ndarray) -> np.ndarray:
    """Qi and Sun (2006): the answer is the positive part of A + diag(y) at the minimum of the dual."""

    def dual(y: np.ndarray) -> tuple[float, np.ndarray]:
        values, vectors = np.linalg.eigh(matrix + np.diag(y))
        part = np.maximum(values, 0.0)
        return 0.5 * (part**2).sum() - y.sum(), ((vectors * part) * vectors).sum(axis=1) - 1.0

    solution = minimize(dual, np.zeros(len(matrix)), jac=True, method="BFGS", options={"gtol": 1e-10})
    values, vectors = np.linalg.eigh(matrix + np.diag(solution.x))
    return (vectors * np.maximum(values, 0.0)) @ vectors.T


def broken_correlation(seed: int, size: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    matrix = np.clip(rng.normal(0.3, 0.6, (size, size)), -1.0, 1.0)
    matrix = np.triu(matrix, 1) + np.triu(matrix, 1).T
    np.fill_diagonal(matrix, 1.0)
    return matrix


@settings(max_examples=12, deadline=None)
@given(seeds, st.integers(2, 9))
def test_nearest_correlation_solves_the_dual_problem(seed: int, size: int) -> None:
    matrix = broken_correlation(seed, size)
    near = nearest_correlation(matrix)
    np.testing.assert_allclose(near.matrix, dual_nearest(matrix), atol=2e-6)
    assert (np.diag(near.matrix) == 1.0).all()
    assert np.linalg.eigvalsh(near.matrix)[0] > -1e-12
    assert near.distance == pytest.approx(np.linalg.norm(near.matrix - matrix), abs=1e-14)
    checked_covariance(near.matrix)


def test_nearest_correlation_is_highams() -> None:
    """Higham (2002), section 1: 0.7607, 0.1573, distance 0.5278."""
    near = nearest_correlation([[1, 1, 0], [1, 1, 1], [0, 1, 1]])
    np.testing.assert_allclose(near.matrix[0], [1.0, 0.7607, 0.1573], atol=5e-5)
    assert near.distance == pytest.approx(0.5278, abs=5e-5)


def test_a_correlation_matrix_is_its_own_nearest() -> None:
    matrix = np.corrcoef(returns_of(4).T)
    near = nearest_correlation(matrix)
    np.testing.assert_allclose(near.matrix, matrix, atol=1e-13)
    assert near.distance < 1e-13


def test_the_nearest_correlation_can_be_made_invertible() -> None:
    near = nearest_correlation(broken_correlation(1, 6), smallest_eigenvalue=1e-3)
    assert np.linalg.eigvalsh(near.matrix)[0] == pytest.approx(1e-3, rel=1e-4)


def test_correlation_and_condition_number_are_numpys() -> None:
    x = returns_of(7)
    np.testing.assert_allclose(correlation(sample(x)), np.corrcoef(x.T), rtol=1e-12)
    assert condition_number(sample(x)) == pytest.approx(np.linalg.cond(np.cov(x.T)), rel=1e-8)
    assert condition_number(np.ones((3, 3))) == math.inf
    assert condition_number(sample(np.column_stack([x, 1e-4 * x[:, 0] + x[:, 1]]))) > ILL_CONDITIONED
    assert condition_number(np.diag([1.0, 0.0])) == math.inf


@pytest.mark.parametrize("size", [1, 3, 48, 49, 130])
def test_a_covariance_passes_unchanged(size: int) -> None:
    x = np.random.default_rng(size).normal(size=(2 * size + 2, size))
    cov = np.cov(x.T).reshape(size, size)
    cov = 0.5 * (cov + cov.T)
    np.testing.assert_array_equal(checked_covariance(cov), cov)
    np.testing.assert_array_equal(checked_covariance(cov.tolist()), cov)


@pytest.mark.parametrize("size", [4, 60])
def test_duplicated_assets_and_rounded_matrices_pass(size: int) -> None:
    x = np.random.default_rng(size).normal(size=(3 * size, size)) * np.geomspace(1e-5, 1.0, size)
    cov = np.cov(np.column_stack([x, x]).T)
    checked_covariance(cov)
    corr = np.round(correlation(cov), 9)
    checked_covariance(corr)
    skewed = cov.copy()
    skewed[0, 1] *= 1.0 + 1e-10
    result = checked_covariance(skewed)
    np.testing.assert_array_equal(result, result.T)


def test_zero_variance_is_refused_unless_allowed() -> None:
    cov = np.diag([0.04, 0.0, 0.01])
    with pytest.raises(DataError, match="`sigma` must have positive variances; asset 1 has 0"):
        checked_covariance(cov, name="sigma")
    np.testing.assert_array_equal(checked_covariance(cov, allow_zero_variance=True), cov)
    np.testing.assert_array_equal(checked_covariance(np.zeros((2, 2)), allow_zero_variance=True), np.zeros((2, 2)))
    cov[1, 2] = cov[2, 1] = 0.001
    with pytest.raises(DataError, match="asset 1 has covariances but no variance"):
        checked_covariance(cov, allow_zero_variance=True)
    with pytest.raises(DataError, match="`cov` must have a positive variance"):
        condition_number(np.zeros((2, 2)))


@pytest.mark.parametrize("size", [3, 60])
def test_an_indefinite_matrix_is_refused_with_its_eigenvalue_whatever_its_scale(size: int) -> None:
    corr = np.full((size, size), -0.9)
    np.fill_diagonal(corr, 1.0)
    smallest = 1.0 - 0.9 * (size - 1)  # of an equicorrelation matrix
    deviation = np.geomspace(1e-4, 1.0, size)
    with pytest.raises(DataError, match=re.escape(f"smallest eigenvalue of its correlations is {smallest:.3g}")):
        checked_covariance(corr * np.outer(deviation, deviation))


@pytest.mark.parametrize(
    ("cov", "message"),
    [
        ([[1.0, 0.2]], r"`cov` must have shape \(N, N\), N > 0; got \(1, 2\)"),
        ([1.0, 2.0], r"got \(2,\)"),
        (np.zeros((0, 0)), r"got \(0, 0\)"),
        ([[1.0, math.nan], [math.nan, 1.0]], "`cov` must be finite; row 0, column 1 is nan"),
        ([[math.inf]], "row 0, column 0 is inf"),
        ([[1.0, 0.2], [0.3, 1.0]], "`cov` must be symmetric; row 1, column 0 is 0.3, row 0, column 1 is 0.2"),
        ([[1.0, 0.0], [0.0, -1.0]], "asset 1 has -1.0"),
        ([["a"]], "`cov` must be a matrix of numbers"),
        ([[1.0, 0.0], [0.0]], "`cov` must be a matrix of numbers"),
    ],
)
def test_what_is_no_covariance_is_refused(cov: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        checked_covariance(cov)


GOOD = returns_of(1)
HOLE = GOOD.copy()
HOLE[3, 2] = math.nan
WILD = GOOD.copy()
WILD[5, 1], WILD[6, 1] = math.inf, -math.inf
UNKNOWN: Any = "one"
FLAT = GOOD.copy()
FLAT[:, 2] = 0.0


@pytest.mark.parametrize("estimate", [sample, ledoit_wolf, exponential_94, denoised_covariance, nonlinear_shrinkage])
def test_missing_or_infinite_returns_are_refused(estimate: Any) -> None:
    with pytest.raises(DataError, match="row 3 of column 2 is; choose an `alignment`"):
        estimate(HOLE)
    for alignment in (None, "inner"):
        with pytest.raises(DataError, match="`returns` must be finite, row 5 of column 1 is inf"):
            estimate(WILD, alignment=alignment)
    with pytest.raises(DataError, match="`alignment` must be 'inner' here, got 'outer'"):
        estimate(GOOD, alignment="outer")
    with pytest.raises(DataError, match=r"`returns` must have shape \(T, N\)"):
        estimate(GOOD[:, 0])
    with pytest.raises(DataError, match="`returns` must be numbers; row 0, column 0 is 'a'"):
        estimate([["a"]])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: sample(GOOD[:5]), "5 sessions for 6 assets; at least 6 are needed, and 18 advisable; or shrink"),
        (lambda: exponential(GOOD[:5], decay=0.9), "5 sessions for 6 assets"),
        (lambda: sample(GOOD[:1, :1]), "at least 2 are needed"),
        (lambda: sample(np.full((9, 2), math.nan), alignment="inner"), "0 sessions without a missing return"),
        (lambda: pairwise(WILD), "must be finite"),
        (lambda: exponential(GOOD), "either `halflife` or `decay`"),
        (lambda: exponential(GOOD, decay=0.9, halflife=3.0), "either `halflife` or `decay`"),
        (lambda: exponential(GOOD, decay=1.0), r"`decay` must lie in \(0, 1\), got 1.0"),
        (lambda: exponential(GOOD, halflife=0.0), "`halflife` must be positive, got 0.0"),
        (lambda: sample(np.full((9, 2), 1e308)), "must be below 1e.140 in size"),
        (
            lambda: ledoit_wolf(GOOD, target=UNKNOWN),
            "`target` must be scaled_identity or constant_correlation, got 'one'",
        ),
        (lambda: ledoit_wolf(GOOD[:1]), "at least 2 sessions, got 1"),
        (lambda: ledoit_wolf(FLAT, target="constant_correlation"), "positive variances; asset 2 has 0.0"),
        (lambda: denoised_covariance(FLAT), "`returns` must have positive variances; asset 2 has 0.0"),
        (lambda: denoised_covariance(GOOD[:1]), "at least 2 sessions, got 1"),
        (lambda: denoised_covariance(GOOD, noise_variance=0.0), r"`noise_variance` must lie in \(0, 1\], got 0.0"),
        (lambda: denoise(np.eye(2), observations=1), "`observations` must be at least 2, got 1"),
        (lambda: nonlinear_shrinkage(GOOD[:11]), "at least 12 sessions, got 11"),
        (lambda: nonlinear_shrinkage(np.column_stack([GOOD, GOOD])), "combinations of others"),
        (lambda: nearest_correlation(4.0 * np.eye(2)), "ones on its diagonal; row 0 has 4.0"),
        (lambda: nearest_correlation([[1.0, 0.5], [0.4, 1.0]]), "`matrix` must be symmetric"),
        (lambda: nearest_correlation(np.eye(2), smallest_eigenvalue=1.0), r"must lie in \[0, 1\), got 1.0"),
        (lambda: nearest_correlation(np.eye(2), tolerance=0.0), "`tolerance` must lie in"),
        (lambda: nearest_correlation(broken_correlation(1, 6), max_iterations=2), "`max_iterations` 2 do not suffice"),
        (lambda: correlation(np.diag([1.0, 0.0])), "positive variances; asset 1"),
        (lambda: correlation([[1.0, 0.5], [0.4, 1.0]]), "`cov` must be symmetric"),
    ],
)
def test_refusals(call: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        call()


def test_an_indefinite_pairwise_covariance_is_refused_and_can_be_repaired() -> None:
    """Three pairs of columns, each seen in its own sessions: a and b agree, b and c agree, a and c disagree."""
    rng = np.random.default_rng(0)
    x = np.full((30, 3), math.nan)
    for k, (i, j, sign) in enumerate(((0, 1, 1.0), (1, 2, 1.0), (0, 2, -1.0))):
        x[10 * k : 10 * k + 10, i] = rng.normal(size=10)
        x[10 * k : 10 * k + 10, j] = sign * x[10 * k : 10 * k + 10, i]
    with pytest.raises(DataError, match=r"not positive semidefinite .* repair .* `nearest_correlation`"):
        sample(x, alignment="pairwise")
    near = nearest_correlation(correlation(pairwise(x)))
    checked_covariance(near.matrix)
    x[20:, 2] = math.nan
    with pytest.raises(DataError, match="columns 0 and 2 have 0 sessions in common; at least 3"):
        pairwise(x)


def test_a_pairwise_covariance_of_complete_returns_is_the_sample() -> None:
    np.testing.assert_allclose(sample(GOOD, alignment="pairwise"), sample(GOOD), rtol=1e-11, atol=1e-18)


def test_500_assets() -> None:
    x = two_factor(500, 600)
    checked_covariance(sample(x))
    assert 0.0 < ledoit_wolf(x).intensity < 0.1
    with pytest.raises(DataError, match="smallest eigenvalue"):
        checked_covariance(sample(x) - 0.5 * np.diag(np.diag(sample(x))))


@pytest.mark.parametrize("assets", [63, 64, 200])
@pytest.mark.parametrize(("least", "sound"), [(-1e-6, False), (-1e-7, False), (-1e-9, True), (0.0, True), (1e-3, True)])
def test_a_large_correlation_is_judged_by_its_least_eigenvalue(assets: int, least: float, sound: bool) -> None:
    """A matrix of a given spectrum, up to the unit diagonal; the limit is 1e-8 below zero."""
    rng = np.random.default_rng(assets)
    basis, _ = np.linalg.qr(rng.standard_normal((assets, assets)))
    values = np.append(least, np.linspace(0.5, 1.5, assets - 1))
    cov = (basis * values) @ basis.T
    cov = 0.5 * (cov + cov.T)
    if sound:
        assert checked_covariance(cov).shape == cov.shape
    else:
        with pytest.raises(DataError, match="must be positive semidefinite"):
            checked_covariance(cov)
