"""The fit against `arch` on real and simulated days and against scipy's density, the filter against a loop."""

import asyncio
import math
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from desk.market.bundled import BundledPrices
from quant.numeric.errors import DataError
from quant.volatility.garch import (
    Garch,
    Innovations,
    fit_garch,
    forecast,
    garch_log_likelihood,
    garch_signal,
    garch_variances,
    garch_volatility,
    next_variance,
)

TRUTH = Garch(mu=4e-4, omega=2e-6, alpha=0.03, gamma=0.12, beta=0.88, nu=6.0)
few = settings(max_examples=25, deadline=None)


def simulated(model: Garch, days: int, seed: int) -> np.ndarray:
    """Days of the model, written from its definition."""
    rng = np.random.default_rng(seed)
    normal = math.isinf(model.nu)
    shocks = rng.standard_normal(days) if normal else rng.standard_t(model.nu, days) * math.sqrt(1 - 2 / model.nu)
    out = np.empty(days)
    h = model.long_run_variance
    for t in range(days):
        e = math.sqrt(h) * shocks[t]
        out[t] = model.mu + e
        h = model.omega + (model.alpha + model.gamma * (e < 0)) * e**2 + model.beta * h
    return out


def logs_of(universe: str) -> np.ndarray:
    return np.diff(np.log(asyncio.run(BundledPrices().load(universe)).closes), axis=0)


@pytest.fixture(scope="module")
def index() -> np.ndarray:
    """Log returns of the S&P 500, 1990 to 2022."""
    return logs_of("sp500")[:, 0]


def parameters_for_arch(model: Garch) -> list[float]:
    """Parameters in percent, the unit that arch recommends; a symmetric model has no gamma, a normal one no nu."""
    values = [100 * model.mu, 1e4 * model.omega, model.alpha]
    values += [model.gamma] if model.gamma else []
    return [*values, model.beta, *([] if math.isinf(model.nu) else [model.nu])]


