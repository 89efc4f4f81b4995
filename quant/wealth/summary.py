"""The distribution of wealth on simulated paths, from their statistics."""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from quant.numeric.arrays import Floats
from quant.numeric.elementary import exp
from quant.numeric.measured import Measured
from quant.wealth.kernel import BINS, GOAL, GROWTH, LOSS, LOWEST_SHARE, MULTIPLE, RUIN, PathStatistics

_TAILS: Final = (0.95, 0.99)


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
        Years since the start, month by month; the last close, where it ends no month, comes last.
    levels : tuple of float, length Q
    bands, bands_real : ndarray, shape (Q, M + 1)
        Percentiles of wealth at each date, in the money of the date and in that of the start.
    mean, mean_real : ndarray, shape (M + 1,)
    terminal, terminal_real : Distribution
        Wealth at the end.
    gain : Distribution
        Money out, what was withdrawn and what is left together, over the money paid in, minus 1; nominal.
    gain_deviation : Measured
        Its deviation over paths.
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
        Yearly growth of one unit (CAGR) over the whole horizon, time-weighted; it stops once the account is
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
    gain: Distribution
    gain_deviation: Measured
    loss_probability: Measured
    ruin_probability: Measured
    ruin_by: Floats
    goal_probability: Measured | None
    risks: tuple[TerminalRisk, ...]
    drawdown: Distribution
    growth: Distribution


@dataclass(frozen=True, eq=False)
class Sums:
    """All paths together: statistics of each figure, where its bins lie, its mean and sum of squared deviations."""

    paths: int
    statistics: PathStatistics
    low: Floats
    width: Floats
    mean: Floats
    spread: Floats


def _quantile(sums: Sums, v: int, share: float) -> float:
    """Value below which `share` of the paths lie, evenly spread over the logarithms within a bin."""
    rank = min(max(share, 0.0), 1.0) * sums.paths - float(sums.statistics.zeros[v])
    if rank <= 0.0 and sums.statistics.zeros[v] > 0:
        return 0.0
    cumulated = np.cumsum(sums.statistics.counts[v])
    place = min(int(np.searchsorted(cumulated, rank)), BINS - 1)
    inside = int(sums.statistics.counts[v, place])
    part = (rank - (int(cumulated[place]) - inside)) / inside if inside else 0.0
    value = exp(float(sums.low[v]) + (place + part) * float(sums.width[v]))
    return min(max(value, float(sums.statistics.least[v])), float(sums.statistics.largest[v]))


def _measured_quantile(sums: Sums, v: int, share: float) -> Measured:
    """The error is half the distance between the quantiles one binomial deviation to either side."""
    step = math.sqrt(share * (1.0 - share) / sums.paths)
    above, below = _quantile(sums, v, share + step), _quantile(sums, v, share - step)
    return Measured(value=_quantile(sums, v, share), error=0.5 * (above - below))


def _distribution(sums: Sums, v: int, levels: tuple[float, ...]) -> Distribution:
    deviation = math.sqrt(float(sums.spread[v]) / (sums.paths - 1))
    return Distribution(
        mean=Measured(value=float(sums.mean[v]), error=deviation / math.sqrt(sums.paths)),
        median=_measured_quantile(sums, v, 0.5),
        deviation=deviation,
        levels=levels,
        percentiles=tuple(_measured_quantile(sums, v, q) for q in levels),
        minimum=float(sums.statistics.least[v]),
        maximum=float(sums.statistics.largest[v]),
    )


def _measured_deviation(sums: Sums, v: int) -> Measured:
    """The error is sqrt((m4 - m2**2) / (4 m2 paths)); bins count at their middle in the fourth moment."""
    variance = float(sums.spread[v]) / (sums.paths - 1)
    if variance == 0.0:
        return Measured(value=0.0, error=0.0)
    least, largest = float(sums.statistics.least[v]), float(sums.statistics.largest[v])
    mean, scale = float(sums.mean[v]), math.sqrt(variance)
    fourth = float(sums.statistics.zeros[v]) * _fourth_power(mean / scale)
    for b in np.flatnonzero(sums.statistics.counts[v]):
        centre = exp(float(sums.low[v]) + (float(b) + 0.5) * float(sums.width[v]))
        fourth += int(sums.statistics.counts[v, b]) * _fourth_power((min(max(centre, least), largest) - mean) / scale)
    kurtosis = max(fourth / sums.paths, 1.0)
    return Measured(value=scale, error=scale * math.sqrt((kurtosis - 1.0) / (4.0 * sums.paths)))


