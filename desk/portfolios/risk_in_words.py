"""Losses and correlations of a portfolio in sentences."""

import math
from collections.abc import Sequence

import numpy as np

from desk.base.errors import InvalidInput
from desk.base.text import join_words, number, plural
from desk.figures.sheet import Money
from desk.portfolios.holdings import INDEX
from desk.portfolios.risk_schemas import TailRequest
from desk.portfolios.stress_schemas import ReverseStress
from quant.numeric.arrays import Dates, Floats, Ints
from quant.numeric.units import DAYS
from quant.performance.crises import crisis_phrase
from quant.performance.growth import compounded, drawdowns
from quant.risk.tails import TailLoss

INDEX_NAME = "the S&P 500"
LITTLE, MUCH = 0.3, 0.7
"""Correlations below which assets hardly move together, and from which they mostly do."""
HALF = 50.0
FEW = 0.005
"""Probability below which it is shown as below 1%."""
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
        *([] if month is None else [f"one month in 20 with a loss beyond {_loss(month, money)}"]),
    ]
    return f"The portfolio has {', '.join(parts[:-1])}{' and ' if len(parts) > 1 else ''}{parts[-1]}."


def describe_tail(row: TailLoss, money: Money | None) -> str:
    """The value at risk and the shortfall of a level and a horizon, in money and as shares."""
    span = f", {SPANS[row.horizon]}," if row.horizon in SPANS else ""
    over = f"{plural(row.horizon, 'session')}{span}"
    if row.value_at_risk is None or row.expected_shortfall is None:
        return f"The loss over {over} cannot be told from these days: {row.reason}."
    return (
        f"Over {over} the loss exceeds the value at risk of {_loss(row.value_at_risk, money)} with a probability of "
        f"{_rare(row.level)}; beyond that the mean loss, the expected shortfall, is "
        f"{_loss(row.expected_shortfall, money)}, measured on the past."
    )


def describe_shortfall(row: TailLoss, money: Money | None) -> str | None:
    """The shortfall before the value at risk; nothing where they cannot be told."""
    if row.value_at_risk is None or row.expected_shortfall is None:
        return None
    return (
        f"The expected shortfall over {plural(row.horizon, 'session')} is {_loss(row.expected_shortfall, money)}: the "
        f"mean loss beyond the value at risk of {_loss(row.value_at_risk, money)}, which is exceeded with a "
        f"probability of {_rare(row.level)}."
    )


def _rare(level: float) -> str:
    """The probability of a loss beyond a level, with a digit where it is no whole percent."""
    rare = 100.0 * (1.0 - level)
    return f"{number(rare, 0 if abs(rare - round(rare)) < 1e-9 else 1)}%"


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
    return f"If {given}, the portfolio {does} {_loss(abs(loss), money)}, going by how it usually moves with that."


def describe_crisis(name: str, loss: float, money: Money | None) -> str:
    """The crisis that cost most."""
    return f"Of the past crises {crisis_phrase(name)} cost the portfolio most: a loss of {_loss(loss, money)}."


def describe_reverse(stress: ReverseStress, money: Money | None) -> str:
    """How likely a loss is, and how far away; its probability and distance are known."""
    assert stress.distance is not None
    assert stress.probability is not None
    chance = "below 1%" if stress.probability < FEW else f"{number(100.0 * stress.probability)}%"
    return (
        f"A loss of {_loss(stress.loss, money)} or more within {plural(stress.sessions, 'session')} has a probability "
        f"of {chance}, were returns normal: it is {number(stress.distance, 2)} standard deviations away, and the table "
        "shows the most likely way there."
    )


def describe_drawdown(depth: float, bottom: str, money: Money | None) -> str:
    return f"The maximum drawdown of the portfolio was {_loss(depth, money)}, with its bottom on {bottom}."


def describe_growth(dates: Dates, own: Floats, cash: Floats) -> str:
    """Growth a year and the Sharpe ratio on all days used."""
    growth = (1.0 + compounded(own)) ** (DAYS / own.size) - 1.0
    return (
        f"From {dates[0]} to {dates[-1]} the portfolio would have grown by {_share(growth)} a year, with a Sharpe "
        f"ratio of {number(_sharpe(own, cash), 2)}."
    )


def _sharpe(own: Floats, cash: Floats) -> float:
    excess = own - cash
    spread = float(np.std(excess, ddof=1))
    return float(np.mean(excess)) / spread * math.sqrt(DAYS) if spread > 0.0 else 0.0


