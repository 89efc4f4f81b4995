"""Arguments of an optimization, or of a single configuration, from a form."""

import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any, Final

from agents.planner.language.form import Call, Form, plain
from agents.planner.language.grammar import Reading
from agents.planner.language.levels import levels
from agents.planner.language.slots import Pair
from agents.planner.language.vocabulary import TEMPLATES
from agents.planner.language.words import Mark
from desk.base.text import spaced
from desk.conversation.wishes import Offer
from quant.strategies.choices import ESTIMATORS, INNER_PORTFOLIOS
from quant.strategies.family import PARAMETERS

OPTIMIZATION: Final = {
    "volatility": "target_volatility", "drawdown": "max_drawdown", "var": "value_at_risk", "es": "expected_shortfall",
    "turnover": "max_turnover", "max_cost": "max_cost", "transaction_cost": "transaction_cost",
    "leverage": "max_leverage",
    "min_weight": "min_weight", "max_weight": "max_weight", "risk_aversion": "risk_aversion", "trials": "trials",
    "paths": "paths", "years": "years", "seed": "seed", "cash_rate": "cash_rate",
}  # fmt: skip
SHAPES: Final = tuple(name for name, row in PARAMETERS.items() if row.words)
"""Parameters of the weight functions that no other amount is called."""
STRATEGY: Final = {
    "volatility": "target_volatility", "lookback": "lookback", "decay": "decay", "drawdown": "drawdown_cap",
    "band": "no_trade_band", "transaction_cost": "transaction_cost", "weight": "constant_weight",
    **{name: name for name in SHAPES},
}  # fmt: skip
RIVALS: Final = ("weight", "return", "correlation", "inflation", "fee", "decay", "band", *SHAPES)
"""Amounts that an optimization does not have; a number that means one of them leads to a question."""


def without_empty(arguments: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in arguments.items() if value is not None and value != ()}


def _base(form: Form, *, new: bool, has_previous: bool) -> str:
    r = form.reading
    if r.has("fresh"):
        return "new"
    if r.has("again") and (has_previous or not any(map(r.has, ("name", "template", "asset", "split")))):
        if not has_previous:
            form.ask("base: There is nothing to change yet, as nothing was asked for before.")
        return "last"
    return "new" if new or not has_previous else "last"


def _optimization(form: Form, action: Offer) -> dict[str, Any]:
    r, focus = form.reading, form.focus
    names = form.names("name")
    wish: dict[str, Any] = {"name": names[0] if names else None}
    _weight_range(form, wish)
    for amount in levels(form):
        form.take(amount)
    quotes = form.match(
        (*OPTIMIZATION, "lookback", *RIVALS),
        {"percent": "volatility", "bps": "transaction_cost", **_implied_time(form)},
        many="lookback",
    )
    quotes = _annual_costs(form, quotes)
    _implied_target(form)
    lookbacks = tuple(pair.amount.text for pair in form.pairs if pair.slot == "lookback")
    _misplaced(form)
    wish |= {OPTIMIZATION[slot]: quote for slot, quote in quotes.items() if slot in OPTIMIZATION}
    wish |= {
        "assets": form.assets(cash_is_the_other_leg=True),
        "weight_functions": form.functions(),
        "estimators": form.choice("estimator", [name for name, row in ESTIMATORS.items() if row.searched]),
        "lookbacks": lookbacks,
        "rebalancing": form.rebalancing(),
        "inner": form.names("method"),
        "scenarios": form.scenarios(),
        "engine": form.one("engine"),
        "worlds": form.one("worlds"),
        "goal": form.one("goal") if not _overlapping(form, "goal") else None,
    }
    _goal_not_understood(form)
    for method in wish["inner"]:
        if method not in (*INNER_PORTFOLIOS, "maximum_sharpe"):
            known = ", ".join(map(plain, INNER_PORTFOLIOS))
            form.ask(f"inner: A search has no {plain(method)} among its portfolios of several assets; it has {known}.")
    if "maximum_sharpe" in wish["inner"]:
        wish["inner"] = ()
        wish["goal"] = "sharpe"
    new = r.has("do", "optimize") or (action == "estimate" and bool(wish["assets"])) or bool(wish["assets"])
    base = _base(form, new=new, has_previous=focus.request is not None)
    if base == "new" and focus.request is not None and not wish["assets"] and not r.has("fresh"):
        base = "last" if r.has("change") or action == "estimate" or not r.has("do", "optimize") else base
    _denied_limits(form, base)
    if base == "new" and not wish["assets"] and POINTED.search(r.folded):
        form.ask("assets: For which assets? Name them, or say the index.")
    if base == "new" and not (without_empty(wish) or form.denied):
        form.ask(
            "wish: For which assets, and with which target? Say, the index with a volatility and a drawdown limit."
        )
    form.finish(needed=[s for s in (*OPTIMIZATION, "lookback") if action == "optimize" or not s.endswith("cost")])
    return {"base": base, **without_empty(wish)}


