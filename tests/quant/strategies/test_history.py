"""Rules on real and on random days against a money account kept in plain Python, and what must never be known early."""

import asyncio
from dataclasses import replace
from functools import cache
from typing import Any, get_args

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from desk.market.bundled import BundledPrices, cash_rates
from quant.numeric.errors import DataError
from quant.strategies.choices import Estimator, InnerPortfolio, Rebalancing
from quant.strategies.config import SearchSpace, StrategyConfig
from quant.strategies.family import FAMILY, WeightFunction
from quant.strategies.history import (
    History,
    Replay,
    build_history,
    rebalancing_days,
    replay,
    trained_constant,
    worst_fall_between_trades,
)
from quant.strategies.mandate import Mandate
from quant.strategies.rules import lay_out
from quant.strategies.search import compose
from quant.volatility.estimators import range_volatility
from quant.volatility.garch import Garch, fit_garch, garch_volatility
from quant.worlds.cash import accrual
from quant.worlds.hidden_markov import HiddenMarkov, filtered_probabilities, fit_hidden_markov
from tests.quant.strategies.accounts import Account, simulate_account, windows

RULES: tuple[WeightFunction, ...] = tuple(name for name in FAMILY if name != "constant")
SPACE = SearchSpace(weight_functions=RULES, lookback_days=(10, 21, 63), rebalancing=("daily", "weekly", "monthly"))
START = SPACE.longest_lookback() + max(range(1, 6))  # the longest decision lag
ROWS = ("daily", "weekly", "monthly", "quarterly")
INNER: tuple[InnerPortfolio | None, ...] = (None, "equal_weight", "inverse_volatility", "risk_parity")
EXCESS, HELD, TURNOVER, COST = range(4)
TOLERANCE = 1e-10
few = settings(max_examples=40, deadline=None)


def example_of(function: WeightFunction, **changes: Any) -> StrategyConfig:
    """The first value of every grid of the search, but for `changes`."""
    space = SearchSpace(weight_functions=("inverse_vol",) if function == "constant" else (function,))
    if function == "constant":
        return StrategyConfig(**{"weight_function": function, "constant_weight": 0.6} | changes)
    return StrategyConfig.model_validate(compose(space, lambda _, values: values[0]).model_dump() | changes)


def random_days(seed: int, days: int, count: int = 1, *, volatile: float = 1.0) -> tuple[np.ndarray, ...]:
    """Dates without weekends, fat-tailed returns whose volatility comes in waves, and a cash rate that moves."""
    rng = np.random.default_rng(seed)
    dates = np.arange("2000-01-03", days * 2, dtype="datetime64[D]")
    dates = dates[np.is_busday(dates)][:days]
    waves = 0.010 * np.exp(0.8 * np.sin(np.arange(days) / 40.0 + seed))[:, None] * volatile
    common, own = rng.standard_t(5, size=(days, 1)), rng.standard_t(5, size=(days, count))
    spread = np.linspace(0.7, 1.6, count) if count > 1 else np.ones(1)
    assets = np.clip(waves * spread * (0.7 * common + 0.7 * own) + 2e-4, -0.5, 0.5)
    return dates, assets, 1e-4 * (1.0 + np.sin(np.arange(days) / 100.0))


def other_days() -> np.ndarray:
    """Returns of other days than those of any test, for fitted models."""
    return random_days(5_000, 1_500)[1][:, 0]


@cache
def regimes() -> HiddenMarkov:
    return fit_hidden_markov(other_days())


@cache
def volatility() -> Garch:
    return fit_garch(np.log1p(other_days()))


def parameters_of(model: str) -> np.ndarray:
    return (regimes() if model == "regime" else volatility()).parameters


def days_of(seed: int, days: int, inner: InnerPortfolio | None, *, volatile: float = 1.0) -> History:
    dates, assets, cash = random_days(seed, days, 1 if inner is None else 4, volatile=volatile)
    return build_history(dates, assets, cash, inner=inner)


def run(config: StrategyConfig, mandate: Mandate, past: History, *, end: int | None = None, **changes: Any) -> Replay:
    start = changes.pop("start", START)
    rules = lay_out([config], mandate, trained=changes.pop("trained", None), model_parameters=parameters_of)
    return replay(
        rules,
        past,
        start=start,
        end=past.returns.size if end is None else end,
        lag=mandate.decision_lag,
        risk_aversion=mandate.risk_aversion,
        **changes,
    )


