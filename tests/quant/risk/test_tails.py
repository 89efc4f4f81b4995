"""Tail losses against scipy, numerical integration, brute-force windows, and paths written in plain numpy."""

import asyncio
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import integrate, stats

from desk.market.bundled import BundledPrices
from quant.numeric.errors import DataError
from quant.risk.tails import METHODS, Method, expected_shortfall, tail_risk, value_at_risk
from quant.volatility.garch import fit_garch, garch_variances, next_variance

SAMPLES = [np.random.default_rng(seed).standard_t(5, 800) / 100 + 3e-4 for seed in range(3)]
few = settings(max_examples=30, deadline=None)
levels = st.sampled_from([0.5, 0.9, 0.95, 0.975, 0.99])
INSIDE = 0.25
"""A least slope of the plain expansion above which the matched one rises too: its parameters reach farther."""


def skewed(seed: int, days: int = 1500) -> np.ndarray:
    """Mildly skewed and fat-tailed, inside the domain of Cornish and Fisher."""
    rng = np.random.default_rng(seed)
    return 0.01 * (rng.standard_normal(days) - 0.25 * (rng.standard_normal(days) ** 2 - 1))


def empirical(outcomes: np.ndarray, level: float) -> tuple[float, float]:
    """The k-th worst loss, and the loss averaged over all levels beyond, by the step function of the quantile."""
    ordered = np.sort(outcomes)
    k = math.ceil((1 - level) * ordered.size - 1e-9)
    edges = np.minimum(np.arange(ordered.size + 1) / ordered.size, 1 - level)
    return -ordered[k - 1], -(ordered * np.diff(edges)).sum() / (1 - level)


@pytest.fixture(scope="module")
def index() -> np.ndarray:
    closes = asyncio.run(BundledPrices().load("sp500")).closes[:, 0]
    return closes[1:] / closes[:-1] - 1.0


@pytest.mark.parametrize("x", SAMPLES)
@pytest.mark.parametrize("horizon", [1, 10, 21])
@pytest.mark.parametrize("level", [0.95, 0.99])
def test_historical_losses_are_those_of_every_compounded_window(x: np.ndarray, horizon: int, level: float) -> None:
    windows = np.array([np.prod(1 + x[i : i + horizon]) - 1 for i in range(x.size - horizon + 1)])
    at_risk, shortfall = empirical(windows, level)
    assert value_at_risk(x, level, horizon) == pytest.approx(at_risk, rel=1e-12)
    assert expected_shortfall(x, level, horizon) == pytest.approx(shortfall, rel=1e-9)


@pytest.mark.parametrize("x", SAMPLES)
@pytest.mark.parametrize("horizon", [1, 10])
def test_gaussian_losses_are_scipys(x: np.ndarray, horizon: int) -> None:
    law = stats.norm(horizon * x.mean(), math.sqrt(horizon) * x.std(ddof=1))
    assert value_at_risk(x, 0.99, horizon, "gaussian") == pytest.approx(-law.ppf(0.01), rel=1e-11)
    below = law.expect(lambda r: r, ub=law.ppf(0.01), conditional=True)
    assert expected_shortfall(x, 0.99, horizon, "gaussian") == pytest.approx(-below, rel=1e-7)


def expanded(x: np.ndarray, horizon: int, p: Any) -> Any:
    """Zangari's expansion as published, skewness and excess kurtosis of the sum of `horizon` days."""
    z = stats.norm.ppf(p)
    s, k = stats.skew(x) / math.sqrt(horizon), stats.kurtosis(x) / horizon
    w = z + (z**2 - 1) * s / 6 + (z**3 - 3 * z) * k / 24 - (2 * z**3 - 5 * z) * s**2 / 36
    return horizon * x.mean() + math.sqrt(horizon) * x.std(ddof=1) * w


