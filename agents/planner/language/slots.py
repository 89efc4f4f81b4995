"""Assigns the amounts of a message to slots: each to the nearest cue, none if the assignment is ambiguous."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from agents.planner.language.amounts import Amount
from agents.planner.language.grammar import Reading
from agents.planner.language.words import Mark
from quant.strategies.family import PARAMETERS

FRACTION: Final = frozenset({"percent", "plain", "share", "bps"})
PLAIN: Final = frozenset({"plain", "m"})
MONEY: Final = frozenset({"money", "plain", "m"})
COST: Final = frozenset({"share", "bps", "plain", "multiple", "percent", "factor"})
UNITS: Final = {
    **dict.fromkeys(
        "volatility drawdown var es weight min_weight max_weight decay band return inflation fee correlation".split(),
        FRACTION,
    ),
    "cash_rate": FRACTION - {"share"},
    "transaction_cost": COST,
    "max_cost": COST,
    "turnover": frozenset({"plain", "factor", "percent"}),
    "leverage": frozenset({"plain", "factor", "percent"}),
    "risk_aversion": frozenset({"plain"}),
    **{
        name: FRACTION if row.unit == "fraction" else frozenset({"plain", "factor"})
        for name, row in PARAMETERS.items()
        if row.words
    },
    **dict.fromkeys("trials paths seed".split(), PLAIN),
    "lookback": frozenset({"time", "plain", "m"}),
    "years": frozenset({"time", "plain"}),
    **dict.fromkeys("contribution withdrawal money_goal amount".split(), MONEY),
}
"""The units that an amount of each slot may have."""
LIGHT: Final = frozenset(
    "of at to is be the a an with by around about roughly approximately approx maximum max target my "
    "our in for than as "
    "should stay stays limit level only just exactly are would over was annual annualized set equal "
    "equals year fixed up "
    "peak top highs realized annually some put now use using rate lower higher more no worse less most least below "
    "under above not go goes going exceed exceeds exceeding over past beyond shouldn't does doesn't do don't "
    "remain remains stays kept capped cap held hold keep limited run runs running come comes never must mustn't may "
    "might can cannot can't won't like say want wanted per cent total realised lost eat eats upper lower "
    "bound ceiling "
    "great greater bigger larger higher smaller deeper further worst allowed tolerate tolerated tolerance accept "
    "aim aimed aiming shoot shooting sits sit set becomes become so please ideally preferably maybe perhaps".split()
)
JOINING: Final = frozenset({"and", "but", "or", "plus", "then", "while", "where"})
FAR: Final = 6.0
CLOSE_CALL: Final = 0.8
LARGE: Final = 1_000.0
"""From this value a number without a unit may be money."""


@dataclass(frozen=True)
class Pair:
    amount: Amount
    slot: str
    cue: Mark | None


@dataclass(frozen=True)
class Matching:
    pairs: tuple[Pair, ...]
    cost: float

    @cached_property
    def meaning(self) -> frozenset[tuple[int, str]]:
        return frozenset((pair.amount.start, pair.slot) for pair in self.pairs)


def match(
    reading: Reading, slots: Sequence[str], implied: Mapping[str, str], free: Sequence[Amount], many: str = ""
) -> tuple[tuple[Pair, ...], bool]:
    """The best assignment of the `free` amounts, and whether another one is about as good."""
    cues = [mark for mark in _cues(reading) if mark.value in slots]
    matchings = sorted(_matchings(reading, free, cues, implied, many), key=lambda matching: matching.cost)
    best = matchings[0]
    close = any(m.cost - best.cost < CLOSE_CALL and m.meaning != best.meaning for m in matchings[1:])
    return tuple(pair for pair in best.pairs if pair.slot), close


def _cues(reading: Reading) -> Iterator[Mark]:
    """The cues of the slots; "cap" beside a cost and "maximum" after a minimum are resolved."""
    cash = [Mark("slot", "cash_rate", m.start, m.end, m.text) for m in reading.all("asset", "cash")]
    cues = sorted([*reading.all("slot"), *cash], key=lambda mark: mark.start)
    previous = ""
    for cue in cues:
        value = cue.value
        before = reading.folded[max(0, cue.start - 30) : cue.start]
        after = reading.folded[cue.end : cue.end + 26]
        if value in ("transaction_cost", "weight"):
            value = _bounded(value, before, after)
        previous = value
        yield Mark(cue.kind, value, cue.start, cue.end, cue.text)
    if previous in ("min_weight", "max_weight"):
        for bound in reading.all("bound"):
            if bound.text in BOUNDING and not any(0 <= bound.start - cue.end <= 1 for cue in cues):
                value = "max_weight" if bound.value == "upper" else "min_weight"
                yield Mark("slot", value, bound.start, bound.end, bound.text)


BOUNDING: Final = frozenset(
    "max|maximum|min|minimum|at most|at least|above|below|nor above|nor below|not above|not below|never above|"
    "never below|"
    "no more than|not more than|nor more than|no less than|not less than|nor less than|never more than|up "
    "to".split("|")
)
UPPER_BEFORE: Final = re.compile(
    r"\b(?:max(?:imum)?\b\.?|(?:cap|limit|at most|no more than|keep|hold|upper)\b)(?: (?:the|my|on|for|of|total|"
    r"annual|all))*(?: [\w.,]+ ?(?:%|percent|per cent|bps?|basis points)?)?\s*(?:in |per |on )?$"
)
UPPER_AFTER: Final = re.compile(
    r"^ (?:of |a year |per year |should |must |to |stay |be |is |are |capped |kept |limited )*"
    r"(?:at most|no more than|not more than|below|under|less than|max|maximum|up to|capped|cap|limit|"
    r"limited|not exceed|not above|no higher|within)\b"
)
LOWER_NEAR: Final = re.compile(
    r"\b(?:at least|min|minimum|no less than|(?:not|never) (?:below|under|less than)|above|not less than)\b"
)


def _bounded(value: str, before: str, after: str) -> str:
    upper = UPPER_BEFORE.search(before) or UPPER_AFTER.search(after)
    if value == "transaction_cost":
        return "max_cost" if upper else value
    lower = LOWER_NEAR.search(after[:20]) or re.search(
        r"\b(?:min|minimum|at least|(?:never|not|no) (?:less than|below|under|lower than))\b(?: \S+){0,3}\s*$", before
    )
    if bool(upper) == bool(lower):
        return value
    return "max_weight" if upper else "min_weight"


def _matchings(
    reading: Reading, free: Sequence[Amount], cues: Sequence[Mark], implied: Mapping[str, str], many: str
) -> list[Matching]:
    """All assignments of amounts to cues; the cost grows with the distance and with each change of order."""
    matchings: list[Matching] = [Matching((), 0.0)]
    for amount in free:
        options: list[tuple[Pair, float]] = [(Pair(amount, "", None), FAR + 1.0)]
        large = amount.unit == "plain" and amount.value >= LARGE
        slot = implied.get("large" if large else amount.unit)
        if slot:
            options.append((Pair(amount, slot, None), 1.5 if slot == "holding" else 3.5))
        flows = {cue.value for cue in cues if cue.value in FLOWS}
        if amount.per and amount.unit in MONEY and len(flows) == 1:
            options.append((Pair(amount, min(flows), None), 1.0))
        for cue in cues:
            ahead = cue.value != "money_goal" or cue.end <= amount.start or cue.text == "goal"
            if ahead and amount.unit in UNITS[cue.value]:
                cost = (
                    0.5
                    if cue.value == many and _listed(reading, amount, cue)
                    else _distance(reading, amount, cue, cues)
                )
                if cost <= FAR:
                    options.append((Pair(amount, cue.value, cue), cost))
        extended = [
            Matching((*matching.pairs, pair), matching.cost + cost + _implausible(pair, matching, many))
            for matching in matchings
            for pair, cost in options
            if pair.cue is None or pair.slot == many or all(other.cue != pair.cue for other in matching.pairs)
        ]
        matchings = sorted(extended, key=lambda matching: matching.cost)[:200]
    return matchings


SEVERAL: Final = frozenset({"", "holding", "money"})
FLOWS: Final = frozenset({"contribution", "withdrawal"})


def _implausible(pair: Pair, matching: Matching, many: str) -> float:
    """The cost of implausible assignments: two numbers for one slot, a monthly total, a volatility of 150%."""
    amount, slot = pair.amount, pair.slot
    cost = 3.0 * (slot not in SEVERAL and slot != many and any(other.slot == slot for other in matching.pairs))
    cost += 2.0 * (slot in ("money", "money_goal", "amount") and bool(amount.per))
    cost += 2.0 * (slot in FLOWS and not amount.per)
    return cost + 3.0 * (slot in ("volatility", "drawdown") and amount.unit == "percent" and amount.value > 80.0)


def _listed(reading: Reading, amount: Amount, cue: Mark) -> bool:
    """Whether only numbers of the same list lie between, as in "lookbacks of 20, 60 and 120 days"."""
    start, end = (cue.end, amount.start) if cue.end <= amount.start else (amount.end, cue.start)
    between = reading.folded[start:end]
    for other in reading.amounts:
        between = between.replace(other.text.lower(), ",")
    return re.fullmatch(r"(?:[\s,/&=:∈{}()\[\]]|of|at|and|or|are|is|to|with)*", between) is not None


def _distance(reading: Reading, amount: Amount, cue: Mark, cues: Sequence[Mark]) -> float:
    before = cue.end <= amount.start
    start, end = (cue.end, amount.start) if before else (amount.end, cue.start)
    between = reading.folded[start:end]
    cost = 0.0 if before else 0.2
    cost += 2.5 * len(re.findall(r"[,;.?!](?:\s|$)", between))
    cost += sum(4.0 for other in reading.amounts if other.start >= start and other.end <= end)
    cost += sum(4.0 for other in cues if other.start >= start and other.end <= end and other.value != cue.value)
    for word in re.findall(r"[a-z']+", between):
        cost += 1.5 if word in JOINING else 0.3 if word in LIGHT else 1.0
    return cost