def second(config: StrategyConfig, mandate: Mandate, past: History, **changes: Any) -> Account:
    several = past.legs.size > 0
    if config.weight_function == "regime_switch":
        changes["turbulence"] = filtered_probabilities(regimes(), past.returns)[:, 1]
    return simulate_account(
        config,
        mandate,
        past.returns,
        past.cash,
        past.trades[ROWS.index(config.rebalancing)],
        **{
            "start": START,
            "legs": past.legs if several else None,
            "mix": past.mix if several else None,
        }
        | changes,
    )


def agree(record: Replay, account: Account, gamma: float, start: int = START) -> None:
    series = record.series[0][:, start:]
    for row, expected in (
        (EXCESS, account.excess),
        (HELD, account.weights),
        (TURNOVER, account.turnover),
        (COST, account.cost),
    ):
        np.testing.assert_allclose(series[row], expected[start:], rtol=0, atol=TOLERANCE, err_msg=str(row))
    assert record.statistics[0, 0] == pytest.approx(account.utility(gamma), abs=1e-9)
    assert np.isnan(record.series[0][:, :start]).all()


@st.composite
def configs(draw: st.DrawFn, space: SearchSpace = SPACE) -> StrategyConfig:
    config = compose(space, lambda _, values: draw(st.sampled_from(values)))
    return (
        config if config.variance_constant != "trained" else config.model_copy(update={"variance_constant": "target"})
    )


@st.composite
def mandates(draw: st.DrawFn) -> Mandate:
    low = draw(st.sampled_from((0.0, 0.2)))
    return Mandate(
        target_volatility=draw(st.sampled_from((0.05, 0.10, 0.20))),
        min_weight=low,
        max_weight=draw(st.sampled_from((0.5, 1.0, 1.5))),
        risk_aversion=draw(st.sampled_from((0.5, 2.0, 5.0))),
        transaction_cost_bps=draw(st.sampled_from((0.0, 5.0, 50.0))),
        borrow_spread_bps=draw(st.sampled_from((0.0, 50.0, 500.0))),
        decision_lag=draw(st.integers(1, 5)),
        max_change=draw(st.sampled_from((0.06, 0.3, 2.0))),  # none equal to a band
    )


@given(configs(), mandates(), st.sampled_from(INNER), st.integers(0, 1000))
@few
def test_equals_a_money_account_on_random_days(
    config: StrategyConfig, mandate: Mandate, inner: InnerPortfolio | None, seed: int
) -> None:
    past = days_of(seed, START + 120, inner)
    agree(run(config, mandate, past), second(config, mandate, past), mandate.risk_aversion)


@pytest.fixture(scope="module")
def index() -> History:
    prices = asyncio.run(BundledPrices().load("sp500"))
    rates = cash_rates()
    dates = prices.dates[1:]
    cash = accrual(dates, rates.months, rates.rates, after=0.02)
    return build_history(dates, prices.closes[1:] / prices.closes[:-1] - 1.0, cash)


@pytest.fixture(scope="module")
def stocks() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    prices = asyncio.run(BundledPrices().load("stocks:AAPL,GE,JPM,PG,XOM"))
    rates = cash_rates()
    dates = prices.dates[1:]
    cash = accrual(dates, rates.months, rates.rates, after=0.02)
    return dates, prices.closes[1:] / prices.closes[:-1] - 1.0, cash


@pytest.mark.parametrize(
    "config",
    [
        example_of("inverse_vol", lookback_days=252),
        example_of("inverse_vol_squared", lookback_days=21),
        example_of("linear_decay", estimator="downside", lookback_days=63, no_trade_band=0.05),
        example_of("sigmoid", estimator="ewma", lookback_days=None, decay=0.94, rebalancing="weekly"),
        example_of("merton", estimator="ewma_max", lookback_days=None, decay=0.97, rebalancing="quarterly"),
        example_of("cppi", rebalancing="monthly", multiplier=5.0, floor=0.95),
        example_of("trend_overlay", hysteresis=0.01, rebalancing="weekly"),
        example_of("drawdown_control", rebalancing="monthly", lookback_days=63),
        example_of("tipp", rebalancing="weekly", multiplier=4.0, floor=0.90),
        example_of("regime_switch", rebalancing="weekly", calm_weight=1.2, no_trade_band=0.05),
        example_of("feedback", rebalancing="weekly", lookback_days=63, gain=2.0),
        example_of("constant", rebalancing="quarterly"),
    ],
    ids=lambda c: c.weight_function,
)
def test_equals_a_money_account_on_thirty_years_of_the_index(index: History, config: StrategyConfig) -> None:
    mandate = Mandate(max_weight=1.5)
    agree(run(config, mandate, index), second(config, mandate, index), mandate.risk_aversion)