@pytest.mark.parametrize("horizon", [1, 10, 21])
@pytest.mark.parametrize("level", [0.95, 0.99])
def test_cornish_fisher_losses_are_the_expansion_and_its_integral(horizon: int, level: float) -> None:
    x = skewed(5)
    assert value_at_risk(x, level, horizon, "cornish_fisher") == pytest.approx(
        -expanded(x, horizon, 1 - level), rel=1e-10
    )
    area = integrate.quad(lambda p: expanded(x, horizon, p), 0.0, 1 - level, epsrel=1e-10)[0]
    assert expected_shortfall(x, level, horizon, "cornish_fisher") == pytest.approx(-area / (1 - level), rel=1e-7)


def test_cornish_fisher_is_gaussian_for_two_points_of_normal_moments() -> None:
    """Three points with skewness 0 and kurtosis 3: -sqrt(3), 0, sqrt(3) with chances 1/6, 2/3, 1/6."""
    x = 0.01 * math.sqrt(3) * np.array([-1.0, 0, 0, 0, 0, 1.0] * 10)
    for find in (value_at_risk, expected_shortfall):
        assert find(x, 0.99, 1, "cornish_fisher") == pytest.approx(find(x, 0.99, 1, "gaussian"), rel=1e-9)


@pytest.mark.parametrize("days", ["index", "skewed"])
@pytest.mark.parametrize("horizon", [1, 10])
def test_the_matched_expansion_has_the_moments_of_the_sample(index: np.ndarray, days: str, horizon: int) -> None:
    """Moments of its quantile function, integrated over all levels; the sum of `horizon` days has them scaled."""
    x = index if days == "index" else skewed(5)
    nodes, weights = np.polynomial.legendre.leggauss(400)
    z, weights = 7 * nodes, 7 * weights * stats.norm.pdf(7 * nodes)
    outcomes = np.array([-value_at_risk(x, 1 - p, horizon, "cornish_fisher_matched") for p in stats.norm.cdf(z[:200])])
    # beyond the middle by the lower tail of the mirrored sample
    mirror = [value_at_risk(-x, 1 - p, horizon, "cornish_fisher_matched") for p in stats.norm.cdf(z[:200])][::-1]
    outcomes = np.concatenate([outcomes, mirror])
    mean = float(weights @ outcomes)
    central = [float(weights @ (outcomes - mean) ** n) for n in (2, 3, 4)]
    assert mean == pytest.approx(horizon * x.mean(), abs=1e-8)
    assert central[0] == pytest.approx(horizon * x.var(ddof=1), rel=1e-6)
    assert central[1] / central[0] ** 1.5 == pytest.approx(stats.skew(x) / math.sqrt(horizon), abs=1e-4)
    assert central[2] / central[0] ** 2 - 3 == pytest.approx(stats.kurtosis(x) / horizon, rel=1e-3)


def test_the_shortfall_of_the_matched_expansion_is_the_mean_of_its_quantiles(index: np.ndarray) -> None:
    def quantile(p: float) -> float:
        return value_at_risk(index, 1 - p, 1, "cornish_fisher_matched")

    area = integrate.quad(quantile, 1e-12, 0.05, limit=200)[0]
    assert expected_shortfall(index, 0.95, 1, "cornish_fisher_matched") == pytest.approx(area / 0.05, rel=1e-5)


@pytest.mark.parametrize(("kurtosis", "applies"), [(45, True), (46, True), (47, False)])
def test_without_skewness_an_excess_kurtosis_up_to_43_2_is_matched(kurtosis: int, applies: bool) -> None:
    """The bound of Maillard (2012) for the parameter's bound of 8; days of -a, 0 and a have kurtosis 1 / P(not 0)."""
    x = np.zeros(100 * kurtosis)
    x[:50], x[50:100] = 0.01, -0.01
    if applies:
        assert value_at_risk(x, 0.99, 1, "cornish_fisher_matched") > 0
        return
    with pytest.raises(DataError, match="excess kurtosis 44 over 1 sessions"):
        value_at_risk(x, 0.99, 1, "cornish_fisher_matched")


