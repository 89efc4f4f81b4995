"""The compiled heart: what a rule holds each day, what that earns, on 64 paths at once.

One function, `run_rule`, keeps the accounts of a rule over a block of paths; simulations call it with 64 lanes and
history with one. Signals at day t are built from returns through t; a rule that trades at the close of day t is handed
the signals of day t - lag and nothing later.
"""

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from quant.compiled import compiled
from quant.elementary import Word, exp, log
from quant.paths import fill_block
from quant.random import LANES
from quant.strategy import LOCKED_DAYS, LOCKED_WEIGHT, MOMENTUM_SKIP, TREND_DAYS

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Counts = NDArray[np.int32]
Flags = NDArray[np.bool_]

DAYS: Final = 252
WINDOW: Final = 21
"""Sessions of a value-at-risk window."""
LOSS_BINS: Final = 5120
"""Bins of 1/4096 for 21-day returns from -1; the last holds everything above 0.25."""
FALL_BINS: Final = 4096
"""Bins of 1/4096 for drawdowns from 0 to 1."""
BINS: Final = 4096.0

AVERAGE_START: Final = 21
"""Sessions whose squares, evenly weighted, start an exponentially weighted average."""

_SMALLEST_VOLATILITY: Final = 1e-6
_RUIN: Final = 1e-3
"""What is left, at the least, of a leveraged position after one day."""
_LOCKED_DAYS: Final = LOCKED_DAYS
_LOCKED_WEIGHT: Final = LOCKED_WEIGHT
_SHORT, _LONG, _YEAR = TREND_DAYS
_SKIP: Final = MOMENTUM_SKIP

# columns of a rule
FUNCTION, BAND, TARGET, LOWEST, HIGHEST, CHANGE, FIRST, SECOND, COST, BORROW = range(10)
RULE_COLUMNS: Final = 10

# rows of the statistics of a path
(
    UTILITY,
    EXCESS,
    GROWTH,
    VOLATILITY,
    SHARPE,
    DRAWDOWN,
    TURNOVER,
    COSTS,
    WEIGHT,
    WEIGHT_DEVIATION,
    LARGEST,
    LOSS,
    BREACH,
    LOCKED,
    MEAN,
    SQUARE,
) = range(16)
STATISTICS: Final = 16

# rows of the accounts
(
    _HELD,
    _STEP,
    _PAID,
    _EXCESS,
    _SUM,
    _SUM2,
    _WEALTH,
    _MARK,
    _DEPTH,
    _DEEPEST,
    _SUM_WEIGHT,
    _SUM_WEIGHT2,
    _LARGEST_WEIGHT,
    _TRADED,
    _CHARGED,
    _IDLE,
    _FLOOR,
    _PEAK,
    _WANTED,
    _MOVE,
    _DISTANCE,
    _RISKY,
    _LOCKED,
) = range(23)


@compiled
def volatility_signal(  # noqa: C901  (one loop per estimator)
    kind: int, lookback: int, decay: float, logs: Floats, excess: Floats, out: Floats
) -> None:
    """Annual volatility through each day, shapes (T, B); days before the window is full hold the first full value.

    kind 0: sample deviation of log returns over `lookback`; 1: exponentially weighted; 2: the larger of two such,
    the slower decaying at (1 + decay) / 2; 3: downside semideviation of excess returns, times the square root of 2.
    """
    days, lanes = logs.shape
    first = np.zeros(lanes)
    second = np.zeros(lanes)
    if kind == 0:
        n = float(lookback)
        for t in range(days):
            if t >= lookback:
                for j in range(lanes):
                    first[j] -= logs[t - lookback, j]
                    second[j] -= logs[t - lookback, j] * logs[t - lookback, j]
            for j in range(lanes):
                first[j] += logs[t, j]
                second[j] += logs[t, j] * logs[t, j]
                variance = (second[j] - first[j] * first[j] / n) / (n - 1.0)
                out[t, j] = math.sqrt(DAYS * max(variance, 0.0))
    elif kind == 3:
        n = float(lookback)
        for t in range(days):
            if t >= lookback:
                for j in range(lanes):
                    old = min(excess[t - lookback, j], 0.0)
                    first[j] -= old * old
            for j in range(lanes):
                new = min(excess[t, j], 0.0)
                first[j] += new * new
                out[t, j] = math.sqrt(2.0 * DAYS * max(first[j], 0.0) / n)
    else:
        slow = 0.5 * (1.0 + decay)
        for t in range(days):
            for j in range(lanes):
                square = logs[t, j] * logs[t, j]
                if t < AVERAGE_START:
                    first[j] += square / AVERAGE_START
                    second[j] = first[j]
                else:
                    first[j] = decay * first[j] + (1.0 - decay) * square
                    second[j] = slow * second[j] + (1.0 - slow) * square
                level = max(first[j], second[j]) if kind == 2 else first[j]
                out[t, j] = math.sqrt(DAYS * level)
        lookback = AVERAGE_START
    for t in range(min(lookback - 1, days)):
        for j in range(lanes):
            out[t, j] = out[min(lookback, days) - 1, j]


