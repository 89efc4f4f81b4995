"""Simulation of many configs over the same paths; stores sums over paths only."""

import math
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

import numpy as np

from quant.numeric.arrays import Floats
from quant.numeric.compilation import compiled
from quant.numeric.errors import DataError
from quant.numeric.measured import Measured
from quant.numeric.random_numbers import LANES
from quant.numeric.thread_count import thread_count
from quant.numeric.units import DAYS
from quant.strategies.blocks import simulate_blocks
from quant.strategies.evaluation import Evaluation
from quant.strategies.kernel import BINS, FALL_BINS, LOSS_BINS, STATISTIC, STATISTICS, Counts
from quant.strategies.metrics import METRICS, Metrics
from quant.strategies.rules import Rules, simulated_trading_days
from quant.worlds.bond import BondModel
from quant.worlds.legs import draw_legs
from quant.worlds.path_store import PathStore, law_digest
from quant.worlds.paths import PathModel

LEVEL = 0.95
GROUP = 16
"""Blocks per group: the blocks of a group are merged first, and a part stores one row per group."""
_GROUP_PATHS = GROUP * LANES


@dataclass(frozen=True)
class Simulation:
    """Sums over paths of K configs in one scenario, in the order of the input.

    Attributes
    ----------
    mean, spread : ndarray, shape (K, STATISTICS)
        Mean of each statistic over paths, and the sum of squared deviations from it.
    losses : ndarray, shape (K, LOSS_BINS)
        Histogram of 21-day returns.
    falls : ndarray, shape (K, FALL_BINS)
        Histogram of drawdowns.
    by_path : ndarray, shape (M, K, P)
        Utility and drawdown of each path; M is 0, 1 or 2, depending on `keep_paths` and `keep_drawdowns`.
    paths, days : int
    """

    mean: Floats
    spread: Floats
    losses: Counts
    falls: Counts
    by_path: Floats
    paths: int
    days: int

    @property
    def utilities(self) -> Floats:
        """Of each path, shape (K, P); (0, 0) if not requested."""
        return self.by_path[0] if self.by_path.shape[0] > 0 else np.empty((0, 0))

    @property
    def drawdowns(self) -> Floats:
        """Of each path, shape (K, P); (0, 0) if not requested."""
        return self.by_path[1] if self.by_path.shape[0] > 1 else np.empty((0, 0))


@dataclass(frozen=True)
class Part:
    """Sums of K configs over each of G groups of 1,024 paths, so that all groups can be merged in their order.

    Attributes
    ----------
    first_block, paths, days : int
        Where it lies, and how many paths it has: the last group of a simulation may be short.
    means, spreads : ndarray, shape (G, K, STATISTICS)
        Of each group: mean of each statistic over its paths, and the sum of squared deviations from it.
    losses : ndarray, shape (K, LOSS_BINS)
        Histogram of 21-day returns.
    falls : ndarray, shape (K, FALL_BINS)
        Histogram of drawdowns.
    """

    first_block: int
    paths: int
    days: int
    means: Floats
    spreads: Floats
    losses: Counts
    falls: Counts


def simulate(
    rules: Rules,
    model: PathModel,
    *,
    paths: int,
    days: int,
    warm_up: int,
    lag: int,
    risk_aversion: float,
    drawdown_limit: float | None = None,
    bond: BondModel | None = None,
    first_block: int = 0,
    offset: int = 0,
    keep_paths: bool = False,
    keep_drawdowns: bool = True,
    store: PathStore | None = None,
    cancelled: Callable[[], bool] = lambda: False,
) -> Simulation:
    """Account for every rule on the same `paths` paths.

    Parameters
    ----------
    rules : Rules
        K configs.
    model : PathModel
    paths, days : int
        Paths, and scored sessions of each.
    warm_up : int
        Unscored sessions before them: the longest lookback of the search plus the lag.
    lag : int
        Sessions between the last return that a decision uses and its trade.
    risk_aversion : float
    drawdown_limit : float, optional
        Drawdown whose breach is counted.
    bond : BondModel, optional
        The safe leg; None for cash. What is borrowed is borrowed in cash, and trades of the bond cost as those of the
        risky leg do.
    first_block : int
        First block of 64 paths; other blocks are other paths.
    offset : int
        Sessions by which the slower frequencies trade earlier.
    keep_paths, keep_drawdowns : bool
        Keep the utility of every config on every path, and the drawdown beside it.
    store : PathStore, optional
        Keeps the drawn paths for the next call; the result is the same without it.
    cancelled : callable
        Asked between blocks; `InterruptedError` is raised when it answers True.

    Returns
    -------
    Simulation
        The same bits for any number of threads: blocks are merged in the order of their index.

    Raises
    ------
    DataError
        If the warm-up is too short for a signal of a rule, which would then look ahead, or a rule uses the range
        of the day's prices or at an implied volatility: simulated worlds have neither.
    """
    _check(rules, warm_up, lag)
    rows = (2 if keep_drawdowns else 1) if keep_paths else 0
    by_path = np.empty((rows, rules.table.shape[0], paths))
    account = _Account(rules, model, bond, days, warm_up, lag, risk_aversion, drawdown_limit or 0.0, offset, store)
    return _unite([account.part(paths, first_block, thread_count(), cancelled, by_path)], by_path)