def _map_distribution(distribution: Distribution, scale: float, shift: float) -> Distribution:
    """Of scale x + shift; a negative scale turns the order round."""

    def of(estimate: Measured) -> Measured:
        return Measured(value=scale * estimate.value + shift, error=abs(scale) * (estimate.error or 0.0))

    ends = sorted((scale * distribution.minimum + shift, scale * distribution.maximum + shift))
    return Distribution(
        mean=of(distribution.mean),
        median=of(distribution.median),
        deviation=abs(scale) * distribution.deviation,
        levels=distribution.levels,
        percentiles=tuple(of(p) for p in distribution.percentiles),
        minimum=ends[0],
        maximum=ends[1],
    )


def _probability(count: int, paths: int) -> Measured:
    """Where none or all of the paths are hit, the error is that of the count one path further in: about 1 / paths."""
    share = count / paths
    bounded_share = share if 0 < count < paths else 1.0 / (paths + 2.0)
    return Measured(value=share, error=math.sqrt(bounded_share * (1.0 - bounded_share) / paths))


def _risk(sums: Sums, v: int, level: float) -> TerminalRisk:
    """Loss 1 - multiple beyond its quantile; a bin counts at the middle of its logarithms."""
    quantile = _measured_quantile(sums, v, 1.0 - level)
    tail = (1.0 - level) * sums.paths
    remaining = tail
    moment = square = 0.0
    least, largest = float(sums.statistics.least[v]), float(sums.statistics.largest[v])
    for b in range(-1, BINS):
        count = int(sums.statistics.zeros[v] if b < 0 else sums.statistics.counts[v, b])
        if count == 0:
            continue
        part = min(1.0, remaining / count)
        centre = 0.0 if b < 0 else exp(float(sums.low[v]) + (b + 0.5 * part) * float(sums.width[v]))
        loss = 1.0 - min(max(centre, least), largest)
        moment += part * count * loss
        square += part * count * loss * loss
        remaining -= part * count
        if remaining <= 0.0:
            break
    shortfall = moment / tail
    gap = shortfall - (1.0 - quantile.value)
    spread = max(square / tail - shortfall * shortfall, 0.0)
    return TerminalRisk(
        level=level,
        value_at_risk=Measured(value=1.0 - quantile.value, error=quantile.error),
        expected_shortfall=Measured(value=shortfall, error=math.sqrt((spread + level * gap * gap) / tail)),
    )


def summarise(
    sums: Sums, times: Floats, prices: Floats, levels: tuple[float, ...], *, with_goal: bool
) -> WealthSummary:
    """Every figure with its Monte Carlo standard error; `prices`, shape (M + 1,), is the price level at `times`."""
    months = prices.size - 1
    bands = np.array([[_quantile(sums, m, q) for m in range(months + 1)] for q in levels])
    terminal = _distribution(sums, months, levels)
    fallen = _distribution(sums, months + LOWEST_SHARE, tuple(1.0 - q for q in reversed(levels)))
    drawdown = _map_distribution(fallen, -1.0, 1.0)
    tallies = sums.statistics.tallies
    return WealthSummary(
        paths=sums.paths,
        times=times,
        levels=levels,
        bands=bands,
        bands_real=bands / prices,
        mean=sums.mean[: months + 1].copy(),
        mean_real=sums.mean[: months + 1] / prices,
        terminal=terminal,
        terminal_real=_map_distribution(terminal, 1.0 / float(prices[-1]), 0.0),
        gain=_map_distribution(_distribution(sums, months + MULTIPLE, levels), 1.0, -1.0),
        gain_deviation=_measured_deviation(sums, months + MULTIPLE),
        loss_probability=_probability(int(tallies[LOSS]), sums.paths),
        ruin_probability=_probability(int(tallies[RUIN]), sums.paths),
        ruin_by=np.cumsum(sums.statistics.ruined) / sums.paths,
        goal_probability=_probability(int(tallies[GOAL]), sums.paths) if with_goal else None,
        risks=tuple(_risk(sums, months + MULTIPLE, level) for level in _TAILS),
        drawdown=Distribution(
            mean=drawdown.mean,
            median=drawdown.median,
            deviation=drawdown.deviation,
            levels=levels,
            percentiles=tuple(reversed(drawdown.percentiles)),
            minimum=drawdown.minimum,
            maximum=drawdown.maximum,
        ),
        growth=_map_distribution(_distribution(sums, months + GROWTH, levels), 1.0, -1.0),
    )


def _fourth_power(x: float) -> float:
    return (x * x) * (x * x)