@compiled
def trend_signal(hysteresis: float, logs: Floats, out: Floats) -> None:
    """Share of three signals that are on, shapes (T, B): price above its 50 and 200 session means, 12-1 momentum.

    A signal goes on above 1 + hysteresis times its reference and off below 1 - hysteresis times it.
    """
    days, lanes = logs.shape
    price = np.empty((days, lanes))
    level = np.zeros(lanes)
    short = np.zeros(lanes)
    long = np.zeros(lanes)
    state = np.zeros((3, lanes))
    above, below = 1.0 + hysteresis, 1.0 - hysteresis
    for t in range(days):
        for j in range(lanes):
            level[j] += logs[t, j]
            price[t, j] = exp(level[j])
        for j in range(lanes):
            short[j] += price[t, j]
            long[j] += price[t, j]
        if t >= _SHORT:
            for j in range(lanes):
                short[j] -= price[t - _SHORT, j]
        if t >= _LONG:
            for j in range(lanes):
                long[j] -= price[t - _LONG, j]
        few, many = min(t + 1, _SHORT), min(t + 1, _LONG)
        for j in range(lanes):
            now = price[t, j]
            state[0, j] = _switch(state[0, j], now * few, short[j], above, below)
            state[1, j] = _switch(state[1, j], now * many, long[j], above, below)
            recent = price[t - _SKIP, j] if t >= _SKIP else 1.0  # the price before the first session is 1
            old = price[t - _YEAR, j] if t >= _YEAR else 1.0
            state[2, j] = _switch(state[2, j], recent, old, above, below)
            out[t, j] = (state[0, j] + state[1, j] + state[2, j]) / 3.0


@compiled
def _switch(state: float, level: float, reference: float, above: float, below: float) -> float:
    lowered = 0.0 if level < reference * below else state
    return 1.0 if level > reference * above else lowered


@compiled
def volatility_weight(function: int, volatility: float, target: float, first: float, second: float) -> float:
    """Weight before bounds of the rules that look at volatility alone (W1 to W5)."""
    sigma = max(volatility, _SMALLEST_VOLATILITY)
    if function == 0:
        return target / sigma
    if function == 1:
        return first / (sigma * sigma)
    if function == 2:
        return 1.0 - first * (sigma - target)
    if function == 3:
        return 1.0 / (1.0 + exp((sigma - first) / second))
    return first / (sigma * sigma)


@compiled
def _drift(shares: Floats, returns: Floats) -> float:
    """Return of the risky leg over a day; its shares move with the returns of its assets."""
    total = 0.0
    for i in range(shares.size):
        total += shares[i] * returns[i]
    for i in range(shares.size):
        shares[i] = shares[i] * (1.0 + returns[i]) / (1.0 + total)
    return total


@compiled
def _rebalance(shares: Floats, mix: Floats, held: float, wanted: float, band: float) -> float:
    """Sum of absolute changes over the assets; beyond the band the shares become the mix."""
    distance = 0.0
    for i in range(shares.size):
        distance += abs(wanted * mix[i] - held * shares[i])
    if distance > band:
        for i in range(shares.size):
            shares[i] = mix[i]
    return distance


@compiled
def _grow(a: Floats, j: int, risky: float, cash: float, borrow: float) -> float:
    """Growth of lane j over a day before trading; the held weight drifts with it."""
    w = a[_HELD, j]
    step = max(1.0 + (w * risky + (1.0 - w) * cash - borrow * max(w - 1.0, 0.0)), _RUIN)
    a[_SUM_WEIGHT, j] += w
    a[_SUM_WEIGHT2, j] += w * w
    a[_LARGEST_WEIGHT, j] = max(a[_LARGEST_WEIGHT, j], w)
    a[_HELD, j] = w * (1.0 + risky) / step
    return step