@pytest.mark.parametrize("inner", [name for name in get_args(InnerPortfolio) if name != "risk_control"])
def test_equals_a_money_account_on_a_portfolio_of_stocks(stocks: tuple, inner: InnerPortfolio) -> None:
    past, mandate = build_history(*stocks, inner=inner), Mandate()
    config = example_of("inverse_vol", no_trade_band=0.02, rebalancing="monthly", lookback_days=63)
    agree(run(config, mandate, past), second(config, mandate, past), mandate.risk_aversion)


@pytest.mark.parametrize("function", ["cppi", "tipp", "drawdown_control"])
def test_a_rule_locked_in_cash_starts_again_after_a_quarter(function: WeightFunction) -> None:
    """A market that falls and then rises: the floor or the peak is set again to the wealth that is left."""
    days = START + 500
    dates, _, cash = random_days(0, days)
    if function != "cppi":
        cash = np.zeros(days)  # interest alone would lift it out of its drawdown
    rng = np.random.default_rng(3)
    drift = np.where(np.arange(days) < START + 120, -0.01, 0.002)
    past = build_history(dates, (drift + 0.008 * rng.standard_normal(days))[:, None], cash)
    shape = {"drawdown_cap": 0.10} if function == "drawdown_control" else {"floor": 0.95, "multiplier": 5.0}
    config, mandate = example_of(function, rebalancing="daily", **shape), Mandate()
    account = second(config, mandate, past)
    assert account.restarts >= 1
    assert account.locked
    record = run(config, mandate, past)
    agree(record, account, mandate.risk_aversion)
    assert record.statistics[0, 13] == 1.0  # the path counts as locked
    idle = np.flatnonzero(np.all(windows(record.series[0, HELD, START:] < 0.01, 63), axis=1))
    assert idle.size > 0
    assert idle[-1] < 300  # of 500 sessions


def test_a_garch_forecast_is_as_good_as_the_same_series_from_elsewhere(index: History) -> None:
    forecast = garch_volatility(volatility(), np.log1p(index.returns))
    past = replace(index, volatilities={("implied", 0): forecast, ("range", 21): forecast})
    alone = {"lookback_days": None, "rebalancing": "weekly"}
    series = [
        run(example_of("inverse_vol", estimator=estimator, **alone | changes), Mandate(), past).series
        for estimator, changes in (("garch", {}), ("implied", {}), ("range", {"lookback_days": 21}))
    ]
    np.testing.assert_allclose(series[0], series[1], rtol=0, atol=1e-12)
    equal_bits(series[1], series[2])
    with pytest.raises(DataError, match="no volatilities for estimator 'implied'"):
        run(example_of("inverse_vol", estimator="implied", **alone), Mandate(), index)


def test_the_inner_portfolio_is_the_textbooks(stocks: tuple) -> None:
    dates, assets, cash = stocks
    equal = build_history(dates, assets, cash, inner="equal_weight")
    np.testing.assert_allclose(equal.returns, assets.mean(axis=1), atol=1e-15)
    mixed = build_history(dates, assets, cash, inner="inverse_volatility")
    deviations = pd.DataFrame(assets).rolling(252).std().to_numpy()
    expected = 1.0 / deviations[251:]
    expected /= expected.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(mixed.mix[251:], expected, atol=1e-10)
    np.testing.assert_allclose(mixed.returns[252:], (expected[:-1] * assets[252:]).sum(axis=1), atol=1e-11)


# what must never be known early


