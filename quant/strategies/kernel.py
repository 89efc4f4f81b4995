"""Compiled accounts of a rule: its daily weights and returns, on 64 paths at once.

One function, `run_rule`, computes the accounts of a rule over a block of paths; simulations call it with 64 lanes and
history with one. The weight that a rule wants is the formula of its row in `quant.strategies.family`, compiled into a
loop over the lanes; a rule that trades at the close of day t receives the signals of day t - lag and nothing later.
"""

import math
from collections.abc import Callable
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from quant.numeric.arrays import Flags, Floats
from quant.numeric.compilation import compiled, inlined, pasted
from quant.numeric.elementary import exp, log
from quant.numeric.random_numbers import LANES
from quant.numeric.units import DAYS
from quant.strategies.config import LOCKED_DAYS, LOCKED_WEIGHT
from quant.strategies.family import FAMILY, PathState
from quant.strategies.metrics import METRICS, PathSums

Counts = NDArray[np.int32]

WINDOW: Final = 21
"""Sessions of a value-at-risk window."""
LOSS_BINS: Final = 5120
"""Bins of 1/4096 for 21-day returns from -1; the last holds everything above 0.25."""
FALL_BINS: Final = 4096
"""Bins of 1/4096 for drawdowns from 0 to 1."""
BINS: Final = 4096.0

OWN_DECAY: Final = 0.97
"""Decay of the exponentially weighted average behind a strategy's own volatility."""

_SMALLEST_VOLATILITY: Final = 1e-6
_RUIN: Final = 1e-3
"""Floor of a leveraged position's value after one day."""
_LOCKED_DAYS: Final = LOCKED_DAYS
_LOCKED_WEIGHT: Final = LOCKED_WEIGHT

# columns of a rule
FUNCTION, BAND, TARGET, LOWEST, HIGHEST, CHANGE, FIRST, SECOND, COST, BORROW = range(10)
RULE_COLUMNS: Final = 10

_FORMULAS: Final = {name: row.path for name, row in METRICS.items() if row.path is not None}
STATISTIC: Final = {name: place for place, name in enumerate((*_FORMULAS, "mean", "square"))}
"""Row of each statistic of a path: the metrics that have a formula for one path, then mean and mean square of the daily
excess returns."""
STATISTICS: Final = len(STATISTIC)
_MEAN: Final = STATISTIC["mean"]
_SQUARE: Final = STATISTIC["square"]

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
    _LONGEST,
    _FLOOR,
    _PEAK,
    _VALUE,
    _VARIANCE,
    _OWN,
    _DESIRED,
    _MOVE,
    _DISTANCE,
    _RISKY,
    _SAFE,
    _BEGUN,
) = range(28)
_ROWS: Final = 28

_State: TypeAlias = tuple[float, float, float, float, float, float, float, float, float]
"""Of a lane through a quiet day: the weight held; sum and squares of excess returns; wealth; its ratio to its peak, now
and at the lowest; sum, squares and largest of the weights."""
_Numbers: TypeAlias = tuple[float, float, float, float]

_WEALTH_RULE: Final = np.array([row.memory == "wealth" for row in FAMILY.values()])
_VOLATILITY_RULE: Final = np.array([row.memory == "volatility" for row in FAMILY.values()])


@pasted
def _each(
    weigh: Callable[[PathState], float], sigma: Floats, signal: Floats, a: Floats, lanes: int, n: _Numbers
) -> None:
    """Write the weight that one rule wants on every lane."""
    for j in range(lanes):
        a[_DESIRED, j] = weigh(
            PathState(
                max(sigma[j], _SMALLEST_VOLATILITY),
                signal[j],
                a[_VALUE, j],
                a[_FLOOR, j],
                a[_PEAK, j],
                a[_OWN, j],
                a[_DESIRED, j],
                n[0],
                n[1],
                n[2],
                n[3],
                exp,
            )
        )


