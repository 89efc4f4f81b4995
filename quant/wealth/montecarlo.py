"""Monte Carlo simulation of wealth: contributions, withdrawals, fees, costs and inflation on simulated paths.

A year has 12 months of 21 sessions. At each close the holdings have earned the day's returns and paid the fee; at a
month's end the contribution is added and the withdrawal taken; then, if rebalancing is due, the weights are
restored. The cost of trading is `cost_bps` of the money bought and sold in risky legs, by rebalancing and by flows; it
is taken from all legs in proportion. Between these dates holdings drift. The start is free of cost, and the last close
does not rebalance. A flow without a rebalancing on its date buys at the target weights if it is a net inflow, and sells
from all legs in proportion if it is a net outflow.
"""

import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from queue import SimpleQueue
from typing import Final, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import ArrayLike

from quant.numeric.arguments import checked_arguments
from quant.numeric.arrays import Floats
from quant.numeric.elementary import power
from quant.numeric.errors import DataError
from quant.numeric.measured import Measured
from quant.numeric.random_numbers import LANES
from quant.numeric.thread_count import thread_count
from quant.numeric.units import BASIS_POINTS, DAYS
from quant.wealth.kernel import (
    BINS,
    FIGURES,
    MONTH,
    WIDE,
    Account,
    PathStatistics,
    empty,
    merge,
    pilot,
    run_block,
    run_span,
)
from quant.wealth.summary import Sums, WealthSummary, summarise
from quant.worlds.joint import JointModel, check_days

Rebalancing: TypeAlias = Literal["daily", "weekly", "monthly", "quarterly", "yearly", "none"]

LEVELS: Final = (0.05, 0.25, 0.50, 0.75, 0.95)
MOST_PATHS: Final = 2**31 - 1
"""A bin counts in 32 bits, and all paths may fall into one."""

_PERIODS: Final[dict[Rebalancing, int]] = {
    "daily": 1,
    "weekly": 5,
    "monthly": MONTH,
    "quarterly": 3 * MONTH,
    "yearly": DAYS,
}
_SPAN: Final = 16
"""Blocks whose sums are merged first; fixed, so that the number of threads changes no bit."""
_PILOT: Final = 2 * LANES
_RICHEST: Final = 1e100
"""Amounts above it have squares that overflow."""
_MOST_PATHS: Final = 1e15
_LONGEST: Final = 100
"""Years."""


@dataclass(frozen=True, eq=False)
class Trajectory:
    """One path, day by day.

    Attributes
    ----------
    path : int
    wealth, wealth_real : ndarray, shape (days + 1,)
        At each close, the start first.
    """

    path: int
    wealth: Floats
    wealth_real: Floats


