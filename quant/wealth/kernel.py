"""Compiled account of a portfolio on simulated paths, 64 at a time, and their statistics.

Of each date and of each terminal figure only a histogram of logarithms, the mean, the spread, the least and the largest
value are kept: the room needed does not grow with the number of paths.
"""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from quant.numeric.arrays import Flags, Floats, Ints
from quant.numeric.compilation import compiled
from quant.numeric.elementary import log, power
from quant.numeric.random_numbers import LANES
from quant.worlds.joint_engines import Tables, next_day, scratch, start_block

MONTH: Final = 21
"""Sessions."""
BINS: Final = 4096
WIDE: Final = 16.0
"""Deviations of the pilot's logarithms that the bins span to either side; values beyond count in the end bins."""
ROUNDING: Final = 1e-12
"""A loss or a missed goal is more than this share of the amount."""

MULTIPLE, GROWTH, LOWEST_SHARE = 1, 2, 3
"""Terminal figures, counted from the last date: money out over money in, growth of one unit a year, and what the
deepest drawdown left."""
FIGURES: Final = 3
LOSS, RUIN, GOAL = 0, 1, 2
ALIVE: Final = np.iinfo(np.int64).max

Narrow = NDArray[np.int32]


class Account(NamedTuple):
    """Cash flows, costs and target weights of an account.

    Attributes
    ----------
    weights : ndarray, shape (N,)
        Of the risky legs; cash has the rest.
    initial : float
    contributions, withdrawals : ndarray, shape (M,)
        Nominal amounts at the close of each month; of a last month that does not end nothing is paid.
    trades : ndarray of bool, shape (days,)
        Closes at which the weights are restored.
    cash, fee : float
        Daily growth factors of the cash leg, and of everything by the fee.
    cost : float
        Per unit of money traded in risky legs.
    ruin : float
        Wealth at or below which the account is closed.
    years : float
    goal : float
        Nominal, at the end; negative when there is none.
    """

    weights: Floats
    initial: float
    contributions: Floats
    withdrawals: Floats
    trades: Flags
    cash: float
    fee: float
    cost: float
    ruin: float
    years: float
    goal: float


class PathStatistics(NamedTuple):
    """Statistics of many paths; V figures: the wealth of M + 1 dates, then the terminal ones.

    Attributes
    ----------
    counts : ndarray, shape (V, BINS)
        Of logarithms; figure v has its bin b at low[v] + b width[v].
    zeros : ndarray, shape (V,)
        Figures that are 0 and have no logarithm.
    least, largest : ndarray, shape (V,)
    tallies : ndarray, shape (3,)
        Paths with a loss, ruined, and at the goal.
    ruined : ndarray, shape (M + 1,)
        Paths whose ruin fell into each month.
    """

    counts: Narrow
    zeros: Ints
    least: Floats
    largest: Floats
    tallies: Ints
    ruined: Ints


def empty(figures: int) -> PathStatistics:
    """Statistics of no path."""
    return PathStatistics(
        np.zeros((figures, BINS), dtype=np.int32),
        np.zeros(figures, dtype=np.int64),
        np.full(figures, np.inf),
        np.full(figures, -np.inf),
        np.zeros(3, dtype=np.int64),
        np.zeros(figures - FIGURES, dtype=np.int64),
    )


@compiled
def _grow(account: Account, returns: Floats, hold: Floats, total: Floats) -> None:
    """Holdings after the day's returns and fee, and their sum."""
    assets = returns.shape[0]
    cash = account.cash * account.fee
    for j in range(LANES):
        hold[assets, j] *= cash
        total[j] = hold[assets, j]
    fee = account.fee
    i = 0
    # four at a time: the sum is read and written less often
    while i + 4 <= assets:
        for j in range(LANES):
            a = hold[i, j] * ((1.0 + returns[i, j]) * fee)
            b = hold[i + 1, j] * ((1.0 + returns[i + 1, j]) * fee)
            c = hold[i + 2, j] * ((1.0 + returns[i + 2, j]) * fee)
            d = hold[i + 3, j] * ((1.0 + returns[i + 3, j]) * fee)
            hold[i, j] = a
            hold[i + 1, j] = b
            hold[i + 2, j] = c
            hold[i + 3, j] = d
            total[j] += (a + b) + (c + d)
        i += 4
    while i < assets:
        for j in range(LANES):
            hold[i, j] *= (1.0 + returns[i, j]) * fee
            total[j] += hold[i, j]
        i += 1


@compiled
def _trade_all(account: Account, cost: float, hold: Floats, total: Floats, after: Floats) -> None:
    """Restore the weights at the sums `total`; the cost is taken from all legs alike and leaves `after`."""
    assets = account.weights.size
    for j in range(LANES):
        after[j] = 0.0
    for i in range(assets):
        for j in range(LANES):
            after[j] += abs(account.weights[i] * total[j] - hold[i, j])
    rest = 1.0
    for i in range(assets):
        rest -= account.weights[i]
    rest = max(rest, 0.0)
    for j in range(LANES):
        after[j] = max(total[j] - cost * after[j], 0.0)
        hold[assets, j] = rest * after[j]
    for i in range(assets):
        for j in range(LANES):
            hold[i, j] = account.weights[i] * after[j]


