"""Regimes as known at the close of each day: volatility, trend, bull and bear markets, and labels of days.

Row t of every result depends on returns through t only. Every number has the same bits on every machine.
"""

import math
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from quant.numeric.arguments import checked_arguments
from quant.numeric.arrays import Flags, Floats
from quant.numeric.compilation import compiled
from quant.numeric.elementary import log
from quant.numeric.errors import DataError
from quant.numeric.returns import Returns
from quant.numeric.units import DAYS
from quant.worlds.hidden_markov import (
    FEWEST_OBSERVATIONS,
    single_series,
)
from quant.worlds.scenario import Label

States: TypeAlias = NDArray[np.int8]
VolatilityBand: TypeAlias = Literal["low", "middle", "high"]
Trend: TypeAlias = Literal["falling", "flat", "rising"]

VOLATILITY_BANDS: Final[tuple[VolatilityBand, ...]] = ("low", "middle", "high")
TRENDS: Final[tuple[Trend, ...]] = ("falling", "flat", "rising")
MARKETS: Final = ("bear", "undetermined", "bull")
"""Names of the states -1, 0 and 1: the name of `state` is at `state + 1`."""


@dataclass(frozen=True, eq=False)
class VolatilityState:
    """Level of volatility on each day, compared with all days before; shapes (T,)."""

    volatility: Floats
    """Annual, exponentially weighted."""
    percentile: Floats
    """Share of the volatilities through each day that were not higher, in (0, 1]."""
    state: States
    """1 above the upper expanding percentile, -1 below the lower, else 0."""


@dataclass(frozen=True, eq=False)
class TrendState:
    """Distance of the price from its mean on each day; shapes (T,)."""

    distance: Floats
    """Of the price from its mean, as a fraction of the mean."""
    state: States
    """1 rising, -1 falling, 0 flat."""


@dataclass(frozen=True, eq=False)
class MarketState:
    """Bull and bear markets as they became known; shapes (T,)."""

    drawdown: Floats
    """Fall from the highest wealth so far, the start included; not negative."""
    state: States
    """1 bull, -1 bear, 0 before the first move large enough to tell."""


@dataclass(frozen=True, eq=False)
class Labels:
    """Which days carry which label; a day may carry several. Shapes (T,)."""

    base: Flags
    bull: Flags
    bear: Flags
    high_volatility: Flags
    low_volatility: Flags

    def days(self, label: Label, *, fewest: int = FEWEST_OBSERVATIONS, shortest_run: int = 5) -> Flags:
        """The days to resample for a label: those in runs that are long enough to be a block.

        Parameters
        ----------
        label : {"base", "bull", "bear", "high_volatility", "low_volatility"}
        fewest : int
            Days that must remain.
        shortest_run : int
            Minimum length of a run of labelled days.

        Returns
        -------
        ndarray of bool, shape (T,)

        Raises
        ------
        DataError
            If the label is unknown, or fewer days remain.
        """
        if label not in {"base", "bull", "bear", "high_volatility", "low_volatility"}:
            raise DataError(f"`label` must be base, bull, bear, high_volatility or low_volatility; got {label!r}")
        mask = _long_runs(getattr(self, label), shortest_run)
        count = int(np.count_nonzero(mask))
        if count < fewest:
            raise DataError(
                f"`label` {label!r} has {count} days in runs of {shortest_run} or more; at least {fewest} are needed"
            )
        return mask


@checked_arguments
def weighted_volatility(returns: Returns | ArrayLike, *, span: int = 21) -> Floats:
    """Exponentially weighted volatility of each day, that of `volatility_state`.

    Parameters
    ----------
    returns : Returns of one asset, or array_like, shape (T,)
        Daily simple returns; their logarithms are squared, their mean counts as zero.
    span : int
        Above 1. A day weighs 1 - 2 / (span + 1) times the day after it; the first `span` days weigh alike.

    Returns
    -------
    ndarray, shape (T,)
        Annual fractions, each from the returns through its day.

    Raises
    ------
    DataError
        If `returns` is not one finite series above -1, or `span` is not above 1.

    Examples
    --------
    >>> returns = [0.01, -0.02, 0.03] * 20
    >>> bool(weighted_volatility(returns)[-1] == volatility_state(returns).volatility[-1])
    True
    """
    series = single_series(returns)
    if span < 2:
        raise DataError(f"`span` must be above 1; got {span}")
    volatility = np.empty(series.size)
    _weighted_volatility(series, span, volatility)
    return volatility