def _chain(rules: tuple[Callable[[PathState], float], ...], code: int = 0) -> Callable[..., None]:
    """Build the function that writes the weights of rule `function`: one vectorised loop over the lanes per rule.

    Four rules at a time: a link for each would take the compiler four times as long.
    """
    one, two, three, four = (pasted(rule) for rule in (rules * 4)[:4])  # repeated rules are never reached
    others = _chain(rules[4:], code + 4) if len(rules) > 4 else _nothing

    def desired_weights(function: int, sigma: Floats, signal: Floats, a: Floats, lanes: int, numbers: _Numbers) -> None:
        if function == code:
            _each(one, sigma, signal, a, lanes, numbers)
        elif function == code + 1:
            _each(two, sigma, signal, a, lanes, numbers)
        elif function == code + 2:
            _each(three, sigma, signal, a, lanes, numbers)
        elif function == code + 3:
            _each(four, sigma, signal, a, lanes, numbers)
        else:
            others(function, sigma, signal, a, lanes, numbers)

    return inlined(desired_weights)


@inlined
def _nothing(function: int, sigma: Floats, signal: Floats, a: Floats, lanes: int, numbers: _Numbers) -> None:
    """End of the chain of rules: does nothing."""


_desired_weights = _chain(tuple(row.weigh for row in FAMILY.values()))


@compiled
def raw_weight(
    function: int, volatility: float, signal: float, target: float, highest: float, first: float, second: float
) -> float:
    """Weight of a rule before any bound, at the start of a strategy; for previews and tests."""
    a = np.ones((_ROWS, LANES))
    a[_OWN, 0] = target
    a[_FLOOR, 0] = first
    a[_DESIRED, 0] = target / max(volatility, _SMALLEST_VOLATILITY)
    _desired_weights(function, np.array([volatility]), np.array([signal]), a, 1, (target, highest, first, second))
    return a[_DESIRED, 0]


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
def _rebalance(shares: Floats, mix: Floats, weight: float, target: float, band: float) -> float:
    """Sum of absolute changes over the assets; beyond the band the shares become the mix."""
    distance = 0.0
    for i in range(shares.size):
        distance += abs(target * mix[i] - weight * shares[i])
    if distance > band:
        for i in range(shares.size):
            shares[i] = mix[i]
    return distance


@inlined
def _excess(w: float, risky: float, safe: float, cash: float, borrow: float) -> float:
    """Return over cash of a day with weight `w`, the rest in the safe leg; wealth never falls below the ruin floor.

    Borrowing is in cash, at `borrow` above its rate.
    """
    lent, borrowed = max(1.0 - w, 0.0), max(w - 1.0, 0.0)
    return max(w * (risky - cash) + lent * (safe - cash) - borrow * borrowed, _RUIN - 1.0 - cash)


@inlined
def _quiet(state: _State, risky: float, cash: float) -> _State:
    """A day on which nothing is traded, borrowed or remembered, safe leg in cash."""
    w, total, squares, wealth, depth, deepest, weights, weights2, largest = state
    x = max(w * (risky - cash), _RUIN - 1.0 - cash)
    step = 1.0 + cash + x
    depth = min(depth * step, 1.0)
    return (
        w * (1.0 + risky) / step,
        total + x,
        squares + x * x,
        wealth * step,
        depth,
        min(deepest, depth),
        weights + w,
        weights2 + w * w,
        max(largest, w),
    )


@inlined
def _state(a: Floats, j: int) -> _State:
    return (
        a[_HELD, j],
        a[_SUM, j],
        a[_SUM2, j],
        a[_WEALTH, j],
        a[_DEPTH, j],
        a[_DEEPEST, j],
        a[_SUM_WEIGHT, j],
        a[_SUM_WEIGHT2, j],
        a[_LARGEST_WEIGHT, j],
    )


@inlined
def _enter(a: Floats, j: int, state: _State) -> None:
    (
        a[_HELD, j],
        a[_SUM, j],
        a[_SUM2, j],
        a[_WEALTH, j],
        a[_DEPTH, j],
        a[_DEEPEST, j],
        a[_SUM_WEIGHT, j],
        a[_SUM_WEIGHT2, j],
        a[_LARGEST_WEIGHT, j],
    ) = state


@pasted
def _quiet_days(a: Floats, returns: Floats, cash: Floats, first: int, last: int) -> None:
    """The days `first` ... `last` - 1 of 64 lanes, four at a time: their accounts stay in registers meanwhile."""
    t = first
    while t + 4 <= last:
        c0, c1, c2, c3 = cash[t], cash[t + 1], cash[t + 2], cash[t + 3]
        for j in range(LANES):
            r0, r1, r2, r3 = returns[t, j], returns[t + 1, j], returns[t + 2, j], returns[t + 3, j]
            state = _quiet(_quiet(_state(a, j), r0, c0), r1, c1)
            _enter(a, j, _quiet(_quiet(state, r2, c2), r3, c3))
        t += 4
    while t < last:
        for j in range(LANES):
            _enter(a, j, _quiet(_state(a, j), returns[t, j], cash[t]))
        t += 1


