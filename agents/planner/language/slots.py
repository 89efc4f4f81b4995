"""Assigns the amounts of a message to the amount fields of a tool: each to the nearest cue that its unit fits."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from agents.planner.language.parsing import Parse
from agents.planner.language.reading import Item
from desk.base.errors import InvalidInput
from desk.conversation import amounts, quotes
from quant.strategies.family import PARAMETERS

_FRACTION: Final = frozenset({"percent", "plain", "bps", "points"})
_RATIO: Final = frozenset({"plain", "multiple", "percent"})
_MONEY: Final = frozenset({"currency", "plain"})
_TIME: Final = frozenset({"days", "weeks", "months", "quarters", "years", "decades", "plain"})


FIELDS: Final[dict[str, tuple[str, ...]]] = {
    "volatility": ("target_volatility", "volatility"), "drawdown": ("max_drawdown", "drawdown_cap"),
    "weight": ("constant_weight", "min_weight", "max_weight"), "lookback": ("lookback", "lookbacks"),
}  # fmt: skip
"""Fields of which a cue fills the first that the tool has; every other cue has the name of its field."""
UNITS: Final[dict[str, frozenset[str]]] = {
    **dict.fromkeys(("max_turnover", "max_leverage", "bond_correlation"), _RATIO),
    **dict.fromkeys(("risk_aversion", "trials", "paths", "seed"), frozenset({"plain"})),
    **dict.fromkeys(("amount", "goal", "contribution"), _MONEY),
    **{name: _FRACTION if row.unit == "fraction" else _RATIO for name, row in PARAMETERS.items()},
    "withdrawal": _MONEY | {"percent"}, "max_weight": _FRACTION | {"multiple"},
    "transaction_cost": frozenset({"bps", "percent", "plain", "multiple"}),
    "max_cost": frozenset({"bps", "percent", "plain"}),
    "lookback": _TIME, "years": frozenset({"years", "decades", "plain", "months"}),
}  # fmt: skip
"""Units of each amount that is no fraction."""
FLOWS: Final = frozenset({"contribution", "withdrawal"})
LISTED: Final = {"lookback": _TIME, "weight": _FRACTION}
"""Cues beside which several amounts are listed."""
MONEY: Final = FLOWS | {"amount", "goal"}
LEAST_MONEY: Final = 10.0
"""Below this a number without a currency is no money."""
FAR: Final = 5.0
"""Distance beyond which a cue says nothing of an amount."""
UNCUED: Final = 2.5
CLOSE_CALL: Final = 0.7
LARGE: Final = 1_000.0
"""From this value a number without a unit may be money."""


def fields_of(slot: str) -> tuple[str, ...]:
    return FIELDS.get(slot, (slot,))


@dataclass(frozen=True)
class Pair:
    amount: Item
    slot: str
    """The name of a cue, `holding`, or empty where nothing takes the amount."""
    cue: Item | None


def assign(
    parse: Parse, cues: Sequence[Item], implied: Mapping[str, str], many: frozenset[str]
) -> tuple[list[Pair], list[Pair]]:
    """The best assignment of the unused numbers, and a different one that is about as good, or an empty list."""
    beam: list[tuple[float, tuple[Pair, ...]]] = [(0.0, ())]
    for amount in parse.all("number"):
        options = [(FAR + 1.0, Pair(amount, "", None)), *_implied(amount, implied), *_cued(parse, amount, cues)]
        beam = sorted(
            (
                (cost + price + _implausible(parse, pair, pairs, many), (*pairs, pair))
                for cost, pairs in beam
                for price, pair in options
                if pair.cue is None or pair.slot in many - {"holding"} or all(o.cue != pair.cue for o in pairs)
            ),
            key=lambda row: row[0],
        )[:120]
    cost, best = beam[0]
    meaning = {(pair.amount, pair.slot) for pair in best}
    other = next((list(p) for c, p in beam[1:] if c - cost < CLOSE_CALL and {(x.amount, x.slot) for x in p} != meaning),
                 [])  # fmt: skip
    return list(best), other


def is_money(amount: Item) -> bool:
    """Whether an amount is money: it has a currency, or no unit and a value that no share has."""
    return amount.unit == "currency" or (amount.unit == "plain" and amount.size >= LARGE)


def _implied(amount: Item, implied: Mapping[str, str]) -> list[tuple[float, Pair]]:
    if amount.text.startswith("+") and "added" in implied and is_money(amount):
        return [(0.0, Pair(amount, implied["added"], None))]
    slot = implied.get("large" if amount.unit == "plain" and amount.size >= LARGE else amount.unit)
    return [(UNCUED, Pair(amount, slot, None))] if slot and _readable(slot, amount) else []


def _readable(slot: str, amount: Item) -> bool:
    """Whether a number without a cue could be meant: the tool's own reader takes it."""
    if slot in ("holding", *MONEY, "years", "lookback", "trials"):
        return True
    try:
        amounts.read_amount(fields_of(slot)[0], amount.text)
    except InvalidInput:
        return quotes.parse_multiple(amount.text) is not None and "multiple" in UNITS.get(slot, _FRACTION)
    return True