def test_no_expansion_matches_tails_that_are_too_fat() -> None:
    x = np.append(np.tile([0.001, -0.001], 2000), -0.3)
    with pytest.raises(DataError, match="`cornish_fisher_matched` does not apply: skewness -59"):
        value_at_risk(x, 0.99, 1, "cornish_fisher_matched")


def steepness(x: np.ndarray) -> float:
    """Smallest slope of the expansion between chances of 3e-7 and 1 - 3e-7, on a grid."""
    z = np.linspace(-5, 5, 10_001)
    s, k = stats.skew(x), stats.kurtosis(x)
    return float((1 + z * s / 3 + (z**2 - 1) * k / 8 - (6 * z**2 - 5) * s**2 / 36).min())


def test_the_domain_of_cornish_fisher_is_where_its_quantiles_rise() -> None:
    """Samples on both sides of it; the quantiles themselves on a grid decide."""
    p = stats.norm.cdf(np.linspace(-5, 5, 4001))
    inside = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        x = 0.01 * (rng.standard_t(3 + seed % 12, 300) + (seed % 4) * rng.exponential(1.0, 300))
        if steepness(x) > 0:
            inside += 1
            assert (np.diff(expanded(x, 1, p)) > 0).all()
            value_at_risk(x, 0.99, 1, "cornish_fisher")
        else:
            assert (np.diff(expanded(x, 1, p)) < 0).any()
            with pytest.raises(DataError, match="domain of validity"):
                value_at_risk(x, 0.99, 1, "cornish_fisher")
    assert 5 < inside < 55


def test_the_index_at_one_day_lies_outside_the_domain_and_at_a_month_inside(index: np.ndarray) -> None:
    rows = {(r.method, r.horizon, r.level): r for r in tail_risk(index, paths=500)}
    assert len(rows) == len(METHODS) * 3 * 2
    day, month = rows["cornish_fisher", 1, 0.99], rows["cornish_fisher", 21, 0.99]
    assert day.value_at_risk is None
    assert day.expected_shortfall is None
    assert "excess kurtosis" in (day.reason or "")
    matched = rows["cornish_fisher_matched", 1, 0.99]
    assert matched.value_at_risk is not None
    assert matched.value_at_risk == pytest.approx(rows["historical", 1, 0.99].value_at_risk, rel=0.15)
    assert month.value_at_risk == value_at_risk(index, 0.99, 21, "cornish_fisher")
    assert month.reason is None
    for row in rows.values():
        if row.value_at_risk is not None and row.expected_shortfall is not None:
            assert 0 < row.value_at_risk < row.expected_shortfall < 1
            assert row.reason is None


@pytest.mark.parametrize("x", SAMPLES)
def test_one_day_of_the_average_filter_is_rescaled_history(x: np.ndarray) -> None:
    logs = np.log1p(x)
    variance = float(np.mean(logs[:21] ** 2))
    residuals = []
    for log in logs[21:]:
        residuals.append(log / math.sqrt(variance))
        variance = 0.94 * variance + 0.06 * log**2
    outcomes = np.expm1(math.sqrt(variance) * np.array(residuals))
    for level in (0.95, 0.99):
        losses = [find(x, level, 1, "filtered_ewma") for find in (value_at_risk, expected_shortfall)]
        assert losses == pytest.approx(empirical(outcomes, level), rel=1e-10)