@inlined
def _idle(idle: float, weight: float) -> float:
    return idle + 1.0 if weight < _LOCKED_WEIGHT else 0.0


@inlined
def _averaged(variance: float, x: float) -> float:
    return OWN_DECAY * variance + (1.0 - OWN_DECAY) * (DAYS * x * x)


@pasted
def _quiet_days_remembering_wealth(
    a: Floats, past: Floats, returns: Floats, cash: Floats, first: int, last: int
) -> None:
    """As `_quiet_days`, for a rule that uses its own wealth."""
    t = first
    while t + 2 <= last:
        c0, c1 = cash[t], cash[t + 1]
        for j in range(LANES):
            r0, r1 = returns[t, j], returns[t + 1, j]
            one = _quiet(_state(a, j), r0, c0)
            two = _quiet(one, r1, c1)
            idle_one = _idle(a[_IDLE, j], one[0])
            idle_two = _idle(idle_one, two[0])
            a[_IDLE, j] = idle_two
            a[_LONGEST, j] = max(a[_LONGEST, j], idle_one, idle_two)
            _enter(a, j, two)
            past[t, j] = one[3]
            past[t + 1, j] = two[3]
        t += 2
    while t < last:
        for j in range(LANES):
            one = _quiet(_state(a, j), returns[t, j], cash[t])
            idle = _idle(a[_IDLE, j], one[0])
            a[_IDLE, j] = idle
            a[_LONGEST, j] = max(a[_LONGEST, j], idle)
            _enter(a, j, one)
            past[t, j] = one[3]
        t += 1


@pasted
def _quiet_days_remembering_volatility(
    a: Floats, past: Floats, returns: Floats, cash: Floats, first: int, last: int
) -> None:
    """As `_quiet_days`, for a rule that uses its own volatility."""
    for t in range(first, last):
        for j in range(LANES):
            before = a[_SUM, j]
            one = _quiet(_state(a, j), returns[t, j], cash[t])
            a[_VARIANCE, j] = _averaged(a[_VARIANCE, j], one[1] - before)
            _enter(a, j, one)
            past[t, j] = a[_VARIANCE, j]


@compiled
def _recall(a: Floats, past: Floats, cash: Floats, start: int, last_day: int, s: int, first: float, lanes: int) -> None:
    """Update value, floor and peak from day `last_day` to day s; a path that was locked in cash restarts."""
    growth = 1.0
    for u in range(max(last_day + 1, start), s + 1):
        growth *= 1.0 + cash[u]
        for j in range(lanes):
            a[_PEAK, j] = max(a[_PEAK, j], past[u, j])
    for j in range(lanes):
        value = past[s, j] if s >= start else 1.0
        restart = a[_IDLE, j] >= _LOCKED_DAYS
        a[_VALUE, j] = value
        a[_FLOOR, j] = first * value if restart else a[_FLOOR, j] * growth
        a[_PEAK, j] = value if restart else a[_PEAK, j]
        a[_IDLE, j] = 0.0 if restart else a[_IDLE, j]


@compiled
def _decide(
    rule: Floats,
    a: Floats,
    past: Floats,
    cash: Floats,
    volatility: Floats,
    signal: Floats,
    start: int,
    last_day: int,
    s: int,
    lanes: int,
) -> None:
    """Write the weight that the rule wants, within its bounds, from the data through day s."""
    function = int(rule[FUNCTION])
    target, lowest, highest, first, second = rule[TARGET], rule[LOWEST], rule[HIGHEST], rule[FIRST], rule[SECOND]
    if _WEALTH_RULE[function]:
        _recall(a, past, cash, start, last_day, s, first, lanes)
    elif _VOLATILITY_RULE[function]:
        for j in range(lanes):
            a[_OWN, j] = math.sqrt(past[s, j]) if s >= start else target
    _desired_weights(function, volatility[s], signal[s], a, lanes, (target, highest, first, second))
    for j in range(lanes):
        a[_DESIRED, j] = min(max(a[_DESIRED, j], lowest), highest)


