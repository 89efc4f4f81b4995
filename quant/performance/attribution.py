"""What each asset of a replayed rule holds, earns and costs; its share of the rule's return and risk."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from quant.numeric.arrays import Floats
from quant.numeric.compilation import compiled
from quant.numeric.errors import DataError
from quant.numeric.units import DAYS

_EXCESS, _HELD, _TURNOVER = range(3)
_SMALLEST_TRADE = 1e-12
"""Turnover of a day, as a share of wealth, that is rounding."""


@dataclass(frozen=True)
class Holdings:
    """The account of one rule by asset, over T scored days; fractions of wealth.

    The M columns are the assets of the risky leg and, last, a safe leg that is a bond.

    Attributes
    ----------
    weights : ndarray, shape (T + 1, M)
        Held on each day; the last row is what is held after the last close.
    gains : ndarray, shape (T, M)
        What each asset adds to the excess return of a day, before costs of trading.
    trades : ndarray, shape (T, M)
        Absolute change of each weight at the close; on the first day with that of the first position.
    costs : ndarray, shape (T, M)
        Cost of these trades.
    borrowing : ndarray, shape (T,)
        Charge for what is borrowed.
    """

    weights: Floats
    gains: Floats
    trades: Floats
    costs: Floats
    borrowing: Floats


@dataclass(frozen=True)
class Contribution:
    """One asset over all days of `Holdings`; annual fractions.

    Attributes
    ----------
    average_weight, largest_weight : float
    excess_return : float
        What it adds to the mean return over cash, after the costs of its trades.
    volatility : float
        What it adds to the volatility: its covariance with the whole over the volatility of the whole.
    traded : float
        Sum of the absolute changes of its weight.
    cost : float
    """

    average_weight: float
    largest_weight: float
    excess_return: float
    volatility: float
    traded: float
    cost: float


@dataclass(frozen=True)
class Attribution:
    """Contributions that sum to the excess return and the volatility of the rule.

    Attributes
    ----------
    assets : sequence of Contribution
        In the order of the columns of `Holdings`.
    borrowing_return, borrowing_volatility : float
        What the charge for borrowing adds; the return is not positive.
    excess_return, volatility : float
        Of the rule, net of costs.
    """

    assets: Sequence[Contribution]
    borrowing_return: float
    borrowing_volatility: float
    excess_return: float
    volatility: float


def track_holdings(
    record: Floats,
    *,
    assets: Floats,
    mix: Floats,
    cash: Floats,
    bonds: Floats,
    start: int,
    lag: int,
    cost: float,
    borrow_spread: float,
) -> Holdings:
    """The account of a replayed rule by asset.

    Parameters
    ----------
    record : ndarray, shape (4, T)
        The `series` of one config in a `quant.strategies.history.Replay`. Its last day only tells what is held after
        the close before; no price of that day is read.
    assets : ndarray, shape (D, N)
        Daily simple returns of the assets of the risky leg; D is at least T - 1.
    mix : ndarray, shape (D, N)
        Their target shares from the data through each day; each row sums to 1.
    cash : ndarray, shape (D,)
        Daily simple returns of cash.
    bonds : ndarray, shape (D,)
        Daily simple returns of a safe leg that is a bond; empty where it is cash.
    start : int
        First scored day of the replay.
    lag : int
        Sessions between the last return that a decision uses and its trade.
    cost : float
        Cost of a trade, as a fraction of its value.
    borrow_spread : float
        Yearly charge on weights above 1, over cash, as a fraction.

    Returns
    -------
    Holdings
        Of the days `start` ... T - 2. Their gains less costs and borrowing sum to the excess return of the day.

    Raises
    ------
    DataError
        If the record holds fewer than two scored days, or is longer than `cash` by more than a day.
    """
    end = record.shape[1] - 1
    if end <= start or end > cash.size:
        raise DataError(
            f"`record` covers {record.shape[1]} days; expected more than {start + 1}, at most {cash.size + 1}"
        )
    columns = assets.shape[1] + (bonds.size > 0)
    weights = np.zeros((end - start + 1, columns))
    gains, trades, costs = (np.empty((end - start, columns)) for _ in range(3))
    borrowing = np.empty(end - start)
    _track(
        np.ascontiguousarray(record[_HELD]),
        np.ascontiguousarray(record[_TURNOVER]),
        np.ascontiguousarray(assets[:end]),
        np.ascontiguousarray(mix[:end]),
        cash[:end],
        bonds[:end],
        start,
        lag,
        cost,
        borrow_spread / DAYS,
        weights,
        gains,
        trades,
        costs,
        borrowing,
    )
    return Holdings(weights=weights, gains=gains, trades=trades, costs=costs, borrowing=borrowing)


@compiled
def _track(
    held: Floats,
    turnover: Floats,
    legs: Floats,
    mix: Floats,
    cash: Floats,
    bonds: Floats,
    start: int,
    lag: int,
    cost: float,
    borrow: float,
    weights: Floats,
    gains: Floats,
    trades: Floats,
    costs: Floats,
    borrowing: Floats,
) -> None:
    """Write the rows of `Holdings`, with the accounting of `quant.strategies.kernel.run_rule`."""
    count, columns = legs.shape[1], weights.shape[1]
    bonded = columns > count
    drifted = np.empty(columns)
    for i in range(count):
        weights[0, i] = held[start] * mix[start - 1 - lag, i]
    if bonded:
        weights[0, count] = max(1.0 - held[start], 0.0)
    for t in range(start, start + borrowing.size):
        d = t - start
        borrowing[d] = borrow * max(held[t] - 1.0, 0.0)
        step = 1.0 + cash[t] - borrowing[d]
        for i in range(columns):
            change = bonds[t] if i == count else legs[t, i]
            gains[d, i] = weights[d, i] * (change - cash[t])
            drifted[i] = weights[d, i] * (1.0 + change)
            step += gains[d, i]
        risky = 0.0
        for i in range(count):
            drifted[i] /= step
            risky += drifted[i]
        # the first day's turnover holds that of the first position
        traded = turnover[t] - (held[t] if d == 0 else 0.0) > _SMALLEST_TRADE
        for i in range(count):
            weights[d + 1, i] = held[t + 1] * mix[t - lag, i] if traded else drifted[i]
        if bonded:
            drifted[count] = max(1.0 - risky, 0.0)
            weights[d + 1, count] = max(1.0 - held[t + 1], 0.0)
        for i in range(columns):
            trades[d, i] = abs(weights[d + 1, i] - drifted[i])
            if d == 0:  # the first position is bought out of the safe leg
                trades[d, i] += weights[d, i] if i < count else 1.0 - weights[d, i]
            costs[d, i] = cost * trades[d, i] * step


def attribute(holdings: Holdings) -> Attribution:
    """Contributions of each asset to the excess return and the volatility of a rule.

    Parameters
    ----------
    holdings : Holdings

    Returns
    -------
    Attribution
        The excess return is 252 times the mean of daily simple returns; the volatility divides by T - 1. A rule without
        volatility has contributions of 0.

    Raises
    ------
    DataError
        For fewer than two days.

    References
    ----------
    Litterman (1996), "Hot Spots and Hedges", Journal of Portfolio Management 23: the covariance of a part with the
    whole, over the volatility of the whole, is its contribution by Euler's theorem.
    """
    days, columns = holdings.gains.shape
    if days < 2:
        raise DataError(f"`holdings` covers {days} days; expected at least 2")
    parts: list[list[float]] = [*(holdings.gains - holdings.costs).T.tolist(), (-holdings.borrowing).tolist()]
    whole = [math.fsum(row) for row in zip(*parts, strict=True)]
    means = [math.fsum(part) / days for part in parts]
    mean = math.fsum(whole) / days
    deviation = math.sqrt(math.fsum((x - mean) * (x - mean) for x in whole) / (days - 1))

    def volatility(place: int) -> float:
        if deviation < _SMALLEST_TRADE:
            return 0.0
        products = ((x - means[place]) * (y - mean) for x, y in zip(parts[place], whole, strict=True))
        return math.sqrt(DAYS) * math.fsum(products) / (days - 1) / deviation

    return Attribution(
        assets=[
            Contribution(
                average_weight=math.fsum(holdings.weights[:days, i]) / days,
                largest_weight=float(np.max(holdings.weights[:days, i])),
                excess_return=DAYS * means[i],
                volatility=volatility(i),
                traded=DAYS * math.fsum(holdings.trades[:, i]) / days,
                cost=DAYS * math.fsum(holdings.costs[:, i]) / days,
            )
            for i in range(columns)
        ],
        borrowing_return=DAYS * means[columns],
        borrowing_volatility=volatility(columns),
        excess_return=DAYS * mean,
        volatility=math.sqrt(DAYS) * deviation,
    )