@compiled
def _settle(a: Floats, j: int, step: float, cash: float) -> float:
    """Enter the growth of lane j over a day, net of costs; its return over cash."""
    x = step - 1.0 - cash
    a[_SUM, j] += x
    a[_SUM2, j] += x * x
    a[_WEALTH, j] *= step
    depth = min(a[_DEPTH, j] * step, 1.0)
    a[_DEPTH, j] = depth
    a[_DEEPEST, j] = min(a[_DEEPEST, j], depth)
    return x


@compiled
def run_rule(  # noqa: C901, PLR0915  (one day of accounts, read top-down; a call per lane would cost the vectors)
    rule: Floats,
    returns: Floats,
    cash: Floats,
    volatility: Floats,
    trend: Floats,
    trades: Flags,
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
) -> None:
    """Account for one rule over the days `start` ... T - 1 of each lane.

    rule (10,); returns, volatility, trend (T, B), B <= 64; cash (T,); trades (T,): whether the close of a day trades.
    legs, mix (T, N): returns of the assets inside the risky leg and their shares of it by what is known at each day;
    empty for a single asset, otherwise B = 1 and `returns` only feed the signals.
    Writes statistics (16, B); adds the first `lanes_used` lanes to the histograms losses (LOSS_BINS,) and falls
    (FALL_BINS,); writes series (4, T), excess return, held weight, turnover
    and cost of each day of lane 0, unless it is empty.
    """
    days, lanes = returns.shape
    function = int(rule[FUNCTION])
    band, target, lowest, highest, change = rule[BAND], rule[TARGET], rule[LOWEST], rule[HIGHEST], rule[CHANGE]
    first, second, cost, borrow = rule[FIRST], rule[SECOND], rule[COST], rule[BORROW] / DAYS
    remembers = function == 5 or function == 7  # cppi and drawdown control look at their own wealth
    leveraged = highest > 1.0
    recorded = series.size > 0
    past = np.ones((days if remembers else 1, lanes))

    # one array with rows of fixed length: the compiler then knows that no two rows overlap
    a = np.zeros((23, LANES))
    for j in range(LANES):
        a[_WEALTH, j] = a[_DEPTH, j] = a[_DEEPEST, j] = a[_MARK, j] = a[_PEAK, j] = a[_STEP, j] = 1.0
        a[_FLOOR, j] = first
    shares = np.zeros(legs.shape[1])

    for t in range(start - 1, days):
        s = t - lag
        c = cash[t]
        trading = trades[t] or t < start
        # the first position is paid for out of the first day
        quiet = not trading and t > start and not recorded
        if t >= start:
            if recorded:
                series[1, t] = a[_HELD, 0]
                series[2, t] = 0.0 if t == start else -a[_TRADED, 0]
                series[3, t] = -a[_CHARGED, 0]
            if leveraged:
                for j in range(lanes):
                    a[_CHARGED, j] += borrow * max(a[_HELD, j] - 1.0, 0.0)
            if quiet:
                # most days: nothing is traded, and one pass over the lanes does it all
                for j in range(lanes):
                    _settle(a, j, _grow(a, j, returns[t, j], c, borrow), c)
            else:
                for j in range(lanes):
                    a[_RISKY, j] = returns[t, j]
                if shares.size > 0:
                    a[_RISKY, 0] = _drift(shares, legs[t])
                for j in range(lanes):
                    a[_STEP, j] = _grow(a, j, a[_RISKY, j], c, borrow)
        if remembers and s >= start:
            for j in range(lanes):
                a[_PEAK, j] = max(a[_PEAK, j], past[s, j])
                a[_FLOOR, j] *= 1.0 + cash[s]
        if trading:
            if function == 5 or function == 7:
                for j in range(lanes):
                    value = past[s, j] if s >= start else 1.0
                    restart = a[_IDLE, j] >= _LOCKED_DAYS
                    a[_FLOOR, j] = first * value if restart else a[_FLOOR, j]
                    a[_PEAK, j] = value if restart else a[_PEAK, j]
                    a[_IDLE, j] = 0.0 if restart else a[_IDLE, j]
                    a[_WANTED, j] = (
                        second * (value - a[_FLOOR, j]) / value
                        if function == 5
                        else max(0.0, 1.0 - (1.0 - value / a[_PEAK, j]) / first)
                        * min(volatility_weight(0, volatility[s, j], target, first, second), highest)
                    )
            elif function == 6:
                for j in range(lanes):
                    a[_WANTED, j] = trend[s, j] * min(
                        volatility_weight(0, volatility[s, j], target, first, second), highest
                    )
            elif function == 8:
                for j in range(lanes):
                    a[_WANTED, j] = first
            # one loop per function: a literal code lets the compiler drop the choice from the loop
            elif function == 0:
                for j in range(lanes):
                    a[_WANTED, j] = volatility_weight(0, volatility[s, j], target, first, second)
            elif function == 2:
                for j in range(lanes):
                    a[_WANTED, j] = volatility_weight(2, volatility[s, j], target, first, second)
            elif function == 3:
                for j in range(lanes):
                    a[_WANTED, j] = volatility_weight(3, volatility[s, j], target, first, second)
            else:
                for j in range(lanes):
                    a[_WANTED, j] = volatility_weight(1, volatility[s, j], target, first, second)
            # the first position is taken whole: only later moves know a band and a largest change
            hurdle = band if t >= start else 0.0
            reach = change if t >= start else highest
            for j in range(lanes):
                wanted = min(max(a[_WANTED, j], lowest), highest)
                move = min(max(wanted - a[_HELD, j], -reach), reach)
                a[_MOVE, j] = move
                a[_DISTANCE, j] = abs(move)
            if shares.size > 0:
                a[_DISTANCE, 0] = _rebalance(shares, mix[s], a[_HELD, 0], a[_HELD, 0] + a[_MOVE, 0], hurdle)
            for j in range(lanes):
                move, distance = a[_MOVE, j], a[_DISTANCE, j]
                move = move if distance > hurdle else 0.0
                distance = distance if distance > hurdle else 0.0
                a[_HELD, j] += move
                a[_TRADED, j] += 0.5 * (distance + abs(move))
                a[_PAID, j] += cost * distance
        if t < start:
            continue
        if not quiet:
            for j in range(lanes):
                a[_CHARGED, j] += a[_PAID, j]
                step = a[_STEP, j] * (1.0 - a[_PAID, j])
                a[_PAID, j] = 0.0
                a[_EXCESS, j] = _settle(a, j, step, c)
        if remembers:
            for j in range(lanes):
                past[t, j] = a[_WEALTH, j]
                a[_IDLE, j] = a[_IDLE, j] + 1.0 if a[_HELD, j] < _LOCKED_WEIGHT else 0.0
                a[_LOCKED, j] = 1.0 if a[_IDLE, j] >= _LOCKED_DAYS else a[_LOCKED, j]
        if recorded:
            series[0, t] = a[_EXCESS, 0]
            series[2, t] += a[_TRADED, 0]
            series[3, t] += a[_CHARGED, 0]
        if (t - start + 1) % WINDOW == 0:
            for j in range(lanes_used):
                losses[min(int(a[_WEALTH, j] / a[_MARK, j] * BINS), LOSS_BINS - 1)] += 1
            for j in range(lanes):
                a[_MARK, j] = a[_WEALTH, j]

    n = float(days - start)
    for j in range(lanes):
        mean = a[_SUM, j] / n
        variance = max((a[_SUM2, j] - a[_SUM, j] * mean) / (n - 1.0), 0.0)
        weight = a[_SUM_WEIGHT, j] / n
        fall = 1.0 - a[_DEEPEST, j]
        statistics[UTILITY, j] = DAYS * mean - 0.5 * gamma * DAYS * variance
        statistics[EXCESS, j] = DAYS * mean
        statistics[GROWTH, j] = exp(DAYS / n * log(a[_WEALTH, j])) - 1.0
        statistics[VOLATILITY, j] = math.sqrt(DAYS * variance)
        # a rule that never left cash has rounding errors for excess returns, and no Sharpe ratio
        statistics[SHARPE, j] = mean / math.sqrt(variance) * math.sqrt(DAYS) if variance > 1e-20 else 0.0
        statistics[DRAWDOWN, j] = fall
        statistics[TURNOVER, j] = a[_TRADED, j] * DAYS / n
        statistics[COSTS, j] = a[_CHARGED, j] * DAYS / n
        statistics[WEIGHT, j] = weight
        statistics[WEIGHT_DEVIATION, j] = math.sqrt(max(a[_SUM_WEIGHT2, j] / n - weight * weight, 0.0))
        statistics[LARGEST, j] = a[_LARGEST_WEIGHT, j]
        statistics[LOSS, j] = 1.0 if a[_WEALTH, j] < 1.0 else 0.0
        statistics[BREACH, j] = 1.0 if drawdown_limit > 0.0 and fall > drawdown_limit else 0.0
        statistics[LOCKED, j] = a[_LOCKED, j]
        statistics[MEAN, j] = mean
        statistics[SQUARE, j] = a[_SUM2, j] / n
        if j < lanes_used:
            falls[min(int(fall * BINS), FALL_BINS - 1)] += 1


