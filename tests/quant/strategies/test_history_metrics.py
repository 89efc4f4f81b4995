import math
from datetime import date

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from quant import luck, risk
from quant.numeric import moments
from quant.numeric.errors import DataError
from quant.performance import regression
from quant.performance.growth import calendar_years, drawdowns, worst_drawdown
from quant.strategies import history_metrics
from quant.strategies.kernel import STATISTIC, summarise_history
from quant.strategies.metrics import Metrics

SAMPLES = [np.random.default_rng(seed).standard_t(df=4, size=750) / 100 for seed in range(4)]
daily = arrays(np.float64, st.integers(25, 60), elements=st.floats(-0.25, 0.25, width=32))
anything = settings(max_examples=50, deadline=None)


def measure(excess: np.ndarray, **changes: object) -> Metrics:
    arguments: dict = {
        "total": excess,
        "weights": np.full(len(excess), 0.5),
        "turnover": np.full(len(excess), 0.002),
        "costs": np.full(len(excess), 1e-6),
        "risk_aversion": 2.0,
        "drawdown_limit": 0.2,
    } | changes
    return history_metrics.series_metrics(excess, **arguments)


@pytest.mark.parametrize("x", SAMPLES)
def test_moments_equal_scipys(x: np.ndarray) -> None:
    m = history_metrics.moments(x)
    assert m.mean == pytest.approx(x.mean(), rel=1e-12)
    assert m.deviation == pytest.approx(x.std(ddof=1), rel=1e-12)
    assert moments.skewness(x) == pytest.approx(stats.skew(x), rel=1e-11)
    assert moments.kurtosis(x) == pytest.approx(stats.kurtosis(x, fisher=False), rel=1e-11)


@pytest.mark.parametrize("x", SAMPLES)
def test_a_history_is_measured_as_numpy_and_pandas_would(x: np.ndarray) -> None:
    m = measure(x, total=x + 1e-4)
    wealth = pd.Series(np.cumprod(np.append(1.0, 1.0 + x + 1e-4)))
    mean, var, n = x.mean(), x.var(ddof=1), len(x)
    assert m.utility.value == pytest.approx(252 * (mean - var), rel=1e-10)
    assert m.excess_return.value == pytest.approx(252 * mean, rel=1e-10)
    assert m.volatility.value == pytest.approx(math.sqrt(252 * var), rel=1e-12)
    assert m.sharpe.value == pytest.approx(mean / math.sqrt(var) * math.sqrt(252), rel=1e-10)
    assert m.sharpe_pooled == m.sharpe
    assert m.geometric_return.value == pytest.approx(wealth.iloc[-1] ** (252 / n) - 1, rel=1e-9)
    assert m.max_drawdown.value == pytest.approx(1 - (wealth / wealth.cummax()).min(), rel=1e-11)
    assert m.turnover.value == pytest.approx(0.504)
    assert m.cost.value == pytest.approx(252e-6)
    assert m.loss_probability.value == float(wealth.iloc[-1] < 1.0)
    assert m.drawdown_breach.value == float(m.max_drawdown.value > 0.2)
    assert m.average_weight.value == pytest.approx(0.5)
    assert m.largest_weight.value == 0.5


def test_standard_errors_are_the_deviation_over_samples() -> None:
    """Of 1,500 histories of 500 skewed, fat-tailed days each; the errors hold within 12%."""
    rng = np.random.default_rng(7)
    t = stats.gamma(4.0)
    days = 0.0004 - 0.01 * (t.ppf(rng.random((1500, 500))) - 4.0) / 2.0
    estimate = [measure(x) for x in days]
    for name in ("utility", "excess_return", "geometric_return", "volatility", "sharpe"):
        values = np.array([getattr(m, name).value for m in estimate])
        errors = np.array([getattr(m, name).error for m in estimate])
        assert np.sqrt((errors**2).mean()) == pytest.approx(values.std(), rel=0.12), name


def test_sharpe_error_is_lo_s_for_normal_returns() -> None:
    """Lo (2002): sqrt((1 + SR^2 / 2) / T); Mertens' with T - 1."""
    error = luck.sharpe_error(0.1, observations=1001, skewness=0.0, kurtosis=3.0)
    assert error == pytest.approx(math.sqrt((1 + 0.1**2 / 2) / 1000), rel=1e-14)


@pytest.mark.parametrize("x", SAMPLES)
@pytest.mark.parametrize("level", [0.5, 0.9, 0.95, 0.975])
def test_expected_shortfall_is_the_rockafellar_uryasev_minimum(x: np.ndarray, level: float) -> None:
    windows = np.array([np.prod(1 + x[i : i + 21]) - 1 for i in range(len(x) - 20)])
    losses = -windows
    objective = losses + np.maximum(losses - losses[:, None], 0).mean(axis=1) / (1 - level)
    assert risk.expected_shortfall(x, level, 21) == pytest.approx(objective.min(), rel=1e-11)
    var = -np.quantile(windows, 1 - level, method="inverted_cdf")
    assert risk.value_at_risk(x, level, 21) == pytest.approx(var, rel=1e-11)