@compiled
def _trade_flow(account: Account, flow: float, j: int, hold: Floats) -> float:
    """Buy at the target weights or sell alike from all legs; wealth after the cost."""
    assets = account.weights.size
    before = hold[assets, j]
    for i in range(assets):
        before += hold[i, j]
    turnover = 0.0
    rest = 1.0
    for i in range(assets):
        change = flow * account.weights[i] if flow > 0.0 else flow * (hold[i, j] / before)
        rest -= account.weights[i]
        turnover += abs(change)
        hold[i, j] += change
    hold[assets, j] += flow * max(rest, 0.0) if flow > 0.0 else flow * (hold[assets, j] / before)
    wealth = before + flow
    after = max(wealth - account.cost * turnover, 0.0)
    for i in range(assets + 1):
        hold[i, j] *= after / wealth
    return after


class _Accounts(NamedTuple):
    """State of 64 accounts: holdings (cash last), wealth before and after flows and costs, and sums for the figures."""

    hold: Floats
    total: Floats
    flowed: Floats
    after: Floats
    now: Floats
    paid_in: Floats
    paid_out: Floats
    unit: Floats
    below: Floats
    lowest: Floats
    ruin: Floats


@compiled
def _open(account: Account) -> _Accounts:
    accounts = _Accounts(
        np.zeros((account.weights.size + 1, LANES)),
        np.full(LANES, account.initial),
        np.empty(LANES),
        np.empty(LANES),
        np.full(LANES, account.initial),
        np.full(LANES, account.initial),
        np.zeros(LANES),
        np.ones(LANES),
        np.ones(LANES),
        np.ones(LANES),
        np.full(LANES, np.inf),
    )
    _trade_all(account, 0.0, accounts.hold, accounts.total, accounts.after)
    return accounts


@compiled
def _flow(account: Account, month: int, accounts: _Accounts) -> None:
    """Contribution and withdrawal at the end of `month`, 0 for none; a withdrawal is limited to the wealth."""
    contribution = account.contributions[month - 1] if month > 0 else 0.0
    withdrawal = account.withdrawals[month - 1] if month > 0 else 0.0
    for j in range(LANES):
        open_ = accounts.ruin[j] == np.inf
        inflow = contribution if open_ else 0.0
        available = accounts.total[j] + inflow
        paid_out = min(withdrawal if open_ else 0.0, available)
        # to the last bit, flows that cancel leave the wealth unchanged and a withdrawal of all of it leaves zero
        accounts.flowed[j] = 0.0 if paid_out == available else accounts.total[j] + (inflow - paid_out)
        accounts.paid_in[j] += inflow
        accounts.paid_out[j] += paid_out


@compiled
def _trade(account: Account, day: int, accounts: _Accounts) -> None:
    if account.trades[day]:
        _trade_all(account, account.cost, accounts.hold, accounts.flowed, accounts.after)
        return
    for j in range(LANES):
        change = accounts.flowed[j] - accounts.total[j]
        accounts.after[j] = accounts.flowed[j]
        if change != 0.0 and accounts.flowed[j] > 0.0:
            accounts.after[j] = _trade_flow(account, change, j, accounts.hold)


@compiled
def _close(account: Account, day: int, accounts: _Accounts) -> None:
    """Growth and drawdown of one unit, apart from flows; ruin."""
    for j in range(LANES):
        open_ = accounts.ruin[j] == np.inf
        growth = accounts.total[j] / accounts.now[j] if open_ else 1.0
        growth *= accounts.after[j] / accounts.flowed[j] if accounts.flowed[j] > 0.0 else 1.0
        accounts.now[j] = accounts.after[j] if open_ else accounts.now[j]
        accounts.unit[j] *= growth
        accounts.below[j] = min(1.0, accounts.below[j] * growth)
        accounts.lowest[j] = min(accounts.lowest[j], accounts.below[j])
    for j in range(LANES):
        if accounts.ruin[j] == np.inf and accounts.now[j] <= account.ruin:
            accounts.ruin[j] = (day + MONTH) // MONTH
            accounts.hold[:, j] = 0.0


