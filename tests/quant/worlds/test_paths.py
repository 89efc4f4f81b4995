"""Every engine against its closed forms: each moment within 4 standard errors, which are computed over paths."""

import math
from functools import lru_cache
from itertools import pairwise
from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from quant.numeric.errors import DataError
from quant.worlds.paths import implied_moments, path_model, sample_paths
from quant.worlds.scenario import BUILT_IN, CYCLE, Engine, RegimeState, Scenario
from tests.soak_variants import covering, sizes

A = 252
DAYS = 63
MANY = math.ceil(100_000 / 64)
FEW = 300
"""Blocks of 64 paths."""
ENGINES = get_args(Engine)
REAL_DAYS = ("bootstrap", "conditional_bootstrap", "replay")
LINKED = ("heston", "bates", "garch", "regime_switching")
BY_NAME = {s.name: s for s in (*BUILT_IN, CYCLE)}
NAMES = [s.name for s in BUILT_IN]
HISTORY = 0.01 * np.random.default_rng(11).standard_t(4, size=1_500) + 3e-4
"""The history that the bootstrap resamples."""


def with_engine(scenario: Scenario | str, engine: Engine, **changes: object) -> Scenario:
    base = BY_NAME[scenario] if isinstance(scenario, str) else scenario
    return Scenario.model_validate(base.model_dump() | {"engine": engine} | changes)


def sample(scenario: Scenario, days: int = DAYS, blocks: int = FEW) -> np.ndarray:
    """Shape (days, 64 * blocks)."""
    return draw_paths(scenario.model_dump_json(), days, blocks)


@lru_cache(maxsize=2)
def draw_paths(scenario: str, days: int, blocks: int) -> np.ndarray:
    model = path_model(Scenario.model_validate_json(scenario), seed=3, history=HISTORY)
    return sample_paths(model, days=days, blocks=blocks)


def matches(by_path: np.ndarray, expected: float) -> None:
    """The mean over independent paths lies within 4 standard errors of `expected`."""
    error = by_path.std(ddof=1) / math.sqrt(by_path.size)
    assert abs(by_path.mean() - expected) < 4.0 * error, (by_path.mean(), expected, error)


def lognormal_moments(mean: float, variance: float) -> tuple[float, float]:
    """Third and fourth central moment of the log-normal law with this mean (of gross returns) and variance."""
    w = 1.0 + variance / mean**2
    skewness = (w + 2.0) * math.sqrt(w - 1.0)
    kurtosis = w**4 + 2.0 * w**3 + 3.0 * w**2 - 3.0
    return skewness * variance**1.5, kurtosis * variance**2


@pytest.mark.parametrize("blocks", sizes(400, MANY))
@pytest.mark.parametrize(("name", "engine"), [*covering(NAMES, ENGINES), (CYCLE.name, CYCLE.engine)])
def test_mean_and_volatility_are_the_scenarios(name: str, engine: Engine, blocks: int) -> None:
    scenario = CYCLE if name == CYCLE.name else with_engine(name, engine)
    mu, sigma = implied_moments(scenario)
    returns = sample(scenario, blocks=blocks)
    matches(returns.mean(axis=0), mu / A)
    matches(((returns - mu / A) ** 2).mean(axis=0), sigma**2 / A)
    assert returns.min() > -1.0


@pytest.mark.parametrize("scenario", BUILT_IN, ids=lambda s: s.name)
@pytest.mark.parametrize("engine", ENGINES)
def test_the_moments_aimed_at_are_the_fields(scenario: Scenario, engine: Engine) -> None:
    assert implied_moments(with_engine(scenario, engine)) == (scenario.mu, scenario.sigma)


# jumps


@pytest.mark.parametrize("scenario", [s.name for s in BUILT_IN])
def test_jumps_give_mertons_third_central_moment(scenario: str) -> None:
    """Of a compound Poisson sum it is the rate times the third moment of a jump; the diffusion adds its own."""
    merton = with_engine(scenario, "merton")
    jump, deviation, rate = -0.28 * merton.sigma, 0.28 * merton.sigma, merton.jumps_per_year / A
    by_jumps = rate * (jump**3 + 3.0 * jump * deviation**2)
    diffusion = merton.sigma**2 / A - rate * (jump**2 + deviation**2)
    by_diffusion, _ = lognormal_moments(1.0 + merton.mu / A - rate * jump, diffusion)
    x = sample(merton) - merton.mu / A
    matches((x * x * x).mean(axis=0), by_jumps + by_diffusion)
    assert by_jumps < 0.0 < by_diffusion


