"""Builds the arguments of each tool from a form; `BUILDERS` has one function per action."""

import re
from collections.abc import Callable
from typing import Any, Final

from agents.planner.language.form import Call, Form, plain
from agents.planner.language.grammar import Reading
from agents.planner.language.holdings import assess, compare_allocations, simulate, tearsheet
from agents.planner.language.strategies import estimate, evaluate, optimize, without_empty

SCENARIO: Final = {
    "return": "expected_return", "volatility": "volatility", "cash_rate": "cash_rate",
    "correlation": "bond_correlation",
}  # fmt: skip


def _save(form: Form) -> list[Call]:
    names = form.names("name")
    if len(names) != 1:
        form.ask("name: Under which name? Say, save it as Core.")
    if form.focus.strategy is None and form.focus.run is None:
        form.ask("strategy: There is nothing to save yet; look at a strategy before.")
    form.finish(ignored=("function", "template"))
    return [Call(tool="save_strategy", arguments={"name": names[0] if names else ""})]


def _scenarios(form: Form) -> list[Call]:
    names = () if form.reading.has("scenario", "all") and form.names("scenario") else form.names("scenario")
    form.finish()
    return [Call(tool="show_scenarios", arguments={"names": list(names)})]


def _add_scenario(form: Form) -> list[Call]:
    names, like = form.names("name"), form.one("scenario")
    if len(names) != 1:
        form.ask("name: What is the new scenario called? Say, a scenario called Shock.")
    quotes = form.match((*SCENARIO, "drawdown", "fee", "inflation", "leverage"), {})
    for slot in quotes:
        if slot not in SCENARIO:
            form.ask(f"amount: A scenario has no {plain(slot)}, so {quotes[slot]} has no place in it.")
    if "cash_rate" in quotes:
        form.use(*form.reading.all("asset", "cash"))
    scenario = {"name": names[0] if names else "", "like": like or "base_case", "engine": form.one("engine")}
    scenario |= {SCENARIO[slot]: quote for slot, quote in quotes.items() if slot in SCENARIO}
    form.finish(needed=tuple(SCENARIO))
    return [Call(tool="add_scenario", arguments={"scenario": without_empty(scenario)})]


def _analyse(form: Form) -> list[Call]:
    assets = form.assets()
    form.finish()
    return [Call(tool="analyse_market", arguments={"assets": list(assets)})]


def _explain(form: Form) -> list[Call]:
    r = form.reading
    runs, scenarios = form.names("run"), form.names("scenario")
    functions = tuple(dict.fromkeys(m.value for m in r.all("function") if m.value != "all"))
    form.use(*r.all("function"))
    multiple = form.match(
        ("transaction_cost", "max_cost"), {"multiple": "transaction_cost", "factor": "transaction_cost"}
    )
    topics = _topics(r) or (["data"] if r.has("worlds") else [])
    form.use(*r.all("worlds"))
    if len({*topics} - {"alternative"}) > 1 and not functions:
        form.ask(
            f"topic: Is the question about {' or about '.join(plain(topic) for topic in topics)}? Please ask "
            f"for them separately."
        )
    if not (topics or functions or scenarios or runs or multiple) or (set(topics) == {"alternative"} and not functions):
        form.ask("topic: What about the result? Ask why it won, where it loses, or whether it is luck.")
    topic, detail = _topic(topics, functions, scenarios, costs=bool(multiple))
    form.names("rebalancing")
    _mentions(form, topic)
    if (
        topic == "why"
        and re.search(r"\bwhy (?:not|isn't|wasn't|didn't|aren't|don't|doesn't)\b", r.folded)
        and not functions
    ):
        form.ask("topic: Why not what? Name a weight function, as in why not sigmoid.")
    if len(runs) > 1 or len(functions) > 1 or len(scenarios) > 1:
        form.ask("detail: Please ask about a single weight function, scenario or result at a time.")
    if topic == "costs" and multiple:
        detail = next(iter(multiple.values()))
    form.use(*r.all("split"), *r.all("template"), *r.all("method"), *r.all("asset", "sp500", "cash", "stocks"))
    if not runs and form.focus.run is None:
        form.ask("run: There is no result yet to explain; ask for an optimization, or name a run.")
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


def _topics(r: Reading) -> list[str]:
    """The topics of a question about a result: without those that another topic overrules."""
    marks = [m for m in r.all("topic") if m.value != "summary" or not THING.match(m.text) or len(r.words) <= SHORT]
    topics = list(dict.fromkeys(m.value for m in marks))
    free = [t for t in topics if not any(t in OVERRULED[other] or t == "summary" for other in topics if other != t)]
    return free or topics


SHORT: Final = 8
"""In a message with more words, "the result" is no topic of its own."""
THING: Final = re.compile(r"(?:the |winning )?(?:result|winner|outcome|win|rule|strategy|verdict|findings?|answer)$")
OVERRULED: Final[dict[str, frozenset[str]]] = {
    topic: frozenset(others.split())
    for topic, others in {
        "what_would_change": "why where_it_loses ranking plateau premium costs counter_argument alternative years data",
        "counter_argument": "why where_it_loses luck costs limits ranking alternative",
        "next_trade": "why years data limits ranking costs assets",
        "assets": "why years data limits ranking costs",
        "computed": "why data costs years benchmarks ranking probabilities premium",
        "luck": "probabilities plateau why ranking years data benchmarks",
        "probabilities": "limits where_it_loses years benchmarks costs ranking why",
        "parameter_error": "where_it_loses plateau why data costs luck premium",
        "premium": "plateau where_it_loses years benchmarks costs why data",
        "plateau": "ranking limits why where_it_loses",
        "years": "where_it_loses benchmarks ranking why costs data",
        "data": "why costs",
        "benchmarks": "where_it_loses costs years ranking why",
        "limits": "where_it_loses costs why",
        "costs": "where_it_loses why years",
        "ranking": "where_it_loses why",
        "where_it_loses": "why ranking",
        "why": "",
        "alternative": "why where_it_loses ranking",
        "summary": "",
    }.items()
}
"""For each topic, the topics that it overrules."""


def _mentions(form: Form, topic: str) -> None:
    """Accept numbers that only mention the request: "a breach of the 20% drawdown"."""
    request = form.focus.request
    values = [] if request is None else [limit.bound for limit in request.limits.defined().values()]
    values += [] if request is None else [request.mandate.target_volatility, float(request.trials)]
    for amount in form.free:
        value = amount.value / 100.0 if amount.unit == "percent" else amount.value
        listed = topic == "ranking" and amount.unit == "plain" and amount.value <= 10
        none = topic == "premium" and amount.value == 0.0
        if none or listed or any(abs(value - other) < 1e-9 for other in values):
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
        form.ask("run: Please name only the two results to compare.")
    form.use(*r.all("asset", "sp500"))
    if not runs and form.focus.run is None:
        form.ask("run: Which results should be compared? There is none yet in this conversation.")
    form.finish()
    return [Call(tool="compare_results", arguments={"first": first, "second": second})]


def _list(form: Form) -> list[Call]:
    form.finish()
    return [Call(tool="list_results", arguments={})]


def _holdout(form: Form) -> list[Call]:
    runs = form.names("run")
    if form.focus.run is None and not runs:
        form.ask("run: Of which result? There is none yet in this conversation.")
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
    "tearsheet": tearsheet,
    "explain": _explain,
    "compare_results": _compare_results,
    "list_results": _list,
    "open_holdout": _holdout,
}
