"""Accounts of many rules over blocks of 64 simulated paths, or over the one path of history."""

import numpy as np

from quant.numeric.arrays import Flags, Floats, Ints
from quant.numeric.compilation import compiled
from quant.numeric.elementary import log
from quant.numeric.random_numbers import LANES
from quant.strategies.choices import EXTERNAL, GARCH
from quant.strategies.kernel import STATISTIC, STATISTICS, Counts, run_rule
from quant.strategies.signals import GARCH_HORIZON, TREND, trend_signal, volatility_signal
from quant.volatility.garch import garch_signal
from quant.worlds.hidden_markov import regime_signal

_UTILITY = STATISTIC["utility"]
_DRAWDOWN = STATISTIC["max_drawdown"]

# rows of the room in which a block is accounted for
_LOGS, _EXCESS, _VOLATILITY, _LOOKED = range(4)

_TURBULENT = np.array([0.0, 1.0])
"""Weights of the two states: the signal is the probability of the more volatile one."""


@compiled
def _repeat(series: Floats, out: Floats) -> None:
    """The same series on every lane."""
    for t in range(out.shape[0]):
        for j in range(out.shape[1]):
            out[t, j] = series[t]


@compiled
def room(looks: Floats, days: int, lanes: int) -> Floats:
    """Scratch memory of `run_block` for its signals, allocated once for many blocks because fresh pages are slow."""
    return np.empty((_LOOKED + looks.shape[0], days, lanes))


@compiled
def run_block(
    rules: Floats,
    signals: Floats,
    looks: Floats,
    look_of: Ints,
    trades_of: Ints,
    trades: Flags,
    garch: Floats,
    hidden: Floats,
    external: Floats,
    returns: Floats,
    cash: Floats,
    bonds: Floats,
    legs: Floats,
    mix: Floats,
    start: int,
    lag: int,
    gamma: float,
    drawdown_limit: float,
    lanes_used: int,
    statistics: Floats,
    losses: Counts,
    falls: Counts,
    series: Floats,
    space: Floats,
) -> None:
    """Account for K rules over one block of paths; rules must be sorted by their row of `signals`.

    rules (K, 10); signals (K, 3): kind, lookback, decay of each rule's volatility, or kind and row of `external`;
    looks (X, 2), look_of (K,): kind and hysteresis of what else is looked at, -1 for nothing; trades (F, T),
    trades_of (K,): days that trade; garch, hidden: parameters of the two fitted models, empty unless a rule needs them;
    external (G, T): volatilities that come from elsewhere; bonds (T, B): returns of the safe leg, empty for cash;
    statistics (K, STATISTICS, B); losses (K, LOSS_BINS); falls (K, FALL_BINS); series (K, 4, T) or empty; space:
    a `room` of this many days and lanes.
    """
    days, lanes = returns.shape
    logs, excess, volatility, observations = space[_LOGS], space[_EXCESS], space[_VOLATILITY], space[_LOOKED:]
    for t in range(days):
        for j in range(lanes):
            logs[t, j] = log(1.0 + returns[t, j])
            excess[t, j] = returns[t, j] - cash[t]
    for x in range(looks.shape[0]):
        if looks[x, 0] == TREND:
            trend_signal(looks[x, 1], logs, observations[x])
        else:
            regime_signal(hidden, _TURBULENT, logs, observations[x])
    none = np.empty((0, 0))
    volatility[:] = 0.0
    for k in range(rules.shape[0]):
        kind, length, decay = signals[k, 0], signals[k, 1], signals[k, 2]
        if kind >= 0.0 and (
            k == 0 or kind != signals[k - 1, 0] or length != signals[k - 1, 1] or decay != signals[k - 1, 2]
        ):
            if kind == GARCH:
                garch_signal(garch, logs, GARCH_HORIZON, volatility)
            elif kind == EXTERNAL:
                _repeat(external[int(length)], volatility)
            else:
                volatility_signal(int(kind), int(length), decay, logs, excess, volatility)
        run_rule(
            rules[k],
            returns,
            cash,
            bonds,
            volatility,
            observations[look_of[k]] if look_of[k] >= 0 else volatility,
            trades[trades_of[k]],
            legs,
            mix,
            start,
            lag,
            gamma,
            drawdown_limit,
            lanes_used,
            statistics[k],
            losses[k],
            falls[k],
            series[k] if series.size > 0 else none,
        )


@compiled
def simulate_blocks(
    rules: Floats,
    signals: Floats,
    looks: Floats,
    look_of: Ints,
    trades_of: Ints,
    trades: Flags,
    garch: Floats,
    hidden: Floats,
    equity: Floats,
    bonds: Floats,
    cash: Floats,
    paths: int,
    start: int,
    lag: int,
    gamma: float,
    drawdown_limit: float,
    means: Floats,
    spreads: Floats,
    by_path: Floats,
    losses: Counts,
    falls: Counts,
) -> None:
    """Account for K rules over the first `paths` of the paths of `equity` (blocks, T, 64).

    bonds (blocks, T, 64): returns of the safe leg on the same paths, empty for cash.

    Writes, per block, the mean of each statistic over its paths and the sum of squared deviations from it:
    means, spreads (blocks, K, STATISTICS); adds to losses, falls (K, bins); writes by_path (1 or 2, K, paths), utility
    and drawdown of every path, unless it is empty.
    """
    days = cash.size
    count = rules.shape[0]
    statistics = np.empty((count, STATISTICS, LANES))
    nothing = np.empty((0, 0, 0))
    none = np.empty((0, 0))
    space = room(looks, days, LANES)
    for b in range(means.shape[0]):
        lanes = min(LANES, paths - b * LANES)
        statistics[:] = 0.0
        run_block(
            rules,
            signals,
            looks,
            look_of,
            trades_of,
            trades,
            garch,
            hidden,
            none,
            equity[b],
            cash,
            bonds[b] if bonds.shape[0] > 0 else none,
            none,
            none,
            start,
            lag,
            gamma,
            drawdown_limit,
            lanes,
            statistics,
            losses,
            falls,
            nothing,
            space,
        )
        for k in range(count):
            for m in range(STATISTICS):
                mean = 0.0
                for j in range(lanes):
                    mean += statistics[k, m, j]
                mean /= lanes
                spread = 0.0
                for j in range(lanes):
                    spread += (statistics[k, m, j] - mean) * (statistics[k, m, j] - mean)
                means[b, k, m] = mean
                spreads[b, k, m] = spread
            if by_path.size > 0:
                for j in range(lanes):
                    by_path[0, k, b * LANES + j] = statistics[k, _UTILITY, j]
                if by_path.shape[0] > 1:
                    for j in range(lanes):
                        by_path[1, k, b * LANES + j] = statistics[k, _DRAWDOWN, j]