def test_days_with_a_jump_come_as_often_as_asked() -> None:
    """With half a year's volatility in jumps, nearly every day beyond five deviations of the diffusion has one."""
    rare = with_engine("base_case", "merton", jumps_per_year=0.0)
    often = with_engine("base_case", "merton", jumps_per_year=5.0)
    jump, deviation = -0.28 * often.sigma, 0.28 * often.sigma
    diffusion = math.sqrt((often.sigma**2 - 5.0 * (jump**2 + deviation**2)) / A)
    beyond = -5.0 * diffusion
    by_normal = stats.norm.cdf(beyond, jump, math.hypot(deviation, diffusion))
    expected = (1.0 - math.exp(-5.0 / A)) * by_normal  # days with two jumps change the third digit
    share = (sample(often) - often.mu / A < beyond + 5.0 / A * -jump).mean()
    assert share == pytest.approx(expected, rel=0.05)
    assert (sample(rare) < -5.5 * rare.sigma / math.sqrt(A)).mean() < 1e-6


def test_jumps_beyond_the_variance_are_refused() -> None:
    with pytest.raises(ValueError, match="jumps_per_year"):
        with_engine("base_case", "merton", jumps_per_year=6.5)
    unchecked = with_engine("base_case", "merton").model_copy(update={"jumps_per_year": 6.5})
    with pytest.raises(DataError, match=r"`jumps_per_year` 6.5 .* expected below 6.38"):
        path_model(unchecked, seed=1)


# regimes


def runs_of(states: np.ndarray) -> list[tuple[int, int]]:
    """(state, length) of every run but the first and the last, which the window cuts."""
    edges = np.flatnonzero(np.diff(states)) + 1
    return [(int(states[a]), int(b - a)) for a, b in pairwise(edges)]


def test_regimes_last_and_follow_one_another_as_stated() -> None:
    """States far apart can be read off the returns: shares, mean durations and the states that follow."""
    states = tuple(
        RegimeState(name=name, mu=mu, sigma=0.05, mean_days=days)
        for name, mu, days in (("low", -50.0, 5.0), ("middle", 0.0, 10.0), ("high", 50.0, 20.0))
    )
    world = Scenario(name="world", engine="regime_switching", mu=0.0, sigma=0.2, cash_rate=0.0, states=states)
    regimes = np.round(sample(world, 2_000, 8) * A / 50.0).astype(int) + 1
    for k, days in enumerate((5.0, 10.0, 20.0)):
        matches((regimes == k).mean(axis=0), days / 35.0)
    runs = [run for path in regimes.T for run in runs_of(path)]
    for k, days in enumerate((5.0, 10.0, 20.0)):
        lengths = np.array([length for state, length in runs if state == k])
        # longer runs are cut by the window a little more often, which is below one error here
        assert lengths.mean() == pytest.approx(days, abs=4.0 * days / math.sqrt(lengths.size) + 20.0 * days / 2_000)
    followers = [b for path in regimes.T for (a, _), (b, _) in pairwise(runs_of(path)) if a == 1]
    assert np.mean(np.array(followers) == 0) == pytest.approx(0.5, abs=4.0 * 0.5 / math.sqrt(len(followers)))


CALM_DAYS, TURBULENT_DAYS, TURBULENCE = 240.0, 60.0, 2.5
"""Mean durations of the two states, and the volatility of the second over that of the first."""


def two_states(scenario: Scenario) -> list[tuple[float, float, float]]:
    """(share, mean, variance) of the default regimes by the formula of total variance, solved for the calm state."""
    cash = (1.0 + scenario.cash_rate) ** (1.0 / A) - 1.0
    premium = scenario.mu / A - cash
    shares = np.array([CALM_DAYS, TURBULENT_DAYS]) / (CALM_DAYS + TURBULENT_DAYS)
    ratio = np.array([1.0, TURBULENCE])  # of volatilities
    power = scenario.premium_power if premium >= 0.0 else 0
    means = cash + premium * ratio**power / (shares @ ratio**power)
    between = shares @ (means - scenario.mu / A) ** 2
    calm = (scenario.sigma**2 / A - between) / (shares @ ratio**2)
    return list(zip(shares, means, calm * ratio**2, strict=True))


@pytest.mark.parametrize("scenario", [s.name for s in BUILT_IN])
def test_two_regimes_give_the_fourth_moment_of_their_mixture(scenario: str) -> None:
    world = with_engine(scenario, "regime_switching")
    centre, fourth = world.mu / A, 0.0
    for share, mean, variance in two_states(world):
        third_k, fourth_k = lognormal_moments(1.0 + mean, variance)
        gap = mean - centre
        fourth += share * (fourth_k + 4.0 * third_k * gap + 6.0 * variance * gap**2 + gap**4)
    squares = (sample(world) - centre) ** 2
    matches((squares * squares).mean(axis=0), fourth)


@pytest.mark.parametrize("lag", [1, 20, 60])
def test_squares_remember_the_regime_as_long_as_it_lasts(lag: int) -> None:
    """Cov of squares at a lag = shares x (difference of variances)**2 x (p + q - 1)**lag, premium aside."""
    world = with_engine("base_case", "regime_switching", premium_power=0)
    (calm_share, _, calm), (turbulent_share, _, turbulent) = two_states(world)
    memory = (1.0 - 1.0 / CALM_DAYS - 1.0 / TURBULENT_DAYS) ** lag
    expected = calm_share * turbulent_share * (turbulent - calm) ** 2 * memory
    squares = (sample(world) - world.mu / A) ** 2 - world.sigma**2 / A
    matches((squares[:-lag] * squares[lag:]).mean(axis=0), expected)


