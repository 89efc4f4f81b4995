"""Calendar years and crises of a result, in sentences."""

import re
from collections.abc import Iterator

from desk.base.errors import InvalidInput
from desk.base.text import MINUS, join_words, number, sentence_case
from desk.figures.figures import Figure
from desk.figures.sheet import Sheet
from desk.optimization.result import Crisis, OptimizationResult, Year
from quant.performance.crises import HISTORICAL_WINDOWS, crisis_phrase

WORST = 3
"""Years that the sentence names."""
MOST_NAMED = 8
"""Losing years up to which each is named."""


def describe_years(result: OptimizationResult, detail: str | None) -> tuple[Figure, ...]:
    """The worst years, or the year or crisis that `detail` names, as sentences; `InvalidInput` for another."""
    sheet = Sheet("explain_result", "years")
    if detail is not None:
        sheet.say("asked_sentence", " ".join(_asked(result, detail)))
    elif result.years:
        sheet.say("worst_sentence", _worst(result.years))
        sheet.say("best_sentence", _best(result.years))
        sheet.say("count_sentence", _losing(result.years))
    return sheet.figures


def _worst(years: tuple[Year, ...]) -> str:
    worst, *others = sorted(years, key=lambda year: year.winner)[:WORST]
    then = "".join(f", then {year.year} with {_percent(year.winner)}" for year in others)
    return (
        f"The worst year of the winner was {worst.year} with {_percent(worst.winner)}{then}; in {worst.year} the "
        f"constant weight of the same volatility returned {_percent(worst.benchmark)} and full investment "
        f"{_percent(worst.asset)}."
    )


def _best(years: tuple[Year, ...]) -> str:
    best, *others = sorted(years, key=lambda year: -year.winner)[:WORST]
    then = "".join(f", then {year.year} with {_percent(year.winner)}" for year in others)
    return f"The best year of the winner was {best.year} with {_percent(best.winner)}{then}."


def _losing(years: tuple[Year, ...]) -> str:
    winner, benchmark, asset = (
        sum(value < 0.0 for value in values)
        for values in zip(*((year.winner, year.benchmark, year.asset) for year in years), strict=True)
    )
    lost = [str(year.year) for year in years if year.winner < 0.0]
    named = f" ({join_words(lost)})" if 0 < len(lost) <= MOST_NAMED else ""
    return (
        f"The winner lost money in {winner} of {len(years)} calendar years{named}, the constant weight of the same "
        f"volatility in {benchmark}, and full investment in {asset}."
    )


def _asked(result: OptimizationResult, detail: str) -> Iterator[str]:
    names = detail.split("; ")
    years = [year for year in result.years if str(year.year) in re.findall(r"\d{4}", detail)]
    crises = [c for c in result.crises if any(name.casefold() in c.name.casefold() for name in names)]
    told = [str(year.year) for year in years] + [crisis.name.casefold() for crisis in crises]
    missing = [name for name in names if not any(one in name or name.casefold() in one for one in told)]
    if not years and not crises:
        raise _unknown(result, names[0])
    for year in years:
        part = ", of which the days used cover a part," if year.partial else ""
        yield f"In {year.year}{part} {_returns(year)}."
    for crisis in crises:
        yield f"In {crisis_phrase(crisis.name)} ({crisis.start} to {crisis.end}) {_returns(crisis)}."
    for name in missing:
        yield sentence_case(f"{_why_not(result, name)}.")


def _unknown(result: OptimizationResult, detail: str) -> InvalidInput:
    """Why no year and no crisis of the result is meant: later days are locked, earlier ones are not there."""
    reason = _why_not(result, detail)
    crises = "; ".join(crisis.name for crisis in result.crises)
    known = f"a year from {result.years[0].year} to {result.years[-1].year}" if result.years else "none"
    return InvalidInput("detail", detail, reason=reason, allowed=known + (f", or a crisis: {crises}" if crises else ""))


def _why_not(result: OptimizationResult, detail: str) -> str:
    first, last = result.manifest.first_day, result.manifest.validate_end
    window = next((each for each in HISTORICAL_WINDOWS if detail.casefold() in each.name.casefold()), None)
    name = crisis_phrase(window.name) if window else detail
    begin, end = (window.first, window.last) if window else (detail, detail)
    if begin[:4].isdigit() and begin > last[: len(begin)]:
        return f"{name} lies after {last}: the later days are the locked holdout and took no part"
    if window and begin <= last and end >= first:
        return f"the days used, {first} to {last}, hold only a part of {name}"
    return f"the days used, {first} to {last}, do not hold {name}"


def _returns(row: Year | Crisis) -> str:
    """What winner, benchmark and full investment made, told as losses where all of them are."""
    lost = max(row.winner, row.benchmark, row.asset) < 0.0
    verb = "lost" if lost else "returned"
    winner, benchmark, asset = (
        _percent(v).removeprefix(MINUS if lost else "") for v in (row.winner, row.benchmark, row.asset)
    )
    return (
        f"the winner {verb} {winner}, the constant weight of the same volatility {benchmark} and full investment "
        f"{asset}"
    )


def _percent(value: float) -> str:
    return f"{number(100.0 * value, 1)}%"
