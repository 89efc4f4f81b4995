"""Arguments of a search, or of the estimate of one, from a form."""

import re
from typing import Any, Final

from agents.planner.language.form import Form, filled
from agents.planner.language.holdings import legs_of, levels_of, window_of
from desk.figures.guard.numbers import find_numbers
from quant.strategies.choices import ESTIMATORS, INNER_PORTFOLIOS, REBALANCING
from quant.strategies.config import SearchSpace
from quant.worlds.scenario import BUILT_IN, CYCLE

USUAL: Final = tuple(scenario.name for scenario in BUILT_IN)
SCENARIOS: Final = {"all": (*USUAL, CYCLE.name), "default": USUAL}
"""Scenarios by the names of groups."""
TELLING: Final = frozenset({"target_volatility", "trials", "goal", "max_drawdown"})
"""Fields that only a search has."""


def search(form: Form) -> dict[str, Any]:
    request = form.focus.request
    space = request.space if request else SearchSpace()
    implied = {"percent": "volatility", "bps": "transaction_cost", "multiple": "transaction_cost"}
    if form.has("amount", "paths"):
        implied["years"] = "years"
    _no_leverage(form)
    bounds = _weight_bounds(form)
    levels_of(form)
    quotes = form.match(implied) | bounds
    if form.offer == "estimate":
        form.take("amount", "transaction_cost")  # what the search costs
    inner, goal = _inner_and_goal(form)
    wish = filled({
        **window_of(form), **legs_of(form),
        "name": next(iter(form.names("name")), None), **quotes,
        "weight_functions": form.choice("function", space.weight_functions),
        "estimators": form.choice("estimator", [name for name, row in ESTIMATORS.items() if row.searched]),
        "rebalancing": form.choice("rebalancing", tuple(REBALANCING)), "inner": inner,
        "scenarios": tuple(s for name in form.choice("scenario", USUAL) for s in SCENARIOS.get(name, (name,))),
        "engine": form.one("engine"), "worlds": form.one("worlds"), "goal": goal,
    })  # fmt: skip
    base = _base(form, wish)
    _ask_about(form, wish, base)
    return {"wish": {"base": base, **wish}}


def _weight_bounds(form: Form) -> dict[str, str]:
    """Both bounds of the weight: "weights between 10% and 60%"."""
    numbers = form.all("number")
    for cue in form.all("amount", "weight"):
        after = [number for number in numbers if number.first >= cue.last]
        if len(after) < 2 or len(form.between(cue, after[0])) > 1:
            continue
        joint = [item.text.lower() for item in form.between(after[0], after[1])]
        opened = [item.text.lower() for item in form.between(cue, after[0])]
        if (opened, joint) in ((["between"], ["and"]), (["from"], ["to"]), ([], ["to"]), ([], [])):
            form.use(cue, *after[:2], *form.all("sense", "between"))
            return {"min_weight": after[0].text, "max_weight": after[1].text}
    return {}


def _inner_and_goal(form: Form) -> tuple[tuple[str, ...], str | None]:
    inner, goal = form.names("method"), form.one("goal")
    if "maximum_sharpe" in inner and goal in (None, "sharpe"):
        inner, goal = tuple(m for m in inner if m != "maximum_sharpe"), "sharpe"
    if not {*inner} <= INNER_PORTFOLIOS.keys():
        form.ask("A search has no such portfolio of several assets; a comparison of allocations has it.")
    return inner, goal


def _share(quote: str) -> float:
    [number] = find_numbers(quote)
    value = number.value or 0.0
    return value / 100.0 if number.unit == "percent" or value > 2.0 else value


def _no_leverage(form: Form) -> None:
    """Accept "no leverage" where nothing may be borrowed anyway."""
    request = form.focus.request
    if request is not None and request.mandate.max_weight > 1.0:
        return
    for negation in form.all("sense", "not"):
        for cue in form.all("amount", "max_leverage"):
            if cue.first >= negation.last and form.near(negation, cue):
                form.use(negation, cue)


def _base(form: Form, wish: dict[str, Any]) -> str:
    """Whether the last search is changed, or a new one is described."""
    again, fresh = form.take("sense", "again"), form.take("sense", "fresh")
    if form.focus.request is None:
        if again:
            form.ask("There is nothing to change yet; nothing was searched before.")
        return "new"
    asked = form.has("trigger") and form.offer == "optimize"
    changes = form.has("sense", "change")
    last = bool(again) or (changes and not asked) or ("assets" not in wish and (changes or not asked))
    return "last" if last and not fresh else "new"


def _ask_about(form: Form, wish: dict[str, Any], base: str) -> None:
    """What is missing, doubtful or contradictory in a search."""
    told = form.has("trigger") or form.has("sense", "again")
    bare = [pair for pair in form.pairs if pair.slot == "volatility" and pair.cue is None]
    if bare and len(form.pairs) > 1:
        form.ask("What is the share for? Name it, as in volatility, drawdown or weight.")
    if base == "last" and not wish and form.offer == "optimize":
        form.ask("What should change? The same search has the same result.")
    if base == "new" and not wish:
        form.ask("For which assets, and with which target? Say, the index with a volatility and a drawdown limit.")
    if form.offer == "optimize" and form.questions_something() and not _which(form):
        form.doubt("a search is meant")
    elif form.offer == "optimize" and not told:
        multiples = [p for p in form.pairs if p.amount.unit == "multiple"]
        if multiples and wish.keys() == {"transaction_cost"}:
            form.doubt("the search is repeated at these costs")
        if base == "new" and TELLING.isdisjoint(wish):
            form.doubt("a search is meant")
    _ask_about_contradictions(form, wish)


def _which(form: Form) -> bool:
    """Whether the question asks for a strategy to be found, as "which rule is best?" and not "should I search?"."""
    return form.has("trigger") and form.reading.words[0].text not in ("should", "do")


def _ask_about_contradictions(form: Form, wish: dict[str, Any]) -> None:
    lookbacks = wish.get("lookbacks", ())
    units = {"" if quote.isdigit() else "days" if re.search(r"d(ays?)?$", quote) else "other" for quote in lookbacks}
    if "" in units and "other" in units:
        form.ask("In which unit is each lookback?")
    if len(wish.get("rebalancing", ())) > 1 and form.has("sense", "only") and not form.has("sense", "or"):
        form.doubt("several frequencies of rebalancing are tried")
    if any(pair.cue is None and pair.amount.unit == "multiple" for pair in form.pairs):
        form.ask("What is multiplied?")
    if {"min_weight", "max_weight"} <= wish.keys() and _share(wish["min_weight"]) > _share(wish["max_weight"]):
        form.ask("The minimum weight is above the maximum weight.")