def describe_safety(own: Floats, index: Floats) -> str:
    """Whether the portfolio was riskier than the index, by volatility and maximum drawdown as they are shown."""
    volatilities, falls = (
        [round(100.0 * value, 1) for value in values]
        for values in (
            (float(np.std(returns, ddof=1)) * math.sqrt(DAYS) for returns in (own, index)),
            (float(drawdowns(returns).max()) for returns in (own, index)),
        )
    )
    gaps = {volatilities[0] - volatilities[1], falls[0] - falls[1]}
    verdict = (
        "safer than"
        if all(gap < 0.0 for gap in gaps)
        else "riskier than"
        if all(gap > 0.0 for gap in gaps)
        else "as risky as"
        if gaps == {0.0}
        else "neither safer nor riskier than"
    )
    return (
        f"The portfolio was {verdict} {INDEX_NAME}: a volatility of {number(volatilities[0], 1)}% a year against "
        f"{number(volatilities[1], 1)}%, and a maximum drawdown of {number(falls[0], 1)}% against "
        f"{number(falls[1], 1)}%."
    )


def describe_concentration(names: Sequence[str], shares: Sequence[float]) -> str:
    """The holding with the largest share of the volatility, or those that are level at what is shown."""
    shown = [round(100.0 * share, 1) for share in shares]
    largest = max(shown)
    first = [name for name, share in zip(names, shown, strict=True) if share == largest]
    share = f"{number(largest, 1)}% of the volatility"
    if first[1:]:
        return f"{join_words(first)} carry the same and largest share of the risk, {share} each."
    if largest == 100.0:  # at the digits shown
        return f"{first[0]} carries {'' if math.isclose(max(shares), 1.0) else 'nearly '}all of the risk."
    most = "more than half of the risk" if largest > HALF else "the largest share of the risk"
    rest = [(share, name) for name, share in zip(names, shown, strict=True) if share < largest]
    then = f", ahead of {max(rest)[1]} with {number(max(rest)[0], 1)}%" if rest else ""
    return f"{first[0]} carries {most}, {share}{then}."


def describe_days_drawdown(dates: Dates, own: Floats, asked: TailRequest, money: Money | None) -> str:
    """The deepest fall on the asked days."""
    days = _days(dates, asked)
    fall = float(drawdowns(own[days]).max())
    return f"From {dates[days[0]]} to {dates[days[-1]]} the maximum drawdown of the portfolio was {_loss(fall, money)}."


def describe_days(dates: Dates, own: Floats, asked: TailRequest, money: Money | None) -> str:
    """What the portfolio would have done on the asked days; `InvalidInput` if no session is among them."""
    days = _days(dates, asked)
    part = own[days]
    total = compounded(part)
    if days.size > YEAR_AND_A_HALF:
        grown = f"grown by {_share((1.0 + total) ** (DAYS / days.size) - 1.0)} a year"
    elif total < 0.0:
        grown = f"lost {_loss(-total, money)}"
    else:
        gained = "" if money is None else f" ({money.currency} {number(total * money.amount)})"
        grown = f"returned {_share(total)}{gained}"
    volatility = float(np.std(part, ddof=1)) * math.sqrt(DAYS)
    return (
        f"From {dates[days[0]]} to {dates[days[-1]]} the portfolio would have {grown}, with a volatility of "
        f"{_share(volatility)} a year and a maximum drawdown of {_loss(float(drawdowns(part).max()), money)}; the "
        "other figures are those of all days used."
    )


def _days(dates: Dates, asked: TailRequest) -> Ints:
    """Places of the asked days; `InvalidInput` if there are too few."""
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
    return days


def describe_correlations(names: Sequence[str], pairs: Floats) -> str:
    """The correlations of two assets each, `pairs` in the order of `numpy.triu_indices`."""
    together = _together(float(np.mean(pairs)))
    if pairs.size == 1:
        return f"{names[0]} and {names[1]} {together}: their correlation is {number(float(pairs[0]), 2)}."
    first, second = np.triu_indices(len(names), 1)
    low, high = (
        f"{number(float(pairs[place]), 2)} ({names[first[place]]} and {names[second[place]]})"
        for place in (int(pairs.argmin()), int(pairs.argmax()))
    )
    mean = number(float(np.mean(pairs)), 2)
    return f"The holdings {together}: two of them have a correlation of {mean} on average, from {low} to {high}."


def _together(correlation: float) -> str:
    if correlation < -LITTLE:
        return "move against each other"
    if correlation < LITTLE:
        return "hardly move together, so they are well diversified"
    return "move together in part" if correlation < MUCH else "mostly move together, so they diversify little"