@checked_arguments
def volatility_state(
    returns: Returns | ArrayLike,
    *,
    span: int = 21,
    low: float = 0.2,
    high: float = 0.8,
    fewest: int = DAYS,
) -> VolatilityState:
    """Exponentially weighted volatility against its own past.

    Parameters
    ----------
    returns : Returns of one asset, or array_like, shape (T,)
        Daily simple returns; their logarithms are squared, their mean counts as zero.
    span : int
        Above 1. A day weighs 1 - 2 / (span + 1) times the day after it; the first `span` days weigh alike.
    low, high : float
        Percentiles (as fractions, interpolated linearly) of all volatilities through the day.
    fewest : int
        Days with a volatility before one is called high or low. The first `span` - 1 days, whose average is not
        full, are compared with one another only.

    Returns
    -------
    VolatilityState

    Raises
    ------
    DataError
        If `returns` is not one finite series above -1, or an option is out of its range.

    Examples
    --------
    >>> calm, wild = [0.005, -0.005] * 200, [0.03, -0.03] * 10
    >>> volatility_state([*calm, *wild]).state[[0, 399, 419]].tolist()
    [0, 0, 1]
    """
    series = single_series(returns)
    if span < 2 or fewest < 1:
        raise DataError(f"`span` must be above 1 and `fewest` positive; got {span} and {fewest}")
    if not 0.0 < low < high < 1.0:
        raise DataError(f"percentiles must satisfy 0 < `low` < `high` < 1; got {low!r} and {high!r}")
    volatility, percentile = np.empty(series.size), np.empty(series.size)
    state = np.empty(series.size, dtype=np.int8)
    _weighted_volatility(series, span, volatility)
    _volatility_states(volatility, span, low, high, fewest, percentile, state)
    return VolatilityState(volatility, percentile, state)


@compiled
def _weighted_volatility(series: Floats, span: int, volatility: Floats) -> None:
    decay = 1.0 - 2.0 / (span + 1.0)
    level = 0.0
    for t in range(series.size):
        x = log(1.0 + series[t])
        if t < span:
            level += (x * x - level) / (t + 1.0)
        else:
            level = decay * level + (1.0 - decay) * x * x
        volatility[t] = math.sqrt(DAYS * level)


@compiled
def _volatility_states(
    volatility: Floats,
    span: int,
    low: float,
    high: float,
    fewest: int,
    percentile: Floats,
    state: States,
) -> None:
    past = np.empty(volatility.size)
    count = 0
    for t in range(volatility.size):
        if t == span - 1:
            count = 0
        at = _not_higher(past[:count], volatility[t])
        for i in range(count, at, -1):
            past[i] = past[i - 1]
        past[at] = volatility[t]
        count += 1
        percentile[t] = (at + 1.0) / count
        state[t] = 0
        if t >= span - 1 and count >= fewest:
            if volatility[t] > _quantile(past[:count], high):
                state[t] = 1
            elif volatility[t] < _quantile(past[:count], low):
                state[t] = -1


@compiled
def _not_higher(ordered: Floats, value: float) -> int:
    """How many of the numbers in increasing order are at most `value`."""
    low, high = 0, ordered.size
    while low < high:
        middle = (low + high) // 2
        if ordered[middle] <= value:
            low = middle + 1
        else:
            high = middle
    return low


@compiled
def _quantile(ordered: Floats, share: float) -> float:
    """Linear interpolation between the order statistics around share (n - 1)."""
    position = share * (ordered.size - 1.0)
    below = int(position)
    above = min(below + 1, ordered.size - 1)
    return ordered[below] + (position - below) * (ordered[above] - ordered[below])


