"""Scores the planner's readings of texts that were written without sight of the code against the expected calls.

    python -m tests.agents.planner.scoring tests/agents/planner/texts/development.jsonl [outcome ...]

Each line of a file has the messages `before`, the `text`, the `expected` tool and arguments (`also_right` ones too),
and whether a question is right (`or_asks`). With names of outcomes it prints their texts.
"""

import json
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Literal, TypeAlias

from agents.planner.language.languages import language_note
from agents.planner.language.understanding import Call, Interpretation, Past, understand
from desk.base.errors import InvalidInput
from desk.conversation.focus import Focus
from desk.conversation.optimization_requests import build_request
from desk.conversation.portfolio_requests import asset_name, with_focus_holdings
from desk.conversation.universes import INDEX_NAMES, parse_bundled
from desk.conversation.wishes import PortfolioWish, SavingsWish, StrategyWish, Wish
from desk.figures.guard.numbers import find_numbers
from desk.scenarios.repository import built_in_catalog

Outcome: TypeAlias = Literal["understood", "offered", "asked", "unhelpful", "misread"]
"""Acted as expected; the expected call is among those offered; a question, other offers, or the way to a language
model in the language of the message; neither; acted otherwise."""
USUAL: dict[str, Any] = {
    "base": "new",
    "run": "last",
    "assets": ["sp500"],
    "like": "base_case",
    "covariance": "sample",
    "first": "previous",
    "second": "last",
}
"""Arguments that mean the same as their absence."""
LATER = frozenset({"level", "horizon"})
"""Fields that tools gained after the texts were written; what they hold stands in the texts."""
ASSETS = {"apple": "AAPL", "walmart": "WMT", "pepsi": "PEP", "pfizer": "PFE", "home depot": "HD", "chevron": "CVX"}


def load(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


def interpret(item: dict[str, Any]) -> Interpretation:
    """The reading of a text after the messages before it, as if each of them had been carried out."""
    focus, before = Focus(run="0aa1f00d"), list[Past]()
    for message in item["before"]:
        interpretation = understand(message, focus, before)
        before.append(Past(asked=message, did=tuple((call.tool, call.arguments) for call in interpretation.calls)))
        for call in interpretation.calls:
            focus = focus_after(focus, call)
    return understand(item["text"], focus, before)


def focus_after(focus: Focus, call: Call) -> Focus:
    """What a call leaves for the next message, without computing anything."""
    arguments: dict[str, Any] = json.loads(json.dumps(call.arguments))
    match call.tool:
        case "run_optimization" | "estimate_optimization":
            try:
                wish = Wish.model_validate(arguments["wish"])
                universe = parse_bundled(wish.assets) if wish.assets else None
                request = build_request(wish, focus, built_in_catalog(), universe)
            except InvalidInput:
                return focus
            ran = call.tool == "run_optimization"
            changes: dict[str, Any] = {"request": request, "last": "optimize" if ran else "estimate"}
        case "evaluate_strategy":
            changes = {"strategy": StrategyWish.model_validate(arguments["strategy"]), "last": "evaluate"}
        case "assess_portfolio":
            portfolio = PortfolioWish.model_validate(arguments["portfolio"])
            changes = {"portfolio": with_focus_holdings(portfolio, focus), "last": "assess_risk"}
        case "simulate_wealth":
            plan = SavingsWish.model_validate(arguments["plan"])
            changes = {"portfolio": with_focus_holdings(plan.portfolio, focus), "last": "simulate"}
        case "show_tearsheet":
            changes = {"last": "tearsheet"}
        case "compare_allocations" | "analyse_market" | "save_strategy" | "add_scenario" | "compare_results":
            changes = {"last": call.tool}
        case _:
            changes = {"last": "explain"}
    return focus.model_copy(update=changes)


def score(item: dict[str, Any]) -> tuple[Outcome, Interpretation]:
    interpretation = interpret(item)
    accepted = [item["expected"], *item["also_right"]]
    tools = [each["tool"] for each in accepted]
    if interpretation.calls:
        ours = [(call.tool, call.arguments) for call in interpretation.calls]
        defines = tools[0] is None and ours[0][0] == "define_term"
        right = any(_same(one, each) for one in ours for each in accepted if each["tool"])
        return ("understood" if right or defines else "misread"), interpretation
    if tools[0] is None or (item["or_asks"] and interpretation.proposals):
        return "understood", interpretation
    for proposal in interpretation.proposals:
        if any(_same((proposal.call.tool, proposal.call.arguments), each) for each in accepted):
            return "offered", interpretation
    explained = interpretation.proposals or language_note(item["text"])
    return ("asked" if explained else "unhelpful"), interpretation


def _same(ours: tuple[str, dict[str, Any]], accepted: dict[str, Any]) -> bool:
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


def _report(items: Iterable[dict[str, Any]], shown: set[str]) -> Iterator[str]:
    outcomes: Counter[str] = Counter()
    by_style: dict[str, Counter[str]] = defaultdict(Counter)
    for item in items:
        outcome, interpretation = score(item)
        outcomes[outcome] += 1
        by_style[item["style"]][outcome] += 1
        if outcome in shown:
            yield f"{outcome} {item['id']} {item['before']} {item['text']}"
            yield f"    expected {json.dumps(item['expected'])}"
            for call in interpretation.calls:
                yield f"    does {call.tool} {json.dumps(call.arguments)}"
            for each in interpretation.proposals:
                yield f"    offers {each.call.tool} {json.dumps(each.call.arguments)} {each.unused} {each.questions}"
    yield json.dumps(outcomes)
    for style, counts in sorted(by_style.items()):
        yield f"    {style}: {json.dumps(counts)}"


if __name__ == "__main__":
    print("\n".join(_report(load(Path(sys.argv[1])), {*sys.argv[2:]})))