def changed_after(past: History, day: int, seed: int, inner: InnerPortfolio | None) -> History:
    """The same days with other returns and another cash rate after `day`."""
    assets = past.legs if past.legs.size else past.returns[:, None]
    rng = np.random.default_rng(seed)
    assets, cash = assets.copy(), past.cash.copy()
    assets[day + 1 :] = np.clip(0.05 * rng.standard_normal(assets[day + 1 :].shape), -0.6, 0.6)
    cash[day + 1 :] = 3e-4 * rng.random(cash[day + 1 :].size)
    return build_history(past.dates, assets, cash, inner=inner)


def equal_bits(a: np.ndarray, b: np.ndarray) -> None:
    assert a.tobytes() == b.tobytes()


@pytest.mark.parametrize("inner", INNER)
@pytest.mark.parametrize("function", RULES)
@given(st.data(), mandates(), st.integers(START - 1, START + 150), st.integers(0, 1000))
@settings(max_examples=6, deadline=None)
def test_nothing_up_to_a_day_depends_on_what_comes_after(
    function: WeightFunction, inner: InnerPortfolio | None, data: st.DataObject, mandate: Mandate, day: int, seed: int
) -> None:
    """To the last bit; the weight that earns the next day's return is decided by then, so it may not change either."""
    past = days_of(seed, START + 160, inner)
    other = changed_after(past, day, seed + 1, inner)
    for estimator in SPACE.estimators:
        space = SPACE.model_copy(update={"weight_functions": (function,), "estimators": (estimator,)})
        config = data.draw(configs(space))
        a, b = run(config, mandate, past).series[0], run(config, mandate, other).series[0]
        for row in (EXCESS, TURNOVER, COST):
            equal_bits(a[row, : day + 1], b[row, : day + 1])
        equal_bits(a[HELD, : day + 2], b[HELD, : day + 2])
        shorter = run(config, mandate, past, end=day + 2).series[0] if day >= START else None
        if shorter is not None:
            equal_bits(shorter[:, : day + 2], a[:, : day + 2])


@pytest.mark.parametrize("estimator", SPACE.estimators)
@given(st.integers(START + 100, START + 150), st.integers(0, 1000))
@settings(max_examples=10, deadline=None)
def test_a_fitted_constant_reads_nothing_after_its_window(estimator: str, day: int, seed: int) -> None:
    config = (
        example_of("inverse_vol_squared", variance_constant="trained", estimator=estimator)
        if estimator
        in (
            "rolling",
            "downside",
        )
        else example_of(
            "inverse_vol_squared", variance_constant="trained", estimator=estimator, lookback_days=None, decay=0.94
        )
    )
    past = days_of(seed, START + 200, None)
    other = changed_after(past, day, seed + 1, None)
    records = []
    for world in (past, other):
        constants = trained_constant(config, world, start=START, end=day + 1, lag=2)
        records.append(run(config, Mandate(), world, trained=lambda _, constant=constants: constant).series[0])
    equal_bits(records[0][EXCESS, : day + 1], records[1][EXCESS, : day + 1])
    equal_bits(records[0][HELD, : day + 2], records[1][HELD, : day + 2])


@pytest.mark.parametrize("inner", INNER)
@given(configs(), st.integers(1, 5), st.integers(START, START + 55), st.integers(0, 1000))
@few
def test_a_trade_uses_returns_through_the_lag_only(
    inner: InnerPortfolio | None, config: StrategyConfig, lag: int, day: int, seed: int
) -> None:
    """Without a band the weight after a trade is what was decided `lag` sessions before, whatever happened since."""
    config = config.model_copy(update={"no_trade_band": 0.0})
    mandate = Mandate(decision_lag=lag, transaction_cost_bps=0.0)
    past = days_of(seed, START + 60, inner)
    trades = np.flatnonzero(past.trades[ROWS.index(config.rebalancing)])
    day = int(trades[trades >= day][0]) if (trades >= day).any() else START - 1
    other = changed_after(past, day - lag, seed + 1, inner)
    a, b = run(config, mandate, past).series[0, HELD, day + 1], run(config, mandate, other).series[0, HELD, day + 1]
    assert a == pytest.approx(b, abs=1e-12)