@inlined
def _book(a: Floats, j: int, w: float, x: float, step: float) -> None:
    """Enter a day that began with weight w and ended with excess return x; wealth grew by the factor `step`."""
    depth = min(a[_DEPTH, j] * step, 1.0)
    a[_SUM, j] += x
    a[_SUM2, j] += x * x
    a[_WEALTH, j] *= step
    a[_DEPTH, j] = depth
    a[_DEEPEST, j] = min(a[_DEEPEST, j], depth)
    a[_SUM_WEIGHT, j] += w
    a[_SUM_WEIGHT2, j] += w * w
    a[_LARGEST_WEIGHT, j] = max(a[_LARGEST_WEIGHT, j], w)
    a[_EXCESS, j] = x


@pasted
def _trading_day(a: Floats, rule: Floats, risky: Floats, cash: float) -> None:
    """Trade 64 lanes to their desired weights at one close; one asset, no borrowing, cash as the safe leg."""
    band, change, cost = rule[BAND], rule[CHANGE], rule[COST]
    for j in range(LANES):
        w = a[_HELD, j]
        x = max(w * (risky[j] - cash), _RUIN - 1.0 - cash)
        grown = 1.0 + cash + x
        drifted = w * (1.0 + risky[j]) / grown
        move = min(max(a[_DESIRED, j] - drifted, -change), change)
        move = move if abs(move) > band else 0.0
        fee = cost * abs(move)
        step = grown * (1.0 - fee)
        x = step - 1.0 - cash
        a[_HELD, j] = drifted + move
        _book(a, j, w, x, step)
        a[_TRADED, j] += abs(move)
        a[_CHARGED, j] += fee


@inlined
def _remember(function: int, a: Floats, past: Floats, t: int, lanes: int) -> None:
    """Update the rule's own statistics with the close of day t."""
    if _WEALTH_RULE[function]:
        for j in range(lanes):
            past[t, j] = a[_WEALTH, j]
            a[_IDLE, j] = _idle(a[_IDLE, j], a[_HELD, j])
            a[_LONGEST, j] = max(a[_LONGEST, j], a[_IDLE, j])
    elif _VOLATILITY_RULE[function]:
        for j in range(lanes):
            a[_VARIANCE, j] = _averaged(a[_VARIANCE, j], a[_EXCESS, j])
            past[t, j] = a[_VARIANCE, j]


@inlined
def _mark(a: Floats, lanes: int, lanes_used: int, losses: Counts) -> None:
    """Enter the returns since the last mark into their histogram."""
    for j in range(lanes_used):
        losses[min(int(a[_WEALTH, j] / a[_MARK, j] * BINS), LOSS_BINS - 1)] += 1
    for j in range(lanes):
        a[_MARK, j] = a[_WEALTH, j]


@pasted
def _begin(rule: Floats, volatility: Floats, s: int, lanes: int) -> Floats:
    """The accounts of a strategy before its first trade, shape (rows, 64).

    One array with rows of fixed length: the compiler then knows that no two rows overlap.
    """
    a = np.zeros((_ROWS, LANES + 8))
    target = rule[TARGET]
    for j in range(LANES):
        a[_WEALTH, j] = a[_DEPTH, j] = a[_DEEPEST, j] = a[_MARK, j] = a[_PEAK, j] = a[_VALUE, j] = 1.0
        a[_FLOOR, j] = rule[FIRST]
        a[_VARIANCE, j] = target * target
    for j in range(lanes):
        a[_DESIRED, j] = target / max(volatility[s, j], _SMALLEST_VOLATILITY)
    return a


@pasted
def _run_quiet_lanes(
    rule: Floats,
    a: Floats,
    past: Floats,
    returns: Floats,
    cash: Floats,
    volatility: Floats,
    signal: Floats,
    trades: Flags,
    start: int,
    lag: int,
    lanes_used: int,
    losses: Counts,
) -> None:
    """The days from `start` + 1 on of 64 lanes of one asset that never borrow, from one event to the next."""
    days, lanes = returns.shape
    function = int(rule[FUNCTION])
    last_day = start - 1 - lag
    t = start + 1
    while t < days:
        event = t
        while event < days and not trades[event] and (event - start + 1) % WINDOW != 0:
            event += 1
        # a day that only ends a window is quiet too
        last = event if event < days and trades[event] else min(event + 1, days)
        if _WEALTH_RULE[function]:
            _quiet_days_remembering_wealth(a, past, returns, cash, t, last)
        elif _VOLATILITY_RULE[function]:
            _quiet_days_remembering_volatility(a, past, returns, cash, t, last)
        else:
            _quiet_days(a, returns, cash, t, last)
        if event < days and trades[event]:
            _decide(rule, a, past, cash, volatility, signal, start, last_day, event - lag, lanes)
            last_day = event - lag
            _trading_day(a, rule, returns[event], cash[event])
            _remember(function, a, past, event, lanes)
        if event < days and (event - start + 1) % WINDOW == 0:
            _mark(a, lanes, lanes_used, losses)
        t = event + 1