def simulate_part(
    rules: Rules,
    model: PathModel,
    *,
    paths: int,
    days: int,
    warm_up: int,
    lag: int,
    risk_aversion: float,
    drawdown_limit: float | None = None,
    bond: BondModel | None = None,
    first_block: int = 0,
    workers: int | None = None,
    store: PathStore | None = None,
    cancelled: Callable[[], bool] = lambda: False,
) -> Part:
    """Account for every rule on some of the paths of a simulation; `merge_parts` combines the parts.

    Parameters
    ----------
    rules, model, days, warm_up, lag, risk_aversion, drawdown_limit, bond, store, cancelled
        As in `simulate`.
    paths : int
        Paths of this part: a multiple of 1,024, unless the part is the last one.
    first_block : int
        Its first block of 64 paths, a multiple of 16.
    workers : int, optional
        Threads; by default as many as `threads` says.

    Returns
    -------
    Part

    Raises
    ------
    DataError
        As `simulate`, and if the part begins within a group.
    """
    _check(rules, warm_up, lag)
    if first_block % GROUP:
        raise DataError(f"`first_block` {first_block} lies within a group; expected multiples of {GROUP}")
    account = _Account(rules, model, bond, days, warm_up, lag, risk_aversion, drawdown_limit or 0.0, 0, store)
    return account.part(
        paths, first_block, workers or thread_count(), cancelled, np.empty((0, rules.table.shape[0], paths))
    )


def merge_parts(parts: Sequence[Part]) -> Simulation:
    """Combine the parts of a simulation, with the same bits as `simulate` from block 0 on.

    Parameters
    ----------
    parts : sequence of Part
        In any order; of the same configs and days.

    Returns
    -------
    Simulation
        Without figures by path.

    Raises
    ------
    DataError
        If parts overlap, leave a gap or do not begin with block 0.
    """
    ordered = sorted(parts, key=lambda part: part.first_block)
    if not ordered:
        raise DataError("`parts` is empty; expected at least one")
    count, paths = ordered[0].means.shape[1], 0
    for part in ordered:
        if part.first_block * LANES != paths or paths % _GROUP_PATHS:
            raise DataError(f"`parts` must lie side by side; block {part.first_block} comes after {paths} paths")
        if part.means.shape != (_groups(part.paths), count, STATISTICS) or part.days != ordered[0].days:
            raise DataError("`parts` must be of the same configs and days")
        paths += part.paths
    return _unite(ordered, np.empty((0, count, paths)))


def _unite(parts: Sequence[Part], by_path: Floats) -> Simulation:
    """The simulation of adjacent parts."""
    paths = by_path.shape[2]
    means = np.concatenate([part.means for part in parts])
    mean, spread = np.zeros((1, *means.shape[1:])), np.zeros((1, *means.shape[1:]))
    spreads = np.concatenate([part.spreads for part in parts])
    _merge(means, spreads, 0, _GROUP_PATHS, len(means), paths, mean, spread)
    losses = np.add.reduce([part.losses for part in parts], dtype=np.int32)
    falls = np.add.reduce([part.falls for part in parts], dtype=np.int32)
    return Simulation(mean[0], spread[0], losses, falls, by_path, paths, parts[0].days)


def _groups(paths: int) -> int:
    return math.ceil(paths / _GROUP_PATHS)


def _check(rules: Rules, warm_up: int, lag: int) -> None:
    if rules.external:
        raise DataError(f"estimator {rules.external[0][0]!r} needs data that simulated worlds do not have")
    if warm_up < rules.lookback + lag:
        raise DataError(f"`warm_up` {warm_up} is too short; expected at least {rules.lookback + lag}")


def _spans(blocks: int, workers: int) -> list[tuple[int, int]]:
    size = max(1, min(4, math.ceil(blocks / workers)))
    return [(b, min(b + size, blocks)) for b in range(0, blocks, size)]


