"""Assigns the amounts of a message to the amount fields of a tool: each to the nearest cue that its unit fits."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from agents.planner.language.parsing import Parse
from agents.planner.language.reading import Item
from desk.base.errors import InvalidInput
from desk.conversation import amounts
from quant.strategies.family import PARAMETERS

_FRACTION: Final = frozenset({"percent", "plain", "bps", "points"})
_RATIO: Final = frozenset({"plain", "multiple", "percent"})
_MONEY: Final = frozenset({"currency", "plain"})
_TIME: Final = frozenset({"days", "weeks", "months", "quarters", "years", "decades", "plain"})
COUNTS: Final = ("trials", "paths", "seed")
UNITS: Final[dict[str, frozenset[str]]] = {
    **dict.fromkeys(("max_turnover", "max_leverage", "bond_correlation"), _RATIO),
    **dict.fromkeys(("risk_aversion", *COUNTS), frozenset({"plain"})),
    **dict.fromkeys(("amount", "goal", "contribution"), _MONEY),
    **{name: _FRACTION if row.unit == "fraction" else _RATIO for name, row in PARAMETERS.items()},
    "withdrawal": _MONEY | {"percent"}, "max_weight": _FRACTION | {"multiple"},
    "transaction_cost": frozenset({"bps", "percent", "plain", "multiple"}),
    "max_cost": frozenset({"bps", "percent", "plain"}),
    "lookback": _TIME, "years": frozenset({"years", "decades", "plain", "months"}),
}  # fmt: skip
"""Units of each amount that is no fraction."""
FIELDS: Final[dict[str, tuple[str, ...]]] = {
    "volatility": ("target_volatility", "volatility"), "drawdown": ("max_drawdown", "drawdown_cap"),
    "weight": ("constant_weight", "min_weight", "max_weight"), "lookback": ("lookback", "lookbacks"),
}  # fmt: skip
"""Fields of which a cue fills the first that the tool has; every other cue has the name of its field."""
FLOWS: Final = frozenset({"contribution", "withdrawal"})
MONEY: Final = FLOWS | {"amount", "goal"}
LISTED: Final = {"lookback": _TIME, "weight": _FRACTION}
"""Cues beside which several amounts are listed."""
MANY: Final = frozenset({"holding", "amount", *LISTED})
"""Slots that several amounts may fill."""
JOINING: Final = frozenset("and but then plus".split())
"""Words after which something else is said."""
LEAST_MONEY, LARGE = 10.0, 1_000.0
"""From these values a number without a unit may be money where a cue says so, and anywhere."""
FAR: Final = 5.0
"""Distance beyond which a cue says nothing of an amount."""
UNCUED, CLOSE_CALL = 2.5, 0.7


def fields_of(slot: str) -> tuple[str, ...]:
    return FIELDS.get(slot, (slot,))


@dataclass(frozen=True)
class Pair:
    amount: Item
    slot: str
    """The name of a cue, `holding`, or empty where nothing takes the amount."""
    cue: Item | None = None


MOST_RATE: Final = 0.25
"""Above this a share beside cash is held in it, and no rate."""


def assign(parse: Parse, cues: Sequence[Item], implied: Mapping[str, str]) -> tuple[list[Pair], list[Pair]]:
    """The best assignment of the unused numbers, and a different one that is about as good, or an empty list."""
    beam: list[tuple[float, tuple[Pair, ...]]] = [(0.0, ())]
    for amount in parse.all("number"):
        options = [(FAR + 1.0, Pair(amount, "")), *_implied(amount, implied), *_cued(parse, amount, cues)]
        rows = (
            (cost + price + _implausible(parse, pair, pairs), (*pairs, pair))
            for cost, pairs in beam
            for price, pair in options
            if pair.cue is None or pair.slot in MANY - {"holding"} or all(o.cue != pair.cue for o in pairs)
        )
        beam = sorted(rows, key=lambda row: row[0])[:120]
    cost, best = beam[0]
    close = (pairs for other, pairs in beam[1:] if other - cost < CLOSE_CALL)
    slots = [pair.slot for pair in best]
    return list(best), list(next((pairs for pairs in close if [pair.slot for pair in pairs] != slots), ()))


def is_money(amount: Item) -> bool:
    """Whether an amount is money: it has a currency, or no unit and a value that no share has."""
    return amount.unit == "currency" or (amount.unit == "plain" and amount.size >= LARGE)


def _implied(amount: Item, implied: Mapping[str, str]) -> Iterator[tuple[float, Pair]]:
    """What an amount without a cue is for, if the reader of a share takes it: 3% is no target volatility."""
    slot = implied.get("large" if amount.unit == "plain" and amount.size >= LARGE else amount.unit)
    if amount.text.startswith("+") and "added" in implied and is_money(amount):
        yield 0.0, Pair(amount, implied["added"])
    elif slot is not None and (slot == "holding" or amount.unit != "percent" or _readable(slot, amount.text)):
        yield UNCUED, Pair(amount, slot)


def _readable(slot: str, quote: str) -> bool:
    try:
        amounts.read_amount(fields_of(slot)[0], quote)
    except InvalidInput:
        return False
    return True


def _cued(parse: Parse, amount: Item, cues: Sequence[Item]) -> Iterator[tuple[float, Pair]]:
    assets = {cue.value for cue in cues if cue.kind == "asset"}
    by_money = 1 < len(assets) <= sum(i.kind == "number" and is_money(i) for i in parse.items)
    fitting = [cue for cue in cues if _fits(amount, "holding" if cue.kind == "asset" else cue.value, by_money=by_money)]
    named = any(c.kind == "amount" and c.first == amount.last and not parse.breaks(amount, c) for c in fitting)
    for cue in fitting:
        slot = "holding" if cue.kind == "asset" else cue.value
        distance = _distance(parse, amount, cue, cues) + 1.5 * (named and amount.last != cue.first)
        distance -= 1.5 * (named and cue.last == amount.first)  # "volatility 10% drawdown 20%"
        if distance <= FAR:
            yield distance, Pair(amount, slot, cue)


def _fits(amount: Item, slot: str, *, by_money: bool) -> bool:
    """Whether the unit is one of the slot's; holdings are shares, or all of them money."""
    if slot == "holding" and is_money(amount):
        return by_money
    if slot == "decay":
        return amount.unit in _RATIO and 0.5 < amount.size / (100.0 if amount.unit == "percent" else 1.0) < 1.0
    if slot == "lookback" and amount.unit in _RATIO and not any(map(str.isdigit, amount.text)):
        return False  # "half Exxon"
    if slot in MONEY and amount.unit == "plain":
        return amount.size >= LEAST_MONEY
    if slot in COUNTS and amount.size % 1:
        return False  # "half the trials"
    return amount.unit in UNITS.get(slot, _FRACTION) and not (is_money(amount) and slot not in UNITS)