def test_the_cycle_spends_its_time_by_duration() -> None:
    """Leaving for each other state alike, shares are in proportion to mean durations; the moments follow."""
    shares = np.array([s.mean_days for s in CYCLE.states])
    shares /= shares.sum()
    means = np.array([s.mu for s in CYCLE.states]) / A
    variances = np.array([s.sigma for s in CYCLE.states]) ** 2 / A
    mean = shares @ means
    mu, sigma = implied_moments(CYCLE)
    assert mu == pytest.approx(A * mean, rel=1e-12)
    assert sigma**2 == pytest.approx(A * (shares @ (variances + (means - mean) ** 2)), rel=1e-12)
    assert (mu, sigma) == pytest.approx((CYCLE.mu, CYCLE.sigma), abs=0.02)  # what the label says, roughly
    assert CYCLE.probability == 0.0


@pytest.mark.parametrize("power", [1, 2])
def test_a_premium_beyond_all_volatility_is_refused(power: int) -> None:
    absurd = with_engine("base_case", "regime_switching", mu=0.5, sigma=0.01, premium_power=power)
    with pytest.raises(DataError, match=r"`sigma` 0.01 .* expected sigma above .* or `premium_power` 0"):
        path_model(absurd, seed=1)


# stochastic volatility

KAPPA, XI = 3.0, 3.33
SHAPE = 2.0 * KAPPA / XI**2
"""Of the stationary gamma law of the variance; half the Feller ratio of 1.08, or 0.54 as the method counts it."""


@pytest.mark.parametrize("scenario", [s.name for s in BUILT_IN])
@pytest.mark.parametrize("lag", [1, 21, 60])
def test_squares_remember_hestons_variance(scenario: str, lag: int) -> None:
    """E[x_t**2 x_t+k**2] = E[v_t v_t+k] / A**2 = theta**2 (1 + exp(-kappa k / A) / shape) / A**2.

    Without correlation of price and variance, which would add to it, and with a constant premium.
    """
    world = with_engine(scenario, "heston", leverage=0.0, premium_power=0)
    squares = (sample(world) - world.mu / A) ** 2
    theta = world.sigma**2
    expected = theta**2 * (1.0 + math.exp(-KAPPA * lag / A) / SHAPE) / A**2
    matches((squares[:-lag] * squares[lag:]).mean(axis=0), expected)


@pytest.mark.parametrize("blocks", sizes(120, 500))
def test_the_variance_starts_in_its_stationary_law(blocks: int) -> None:
    """The first day and the last of a year have the same second moment, and the same one over a given level."""
    world = with_engine("base_case", "heston", leverage=0.0, premium_power=0)
    returns = sample(world, A, blocks) - world.mu / A
    for day in (0, 1, 20, A - 1):
        matches(returns[day] ** 2, world.sigma**2 / A)
    calm = np.abs(returns) < 0.001
    first, last = calm[0].mean(), calm[-1].mean()
    assert first == pytest.approx(last, abs=4.0 * math.sqrt(2.0 * first * (1.0 - first) / calm.shape[1]))


def test_the_first_day_has_the_mean_size_that_a_gamma_law_gives() -> None:
    """E abs(x) = sqrt(2 / pi) E[sqrt(v)] / sqrt(A), and the gamma law's moment of order one half is known."""
    world = with_engine("base_case", "heston", leverage=0.0, premium_power=0)
    moment = math.exp(math.lgamma(SHAPE + 0.5) - math.lgamma(SHAPE)) / math.sqrt(SHAPE)
    expected = math.sqrt(2.0 / math.pi) * moment * world.sigma / math.sqrt(A)
    matches(np.abs(sample(world, 1, 20_000)[0] - world.mu / A), expected)


def test_the_method_has_one_feller_ratio_in_every_scenario() -> None:
    for world in BUILT_IN:
        theta, xi = world.sigma**2, world.vol_of_vol * world.sigma
        assert 2.0 * world.mean_reversion * theta / xi**2 == pytest.approx(0.54, abs=0.002)
        assert world.leverage == -0.7


@pytest.mark.parametrize("leverage", [-0.7, 0.0, 0.7])
def test_a_fall_is_followed_by_the_volatility_that_leverage_says(leverage: float) -> None:
    world = with_engine("base_case", "heston", leverage=leverage, premium_power=0)
    x = sample(world) - world.mu / A
    by_path = (x[:-1] * x[1:] ** 2).mean(axis=0)
    t = by_path.mean() / (by_path.std(ddof=1) / math.sqrt(by_path.size))
    if leverage == 0.0:
        assert abs(t) < 4.0
    else:
        assert t * leverage > 10.0 * abs(leverage)


