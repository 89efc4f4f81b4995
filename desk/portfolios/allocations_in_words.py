"""Allocation methods in sentences: the calmest, the best on later days, two beside each other, and their weights."""

from collections.abc import Iterator, Sequence

from desk.base.text import join_words, number
from desk.figures.sheet import Money, Sheet
from desk.portfolios.allocation_schemas import Allocation
from desk.portfolios.schemas import Method

NAMES: dict[Method, str] = {
    "equal_weight": "equal weight",
    "inverse_volatility": "inverse volatility",
    "risk_parity": "risk parity",
    "hierarchical_risk_parity": "HRP",
    "minimum_variance": "minimum variance",
    "maximum_sharpe": "maximum Sharpe",
    "maximum_diversification": "maximum diversification",
    "minimum_cvar": "minimum CVaR",
}
MOST_WEIGHTS = 6
"""Weights that a sentence names."""
LATER = "on the validation days, which no weights had seen,"


def add_sentences(sheet: Sheet, assets: Sequence[str], allocations: Sequence[Allocation], money: Money | None) -> None:
    solved = [a for a in allocations if a.volatility is not None]
    for allocation in solved:
        sheet.say(f"{allocation.method}_weights_sentence", _weights(assets, allocation, money))
    if not solved:
        return
    calmest = _least([_percent(a.volatility) for a in solved], solved)
    sheet.say("calmest_sentence", _calmest(calmest, solved))
    sheet.say("calmest_weights_sentence", f"Of these mixes {_lower(_weights(assets, calmest[0], money))}")
    tested = [a for a in solved if a.later_sharpe is not None]
    if len(tested) > 1:
        best = _least([-_ratio(a.later_sharpe) for a in tested], tested)
        sheet.say("best_sentence", _best(best, tested))
    if len(solved) == 2:
        sheet.say("pair_sentence", _pair(*solved))


def _calmest(calmest: Sequence[Allocation], solved: Sequence[Allocation]) -> str:
    names, volatility = join_words([NAMES[a.method] for a in calmest]), f"{number(_percent(calmest[0].volatility), 1)}%"
    if len(solved) == 1:
        return f"The volatility of {names} is {volatility} a year."
    if len(calmest) == len(solved):
        return f"All of these mixes are equally calm, with a volatility of {volatility} a year."
    alike = " are equally calm and the calmest" if calmest[1:] else " is the calmest"
    return f"Of these mixes {names}{alike}, with a volatility of {volatility} a year."


def _best(best: Sequence[Allocation], tested: Sequence[Allocation]) -> str:
    ratio = number(_ratio(best[0].later_sharpe), 2)
    if len(best) == len(tested):
        return f"None was better than the others for its risk: {LATER} all had a Sharpe ratio of {ratio}."
    names = join_words([NAMES[a.method] for a in best])
    alike = " alike" if best[1:] else ""
    return (
        f"None is best whatever comes: {LATER} {names} had the highest Sharpe ratio, {ratio}{alike}, and over a few "
        "years such a lead is often chance."
    )


def _pair(first: Allocation, second: Allocation) -> str:
    """Whether the first is better than the second for its risk on later days, and calmer."""
    names = [NAMES[a.method] for a in (first, second)]
    volatilities = [_percent(a.volatility) for a in (first, second)]
    calmer = _compared(volatilities, "calmer", "less calm", "equally calm")
    calm = f"{calmer} with a volatility of {number(volatilities[0], 1)}% a year against {number(volatilities[1], 1)}%"
    if first.later_sharpe is None or second.later_sharpe is None:
        return f"{_start(names[0])} is {calm} for {names[1]}."
    ratios = [_ratio(a.later_sharpe) for a in (first, second)]
    better = _compared([-ratio for ratio in ratios], "better than", "not better than", "neither better nor worse than")
    return (
        f"{_start(names[0])} was {better} {names[1]} for its risk: {LATER} its Sharpe ratio was {number(ratios[0], 2)} "
        f"against {number(ratios[1], 2)}; it is {calm}."
    )


def _compared(values: Sequence[float], below: str, above: str, equal: str) -> str:
    return equal if values[0] == values[1] else below if values[0] < values[1] else above


def _weights(assets: Sequence[str], allocation: Allocation, money: Money | None) -> str:
    shares = sorted(zip(allocation.weights, assets, strict=True), reverse=True)
    parts = [*_parts(shares[:MOST_WEIGHTS], money)]
    rest = "" if len(shares) <= MOST_WEIGHTS else "; the table has the others"
    return f"{_start(NAMES[allocation.method])} holds {join_words(parts)}{rest}."


def _parts(shares: Sequence[tuple[float, str]], money: Money | None) -> Iterator[str]:
    for weight, asset in shares:
        share = f"{number(100.0 * weight, 1)}%"
        amount = "" if money is None else f"{money.currency} {number(weight * money.amount)} "
        yield f"{amount}({share}) in {asset}" if amount else f"{share} {asset}"


def _least(values: Sequence[float], allocations: Sequence[Allocation]) -> list[Allocation]:
    """Those with the least value, as it is shown."""
    least = min(values)
    return [a for a, value in zip(allocations, values, strict=True) if value == least]


def _percent(value: float | None) -> float:
    return round(100.0 * (value or 0.0), 1)


def _ratio(value: float | None) -> float:
    return round(value or 0.0, 2)


def _start(name: str) -> str:
    return name[:1].upper() + name[1:]


def _lower(text: str) -> str:
    return text if text.startswith("HRP") else text[:1].lower() + text[1:]