def test_filtered_garch_replays_the_standardised_days_of_the_fit(index: np.ndarray) -> None:
    x = index[-2500:]
    logs = np.log1p(x)
    model = fit_garch(logs)
    z = (logs - model.mu) / np.sqrt(garch_variances(model, logs))
    z -= z.mean()
    h = next_variance(model, logs)
    outcomes = np.expm1(model.mu + math.sqrt(h) * z)
    assert value_at_risk(x, 0.99, 1, "filtered_garch") == pytest.approx(empirical(outcomes, 0.99)[0], rel=1e-9)
    rng = np.random.default_rng(4)
    variance, total = np.full(60_000, h), np.zeros(60_000)
    for _ in range(10):
        e = np.sqrt(variance) * rng.choice(z, variance.size)
        total += model.mu + e
        variance = model.omega + (model.alpha + model.gamma * (e < 0)) * e**2 + model.beta * variance
    for find, theirs in zip((value_at_risk, expected_shortfall), empirical(np.expm1(total), 0.95), strict=True):
        assert find(x, 0.95, 10, "filtered_garch", paths=60_000) == pytest.approx(theirs, rel=0.03)


def test_the_ewma_paths_are_those_of_a_plain_simulation() -> None:
    x = SAMPLES[1]
    logs = np.log1p(x)
    variance = float(np.mean(logs[:21] ** 2))
    residuals = []
    for log in logs[21:]:
        residuals.append(log / math.sqrt(variance))
        variance = 0.94 * variance + 0.06 * log**2
    rng = np.random.default_rng(9)
    h, total = np.full(60_000, variance), np.zeros(60_000)
    for _ in range(21):
        e = np.sqrt(h) * rng.choice(residuals, h.size)
        total += e
        h = 0.94 * h + 0.06 * e**2
    theirs = empirical(np.expm1(total), 0.95)[0]
    assert value_at_risk(x, 0.95, 21, "filtered_ewma", paths=60_000) == pytest.approx(theirs, rel=0.03)


def test_a_seed_fixes_the_paths_and_another_moves_them() -> None:
    one, again, other = (value_at_risk(SAMPLES[0], 0.99, 10, "filtered_ewma", seed=s) for s in (1, 1, 2))
    assert one == again
    assert one != other
    assert one == pytest.approx(other, rel=0.15)


@pytest.mark.parametrize("method", ["filtered_ewma", "filtered_garch"])
def test_filtered_losses_follow_todays_volatility(method: Method) -> None:
    rng = np.random.default_rng(3)
    x = 0.01 * rng.standard_t(6, 1200)
    calm, wild = np.append(x, np.full(30, 1e-4)), np.append(x, 0.04 * np.tile([1.0, -1.0], 15))
    assert value_at_risk(wild, 0.95, 1, method) > 1.5 * value_at_risk(calm, 0.95, 1, method)
    assert value_at_risk(wild, 0.95, 10, method) > 1.2 * value_at_risk(calm, 0.95, 10, method)


@few
@given(st.integers(0, 2**32 - 1), levels, st.sampled_from([1, 5]), st.sampled_from(METHODS[:5]))
def test_the_shortfall_is_never_below_the_value_at_risk(seed: int, level: float, horizon: int, method: Method) -> None:
    x = skewed(seed, 400)
    assume(not method.startswith("cornish") or steepness(x) > INSIDE)
    at_risk, shortfall = value_at_risk(x, level, horizon, method), expected_shortfall(x, level, horizon, method)
    assert shortfall >= at_risk - 1e-15
    higher = 0.5 * (1 + level)
    assume((1 - higher) * (400 - horizon + 1) >= 1)
    assert value_at_risk(x, higher, horizon, method) >= at_risk
    assert expected_shortfall(x, higher, horizon, method) >= shortfall


@few
@given(st.integers(0, 2**32 - 1), st.floats(0.05, 4.0), levels, st.sampled_from(METHODS[:4]))
def test_scaled_days_scale_a_one_day_loss(seed: int, factor: float, level: float, method: Method) -> None:
    x = skewed(seed, 200)
    assume(not method.startswith("cornish") or steepness(x) > INSIDE)
    for find in (value_at_risk, expected_shortfall):
        assert find(factor * x, level, 1, method) == pytest.approx(
            factor * find(x, level, 1, method), rel=1e-9, abs=1e-15
        )