@checked_arguments
def trend_state(returns: Returns | ArrayLike, *, sessions: int = DAYS, flat: float = 0.02) -> TrendState:
    """The price against its mean of the past year.

    Parameters
    ----------
    returns : Returns of one asset, or array_like, shape (T,)
        Daily simple returns.
    sessions : int
        Closes in the mean, the day's own included; fewer at the start.
    flat : float
        Distance from the mean up to which there is no trend, at least 0.

    Returns
    -------
    TrendState

    Raises
    ------
    DataError
        If `returns` is not one finite series above -1, or an option is out of its range.

    Examples
    --------
    >>> trend_state([0.01] * 20 + [-0.02] * 20).state[[0, 19, 39]].tolist()
    [0, 1, -1]
    """
    series = single_series(returns)
    if sessions < 2 or not (math.isfinite(flat) and flat >= 0.0):
        raise DataError(f"`sessions` must be above 1 and `flat` at least 0; got {sessions} and {flat!r}")
    distance = np.empty(series.size)
    state = np.empty(series.size, dtype=np.int8)
    _trend_states(series, sessions, flat, distance, state)
    return TrendState(distance, state)


@compiled
def _trend_states(series: Floats, sessions: int, flat: float, distance: Floats, state: States) -> None:
    wealth = np.empty(series.size)
    level = 1.0
    total = 0.0
    for t in range(series.size):
        level *= 1.0 + series[t]
        wealth[t] = level
        total += level
        if t >= sessions:
            total -= wealth[t - sessions]
        distance[t] = level * min(t + 1, sessions) / total - 1.0
        state[t] = 1 if distance[t] > flat else -1 if distance[t] < -flat else 0


@checked_arguments
def market_state(returns: Returns | ArrayLike, *, fall: float = 0.2, rise: float = 0.2) -> MarketState:
    """Bull and bear markets by the 20% rule, dated when they become known.

    A bear market begins on the day on which wealth has fallen by `fall` from its highest since the bull market began,
    a bull market on the day on which it has risen by `rise` from its lowest since the bear market began. Lunde and
    Timmermann date the change back to the peak or trough; that would be hindsight.

    Parameters
    ----------
    returns : Returns of one asset, or array_like, shape (T,)
        Daily simple returns.
    fall : float
        In (0, 1).
    rise : float
        Positive.

    Returns
    -------
    MarketState

    Raises
    ------
    DataError
        If `returns` is not one finite series above -1, or an option is out of its range.

    References
    ----------
    Lunde and Timmermann (2004), "Duration dependence in stock prices", Journal of Business & Economic Statistics
    22(3), section 2.

    Examples
    --------
    >>> market_state([-0.1, -0.12, 0.1, 0.1, 0.1]).state.tolist()
    [0, -1, -1, 1, 1]
    """
    series = single_series(returns)
    if not (0.0 < fall < 1.0 and math.isfinite(rise) and rise > 0.0):
        raise DataError(f"`fall` must lie in (0, 1) and `rise` be positive; got {fall!r} and {rise!r}")
    drawdown = np.empty(series.size)
    state = np.empty(series.size, dtype=np.int8)
    _market_states(series, fall, rise, drawdown, state)
    return MarketState(drawdown, state)


@compiled
def _market_states(series: Floats, fall: float, rise: float, drawdown: Floats, state: States) -> None:
    wealth = 1.0
    highest = 1.0
    peak = 1.0
    trough = 1.0
    now = 0
    for t in range(series.size):
        wealth *= 1.0 + series[t]
        highest = max(highest, wealth)
        drawdown[t] = 1.0 - wealth / highest
        peak = max(peak, wealth)
        trough = min(trough, wealth)
        if now >= 0 and wealth <= (1.0 - fall) * peak:
            now = -1
            trough = wealth
        elif now <= 0 and wealth >= (1.0 + rise) * trough:
            now = 1
            peak = wealth
        state[t] = now


@checked_arguments
def labels(returns: Returns | ArrayLike) -> Labels:
    """Label every day from the data through its close; every day carries `base`.

    Parameters
    ----------
    returns : Returns of one asset, or array_like, shape (T,)
        Daily simple returns.

    Returns
    -------
    Labels
        Of `volatility_state` and `market_state` with their defaults.

    Raises
    ------
    DataError
        If `returns` is not one finite series above -1.
    """
    series = single_series(returns)
    volatility = volatility_state(series).state
    market = market_state(series).state
    return Labels(np.full(series.size, True), market == 1, market == -1, volatility == 1, volatility == -1)


@compiled
def _long_runs(flags: Flags, shortest: int) -> Flags:
    mask = np.full(flags.size, False)
    length = 0
    for t in range(flags.size):
        length = length + 1 if flags[t] else 0
        if length == shortest:
            mask[t - shortest + 1 : t + 1] = True
        elif length > shortest:
            mask[t] = True
    return mask