# the premium


@pytest.mark.parametrize(("scenario", "engine"), covering([s.name for s in BUILT_IN if s.mu > s.cash_rate], LINKED))
def test_the_mean_premium_does_not_depend_on_its_link_to_volatility(scenario: str, engine: Engine) -> None:
    """The same shocks with p = 0, 1, 2: the difference of the means is paired."""
    plain = sample(with_engine(scenario, engine, premium_power=0)).mean(axis=0)
    for power in (1, 2):
        linked = sample(with_engine(scenario, engine, premium_power=power)).mean(axis=0)
        matches(linked - plain, 0.0)
        assert not np.array_equal(linked, plain)


@pytest.mark.parametrize("power", [0, 2])
def test_the_premium_follows_the_variance_when_p_is_two_and_not_when_it_is_zero(power: int) -> None:
    """E[(r_t+1 - c) x_t**2] = premium E[(v_t+1 / theta)**(p / 2) v_t] / A, known for p = 0 and p = 2."""
    world = with_engine("bull_market", "heston", leverage=0.0, premium_power=power)
    cash = (1.0 + world.cash_rate) ** (1.0 / A) - 1.0
    returns, premium = sample(world), world.mu / A - cash
    link = 1.0 + (math.exp(-KAPPA / A) / SHAPE if power == 2 else 0.0)
    by_path = ((returns[1:] - cash) * (returns[:-1] - world.mu / A) ** 2).mean(axis=0)
    matches(by_path, premium * link * world.sigma**2 / A)


@pytest.mark.parametrize("engine", LINKED)
def test_without_a_premium_there_is_no_link(engine: Engine) -> None:
    falling = BY_NAME["bear_market"]
    assert falling.mu < falling.cash_rate
    plain, *linked = (sample(with_engine(falling, engine, premium_power=p), blocks=4) for p in (0, 1, 2))
    for other in linked:
        np.testing.assert_array_equal(other, plain)


# the bootstrap


@pytest.fixture(scope="module")
def blocks() -> tuple[np.ndarray, np.ndarray, Scenario]:
    """Places in the history of each simulated day, shape (days, paths), and the returns they should have."""
    world = with_engine("high_volatility", "bootstrap", mean_block=25)
    scaled = world.mu / A + world.sigma / math.sqrt(A) * (HISTORY - HISTORY.mean()) / HISTORY.std()
    returns = sample(world, 500, 20)
    order = np.argsort(scaled)
    places = order[np.clip(np.searchsorted(scaled[order], returns), 0, scaled.size - 1)]
    below = order[np.clip(np.searchsorted(scaled[order], returns) - 1, 0, scaled.size - 1)]
    places = np.where(np.abs(scaled[below] - returns) < np.abs(scaled[places] - returns), below, places)
    np.testing.assert_allclose(scaled[places], returns, rtol=0, atol=1e-14)
    return places, returns, world


def test_every_bootstrapped_day_is_a_scaled_day_of_history(blocks: tuple) -> None:
    places, _, world = blocks
    assert np.unique(places).size == HISTORY.size
    counts = np.bincount(places.ravel(), minlength=HISTORY.size)
    assert stats.variation(counts) < 3.0 * math.sqrt(world.mean_block / counts.mean())  # every day alike


def test_blocks_of_consecutive_days_have_the_mean_length_asked_for(blocks: tuple) -> None:
    """A block ends with probability 1 / length; one time in T the next block begins where it would have gone on."""
    places, _, world = blocks
    goes_on = places[1:] == (places[:-1] + 1) % HISTORY.size
    expected = 1.0 - (1.0 - 1.0 / HISTORY.size) / world.mean_block
    matches(goes_on.mean(axis=0), expected)


def test_a_bootstrap_without_history_is_refused() -> None:
    world = with_engine("base_case", "bootstrap")
    for history in (None, HISTORY[:249], HISTORY[:, None]):
        with pytest.raises(DataError, match="`history` must hold at least 250 daily returns"):
            path_model(world, seed=1, history=history)
    path_model(world, seed=1, history=HISTORY[:250])


# jumps upon stochastic volatility


@pytest.mark.parametrize("scenario", [s.name for s in BUILT_IN])
def test_bates_adds_mertons_third_moment_to_hestons_memory(scenario: str) -> None:
    """Jumps have no memory and cumulants add; the variance of the diffusion is what the jumps leave of sigma**2."""
    world = with_engine(scenario, "bates", leverage=0.0, premium_power=0, jumps_per_year=2.0)
    jump, deviation, rate = -0.28 * world.sigma, 0.28 * world.sigma, world.jumps_per_year / A
    theta = world.sigma**2 - world.jumps_per_year * (jump**2 + deviation**2)
    x = sample(world) - world.mu / A
    by_diffusion = 3.0 * (theta / A) ** 2 * (1.0 + 1.0 / SHAPE)  # of a log-normal day, to leading order
    matches((x * x * x).mean(axis=0), rate * (jump**3 + 3.0 * jump * deviation**2) + by_diffusion)
    memory = theta**2 * math.exp(-KAPPA * 21 / A) / SHAPE
    matches((x[:-21] ** 2 * x[21:] ** 2).mean(axis=0), (world.sigma**4 + memory) / A**2)


