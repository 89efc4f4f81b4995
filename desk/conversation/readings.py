"""How a message was read: a tool call in the words of a person."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, cast

from desk.base.text import join_words, spaced
from desk.conversation.quotes import split_period
from desk.figures.guard.numbers import find_numbers
from desk.optimization.reading.topics import Topic

SUBJECTS: Final[Mapping[str, str]] = {
    "run_optimization": "a search for the best strategy",
    "estimate_optimization": "an estimate of a search, which launches nothing",
    "evaluate_strategy": "a quick evaluation of a strategy",
    "save_strategy": "saving the strategy",
    "show_scenarios": "the simulated scenarios",
    "add_scenario": "a new scenario of your own",
    "remove_scenario": "taking back a scenario of your own",
    "assess_portfolio": "the risk of a portfolio",
    "compare_allocations": "a comparison of allocations",
    "analyse_market": "the state of the market",
    "simulate_wealth": "a simulation of wealth",
    "show_tearsheet": "a tear sheet",
    "explain_result": "a question about the result",
    "compare_results": "a comparison of results",
    "list_results": "the list of your results",
    "list_saved": "the list of your",
    "open_holdout": "opening the locked holdout",
    "define_term": "the meaning of",
}
"""What each tool does, as a noun."""
TOPICS: Final[Mapping[Topic, str]] = {
    "summary": "its summary",
    "ranking": "the ranking of the finalists",
    "why": "what drives it",
    "where_it_loses": "where it loses",
    "scenario": "one scenario",
    "costs": "costs",
    "premium": "the equity premium",
    "parameter_error": "errors of the assumptions",
    "probabilities": "the probabilities of the scenarios",
    "limits": "the limits",
    "luck": "luck, and how sure the verdict is",
    "benchmarks": "the benchmarks",
    "plateau": "neighbouring settings",
    "alternative": "another weight function",
    "counter_argument": "what speaks against it",
    "years": "years and crises",
    "data": "the data",
    "next_trade": "what to do next",
    "assets": "the single assets",
    "what_would_change": "what would change the verdict",
    "computed": "what was computed",
    "report": "the report",
    "beginner": "what it means in plain words",
}
PHRASES: Final[Mapping[str, str]] = {
    "amount": "{} in all", "goal": "a goal of {}", "contribution": "{} paid in", "withdrawal": "{} taken out",
    "years": "over {}", "first_day": "from {}", "last_day": "to {}", "only_day": "in {}", "detail": "about {}",
    "trials": "{} configurations",
    "paths": "{} paths", "lookbacks": "lookbacks {}", "name": "named {}", "like": "like the {}", "term": "{}",
    "saved": "{}", "template": "{}", "weight_function": "{}", "assets": "on {}", "asset": "{}",
    "benchmark": "against {}", "scenario": "in the {}", "scenarios": "in the {}", "names": "{}", "rebalancing": "{}",
    "methods": "{}", "what": "{}", "run": "of run {}", "first": "{}", "second": "{}", "safe": "beside {}",
    "weight_functions": "{}", "estimators": "{}", "inner": "{} inside", "engine": "the engine {}",
    "max_time": "at most {}", "max_dollars": "at most {}", "max_weight": "a weight of at most {}",
    "min_weight": "a weight of at least {}", "max_drawdown": "a drawdown of at most {}",
    "max_turnover": "a turnover of at most {}", "value_at_risk": "a value at risk of at most {}",
    "expected_shortfall": "an expected shortfall of at most {}", "inflation": "inflation of {}",
    "max_cost": "costs of at most {}", "max_leverage": "a leverage of at most {}",
    "transaction_cost": "trading costs {}", "constant_weight": "a constant weight of {}", "level": "at {}",
    "horizon": "over {}", "loss": "a loss of {}", "estimator": "volatility by {}", "covariance": "{} covariance",
}  # fmt: skip
"""How an argument is said; any other is said by its name."""
NAMES: Final[Mapping[str, str]] = {
    "sp500": "the S&P 500", "stocks": "all bundled stocks", "data": "data sets", "assets": "assets",
    "twelve_month_rule": "the 12-month rule", "sixty_forty": "60/40", "ewma": "EWMA", "cppi": "CPPI", "hrp": "HRP",
}  # fmt: skip
UNSAID: Final = {
    "base": "new", "run": "last", "like": "base_case", "first": "previous", "second": "last", "covariance": "sample",
    "template": "constant_weight",
}  # fmt: skip
"""Arguments that are not worth a word."""
SHARES: Final = frozenset("constant_weight min_weight max_weight target_volatility max_drawdown floor weight".split())
"""Fields whose bare numbers are percent."""
Say = Callable[[str], str]


def describe_call(tool: str, arguments: Mapping[str, Any], say: Say = str) -> str:
    """The call as a noun phrase; `say` turns a quoted amount into text."""
    parts = list(dict.fromkeys(_parts(tool, arguments, say)))
    return (" " if tool in ("list_saved", "define_term") else ", ").join([SUBJECTS[tool], *parts])


def _parts(tool: str, arguments: Mapping[str, Any], say: Say) -> Iterator[str]:
    day = arguments.get("first_day")
    if day is not None and day == arguments.get("last_day"):
        arguments = {**arguments, "first_day": None, "last_day": None, "only_day": day}
    for name, value in arguments.items():
        if name == "base" and value == "last":
            yield "built on the last one"
        elif value in (None, (), [], {}, "") or UNSAID.get(name) == value:
            continue
        elif name == "topic":
            yield f"on {TOPICS[cast('Topic', value)]}"
        elif name == "holdings":
            yield join_words([_holding(each, say) for each in value])
        elif name == "shocks":
            yield from (f"{_name(s['factor'])} {s['direction']} by {say(s['move'].lstrip('+-'))}" for s in value)
        elif isinstance(value, dict):
            yield from _parts(tool, cast("Mapping[str, Any]", value), say)
        else:
            article = "an" if name[0] in "aeio" else "a"
            phrase = PHRASES.get(name, f"{article} {spaced(name)} of {{}}")
            values = cast("Sequence[object]", value) if isinstance(value, list | tuple) else [value]
            yield phrase.format(join_words([_value(name, each, say) for each in values]))


def _holding(holding: Mapping[str, Any], say: Say) -> str:
    share = holding.get("weight") or holding.get("amount")
    return f"{_value('weight', share, say)} in {_name(holding['asset'])}" if share else _name(holding["asset"])


def _value(name: str, value: object, say: Say) -> str:
    text = str(value)
    bare, months = split_period(text)
    if name in NAMED or not _is_amount(name, text):
        return text if name == "term" else _span(text) if name == "horizon" else _name(text)
    percent = "%" if name in SHARES and re.fullmatch(r"\d+(?:\.\d+)?", bare) and float(bare) > 1.0 else ""
    period = " years" if name == "years" and bare.isdigit() else " a year" if months == 12 else ""
    if name in ("contribution", "withdrawal") and not period and not re.search("%|per ?cent", text):
        period = " each month"
    return f"{say(bare)}{percent}{period}"


def _span(text: str) -> str:
    """A span of time in words: "a month", "two weeks", "one day"."""
    words = text.lower().replace("-", " ")
    return words if " " in words else f"a {words}"


def _is_amount(name: str, text: str) -> bool:
    """Whether a quote has digits, or is an amount in words as a whole; a quarter is a horizon, too."""
    in_words = name != "horizon" and any(n.end - n.start == len(text) for n in find_numbers(text))
    return in_words or re.search(r"\d", text) is not None


NAMED: Final = frozenset("name names run first second saved assets asset benchmark template term".split())
"""Fields of names, which may contain digits."""


def _name(value: str) -> str:
    return NAMES.get(value, spaced(value))


def reading_sentence(tool: str, arguments: Mapping[str, Any]) -> str:
    """What stands below an answer."""
    return f"How your message was read: {describe_call(tool, arguments)}."
