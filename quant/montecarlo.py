"""What becomes of money in a portfolio: contributions, withdrawals, fees, costs and inflation on simulated paths.

A year has 12 months of 21 sessions. At each close the holdings have earned the day's returns and paid the fee; at a
month's end the contribution comes in and the withdrawal goes out; then, where rebalancing is due, the weights are
restored. The cost of trading is `cost_bps` of the money bought and sold in risky legs, by rebalancing and by flows; it
is taken from all legs alike. Between these dates holdings drift. The start is free of cost, and at the last close
nothing is rebalanced. Where a flow meets no rebalancing, what comes in on balance buys at the target weights, and what
goes out sells alike from all legs.
"""

import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from queue import SimpleQueue
from typing import Final, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from quant.elementary import exp, power
from quant.errors import DataError
from quant.evaluation import Measured
from quant.joint import JointModel, check_days
from quant.joint_engines import DAYS
from quant.random import LANES
from quant.simulation import threads as available_threads
from quant.wealth import (
    BINS,
    FIGURES,
    GOAL,
    GROWTH,
    KEPT,
    LOSS,
    MONTH,
    MULTIPLE,
    RUIN,
    WIDE,
    Account,
    Kept,
    empty,
    merge,
    pilot,
    run_block,
    run_span,
)

Floats: TypeAlias = NDArray[np.float64]
Rebalancing: TypeAlias = Literal["daily", "weekly", "monthly", "quarterly", "yearly", "none"]

LEVELS: Final = (0.05, 0.25, 0.50, 0.75, 0.95)
TAILS: Final = (0.95, 0.99)
MONTHS: Final = 12
MOST_PATHS: Final = 2**31

_PERIODS: Final[dict[Rebalancing, int]] = {
    "daily": 1,
    "weekly": 5,
    "monthly": MONTH,
    "quarterly": 3 * MONTH,
    "yearly": DAYS,
}
_SPAN: Final = 16
"""Blocks whose sums are merged before they join the others: fixed, so that the number of threads changes no bit."""
_PILOT: Final = 2 * LANES


@dataclass(frozen=True)
class Distribution:
    """Of one figure over paths.

    Attributes
    ----------
    mean, median : Measured
    deviation : float
        Sample deviation over paths.
    levels : tuple of float
    percentiles : tuple of Measured
        At `levels`.
    minimum, maximum : float
    """

    mean: Measured
    median: Measured
    deviation: float
    levels: tuple[float, ...]
    percentiles: tuple[Measured, ...]
    minimum: float
    maximum: float


@dataclass(frozen=True)
class TerminalRisk:
    """Loss over the whole horizon, a fraction of the money paid in; negative where even the tail gains.

    Attributes
    ----------
    level : float
    value_at_risk : Measured
        Loss that is exceeded with probability 1 - level.
    expected_shortfall : Measured
        Mean loss beyond it (CVaR).
    """

    level: float
    value_at_risk: Measured
    expected_shortfall: Measured


@dataclass(frozen=True, eq=False)
class WealthSummary:
    """Distribution of wealth; every estimate with its Monte Carlo standard error.

    Attributes
    ----------
    paths : int
    times : ndarray, shape (M + 1,)
        Years since the start, month by month.
    levels : tuple of float, length Q
    bands, bands_real : ndarray, shape (Q, M + 1)
        Percentiles of wealth at each date, in the money of the date and in that of the start.
    mean, mean_real : ndarray, shape (M + 1,)
    terminal, terminal_real : Distribution
        Wealth at the end.
    loss_probability : Measured
        Of getting less out, what was withdrawn and what is left together, than was paid in; nominal.
    ruin_probability : Measured
    ruin_by : ndarray, shape (M + 1,)
        Probability that ruin came until each date.
    goal_probability : Measured or None
    risks : tuple of TerminalRisk
        At 95% and 99%.
    drawdown : Distribution
        Deepest fall of the value of one unit from its peak, a positive fraction: after fees and costs, flows apart.
    growth : Distribution
        Yearly growth of one unit (CAGR) over the whole horizon, time-weighted; it stands still once the account is
        closed.
    """

    paths: int
    times: Floats
    levels: tuple[float, ...]
    bands: Floats
    bands_real: Floats
    mean: Floats
    mean_real: Floats
    terminal: Distribution
    terminal_real: Distribution
    loss_probability: Measured
    ruin_probability: Measured
    ruin_by: Floats
    goal_probability: Measured | None
    risks: tuple[TerminalRisk, ...]
    drawdown: Distribution
    growth: Distribution


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