@checked_arguments
def simulate_wealth(
    model: JointModel,
    weights: ArrayLike,
    *,
    initial: float,
    years: int | None = None,
    days: int | None = None,
    paths: int,
    rebalancing: Rebalancing = "monthly",
    contributions: ArrayLike = 0.0,
    withdrawals: ArrayLike = 0.0,
    indexed: bool = True,
    fee: float = 0.0,
    cost_bps: float = 0.0,
    inflation: float = 0.0,
    goal: float | None = None,
    ruin: float = 0.0,
    levels: tuple[float, ...] = LEVELS,
    threads: int | None = None,
    cancelled: Callable[[], bool] = lambda: False,
) -> WealthSummary:
    """Distribution of wealth over `paths` paths.

    Percentiles come from 4096 bins of the logarithm to each date, 16 deviations to either side of its mean (both from
    the first 128 paths): a bin is 0.8% of a deviation wide and read linearly within. The room needed does not grow with
    the paths, and the result has the same bits for any number of threads.

    Parameters
    ----------
    model : JointModel
        N assets, with the seed and the cash rate.
    weights : array_like, shape (N,)
        Not negative, of sum at most 1; cash has the rest.
    initial : float
        Money at the start, positive.
    years : int
        1 to 100.
    days : int
        Sessions, 1 to 25,200, instead of `years`; the horizon ends on the last one, and flows come with whole months.
    paths : int
        At least 2.
    rebalancing : {"daily", "weekly", "monthly", "quarterly", "yearly", "none"}
        Every 1, 5, 21, 63 or 252 sessions.
    contributions, withdrawals : array_like, scalar or shape (M,), months begun
        Money at each month's end, not negative. A withdrawal is limited to the wealth.
    indexed : bool
        Contributions and withdrawals are in the money of the start and grow with inflation.
    fee : float
        A year, fraction of wealth, in [0, 1): every day leaves (1 - fee) ** (1 / 252).
    cost_bps : float
        Hundredths of a percent of the money traded, 0 to 1000.
    inflation : float
        A year, in (-0.5, 1].
    goal : float, optional
        Target wealth at the end, in the money of the start.
    ruin : float
        Wealth at or below which, at any close, the account is closed: its value stays and flows stop. At 0 only
        withdrawals can cause ruin.
    levels : tuple of float
        Of the percentiles, increasing, within (0, 1).
    threads : int, optional
        By default every core, or NUMBA_NUM_THREADS.
    cancelled : callable
        Called between spans of 1,024 paths; if it returns True, `InterruptedError` is raised.

    Returns
    -------
    WealthSummary

    Raises
    ------
    DataError
        If an argument is not finite, out of its range or of the wrong shape.

    Examples
    --------
    >>> from quant.worlds.joint import joint_model
    >>> model = joint_model("gbm", mu=[0.07], sigma=[0.16], cash_rate=0.02, seed=1)
    >>> summary = simulate_wealth(model, [0.6], initial=100_000.0, years=2, paths=1_000)
    >>> summary.bands.shape, bool(summary.terminal.mean.error < 1_000.0)
    ((5, 25), True)
    """
    account, times, prices = _account(
        model,
        weights,
        initial=initial,
        days=_sessions(years, days),
        rebalancing=rebalancing,
        contributions=contributions,
        withdrawals=withdrawals,
        indexed=indexed,
        fee=fee,
        cost_bps=cost_bps,
        inflation=inflation,
        goal=goal,
        ruin=ruin,
    )
    if not 2 <= paths <= MOST_PATHS:
        raise DataError(f"`paths` must lie in [2, 2**31); got {paths}")
    if not levels or not all(a < b for a, b in pairwise((0.0, *levels, 1.0))):
        raise DataError(f"`levels` must increase within (0, 1); got {levels}")
    if threads is not None and threads < 1:
        raise DataError(f"`threads` must be positive; got {threads}")
    sums = _run(model, account, paths, threads or thread_count(), cancelled)
    return summarise(sums, times, prices, levels, with_goal=goal is not None)


