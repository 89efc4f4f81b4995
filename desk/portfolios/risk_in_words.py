"""Losses and correlations of a portfolio in sentences."""

import math
from collections.abc import Sequence

import numpy as np

from desk.base.errors import InvalidInput
from desk.base.text import number, plural
from desk.figures.sheet import Money
from desk.portfolios.holdings import INDEX
from desk.portfolios.risk_schemas import TailRequest
from quant.numeric.arrays import Dates, Floats
from quant.numeric.units import DAYS
from quant.performance.crises import crisis_phrase
from quant.performance.growth import compounded, drawdowns
from quant.risk.tails import TailLoss

INDEX_NAME = "the S&P 500"
FEWEST = 5
"""Fewest sessions of a period that is told."""
YEAR_AND_A_HALF = 378
"""Sessions above which a period is told by its growth a year."""
SPANS = {5: "a week", 10: "two weeks", 21: "a month", 63: "a quarter", 126: "half a year", DAYS: "a year"}
"""Names of numbers of sessions."""


def describe_risk(volatility: float, deepest: float | None, month: float | None, money: Money | None) -> str:
    """The measures that are asked for most; `month` is the value at risk over 21 sessions at 95%."""
    parts = [
        f"a volatility of {_share(volatility)} a year",
        *([] if deepest is None else [f"a maximum drawdown of {_loss(deepest, money)} on history"]),
        *([] if month is None else [f"a loss beyond {_loss(month, money)} in one month of 20"]),
    ]
    return f"The portfolio has {', '.join(parts[:-1])}{' and ' if len(parts) > 1 else ''}{parts[-1]}."


def describe_tail(row: TailLoss, money: Money | None) -> str:
    """The value at risk and the shortfall of a level and a horizon, in money and as shares."""
    span = f", {SPANS[row.horizon]}," if row.horizon in SPANS else ""
    over = f"{plural(row.horizon, 'session')}{span}"
    if row.value_at_risk is None or row.expected_shortfall is None:
        return f"The loss over {over} cannot be told from these days: {row.reason}."
    rare = 100.0 * (1.0 - row.level)
    return (
        f"Over {over} the loss exceeds {_loss(row.value_at_risk, money)} with a probability of "
        f"{number(rare, 0 if rare >= 1.0 - 1e-9 else 1)}% (the value at risk); beyond that it averages "
        f"{_loss(row.expected_shortfall, money)} (the expected shortfall), measured on the past."
    )


def _loss(loss: float, money: Money | None) -> str:
    return _share(loss) if money is None else f"{money.currency} {number(loss * money.amount)} ({_share(loss)})"


def _share(value: float) -> str:
    return f"{number(100.0 * value, 1)}%"


def describe_stress(moves: Sequence[tuple[str, float]], loss: float, money: Money | None) -> str:
    """What the portfolio loses, or gains, if factors move as given."""
    given = " and ".join(
        f"{INDEX_NAME if name.lower() == INDEX else name} {'falls' if move < 0.0 else 'rises'} by "
        f"{_share(abs(move)).replace('.0%', '%')}"
        for name, move in moves
    )
    does = "loses" if loss >= 0.0 else "gains"
    return f"If {given}, the portfolio {does} {_loss(abs(loss), money)}, if it moves as it usually does."


def describe_crisis(name: str, loss: float, money: Money | None) -> str:
    """The crisis that cost most."""
    return f"Of the past crises {crisis_phrase(name)} cost the portfolio most: a loss of {_loss(loss, money)}."


def describe_days(dates: Dates, own: Floats, asked: TailRequest, money: Money | None) -> str:
    """What the portfolio would have done on the asked days; `InvalidInput` if no session is among them."""
    first = dates[0] if asked.first_day is None else np.datetime64(asked.first_day, "D")
    last = dates[-1] if asked.last_day is None else np.datetime64(asked.last_day, "D")
    days = np.flatnonzero((dates >= first) & (dates <= last))
    if days.size < FEWEST:
        raise InvalidInput(
            "first_day",
            f"{first} to {last}",
            reason=f"{plural(days.size, 'session')} lie within {first} to {last}",
            allowed=f"at least {FEWEST} sessions within {dates[0]} to {dates[-1]}",
        )
    part = own[days]
    total = compounded(part)
    if days.size > YEAR_AND_A_HALF:
        grown = f"grown by {_share((1.0 + total) ** (DAYS / days.size) - 1.0)} a year"
    else:
        gained = "" if money is None else f" ({money.currency} {number(total * money.amount)})"
        grown = f"returned {_share(total)}{gained}"
    volatility = float(np.std(part, ddof=1)) * math.sqrt(DAYS)
    return (
        f"From {dates[days[0]]} to {dates[days[-1]]} the portfolio would have {grown}, with a volatility of "
        f"{_share(volatility)} a year and a maximum drawdown of {_loss(float(drawdowns(part).max()), money)}; the "
        "other figures are those of all days used."
    )


def describe_correlations(names: Sequence[str], pairs: Floats) -> str:
    """The correlations of two assets each, `pairs` in the order of `numpy.triu_indices`."""
    if pairs.size == 1:
        return f"The correlation of {names[0]} and {names[1]} is {number(float(pairs[0]), 2)}."
    first, second = np.triu_indices(len(names), 1)
    low, high = (
        f"{number(float(pairs[place]), 2)} ({names[first[place]]} and {names[second[place]]})"
        for place in (int(pairs.argmin()), int(pairs.argmax()))
    )
    mean = number(float(np.mean(pairs)), 2)
    return f"The mean correlation of two holdings is {mean}; the pairs range from {low} to {high}."