@compiled
def run_rule(  # noqa: C901, PLR0915  (a day of accounts, read top-down; a call per lane would cost the vectors)
    rule: Floats,
    returns: Floats,
    cash: Floats,
    bonds: Floats,
    volatility: Floats,
    signal: Floats,
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

    rule (10,); returns, volatility, signal (T, B), B <= 64; cash (T,); bonds (T, B): returns of the safe leg, empty
    where it is cash; trades (T,): whether the close of a day trades.
    legs, mix (T, N): returns of the assets inside the risky leg and their shares of it from the data through each day;
    empty for a single asset, otherwise B = 1 and `returns` only feed the signals.
    Writes statistics (STATISTICS, B); adds the first `lanes_used` lanes to the histograms losses (LOSS_BINS,) and falls
    (FALL_BINS,); writes series (4, T), excess return, held weight, turnover
    and cost of each day of lane 0, unless it is empty.
    """
    days, lanes = returns.shape
    function = int(rule[FUNCTION])
    band, highest, change, cost, borrow = (
        rule[BAND],
        rule[HIGHEST],
        rule[CHANGE],
        rule[COST],
        rule[BORROW] / DAYS,
    )
    records = series.size > 0
    bonded = bonds.size > 0
    plain = lanes == LANES and highest <= 1.0 and legs.shape[1] == 0 and not bonded and not records
    past = np.empty((days if _WEALTH_RULE[function] or _VOLATILITY_RULE[function] else 1, lanes))
    a = _begin(rule, volatility, start - 1 - lag, lanes)
    shares = np.zeros(legs.shape[1])
    last_day = start - 1 - lag

    for t in range(start - 1, start + 1 if plain else days):
        s = t - lag
        c = cash[t]
        trading = trades[t] or t < start
        # the first position is taken whole and paid for out of the first day
        hurdle = band if t >= start else 0.0
        reach = change if t >= start else highest
        if t >= start:
            for j in range(lanes):
                a[_RISKY, j] = returns[t, j]
                a[_SAFE, j] = bonds[t, j] if bonded else c
            if shares.size > 0:
                a[_RISKY, 0] = _drift(shares, legs[t])
            if records:
                series[1, t] = a[_HELD, 0]
                series[2, t] = 0.0 if t == start else -a[_TRADED, 0]
                series[3, t] = -a[_CHARGED, 0]
            for j in range(lanes):
                w = a[_HELD, j]
                step = 1.0 + c + _excess(w, a[_RISKY, j], a[_SAFE, j], c, borrow)
                a[_CHARGED, j] += borrow * max(w - 1.0, 0.0)
                a[_BEGUN, j] = w
                a[_HELD, j] = w * (1.0 + a[_RISKY, j]) / step
                a[_STEP, j] = step
        if trading:
            _decide(rule, a, past, cash, volatility, signal, start, last_day, s, lanes)
            last_day = s
            for j in range(lanes):
                move = min(max(a[_DESIRED, j] - a[_HELD, j], -reach), reach)
                a[_MOVE, j] = move
                a[_DISTANCE, j] = abs(move)
            if shares.size > 0:
                a[_DISTANCE, 0] = _rebalance(shares, mix[s], a[_HELD, 0], a[_HELD, 0] + a[_MOVE, 0], hurdle)
            for j in range(lanes):
                distance = a[_DISTANCE, j] if a[_DISTANCE, j] > hurdle else 0.0
                move = a[_MOVE, j] if a[_DISTANCE, j] > hurdle else 0.0
                a[_HELD, j] += move
                a[_TRADED, j] += 0.5 * (distance + abs(move))
                a[_PAID, j] += cost * distance
                if bonded:
                    # cash trades free, a bond does not
                    lent = max(1.0 - a[_HELD, j], 0.0) - max(1.0 - (a[_HELD, j] - move), 0.0)
                    a[_PAID, j] += cost * abs(lent)
        if t < start:
            continue
        for j in range(lanes):
            step = a[_STEP, j] * (1.0 - a[_PAID, j])
            a[_CHARGED, j] += a[_PAID, j]
            a[_PAID, j] = 0.0
            _book(a, j, a[_BEGUN, j], step - 1.0 - c, step)
        _remember(function, a, past, t, lanes)
        if records:
            series[0, t] = a[_EXCESS, 0]
            series[2, t] += a[_TRADED, 0]
            series[3, t] += a[_CHARGED, 0]
        if (t - start + 1) % WINDOW == 0:
            _mark(a, lanes, lanes_used, losses)
    if plain:
        _run_quiet_lanes(rule, a, past, returns, cash, volatility, signal, trades, start, lag, lanes_used, losses)
    _summarise(a, float(days - start), lanes, lanes_used, gamma, drawdown_limit, statistics, falls)


_Formula: TypeAlias = Callable[[PathSums], float]


def _write_all(formulas: tuple[_Formula, ...], first: int = 0) -> Callable[[PathSums, Floats, int], None]:
    """Build the function that writes the value of each formula, from row `first` on; four at a time, as `_chain`."""
    one, two, three, four = (pasted(formula) for formula in (formulas * 4)[:4])
    count = len(formulas)
    others = _write_all(formulas[4:], first + 4) if count > 4 else _no_more

    def write(path: PathSums, statistics: Floats, j: int) -> None:
        statistics[first, j] = one(path)
        if count > 1:
            statistics[first + 1, j] = two(path)
        if count > 2:
            statistics[first + 2, j] = three(path)
        if count > 3:
            statistics[first + 3, j] = four(path)
        others(path, statistics, j)

    return pasted(write)


@pasted
def _no_more(path: PathSums, statistics: Floats, j: int) -> None:
    """End of the chain of formulas: does nothing."""


_write_metrics = _write_all(tuple(_FORMULAS.values()))


@pasted
def _summarise(
    a: Floats,
    n: float,
    lanes: int,
    lanes_used: int,
    gamma: float,
    drawdown_limit: float,
    statistics: Floats,
    falls: Counts,
) -> None:
    """The statistics of n scored days."""
    for j in range(lanes):
        mean = a[_SUM, j] / n
        fall = 1.0 - a[_DEEPEST, j]
        _write_metrics(
            PathSums(
                n,
                gamma,
                drawdown_limit,
                mean,
                max((a[_SUM2, j] - a[_SUM, j] * mean) / (n - 1.0), 0.0),
                a[_WEALTH, j],
                fall,
                a[_SUM_WEIGHT, j] / n,
                a[_SUM_WEIGHT2, j] / n,
                a[_LARGEST_WEIGHT, j],
                a[_TRADED, j],
                a[_CHARGED, j],
                a[_LONGEST, j],
                exp,
                log,
            ),
            statistics,
            j,
        )
        statistics[_MEAN, j] = mean
        statistics[_SQUARE, j] = a[_SUM2, j] / n
        if j < lanes_used:
            falls[min(int(fall * BINS), FALL_BINS - 1)] += 1


@compiled
def summarise_history(
    excess: Floats, total: Floats, weights: Floats, turnover: Floats, costs: Floats, gamma: float, drawdown_limit: float
) -> Floats:
    """Statistics of a path whose days are known, shape (STATISTICS, 1), by the formulas of a simulated one.

    excess, total, weights, turnover, costs (T,): daily excess return, total return, risky weight, one-way turnover and
    charges.
    """
    a = np.zeros((_ROWS, 1))
    a[_WEALTH, 0] = a[_DEPTH, 0] = a[_DEEPEST, 0] = 1.0
    for t in range(excess.size):
        _book(a, 0, weights[t], excess[t], 1.0 + total[t])
        a[_IDLE, 0] = _idle(a[_IDLE, 0], weights[t])
        a[_LONGEST, 0] = max(a[_LONGEST, 0], a[_IDLE, 0])
        a[_TRADED, 0] += turnover[t]
        a[_CHARGED, 0] += costs[t]
    statistics = np.empty((STATISTICS, 1))
    _summarise(a, float(excess.size), 1, 0, gamma, drawdown_limit, statistics, np.zeros(1, dtype=np.int32))
    return statistics