@compiled
def run_block(
    rules: Floats,
    signals: Floats,
    trend_levels: Floats,
    trend_of: Ints,
    trades_of: Ints,
    trades: Flags,
    returns: Floats,
    cash: Floats,
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
) -> None:
    """Account for K rules over one block of paths; rules must be sorted by their row of `signals`.

    rules (K, 10); signals (K, 3): kind, lookback, decay of each rule's volatility; trend_levels (H,), trend_of (K,):
    hysteresis of the trend signal, -1 for none; trades (F, T), trades_of (K,): days that trade; statistics (K, 16, B);
    losses (K, LOSS_BINS); falls (K, FALL_BINS); series (K, 4, T) or empty.
    """
    days, lanes = returns.shape
    logs = np.empty((days, lanes))
    excess = np.empty((days, lanes))
    for t in range(days):
        for j in range(lanes):
            logs[t, j] = log(1.0 + returns[t, j])
            excess[t, j] = returns[t, j] - cash[t]
    trends = np.empty((trend_levels.size, days, lanes))
    for h in range(trend_levels.size):
        trend_signal(trend_levels[h], logs, trends[h])
    none = np.empty((0, 0))
    volatility = np.zeros((days, lanes))
    for k in range(rules.shape[0]):
        if signals[k, 0] >= 0.0 and (
            k == 0
            or signals[k, 0] != signals[k - 1, 0]
            or signals[k, 1] != signals[k - 1, 1]
            or signals[k, 2] != signals[k - 1, 2]
        ):
            volatility_signal(int(signals[k, 0]), int(signals[k, 1]), signals[k, 2], logs, excess, volatility)
        run_rule(
            rules[k],
            returns,
            cash,
            volatility,
            trends[trend_of[k]] if trend_of[k] >= 0 else volatility,
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
    trend_levels: Floats,
    trend_of: Ints,
    trades_of: Ints,
    trades: Flags,
    code: int,
    numbers: Floats,
    states: Floats,
    stay: Floats,
    history: Floats,
    cash: Floats,
    key: Word,
    first_block: int,
    paths: int,
    start: int,
    lag: int,
    gamma: float,
    drawdown_limit: float,
    means: Floats,
    spreads: Floats,
    kept: Floats,
    losses: Counts,
    falls: Counts,
) -> None:
    """Generate `paths` paths from block `first_block` on and account for K rules over each.

    Writes, per block, the mean of each statistic over its paths and the sum of squared deviations from it:
    means, spreads (blocks, K, 16); adds to losses, falls (K, bins); writes kept (1 or 2, K, paths), utility
    and drawdown of every path, unless it is empty.
    """
    days = cash.size
    count = rules.shape[0]
    returns = np.empty((days, LANES))
    statistics = np.empty((count, STATISTICS, LANES))
    nothing = np.empty((0, 0, 0))
    none = np.empty((0, 0))
    for b in range(means.shape[0]):
        used = min(LANES, paths - b * LANES)
        fill_block(code, numbers, states, stay, history, key, (first_block + b) * LANES, returns)
        statistics[:] = 0.0
        run_block(
            rules,
            signals,
            trend_levels,
            trend_of,
            trades_of,
            trades,
            returns,
            cash,
            none,
            none,
            start,
            lag,
            gamma,
            drawdown_limit,
            used,
            statistics,
            losses,
            falls,
            nothing,
        )
        for k in range(count):
            for m in range(STATISTICS):
                mean = 0.0
                for j in range(used):
                    mean += statistics[k, m, j]
                mean /= used
                spread = 0.0
                for j in range(used):
                    spread += (statistics[k, m, j] - mean) * (statistics[k, m, j] - mean)
                means[b, k, m] = mean
                spreads[b, k, m] = spread
            if kept.size > 0:
                for j in range(used):
                    kept[0, k, b * LANES + j] = statistics[k, UTILITY, j]
                if kept.shape[0] > 1:
                    for j in range(used):
                        kept[1, k, b * LANES + j] = statistics[k, DRAWDOWN, j]