@few
@given(st.integers(0, 2**32 - 1), st.floats(-0.01, 0.01), levels, st.sampled_from(METHODS[:4]))
def test_a_sure_gain_lowers_a_one_day_loss_by_itself(seed: int, gain: float, level: float, method: Method) -> None:
    x = skewed(seed, 200)
    assume(not method.startswith("cornish") or steepness(x) > INSIDE)
    for find in (value_at_risk, expected_shortfall):
        assert find(x + gain, level, 1, method) == pytest.approx(find(x, level, 1, method) - gain, abs=1e-11)


@few
@given(st.integers(0, 2**32 - 1), levels, st.permutations(range(150)))
def test_the_order_of_days_does_not_matter_to_a_one_day_loss(seed: int, level: float, order: list[int]) -> None:
    x = skewed(seed, 150)
    assert value_at_risk(x[order], level) == value_at_risk(x, level)
    assert expected_shortfall(x[order], level) == pytest.approx(expected_shortfall(x, level), rel=1e-12)


def test_a_method_that_does_not_apply_has_a_reason_and_the_others_their_numbers() -> None:
    rows = tail_risk(skewed(1, 60), horizons=(1, 21), levels=(0.95, 0.99))
    reasons = {(r.method, r.horizon, r.level): r.reason for r in rows if r.reason}
    assert "leaves less than one of 40 outcomes" in reasons["historical", 21, 0.99]
    assert "T >= 500; got (60,)" in reasons["filtered_garch", 1, 0.95]
    assert ("gaussian", 1, 0.99) not in reasons
    assert ("historical", 1, 0.95) not in reasons


@pytest.mark.parametrize(
    ("days", "arguments", "message"),
    [
        ([0.01, math.nan], {}, "row 1 is nan"),
        ([-1.0, 0.01], {}, r"above -1 \(a loss of everything\); row 0 is -1\.0"),
        ([0.01], {}, r"T >= 2; got \(1,\)"),
        (np.zeros((5, 2)), {}, r"got \(5, 2\)"),
        (SAMPLES[0], {"level": 1.0}, r"`level` must lie in \(0, 1\); got 1\.0"),
        (SAMPLES[0], {"level": math.nan}, "`level` must lie in"),
        (SAMPLES[0], {"horizon": 0}, "`horizon` must be at least 1 session; got 0"),
        (SAMPLES[0], {"method": "delta"}, "`method` must be one of historical, .*; got 'delta'"),
        (SAMPLES[0], {"paths": 0}, "`paths` >= 1"),
        (SAMPLES[0], {"seed": -1}, "`seed` in"),
        (SAMPLES[0][:10], {"horizon": 11}, "10 sessions, fewer than `horizon` 11"),
        (SAMPLES[0][:99], {"level": 0.99}, "leaves less than one of 99 outcomes in the tail: at least 100"),
        (SAMPLES[0][:41], {"method": "filtered_ewma"}, r"T >= 42, for `filtered_ewma`; got \(41,\)"),
        (SAMPLES[0][:499], {"method": "filtered_garch"}, "T >= 500"),
        (np.append(np.zeros(21), SAMPLES[0]), {"method": "filtered_ewma"}, "do not vary over the first 21"),
        (np.full(700, 0.01), {"method": "filtered_garch"}, "do not vary"),
    ],
)
def test_impossible_input_is_refused(days: Any, arguments: dict[str, Any], message: str) -> None:
    for find in (value_at_risk, expected_shortfall):
        with pytest.raises(DataError, match=message):
            find(days, **arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"levels": (0.95, 0.0)}, r"`level` must lie in \(0, 1\); got 0\.0"),
        ({"horizons": (1, 0)}, "got 0"),
        ({"methods": ("historical", "magic")}, "got 'magic'"),
    ],
)
def test_impossible_tables_are_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        tail_risk(SAMPLES[0], **arguments)
