"""The signals and weights that a rule is made of, against their definitions."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quant.strategies.choices import ESTIMATORS, Estimator, Rebalancing
from quant.strategies.config import SearchSpace, StrategyConfig
from quant.strategies.family import CODES, FAMILY, WeightFunction
from quant.strategies.kernel import FALL_BINS, LOSS_BINS, STATISTICS, raw_weight, run_rule
from quant.strategies.mandate import Mandate
from quant.strategies.rules import lay_out, simulated_trading_days
from quant.strategies.search import compose
from quant.strategies.signals import trend_signal, volatility_signal
from tests.quant.strategies import accounts

FROM_RETURNS: tuple[Estimator, ...] = ("rolling", "ewma", "ewma_max", "downside")
"""The estimators that need neither a fitted model nor other data."""
TARGET = 0.10
VOLATILITIES = (0.05, 0.08, 0.10, 0.12, 0.16, 0.20, 0.30, 0.40)


@pytest.mark.parametrize(
    ("function", "first", "second", "weights"),
    [
        ("inverse_vol", 0.0, 0.0, (1, 1, 1, 0.8333, 0.625, 0.5, 0.3333, 0.25)),
        ("inverse_vol_squared", TARGET**2, 0.0, (1, 1, 1, 0.6944, 0.3906, 0.25, 0.1111, 0.0625)),
        ("linear_decay", 5.0, 0.0, (1, 1, 1, 0.9, 0.7, 0.5, 0, 0)),
        ("sigmoid", TARGET, 0.10, (0.6225, 0.5498, 0.5, 0.4502, 0.3543, 0.2689, 0.1192, 0.0474)),
        ("merton", 0.05 / 3.0, 0.0, (1, 1, 1, 1, 0.651, 0.4167, 0.1852, 0.1042)),
    ],
)  # fmt: skip
def test_the_reference_table(function: WeightFunction, first: float, second: float, weights: tuple[float, ...]) -> None:
    """Specification, section 5.2: target 10%, bounds 0 and 1; sigmoid with k = 10; Merton with gamma 3, premium 5%."""
    for sigma, expected in zip(VOLATILITIES, weights, strict=True):
        raw = raw_weight(CODES[function], sigma, 0.0, TARGET, 1.0, first, second)
        assert min(max(raw, 0.0), 1.0) == pytest.approx(expected, abs=5.1e-5)


@pytest.mark.parametrize("function", ["inverse_vol", "inverse_vol_squared", "linear_decay", "sigmoid", "merton"])
@given(st.floats(0.0, 2.0), st.floats(0.0, 2.0))
@settings(max_examples=50, deadline=None)
def test_more_volatility_never_means_more_weight(function: WeightFunction, a: float, b: float) -> None:
    low, high = sorted((a, b))
    weights = [raw_weight(CODES[function], sigma, 0.0, TARGET, 1.0, 0.15, 0.05) for sigma in (low, high)]
    assert np.isfinite(weights).all()
    assert weights[0] >= weights[1]


def test_no_volatility_is_no_division_by_zero() -> None:
    for function in ("inverse_vol", "inverse_vol_squared", "merton"):
        assert np.isfinite(raw_weight(CODES[function], 0.0, 0.0, TARGET, 1.0, 0.01, 0.0))


@st.composite
def paths(draw: st.DrawFn, days: int = 400) -> tuple[np.ndarray, np.ndarray]:
    """Returns (T, 3) whose volatility jumps, and cash (T,)."""
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    scale = np.repeat(rng.uniform(0.001, 0.04, size=(days // 50, 3)), 50, axis=0)
    return np.clip(scale * rng.standard_t(4, size=(days, 3)), -0.5, 0.5), 2e-4 * rng.random(days)


def signal(estimator: Estimator, lookback: int, decay: float, returns: np.ndarray, cash: np.ndarray) -> np.ndarray:
    values = np.empty(returns.shape)
    volatility_signal(ESTIMATORS[estimator].code, lookback, decay, np.log1p(returns), returns - cash[:, None], values)
    return values


def with_estimator(estimator: Estimator, lookback: int, decay: float) -> StrategyConfig:
    by_window = estimator in ("rolling", "downside")
    return StrategyConfig(
        weight_function="inverse_vol",
        estimator=estimator,
        lookback_days=lookback if by_window else None,
        decay=None if by_window else decay,
    )


@pytest.mark.parametrize("estimator", FROM_RETURNS)
@given(paths(), st.sampled_from((10, 21, 63, 252)), st.sampled_from((0.90, 0.94, 0.97, 0.99)))
@settings(max_examples=15, deadline=None)
def test_an_estimator_is_its_definition(
    estimator: Estimator, path: tuple[np.ndarray, np.ndarray], lookback: int, decay: float
) -> None:
    returns, cash = path
    volatilities = signal(estimator, lookback, decay, returns, cash)
    for lane in range(returns.shape[1]):
        expected = accounts.volatility(with_estimator(estimator, lookback, decay), returns[:, lane], cash)
        defined = np.isfinite(expected)
        assert defined.any()
        np.testing.assert_allclose(volatilities[defined, lane], expected[defined], rtol=1e-9, atol=1e-7)


@pytest.mark.parametrize("estimator", FROM_RETURNS)
def test_an_estimator_finds_the_volatility_of_normal_returns(estimator: Estimator) -> None:
    """20% a year: over 5,000 windows that barely overlap the mean is within 4%, the small-sample bias included."""
    returns = np.random.default_rng(5).normal(0.0, 0.20 / np.sqrt(252), size=(5_000, 3))
    result = signal(estimator, 252, 0.99, returns, np.zeros(5_000))[252:]
    # the larger of two estimates lies above the mean of either
    assert result.mean() == pytest.approx(0.20, rel=0.04 if estimator != "ewma_max" else 0.08)


@pytest.mark.parametrize("estimator", FROM_RETURNS)
def test_twice_the_log_returns_are_twice_the_volatility(estimator: Estimator) -> None:
    logs = np.random.default_rng(6).normal(0.0, 0.01, size=(300, 2))
    once, twice = np.empty(logs.shape), np.empty(logs.shape)
    volatility_signal(ESTIMATORS[estimator].code, 63, 0.94, logs, logs, once)
    volatility_signal(ESTIMATORS[estimator].code, 63, 0.94, 2.0 * logs, 2.0 * logs, twice)
    np.testing.assert_allclose(twice, 2.0 * once, rtol=1e-12)


def test_the_larger_of_two_averages_rises_at_once_and_falls_slowly() -> None:
    """S&P's decays .94 and .97: after a burst the slow one holds the estimate up."""
    logs = np.full((200, 1), 0.005)
    logs[100:110] = 0.04
    fast, slow, both = (np.empty(logs.shape) for _ in range(3))
    volatility_signal(ESTIMATORS["ewma"].code, 0, 0.94, logs, logs, fast)
    volatility_signal(ESTIMATORS["ewma"].code, 0, 0.97, logs, logs, slow)
    volatility_signal(ESTIMATORS["ewma_max"].code, 0, 0.94, logs, logs, both)
    np.testing.assert_array_equal(both, np.maximum(fast, slow))
    assert both[109] == fast[109] > slow[109]
    assert both[150] == slow[150] > fast[150]