def test_bates_without_jumps_is_heston() -> None:
    jumpless = sample(with_engine("base_case", "bates", jumps_per_year=0.0), blocks=2)
    np.testing.assert_array_equal(jumpless, sample(with_engine("base_case", "heston"), blocks=2))


# variance that answers to yesterday

GARCH = {"garch_alpha": 0.03, "garch_gamma": 0.06, "garch_beta": 0.88, "garch_nu": 15.0}


def garch_sample(scenario: Scenario, days: int = DAYS, blocks: int = FEW) -> np.ndarray:
    """Uses Student's t because no history is given."""
    return sample_paths(path_model(scenario, seed=3), days=days, blocks=blocks)


@pytest.mark.parametrize("lag", [1, 21])
def test_squares_remember_yesterdays_shock(lag: int) -> None:
    """He and Terasvirta's moments for a symmetric law, k = E z**4 = 3 + 6 / (nu - 4), written from the recursion.

    E h**2 = (1 - P**2) / (1 - E c**2) with c = beta + (alpha + gamma 1) z**2, and at each lag the covariance of
    squares falls by the persistence P.
    """
    world = with_engine("base_case", "garch", premium_power=0, **GARCH)
    alpha, gamma, beta, nu = GARCH.values()
    k = 3.0 + 6.0 / (nu - 4.0)
    persistence = alpha + gamma / 2.0 + beta
    second = beta**2 + 2.0 * beta * (alpha + gamma / 2.0) + k * (alpha**2 + alpha * gamma + gamma**2 / 2.0)
    square = (1.0 - persistence**2) / (1.0 - second)
    first_lag = (1.0 - persistence) + (k * (alpha + gamma / 2.0) + beta) * square
    expected = 1.0 + (first_lag - 1.0) * persistence ** (lag - 1)
    x = (garch_sample(world) - world.mu / A) / (world.sigma / math.sqrt(A))
    matches((x[:-lag] ** 2 * x[lag:] ** 2).mean(axis=0), expected)
    matches((x**4).mean(axis=0), k * square)


def test_the_default_garch_has_a_fourth_moment() -> None:
    world = with_engine("base_case", "garch")
    alpha, gamma, beta, nu = world.garch_alpha, world.garch_gamma, world.garch_beta, world.garch_nu
    draws = stats.t(nu).rvs(200_000, random_state=1) * math.sqrt((nu - 2.0) / nu)
    c = beta + (alpha + gamma * (draws < 0.0)) * draws**2
    assert c.mean() == pytest.approx(alpha + gamma / 2.0 + beta, abs=0.002)
    assert (c**2).mean() + 4.0 * (c**2).std() / math.sqrt(c.size) < 1.0


@pytest.mark.parametrize("nu", [3.0, 8.0])
def test_without_memory_garch_is_students_t(nu: float) -> None:
    flat = {"garch_alpha": 0.0, "garch_gamma": 0.0, "garch_beta": 0.0, "garch_nu": nu}
    world = with_engine("base_case", "garch", premium_power=0, **flat)
    z = (garch_sample(world, 40, 20).ravel() - world.mu / A) / (world.sigma / math.sqrt(A))
    assert stats.kstest(z, stats.t(nu, scale=math.sqrt((nu - 2.0) / nu)).cdf).pvalue > 1e-4


def residuals_of(history: np.ndarray, world: Scenario) -> np.ndarray:
    """Standardised shocks of `history`, filtered with the parameters of `world`."""
    alpha, gamma, beta = world.garch_alpha, world.garch_gamma, world.garch_beta
    e = history - history.mean()
    h = [e.var()]
    for shock in e[:-1]:
        h.append(
            (1.0 - alpha - gamma / 2.0 - beta) * e.var() + (alpha + gamma * (shock < 0.0)) * shock**2 + beta * h[-1]
        )
    z = e / np.sqrt(h)
    return (z - z.mean()) / z.std()


def test_every_garch_shock_is_a_residual_of_history() -> None:
    """Without beta the variance of a day is known from the return before it, and so is its shock."""
    parameters = {"garch_alpha": 0.1, "garch_gamma": 0.2, "garch_beta": 0.0}
    world = with_engine("base_case", "garch", premium_power=0, **parameters)
    residuals = np.sort(residuals_of(HISTORY, world))
    response = 0.2 / (2.0 * np.mean(residuals**2 * (residuals < 0.0)))
    x = sample(world, 63, 4) - world.mu / A
    level = world.sigma**2 / A
    h = 0.8 * level + (0.1 + response * (x[:-1] < 0.0)) * x[:-1] ** 2
    z = (x[1:] / np.sqrt(h)).ravel()
    right = residuals[np.clip(np.searchsorted(residuals, z), 0, residuals.size - 1)]
    left = residuals[np.clip(np.searchsorted(residuals, z) - 1, 0, residuals.size - 1)]
    assert np.minimum(np.abs(z - left), np.abs(z - right)).max() < 1e-10
    assert np.unique(np.round(z, 9)).size == residuals.size


