"""Compares the assistant's interpretation of a message with an independent annotation."""

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, Literal, NamedTuple

from agents.planner.language.understanding import Call, Interpretation, understand
from desk.base.errors import InvalidInput
from desk.conversation import quotes
from desk.conversation.focus import Focus
from desk.conversation.wishes import Holding, PortfolioWish, StrategyWish
from desk.optimization.request import Limit, Limits, OptimizationRequest
from quant.strategies.config import SearchSpace

WIDE = (-(10**12), 10**12)
"""Wide ranges, because the tools and not the parser refuse values out of range."""
SPX, CASH = Holding(asset="sp500", weight="60%"), Holding(asset="cash", weight="40%")
REQUEST = OptimizationRequest(limits=Limits(max_drawdown=Limit(bound=0.20)))
FOCI = {
    "fresh": Focus(),
    "after_optimization": Focus(run="4e1f00aa", previous_run="9b2c11dd", request=REQUEST, last="optimize"),
    "after_evaluation": Focus(strategy=StrategyWish(template="twelve_month_rule"), last="evaluate"),
    "after_risk": Focus(portfolio=PortfolioWish(holdings=(SPX, CASH), amount="EUR 1m"), last="assess_risk"),
}
ACTIONS = {
    "run_optimization": "optimize",
    "estimate_optimization": "estimate",
    "evaluate_strategy": "evaluate",
    "save_strategy": "save_strategy",
    "show_scenarios": "scenarios",
    "add_scenario": "add_scenario",
    "assess_portfolio": "assess_risk",
    "compare_allocations": "compare_allocations",
    "analyse_market": "analyse_market",
    "simulate_wealth": "simulate",
    "show_tearsheet": "tearsheet",
    "explain_result": "explain",
    "compare_results": "compare_results",
    "list_results": "list_results",
    "open_holdout": "open_holdout",
}
MANY = 6
"""A list of at least so many weight functions is what remains after an exclusion."""
ANNOTATED = frozenset(
    "inverse_vol inverse_vol_squared linear_decay sigmoid merton cppi tipp trend_overlay regime_switch "
    "drawdown_control feedback".split()
)
"""The weight functions that the annotations know: what remains after an exclusion may contain newer ones."""
USUAL: dict[str, Any] = {"assets": ["sp500"], "max_leverage": 1.0, "max_weight": 1.0}
"""Defaults of a new optimization."""
ALIASES = {"hrp": "hierarchical_risk_parity", "tangency": "maximum_sharpe", "frontier": "maximum_sharpe"}


class Score(NamedTuple):
    outcome: Literal["understood", "declined", "misread"]
    why: str = ""


def items(path: Path) -> list[dict[str, Any]]:
    return json.loads(path.read_text(encoding="utf-8"))


@cache
def interpret(text: str, context: str) -> Interpretation:
    """What several tests ask of the same message is worked out once."""
    return understand(text, FOCI[context])


def score(item: dict[str, Any]) -> Score:
    interpretation = interpret(item["text"], item["context"])
    if not interpretation.calls:
        return _without_calls(item["action"], interpretation)
    try:
        readings = [_read(call) for call in interpretation.calls]
    except InvalidInput as refused:
        return Score("declined", f"the tool refuses: {refused}")
    accepted = [item, *item.get("also", ())]
    if item["action"] in ("cannot", "unclear", "help"):
        return Score("misread", f"does {readings}")
    if len(readings) == 1 and any(_same(one, readings[0]) for one in accepted):
        return Score("understood")
    if len(readings) == len(accepted) and all(_same(one, other) for one, other in zip(accepted, readings, strict=True)):
        return Score("understood")
    return Score("misread", f"reads {readings}")


def _without_calls(action: str, interpretation: Interpretation) -> Score:
    asks = interpretation.declined or bool(interpretation.unclear)
    if action == "help":
        return Score("declined" if asks else "understood", str(interpretation.unclear))
    if action in ("cannot", "unclear"):
        return Score("understood" if asks else "misread", "neither declines nor asks")
    return Score(
        "declined", f"{interpretation.unclear}; declined {interpretation.declined}; offers {interpretation.offers}"
    )


def _same(accepted: dict[str, Any], reading: tuple[str, str | None, dict[str, Any]]) -> bool:
    action, base, values = reading
    target = {key: _canonical(key, value) for key, value in accepted["values"].items()}
    values = {key: _canonical(key, value) for key, value in values.items()}
    if "currency" not in target and "amount" not in target and "holdings" in target:
        values.pop("currency", None)
    target, values = _as_shares(target), _as_shares(values)
    if accepted["action"] != action or (accepted.get("base") and base and accepted["base"] != base):
        return False
    if action in ("optimize", "estimate"):
        target, values = _as_searched(target), _as_searched(values)
    if action in ("optimize", "estimate") and base == "new":
        target, values = _without_usual(target), _without_usual(values)
    if action == "evaluate":
        target, values = _one_name(target), _one_name(values)
    if action == "add_scenario":
        target = {key: value for key, value in target.items() if (key, value) != ("like", "base_case")}
    if action == "compare_results":
        return not target or {*target.values()} == {*values.values()}
    if action in ("explain", "open_holdout"):
        values = {key: value for key, value in values.items() if key in target or (key, value) != ("run", "last")}
    return _equal(target, values)


def _as_shares(values: dict[str, Any]) -> dict[str, Any]:
    """Amounts of money per asset as shares of their sum."""
    holdings = values.get("holdings")
    if not isinstance(holdings, dict) or sum(holdings.values()) <= 2.0:
        return values
    whole = sum(holdings.values())
    return values | {"holdings": {asset: money / whole for asset, money in holdings.items()}, "amount": whole}


