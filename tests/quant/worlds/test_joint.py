"""Joint engines against closed forms and second definitions; moments within 4 standard errors over paths."""

import math
import re
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from quant.numeric.errors import DataError
from quant.numeric.random_numbers import philox
from quant.numeric.returns import Returns
from quant.worlds.joint import JointModel, joint_model, sample_joint
from quant.worlds.joint_history import FilteredResiduals, filtered_residuals
from quant.worlds.joint_laws import MarketState
from quant.worlds.paths import path_model, sample_paths
from quant.worlds.scenario import Engine, Scenario
from tests.soak_variants import sizes

A = 252
DAYS = 63
MANY = 400
"""Blocks of 64 paths."""
MU = np.array([0.08, 0.06, 0.02])
SIGMA = np.array([0.18, 0.25, 0.06])
R = np.array([[1.0, 0.6, -0.3], [0.6, 1.0, -0.2], [-0.3, -0.2, 1.0]])
HISTORY = (
    np.random.default_rng(11).standard_t(4, size=(1_200, 3)) @ np.array([[1, 0.5, 0], [0, 1, 0.3], [0, 0, 0.5]])
) / 100
LABELS = (np.arange(1_200) % 97) > 20
STATES = (MarketState(MU, SIGMA, R), MarketState([-0.2, -0.3, 0.1], 2 * SIGMA, 0.5 * R + 0.5))
TRANSITION = np.array([[0.99, 0.01], [0.04, 0.96]])
GARCH = FilteredResiduals([0.02, 0.03, 0.01], [0.08, 0.06, 0.10], [0.90, 0.88, 0.90], HISTORY)
ENGINES = get_args(Engine)
LOGNORMAL = ("gbm", "heston", "merton", "bates", "regime_switching")
PARTS: dict[str, dict[str, Any]] = {
    "garch": {"garch": GARCH},
    "bootstrap": {"history": HISTORY, "mean_block": 25.0},
    "conditional_bootstrap": {"history": HISTORY, "labels": LABELS, "mean_block": 25.0},
    "replay": {"history": HISTORY},
}


def model_of(engine: str, **changes: Any) -> JointModel:
    arguments: dict[str, Any] = {"mu": MU, "sigma": SIGMA, "correlation": R, "cash_rate": 0.03, "seed": 7}
    return joint_model(engine, **{**arguments, **PARTS.get(engine, {}), **changes})  # pyright: ignore[reportArgumentType]


def regimes(**changes: Any) -> JointModel:
    return joint_model(
        "regime_switching", cash_rate=0.03, seed=7, **{"states": STATES, "transition": TRANSITION, **changes}
    )


def own_history(engine: str) -> JointModel:
    return joint_model(engine, cash_rate=0.03, seed=7, **PARTS[engine])  # pyright: ignore[reportArgumentType]


def matches(by_path: np.ndarray, expected: float) -> None:
    """The mean over independent paths lies within 4 standard errors of `expected`."""
    error = by_path.std(ddof=1) / math.sqrt(by_path.size)
    assert abs(by_path.mean() - expected) < 4.0 * error, (by_path.mean(), expected, error)


def p_value(a: np.ndarray, b: np.ndarray) -> float:
    """Probability of the Kolmogorov-Smirnov distance if both samples have one law."""
    test: Any = stats.ks_2samp(a, b)
    return float(test.pvalue)


EVERY = {
    **{engine: partial(model_of, engine) for engine in ENGINES if engine not in ("garch", "replay")},
    "states": regimes,
    "own rows": partial(own_history, "bootstrap"),
    "own labelled rows": partial(own_history, "conditional_bootstrap"),
}


@pytest.mark.parametrize("name", EVERY)
def test_mean_volatility_and_correlation_are_those_asked_for(name: str) -> None:
    model = EVERY[name]()
    returns = sample_joint(model, days=DAYS, blocks=MANY)
    assert returns.shape == (DAYS, 3, 64 * MANY)
    assert returns.min() > -1.0
    away = returns - (model.mu / A)[:, None]
    daily = model.sigma / math.sqrt(A)
    for i in range(3):
        matches(returns[:, i].mean(axis=0), model.mu[i] / A)
        matches((away[:, i] ** 2).mean(axis=0), daily[i] ** 2)
        for k in range(i):
            matches((away[:, i] * away[:, k]).mean(axis=0), model.correlation[i, k] * daily[i] * daily[k])


@pytest.mark.parametrize("engine", [e for e in ENGINES if e != "replay"])
def test_the_moments_stated_are_the_arguments(engine: str) -> None:
    model = model_of(engine)
    np.testing.assert_allclose(model.mu, MU, rtol=1e-12)
    np.testing.assert_allclose(model.sigma, SIGMA, rtol=1e-12)
    np.testing.assert_allclose(model.correlation, R, rtol=0, atol=1e-12)
    assert (1.0 + model.cash) ** A == pytest.approx(1.03, rel=1e-13)
    assert model.assets == 3


