"""Arguments of earlier calls: joined to the whole wish, and changed in one place."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from agents.planner.language.reading import Item
from agents.planner.language.slots import FLOWS
from desk.conversation.quotes import split_period
from desk.figures.guard.numbers import find_numbers

BUILT_ON: Final = ("run_optimization", "estimate_optimization", "evaluate_strategy", "assess_portfolio",
    "simulate_wealth", "compare_allocations", "show_tearsheet")  # fmt: skip
"""Tools whose last call a wish may change."""
MERGED: Final = BUILT_ON[4:]
"""Those whose arguments hold the whole wish; the others keep theirs in the focus."""
NOT_REPLACED: Final = frozenset(
    "holdings name template saved run first_day last_day assets asset factor benchmark".split()
)
"""Fields that no bare amount replaces; shares of holdings change only together."""


YEAR: Final = 12
"""Months of a period."""
LISTS: Final = ("assets", "methods")


def quotes_of(arguments: object, *path: Any) -> Iterator[tuple[Any, ...]]:
    """Where each amount stands, followed by it."""
    if isinstance(arguments, dict):
        for name in arguments:
            yield from () if name in NOT_REPLACED else quotes_of(arguments[name], *path, name)
    elif isinstance(arguments, list | tuple) and len(arguments) == 1:
        yield from quotes_of(arguments[0], *path, 0)
    elif isinstance(arguments, str) and len(find_numbers(arguments)) == 1:
        yield *path, arguments


def fits(quote: str, amount: Item) -> bool:
    """Whether an amount may take the place of a quote: it has its unit, or none, and is of its size."""
    [old] = find_numbers(quote)
    times, least = amount.size / (old.value or 1.0), 0.01 if old.unit == amount.unit else 0.2
    return old.unit == amount.unit != "plain" or (amount.unit == "plain" and least <= times <= 1.0 / least)


def replaced(arguments: Any, place: tuple[Any, ...], quote: str) -> Any:
    """The arguments with the quote at a place."""
    first, *rest = place[:-1]
    if first == 0:
        return [replaced(arguments[0], place[1:], quote) if rest else quote]
    inside = arguments.get(first, [""] if rest and rest[0] == 0 else {})
    return {**arguments, first: replaced(inside, place[1:], quote) if rest else quote}


def whole_of(same: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The arguments of calls of one tool with everything that the last one was built on."""
    whole: dict[str, Any] = {}
    for arguments in same:
        wish = arguments.get("wish") or arguments.get("strategy") or {}
        whole = arguments if wish.get("base") == "new" else merged(whole, arguments)
    return whole


def merged(old: dict[str, Any], new: dict[str, Any], *, adds: bool = False) -> dict[str, Any]:
    """The old arguments, changed where the new ones say something; names of lists are added to those of the old."""
    changed = dict(old)
    for name, value in new.items():
        if isinstance(value, dict) and isinstance(old.get(name), dict):
            changed[name] = merged(old[name], value)
        elif adds and name in LISTS and value:
            changed[name] = list(dict.fromkeys((*old.get(name, ()), *value)))
        elif value not in (None, (), [], {}):
            changed[name] = value
    return changed


def loses_its_year(old: dict[str, Any], new: dict[str, Any]) -> bool:
    """Whether a payment takes the place of one a year and does not say its own period."""
    before, after = old.get("plan", {}), new.get("plan", {})
    flows = FLOWS & before.keys() & after.keys()
    return any(split_period(before[n])[1] == YEAR and split_period(after[n])[1] is None for n in flows)


def without_flows(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """The old arguments without payments, if the new ones name others "instead"."""
    flows = FLOWS & new.get("plan", {}).keys()
    return {**old, "plan": {n: value for n, value in old["plan"].items() if n not in FLOWS}} if flows else old