AIM: Final = re.compile(
    r"\b(?:optimi[sz]|maximi[sz])(?:e|es|ing)\b(?:[^.;?!]*? for)? (?:the |a |an |more |most )?(?P<after>[a-z]+)|"
    r"\b(?:goal|objective)(?: is|:| =| of| to be)? (?:the )?(?P<named>[a-z]+)"
    r"(?=[,.;!?]|$| (?:with|at|and|on|in)\b)|"
    r"\b(?P<before>[a-z]+) as (?:the |a |my |our )?(?:goal|objective)\b"
)
"""The word that follows "optimize for", or stands beside "goal"."""
BENEFIT: Final = re.compile(r"\bbenefits?\b(?! (?:of|from|to)\b)")
"""The word of the goal, and not "for the benefit of my clients"."""


def _goal_not_understood(form: Form) -> None:
    """Ask about a goal that the message names and the desk does not have."""
    r = form.reading
    if r.has("goal") or "maximum_sharpe" in {m.value for m in r.all("method")}:
        return
    groups = [(match, group) for match in AIM.finditer(r.folded) for group in match.groupdict() if match[group]]
    marked = {at for mark in r.marks for at in range(mark.start, mark.end)}
    aims = {match.start(group) for match, group in groups if group == "after"}
    named = {match.start(group) for match, group in groups if group != "after"} - marked
    words = [w.text for w in r.strange if w.start in aims and w not in r.unknown]
    words += [w.text for w in r.words if w.start in named and w not in r.unknown]
    words += [w.text for w in r.words for m in BENEFIT.finditer(r.folded) if m.start() == w.start]
    if words:
        form.ask(
            f"goal: It is not clear whether {words[0]} is the goal of the search. "
            f"The goals are {', '.join(map(spaced, r.lexicon.names['goal']))}; say, with the goal benefit."
        )


def _misplaced(form: Form) -> None:
    """Ask about amounts that no optimization has, lower bounds of limits, and two rebalancings without an `or`."""
    rhythm = form.reading.all("rebalancing")
    if len(rhythm) > 1 and not _alternatives(form.reading, rhythm):
        form.ask(f"rebalancing: Which rebalancing is meant, {' or '.join(mark.value for mark in rhythm)}?")
    for pair in form.pairs:
        name, amount = plain(pair.slot), pair.amount.text
        if pair.slot in RIVALS:
            form.ask(f"amount: An optimization has no {name} of its own, so {amount} has no place in it.")
        if pair.slot in CAPPED and _lower_before(form, pair):
            form.ask(f"contradiction: The {name} can only be limited from above, and {amount} is given as its least.")


CAPPED: Final = ("volatility", "drawdown", "var", "es", "turnover", "max_cost", "leverage")
POINTED: Final = re.compile(r"\b(?:this|these|those|them|my portfolio|our portfolio|the portfolio|holdings)\b")
"""Words that refer to assets without naming them."""


def _lower_before(form: Form, pair: Pair) -> bool:
    """Whether the amount is a lower bound, as in "a drawdown of at least 20%"."""
    start = pair.amount.start
    return any(0 <= start - m.end <= 3 for m in form.reading.all("bound", "lower")) and not re.search(
        r"\b(?:not|no|never|nothing) (?:\w+ )?$", form.reading.folded[: start - 12]
    )


def _implied_time(form: Form) -> dict[str, str]:
    """The slot of a time without a cue: months are a lookback, many years a horizon, years of data are neither."""
    r = form.reading
    times = [a for a in r.amounts if a.unit == "time"]
    if not times or any(w.stem in ("data", "history", "sampl") for w in r.words):
        return {}
    if all(a.years and a.value >= LONG for a in times):
        return {"time": "years"}
    if r.has("slot", "lookback"):
        return {}
    if r.has("slot", "paths"):  # a bare time beside paths is their length
        return {"time": "years"}
    return {} if any(a.years for a in times) else {"time": "lookback"}