@dataclass(frozen=True)
class _Account:
    """Inputs that every block of a simulation shares."""

    rules: Rules
    model: PathModel
    bond: BondModel | None
    days: int
    warm_up: int
    lag: int
    risk_aversion: float
    drawdown_limit: float
    offset: int
    store: PathStore | None

    def part(self, paths: int, first_block: int, workers: int, cancelled: Callable[[], bool], by_path: Floats) -> Part:
        """Sums of paths from block `first_block` on, in the order of the input; fills `by_path`."""
        rules, blocks, groups = self.rules, math.ceil(paths / LANES), _groups(paths)
        count = rules.table.shape[0]
        draw = self._drawing(first_block)

        def work(span: tuple[int, int]) -> tuple[Floats, Floats, Counts, Counts]:
            first, last = span
            if cancelled():
                raise InterruptedError
            lanes = min(paths, last * LANES) - first * LANES
            path_values = np.empty((by_path.shape[0], count, lanes))
            statistics = self.account(*draw(first_block + first, last - first), lanes, path_values)
            if by_path.size:
                by_path[:, rules.order, first * LANES : first * LANES + lanes] = path_values
            return statistics

        losses = np.zeros((count, LOSS_BINS), dtype=np.int32)
        falls = np.zeros((count, FALL_BINS), dtype=np.int32)
        mean, spread = np.zeros((groups, count, STATISTICS)), np.zeros((groups, count, STATISTICS))
        spans = _spans(blocks, workers)
        with ThreadPoolExecutor(workers) as pool:
            for (first, _), (means, spreads, some_losses, some_falls) in zip(spans, pool.map(work, spans), strict=True):
                _merge(means, spreads, first, LANES, GROUP, paths, mean, spread)
                losses += some_losses
                falls += some_falls
        back = np.argsort(rules.order)
        return Part(
            first_block=first_block,
            paths=paths,
            days=self.days,
            means=mean.take(back, axis=1),  # contiguous: a kernel is compiled for each layout that it meets
            spreads=spread.take(back, axis=1),
            losses=losses[back],
            falls=falls[back],
        )

    def _drawing(self, start: int) -> Callable[[int, int], tuple[Floats, Floats]]:
        """Draws the legs of some blocks, from a first one on; those that are kept begin at the block `start`."""
        model, bond, days = self.model, self.bond, self.warm_up + self.days
        if self.store is None:
            return lambda first, blocks: draw_legs(model, bond, days=days, first_block=first, blocks=blocks)
        store, law = self.store, law_digest(model, bond, days)
        store.begin(start)
        return lambda first, blocks: store.legs(law, model, bond, days=days, first_block=first, blocks=blocks)

    def account(
        self, equity: Floats, bonds: Floats, paths: int, path_values: Floats
    ) -> tuple[Floats, Floats, Counts, Counts]:
        """Sums of the first `paths` of these paths, rules in the order of their table; fills `path_values`."""
        rules, blocks, total = self.rules, equity.shape[0], self.warm_up + self.days
        count = rules.table.shape[0]
        means = np.empty((blocks, count, STATISTICS))
        spreads = np.empty((blocks, count, STATISTICS))
        losses = np.zeros((count, LOSS_BINS), dtype=np.int32)
        falls = np.zeros((count, FALL_BINS), dtype=np.int32)
        simulate_blocks(
            rules.table,
            rules.signals,
            rules.looks,
            rules.look_of,
            rules.trades_of,
            simulated_trading_days(total, self.warm_up, self.offset),
            rules.garch,
            rules.hidden,
            equity,
            bonds,
            np.full(total, self.model.cash),
            paths,
            self.warm_up,
            self.lag,
            self.risk_aversion,
            self.drawdown_limit,
            means,
            spreads,
            path_values,
            losses,
            falls,
        )
        return means, spreads, losses, falls


@compiled
def _merge(
    means: Floats, spreads: Floats, first: int, size: int, each: int, paths: int, mean: Floats, spread: Floats
) -> None:
    """Chan, Golub and LeVeque (1983), The American Statistician 37(3), in the order of their index.

    means, spreads (U, K, STATISTICS) of units of `size` of all the `paths`, from unit `first` on; `each` of them join
    one row of mean, spread (R, K, STATISTICS).
    """
    units, count, statistics = means.shape
    for k in range(count):
        for m in range(statistics):
            for u in range(units):
                row, before = (first + u) // each, (first + u) % each
                merged_paths, new_paths = float(size * before), float(min(size, paths - size * (first + u)))
                gap, total_paths = means[u, k, m] - mean[row, k, m], merged_paths + new_paths
                mean[row, k, m] += gap * new_paths / total_paths
                spread[row, k, m] += spreads[u, k, m] + gap * gap * merged_paths * new_paths / total_paths