def _cued(parse: Parse, amount: Item, cues: Sequence[Item]) -> list[tuple[float, Pair]]:
    options: list[tuple[float, Pair]] = []
    assets = {cue.value for cue in cues if cue.kind == "asset"}
    money = [i for i in parse.items if i.kind == "number" and is_money(i)]
    by_money = 1 < len(assets) <= len(money)
    for cue in cues:
        slot = "holding" if cue.kind == "asset" else cue.value
        if slot in MONEY and amount.unit == "plain" and amount.size < LEAST_MONEY:
            continue
        fits = amount.unit in UNITS.get(slot, _FRACTION)
        if slot == "holding" and is_money(amount):
            fits = by_money
        fits = fits and not (is_money(amount) and slot not in MONEY and slot != "holding" and slot not in UNITS)
        if fits and (distance := _distance(parse, amount, cue, cues)) <= FAR:
            options.append((distance, Pair(amount, slot, cue)))
    return options


def _distance(parse: Parse, amount: Item, cue: Item, cues: Sequence[Item]) -> float:
    between = parse.between(amount, cue)
    listed = [i for i in between if {i.unit, amount.unit} <= LISTED.get(cue.value, frozenset())]
    after = parse.reading.gaps[cue.last] if cue.last < len(parse.reading.gaps) else ""
    cost = 0.0 if cue.last <= amount.first else 0.25
    cost += 1.6 * parse.breaks(amount, cue) * (0.1 if listed else 0.3 if "=" in after or ":" in after else 1.0)
    for item in between:
        if item.kind == "number":
            cost += 0.2 if item in listed else 3.0
        elif item in cues:
            cost += 3.5
        else:
            cost += {"stop": 0.3, "frame": 0.4, "sense": 0.5}.get(item.kind, 1.0)
        if item.text.lower() in ("and", "but", "plus", "then") and not listed:
            cost += 1.2
    return cost


def _implausible(parse: Parse, pair: Pair, pairs: Sequence[Pair], many: frozenset[str]) -> float:
    """Cost of two numbers for one slot, and of money a month for anything but a flow."""
    if not pair.slot:
        return 0.0
    cost = 3.0 * (pair.slot not in many and any(other.slot == pair.slot for other in pairs))
    monthly = period_of(parse, pair.amount) is not None
    if pair.slot in ("amount", "goal", "holding") and monthly and pair.amount.unit in _MONEY:
        cost += 4.0
    if pair.slot in FLOWS:
        cost += 0.0 if monthly else 1.0
    if pair.slot in ("volatility", "drawdown") and pair.amount.size > 80.0:
        cost += 3.0
    return cost


JOINING: Final = frozenset("and but then plus".split())
"""Words between an amount and the period of another one."""


def _of_other(parse: Parse, other: Item, period: Item) -> bool:
    """Whether a period belongs to the number before it: "5% withdrawals a year on EUR 1m"."""
    return other.last <= period.first and all(item.kind == "amount" for item in parse.between(other, period))


def period_of(parse: Parse, amount: Item) -> Item | None:
    """The "a month" or "a year" that stands beside an amount, or before its clause."""
    numbers = [item for item in parse.items if item.kind == "number"]
    beside = (
        item
        for item in parse.items
        if item.kind == "sense"
        and item.value in ("monthly", "yearly")
        and parse.near(amount, item, 2)
        and not (item.first >= amount.last and JOINING & {each.text.lower() for each in parse.between(amount, item)})
        and not any(other != amount and _of_other(parse, other, item) for other in numbers)
    )
    return min(beside, key=lambda item: (item.first < amount.first, abs(item.first - amount.last)), default=None)