@pytest.mark.parametrize("power", [0, 1, 2])
def test_a_lopsided_history_keeps_the_moments_of_garch(power: int) -> None:
    """Losses hold most of the variance here: the persistence and the mean of the link must not change with it."""
    lopsided = 0.01 * (1.0 - np.random.default_rng(5).gamma(4.0, 0.25, size=2_000))
    world = with_engine("bull_market", "garch", premium_power=power, **GARCH)
    returns = sample_paths(path_model(world, seed=3, history=lopsided), days=A, blocks=FEW)
    matches(returns.mean(axis=0), world.mu / A)
    for some in (returns[:5], returns[-60:]):
        matches(((some - world.mu / A) ** 2).mean(axis=0), world.sigma**2 / A)


@pytest.mark.parametrize("blocks", sizes(250, 1_000))
def test_the_mean_premium_of_garch_does_not_depend_on_its_link(blocks: int) -> None:
    world = with_engine("bull_market", "garch", garch_nu=8.0)
    plain, *linked = (
        garch_sample(world.model_copy(update={"premium_power": p}), blocks=blocks).mean(axis=0) for p in (0, 1, 2)
    )
    for other in linked:
        matches(other - plain, 0.0)


def test_a_variance_without_a_mean_is_refused() -> None:
    for gamma, beta in ((0.2, 0.9), (0.161, 0.9)):
        with pytest.raises(ValueError, match=r"garch_alpha .* expected at most 0.999"):
            with_engine("base_case", "garch", garch_gamma=gamma, garch_beta=beta)


@pytest.mark.parametrize("engine", ["garch", "bootstrap", "conditional_bootstrap", "replay"])
def test_a_history_that_cannot_be_drawn_from_is_refused(engine: Engine) -> None:
    world = with_engine("base_case", engine)
    with pytest.raises(DataError, match=r"`history` has 0\.001 on every day"):
        path_model(world, seed=1, history=np.full(300, 0.001))
    invalid = HISTORY.copy()
    invalid[7] = np.nan
    with pytest.raises(DataError, match="`history` has nan on day 7"):
        path_model(world, seed=1, history=invalid)
    fewest = 20 if engine == "replay" else 250
    with pytest.raises(DataError, match=f"`history` must hold at least {fewest} daily returns"):
        path_model(world, seed=1, history=HISTORY[: fewest - 1])
    path_model(world, seed=1, history=HISTORY[:fewest])


# the bootstrap of a regime


def ragged(seed: int, days: int) -> np.ndarray:
    """A label in runs of 1 to 60 days."""
    rng = np.random.default_rng(seed)
    flags = np.concatenate([np.full(rng.integers(1, 61), k % 2 == 0) for k in range(days)])
    return flags[:days]


LABELLED = ragged(2, 3_000)
STEEP = np.where(LABELLED, 0.01 * np.sin(np.arange(3_000) / 7.0), -0.5) + 0.002 * np.random.default_rng(3).normal(
    size=3_000
)
"""Labelled days depend on their place in a run, and the other days would show at once."""


@pytest.fixture(scope="module")
def regime_blocks() -> tuple[np.ndarray, Scenario]:
    """Places in the history of each simulated day, shape (days, paths)."""
    world = with_engine("base_case", "conditional_bootstrap", label="bear", mean_block=20)
    model = path_model(world, seed=4, history=STEEP, labelled=LABELLED)
    returns = sample_paths(model, days=300, blocks=80)
    matches(returns[:3].mean(axis=0), world.mu / A)
    matches(returns.mean(axis=0), world.mu / A)
    for some in (returns[:3], returns[-3:]):
        matches(((some - world.mu / A) ** 2).mean(axis=0), world.sigma**2 / A)
    # an affine map takes history to the model: two days fix it, and all others must obey
    usable = usable_days(LABELLED)
    slope, level = np.polyfit(STEEP[usable], model.history, 1)
    values = STEEP * slope + level
    np.testing.assert_allclose(values[usable], model.history, rtol=0, atol=1e-13)
    order = np.argsort(values)
    near = np.clip(np.searchsorted(values[order], returns - 1e-13), 0, values.size - 1)
    places = order[near]
    np.testing.assert_allclose(values[places], returns, rtol=0, atol=1e-12)
    return places, world


def usable_days(labelled: np.ndarray) -> np.ndarray:
    runs = np.split(np.arange(labelled.size), np.flatnonzero(np.diff(labelled)) + 1)
    return np.concatenate([run for run in runs if labelled[run[0]] and run.size >= 5])