LONG: Final = 3.0
"""From this number of years a time is a horizon."""


def _annual_costs(form: Form, quotes: dict[str, str]) -> dict[str, str]:
    """Costs per year limit all costs, as in "at most 12 bps a year lost in costs"."""
    for n, pair in enumerate(form.pairs):
        if pair.slot != "transaction_cost" or not re.search(r"year|annum|annual", pair.amount.per):
            continue
        upper = [m for m in form.reading.all("bound", "upper") if -30 <= m.start - pair.amount.start <= 45]
        if not upper or "max_cost" in quotes:
            form.ask(
                f"ambiguous_amount: Is {pair.amount.text} the cost of each trade, or the most that a year may cost?"
            )
        form.pairs = (*form.pairs[:n], replace(pair, slot="max_cost"), *form.pairs[n + 1 :])
        quotes = {("max_cost" if slot == "transaction_cost" else slot): quote for slot, quote in quotes.items()}
    return quotes


def _alternatives(r: Reading, marks: Sequence[Mark]) -> bool:
    """Whether the marks are separated only by `or`, `and` or a comma."""
    between = [r.folded[left.end : right.start] for left, right in pairwise(marks)]
    return all(re.fullmatch(r"\s*(?:,|/|&|or|and|vs\.?|versus|,\s*(?:or|and))\s*(?:also )?", text) for text in between)


AIMED: Final = re.compile(
    r"(?:^|,|:|;|-|\b(?:at|with|to|for|on|again|and|by|now|about|around|want|target|aim|a|an|in|but|try|do))\s*$"
)


def _implied_target(form: Form) -> None:
    """Ask about a percentage without a cue, unless it clearly is the target volatility."""
    for pair in form.pairs:
        if pair.slot != "volatility" or pair.cue is not None:
            continue
        before = form.reading.folded[max(0, pair.amount.start - 12) : pair.amount.start]
        sentence = _clause(form.reading.folded, pair.amount.start, pair.amount.end)
        strange = any(sentence[0] <= word.start < sentence[1] for word in form.reading.strange)
        if pair.amount.per or strange or not AIMED.search(before):
            form.ask(f"ambiguous_amount: What is {pair.amount.text}? Name it, as in volatility, drawdown or weight.")


def _clause(text: str, start: int, end: int) -> tuple[int, int]:
    before = max(text.rfind(sign, 0, start) for sign in ".,;:!?")
    after = re.search(r"[.,;:!?](?:\s|$)", text[end:])
    return before, end + after.start() if after else len(text)


def _overlapping(form: Form, kind: str) -> bool:
    return all(m.start in form.denied for m in form.reading.all(kind))


def _weight_range(form: Form, wish: dict[str, Any]) -> None:
    """Fill both bounds of the weight, as in "weights between 0 and 100%"; no other range has two arguments."""
    r = form.reading
    ends = [a for a in r.amounts if a.range_]
    if len(ends) != 2 or not r.has("slot", "weight"):
        return
    between = r.folded[max(m.end for m in r.all("slot", "weight")) : ends[0].start]
    if len(between.split()) <= 4:
        wish["min_weight"], wish["max_weight"] = (end.text for end in ends)
        for end in ends:
            form.take(end)


def _denied_limits(form: Form, base: str) -> None:
    """Accept "no leverage" or "no drawdown limit" where the request has none; a given limit cannot be removed."""
    request = form.focus.request if base == "last" else None
    slots = {pair.slot for pair in form.pairs}
    for mark in form.reading.all("slot"):
        if mark.start not in form.denied:
            continue
        if {mark.value, f"max_{mark.value}"} & slots:
            form.ask(f"contradiction: Is {plain(mark.value)} wanted or not? The message says both.")
        free = request is None or (
            request.mandate.max_weight <= 1.0
            if mark.value == "leverage"
            else mark.value in LIMITS and getattr(request.limits, LIMITS[mark.value]) is None
        )
        if not free or mark.value not in ("leverage", *LIMITS):
            form.ask(
                f"negation: It is not clear what should hold without {mark.text}; please say what is wanted instead."
            )