def test_a_tail_of_a_whole_number_of_windows_has_no_boundary() -> None:
    """5% of 100 is 5, though (1 - 0.95) * 100 is 5.000000000000004 in floats."""
    x = np.linspace(-0.5, 0.49, 100)
    assert risk.value_at_risk(x) == pytest.approx(0.46)
    assert risk.expected_shortfall(x) == pytest.approx(0.48)


@given(daily)
@anything
def test_tail_losses_are_ordered_and_bounded(x: np.ndarray) -> None:
    m = measure(x)
    at_risk, shortfall = m.value_at_risk.value, m.expected_shortfall.value
    worst = -min(np.prod(1 + x[i : i + 21]) - 1 for i in range(len(x) - 20))
    assert at_risk - 1e-12 <= shortfall <= worst + 1e-12


@given(daily)
@anything
def test_the_worst_drawdown_is_the_worst_over_all_pairs_of_days(x: np.ndarray) -> None:
    wealth = np.cumprod(np.append(1.0, 1.0 + x))
    falls = [1 - wealth[j] / wealth[i] for i in range(len(wealth)) for j in range(i, len(wealth))]
    worst = worst_drawdown(x)
    assert (worst.depth if worst else 0.0) == pytest.approx(max(falls), abs=1e-12)
    if worst:
        before = wealth[worst.start]  # wealth[t + 1] is the close of session t
        assert wealth[worst.trough + 1] == pytest.approx(before * (1 - worst.depth), rel=1e-9)
        end = len(x) if worst.recovery is None else worst.recovery
        assert (wealth[worst.start + 1 : end + 1] < before * (1 + 1e-12)).all()
        if worst.recovery is not None:
            assert wealth[worst.recovery + 1] >= before * (1 - 1e-12)


@given(daily)
@anything
def test_losses_only_deepen_a_drawdown(x: np.ndarray) -> None:
    assert (drawdowns(np.append(x, -0.01))[-1] > 0.0).all()
    assert drawdowns(np.append(x, -0.01)).max() >= drawdowns(x).max()


def test_wealth_that_never_fell_has_no_worst_drawdown() -> None:
    assert worst_drawdown([0.01, 0.0, 0.02]) is None
    assert measure(np.full(30, 0.001)).max_drawdown.value == 0.0


@pytest.mark.parametrize("x", SAMPLES)
def test_calendar_years_compound_to_the_whole(x: np.ndarray) -> None:
    days = pd.bdate_range("2019-03-05", periods=len(x))
    years = dict(calendar_years(days.to_numpy(), x))
    expected = (1 + pd.Series(x, index=days)).groupby(days.year).prod() - 1
    assert years == pytest.approx(expected.to_dict(), rel=1e-11)
    assert np.prod([1 + r for r in years.values()]) == pytest.approx(np.prod(1 + x))


def test_calendar_years_take_dates_and_refuse_disorder() -> None:
    assert calendar_years([date(2021, 1, 4)], [0.5]) == ((2021, 0.5),)
    for days in (["2021-01-04"], ["2021-01-04", "2021-01-04"], ["2021-01-05", "2021-01-04"]):
        with pytest.raises(DataError):
            calendar_years(days, [0.1, 0.1])


@pytest.mark.parametrize("seed", range(3))
def test_alpha_and_beta_are_those_of_statsmodels_with_whites_errors(seed: int) -> None:
    import statsmodels.api as sm

    rng = np.random.default_rng(seed)
    market = 0.01 * rng.standard_normal(600)
    x = 0.0001 + 0.6 * market + 0.2 * market * rng.standard_normal(600)
    fit = sm.OLS(x, sm.add_constant(market)).fit(cov_type="HC0")
    result = regression.alpha_beta(x, market)
    assert result.alpha.value == pytest.approx(252 * fit.params[0], rel=1e-9)
    assert result.beta.value == pytest.approx(fit.params[1], rel=1e-9)
    assert result.alpha.error == pytest.approx(252 * fit.bse[0], rel=1e-9)
    assert result.beta.error == pytest.approx(fit.bse[1], rel=1e-9)


def test_alpha_of_a_leveraged_market_is_zero_and_its_tracking_error_is_the_rest() -> None:
    market = SAMPLES[0]
    result = regression.alpha_beta(0.5 * market, market)
    assert result.alpha.value == pytest.approx(0.0, abs=1e-15)
    assert result.beta.value == pytest.approx(0.5, rel=1e-14)
    half = 0.5 * measure(market).volatility.value
    assert regression.tracking_error(0.5 * market, market) == pytest.approx(half, rel=1e-12)
    with pytest.raises(DataError, match="does not vary"):
        regression.alpha_beta(market, np.full(len(market), 0.001))