def _equal(one: Any, other: Any) -> bool:
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_equal(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_equal, one, other))
    if isinstance(one, int | float) and isinstance(other, int | float):
        return abs(one - other) <= 1e-9 * max(1.0, abs(one))
    return one == other


def _canonical(key: str, value: Any) -> Any:
    if key in ("rebalancing", "estimators", "weight_functions", "scenarios", "methods", "lookbacks", "assets", "names"):
        several = value if isinstance(value, list | tuple) else [value]
        return sorted((ALIASES.get(one, one) for one in several), key=str)
    if key == "name" and isinstance(value, str):
        return value.casefold()
    return value


def _as_searched(values: dict[str, Any]) -> dict[str, Any]:
    """After an exclusion such as "without tipp", only the functions that a search supports."""
    names = values.get("weight_functions", [])
    if len(names) < MANY:
        return values
    searched = {*SearchSpace().weight_functions} & ANNOTATED
    functions = sorted({*names} & searched)
    others = {key: value for key, value in values.items() if key != "weight_functions"}
    return others if len(functions) == len(searched) else others | {"weight_functions": functions}


def _without_usual(values: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if not _equal(USUAL.get(key), value)}


def _one_name(values: dict[str, Any]) -> dict[str, Any]:
    """One name for `merton` and `trend_overlay`, which are templates and functions."""
    others = {key: value for key, value in values.items() if (key, value) != ("assets", ["sp500"])}
    name = others.get("template") or others.get("weight_function")
    if name in ("merton", "trend_overlay"):
        others = {key: value for key, value in others.items() if key not in ("template", "weight_function")} | {
            "rule": name
        }
    return others


# Parsing of quotes


def _fraction(quote: str) -> float:
    return quotes.parse_fraction("amount", quote, *WIDE)


def _basis_points(quote: str) -> float:
    return quotes.parse_multiple(quote) or quotes.parse_basis_points("amount", quote, *WIDE)


def _whole(quote: str) -> int:
    return quotes.parse_whole("amount", quote, *WIDE)


def _years(quote: str) -> float:
    return quotes.parse_years("amount", quote, *WIDE)


def _sessions(quote: str) -> int:
    return quotes.parse_sessions("amount", quote, *WIDE)


def _ratio(quote: str) -> float:
    return quotes.parse_ratio("amount", quote, *WIDE)


def _money(quote: str) -> float:
    return quotes.parse_money("amount", quote)[0]


READERS: dict[str, Callable[[str], Any]] = {
    **dict.fromkeys(
        "target_volatility max_drawdown value_at_risk expected_shortfall min_weight max_weight midpoint scale floor "
        "drawdown_cap constant_weight hysteresis calm_weight turbulent_weight decay no_trade_band "
        "expected_return volatility cash_rate inflation fee".split(),
        _fraction,
    ),
    **dict.fromkeys(["transaction_cost", "max_cost"], _basis_points),
    **dict.fromkeys(["trials", "paths", "seed"], _whole),
    **dict.fromkeys("max_turnover max_leverage risk_aversion slope multiplier gain bond_correlation".split(), _ratio),
    **dict.fromkeys(["contribution", "withdrawal", "goal"], _money),
    "years": _years,
    "lookback": _sessions,
}


def _read(call: Call) -> tuple[str, str | None, dict[str, Any]]:
    action = ACTIONS[call.tool]
    arguments: dict[str, Any] = dict(call.arguments)
    for inner in ("wish", "strategy", "scenario", "plan", "portfolio"):
        if isinstance(arguments.get(inner), dict) and not (inner == "scenario" and action == "simulate"):
            arguments |= arguments.pop(inner)
    base = arguments.pop("base", None)
    if isinstance(arguments.get("portfolio"), dict):
        arguments |= arguments.pop("portfolio")
    money = arguments.pop("amount", None)
    if money is not None:
        arguments["amount"], currency = quotes.parse_money("amount", money)
        arguments |= {"currency": currency} if currency else {}
    if "holdings" in arguments:
        currencies = {quotes.parse_money("amount", h["amount"])[1] for h in arguments["holdings"] if "amount" in h} - {
            None
        }
        arguments |= {"currency": currencies.pop()} if currencies else {}
        arguments["holdings"] = _holdings(arguments["holdings"])
    if action == "explain":
        _with_equal_shares(arguments)
    values = {key: _value(action, key, value) for key, value in arguments.items() if value not in (None, [], ())}
    if action == "add_scenario" and values.get("like") == "base_case":
        del values["like"]
    return action, base, values


def _value(action: str, key: str, value: Any) -> Any:
    if key == "lookbacks":
        return [_sessions(quote) for quote in value]
    if key == "goal" and action != "simulate":
        return value
    return READERS[key](value) if key in READERS and isinstance(value, str) else value


def _with_equal_shares(arguments: dict[str, Any]) -> None:
    if arguments["topic"] == "costs" and arguments["detail"] is not None:
        arguments["cost_multiple"] = quotes.parse_multiple(arguments.pop("detail"))


def _holdings(holdings: list[dict[str, Any]]) -> dict[str, Any]:
    """Shares by asset: equal without any, and the rest for one asset without a share."""
    if any("amount" in holding for holding in holdings):
        return {holding["asset"]: _money(holding["amount"]) for holding in holdings}
    shares = {h["asset"]: _fraction(h["weight"]) if "weight" in h else None for h in holdings}
    if all(share is None for share in shares.values()):
        return dict.fromkeys(shares, 1.0 / len(shares))
    rest = 1.0 - sum(share for share in shares.values() if share is not None)
    return {asset: rest if share is None else share for asset, share in shares.items()}