def test_blocks_of_a_regime_hold_its_days_alone_and_five_at_least(regime_blocks: tuple) -> None:
    places, world = regime_blocks
    assert set(np.unique(places)) == set(usable_days(LABELLED))
    lengths = []
    for path in places.T[:1_000]:
        breaks = np.flatnonzero(np.diff(path) != 1) + 1
        lengths += list(np.diff(breaks))  # the first and last block are cut by the window
        assert LABELLED[path].all()
    assert min(lengths) == 5
    assert max(lengths) <= 60
    whole = [n for n in lengths if n < 15]  # runs are longer than that, mostly: the hazard shows from day five on
    shortest_share = np.mean([n == 5 for n in whole])
    assert 0.05 < shortest_share < 0.35
    assert np.mean(lengths) < world.mean_block  # runs cut them short


def test_days_of_a_regime_are_drawn_as_often_as_its_blocks_hold_them(regime_blocks: tuple) -> None:
    """Against blocks drawn one by one in plain code, for a long time."""
    places, world = regime_blocks
    usable = usable_days(LABELLED)
    ends = np.append(np.flatnonzero(np.diff(usable) > 1), usable.size - 1)
    last = ends[np.searchsorted(ends, np.arange(usable.size))]
    starts = np.flatnonzero(np.arange(usable.size) + 4 <= last)
    rng = np.random.default_rng(6)
    first_days = rng.choice(starts, size=400_000)
    length = np.minimum(
        4 + rng.geometric(1.0 / (world.mean_block - 4), size=first_days.size), last[first_days] - first_days + 1
    )
    change = np.zeros(usable.size + 1)
    np.add.at(change, first_days, 1.0)
    np.add.at(change, first_days + length, -1.0)
    expected = np.cumsum(change)[:-1]
    expected /= expected.sum()
    for some in (places[0], places[-1], places[::25].ravel()):
        counts = np.bincount(np.searchsorted(usable, some), minlength=usable.size)
        pooled, target_counts = (np.add.reduceat(x, np.arange(0, usable.size, 20)) for x in (counts, expected))
        error = np.sqrt(target_counts * some.size)
        assert np.abs(pooled - target_counts * some.size).max() < 6.0 * error.max()


def test_labelled_days_are_asked_for_and_checked() -> None:
    world = with_engine("base_case", "conditional_bootstrap", label="bull")
    with pytest.raises(DataError, match=r"`labelled` is missing; .* label 'bull'"):
        path_model(world, seed=1, history=HISTORY)
    wrongs: tuple[Any, ...] = (np.ones(10, dtype=bool), np.ones(HISTORY.size))
    for wrong in wrongs:
        with pytest.raises(DataError, match=r"`labelled` has shape .* one bool for each of 1500 days"):
            path_model(world, seed=1, history=HISTORY, labelled=wrong)
    few = np.arange(HISTORY.size) < 249
    with pytest.raises(DataError, match=r"`labelled` has 249 days, 249 of them .* at least 250"):
        path_model(world, seed=1, history=HISTORY, labelled=few)
    short = np.arange(HISTORY.size) % 5 < 4
    with pytest.raises(DataError, match=r"`labelled` has 1200 days, 0 of them in runs of 5"):
        path_model(world, seed=1, history=HISTORY, labelled=short)
    path_model(world, seed=1, history=HISTORY, labelled=np.arange(HISTORY.size) < 250)
    still = np.where(few, HISTORY, 0.0)
    with pytest.raises(DataError, match=r"`history` has a deviation of .* on the days that are drawn"):
        path_model(world, seed=1, history=still, labelled=~few)


def test_the_base_label_is_every_day() -> None:
    world = with_engine("base_case", "conditional_bootstrap")
    every = np.ones(HISTORY.size, dtype=bool)
    with_label, plain = (
        sample_paths(path_model(world, seed=1, history=HISTORY, labelled=labelled), days=50)
        for labelled in (every, None)
    )
    np.testing.assert_array_equal(with_label, plain)


# history as it was


def test_a_replay_runs_through_history_in_its_order() -> None:
    own = with_engine("base_case", "replay", mu=float(A * HISTORY.mean()), sigma=float(HISTORY.std() * math.sqrt(A)))
    returns = sample_paths(path_model(own, seed=1, history=HISTORY), days=2_000, blocks=2)
    first = np.abs(HISTORY[:, None] - returns[0]).argmin(axis=0)
    for start, path in zip(first, returns.T, strict=True):
        np.testing.assert_allclose(path, np.roll(np.tile(HISTORY, 2), -start)[:2_000], rtol=0, atol=1e-14)