ONE: list[Engine] = ["gbm", "heston", "merton", "regime_switching", "bootstrap"]


@pytest.mark.parametrize("engine", ONE)
def test_one_asset_has_the_law_that_one_asset_has_alone(engine: Engine) -> None:
    """Kolmogorov and Smirnov's test on a day, on a quarter and on what 5 days' squares add up to."""
    scenario = Scenario(name="one", engine=engine, mu=0.08, sigma=0.3, cash_rate=0.02)
    history = HISTORY[:, 0]
    alone = sample_paths(path_model(scenario, seed=3, history=history), days=DAYS, blocks=120)
    parts: dict[str, Any] = {"history": history[:, None]} if engine == "bootstrap" else {}
    model = joint_model(engine, mu=[0.08], sigma=[0.3], cash_rate=0.02, seed=3, **parts)
    jointly = sample_joint(model, days=DAYS, blocks=120)[:, 0]
    for statistic in (
        lambda x: x[0],
        lambda x: x[-1],
        lambda x: x.sum(axis=0),
        lambda x: (x[-5:] ** 2).sum(axis=0),
        lambda x: x[:-1, :].ravel()[::61] * x[1:, :].ravel()[::61] ** 2,
    ):
        assert p_value(statistic(alone), statistic(jointly)) > 1e-4


# log-normal returns