def test_at_the_break_even_cost_nothing_is_left_of_the_advantage() -> None:
    """Linear, with a curvature to either side, with a jump, and negative without costs."""
    for advantage, expected in (
        (lambda cost: 0.0123 - 3.3 * cost / 10_000, 123 / 3.3),
        (lambda cost: 0.04 - 0.5 * cost / 10_000 - 3.0 * (cost / 10_000) ** 2, 10_000 * (math.sqrt(0.73) - 0.5) / 6.0),
        (lambda cost: 0.04 - 0.5 * cost / 10_000 + 1.5 * (cost / 10_000) ** 2, 10_000 * (0.5 - 0.1) / 3.0),
        (lambda cost: 0.01 - cost / 10_000 - (0.5 if cost > 40.0 else 0.0), 40.0),
        (lambda cost: -0.01 - cost / 10_000, -100.0),
        (lambda cost: -cost / 10_000, 0.0),
    ):
        assert history_metrics.break_even_cost_bps(advantage) == pytest.approx(expected, abs=1e-4)


def test_costs_that_do_not_decide_have_no_break_even() -> None:
    assert history_metrics.break_even_cost_bps(lambda _: 0.01) is None
    assert history_metrics.break_even_cost_bps(lambda cost: 0.01 + cost / 10_000) is None
    assert history_metrics.break_even_cost_bps(lambda cost: 0.01 - 1e-9 * cost) is None
    with pytest.raises(DataError, match=r"must be finite; at 1\.0 basis points"):
        history_metrics.break_even_cost_bps(lambda cost: math.inf if cost else 0.0)


def test_the_deviation_of_the_weight_is_the_same_on_a_history_and_on_a_path() -> None:
    x = np.random.default_rng(5).normal(0.0, 0.01, size=30)
    weights = np.linspace(0.2, 0.9, 30)
    none = np.zeros(30)
    metrics = history_metrics.series_metrics(x, x, weights, none, none, risk_aversion=2.0, drawdown_limit=None)
    path = summarise_history(x, x, weights, none, none, 2.0, 0.0)[STATISTIC["weight_volatility"], 0]
    assert metrics.weight_volatility.value == path == pytest.approx(weights.std(), rel=1e-12)


def test_the_noise_floor_is_the_error_at_constant_volatility() -> None:
    """200,000 normal days at exactly 10%; about 0.7 points for windows of 60."""
    x = np.random.default_rng(3).normal(0.0, 0.10 / math.sqrt(252), size=200_000)
    result = history_metrics.volatility_target_error(x, 0.10)
    assert result.error == pytest.approx(result.noise_floor, rel=0.03)
    assert result.noise_floor == pytest.approx(0.0073, abs=0.0001)


@pytest.mark.parametrize("x", SAMPLES[:2])
def test_target_error_is_that_of_a_rolling_deviation(x: np.ndarray) -> None:
    rolling = pd.Series(x).rolling(60).std().dropna() * math.sqrt(252)
    expected = (rolling - 0.15).abs().mean()
    assert history_metrics.volatility_target_error(x, 0.15).error == pytest.approx(expected, rel=1e-9)


@given(daily, st.floats(0.1, 2.0))
@anything
def test_sharpe_does_not_change_with_leverage(x: np.ndarray, leverage: float) -> None:
    assume(x.std() > 1e-4)
    m, scaled = history_metrics.moments(x), history_metrics.moments(leverage * x)
    assert scaled.sharpe == pytest.approx(m.sharpe, rel=1e-9, abs=1e-12)
    assert scaled.skewness == pytest.approx(m.skewness, rel=1e-6, abs=1e-9)
    assert scaled.kurtosis == pytest.approx(m.kurtosis, rel=1e-6)
    assert m.kurtosis >= 1.0 + m.skewness**2 - 1e-9  # Pearson's inequality


@pytest.mark.parametrize("level", [0.0, 0.001, 0.1])
def test_a_constant_series_has_no_ratio_and_no_error(level: float) -> None:
    m = measure(np.full(40, level))
    assert m.sharpe.value == 0.0
    assert m.sharpe.error is None
    assert m.volatility.value == 0.0
    assert m.utility.value == pytest.approx(252 * level)
    assert (moments.skewness(np.full(9, level)), moments.kurtosis(np.full(9, level))) == (0.0, 3.0)


def test_locked_in_cash_after_63_sessions_in_a_row() -> None:
    x = SAMPLES[0][:200]
    weights = np.full(200, 0.5)
    weights[100:162] = 0.0
    assert measure(x, weights=weights).locked_in_cash.value == 0.0
    weights[162] = 0.009
    assert measure(x, weights=weights).locked_in_cash.value == 1.0


@pytest.mark.parametrize(
    "change",
    [
        {"total": np.full(750, -1.0)},
        {"weights": np.full(749, 0.5)},
        {"costs": np.full(750, np.nan)},
        {"drawdown_limit": 0.0},
        {"risk_aversion": 0.0},
    ],
)
def test_refuses_what_cannot_be_measured(change: dict) -> None:
    with pytest.raises(DataError):
        measure(SAMPLES[0], **change)


@pytest.mark.parametrize("x", [[], [0.1], [np.nan] * 30, [np.inf] * 30, np.zeros((30, 2))])
def test_refuses_series_that_are_not_finite_vectors(x: object) -> None:
    for estimate in (history_metrics.moments, moments.skewness, risk.value_at_risk):
        with pytest.raises(DataError):
            estimate(x)  # pyright: ignore[reportArgumentType]
    with pytest.raises(DataError):
        measure(np.asarray(x))