@compiled
def run_block(
    tables: Tables, account: Account, first_path: int, days: int, wealth: Floats, last: Floats, trace: Floats
) -> None:
    """Account for 64 paths.

    `wealth`, shape (M + 1, 64), gets that of each month's end and of the last close; `last`, shape (4, 64), money out
    over money in, growth a year, what the deepest drawdown left, the month of ruin; `trace`, shape (days + 1, 64) or
    (0, 64), every close.
    """
    room = scratch(account.weights.size)
    start_block(tables, first_path, days, room)
    returns = np.empty((account.weights.size, LANES))
    accounts = _open(account)
    wealth[0] = accounts.now
    if trace.shape[0] > 0:
        trace[0] = accounts.now
    for day in range(days):
        next_day(tables, first_path, day, room, returns)
        _grow(account, returns, accounts.hold, accounts.total)
        month = (day + 1) // MONTH if (day + 1) % MONTH == 0 else 0
        _flow(account, month, accounts)
        _trade(account, day, accounts)
        _close(account, day, accounts)
        if month > 0:
            wealth[month] = accounts.now
        if trace.shape[0] > 0:
            trace[day + 1] = accounts.now
    wealth[wealth.shape[0] - 1] = accounts.now
    for j in range(LANES):
        last[0, j] = (accounts.now[j] + accounts.paid_out[j]) / accounts.paid_in[j]
        last[1, j] = power(accounts.unit[j], 1.0 / account.years)
        last[2, j] = accounts.lowest[j]
        last[3, j] = accounts.ruin[j]


@compiled
def pilot(tables: Tables, account: Account, days: int, paths: int, centre: Floats, deviation: Floats) -> None:
    """Mean and deviation of the logarithms of every figure over the first paths, which place the bins."""
    figures = centre.size
    dates = figures - FIGURES
    wealth, last, trace = np.empty((dates, LANES)), np.empty((4, LANES)), np.empty((0, LANES))
    blocks = (paths + LANES - 1) // LANES
    logs = np.zeros((figures, blocks * LANES))
    counts = np.zeros(figures, dtype=np.int64)
    for b in range(blocks):
        run_block(tables, account, LANES * b, days, wealth, last, trace)
        for v in range(figures):
            row = wealth[v] if v < dates else last[v - dates]
            for j in range(min(LANES, paths - LANES * b)):
                if row[j] > 0.0:
                    logs[v, counts[v]] = log(row[j])
                    counts[v] += 1
    for v in range(figures):
        count = max(counts[v], 1)
        mean = 0.0
        for k in range(counts[v]):
            mean += logs[v, k] / count
        squares = 0.0
        for k in range(counts[v]):
            squares += (logs[v, k] - mean) * (logs[v, k] - mean)
        centre[v] = mean
        deviation[v] = np.sqrt(squares / count)


@compiled
def _keep(row: Floats, lanes: int, v: int, low: float, width: float, statistics: PathStatistics) -> None:
    for j in range(lanes):
        value = row[j]
        statistics.least[v] = min(statistics.least[v], value)
        statistics.largest[v] = max(statistics.largest[v], value)
        if value > 0.0:
            place = (log(value) - low) / width
            statistics.counts[v, int(min(max(place, 0.0), BINS - 1.0))] += 1
        else:
            statistics.zeros[v] += 1


@compiled
def merge(count: float, mean: Floats, spread: Floats, count_b: float, mean_b: Floats, spread_b: Floats) -> None:
    """Chan, Golub and LeVeque (1983), The American Statistician 37(3): merge `count_b` paths into `count`."""
    total = count + count_b
    for v in range(mean.size):
        gap = mean_b[v] - mean[v]
        mean[v] += gap * count_b / total
        spread[v] += spread_b[v] + gap * gap * count * count_b / total


@compiled
def run_span(
    tables: Tables,
    account: Account,
    days: int,
    first_block: int,
    last_block: int,
    paths: int,
    low: Floats,
    width: Floats,
    statistics: PathStatistics,
    mean: Floats,
    spread: Floats,
) -> None:
    """Add blocks `first_block` to `last_block` - 1 to `statistics`, and their means and squared deviations in order."""
    figures = mean.size
    dates = figures - FIGURES
    wealth, last, trace = np.empty((dates, LANES)), np.empty((4, LANES)), np.empty((0, LANES))
    one_mean, one_spread = np.empty(figures), np.empty(figures)
    counted_paths = 0.0
    for b in range(first_block, last_block):
        lanes = min(LANES, paths - LANES * b)
        run_block(tables, account, LANES * b, days, wealth, last, trace)
        for v in range(figures):
            row = wealth[v] if v < dates else last[v - dates]
            _keep(row, lanes, v, low[v], width[v], statistics)
            average = 0.0
            for j in range(lanes):
                average += row[j]
            average /= lanes
            squares = 0.0
            for j in range(lanes):
                squares += (row[j] - average) * (row[j] - average)
            one_mean[v], one_spread[v] = average, squares
        merge(counted_paths, mean, spread, float(lanes), one_mean, one_spread)
        counted_paths += lanes
        for j in range(lanes):
            statistics.tallies[LOSS] += 1 if last[0, j] < 1.0 - ROUNDING else 0
            statistics.tallies[GOAL] += (
                1 if account.goal >= 0.0 and wealth[dates - 1, j] >= account.goal * (1.0 - ROUNDING) else 0
            )
            if last[3, j] < np.inf:
                statistics.tallies[RUIN] += 1
                statistics.ruined[int(last[3, j])] += 1