def test_gbm_returns_are_those_of_its_own_normal_numbers() -> None:
    """Box and Muller's formula on the words of Philox, Cholesky's factor and exp, all by numpy."""
    model = model_of("gbm", seed=5)
    returns = sample_joint(model, days=20, first_block=3)
    mean, variance = MU / A, SIGMA**2 / A
    s2: Any = np.log(1.0 + variance / (1.0 + mean) ** 2)
    root = np.linalg.cholesky(R)
    for day, lane in ((0, 0), (1, 5), (7, 63), (19, 40)):
        four = philox(np.uint64(day), np.uint64(3 * 64 + lane), np.uint64(0), np.uint64(2), model.tables.key)
        words = np.array([int(w) for w in four], dtype=np.float64)
        radius: Any = np.sqrt(-2.0 * np.log((words[[0, 2]] + 0.5) / 2.0**32))
        normals: list[float] = []
        for r, word in zip(radius, words[[1, 3]], strict=True):
            high, low = divmod(int(word), 2**30)
            angle = (low + 0.5) / 2**30 * math.pi / 2.0 - math.pi / 4.0
            point = (math.sin(angle), math.cos(angle)) if high % 2 else (math.cos(angle), math.sin(angle))
            normals += [r * (1 if high >= 2 else -1) * x for x in point]
        z: Any = root @ np.array(normals[:3])
        expected = (1.0 + mean) * np.exp(np.sqrt(s2) * z - 0.5 * s2) - 1.0
        np.testing.assert_allclose(returns[day, :, lane], expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("blocks", sizes(120, 700))
def test_the_shocks_are_standard_normal_and_unrelated(blocks: int) -> None:
    """Nine assets with nothing in common: more than two groups of random words."""
    sigma = np.full(9, 0.2)
    model = joint_model("gbm", mu=np.zeros(9), sigma=sigma, correlation=np.eye(9), cash_rate=0.0, seed=1)
    x = sample_joint(model, days=4, blocks=blocks)
    s2 = math.log(1.0 + 0.04 / A)
    z = (np.log1p(x) + 0.5 * s2) / math.sqrt(s2)
    for i in range(9):
        assert stats.kstest(z[:, i].ravel(), "norm").pvalue > 1e-4
        matches(z[:, i].ravel() ** 4, 3.0)
    flat = z.reshape(36, -1)
    pairs = np.triu_indices(36, 1)
    correlations = np.asarray(np.corrcoef(flat), dtype=np.float64)[pairs]
    assert np.abs(correlations).max() < 4.8 / math.sqrt(flat.shape[1])  # 630 pairs
    # the two numbers of a pair share their radius: that must not show in their squares
    squares = np.asarray(np.corrcoef(flat**2), dtype=np.float64)[pairs]
    assert np.abs(squares).max() < 6.0 / math.sqrt(flat.shape[1])


def test_the_correlation_of_lognormal_returns_is_the_one_documented() -> None:
    """At 300% volatility the difference to that of the shocks can be measured: -0.869 for -0.9."""
    sigma = 3.0
    s2 = math.log(1.0 + sigma**2 / A)
    expected = (math.exp(-0.9 * s2) - 1.0) / (math.exp(s2) - 1.0)
    assert -0.88 < expected < -0.86
    model = joint_model("gbm", mu=[0, 0], sigma=[sigma] * 2, correlation=[[1, -0.9], [-0.9, 1]], cash_rate=0.0, seed=2)
    x = sample_joint(model, days=DAYS, blocks=MANY)
    matches((x[:, 0] * x[:, 1]).mean(axis=0), expected * sigma**2 / A)


@pytest.mark.parametrize("engine", LOGNORMAL)
def test_one_asset_under_two_names_has_one_path(engine: str) -> None:
    twice = np.array([0, 0, 1])
    model = model_of(engine, mu=MU[twice], sigma=SIGMA[twice], correlation=R[np.ix_(twice, twice)])
    x = sample_joint(model, days=300, blocks=2)
    np.testing.assert_allclose(x[:, 0], x[:, 1], rtol=0, atol=1e-8)
    assert np.abs(x[:, 0] - x[:, 2]).max() > 0.01


@pytest.mark.parametrize("engine", LOGNORMAL)
def test_an_asset_without_volatility_earns_its_mean_every_day(engine: str) -> None:
    model = model_of(engine, sigma=[0.18, 0.25, 0.0], correlation=np.eye(3))
    x = sample_joint(model, days=100, blocks=2)
    np.testing.assert_allclose(x[:, 2], MU[2] / A, rtol=0, atol=1e-15)


# stochastic volatility


def test_one_variance_moves_all_assets() -> None:
    """E[x_i**2 x_k**2] = s_i**2 s_k**2 (1 + 2 R_ik**2) E[y**2], E[y**2] = 1 + xi**2 / (2 kappa), premium apart."""
    model = model_of("heston", premium_power=0, leverage=0.0, vol_of_vol=2.0)
    x = (sample_joint(model, days=DAYS, blocks=MANY) - (MU / A)[:, None]) / (SIGMA / math.sqrt(A))[:, None]
    second = 1.0 + 2.0**2 / (2.0 * 3.0)
    for i, k in ((0, 1), (0, 2), (1, 2)):
        expected = (1.0 + 2.0 * R[i, k] ** 2) * second
        by_path = (x[:, i] ** 2 * x[:, k] ** 2).mean(axis=0)
        error = by_path.std() / math.sqrt(by_path.size)
        # log-normal days are a little more peaked than normal ones
        assert by_path.mean() == pytest.approx(expected, abs=4.0 * error + 0.01 * expected)


@pytest.mark.parametrize("leverage", [-0.7, 0.0, 0.7])
def test_variance_answers_to_the_market(leverage: float) -> None:
    model = model_of("heston", leverage=leverage, premium_power=0)
    x = sample_joint(model, days=DAYS, blocks=MANY) - (MU / A)[:, None]
    market = x.mean(axis=1)
    by_path = (market[:-1] * market[1:] ** 2).mean(axis=0)
    t = by_path.mean() / (by_path.std(ddof=1) / math.sqrt(by_path.size))
    assert abs(t) < 4.0 if leverage == 0.0 else t * leverage > 5.0


@pytest.mark.parametrize("blocks", sizes(100, MANY))
@pytest.mark.parametrize("engine", ["heston", "bates"])
def test_assets_may_have_a_variance_each(engine: str, blocks: int) -> None:
    """Mean and volatility are unchanged; one asset under two names has one path, with a variance of its own."""
    twice = np.array([0, 1, 1])
    model = model_of(
        engine, common_variance=False, mu=MU[twice], sigma=SIGMA[twice], correlation=R[np.ix_(twice, twice)]
    )
    x = sample_joint(model, days=DAYS, blocks=blocks)
    np.testing.assert_allclose(x[:, 1], x[:, 2], rtol=0, atol=1e-8)
    for i in (0, 1):
        matches(x[:, i].mean(axis=0), model.mu[i] / A)
        matches(((x[:, i] - model.mu[i] / A) ** 2).mean(axis=0), model.sigma[i] ** 2 / A)
    np.testing.assert_array_equal(sample_joint(model, days=9, first_block=5), x[:9, :, 320:384])
    alone = {"mu": MU[:1], "sigma": SIGMA[:1], "correlation": None}
    own, common = (
        sample_joint(model_of(engine, common_variance=c, **alone), days=DAYS, blocks=blocks // 2) for c in (False, True)
    )
    assert p_value(own[-1, 0], common[-1, 0]) > 1e-4
    assert p_value((own[-5:, 0] ** 2).sum(axis=0), (common[-5:, 0] ** 2).sum(axis=0)) > 1e-4


@pytest.mark.parametrize("blocks", sizes(16, 60))
@pytest.mark.parametrize(("rho", "share"), [(0.9, 0.98), (0.6, 0.92), (-0.3, 0.77)])
def test_variances_that_part_lower_the_correlation_as_documented(rho: float, share: float, blocks: int) -> None:
    """No effect on the first day; after two years, when the variances differ, the documented share."""
    arguments = {"mu": MU[:2], "sigma": SIGMA[:2], "correlation": [[1.0, rho], [rho, 1.0]], "premium_power": 0}
    for common in (False, True):
        model = model_of("heston", common_variance=common, **arguments)
        x = sample_joint(model, days=3 * A, blocks=blocks)
        x = (x - (MU[:2] / A)[:, None]) / (SIGMA[:2] / math.sqrt(A))[:, None]
        products = x[:, 0] * x[:, 1]
        matches(products[0], rho)
        late = products[2 * A :].mean(axis=0)
        if common:
            matches(late, rho)
        else:
            assert late.mean() / rho == pytest.approx(
                share, abs=0.01 + 4.0 * late.std() / math.sqrt(late.size) / abs(rho)
            )


@pytest.mark.parametrize("engine", ["heston", "bates", "regime_switching"])
@pytest.mark.parametrize("power", [1, 2])
def test_the_mean_premium_does_not_depend_on_its_link_to_volatility(engine: str, power: int) -> None:
    """The same shocks: the differences are paired. The third asset earns less than cash and has no link."""
    plain, linked = (sample_joint(model_of(engine, premium_power=p), days=DAYS, blocks=200) for p in (0, power))
    for i in (0, 1):
        matches((linked - plain)[:, i].mean(axis=0), 0.0)
        assert np.abs((linked - plain)[:, i]).max() > 1e-5
    np.testing.assert_array_equal(linked[:, 2], plain[:, 2])


# jumps


def lognormal_third(mean: float, variance: float) -> float:
    w = 1.0 + variance / mean**2
    return (w + 2.0) * math.sqrt(w - 1.0) * variance**1.5


def market_correlation(correlation: np.ndarray) -> np.ndarray:
    return correlation @ SIGMA / math.sqrt(SIGMA @ correlation @ SIGMA)


@pytest.mark.parametrize("blocks", sizes(200, 2 * MANY))
def test_jumps_give_the_third_moments_of_common_falls(blocks: int) -> None:
    """Of a compound Poisson sum: the rate times the third moment of a jump; the diffusion adds its own."""
    model = model_of("merton", jumps_per_year=4.0)
    x = sample_joint(model, days=DAYS, blocks=blocks) - (MU / A)[:, None]
    rate = 4.0 / A
    jump, spread = -0.28 * SIGMA * market_correlation(R), 0.28 * SIGMA
    for i in range(3):
        diffusion = SIGMA[i] ** 2 / A - rate * (jump[i] ** 2 + spread[i] ** 2)
        expected = rate * (jump[i] ** 3 + 3.0 * jump[i] * spread[i] ** 2)
        expected += lognormal_third(1.0 + MU[i] / A - rate * jump[i], diffusion)
        matches((x[:, i] ** 3).mean(axis=0), expected)
    assert jump[2] > 0.0  # the asset that moves against the market rises


def test_assets_jump_on_the_same_days() -> None:
    """Days of more than eight deviations, which only jumps bring, come together for two assets."""
    model = model_of("merton", jumps_per_year=4.0, premium_power=0)
    x = sample_joint(model, days=DAYS, blocks=MANY) - (MU / A)[:, None]
    away = 8.0 * SIGMA / math.sqrt(A)
    far = [np.abs(x[:, i]) > away[i] for i in (0, 1)]
    together = (far[0] & far[1]).mean()
    assert together > 20.0 * far[0].mean() * far[1].mean()
    assert 0.0 < far[0].mean() < 4.0 / A


def test_bates_has_the_jumps_and_the_variance() -> None:
    """Squared returns are autocorrelated because of the variance; jumps alone would not cause it."""

    def memory(engine: str) -> np.ndarray:
        x = sample_joint(model_of(engine, premium_power=0, leverage=0.0), days=DAYS, blocks=MANY) - (MU / A)[:, None]
        squares = x[:, 0] ** 2 / (SIGMA[0] ** 2 / A) - 1.0
        return (squares[:-1] * squares[1:]).mean(axis=0)

    matches(memory("merton"), 0.0)
    rate, load = 1.0, 0.28**2 * (1.0 + market_correlation(R)[0] ** 2)
    # Cov(y_t, y_t+1) of the variance, on the share of the variance that is not jumps
    expected = (1.0 - rate * load) ** 2 * 3.33**2 / 6.0 * math.exp(-3.0 / A)
    matches(memory("bates"), expected)


# regimes


def test_states_last_and_return_as_the_chain_says() -> None:
    three = np.array([[0.90, 0.06, 0.04], [0.10, 0.80, 0.10], [0.30, 0.00, 0.70]])
    states = [MarketState([m], [0.05], [[1.0]]) for m in (-1.0, 0.0, 1.0)]
    model = joint_model("regime_switching", states=states, transition=three, cash_rate=0.0, seed=4)
    values, vectors = np.linalg.eig(three.T)
    shares = np.real(vectors[:, np.argmax(np.real(values))])
    np.testing.assert_allclose(model.shares, shares / shares.sum(), rtol=1e-12)
    np.testing.assert_allclose(model.durations, [10.0, 5.0, 1.0 / 0.3], rtol=1e-12)
    # states three annual means of 5% volatility apart: too near to read on a day, so they are made far apart
    far = [MarketState([m], [0.0], [[1.0]]) for m in (-1.0, 0.0, 1.0)]
    model = joint_model("regime_switching", states=far, transition=three, cash_rate=0.0, seed=4)
    visits = np.round(sample_joint(model, days=400, blocks=40)[:, 0] * A).astype(int) + 1
    for k in range(3):
        matches((visits == k).mean(axis=0), model.shares[k])
        assert stats.binomtest(int((visits[0] == k).sum()), visits.shape[1], float(model.shares[k])).pvalue > 1e-5
        for m in range(3):
            now = visits[:-1] == k
            frequency = (visits[1:][now] == m).mean()
            assert frequency == pytest.approx(three[k, m], abs=4.5 * math.sqrt(0.25 / now.sum()))


def test_the_moments_of_states_are_those_of_their_mixture() -> None:
    model = regimes()
    share = 0.04 / 0.05
    means = np.array([MU, [-0.2, -0.3, 0.1]]) / A
    covariances = [np.outer(s, s) * c / A for s, c in ((SIGMA, R), (2 * SIGMA, 0.5 * R + 0.5))]
    mean = share * means[0] + (1 - share) * means[1]
    total = share * covariances[0] + (1 - share) * covariances[1]
    total += share * (1 - share) * np.outer(means[0] - means[1], means[0] - means[1])
    np.testing.assert_allclose(model.mu, A * mean, rtol=1e-12)
    np.testing.assert_allclose(np.outer(model.sigma, model.sigma) * model.correlation, A * total, rtol=1e-12)


# filtered historical simulation


def test_every_garch_day_is_one_row_of_residuals_on_the_variances_of_the_recursion() -> None:
    model = model_of("garch")
    x = sample_joint(model, days=40, blocks=1)
    residuals = (HISTORY - HISTORY.mean(axis=0)) / HISTORY.std(axis=0)
    # recoloured to R by the factors of both correlations
    residuals: Any = residuals @ np.linalg.inv(np.linalg.cholesky(np.corrcoef(HISTORY.T))).T @ np.linalg.cholesky(R).T
    alpha, gamma, beta = (np.array(p) for p in (GARCH.alpha, GARCH.gamma, GARCH.beta))
    losses = np.where(residuals < 0.0, residuals**2, 0.0).mean(axis=0)
    variance = SIGMA**2 / A
    omega = variance * (1.0 - alpha - gamma * losses - beta)
    for lane in (0, 17, 63):
        h = variance.copy()
        for day in range(40):
            e = x[day, :, lane] - MU / A
            distance = np.abs(residuals - e / np.sqrt(h)).max(axis=1)
            assert distance.min() < 1e-9
            h = omega + (alpha + gamma * (e < 0.0)) * e * e + beta * h


def test_garch_keeps_the_variance_and_nearly_the_correlation() -> None:
    model = joint_model("garch", mu=MU, sigma=SIGMA, cash_rate=0.03, seed=7, garch=GARCH)
    np.testing.assert_allclose(model.correlation, np.corrcoef(HISTORY.T), rtol=0, atol=1e-12)
    x = sample_joint(model, days=A, blocks=150) - (MU / A)[:, None]
    daily = SIGMA / math.sqrt(A)
    for i in range(3):
        matches(x[:, i].mean(axis=0), 0.0)
        matches((x[:, i] ** 2).mean(axis=0), daily[i] ** 2)
    matches(x[0, 0] * x[0, 1], model.correlation[0, 1] * daily[0] * daily[1])
    late = (x[60:, 0] * x[60:, 1]).mean() / (daily[0] * daily[1])
    assert 0.8 * model.correlation[0, 1] < late < model.correlation[0, 1]


def test_a_history_is_filtered_asset_by_asset() -> None:
    """Returns of a known recursion: the filter recovers its residuals and their correlation."""
    rng = np.random.default_rng(5)
    shocks = rng.standard_normal((3_000, 2)) @ np.array([[1.0, 0.7], [0.0, math.sqrt(0.51)]])
    h, history = np.full(2, 1e-4), np.empty((3_000, 2))
    for t, z in enumerate(shocks):
        history[t] = 4e-4 + np.sqrt(h) * z
        h = 3e-6 + (0.04 + 0.08 * (z < 0.0)) * h * z * z + 0.89 * h
    filtered = filtered_residuals(history)
    residuals = np.asarray(filtered.residuals)
    for i in range(2):
        assert np.corrcoef(residuals[50:, i], shocks[50:, i])[0, 1] > 0.99
    model = joint_model("garch", mu=[0.05, 0.05], sigma=[0.2, 0.2], cash_rate=0.02, seed=1, history=history)
    assert model.correlation[0, 1] == pytest.approx(0.7, abs=0.03)
    given_filter = joint_model("garch", mu=[0.05, 0.05], sigma=[0.2, 0.2], cash_rate=0.02, seed=1, garch=filtered)
    np.testing.assert_array_equal(sample_joint(model, days=30), sample_joint(given_filter, days=30))


# rows of history


def places_of(x: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Row of `rows` that each simulated day is, shape (days, paths); all assets must come from the same one."""
    order = np.argsort(rows[:, 0])
    places = np.clip(np.searchsorted(rows[order, 0], x[:, 0] - 1e-13), 0, rows.shape[0] - 1)
    rows_of_values = order[places]
    np.testing.assert_allclose(rows[rows_of_values].transpose(0, 2, 1), x, rtol=0, atol=1e-12)
    return rows_of_values


def test_bootstrapped_days_are_rows_in_blocks() -> None:
    model = model_of("bootstrap", correlation=None)
    rows = MU / A + SIGMA / math.sqrt(A) * (HISTORY - HISTORY.mean(axis=0)) / HISTORY.std(axis=0)
    places = places_of(sample_joint(model, days=300, blocks=20), rows)
    goes_on = places[1:] == (places[:-1] + 1) % 1_200
    matches(goes_on.mean(axis=0), 1.0 - (1.0 - 1.0 / 1_200) / 25.0)
    assert np.unique(places).size == 1_200


def test_a_history_may_be_given_as_returns() -> None:
    dates = np.arange("2001-01-01", 1_200, dtype="datetime64[D]")
    returns = Returns(dates, ("a", "b", "c"), HISTORY)
    a, b = (joint_model("bootstrap", cash_rate=0.0, seed=1, history=h) for h in (returns, HISTORY))
    np.testing.assert_array_equal(sample_joint(a, days=50), sample_joint(b, days=50))
    np.testing.assert_allclose(a.mu, A * HISTORY.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(a.correlation, np.corrcoef(HISTORY.T), rtol=0, atol=1e-12)


def test_labelled_blocks_hold_labelled_days_only_and_five_at_least() -> None:
    model = own_history("conditional_bootstrap")
    places = places_of(sample_joint(model, days=400, blocks=20), HISTORY)
    assert LABELS[places].all()
    lengths = []
    for path in places.T:
        edges = np.flatnonzero(np.diff(path) != 1) + 1
        lengths += list(np.diff(edges))  # blocks that the horizon does not cut
        inside = path[edges]
        assert LABELS[(inside[:, None] + np.arange(5)) % 1_200].all()
    assert min(lengths) == 5
    # of a block that may continue: five days and then a geometric number, cut where the label ends (76 days)
    change = 1.0 / 21.0
    per_start = [5 + sum((1 - change) ** m for m in range(1, left - 4)) for left in range(5, 77)]
    assert np.mean(lengths) == pytest.approx(np.mean(per_start), rel=0.04)


@pytest.mark.parametrize("name", ["own labelled rows", "conditional_bootstrap"])
def test_labelled_days_come_as_often_on_the_first_day_as_later(name: str) -> None:
    x = sample_joint(EVERY[name](), days=30, blocks=300)
    assert p_value(x[0, 0], x[29, 0]) > 1e-4


def test_a_replay_is_history_as_it_was() -> None:
    model = own_history("replay")
    x = sample_joint(model, days=1_000, blocks=4)
    np.testing.assert_array_equal(x[:, :, 0], HISTORY[:1_000])
    starts = places_of(x[:1], HISTORY)[0]
    for lane in (1, 100, 255):
        np.testing.assert_array_equal(x[:, :, lane], HISTORY[starts[lane] : starts[lane] + 1_000])
    assert starts.max() <= 200
    # evenly over the 201 windows: between two neighbours no gap is more than thrice the mean gap
    assert np.diff(np.sort(np.unique(np.append(starts, [0, 200])))).max() <= 4
    whole = sample_joint(model, days=1_200, blocks=2)
    np.testing.assert_array_equal(whole, np.repeat(HISTORY[:, :, None], 128, axis=2))


# which paths are drawn


@pytest.mark.parametrize("engine", ENGINES)
def test_a_path_does_not_depend_on_what_else_is_asked_for(engine: str) -> None:
    model = model_of(engine)
    whole = sample_joint(model, days=120, blocks=3)
    with ThreadPoolExecutor(3) as pool:
        parts = list(pool.map(lambda b: sample_joint(model, days=120, first_block=b), range(3)))
    np.testing.assert_array_equal(np.concatenate(parts, axis=2), whole)
    if engine != "replay":
        np.testing.assert_array_equal(sample_joint(model, days=50), whole[:50, :, :64])


@pytest.mark.parametrize("engine", [e for e in ENGINES if e != "replay"])
def test_a_seed_and_a_name_make_a_path(engine: str) -> None:
    once = sample_joint(model_of(engine), days=60)
    assert sample_joint(model_of(engine), days=60).tobytes() == once.tobytes()
    for other in (model_of(engine, seed=8), model_of(engine, name="other")):
        assert not np.isclose(sample_joint(other, days=60), once, rtol=0, atol=1e-12).mean() > 0.01


@given(
    st.sampled_from(LOGNORMAL),
    st.integers(1, 12),
    st.integers(0, 2**31),
    st.floats(0.0, 3.0),
    st.floats(-1.0, 1.0),
    st.integers(1, 3),
)
@settings(max_examples=60, deadline=None)
def test_no_model_loses_everything_in_a_day(
    engine: Engine, assets: int, seed: int, sigma: float, leverage: float, rank: int
) -> None:
    """Correlations of low rank are singular: factors of rank one to three without a rest of their own."""
    rng = np.random.default_rng(seed)
    factors = rng.standard_normal((assets, rank))
    factors /= np.linalg.norm(factors, axis=1)[:, None]
    correlation = factors @ factors.T
    np.fill_diagonal(correlation, 1.0)
    try:
        model = joint_model(
            engine,
            mu=rng.uniform(-0.3, 0.4, assets),
            sigma=sigma * rng.uniform(0.3, 1.0, assets),
            correlation=correlation,
            cash_rate=0.02,
            seed=seed,
            leverage=leverage,
        )
    except DataError as refused:
        if not re.search("equally weighted portfolio without variance|gives the means", str(refused)):
            raise
        return
    x = sample_joint(model, days=60)
    assert np.isfinite(x).all()
    assert x.min() > -1.0


@pytest.mark.parametrize("blocks", sizes(80, 300))
def test_sixty_assets_keep_their_correlations(blocks: int) -> None:
    rng = np.random.default_rng(3)
    loads = rng.uniform(0.2, 0.9, 60)
    correlation = np.outer(loads, loads)
    np.fill_diagonal(correlation, 1.0)
    sigma = rng.uniform(0.05, 0.6, 60)
    model = joint_model("bates", mu=np.full(60, 0.05), sigma=sigma, correlation=correlation, cash_rate=0.02, seed=1)
    x = sample_joint(model, days=20, blocks=blocks)
    weights = np.full(60, 1.0 / 60)
    portfolio = (weights @ x) - 0.05 / A
    matches((portfolio**2).mean(axis=0), float(weights @ (np.outer(sigma, sigma) * correlation) @ weights) / A)


# refusals

BAD = np.array([[1.0, 0.9, -0.9], [0.9, 1.0, 0.9], [-0.9, 0.9, 1.0]])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"mu": None}, "`mu` is missing"),
        ({"sigma": None}, "`sigma` is missing"),
        ({"correlation": None}, "`correlation` is missing; 3 assets"),
        ({"mu": [0.1, 0.1]}, "`mu` and `sigma` must have one length; got 2 and 3"),
        ({"mu": [0.1, np.nan, 0.1]}, r"`mu` must lie in \[-1, 2\]; asset 1 has .*nan"),
        ({"mu": 0.1}, r"`mu` must have shape \(N,\)"),
        ({"sigma": [0.1, 0.1, -0.1]}, r"`sigma` must lie in \[0, 3\]; asset 2 has .*-0.1"),
        ({"correlation": np.eye(2)}, r"`correlation` must have shape \(3, 3\); got \(2, 2\)"),
        ({"correlation": np.full((3, 3), np.inf)}, "`correlation` must be finite; row 0, column 0"),
        (
            {"correlation": R + np.array([[0, 0.1, 0], [0, 0, 0], [0, 0, 0]])},
            r"must be symmetric; row 0, column 1 is 0\.7.*, row 1, column 0 is 0\.6",
        ),
        ({"correlation": 2.0 * np.eye(3)}, "ones on its diagonal; row 0 has 2"),
        ({"correlation": BAD}, r"smallest eigenvalue of its correlations is -0.8, below .*nearest_correlation"),
        ({"cash_rate": 0.3}, r"`cash_rate` must lie in \[-0.05, 0.25\]; got 0.3"),
        ({"cash_rate": math.nan}, "`cash_rate` must lie in"),
        ({"seed": -1}, "`seed` must lie in"),
        ({"premium_power": 3}, "`premium_power` must be 0, 1 or 2; got 3"),
        ({"vol_of_vol": 0.0}, "`vol_of_vol` must lie in"),
        ({"mean_reversion": 0.0}, "`mean_reversion` must lie in"),
        ({"leverage": -1.5}, "`leverage` must lie in"),
        ({"jumps_per_year": 6.4}, r"`jumps_per_year` 6.4 .* expected below 6.38"),
        ({"history": HISTORY}, "`history` has no effect under 'bates'"),
        ({"labels": LABELS}, "`labels` has no effect under 'bates'"),
        ({"states": STATES}, "`states` has no effect under 'bates'"),
        ({"transition": TRANSITION}, "`transition` has no effect under 'bates'"),
        ({"garch": GARCH}, "`garch` has no effect under 'bates'"),
    ],
)
def test_impossible_moments_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        model_of("bates", **changes)


def test_an_unknown_engine_is_refused() -> None:
    with pytest.raises(DataError, match=r"`engine` must be one of gbm, .*; got 'levy'"):
        model_of("levy")


def test_a_market_without_variance_is_refused_where_it_is_needed() -> None:
    hedged = {"mu": [0.05, 0.05], "sigma": [0.2, 0.2], "correlation": [[1.0, -1.0], [-1.0, 1.0]]}
    for engine in ("heston", "merton", "bates"):
        with pytest.raises(DataError, match="leaves the equally weighted portfolio without variance"):
            model_of(engine, **hedged)
    x = sample_joint(model_of("gbm", **hedged), days=10)
    assert np.abs(x.sum(axis=1)).max() < 0.01


def test_a_premium_beyond_all_volatility_is_refused() -> None:
    with pytest.raises(DataError, match=r"`mu` 1 of asset 1 .* `sigma` 0.01 .* or `premium_power` 0"):
        model_of("regime_switching", mu=[0.1, 1.0, 0.1], sigma=[0.2, 0.01, 0.2])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"mu": MU}, "follow from `states`"),
        ({"transition": None}, "`transition` is missing; 2 states"),
        ({"transition": np.eye(3)}, r"`transition` must have shape \(S, S\)"),
        ({"transition": [[1.1, -0.1], [0.5, 0.5]]}, "`transition` must hold probabilities; row 0, column 0 is .*1.1"),
        ({"transition": [[0.9, 0.2], [0.5, 0.5]]}, "`transition` must have rows of sum 1; row 0 has 1.1"),
        ({"transition": [[0.5, 0.5], [0.0, 1.0]]}, "state 1 does not leave"),
        ({"transition": [[1.0, 0.0], [0.5, 0.5]]}, "state 1 is never entered"),
        ({"states": ()}, r"`transition` must have shape \(S, S\) for S >= 2 `states`; got \(2, 2\) and 0"),
        ({"states": [STATES[0], MarketState([0.1], [0.1], [[1.0]])]}, "state 0 has 3, state 1 1"),
    ],
)
def test_impossible_states_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        regimes(**changes)


@pytest.mark.parametrize(
    ("engine", "changes", "message"),
    [
        ("bootstrap", {"history": None}, "`history` is missing"),
        ("bootstrap", {"history": HISTORY[:249]}, r"`history` must have shape \(H, N\), H >= 250"),
        ("bootstrap", {"history": np.where(np.arange(3_600).reshape(-1, 3) == 7, np.nan, HISTORY)}, "row 2, column 1"),
        ("bootstrap", {"history": HISTORY - 0.99}, "`history` must stay above -1; row"),
        ("bootstrap", {"mu": [0.1]}, "`mu` must have one entry for each of 3 columns; got 1"),
        ("bootstrap", {"history": HISTORY * [1.0, 0.0, 1.0]}, "`history` must vary; column 1 does not"),
        ("bootstrap", {"history": HISTORY[:, [0, 0, 1]]}, "column 1 is a combination of those before it"),
        ("bootstrap", {"mean_block": 2.0}, "`mean_block` must lie in"),
        ("conditional_bootstrap", {"labels": None}, "`labels` is missing"),
        ("conditional_bootstrap", {"labels": LABELS[:-1]}, r"`labels` must be booleans of shape \(1200,\)"),
        ("conditional_bootstrap", {"labels": LABELS.astype(float)}, "`labels` must be booleans"),
        (
            "conditional_bootstrap",
            {"labels": np.arange(1_200) < 249},
            r"`labels` has 249 days, 249 of .* at least 250",
        ),
        (
            "conditional_bootstrap",
            {"labels": np.arange(1_200) % 5 > 0},
            "`labels` has 960 days, 0 of them in runs of 5",
        ),
        ("garch", {"history": HISTORY}, "`history` and `garch` are both given"),
        ("garch", {"garch": None}, "`history` is missing, or `garch`"),
        (
            "garch",
            {"garch": FilteredResiduals([0.1] * 3, [0.0] * 3, [0.9] * 3, HISTORY)},
            "persistence .* asset 0 has 1",
        ),
        (
            "garch",
            {"garch": FilteredResiduals([0.1] * 2, [0.0] * 3, [0.8] * 3, HISTORY)},
            "`garch.alpha` must have one",
        ),
        (
            "garch",
            {"garch": FilteredResiduals([0.1] * 3, [-0.2] * 3, [0.8] * 3, HISTORY)},
            "must not be negative; asset 0",
        ),
    ],
)
def test_impossible_histories_are_refused(engine: str, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        model_of(engine, **changes)


def test_impossible_samples_are_refused() -> None:
    model = model_of("gbm")
    with pytest.raises(DataError, match="`days` must be positive; got 0"):
        sample_joint(model, days=0)
    with pytest.raises(DataError, match="`first_block` must not be negative and `blocks` positive; got -1 and 1"):
        sample_joint(model, days=1, first_block=-1)
    with pytest.raises(DataError, match="got 0 and 0"):
        sample_joint(model, days=1, blocks=0)
    with pytest.raises(DataError, match="`days` 1201 is more than the history of the replay has; expected up to 1200"):
        sample_joint(own_history("replay"), days=1_201)