def simulate_wealth(
    model: JointModel,
    weights: ArrayLike,
    *,
    initial: float,
    years: int,
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
    paths : int
        At least 2.
    rebalancing : {"daily", "weekly", "monthly", "quarterly", "yearly", "none"}
        Every 1, 5, 21, 63 or 252 sessions.
    contributions, withdrawals : array_like, scalar or shape (12 * years,)
        Money at each month's end, not negative. A withdrawal takes what is there and no more.
    indexed : bool
        Contributions and withdrawals are in the money of the start and grow with inflation.
    fee : float
        A year, fraction of wealth, in [0, 1): every day leaves (1 - fee) ** (1 / 252).
    cost_bps : float
        Hundredths of a percent of the money traded, 0 to 1000.
    inflation : float
        A year, in (-0.5, 1].
    goal : float, optional
        Wealth wanted at the end, in the money of the start.
    ruin : float
        Wealth at or below which, at any close, the account is closed: its value stays, nothing is paid in or out any
        more. At 0 only withdrawals ruin.
    levels : tuple of float
        Of the percentiles, increasing, within (0, 1).
    threads : int, optional
        By default every core, or NUMBA_NUM_THREADS.
    cancelled : callable
        Asked between spans of 1,024 paths; `InterruptedError` is raised when it answers True.

    Returns
    -------
    WealthSummary

    Raises
    ------
    DataError
        If an argument is not finite, out of its range or of the wrong shape.

    Examples
    --------
    >>> from quant.joint import joint_model
    >>> model = joint_model("gbm", mu=[0.07], sigma=[0.16], cash_rate=0.02, seed=1)
    >>> summary = simulate_wealth(model, [0.6], initial=100_000.0, years=2, paths=1_000)
    >>> summary.bands.shape, bool(summary.terminal.mean.error < 1_000.0)
    ((5, 25), True)
    """
    account, prices, days = _account(
        model,
        weights,
        initial=initial,
        years=years,
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
        raise DataError(f"`paths` must lie in [2, 2**31]; got {paths}")
    if not levels or not all(a < b for a, b in pairwise((0.0, *levels, 1.0))):
        raise DataError(f"`levels` must increase within (0, 1); got {levels}")
    if threads is not None and threads < 1:
        raise DataError(f"`threads` must be positive; got {threads}")
    sums = _run(model, account, days, paths, threads or available_threads(), cancelled)
    return _summary(sums, prices, levels, with_goal=goal is not None)


def trajectory(
    model: JointModel,
    weights: ArrayLike,
    *,
    path: int,
    initial: float,
    years: int,
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
    model, weights, initial, years, rebalancing, contributions, withdrawals, indexed, fee, cost_bps, inflation, ruin
        As in `simulate_wealth`.
    path : int
        Its number, from 0.

    Returns
    -------
    Trajectory

    Raises
    ------
    DataError
        As `simulate_wealth`, or if `path` is negative.
    """
    account, _, days = _account(
        model,
        weights,
        initial=initial,
        years=years,
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
    trace = np.empty((days + 1, LANES))
    months = years * MONTHS
    first = path - path % LANES
    run_block(model.tables, account, first, days, np.empty((months + 1, LANES)), np.empty((4, LANES)), trace)
    wealth = trace[:, path - first].copy()
    real = wealth / np.array([power(1.0 + inflation, t / DAYS) for t in range(days + 1)])
    return Trajectory(path, wealth, real)


def paths_for_error(measured: Measured, *, paths: int, target: float) -> int:
    """Paths that bring the standard error of an estimate down to `target`: errors fall with the root of the number.

    Parameters
    ----------
    measured : Measured
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
    if measured.error is None:
        raise DataError("`measured` has no standard error")
    if not (target > 0.0 and math.isfinite(target)):
        raise DataError(f"`target` must be positive; got {target!r}")
    if paths < 2:
        raise DataError(f"`paths` must be at least 2; got {paths}")
    ratio = measured.error / target
    # rounding of the ratio must not ask for one path more
    return max(2, math.ceil(paths * ratio * ratio * (1.0 - 1e-12)))


def _account(
    model: JointModel,
    weights: ArrayLike,
    *,
    initial: float,
    years: int,
    rebalancing: Rebalancing,
    contributions: ArrayLike,
    withdrawals: ArrayLike,
    indexed: bool,
    fee: float,
    cost_bps: float,
    inflation: float,
    goal: float | None,
    ruin: float,
) -> tuple[Account, Floats, int]:
    """The checked account, the price level of each month, and the number of sessions."""
    if not 1 <= years <= 100:
        raise DataError(f"`years` must lie in [1, 100]; got {years}")
    if not (initial > 0.0 and math.isfinite(initial)):
        raise DataError(f"`initial` must be positive; got {initial!r}")
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
    months, days = years * MONTHS, years * DAYS
    check_days(model, days)
    prices = np.array([power(1.0 + inflation, m / MONTHS) for m in range(months + 1)])
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
        cost=cost_bps / 1e4,
        ruin=float(ruin),
        years=float(years),
        goal=-1.0 if goal is None else goal * float(prices[-1]),
    )
    return account, prices, days


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
    return array


@dataclass(frozen=True, eq=False)
class _Sums:
    """All paths together."""

    paths: int
    kept: Kept
    low: Floats
    width: Floats
    mean: Floats
    spread: Floats


def _run(
    model: JointModel, account: Account, days: int, paths: int, workers: int, cancelled: Callable[[], bool]
) -> _Sums:
    figures = account.contributions.size + 1 + FIGURES
    centre, deviation = np.empty(figures), np.empty(figures)
    pilot(model.tables, account, days, min(paths, _PILOT), centre, deviation)
    # figures that are all alike are clamped to their extremes; the bins only need a width
    deviation = np.maximum(deviation, 1e-12 * np.maximum(np.abs(centre), 1.0))
    low, width = centre - WIDE * deviation, 2.0 * WIDE * deviation / BINS
    blocks = math.ceil(paths / LANES)
    spans = [(b, min(b + _SPAN, blocks)) for b in range(0, blocks, _SPAN)]
    workers = min(workers, len(spans))
    stores = [empty(figures) for _ in range(workers)]
    free: SimpleQueue[Kept] = SimpleQueue()
    for store in stores:
        free.put(store)

    def work(span: tuple[int, int]) -> tuple[Floats, Floats]:
        if cancelled():
            raise InterruptedError
        mean, spread = np.zeros(figures), np.zeros(figures)
        store = free.get()
        run_span(model.tables, account, days, *span, paths, low, width, store, mean, spread)
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
    kept = stores[0]
    for other in stores[1:]:
        for counts, more in (
            (kept.counts, other.counts),
            (kept.zeros, other.zeros),
            (kept.tallies, other.tallies),
            (kept.ruined, other.ruined),
        ):
            np.add(counts, more, out=counts)
        np.minimum(kept.least, other.least, out=kept.least)
        np.maximum(kept.largest, other.largest, out=kept.largest)
    return _Sums(paths, kept, low, width, mean, spread)


def _quantile(sums: _Sums, v: int, share: float) -> float:
    """Value below which `share` of the paths lie, evenly spread over the logarithms within a bin."""
    wanted = min(max(share, 0.0), 1.0) * sums.paths - float(sums.kept.zeros[v])
    if wanted <= 0.0 and sums.kept.zeros[v] > 0:
        return 0.0
    cumulated = np.cumsum(sums.kept.counts[v])
    place = min(int(np.searchsorted(cumulated, wanted)), BINS - 1)
    inside = int(sums.kept.counts[v, place])
    part = (wanted - (int(cumulated[place]) - inside)) / inside if inside else 0.0
    value = exp(float(sums.low[v]) + (place + part) * float(sums.width[v]))
    return min(max(value, float(sums.kept.least[v])), float(sums.kept.largest[v]))


def _measured_quantile(sums: _Sums, v: int, share: float) -> Measured:
    """The error is half the distance between the quantiles one binomial deviation to either side."""
    step = math.sqrt(share * (1.0 - share) / sums.paths)
    above, below = _quantile(sums, v, share + step), _quantile(sums, v, share - step)
    return Measured(value=_quantile(sums, v, share), error=0.5 * (above - below))


def _distribution(sums: _Sums, v: int, levels: tuple[float, ...]) -> Distribution:
    deviation = math.sqrt(float(sums.spread[v]) / (sums.paths - 1))
    return Distribution(
        mean=Measured(value=float(sums.mean[v]), error=deviation / math.sqrt(sums.paths)),
        median=_measured_quantile(sums, v, 0.5),
        deviation=deviation,
        levels=levels,
        percentiles=tuple(_measured_quantile(sums, v, q) for q in levels),
        minimum=float(sums.kept.least[v]),
        maximum=float(sums.kept.largest[v]),
    )


def _mapped(found: Distribution, scale: float, shift: float) -> Distribution:
    """Of scale x + shift; a negative scale turns the order round."""

    def of(measured: Measured) -> Measured:
        return Measured(value=scale * measured.value + shift, error=abs(scale) * (measured.error or 0.0))

    ends = sorted((scale * found.minimum + shift, scale * found.maximum + shift))
    return Distribution(
        mean=of(found.mean),
        median=of(found.median),
        deviation=abs(scale) * found.deviation,
        levels=found.levels,
        percentiles=tuple(of(p) for p in found.percentiles),
        minimum=ends[0],
        maximum=ends[1],
    )


def _probability(count: int, paths: int) -> Measured:
    """Where none or all of the paths are hit, the error is that of the count one path further in: about 1 / paths."""
    share = count / paths
    used = share if 0 < count < paths else 1.0 / (paths + 2.0)
    return Measured(value=share, error=math.sqrt(used * (1.0 - used) / paths))


def _risk(sums: _Sums, v: int, level: float) -> TerminalRisk:
    """Loss 1 - multiple beyond its quantile; a bin counts at the middle of its logarithms."""
    quantile = _measured_quantile(sums, v, 1.0 - level)
    tail = (1.0 - level) * sums.paths
    left = tail
    moment = square = 0.0
    least, largest = float(sums.kept.least[v]), float(sums.kept.largest[v])
    for b in range(-1, BINS):
        count = int(sums.kept.zeros[v] if b < 0 else sums.kept.counts[v, b])
        if count == 0:
            continue
        part = min(1.0, left / count)
        centre = 0.0 if b < 0 else exp(float(sums.low[v]) + (b + 0.5 * part) * float(sums.width[v]))
        loss = 1.0 - min(max(centre, least), largest)
        moment += part * count * loss
        square += part * count * loss * loss
        left -= part * count
        if left <= 0.0:
            break
    shortfall = moment / tail
    gap = shortfall - (1.0 - quantile.value)
    spread = max(square / tail - shortfall * shortfall, 0.0)
    return TerminalRisk(
        level=level,
        value_at_risk=Measured(value=1.0 - quantile.value, error=quantile.error),
        expected_shortfall=Measured(value=shortfall, error=math.sqrt((spread + level * gap * gap) / tail)),
    )


def _summary(sums: _Sums, prices: Floats, levels: tuple[float, ...], *, with_goal: bool) -> WealthSummary:
    months = prices.size - 1
    bands = np.array([[_quantile(sums, m, q) for m in range(months + 1)] for q in levels])
    terminal = _distribution(sums, months, levels)
    fallen = _distribution(sums, months + KEPT, tuple(1.0 - q for q in reversed(levels)))
    drawdown = _mapped(fallen, -1.0, 1.0)
    tallies = sums.kept.tallies
    return WealthSummary(
        paths=sums.paths,
        times=np.arange(months + 1) / MONTHS,
        levels=levels,
        bands=bands,
        bands_real=bands / prices,
        mean=sums.mean[: months + 1].copy(),
        mean_real=sums.mean[: months + 1] / prices,
        terminal=terminal,
        terminal_real=_mapped(terminal, 1.0 / float(prices[-1]), 0.0),
        loss_probability=_probability(int(tallies[LOSS]), sums.paths),
        ruin_probability=_probability(int(tallies[RUIN]), sums.paths),
        ruin_by=np.cumsum(sums.kept.ruined) / sums.paths,
        goal_probability=_probability(int(tallies[GOAL]), sums.paths) if with_goal else None,
        risks=tuple(_risk(sums, months + MULTIPLE, level) for level in TAILS),
        drawdown=Distribution(
            mean=drawdown.mean,
            median=drawdown.median,
            deviation=drawdown.deviation,
            levels=levels,
            percentiles=tuple(reversed(drawdown.percentiles)),
            minimum=drawdown.minimum,
            maximum=drawdown.maximum,
        ),
        growth=_mapped(_distribution(sums, months + GROWTH, levels), 1.0, -1.0),
    )
