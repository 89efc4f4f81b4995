"""Rules on real days: the same accounting as in a simulation, with one path and a daily record."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from quant.compiled import compiled
from quant.elementary import log
from quant.errors import DataError
from quant.kernel import (
    DAYS,
    FALL_BINS,
    LOSS_BINS,
    STATISTICS,
    Flags,
    Floats,
    run_block,
    volatility_signal,
)
from quant.rules import FREQUENCIES, Rules, SignalKey
from quant.strategy import INNER_LOOKBACK, InnerPortfolio

Dates = NDArray[np.datetime64]


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
        Returns of the assets inside the risky leg, and their target shares by what each day knows; N is 0 for a
        single asset.
    trades : ndarray of bool, shape (4, T)
        Whether the close of a day rebalances, by frequency.
    """

    dates: Dates
    returns: Floats
    cash: Floats
    legs: Floats
    mix: Floats
    trades: Flags


@dataclass(frozen=True)
class Replayed:
    """Daily record of K configs, in the order they were given.

    Attributes
    ----------
    statistics : ndarray, shape (K, 16)
        The statistics of `quant.kernel` over the scored days.
    series : ndarray, shape (K, 4, T)
        Excess return net of costs, held weight, turnover and cost of each scored day; NaN before.
    start : int
        First scored day.
    """

    statistics: Floats
    series: Floats
    start: int


def history(dates: Dates, assets: Floats, cash: Floats, *, inner: InnerPortfolio | None = None) -> History:
    """Lay out real days for the kernel.

    Parameters
    ----------
    dates : ndarray of datetime64[D], shape (T,)
    assets : ndarray, shape (T, N)
        Daily simple returns, fractions.
    cash : ndarray, shape (T,)
        Daily simple returns of cash, fractions.
    inner : {"equal_weight", "inverse_volatility"}, optional
        How several assets are mixed; None for one asset.

    Raises
    ------
    DataError
        If shapes do not agree, or `inner` is None for several assets.
    """
    days, count = assets.shape
    if dates.shape != (days,) or cash.shape != (days,):
        raise DataError(f"`dates` {dates.shape} and `cash` {cash.shape} must have one entry a row of {assets.shape}")
    if (inner is None) != (count == 1):
        raise DataError(f"`inner` is {inner!r} for {count} assets; allowed: None for one asset, a mix for several")
    trades = rebalancing_days(dates)
    if inner is None:
        empty = np.empty((0, 0))
        return History(dates, np.ascontiguousarray(assets[:, 0]), cash, empty, empty, trades)
    legs = np.ascontiguousarray(assets)
    mix = np.full(legs.shape, 1.0 / count)
    if inner == "inverse_volatility":
        _inverse_volatility_mix(legs, INNER_LOOKBACK, mix)
    returns = np.empty(days)
    _mixed_returns(legs, mix, returns)
    return History(dates, returns, cash, legs, mix, trades)


def rebalancing_days(dates: Dates, offset: int = 0) -> Flags:
    """Closes that trade on real days, shape (4, T): every session; the last of each week, month, quarter.

    `offset` moves the slower three that many sessions later. The last row of the data ends a period only if the next
    one has begun, which it cannot show, so it trades daily rules alone.
    """
    trades = np.zeros((len(FREQUENCIES), dates.size), dtype=np.bool_)
    trades[0] = True
    month = dates.astype("datetime64[M]").astype(np.int64)
    week = (dates.astype("datetime64[D]").astype(np.int64) + 3) // 7  # day 0 was a Thursday: weeks begin on Monday
    for row, period in ((1, week), (2, month), (3, month // 3)):
        ends = np.flatnonzero(period[1:] != period[:-1]) + offset
        trades[row, ends[ends < dates.size]] = True
    return trades


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
) -> Replayed:
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
    Replayed

    Raises
    ------
    DataError
        If a signal is not defined yet when the first position is taken: it would look ahead.
    """
    if start < rules.lookback + lag:
        raise DataError(f"`start` {start} is too early; allowed: at least {rules.lookback + lag}")
    count = rules.table.shape[0]
    trades = past.trades if offset == 0 else rebalancing_days(past.dates, offset)
    statistics = np.zeros((count, STATISTICS, 1))
    series = np.full((count, 4, end), np.nan)
    run_block(
        rules.table,
        rules.signals,
        rules.trend_levels,
        rules.trend_of,
        rules.trades_of,
        np.ascontiguousarray(trades[:, :end]),
        np.ascontiguousarray(past.returns[:end]).reshape(end, 1),
        past.cash[:end],
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
    )
    back = np.argsort(rules.order)
    return Replayed(statistics=statistics[back, :, 0], series=series[back], start=start)


def trained_constant(key: SignalKey, past: History, *, start: int, end: int, lag: int) -> float:
    """Variance constant of Moreira and Muir, fitted on training days, per unit of target volatility.

    With weight = constant * target / variance, unbounded and rebalanced daily, the annual volatility over the days
    `start` ... `end` - 1 is the target. Days from `end` on are not read.

    References
    ----------
    Moreira and Muir (2017), Journal of Finance 72(4), who fit on the full sample.
    """
    returns = past.returns[:end].reshape(end, 1)
    cash = past.cash[:end]
    return 1.0 / _scaled_volatility(int(key[0]), int(key[1]), key[2], returns, cash, start, lag)


@compiled
def _scaled_volatility(
    kind: int, lookback: int, decay: float, returns: Floats, cash: Floats, start: int, lag: int
) -> float:
    """Annual volatility of excess return over the variance known when the day's weight was set."""
    days = cash.size
    logs = np.empty((days, 1))
    excess = np.empty((days, 1))
    for t in range(days):
        logs[t, 0] = log(1.0 + returns[t, 0])
        excess[t, 0] = returns[t, 0] - cash[t]
    volatility = np.empty((days, 1))
    volatility_signal(kind, lookback, decay, logs, excess, volatility)
    total, squares = 0.0, 0.0
    for t in range(start, days):
        sigma = max(volatility[t - 1 - lag, 0], 1e-6)
        x = excess[t, 0] / (sigma * sigma)
        total += x
        squares += x * x
    n = float(days - start)
    return math.sqrt(DAYS * (squares - total * total / n) / (n - 1.0))


@compiled
def _inverse_volatility_mix(legs: Floats, lookback: int, mix: Floats) -> None:
    """Shares in proportion to the inverse sample deviation over the window that ends at each day."""
    days, count = legs.shape
    total = np.zeros(count)
    squares = np.zeros(count)
    n = float(lookback)
    for t in range(days):
        for i in range(count):
            total[i] += legs[t, i]
            squares[i] += legs[t, i] * legs[t, i]
            if t >= lookback:
                total[i] -= legs[t - lookback, i]
                squares[i] -= legs[t - lookback, i] * legs[t - lookback, i]
        if t >= lookback - 1:
            whole = 0.0
            for i in range(count):
                mix[t, i] = 1.0 / math.sqrt(max((squares[i] - total[i] * total[i] / n) / (n - 1.0), 1e-12))
                whole += mix[t, i]
            for i in range(count):
                mix[t, i] /= whole


@compiled
def _mixed_returns(legs: Floats, mix: Floats, out: Floats) -> None:
    days, count = legs.shape
    for t in range(days):
        out[t] = 0.0
        for i in range(count):
            out[t] += mix[max(t - 1, 0), i] * legs[t, i]
