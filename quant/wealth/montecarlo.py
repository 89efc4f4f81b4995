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
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from quant.numeric.arguments import checked_arguments
from quant.numeric.arrays import Floats
from quant.numeric.elementary import power
from quant.numeric.errors import DataError
from quant.numeric.measured import Measured
from quant.numeric.random_numbers import LANES
from quant.numeric.thread_count import thread_count
from quant.numeric.units import DAYS
from quant.wealth.kernel import (
    BINS,
    FIGURES,
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
from quant.wealth.terms import AccountTerms, open_account
from quant.worlds.joint import JointModel

LEVELS: Final = (0.05, 0.25, 0.50, 0.75, 0.95)
MOST_PATHS: Final = 2**31 - 1
"""A bin counts in 32 bits, and all paths may fall into one."""

_SPAN: Final = 16
"""Blocks whose sums are merged first; fixed, so that the number of threads changes no bit."""
_PILOT: Final = 2 * LANES
_MOST_PATHS: Final = 1e15


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
    terms: AccountTerms,
    *,
    paths: int,
    goal: float | None = None,
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
    terms : AccountTerms
    paths : int
        At least 2.
    goal : float, optional
        Target wealth at the end, in the money of the start.
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
    >>> summary = simulate_wealth(model, [0.6], AccountTerms(initial=100_000.0, years=2), paths=1_000)
    >>> summary.bands.shape, bool(summary.terminal.mean.error < 1_000.0)
    ((5, 25), True)
    """
    account, times, prices = open_account(model, weights, terms, goal)
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
    terms: AccountTerms,
    *,
    path: int,
) -> Trajectory:
    """One path of those that `simulate_wealth` summarises under the same arguments.

    Parameters
    ----------
    path : int
        Its number, from 0.
    model, weights, terms
        As in `simulate_wealth`.

    Returns
    -------
    Trajectory

    Raises
    ------
    DataError
        As `simulate_wealth`, or if `path` is negative.
    """
    account, _, _ = open_account(model, weights, terms)
    if not 0 <= path < MOST_PATHS:
        raise DataError(f"`path` must lie in [0, 2**31); got {path}")
    wealth = _trace(model, account, path // LANES)[path % LANES].copy()
    real = wealth / np.array([power(1.0 + terms.inflation, t / DAYS) for t in range(terms.sessions + 1)])
    return Trajectory(path, wealth, real)


@checked_arguments
def trajectories(
    model: JointModel,
    weights: ArrayLike,
    terms: AccountTerms,
    *,
    paths: int,
) -> Floats:
    """Wealth on the first paths of those that `simulate_wealth` summarises under the same arguments.

    Parameters
    ----------
    paths : int
        From the first on, at least 1.
    model, weights, terms
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
    >>> trajectories(model, [0.6], AccountTerms(initial=1_000.0, days=5), paths=3).shape
    (3, 6)
    """
    account, _, _ = open_account(model, weights, terms)
    if not 1 <= paths <= MOST_PATHS:
        raise DataError(f"`paths` must lie in [1, 2**31); got {paths}")
    out = np.empty((paths, terms.sessions + 1))
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