@pytest.mark.parametrize("estimator", SPACE.estimators)
@pytest.mark.parametrize("lag", [1, 2, 5])
def test_a_trade_does_use_the_return_at_the_lag(estimator: str, lag: int) -> None:
    length = {"lookback_days": 21} if estimator in ("rolling", "downside") else {"lookback_days": None, "decay": 0.94}
    config = example_of("inverse_vol", rebalancing="daily", estimator=estimator, **length)
    past, day = days_of(1, START + 60, None), START + 30
    mandate = Mandate(decision_lag=lag, target_volatility=0.05)
    returns = past.returns.copy()
    returns[day - lag] = -0.20
    other = build_history(past.dates, returns[:, None], past.cash)
    a, b = (run(config, mandate, world).series[0, HELD, day + 1] for world in (past, other))
    assert b < 0.8 * a


def test_the_first_decision_by_ranges_sees_no_session_after_its_lag() -> None:
    """Yang and Zhang's window holds overnight returns, of which the first session has none."""
    lookback, mandate = 21, Mandate(target_volatility=0.05)
    dates, assets, cash = random_days(4, 120)
    closes = 100.0 * np.cumprod(1.0 + assets[:, 0])
    opens = np.append(100.0, closes[:-1]) * 1.001
    first = lookback + 1 + mandate.decision_lag
    weights: list[float] = []
    for lift in (1.0, 1.2):
        highs = 1.01 * np.maximum(opens, closes)
        highs[first - mandate.decision_lag :] *= lift  # all that the first decision must not see
        series = range_volatility(opens, highs, 0.99 * np.minimum(opens, closes), closes, lookback=lookback)
        past = replace(build_history(dates, assets, cash), volatilities={("range", lookback): series})
        config = example_of("inverse_vol", estimator="range", lookback_days=lookback, rebalancing="quarterly")
        assert config.longest_lookback() == lookback + 1
        with pytest.raises(DataError, match="too early"):
            run(config, mandate, past, start=first - 1)
        weights.append(run(config, mandate, past, start=first).series[0, HELD, first])
    assert weights[0] == weights[1] < 1.0


def test_signals_that_would_look_ahead_are_refused(index: History) -> None:
    for config, needed in (
        (example_of("inverse_vol", lookback_days=252), 252),
        (example_of("inverse_vol", estimator="ewma", lookback_days=None, decay=0.94), 21),
        (example_of("trend_overlay", lookback_days=21), 252),
    ):
        run(config, Mandate(), index, start=needed + 2, end=needed + 50)
        with pytest.raises(DataError, match=f"`start` .* too early; expected at least {needed + 2}"):
            run(config, Mandate(), index, start=needed + 1, end=needed + 50)


def test_the_first_decision_sees_exactly_its_lookback(index: History) -> None:
    """No return is left out of the first window, and none too many is in it."""
    lookback, lag = 63, 2
    config = example_of("inverse_vol", lookback_days=lookback)
    mandate = Mandate(target_volatility=0.05)
    weights = run(config, mandate, index, start=lookback + lag, end=lookback + lag + 5).series[0, HELD, lookback + lag]
    deviation = np.log1p(index.returns[:lookback]).std(ddof=1) * np.sqrt(252)
    assert weights == pytest.approx(0.05 / deviation, rel=1e-12)


# accounting


def test_weight_one_without_costs_is_the_asset(index: History) -> None:
    config, mandate = example_of("constant", constant_weight=1.0), Mandate(transaction_cost_bps=0.0)
    excess = run(config, mandate, index).series[0, EXCESS, START:]
    wealth = np.cumprod(1.0 + excess + index.cash[START:])
    np.testing.assert_allclose(wealth, np.cumprod(1.0 + index.returns[START:]), rtol=1e-12)


def test_weight_zero_is_cash(index: History) -> None:
    series = run(example_of("constant", constant_weight=0.0), Mandate(), index).series[0, :, START:]
    np.testing.assert_allclose(series, 0.0, atol=1e-15)


@given(configs(), mandates(), st.integers(0, 1000))
@few
def test_wealth_changes_only_by_returns_cash_costs_and_borrowing(
    config: StrategyConfig, mandate: Mandate, seed: int
) -> None:
    """Recomputes each day from the record: weights earn the asset, the rest earns cash, borrowing and trading cost."""
    past = days_of(seed, START + 120, None)
    excess, weights, turnover, cost = run(config, mandate, past).series[0, :, START:]
    returns, cash = past.returns[START:], past.cash[START:]
    borrowed = np.maximum(weights - 1.0, 0.0) * mandate.borrow_spread_bps / 1e4 / 252
    traded = turnover * mandate.transaction_cost_bps / 1e4
    gross = 1.0 + weights * returns + (1.0 - weights) * cash - borrowed
    np.testing.assert_allclose(cost, borrowed + traded, atol=1e-14)
    np.testing.assert_allclose(excess, gross * (1.0 - traded) - 1.0 - cash, atol=1e-12)