@pytest.mark.parametrize("blocks", [1, 2, 16])
def test_replayed_paths_begin_evenly_over_history(blocks: int) -> None:
    """Multiples of the golden ratio leave no gap above its square, 2.618, over the number of paths."""
    world = with_engine("base_case", "replay")
    ramp = np.linspace(-0.01, 0.01, 4_000)
    for seed in (1, 2):
        first = sample_paths(path_model(world, seed=seed, history=ramp), days=1, blocks=blocks)[0]
        scaled = (first - world.mu / A) / (world.sigma / math.sqrt(A)) * ramp.std()
        place = np.sort((scaled + 0.01) / 0.02)
        gaps = np.diff(place, append=place[0] + 1.0)
        assert gaps.max() < 2.62 / first.size + 2.0 / ramp.size


# which paths are drawn


@pytest.mark.parametrize("engine", ENGINES)
def test_a_path_does_not_depend_on_what_else_is_asked_for(engine: Engine) -> None:
    model = path_model(with_engine("base_case", engine), seed=5, history=HISTORY)
    whole = sample_paths(model, days=200, blocks=3)
    for first in range(3):
        part = sample_paths(model, days=120, first_block=first)
        np.testing.assert_array_equal(part, whole[:120, 64 * first : 64 * (first + 1)])


@pytest.mark.parametrize("engine", ENGINES)
def test_a_seed_and_a_name_make_a_path(engine: Engine) -> None:
    world = with_engine("base_case", engine)

    def paths(scenario: Scenario, seed: int = 5) -> np.ndarray:
        return sample_paths(path_model(scenario, seed=seed, history=HISTORY), days=100)

    once = paths(world)
    assert paths(world).tobytes() == once.tobytes()
    renamed = world.model_copy(update={"name": "other"})
    reseeded = world.model_copy(update={"seed": 1})
    for other in (paths(world, 6), paths(renamed), paths(reseeded)):
        assert not np.isclose(other, once, rtol=0, atol=1e-12).mean() > 0.01
    unused = world.model_copy(update={"probability": 0.3, "years": 9, "paths": 200, "bond_correlation": 0.9})
    assert paths(unused).tobytes() == once.tobytes()


@pytest.mark.parametrize("engine", ENGINES)
def test_two_scenarios_have_unrelated_shocks(engine: Engine) -> None:
    if engine == "replay":
        pytest.skip("paths are the same days, begun elsewhere")
    a, b = (sample(with_engine(name, engine), 63, 200) for name in ("base_case", "bull_market"))
    products = (a - a.mean()) * (b - b.mean())
    matches(products.mean(axis=0), 0.0)


@pytest.mark.parametrize("engine", ENGINES)
def test_neighbouring_paths_and_days_have_unrelated_returns(engine: Engine) -> None:
    """Neighbouring days of a bootstrap or a replay are left out: they are consecutive days of history."""
    if engine == "replay":
        pytest.skip("paths are the same days, begun elsewhere")
    x = sample(with_engine("base_case", engine, premium_power=0), 63, 200)
    x = x - x.mean()
    matches((x[:, :-1:2] * x[:, 1::2]).mean(axis=0), 0.0)
    if engine not in REAL_DAYS:
        matches((x[:-1] * x[1:]).mean(axis=0), 0.0)


@given(
    st.sampled_from(ENGINES),
    st.floats(-0.5, 0.5),
    st.floats(0.01, 1.0),
    st.floats(-0.05, 0.25),
    st.sampled_from((0, 1, 2)),
    st.floats(-1.0, 1.0),
    st.floats(0.1, 10.0),
    st.floats(0.0, 5.0),
    st.integers(0, 1000),
)
@settings(max_examples=100, deadline=None)
def test_no_scenario_loses_everything_in_a_day(
    engine: Engine,
    mu: float,
    sigma: float,
    cash_rate: float,
    power: int,
    leverage: float,
    vol_of_vol: float,
    jumps: float,
    seed: int,
) -> None:
    world = Scenario.model_validate(
        {"name": "any", "engine": engine, "mu": mu, "sigma": sigma, "cash_rate": cash_rate, "premium_power": power}
        | {"leverage": leverage, "vol_of_vol": vol_of_vol, "jumps_per_year": jumps}
    )
    try:
        model = path_model(world, seed=seed, history=HISTORY)
    except DataError:
        assert engine == "regime_switching"
        assert abs(mu - cash_rate) > 5.0 * sigma  # a Sharpe ratio that no market has
        return
    returns = sample_paths(model, days=100)
    assert np.isfinite(returns).all()
    assert returns.min() > -1.0


@pytest.mark.parametrize("engine", ["heston", "bates"])
@pytest.mark.parametrize("speed", [1e-12, 1e-300, 5e-324])
def test_variance_that_hardly_reverts_is_refused(engine: Engine, speed: float) -> None:
    """Its stationary law is a gamma law of a shape near 0: almost always no variance, rarely a huge one."""
    scenario = with_engine(BUILT_IN[0], engine).model_copy(update={"mean_reversion": speed})
    with pytest.raises(DataError, match=r"`mean_reversion` .* expected a larger one"):
        path_model(scenario, seed=1)