def compare_with_arch(returns: np.ndarray, innovations: Innovations, *, asymmetric: bool, close: float) -> None:
    from arch import arch_model

    model = fit_garch(returns, innovations=innovations, asymmetric=asymmetric)
    theirs = arch_model(100 * returns, p=1, o=int(asymmetric), q=1, dist=innovations, rescale=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its optimizer warns where it stops early; ours must then be better
        fit = theirs.fit(disp="off")
    ours = theirs.fix(parameters_for_arch(model)).loglikelihood
    assert ours >= fit.loglikelihood - 1e-3
    np.testing.assert_allclose(parameters_for_arch(model), fit.params.to_numpy(), rtol=close, atol=close)


@pytest.mark.parametrize("innovations", ["t", "normal"])
@pytest.mark.parametrize("asymmetric", [True, False])
def test_the_fit_of_the_index_is_archs(index: np.ndarray, innovations: Innovations, asymmetric: bool) -> None:
    compare_with_arch(index, innovations, asymmetric=asymmetric, close=2e-3)


@pytest.mark.parametrize("seed", range(4))
def test_the_fit_of_simulated_days_is_archs(seed: int) -> None:
    compare_with_arch(simulated(TRUTH, 1500, seed), "t", asymmetric=True, close=2e-2)


def test_no_bundled_stock_has_a_better_fit_by_arch() -> None:
    """Also where a parameter lies at its bound: the likelihood then is the same, the parameters need not be."""
    from arch import arch_model

    for returns in logs_of("stocks").T[::3]:
        recent = returns[-2500:]
        model = fit_garch(recent)
        theirs = arch_model(100 * recent, p=1, o=1, q=1, dist="t", rescale=False)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            best = theirs.fit(disp="off").loglikelihood
        ours = theirs.fix(parameters_for_arch(model)).loglikelihood
        assert ours >= best - 1e-4 * abs(best)


def test_the_likelihood_of_the_fit_cannot_be_raised_by_a_step(index: np.ndarray) -> None:
    """Recomputed from scipy's density of Student's law; each parameter moved by a thousandth either way."""
    days = index[:2000]
    model = fit_garch(days)

    def likelihood(m: Garch) -> float:
        e = days - m.mu
        deviations = days - days.mean()
        weights = 0.94 ** np.arange(75)
        before = float(weights @ deviations[:75] ** 2 / weights.sum())
        h = np.empty(days.size)
        h[0] = m.omega + m.persistence * before
        for t in range(1, days.size):
            h[t] = m.omega + (m.alpha + m.gamma * (e[t - 1] < 0)) * e[t - 1] ** 2 + m.beta * h[t - 1]
        scale = np.sqrt(h * (m.nu - 2) / m.nu)
        return float(stats.t.logpdf(e / scale, m.nu).sum() - np.log(scale).sum())

    best = likelihood(model)
    values = {name: getattr(model, name) for name in ("mu", "omega", "alpha", "gamma", "beta", "nu")}
    assert values["alpha"] >= 0
    for name, value in values.items():
        for step in (0.999, 1.001):
            shifted = Garch(**values | {name: value * step})
            assert likelihood(shifted) <= best + 1e-6, (name, step)


def test_the_parameters_of_a_long_simulation_are_found_again() -> None:
    model = fit_garch(simulated(TRUTH, 40_000, 3))
    assert model.persistence == pytest.approx(TRUTH.persistence, abs=0.01)
    assert model.gamma == pytest.approx(TRUTH.gamma, abs=0.02)
    assert model.beta == pytest.approx(TRUTH.beta, abs=0.02)
    assert model.nu == pytest.approx(TRUTH.nu, rel=0.08)
    assert model.long_run_variance == pytest.approx(TRUTH.long_run_variance, rel=0.1)


@pytest.mark.parametrize("nu", [6.0, math.inf])
def test_the_likelihood_is_the_sum_of_scipys_densities(nu: float) -> None:
    model = Garch(mu=4e-4, omega=2e-6, alpha=0.03, gamma=0.12, beta=0.88, nu=nu)
    days = simulated(model, 600, seed=3)
    weights, away = 0.94 ** np.arange(75), days[:75] - days.mean()
    start = (weights * away**2).sum() / weights.sum()
    h = model.omega + (model.alpha + 0.5 * model.gamma + model.beta) * start
    expected = 0.0
    for day in days:
        e = day - model.mu
        if math.isinf(nu):
            expected += float(stats.norm.logpdf(e, scale=math.sqrt(h)))
        else:
            expected += float(stats.t.logpdf(e, nu, scale=math.sqrt(h * (1.0 - 2.0 / nu))))
        h = model.omega + (model.alpha + model.gamma * (e < 0)) * e**2 + model.beta * h
    assert garch_log_likelihood(model, days) == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("factor", [100.0, 0.37])
def test_a_fit_does_not_depend_on_the_unit(factor: float) -> None:
    days = simulated(TRUTH, 1200, 11)
    one, other = fit_garch(days), fit_garch(factor * days)
    assert other.omega == pytest.approx(one.omega * factor**2, rel=1e-5)
    assert other.mu == pytest.approx(one.mu * factor, rel=1e-5)
    assert (other.alpha, other.gamma, other.beta) == pytest.approx((one.alpha, one.gamma, one.beta), abs=1e-6)
    assert other.nu == pytest.approx(one.nu, rel=1e-5)


def test_mirrored_days_turn_the_asymmetry_around() -> None:
    days = simulated(TRUTH, 1500, 5)
    one, other = fit_garch(days), fit_garch(-days)
    assert other.mu == pytest.approx(-one.mu, abs=1e-9)
    assert other.alpha + other.gamma == pytest.approx(one.alpha, abs=1e-5)
    assert other.alpha == pytest.approx(one.alpha + one.gamma, abs=1e-5)
    assert other.persistence == pytest.approx(one.persistence, abs=1e-5)


def test_thin_tails_and_growing_variance_are_fitted_at_the_bounds() -> None:
    rng = np.random.default_rng(2)
    assert fit_garch(rng.uniform(-1, 1, 800)).nu == pytest.approx(500.0)
    for growth in (0.5, 4.0):
        growing = rng.standard_normal(1500) * np.exp(np.linspace(-growth, growth, 1500))
        for innovations in ("t", "normal"):
            assert fit_garch(growing, innovations=innovations).persistence == pytest.approx(0.9999, abs=1e-9)


@few
@given(st.floats(0.0, 0.2), st.floats(-0.1, 0.3), st.floats(0.0, 0.75), st.integers(1, 60), st.integers(0, 2**32 - 1))
def test_variances_and_forecasts_follow_the_recursion(
    alpha: float, gamma: float, beta: float, horizon: int, seed: int
) -> None:
    model = Garch(1e-4, 3e-6, alpha, max(gamma, -alpha), min(beta, 0.98 - alpha - 0.5 * gamma))
    days = np.random.default_rng(seed).standard_t(4, 40) / 100
    expected = [model.long_run_variance]
    for e in days - model.mu:
        expected.append(model.omega + (model.alpha + model.gamma * (e < 0)) * e**2 + model.beta * expected[-1])
    np.testing.assert_allclose(garch_variances(model, days), expected[:-1], rtol=1e-12)
    assert next_variance(model, days) == pytest.approx(expected[-1], rel=1e-12)

    def mean_ahead(h: float) -> float:
        ahead = [h]
        for _ in range(horizon - 1):
            ahead.append(model.omega + model.persistence * ahead[-1])
        return float(np.mean(ahead))

    assert forecast(model, expected[-1], horizon) == pytest.approx(mean_ahead(expected[-1]), rel=1e-10)
    volatilities = [math.sqrt(252 * mean_ahead(h)) for h in expected[1:]]
    np.testing.assert_allclose(garch_volatility(model, days, horizon=horizon), volatilities, rtol=1e-10)


def test_the_forecast_is_the_mean_of_simulated_squares() -> None:
    model = Garch(0.0, 4e-6, 0.04, 0.1, 0.88)
    rng = np.random.default_rng(8)
    start = 3 * model.long_run_variance
    h, total = np.full(200_000, start), 0.0
    for _ in range(10):
        e = np.sqrt(h) * rng.standard_normal(h.size)
        total += float(np.mean(e**2)) / 10
        h = model.omega + (model.alpha + model.gamma * (e < 0)) * e**2 + model.beta * h
    assert forecast(model, start, 10) == pytest.approx(total, rel=0.01)


def test_every_lane_of_the_signal_is_one_history_and_nothing_later_is_known() -> None:
    logs = np.random.default_rng(1).standard_t(4, (120, 64)) / 100
    out = np.empty_like(logs)
    garch_signal(TRUTH.parameters, logs, 21, out)
    for lane in (0, 17, 63):
        np.testing.assert_array_equal(out[:, lane], garch_volatility(TRUTH, logs[:, lane]))
    changed = logs.copy()
    changed[80:] = 0.2
    later = np.empty_like(logs)
    garch_signal(TRUTH.parameters, changed, 21, later)
    np.testing.assert_array_equal(out[:80], later[:80])
    assert (later[80] > out[80]).all()
    one = changed[:, 0]
    np.testing.assert_array_equal(garch_variances(TRUTH, one)[:81], garch_variances(TRUTH, logs[:, 0])[:81])


def test_the_same_days_give_the_same_bits() -> None:
    days = simulated(TRUTH, 800, 21)
    assert fit_garch(days) == fit_garch(list(days))


@pytest.mark.parametrize(
    ("days", "message"),
    [
        (np.ones(499), r"`returns` must be finite, of shape \(T,\), T >= 500; got \(499,\)"),
        (np.ones((500, 2)), r"`returns` must be finite, of shape \(T,\)"),
        (np.append(np.ones(600), np.nan), "row 600 is nan"),
        (np.append(np.inf, np.ones(600)), "row 0 is inf"),
        (np.full(600, 0.01), "`returns` do not vary"),
        (np.append(np.zeros(400), np.linspace(-1, 1, 300)), "one number 400 times in 700"),
    ],
)
def test_days_that_cannot_be_fitted_are_refused(days: np.ndarray, message: str) -> None:
    with pytest.raises(DataError, match=message):
        fit_garch(days)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"omega": 0.0}, "`omega` must be positive; got 0.0"),
        ({"mu": math.nan}, "`mu` must be finite; got nan"),
        ({"beta": -0.1}, "must not be negative"),
        ({"alpha": 0.05, "gamma": -0.06}, "must not be negative"),
        ({"nu": 2.0}, "`nu` must be above 2"),
        ({"nu": math.nan}, "`nu` must be above 2"),
        ({"beta": 0.91}, r"must be below 1; got 1\.0"),
    ],
)
def test_models_without_a_variance_are_refused(changes: dict[str, float], message: str) -> None:
    values = {"mu": 0.0, "omega": 1e-6, "alpha": 0.05, "gamma": 0.08, "beta": 0.9, "nu": 5.0}
    with pytest.raises(DataError, match=message):
        Garch(**values | changes)


def test_wrong_arguments_are_refused() -> None:
    days = simulated(TRUTH, 600, 0)
    with pytest.raises(DataError, match="`innovations` must be 't' or 'normal'; got 'cauchy'"):
        fit_garch(days, innovations="cauchy")  # pyright: ignore[reportArgumentType]
    for variance in (0.0, -1.0, math.nan, math.inf):
        with pytest.raises(DataError, match="`variance` must be positive"):
            forecast(TRUTH, variance, 5)
    with pytest.raises(DataError, match="`days` must be at least 1; got 0"):
        forecast(TRUTH, 1e-4, 0)
    with pytest.raises(DataError, match="`horizon` must be at least 1; got 0"):
        garch_volatility(TRUTH, days, horizon=0)
    with pytest.raises(DataError, match="row 1 is nan"):
        garch_variances(TRUTH, [0.0, math.nan])
    with pytest.raises(DataError, match=r"T >= 1; got \(0,\)"):
        next_variance(TRUTH, [])
