"""Arguments of a search, or of the estimate of one, from a form."""

from typing import Any, Final

from agents.planner.language.form import ASKING, Form, filled
from agents.planner.language.holdings import legs_of, window_of
from quant.strategies.choices import ESTIMATORS, INNER_PORTFOLIOS, REBALANCING
from quant.strategies.config import SearchSpace
from quant.worlds.scenario import BUILT_IN, CYCLE

USUAL: Final = tuple(scenario.name for scenario in BUILT_IN)
SCENARIOS: Final = {"all": (*USUAL, CYCLE.name), "default": USUAL}
"""Scenarios by the names of groups."""
TELLING: Final = frozenset({"target_volatility", "trials", "goal", "max_drawdown"})
"""Fields that only a search has."""

LIMIT_DAYS: Final = 21.0
"""Horizon of the value at risk and of the shortfall that a search limits."""


def search(form: Form) -> dict[str, Any]:
    request = form.focus.request
    space = request.space if request else SearchSpace()
    implied = {"percent": "volatility", "bps": "transaction_cost"}
    implied |= {"years": "years"} if form.has("amount", "paths") else {}
    _accept_no_leverage(form)
    measures = form.all("amount", "value_at_risk", "expected_shortfall")
    days = [i for i in form.all("number") if i.unit == "days" and any(form.near(i, each) for each in measures)]
    form.use(*(i for i in days if i.size == LIMIT_DAYS))
    quotes = form.match(implied)
    if form.offer == "estimate":
        form.take("amount", "transaction_cost")  # what the search costs
    inner, goal = form.names("method"), form.one("goal")
    if "maximum_sharpe" in inner and goal in (None, "sharpe"):
        inner, goal = tuple(method for method in inner if method != "maximum_sharpe"), "sharpe"
    if not {*inner} <= INNER_PORTFOLIOS.keys():
        form.ask("A search has no such portfolio of several assets; a comparison of allocations has it.")
    wish = filled({
        **window_of(form), **legs_of(form), **quotes, "name": next(iter(form.names("name")), None),
        "weight_functions": form.choice("function", space.weight_functions),
        "estimators": form.choice("estimator", [name for name, row in ESTIMATORS.items() if row.searched]),
        "rebalancing": form.choice("rebalancing", tuple(REBALANCING)), "inner": inner,
        "scenarios": tuple(s for name in form.choice("scenario", USUAL) for s in SCENARIOS.get(name, (name,))),
        "engine": form.one("engine"), "worlds": form.one("worlds"), "goal": goal,
    })  # fmt: skip
    base = _base(form, wish)
    _ask_about(form, wish, base)
    return {"wish": {"base": base, **wish}}


def _accept_no_leverage(form: Form) -> None:
    """Accept "no leverage" where nothing may be borrowed anyway."""
    if form.focus.request is None or form.focus.request.mandate.max_weight <= 1.0:
        negations, cues = form.all("sense", "not"), form.all("amount", "max_leverage")
        pairs = [(n, cue) for n in negations for cue in cues if n.last <= cue.first and form.near(n, cue)]
        form.use(*(item for pair in pairs for item in pair))


def _base(form: Form, wish: dict[str, Any]) -> str:
    """Whether the last search is changed, or a new one is described."""
    again, fresh = form.take("sense", "again"), form.take("sense", "fresh")
    if again and form.focus.request is None:
        form.ask("There is nothing to change yet; nothing was searched before.")
    asked = form.has("trigger") and form.offer == "optimize"
    signs = (form.has("sense", "change"), not asked, "assets" not in wish)
    return "last" if form.focus.request and not fresh and (again or sum(signs) >= len(signs) - 1) else "new"


def _ask_about(form: Form, wish: dict[str, Any], base: str) -> None:
    """What is missing, doubtful or contradictory in a search."""
    units = {pair.amount.unit for pair in form.pairs if pair.slot == "lookback"}
    if "plain" in units and not units <= {"plain", "days"}:
        form.ask("In which unit is each lookback?")
    if any(pair.slot == "volatility" and pair.cue is None for pair in form.pairs) and len(form.pairs) > 1:
        form.ask("What is the share for? Name it, as in volatility, drawdown or weight.")
    if base == "new" and not wish:
        form.ask("For which assets, and with which target? Say, the index with a volatility and a drawdown limit.")
    if form.offer != "optimize":
        return
    if base == "last" and not wish:
        form.ask("What should change? The same search has the same result.")
    first, changes = form.reading.words[0].text, [i.text.lower() for i in form.items if i.value == "change"]
    asked_for = form.has("trigger") and first not in ("should", "do")  # "which rule is best?"
    questioned = first in ASKING and not any(change.startswith(first) for change in changes) and not asked_for
    costs_multiplied = wish.keys() == {"transaction_cost"} and any(p.amount.unit == "multiple" for p in form.pairs)
    untold = not form.has("trigger") and not form.has("sense", "again")
    if questioned or (untold and (costs_multiplied or (base == "new" and TELLING.isdisjoint(wish)))):
        form.doubt("a search is meant")
