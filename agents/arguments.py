"""Fills the arguments of each tool out of a form."""

import re
from collections.abc import Callable
from typing import Any, Final

from agents.form import Call, Form
from agents.grammar import Mark
from agents.holdings import assess, compare_allocations, simulate
from agents.strategies import estimate, evaluate, given, optimize

SCENARIO: Final = {
    "return": "expected_return", "volatility": "volatility", "cash_rate": "cash_rate",
    "correlation": "bond_correlation",
}  # fmt: skip


def _save(form: Form) -> list[Call]:
    names = form.names("name")
    if len(names) != 1:
        form.ask("name: under which name?")
    if form.focus.strategy is None and form.focus.run is None:
        form.ask("strategy: there is nothing to save yet")
    form.finish(ignored=("function", "template"))
    return [Call(tool="save_strategy", arguments={"name": names[0] if names else ""})]


def _scenarios(form: Form) -> list[Call]:
    names = () if form.reading.has("scenario", "all") and form.names("scenario") else form.names("scenario")
    form.finish()
    return [Call(tool="show_scenarios", arguments={"names": list(names)})]


def _add_scenario(form: Form) -> list[Call]:
    names, like = form.names("name"), form.one("scenario")
    if len(names) != 1:
        form.ask("name: what is it called?")
    quotes = form.match((*SCENARIO, "drawdown", "fee", "inflation", "leverage"), {})
    for slot in quotes:
        if slot not in SCENARIO:
            form.ask(f"amount: {slot} {quotes[slot]} is no part of a scenario")
    if "cash_rate" in quotes:
        form.use(*form.reading.all("asset", "cash"))
    scenario = {"name": names[0] if names else "", "like": like or "base_case", "engine": form.one("engine")}
    scenario |= {SCENARIO[slot]: quote for slot, quote in quotes.items() if slot in SCENARIO}
    form.finish(needed=tuple(SCENARIO))
    return [Call(tool="add_scenario", arguments={"scenario": given(scenario)})]


def _analyse(form: Form) -> list[Call]:
    assets = form.assets()
    form.finish()
    return [Call(tool="analyse_market", arguments={"assets": list(assets)})]


def _explain(form: Form) -> list[Call]:
    r = form.reading
    runs, functions, scenarios = form.names("run"), form.names("function"), form.names("scenario")
    multiple = form.match(
        ("transaction_cost", "max_cost"), {"multiple": "transaction_cost", "factor": "transaction_cost"}
    )
    topics = [m.value for m in sorted(r.all("topic"), key=_said)]
    if not (topics or functions or scenarios or runs or multiple) or (set(topics) == {"alternative"} and not functions):
        form.ask("topic: what about the result?")
    topic, detail = _topic(topics, functions, scenarios, costs=bool(multiple))
    form.names("rebalancing")
    _mentions(form, topic)
    if topic == "why" and re.search(r"\bwhy (?:not|isn't|wasn't|didn't|aren't|don't|doesn't)\b", r.folded) and not functions:
        form.ask("topic: why what not?")
    if len(runs) > 1 or len(functions) > 1 or len(scenarios) > 1:
        form.ask("detail: one at a time")
    if topic == "costs" and multiple:
        detail = next(iter(multiple.values()))
    form.use(*r.all("split"), *r.all("template"), *r.all("method"), *r.all("asset", "sp500", "cash"))
    if not runs and form.focus.run is None:
        form.ask("run: which result?")
    form.unclear = [u for u in form.unclear if not u.startswith("negation")]
    form.finish()
    return [
        Call(tool="explain_result", arguments={"run": runs[0] if runs else "last", "topic": topic, "detail": detail})
    ]


def _topic(
    topics: list[str], functions: tuple[str, ...], scenarios: tuple[str, ...], *, costs: bool
) -> tuple[str, str | None]:
    if costs:
        return "costs", None
    if functions and (
        not topics or "alternative" in topics or set(topics) <= {"why", "where_it_loses", "alternative", "summary"}
    ):
        return "alternative", functions[0]
    if scenarios and not set(topics) & {"counter_argument", "premium", "what_would_change"}:
        return "scenario", scenarios[0]
    return (topics[0] if topics else "summary"), None


def _said(topic: Mark) -> int:
    """The most particular topic first."""
    return TOPIC_ORDER.index(topic.value) if topic.value in TOPIC_ORDER else len(TOPIC_ORDER)


TOPIC_ORDER: Final = (
    "what_would_change", "counter_argument", "next_trade", "computed", "luck", "probabilities", "benchmarks",
    "parameter_error", "plateau", "premium", "limits", "years", "where_it_loses", "data", "ranking", "why", "costs", "summary",
)  # fmt: skip
"""From the most particular to the most general; the first that is named is meant."""


def _mentions(form: Form, topic: str) -> None:
    """Numbers of the request that the question is about: "a breach of the 20% drawdown"."""
    request = form.focus.request
    known = [] if request is None else [limit.bound for limit in request.limits.given().values()]
    known += [] if request is None else [request.mandate.target_volatility, float(request.trials)]
    for amount in form.free:
        value = amount.value / 100.0 if amount.unit == "percent" else amount.value
        listed = topic == "ranking" and amount.unit == "plain" and amount.value <= 10
        none = topic == "premium" and amount.value == 0.0
        if none or listed or any(abs(value - other) < 1e-9 for other in known):
            form.take(amount)


def _compare_results(form: Form) -> list[Call]:
    runs, r = form.names("run"), form.reading
    first, second = "last", "previous"
    if len(runs) == 2:
        first, second = runs
    elif len(runs) == 1:
        first, second = (
            ("previous" if r.has("reference", "previous") and not r.has("reference", "last") else "last"),
            runs[0],
        )
    elif len(runs) > 2:
        form.ask("run: two at a time")
    form.use(*r.all("asset", "sp500"))
    if not runs and form.focus.run is None:
        form.ask("run: which two results?")
    form.finish()
    return [Call(tool="compare_results", arguments={"first": first, "second": second})]


def _list(form: Form) -> list[Call]:
    form.finish()
    return [Call(tool="list_results", arguments={})]


def _holdout(form: Form) -> list[Call]:
    runs = form.names("run")
    if form.focus.run is None and not runs:
        form.ask("run: of which result?")
    form.finish()
    return [Call(tool="open_holdout", arguments={"run": runs[0] if runs else "last"})]


BUILDERS: Final[dict[Any, Callable[[Form], list[Call]]]] = {
    "optimize": optimize,
    "estimate": estimate,
    "evaluate": evaluate,
    "save_strategy": _save,
    "scenarios": _scenarios,
    "add_scenario": _add_scenario,
    "assess_risk": assess,
    "compare_allocations": compare_allocations,
    "analyse_market": _analyse,
    "simulate": simulate,
    "explain": _explain,
    "compare_results": _compare_results,
    "list_results": _list,
    "open_holdout": _holdout,
}
