"""Every engine against its closed forms: each moment within 4 standard errors, which are computed over paths."""

import math
from functools import lru_cache
from itertools import pairwise
from typing import get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from quant.errors import DataError
from quant.paths import implied_moments, path_model, sample_paths
from quant.scenario import BUILT_IN, CYCLE, Engine, RegimeState, Scenario

A = 252
DAYS = 63
MANY = math.ceil(100_000 / 64)
FEW = 300
"""Blocks of 64 paths."""
ENGINES = get_args(Engine)
REAL_DAYS = ("bootstrap", "conditional_bootstrap", "replay")
LINKED = ("heston", "bates", "garch", "regime_switching")
BY_NAME = {s.name: s for s in (*BUILT_IN, CYCLE)}
HISTORY = 0.01 * np.random.default_rng(11).standard_t(4, size=1_500) + 3e-4
"""What the bootstrap draws from."""


def with_engine(scenario: Scenario | str, engine: Engine, **changes: object) -> Scenario:
    found = BY_NAME[scenario] if isinstance(scenario, str) else scenario
    return Scenario.model_validate(found.model_dump() | {"engine": engine} | changes)


def sample(scenario: Scenario, days: int = DAYS, blocks: int = FEW) -> np.ndarray:
    """Shape (days, 64 * blocks)."""
    return drawn(scenario.model_dump_json(), days, blocks)


@lru_cache(maxsize=2)
def drawn(scenario: str, days: int, blocks: int) -> np.ndarray:
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


EVERY = [with_engine(s, e) for s in BUILT_IN for e in ENGINES] + [CYCLE]


@pytest.mark.parametrize("scenario", EVERY, ids=lambda s: f"{s.name}-{s.engine}")
def test_mean_and_volatility_are_the_scenarios(scenario: Scenario) -> None:
    mu, sigma = implied_moments(scenario)
    returns = sample(scenario, blocks=MANY)
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
    with pytest.raises(DataError, match=r"`jumps_per_year` 6.5 .* allowed: below 6.38"):
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
    read = np.round(sample(world, 2_000, 8) * A / 50.0).astype(int) + 1
    for k, days in enumerate((5.0, 10.0, 20.0)):
        matches((read == k).mean(axis=0), days / 35.0)
    found = [run for path in read.T for run in runs_of(path)]
    for k, days in enumerate((5.0, 10.0, 20.0)):
        lengths = np.array([length for state, length in found if state == k])
        # longer runs are cut by the window a little more often, which is below one error here
        assert lengths.mean() == pytest.approx(days, abs=4.0 * days / math.sqrt(lengths.size) + 20.0 * days / 2_000)
    followers = [b for path in read.T for (a, _), (b, _) in pairwise(runs_of(path)) if a == 1]
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
    with pytest.raises(DataError, match=r"`sigma` 0.01 .* allowed: sigma above .* or `premium_power` 0"):
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


def test_the_variance_starts_in_its_stationary_law() -> None:
    """The first day and the last of a year have the same second moment, and the same one over a given level."""
    world = with_engine("base_case", "heston", leverage=0.0, premium_power=0)
    returns = sample(world, A, 500) - world.mu / A
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


@pytest.mark.parametrize("engine", LINKED)
@pytest.mark.parametrize("scenario", [s.name for s in BUILT_IN if s.mu > s.cash_rate])
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
    """A block of a bootstrap is a piece of history, and a replay is one piece."""
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
