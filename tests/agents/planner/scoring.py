"""Scores the planner's readings of labelled texts, without a conversation: nothing is computed.

    python -m tests.agents.planner.scoring tests/agents/planner/texts/development.jsonl [outcome ...]

With names of outcomes it prints their texts. `conversations` scores what real conversations call.
"""

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from agents.planner.language.languages import language_note
from agents.planner.language.understanding import Call, Interpretation, Past, understand
from desk.base.errors import InvalidInput
from desk.conversation.focus import Focus
from desk.conversation.optimization_requests import build_request
from desk.conversation.portfolio_requests import with_focus_holdings
from desk.conversation.universes import parse_bundled
from desk.conversation.wishes import PortfolioWish, SavingsWish, StrategyWish, Wish
from desk.optimization.request import OptimizationRequest
from desk.scenarios.repository import built_in_catalog
from tests.agents.planner.labelled_texts import Outcome, expects_nothing, is_right, load, outcome_of_calls, report

RESULT = Focus(run="0aa1f00d", request=OptimizationRequest())
"""A new conversation of a person with a finished search."""


def interpret(item: dict[str, Any]) -> Interpretation:
    """The reading of a text after the messages before it, each of them carried out; an offer is accepted by "yes"."""
    focus, before = RESULT, list[Past]()
    for message in item["before"]:
        interpretation = understand(message, focus, before)
        if not interpretation.calls and interpretation.proposals:
            before.append(Past(asked=message))
            interpretation = understand("yes", focus, before)
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
    if interpretation.calls:
        calls = [(call.tool, call.arguments) for call in interpretation.calls]
        return outcome_of_calls(calls, item), interpretation
    if expects_nothing(item) or (item["or_asks"] and interpretation.proposals):
        return "understood", interpretation
    if is_right([(each.call.tool, each.call.arguments) for each in interpretation.proposals], item):
        return "offered", interpretation
    explained = interpretation.proposals or language_note(item["text"])
    return ("asked" if explained else "unhelpful"), interpretation


def _details(interpretation: Interpretation) -> Iterator[str]:
    for call in interpretation.calls:
        yield f"does {call.tool} {json.dumps(call.arguments)}"
    for each in interpretation.proposals:
        yield f"offers {each.call.tool} {json.dumps(each.call.arguments)} {each.unused} {each.questions}"


def _rows(items: Iterable[dict[str, Any]]) -> Iterator[tuple[dict[str, Any], Outcome, Sequence[str]]]:
    for item in items:
        outcome, interpretation = score(item)
        yield item, outcome, [*_details(interpretation)]


if __name__ == "__main__":
    print("\n".join(report(_rows(load(Path(sys.argv[1]))), {*sys.argv[2:]})))