@given(paths(days=600), st.sampled_from((0.0, 0.01, 0.02, 0.05)))
@settings(max_examples=15, deadline=None)
def test_the_trend_is_its_definition(path: tuple[np.ndarray, np.ndarray], hysteresis: float) -> None:
    returns, _ = path
    trend = np.empty(returns.shape)
    trend_signal(hysteresis, np.log1p(returns), trend)
    for lane in range(returns.shape[1]):
        np.testing.assert_allclose(trend[:, lane], accounts.trend(hysteresis, returns[:, lane]), atol=1e-12)


def test_a_market_that_only_rises_is_in_trend_and_one_that_only_falls_is_not() -> None:
    logs = np.column_stack([np.full(400, 0.001), np.full(400, -0.001)])
    result = np.empty(logs.shape)
    trend_signal(0.0, logs, result)
    np.testing.assert_allclose(result[252:, 0], 1.0, atol=1e-15)
    np.testing.assert_array_equal(result[:, 1], 0.0)


def test_hysteresis_keeps_a_signal_that_hesitates() -> None:
    """A price that moves half a percent about its mean switches without hysteresis and holds with one percent."""
    waves = 0.005 * np.sin(np.arange(400))[:, None]
    logs = np.diff(np.vstack([np.zeros(1), waves]), axis=0)
    free, steady = np.empty(logs.shape), np.empty(logs.shape)
    trend_signal(0.0, logs, free)
    trend_signal(0.01, logs, steady)
    assert np.count_nonzero(np.diff(free[:, 0])) > 100
    assert np.count_nonzero(np.diff(steady[:, 0])) == 0


def test_the_mandate_sets_the_constant_of_merton() -> None:
    """w = premium / (gamma sigma**2): half the risk aversion is twice the weight."""
    config = with_estimator("rolling", 21, 0.0).model_copy(update={"weight_function": "merton"})
    weights = [accounts.by_volatility(config, Mandate(risk_aversion=g), 0.2, None) for g in (1.0, 2.0)]
    assert weights[0] == 2.0 * weights[1] == pytest.approx(0.05 / 0.04)


@pytest.mark.parametrize("rebalancing", ["daily", "weekly", "quarterly"])
@pytest.mark.parametrize("function", [name for name in FAMILY if name != "constant"])
@pytest.mark.parametrize("max_change", [2.0, 0.1])
def test_many_days_at_a_time_are_the_accounts_day_by_day(
    function: WeightFunction, rebalancing: Rebalancing, max_change: float
) -> None:
    """A block of paths that never borrow skips from trade to trade; one whose days are recorded does not."""
    days, start, lag = 330, 40, 2
    rng = np.random.default_rng(8)
    returns = np.clip(0.02 * rng.standard_t(4, size=(days, 64)) - 1e-3, -0.5, 0.5)
    cash, sigma, regime = 2e-4 * rng.random(days), rng.uniform(0.05, 0.5, (days, 64)), rng.random((days, 64))
    space = SearchSpace(weight_functions=(function,), variance_constant=("target",), no_trade_band=(0.03,))
    config = compose(space, lambda _, values: values[-1]).model_copy(update={"rebalancing": rebalancing})
    rules = lay_out([config], Mandate(max_change=max_change), model_parameters=lambda _: np.zeros(12))
    trades = simulated_trading_days(days, start)[rules.trades_of[0]]
    none, result = np.empty((0, 0)), []
    for series in (none, np.empty((4, days))):
        statistics = np.empty((STATISTICS, 64))
        losses, falls = np.zeros(LOSS_BINS, dtype=np.int32), np.zeros(FALL_BINS, dtype=np.int32)
        run_rule(
            rules.table[0], returns, cash, none, sigma, regime, trades, none, none, start, lag, 2.0, 0.1, 64,
            statistics, losses, falls, series,
        )  # fmt: skip
        result.append((statistics, losses, falls))
    np.testing.assert_allclose(result[0][0], result[1][0], rtol=0, atol=1e-12)
    np.testing.assert_array_equal(result[0][1], result[1][1])
    np.testing.assert_array_equal(result[0][2], result[1][2])
    assert result[0][0].std() > 0.0