@given(configs(), mandates(), st.integers(0, 1000))
@few
def test_a_weight_drifts_with_its_asset_and_moves_only_on_rebalancing_days_beyond_the_band(
    config: StrategyConfig, mandate: Mandate, seed: int
) -> None:
    past = days_of(seed, START + 120, None)
    excess, weights, turnover, _ = run(config, mandate, past).series[0]
    t = np.arange(START, past.returns.size - 1)
    traded = turnover[t] * mandate.transaction_cost_bps / 1e4
    traded[0] = 0.0 if mandate.transaction_cost_bps == 0.0 else traded[0]
    gross = (1.0 + excess[t] + past.cash[t]) / (1.0 - traded)
    drifted = weights[t] * (1.0 + past.returns[t]) / gross
    changes = weights[t + 1] - drifted
    quiet = ~past.trades[ROWS.index(config.rebalancing)][t]
    np.testing.assert_allclose(changes[quiet], 0.0, atol=1e-12)
    active = np.abs(changes) > 1e-12
    assert (np.abs(changes[active]) > config.no_trade_band - 1e-12).all()
    assert (np.abs(changes) <= mandate.max_change + 1e-12).all()
    np.testing.assert_allclose(turnover[t][1:], np.abs(changes)[1:], atol=1e-12)


@given(configs(), mandates(), st.integers(0, 100))
@few
def test_a_dearer_trade_never_leaves_more_wealth(config: StrategyConfig, mandate: Mandate, seed: int) -> None:
    """Rules that look at prices alone trade alike at any cost, so each day earns less."""
    past = days_of(seed, START + 60, None)
    dear = mandate.model_copy(update={"transaction_cost_bps": 50.0})
    cheap = mandate.model_copy(update={"transaction_cost_bps": 1.0})
    if FAMILY[config.weight_function].memory is not None:
        return
    a, b = run(config, cheap, past), run(config, dear, past)
    np.testing.assert_allclose(a.series[0, TURNOVER, START:], b.series[0, TURNOVER, START:], atol=1e-12)
    assert (a.series[0, EXCESS, START:] >= b.series[0, EXCESS, START:] - 1e-15).all()


def test_configs_together_and_alone_have_the_same_record(index: History) -> None:
    rng = np.random.default_rng(0)
    several = [compose(SPACE, lambda _, values: values[rng.integers(len(values))]) for _ in range(40)]
    several = [c.model_copy(update={"variance_constant": "target"}) if c.variance_constant else c for c in several]
    mandate = Mandate()
    together = replay(
        lay_out(several, mandate, model_parameters=parameters_of),
        index,
        start=START,
        end=1500,
        lag=2,
        risk_aversion=2.0,
    )
    for k, config in enumerate(several):
        alone = run(config, mandate, index, end=1500)
        equal_bits(together.series[k], alone.series[0])
        equal_bits(together.statistics[k], alone.statistics[0])


# the gap between trades


@pytest.mark.parametrize("rebalancing", ROWS)
def test_the_worst_fall_between_trades_is_that_of_a_walk_over_the_days(
    index: History, rebalancing: Rebalancing
) -> None:
    start, end = 700, 1500
    trades = index.trades[ROWS.index(rebalancing)]
    level, at_trade, worst = 1.0, 1.0, 0.0
    for t in range(start, end):
        level *= 1.0 + index.returns[t]
        worst = max(worst, 1.0 - level / at_trade)
        at_trade = level if trades[t] else at_trade
    assert worst_fall_between_trades(index, rebalancing, start=start, end=end) == pytest.approx(worst, rel=1e-12)
    rising = replace(index, returns=np.abs(index.returns))
    assert worst_fall_between_trades(rising, rebalancing, start=start, end=end) == 0.0


# the trained constant