def evaluations(simulated: Simulation, digests: Sequence[str], scenario: str) -> list[Evaluation]:
    """Metrics of each config with their standard errors.

    Parameters
    ----------
    simulated : Simulation
        Of K configs.
    digests : sequence of str, length K
        Digests of the configs, in the same order.
    scenario : str
        Name of the scenario.

    Returns
    -------
    list of Evaluation, length K
    """
    return [
        Evaluation(
            config=digest,
            scenario=scenario,
            paths=simulated.paths,
            days=simulated.days,
            metrics=_metrics(simulated, k),
        )
        for k, digest in enumerate(digests)
    ]


def _metrics(simulated: Simulation, k: int) -> Metrics:
    return Metrics(
        **{
            name: OVER_PATHS[name](simulated, k) if row.path is None else _mean_over_paths(simulated, k, name)
            for name, row in METRICS.items()
            if not row.for_a_goal
        }
    )


def _mean_over_paths(simulated: Simulation, k: int, name: str) -> Measured:
    statistic, n = STATISTIC[name], simulated.paths
    error = math.sqrt(float(simulated.spread[k, statistic]) / (n - 1) / n)
    return Measured(value=float(simulated.mean[k, statistic]), error=error)


def _pooled_sharpe(simulated: Simulation, k: int) -> Measured:
    mean, square = (float(simulated.mean[k, STATISTIC[name]]) for name in ("mean", "square"))
    variance = max(square - mean * mean, 0.0)
    return Measured(value=mean / math.sqrt(variance) * math.sqrt(DAYS) if variance > 1e-20 else 0.0)


def _quantile(counts: Counts, cumulated: Counts, share: float) -> float:
    """Place, in bins, below which `share` of the sample lies; evenly spread within a bin."""
    rank = min(max(share, 0.0), 1.0) * int(cumulated[-1])
    bin_ = min(int(np.searchsorted(cumulated, rank)), counts.size - 1)
    inside = int(counts[bin_])
    before = int(cumulated[bin_]) - inside
    return bin_ + ((rank - before) / inside if inside else 0.0)


def _measured_quantile(counts: Counts, share: float) -> tuple[float, float]:
    """The quantile and half the distance between those one binomial deviation to either side, in bins."""
    cumulated = np.cumsum(counts)
    width = math.sqrt(share * (1.0 - share) / int(cumulated[-1]))
    lower, upper = (_quantile(counts, cumulated, share + side) for side in (-width, width))
    return _quantile(counts, cumulated, share), 0.5 * (upper - lower)


def _fall_quantile(simulated: Simulation, k: int) -> Measured:
    place, error = _measured_quantile(simulated.falls[k], 0.80)
    return Measured(value=place / BINS, error=error / BINS)


def _value_at_risk(simulated: Simulation, k: int) -> Measured:
    """Of the 21-day returns; the error takes windows as independent."""
    place, error = _measured_quantile(simulated.losses[k], 1.0 - LEVEL)
    return Measured(value=1.0 - place / BINS, error=error / BINS)


def _expected_shortfall(simulated: Simulation, k: int) -> Measured:
    """Of the 21-day returns; the error takes windows as independent."""
    counts, share = simulated.losses[k], 1.0 - LEVEL
    cumulated = np.cumsum(counts)
    place = _quantile(counts, cumulated, share)
    tail = share * int(cumulated[-1])
    mass, moment, square = _tail_moments(counts, place)
    risk = 1.0 - place / BINS
    shortfall = moment / mass if mass > 0.0 else risk
    spread = max(square / mass - shortfall * shortfall, 0.0) if mass > 0.0 else 0.0
    gap = shortfall - risk
    error = math.sqrt((spread + LEVEL * gap * gap) / tail) if tail > 0.0 else 0.0
    return Measured(value=shortfall, error=error)


@compiled
def _tail_moments(counts: Counts, place: float) -> tuple[float, float, float]:
    """Windows below `place` bins, and the sums of their losses and squared losses; a bin counts at its middle."""
    mass, moment, square = 0.0, 0.0, 0.0
    full = int(place)
    for b in range(min(full + 1, counts.size)):
        part = 1.0 if b < full else place - full
        weight = part * counts[b]
        centre = 1.0 - (b + 0.5 * part) / BINS
        mass += weight
        moment += weight * centre
        square += weight * centre * centre
    return mass, moment, square


OVER_PATHS: Final[Mapping[str, Callable[[Simulation, int], Measured]]] = {
    "sharpe_pooled": _pooled_sharpe,
    "max_drawdown_p80": _fall_quantile,
    "value_at_risk": _value_at_risk,
    "expected_shortfall": _expected_shortfall,
}
"""Computes each metric that is no mean over paths, of config k of a simulation."""
