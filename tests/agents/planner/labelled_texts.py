"""Texts of people who have not seen the code, each with the tool and the arguments that are right for it.

Each line of a file has the messages `before`, the `text`, the `expected` tool and arguments (`also_right` ones too),
and whether a question is right (`or_asks`).
"""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, TypeAlias

from desk.conversation.portfolio_requests import asset_name
from desk.conversation.universes import INDEX_NAMES
from desk.figures.guard.numbers import find_numbers

Outcome: TypeAlias = Literal["understood", "offered", "asked", "unhelpful", "misread"]
"""Acted as expected; the expected call is among those offered; a question, other offers, or the way to a language
model in the language of the message; neither; acted otherwise."""
Calls: TypeAlias = Sequence[tuple[str, dict[str, Any]]]
"""Names of tools and their arguments."""
USUAL: dict[str, Any] = {
    "base": "new",
    "run": "last",
    "assets": ["sp500"],
    "like": "base_case",
    "covariance": "sample",
    "first": "previous",
    "second": "last",
    "holdings": [{"asset": "sp500"}],
}
"""Arguments that mean the same as their absence."""
LATER = frozenset({"level", "horizon"})
"""Fields that tools gained after the texts were written; what they hold stands in the texts."""
ASSETS = {"apple": "AAPL", "walmart": "WMT", "pepsi": "PEP", "pfizer": "PFE", "home depot": "HD", "chevron": "CVX"}


def load(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


def expects_nothing(item: dict[str, Any]) -> bool:
    """Whether the text asks for what no tool does."""
    return item["expected"]["tool"] is None


def is_right(calls: Calls, item: dict[str, Any]) -> bool:
    """Whether one of the calls is the expected one, or one that is right too."""
    accepted = [each for each in (item["expected"], *item["also_right"]) if each["tool"]]
    return any(_is_same(call, each) for call in calls for each in accepted)


def outcome_of_calls(calls: Calls, item: dict[str, Any]) -> Outcome:
    """The outcome of a text that was acted on; where nothing is expected, the definition of a term does no harm."""
    defines = expects_nothing(item) and calls[0][0] == "define_term"
    return "understood" if defines or is_right(calls, item) else "misread"


def _is_same(ours: tuple[str, dict[str, Any]], accepted: dict[str, Any]) -> bool:
    return ours[0] == accepted["tool"] and _plain(ours[1]) == _plain(accepted["arguments"])


def _plain(value: Any, key: str = "") -> Any:
    """Arguments in one form: names of assets as tickers, quotes as numbers, without what is usual or empty."""
    if isinstance(value, dict):
        plain = {
            name: _plain(each, name)
            for name, each in value.items()
            if each not in (None, [], (), {}) and name not in LATER
        }
        if key == "" and isinstance(plain.get("plan"), dict):
            plain["plan"].pop("base", None)
        return {name: each for name, each in plain.items() if each not in ({}, _plain(USUAL.get(name), name))}
    if isinstance(value, list | tuple):
        rows = [_plain(each, key) for each in value]
        return sorted(rows, key=str)
    if key in ("assets", "asset", "factor", "benchmark"):
        lowered = str(value).lower()
        return "sp500" if lowered in INDEX_NAMES else ASSETS.get(lowered, "stocks" if lowered == "stocks" else
                                                                 asset_name(str(value)))  # fmt: skip
    if isinstance(value, str) and key not in ("name", "saved", "run", "first", "second"):
        numbers = find_numbers(value)
        if len(numbers) == 1 and numbers[0].value is not None:
            amount = abs(numbers[0].value) if key == "move" else numbers[0].value  # the direction is another argument
            share = key in SHARES and (numbers[0].unit == "percent" or amount > 1.0)
            return amount / 100.0 if share else (amount * 100.0 if key == "transaction_cost" and
                                                 numbers[0].unit == "percent" else amount)  # fmt: skip
    return value.casefold() if isinstance(value, str) else value


SHARES = frozenset(
    "weight target_volatility max_drawdown midpoint scale floor drawdown_cap constant_weight no_trade_band fee "
    "inflation volatility expected_return cash_rate move loss min_weight max_weight value_at_risk "
    "expected_shortfall".split()
)


def report(rows: Iterable[tuple[dict[str, Any], Outcome, Sequence[str]]], shown: set[str]) -> Iterator[str]:
    """The texts of the outcomes `shown`, each with what was done for it, and the number of texts of each outcome."""
    outcomes: Counter[str] = Counter()
    by_style: dict[str, Counter[str]] = defaultdict(Counter)
    for item, outcome, details in rows:
        outcomes[outcome] += 1
        by_style[item["style"]][outcome] += 1
        if outcome in shown:
            yield f"{outcome} {item['id']} {item['before']} {item['text']}"
            yield f"    expected {json.dumps(item['expected'])}"
            yield from (f"    {detail}" for detail in details)
    yield json.dumps(outcomes)
    for style, counts in sorted(by_style.items()):
        yield f"    {style}: {json.dumps(counts)}"