@pytest.mark.parametrize("estimator", ["rolling", "downside"])
def test_the_fitted_constant_reaches_the_target_where_it_was_fitted(index: History, estimator: str) -> None:
    """Moreira and Muir: unbounded, c / variance has the volatility c was chosen for."""
    lag, end, lookback = 2, 5000, 21
    config = example_of("inverse_vol_squared", variance_constant="trained", estimator=estimator, lookback_days=lookback)
    constant = trained_constant(config, index, start=START, end=end, lag=lag)
    logs, excess = np.log1p(index.returns), index.returns - index.cash
    sample = windows(logs, lookback).var(axis=1, ddof=1) if estimator == "rolling" else (
        2.0 * (windows(np.minimum(excess, 0.0), lookback) ** 2).mean(axis=1)
    )  # fmt: skip
    variance = np.append(np.full(lookback - 1, np.nan), 252 * sample)
    target, floor = 0.10, 0.1 * np.sqrt(252) * excess[START:end].std(ddof=1)
    weight = constant * target / np.maximum(variance[START - 1 - lag : end - 1 - lag], floor**2)
    volatility = np.sqrt(252) * (weight * excess[START:end]).std(ddof=1)
    assert volatility == pytest.approx(target, rel=1e-9)


def test_days_without_a_loss_do_not_decide_the_fitted_constant(index: History) -> None:
    """Ten days without a loss have a downside deviation of 0; the fit counts it as a tenth of the volatility."""
    lag, end, lookback, target = 2, 5000, 10, 0.10
    config = example_of(
        "inverse_vol_squared", variance_constant="trained", estimator="downside", lookback_days=lookback
    )
    excess = index.returns - index.cash
    estimate = np.sqrt(2 * 252 * (windows(np.minimum(excess, 0.0), lookback) ** 2).mean(axis=1))
    known = np.append(np.full(lookback - 1, np.nan), estimate)[START - 1 - lag : end - 1 - lag]
    scored = excess[START:end]
    floor = 0.1 * np.sqrt(252) * scored.std(ddof=1)
    assert known.min() < 0.01 * floor
    constant = trained_constant(config, index, start=START, end=end, lag=lag)
    weight = constant * target / np.maximum(known, floor) ** 2
    assert np.sqrt(252) * (weight * scored).std(ddof=1) == pytest.approx(target, rel=1e-9)
    record = run(config, Mandate(), index, end=end, trained=lambda _: constant)
    assert record.series[0, HELD, START:end].mean() > 0.1


@pytest.mark.parametrize("estimator", ["garch", "implied"])
def test_the_fitted_constant_is_of_the_estimator_that_the_rule_looks_at(index: History, estimator: Estimator) -> None:
    """Neither has a lookback or a decay: the one is a fitted model, the other a series of its own."""
    lag, end, target = 2, 5000, 0.10
    forecast = garch_volatility(volatility(), np.log1p(index.returns))
    series = forecast if estimator == "garch" else 1.3 * forecast
    past = replace(index, volatilities={("implied", 0): series})
    config = example_of("inverse_vol_squared", variance_constant="trained", estimator=estimator, lookback_days=None)
    constant = trained_constant(config, past, start=START, end=end, lag=lag, model_parameters=parameters_of)
    weight = constant * target / series[START - 1 - lag : end - 1 - lag] ** 2
    excess = (index.returns - index.cash)[START:end]
    assert np.sqrt(252) * (weight * excess).std(ddof=1) == pytest.approx(target, rel=1e-9)
    message = "`model_parameters` is missing" if estimator == "garch" else "no volatilities for"
    with pytest.raises(DataError, match=message):
        trained_constant(config, index, start=START, end=end, lag=lag)


def test_the_fitted_constant_is_the_first_weight(index: History) -> None:
    config = example_of("inverse_vol_squared", variance_constant="trained", lookback_days=21)
    mandate = Mandate(target_volatility=0.05)
    record = run(config, mandate, index, trained=lambda _: 0.02)
    variance = 252 * np.log1p(index.returns[START - 2 - 21 : START - 2]).var(ddof=1)
    assert record.series[0, HELD, START] == pytest.approx(0.02 * 0.05 / variance, rel=1e-9)
    with pytest.raises(DataError, match="`trained` is missing"):
        lay_out([config], mandate)


# the calendar


def last_of(dates: np.ndarray, period: str) -> np.ndarray:
    """By pandas: the last session of each period but the one that the data may cut."""
    stamps = pd.DatetimeIndex(dates)
    groups = pd.Series(np.arange(dates.size)).groupby(stamps.to_period(period))
    return groups.max().to_numpy()[:-1]