def _distance(parse: Parse, amount: Item, cue: Item, cues: Sequence[Item]) -> float:
    between = parse.between(amount, cue)
    listed = [i for i in between if {i.unit, amount.unit} <= LISTED.get(cue.value, frozenset())]
    after = "".join(parse.reading.gaps[cue.last : cue.last + 1])
    cost = 0.0 if cue.last <= amount.first else 0.25
    cost += 1.5 * (cue.value == "cash_rate" and cue.text.lower() == "cash")  # "cash 3%", rather than "vs cash, 12%"
    cost += 1.6 * parse.breaks(amount, cue) * (0.1 if listed else 0.3 if "=" in after or ":" in after else 1.0)
    for item in between:
        if item.kind == "number":
            cost += 0.2 if item in listed else 3.0
        elif item in cues:
            cost += 3.5
        else:
            cost += {"stop": 0.3, "frame": 0.4, "sense": 0.5}.get(item.kind, 1.0)
        cost += 1.2 * (item.text.lower() in JOINING and not listed)
    return cost


def _implausible(parse: Parse, pair: Pair, pairs: Sequence[Pair]) -> float:
    """Cost of two numbers for one slot, of money a month for anything but a flow."""
    monthly = period_of(parse, pair.amount) is not None
    cost = 3.0 * (pair.slot not in {"", *MANY} and any(other.slot == pair.slot for other in pairs))
    cost += 6.0 * (pair.slot in ("amount", "goal", "holding") and monthly and pair.amount.unit in _MONEY)
    share = pair.amount.size / (100.0 if pair.amount.unit == "percent" or pair.amount.size > 1.0 else 1.0)
    cost += 6.0 * (pair.slot == "cash_rate" and share > MOST_RATE)
    return cost + 1.0 * (pair.slot in FLOWS and not monthly)


def period_of(parse: Parse, amount: Item) -> Item | None:
    """The "a month" or "a year" after an amount, or before one where it follows no other: "monthly 500"."""
    numbers = [item for item in parse.items if item.kind == "number"]
    for period in (i for i in parse.items if i.kind == "sense" and i.value in ("monthly", "yearly")):
        beside = [number for number in numbers if parse.near(number, period, 2)]
        before = [n for n in beside if n.last <= period.first]
        before = [n for n in before if not any(i.text.lower() in JOINING for i in parse.between(n, period))]
        if amount in (before[-1:] or [number for number in beside if number.first >= period.last][:1]):
            return period
    return None
