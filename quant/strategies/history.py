"""Rules on real days: the same accounting as in a simulation, with one path and a daily record."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from quant.numeric.arrays import Dates, Flags, Floats
from quant.numeric.compilation import compiled
from quant.numeric.elementary import log
from quant.numeric.errors import DataError
from quant.numeric.units import DAYS
from quant.strategies.blocks import room, run_block
from quant.strategies.choices import EXTERNAL, GARCH, InnerPortfolio, Rebalancing
from quant.strategies.config import INNER_LOOKBACK, StrategyConfig
from quant.strategies.inner_portfolios import daily_mix
from quant.strategies.kernel import FALL_BINS, LOSS_BINS, STATISTICS
from quant.strategies.rules import FREQUENCIES, ExternalKey, ModelParameters, Rules, model_of, signal_key
from quant.strategies.signals import GARCH_HORIZON, volatility_signal
from quant.volatility.garch import garch_signal

VOLATILITY_FLOOR: Final = 0.1
"""Lowest estimate in the fit of a trained constant, as a share of the volatility of the training days."""


@dataclass(frozen=True)
class History:
    """Real days of a universe.

    Attributes
    ----------
    dates : ndarray of datetime64[D], shape (T,)
    returns : ndarray, shape (T,)
        Daily simple returns of the risky leg; of an inner portfolio, at its daily target mix.
    cash : ndarray, shape (T,)
        Daily simple returns of the cash leg, each known the day before.
    legs, mix : ndarray, shape (T, N)
        Returns of the assets inside the risky leg, and their target shares from the data through each day; N is 0 for a
        single asset.
    trades : ndarray of bool, shape (4, T)
        Whether the close of a day rebalances, by frequency.
    bonds : ndarray, shape (T,)
        Daily simple returns of a safe leg that is a bond; empty where it is cash. See
        `quant.worlds.bond_proxy.bond_history`.
    volatilities : mapping from (Estimator, int) to ndarray, shape (T,)
        Annual volatilities through each day that come from elsewhere, by estimator and lookback (0 for `implied`):
        see `quant.volatility.estimators`.
    """

    dates: Dates
    returns: Floats
    cash: Floats
    legs: Floats
    mix: Floats
    trades: Flags
    bonds: Floats = field(default_factory=lambda: np.empty(0))
    volatilities: Mapping[ExternalKey, Floats] = field(default_factory=dict[ExternalKey, Floats])


@dataclass(frozen=True)
class Replay:
    """Daily record of K configs, in the order of the input.

    Attributes
    ----------
    statistics : ndarray, shape (K, STATISTICS)
        The statistics of `quant.strategies.kernel` over the scored days.
    series : ndarray, shape (K, 4, T)
        Excess return net of costs, held weight, turnover and cost of each scored day; NaN before.
    start : int
        First scored day.
    """

    statistics: Floats
    series: Floats
    start: int


def build_history(
    dates: Dates,
    assets: Floats,
    cash: Floats,
    *,
    inner: InnerPortfolio | None = None,
    target: float | None = None,
) -> History:
    """Lay out real days for the kernel.

    Parameters
    ----------
    dates : ndarray of datetime64[D], shape (T,)
    assets : ndarray, shape (T, N)
        Daily simple returns, fractions.
    cash : ndarray, shape (T,)
        Daily simple returns of cash, fractions.
    inner : InnerPortfolio, optional
        How several assets are mixed; None for one asset. See `quant.strategies.inner_portfolios.daily_mix`.
    target : float, optional
        Annual volatility aimed at: `risk_control` needs it.

    Returns
    -------
    History

    Raises
    ------
    DataError
        If shapes do not agree, `inner` is None for several assets, or the covariance of a day has no mix.
    """
    days, count = assets.shape
    if dates.shape != (days,) or cash.shape != (days,):
        raise DataError(f"`dates` {dates.shape} and `cash` {cash.shape} must have one entry a row of {assets.shape}")
    if (inner is None) != (count == 1):
        raise DataError(f"`inner` is {inner!r} for {count} assets; expected None for one asset, a mix for several")
    trades = rebalancing_days(dates)
    if inner is None:
        empty = np.empty((0, 0))
        return History(dates, np.ascontiguousarray(assets[:, 0]), cash, empty, empty, trades)
    legs = np.ascontiguousarray(assets)
    mix = daily_mix(inner, legs, lookback=INNER_LOOKBACK, target=target)
    returns = np.empty(days)
    _mixed_returns(legs, mix, returns)
    return History(dates, returns, cash, legs, mix, trades)


def rebalancing_days(dates: Dates, offset: int = 0) -> Flags:
    """Closes that trade on real days: every session; the last of each week, month and quarter.

    Parameters
    ----------
    dates : ndarray of datetime64[D], shape (T,)
        Sessions, ascending.
    offset : int
        Sessions by which the last three frequencies trade later.

    Returns
    -------
    ndarray of bool, shape (4, T)
        Rows in the order of `quant.strategies.rules.FREQUENCIES`. The last session trades daily rules only: the data do
        not show whether it ends a period.
    """
    trades = np.zeros((len(FREQUENCIES), dates.size), dtype=np.bool_)
    trades[0] = True
    month = dates.astype("datetime64[M]").astype(np.int64)
    week = (dates.astype("datetime64[D]").astype(np.int64) + 3) // 7  # day 0 was a Thursday: weeks begin on Monday
    for row, period in ((1, week), (2, month), (3, month // 3)):
        ends = np.flatnonzero(period[1:] != period[:-1]) + offset
        trades[row, ends[ends < dates.size]] = True
    return trades


def worst_fall_between_trades(past: History, rebalancing: Rebalancing, *, start: int, end: int) -> float:
    """Deepest fall of the risky leg from a close that trades to any close up to the next that does.

    A rule with a floor and a multiplier m keeps its floor through that fall if m times the fall is at most 1.

    Parameters
    ----------
    past : History
    rebalancing : Rebalancing
    start, end : int
        First day, and the first day left out; the close before `start` counts as one that trades.

    Returns
    -------
    float
        Positive fraction; 0 where the leg never falls.

    References
    ----------
    Black and Perold (1992), Journal of Economic Dynamics and Control 16: the gap risk of constant-proportion insurance.
    """
    level = np.concatenate(([1.0], np.cumprod(1.0 + past.returns[start:end])))
    trades = past.trades[FREQUENCIES.index(rebalancing), start : end - 1]
    last_trade = np.maximum.accumulate(np.concatenate(([0], np.where(trades, np.arange(1, level.size - 1), 0))))
    return max(0.0, float(np.max(1.0 - level[1:] / level[last_trade])))


def replay(
    rules: Rules,
    past: History,
    *,
    start: int,
    end: int,
    lag: int,
    risk_aversion: float,
    drawdown_limit: float | None = None,
    offset: int = 0,
) -> Replay:
    """Account for every rule over the days `start` ... `end` - 1; nothing from `end` on is read.

    Parameters
    ----------
    rules : Rules
        K configs.
    past : History
    start, end : int
        First scored day (at least the longest lookback plus the lag) and the first day left out.
    lag : int
    risk_aversion : float
    drawdown_limit : float, optional
    offset : int
        Sessions by which weekly and slower rebalancing comes later.

    Returns
    -------
    Replay

    Raises
    ------
    DataError
        If a signal is not defined yet when the first position is taken (it would look ahead), `past` lacks a
        volatility that a rule uses, or a series of it is not as long as its returns.
    """
    if start < rules.lookback + lag:
        raise DataError(f"`start` {start} is too early; expected at least {rules.lookback + lag}")
    if past.bonds.shape not in ((0,), past.returns.shape):
        raise DataError(f"`past` has bonds of shape {past.bonds.shape}; expected {past.returns.shape}, or none")
    count = rules.table.shape[0]
    trades = past.trades if offset == 0 else rebalancing_days(past.dates, offset)
    statistics = np.zeros((count, STATISTICS, 1))
    series = np.full((count, 4, end), np.nan)
    run_block(
        rules.table,
        rules.signals,
        rules.looks,
        rules.look_of,
        rules.trades_of,
        np.ascontiguousarray(trades[:, :end]),
        rules.garch,
        rules.hidden,
        _external_volatilities(rules, past, end),
        np.ascontiguousarray(past.returns[:end]).reshape(end, 1),
        past.cash[:end],
        past.bonds[:end].reshape(-1, 1),
        past.legs[:end],
        past.mix[:end],
        start,
        lag,
        risk_aversion,
        drawdown_limit or 0.0,
        1,
        statistics,
        np.zeros((count, LOSS_BINS), dtype=np.int32),
        np.zeros((count, FALL_BINS), dtype=np.int32),
        series,
        room(rules.looks, end, 1),
    )
    back = np.argsort(rules.order)
    return Replay(statistics=statistics[back, :, 0], series=series[back], start=start)


def _external_volatilities(rules: Rules, past: History, end: int) -> Floats:
    """Volatility series that do not come from closes, shape (G, end)."""
    rows = np.empty((len(rules.external), end))
    for row, key in enumerate(rules.external):
        rows[row] = _volatilities(past, key)[:end]
    return rows


def _volatilities(past: History, key: ExternalKey) -> Floats:
    estimator, lookback = key
    if key not in past.volatilities:
        raise DataError(f"`past` has no volatilities for estimator {estimator!r} with lookback {lookback}")
    series = past.volatilities[key]
    if series.shape != past.returns.shape:
        raise DataError(
            f"`past` has volatilities of shape {series.shape} for estimator {estimator!r}; "
            f"expected {past.returns.shape}"
        )
    return series


def trained_constant(
    config: StrategyConfig,
    past: History,
    *,
    start: int,
    end: int,
    lag: int,
    model_parameters: ModelParameters | None = None,
) -> float:
    """Variance constant of Moreira and Muir, fitted on training days, per unit of target volatility.

    With weight = constant * target / variance, unbounded and rebalanced daily, the annual volatility over the days
    `start` ... `end` - 1 is the target. Days from `end` on are not read. In the fit an estimate has a floor, a tenth of
    the volatility of those days: a window without a loss has a downside deviation of zero, and without the floor that
    one window would decide the constant.

    Parameters
    ----------
    config : StrategyConfig
        Gives the estimator of the variance.
    past : History
    start, end : int
        First training day, and the first day after them.
    lag : int
        Sessions between the last return that a decision uses and its trade.
    model_parameters : callable, optional
        As in `quant.strategies.rules.lay_out`; needed for the estimator `garch`.

    Returns
    -------
    float

    Raises
    ------
    DataError
        If the model behind the estimator `garch` is missing, or `past` lacks the volatilities of `config`.

    References
    ----------
    Moreira and Muir (2017), Journal of Finance 72(4), who fit on the full sample.
    """
    kind, lookback, decay = signal_key(config)
    returns, cash = past.returns[:end].reshape(end, 1), past.cash[:end]
    model = model_of("garch", model_parameters, needed=kind == GARCH)
    external = _volatilities(past, (config.estimator, int(lookback)))[:end] if kind == EXTERNAL else np.empty(0)
    return 1.0 / _scaled_volatility(int(kind), int(lookback), decay, model, external, returns, cash, start, lag)


@compiled
def _scaled_volatility(
    kind: int,
    lookback: int,
    decay: float,
    garch: Floats,
    external: Floats,
    returns: Floats,
    cash: Floats,
    start: int,
    lag: int,
) -> float:
    """Annual volatility of excess return over the variance known when the day's weight was set."""
    days = cash.size
    logs = np.empty((days, 1))
    excess = np.empty((days, 1))
    for t in range(days):
        logs[t, 0] = log(1.0 + returns[t, 0])
        excess[t, 0] = returns[t, 0] - cash[t]
    volatility = np.empty((days, 1))
    if kind == GARCH:
        garch_signal(garch, logs, GARCH_HORIZON, volatility)
    elif kind == EXTERNAL:
        volatility[:, 0] = external
    else:
        volatility_signal(kind, lookback, decay, logs, excess, volatility)
    scaled = excess[start:, 0].copy()
    floor = max(VOLATILITY_FLOOR * _annual_deviation(scaled), 1e-6)
    for t in range(start, days):
        sigma = max(volatility[t - 1 - lag, 0], floor)
        scaled[t - start] /= sigma * sigma
    return _annual_deviation(scaled)


@compiled
def _annual_deviation(values: Floats) -> float:
    """Annual volatility of daily values, shape (T,)."""
    total, squares = 0.0, 0.0
    for x in values:
        total += x
        squares += x * x
    n = float(values.size)
    return math.sqrt(DAYS * (squares - total * total / n) / (n - 1.0))


@compiled
def _mixed_returns(legs: Floats, mix: Floats, out: Floats) -> None:
    days, count = legs.shape
    for t in range(days):
        out[t] = 0.0
        for i in range(count):
            out[t] += mix[max(t - 1, 0), i] * legs[t, i]