def test_rebalances_on_the_last_session_of_each_period(index: History) -> None:
    for row, period in ((1, "W-SUN"), (2, "M"), (3, "Q")):
        np.testing.assert_array_equal(np.flatnonzero(index.trades[row]), last_of(index.dates, period))
    assert index.trades[0].all()


@pytest.mark.parametrize(
    ("day", "periods"),
    [
        ("2001-09-10", "weekly"),  # the exchange stayed shut from Tuesday to Friday
        ("2012-10-26", "weekly"),
        ("2012-10-31", "monthly"),  # open again after the hurricane
        ("2018-03-29", "weekly monthly quarterly"),  # Thursday before Good Friday, the 30th
        ("2015-07-02", "weekly"),  # the 3rd is a holiday
        ("1999-12-31", "weekly monthly quarterly"),
        ("2004-12-31", "weekly monthly quarterly"),
        ("2005-04-29", "weekly monthly"),
        ("2018-03-28", ""),
    ],
)
def test_holidays_move_a_rebalancing_to_the_last_session_before(index: History, day: str, periods: str) -> None:
    (place,) = np.flatnonzero(index.dates == np.datetime64(day))
    assert {ROWS[row] for row in range(1, 4) if index.trades[row, place]} == set(periods.split())


@pytest.mark.parametrize("offset", [1, 2, 10, 20])
def test_an_offset_moves_each_rebalancing_that_many_sessions_later(index: History, offset: int) -> None:
    changed = rebalancing_days(index.dates, offset)
    for row in range(1, 4):
        expected = np.flatnonzero(index.trades[row]) + offset
        np.testing.assert_array_equal(np.flatnonzero(changed[row]), expected[expected < index.dates.size])
    config, mandate = example_of("inverse_vol", rebalancing="monthly", lookback_days=21), Mandate()
    shifted = History(index.dates, index.returns, index.cash, index.legs, index.mix, changed)
    agree(run(config, mandate, index, offset=offset), second(config, mandate, shifted), mandate.risk_aversion)


def test_the_last_row_ends_no_period_that_it_cannot_show_to_be_over() -> None:
    friday = np.array(["2018-03-28", "2018-03-29"], dtype="datetime64[D]")
    assert rebalancing_days(friday)[:, -1].tolist() == [True, False, False, False]
    with_monday = np.append(friday, np.datetime64("2018-04-02"))
    assert rebalancing_days(with_monday)[:, 1].all()


# refusals


def test_refuses_shapes_and_mixes_that_do_not_fit() -> None:
    dates, assets, cash = random_days(0, 30, 2)
    with pytest.raises(DataError, match="must have one entry a row"):
        build_history(dates[:-1], assets, cash, inner="equal_weight")
    with pytest.raises(DataError, match="must have one entry a row"):
        build_history(dates, assets, cash[:-1], inner="equal_weight")
    with pytest.raises(DataError, match="`inner` is None for 2 assets"):
        build_history(dates, assets, cash)
    with pytest.raises(DataError, match="`inner` is 'equal_weight' for 1 assets"):
        build_history(dates, assets[:, :1], cash, inner="equal_weight")


def test_refuses_series_of_another_length_than_the_returns(index: History) -> None:
    config, alone = example_of("inverse_vol", estimator="implied", lookback_days=None), example_of("inverse_vol")
    short = np.full(index.returns.size - 1, 0.2)
    with pytest.raises(DataError, match=r"volatilities of shape .* for estimator 'implied'; expected "):
        run(config, Mandate(), replace(index, volatilities={("implied", 0): short}))
    with pytest.raises(DataError, match="bonds of shape"):
        run(alone, Mandate(), replace(index, bonds=short))


def test_refuses_a_fitted_model_of_another_size() -> None:
    three = fit_hidden_markov(other_days(), states=3).parameters
    with pytest.raises(DataError, match=r"`model_parameters` gives the regime model .*\(21,\); expected \(12,\)"):
        lay_out([example_of("regime_switch")], Mandate(), model_parameters=lambda _: three)
    with pytest.raises(DataError, match="`model_parameters` is missing"):
        lay_out([example_of("regime_switch")], Mandate())