LIMITS: Final = {
    "drawdown": "max_drawdown",
    "var": "value_at_risk",
    "es": "expected_shortfall",
    "turnover": "turnover",
    "max_cost": "cost_bps",
}


def _contradictions(form: Form) -> None:
    values = {
        pair.slot: pair.amount.value / (100.0 if pair.amount.value > 2.0 or pair.amount.unit == "percent" else 1.0)
        for pair in form.pairs
    }
    if values.get("min_weight", 0.0) > values.get("max_weight", 9.0):
        form.ask("contradiction: The minimum weight is above the maximum weight.")


def optimize(form: Form) -> list[Call]:
    wish = _optimization(form, "optimize")
    _contradictions(form)
    return [Call(tool="run_optimization", arguments={"wish": wish})]


def estimate(form: Form) -> list[Call]:
    wish = _optimization(form, "estimate")
    _contradictions(form)
    return [Call(tool="estimate_optimization", arguments={"wish": wish})]


def evaluate(form: Form) -> list[Call]:
    r, focus = form.reading, form.focus
    saved_names = form.names("name") if r.has("do", "saved") else ()
    template, function = _shape(form)
    quotes = form.match((*STRATEGY, "max_cost", "leverage", "return", "fee"), _implied(form, template, function))
    for slot in quotes:
        if slot not in STRATEGY:
            form.ask(f"amount: A strategy has no {plain(slot)} of its own, so {quotes[slot]} has no place in it.")
    _implied_target(form)
    again = r.has("again") or r.has("change")
    new = (
        template is not None
        or bool(saved_names)
        or (function is not None and (r.has("do", "evaluate") or r.has("show")) and not again)
    )
    base = _base(form, new=new, has_previous=focus.strategy is not None)
    strategy = {
        "template": template,
        "saved": saved_names[0] if saved_names else None,
        "assets": form.assets(cash_is_the_other_leg=True),
        "weight_function": function,
        "estimator": form.one("estimator"),
        "rebalancing": form.one("rebalancing"),
        **{STRATEGY[slot]: quote for slot, quote in quotes.items() if slot in STRATEGY},
    }
    arguments = without_empty(strategy)
    if base == "new" and not {"template", "saved", "weight_function", "estimator"} & arguments.keys():
        form.ask(
            "strategy: Which strategy? Name a weight function, a template such as my spreadsheet, or a saved strategy."
        )
    form.finish(needed=tuple(s for s in STRATEGY if s not in ("drawdown", "volatility", "transaction_cost", "weight")))
    return [Call(tool="evaluate_strategy", arguments={"strategy": {"base": base, **arguments}})]


def _shape(form: Form) -> tuple[str | None, str | None]:
    """The template and the weight function; some names denote both."""
    r = form.reading
    split = r.all("split")
    sixty = bool(split) and re.fullmatch(r"60\s?[/:]\s?40|sixty[ /-]forty|60-40", split[0].value) is not None
    if sixty:
        form.use(*split)
    template = form.one("template") or ("sixty_forty" if sixty else None)
    function = form.one("function")
    if template == function or (function == "trend_overlay" and template is None and _named_template(r)):
        template, function = template or function, None
    if function in TEMPLATES and _named_template(r):
        template, function = function, None
    return template, function


MONTHS_OF_RULE: Final = re.compile(r"s? (?:one|rule|thing|version)\b")
"""Words after "twelve month" with which it names the rule and not a lookback."""


def _implied(form: Form, template: str | None, function: str | None) -> dict[str, str]:
    """The slots of amounts without a cue, by unit."""
    r, now, family = form.reading, form.focus.strategy, form.reading.lexicon.family
    for amount in r.amounts if template == "twelve_month_rule" else ():
        if amount.unit == "time" and amount.value == 12.0 and MONTHS_OF_RULE.match(r.folded[amount.end :]):
            form.take(amount)
    implied = {"bps": "transaction_cost", "percent": "weight" if template == "constant_weight" else "volatility"}
    if not r.has("slot", "lookback"):
        implied["time"] = "lookback"
    if (function and family[function].memory == "wealth") or template == "cppi_90":
        del implied["percent"]
    functions = [name for name in (function, now and now.weight_function) if name]
    if any("drawdown_cap" in family[name].parameters for name in functions) and r.has("bound", "upper"):
        implied["percent"] = "drawdown"
    return implied


def _named_template(r: Reading) -> bool:
    return any(w.stem == "templat" for w in r.words)