@checked_arguments
def trajectory(
    model: JointModel,
    weights: ArrayLike,
    *,
    path: int,
    initial: float,
    years: int | None = None,
    days: int | None = None,
    rebalancing: Rebalancing = "monthly",
    contributions: ArrayLike = 0.0,
    withdrawals: ArrayLike = 0.0,
    indexed: bool = True,
    fee: float = 0.0,
    cost_bps: float = 0.0,
    inflation: float = 0.0,
    ruin: float = 0.0,
) -> Trajectory:
    """One path of those that `simulate_wealth` summarises under the same arguments.

    Parameters
    ----------
    path : int
        Its number, from 0.
    model, weights, ...
        As in `simulate_wealth`.

    Returns
    -------
    Trajectory

    Raises
    ------
    DataError
        As `simulate_wealth`, or if `path` is negative.
    """
    days = _sessions(years, days)
    account, _, _ = _account(
        model,
        weights,
        initial=initial,
        days=days,
        rebalancing=rebalancing,
        contributions=contributions,
        withdrawals=withdrawals,
        indexed=indexed,
        fee=fee,
        cost_bps=cost_bps,
        inflation=inflation,
        goal=None,
        ruin=ruin,
    )
    if not 0 <= path < MOST_PATHS:
        raise DataError(f"`path` must lie in [0, 2**31); got {path}")
    wealth = _trace(model, account, path // LANES)[path % LANES].copy()
    real = wealth / np.array([power(1.0 + inflation, t / DAYS) for t in range(days + 1)])
    return Trajectory(path, wealth, real)


@checked_arguments
def trajectories(
    model: JointModel,
    weights: ArrayLike,
    *,
    initial: float,
    years: int | None = None,
    days: int | None = None,
    paths: int,
    rebalancing: Rebalancing = "monthly",
    contributions: ArrayLike = 0.0,
    withdrawals: ArrayLike = 0.0,
    indexed: bool = True,
    fee: float = 0.0,
    cost_bps: float = 0.0,
    inflation: float = 0.0,
    ruin: float = 0.0,
) -> Floats:
    """Wealth on the first paths of those that `simulate_wealth` summarises under the same arguments.

    Parameters
    ----------
    paths : int
        From the first on, at least 1.
    model, weights, ...
        As in `simulate_wealth`.

    Returns
    -------
    ndarray, shape (paths, days + 1)
        At each close, the start first.

    Raises
    ------
    DataError
        As `simulate_wealth`.

    Examples
    --------
    >>> from quant.worlds.joint import joint_model
    >>> model = joint_model("gbm", mu=[0.07], sigma=[0.16], cash_rate=0.02, seed=1)
    >>> trajectories(model, [0.6], initial=1_000.0, days=5, paths=3).shape
    (3, 6)
    """
    days = _sessions(years, days)
    account, _, _ = _account(
        model,
        weights,
        initial=initial,
        days=days,
        rebalancing=rebalancing,
        contributions=contributions,
        withdrawals=withdrawals,
        indexed=indexed,
        fee=fee,
        cost_bps=cost_bps,
        inflation=inflation,
        goal=None,
        ruin=ruin,
    )
    if not 1 <= paths <= MOST_PATHS:
        raise DataError(f"`paths` must lie in [1, 2**31); got {paths}")
    out = np.empty((paths, days + 1))
    for block in range(math.ceil(paths / LANES)):
        rows = out[LANES * block : LANES * (block + 1)]
        rows[:] = _trace(model, account, block)[: len(rows)]
    return out


def _trace(model: JointModel, account: Account, block: int) -> Floats:
    """Every close of 64 paths, shape (64, days + 1)."""
    days, dates = account.trades.size, account.contributions.size + 1
    trace = np.empty((days + 1, LANES))
    run_block(model.tables, account, LANES * block, days, np.empty((dates, LANES)), np.empty((4, LANES)), trace)
    return trace.T


@checked_arguments
def paths_for_error(estimate: Measured, *, paths: int, target: float) -> int:
    """Paths that bring the standard error of an estimate down to `target`: errors fall with the root of the number.

    Parameters
    ----------
    estimate : Measured
        An estimate and its standard error.
    paths : int
        Paths that it came from.
    target : float
        Standard error wanted, in the unit of the estimate.

    Returns
    -------
    int
        At least 2.

    Raises
    ------
    DataError
        If the estimate has no error, or `paths` or `target` is not positive.

    Examples
    --------
    >>> paths_for_error(Measured(value=0.2, error=0.004), paths=10_000, target=0.002)
    40000
    """
    if estimate.error is None:
        raise DataError("`estimate` has no standard error")
    if not (target > 0.0 and math.isfinite(target)):
        raise DataError(f"`target` must be positive; got {target!r}")
    if paths < 2:
        raise DataError(f"`paths` must be at least 2; got {paths}")
    ratio = estimate.error / target
    if not paths * ratio * ratio < _MOST_PATHS:
        raise DataError(f"`target` asks for more than {_MOST_PATHS:g} paths; got {target!r}")
    # rounding of the ratio must not ask for one path more
    return max(2, math.ceil(paths * ratio * ratio * (1.0 - 1e-12)))


def _account(
    model: JointModel,
    weights: ArrayLike,
    *,
    initial: float,
    days: int,
    rebalancing: Rebalancing,
    contributions: ArrayLike,
    withdrawals: ArrayLike,
    indexed: bool,
    fee: float,
    cost_bps: float,
    inflation: float,
    goal: float | None,
    ruin: float,
) -> tuple[Account, Floats, Floats]:
    """The checked account; years since the start and price level at each month's end and at the last close."""
    if not (initial > 0.0 and math.isfinite(initial)):
        raise DataError(f"`initial` must be positive; got {initial!r}")
    if initial > _RICHEST:
        raise DataError(f"`initial` must be at most {_RICHEST:g}; got {initial!r}")
    for name, value, high in (("fee", fee, 0.999), ("cost_bps", cost_bps, 1000.0), ("inflation", inflation, 1.0)):
        low = -0.5 if name == "inflation" else 0.0
        if not low <= value <= high:
            raise DataError(f"`{name}` must lie in [{low:g}, {high:g}]; got {value!r}")
    if goal is not None and not (goal >= 0.0 and math.isfinite(goal)):
        raise DataError(f"`goal` must be finite and not negative; got {goal!r}")
    if not 0.0 <= ruin < initial:
        raise DataError(f"`ruin` must lie in [0, initial = {initial:g}); got {ruin!r}")
    if rebalancing not in get_args(Rebalancing):
        raise DataError(f"`rebalancing` must be one of {', '.join(get_args(Rebalancing))}; got {rebalancing!r}")
    months = math.ceil(days / MONTH)
    check_days(model, days)
    times = np.minimum(np.arange(months + 1) * MONTH, days) / DAYS
    prices = np.array([power(1.0 + inflation, t) for t in times])
    growth = prices[1:] if indexed else np.ones(months)
    trades = np.zeros(days, dtype=np.bool_)
    if rebalancing != "none":
        trades[_PERIODS[rebalancing] - 1 : days - 1 : _PERIODS[rebalancing]] = True
    account = Account(
        weights=_weights(weights, model.assets),
        initial=float(initial),
        contributions=_flows("contributions", contributions, months) * growth,
        withdrawals=_flows("withdrawals", withdrawals, months) * growth,
        trades=trades,
        cash=1.0 + model.cash,
        fee=power(1.0 - fee, 1.0 / DAYS),
        cost=cost_bps / BASIS_POINTS,
        ruin=float(ruin),
        years=days / DAYS,
        goal=-1.0 if goal is None else goal * float(prices[-1]),
    )
    return account, times, prices


def _sessions(years: int | None, days: int | None) -> int:
    if (years is None) == (days is None):
        raise DataError(f"one of `years` and `days` must be given; got {years} and {days}")
    if years is not None and not 1 <= years <= _LONGEST:
        raise DataError(f"`years` must lie in [1, {_LONGEST}]; got {years}")
    sessions = years * DAYS if years is not None else days or 0
    if not 1 <= sessions <= _LONGEST * DAYS:
        raise DataError(f"`days` must lie in [1, {_LONGEST * DAYS}]; got {days}")
    return sessions


def _weights(weights: ArrayLike, assets: int) -> Floats:
    array = np.array(weights, dtype=np.float64)
    if array.shape != (assets,):
        raise DataError(f"`weights` must have shape ({assets},), one for each asset; got {array.shape}")
    if not ((array >= 0.0) & (array <= 1.0 + 1e-9)).all():
        i = int((~((array >= 0.0) & (array <= 1.0 + 1e-9))).argmax())
        raise DataError(f"`weights` must lie in [0, 1]; asset {i} has {array[i]!r}")
    total = math.fsum(array)
    if total > 1.0 + 1e-9:
        raise DataError(f"`weights` must sum to at most 1, cash has the rest; got {total!r}")
    return array


def _flows(name: str, values: ArrayLike, months: int) -> Floats:
    array = np.array(values, dtype=np.float64)
    if array.ndim == 0:
        array = np.full(months, float(array))
    if array.shape != (months,):
        raise DataError(f"`{name}` must be one amount or have shape ({months},), one for each month; got {array.shape}")
    if not ((array >= 0.0) & (array < np.inf)).all():
        month = int((~((array >= 0.0) & (array < np.inf))).argmax())
        raise DataError(f"`{name}` must be finite and not negative; month {month} has {array[month]!r}")
    if array.max() > _RICHEST:
        raise DataError(f"`{name}` must be at most {_RICHEST:g}; month {int(array.argmax())} has {array.max()!r}")
    return array


def _run(model: JointModel, account: Account, paths: int, workers: int, cancelled: Callable[[], bool]) -> Sums:
    days, figures = account.trades.size, account.contributions.size + 1 + FIGURES
    centre, deviation = np.empty(figures), np.empty(figures)
    pilot(model.tables, account, days, min(paths, _PILOT), centre, deviation)
    # figures that are all alike are clamped to their extremes; the bins only need a width
    deviation = np.maximum(deviation, 1e-12 * np.maximum(np.abs(centre), 1.0))
    low, width = centre - WIDE * deviation, 2.0 * WIDE * deviation / BINS
    blocks = math.ceil(paths / LANES)
    spans = [(b, min(b + _SPAN, blocks)) for b in range(0, blocks, _SPAN)]
    workers = min(workers, len(spans))
    stores = [empty(figures) for _ in range(workers)]
    free: SimpleQueue[PathStatistics] = SimpleQueue()
    for store in stores:
        free.put(store)

    def work(span: tuple[int, int]) -> tuple[Floats, Floats]:
        if cancelled():
            raise InterruptedError
        mean, spread = np.zeros(figures), np.zeros(figures)
        store = free.get()
        try:
            run_span(model.tables, account, days, *span, paths, low, width, store, mean, spread)
        finally:
            free.put(store)
        return mean, spread

    mean, spread = np.zeros(figures), np.zeros(figures)
    with ThreadPoolExecutor(workers) as pool:
        for (first, last), (some_mean, some_spread) in zip(spans, pool.map(work, spans), strict=True):
            merge(
                float(first * LANES),
                mean,
                spread,
                float(min(paths, last * LANES) - first * LANES),
                some_mean,
                some_spread,
            )
    statistics = stores[0]
    for other in stores[1:]:
        for counts, more in (
            (statistics.counts, other.counts),
            (statistics.zeros, other.zeros),
            (statistics.tallies, other.tallies),
            (statistics.ruined, other.ruined),
        ):
            np.add(counts, more, out=counts)
        np.minimum(statistics.least, other.least, out=statistics.least)
        np.maximum(statistics.largest, other.largest, out=statistics.largest)
    return Sums(paths, statistics, low, width, mean, spread)
