"""Plain English in, tool calls out: rules of the embedded assistant, which asks back rather than guesses."""

import math
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, Final

from agents.form import Form
from agents.grammar import Amount, Mark, Reading, read
from agents.intent import Action, action_of
from quant.strategy import Frozen
from tools.focus import Focus
from tools.wishes import Offer

EVERYTHING: Final[tuple[Offer, ...]] = (
    "optimize", "estimate", "evaluate", "save_strategy", "scenarios", "add_scenario", "assess_risk", "compare_allocations",
    "analyse_market", "simulate", "explain", "compare_results", "list_results", "open_holdout",
)  # fmt: skip


class Call(Frozen):
    tool: str
    arguments: dict[str, Any]


class Understood(Frozen):
    """What a message asks for; without calls it is declined, unclear, or a question what can be asked."""

    calls: tuple[Call, ...] = ()
    declined: bool = False
    offers: tuple[Offer, ...] = ()
    """What can be asked instead."""
    unclear: tuple[str, ...] = ()
    """What is missing or contradicts itself."""


def understand(text: str, focus: Focus) -> Understood:
    """Every number and name of `text` in one argument of one call, or a question back."""
    whole = read(text, focus.scenarios)
    if action_of(whole, focus) == "cannot":
        return Understood(declined=True, offers=_nearest(whole, focus))
    calls: list[Call] = []
    for part in _parts(whole, focus):
        action = action_of(part, focus) or _follow_up(part, focus)
        if action == "help":
            return Understood(offers=EVERYTHING)
        if action is None or action == "cannot":
            return Understood(offers=_nearest(part, focus), unclear=("intent: what should be done?",))
        form = Form(part, focus)
        made = BUILDERS[action](form)
        if form.unclear:
            return Understood(offers=(action,), unclear=tuple(dict.fromkeys(form.unclear)))
        calls += [call for call in made if call not in calls]
    return Understood(calls=tuple(calls))


BREAK: Final = re.compile(
    r"(?:[.?!;]+\s+(?:and then |then |also |and |after that,? )?|,? (?:and )?(?:then|after that|afterwards|also)(?:,)? |,? and (?:also )?(?=(?:show|tell|explain|compare|"
    r"simulate|save|optimi[sz]e|backtest|evaluate|estimate|assess|list|open|why|what|where|how|which|who|run|launch|give me)\b))"
)


def _parts(whole: Reading, focus: Focus) -> list[Reading]:
    """One for each wish: a piece without a wish of its own belongs to its neighbour."""
    cuts = [0]
    named = [(m.start, m.end) for m in whole.marks if m.kind in ("name", "asset", "template")]
    for found in BREAK.finditer(whole.folded):
        if not any(start < found.start() < end for start, end in named):
            cuts.append(found.end())
    cuts.append(len(whole.folded))
    pieces = [(a, b) for a, b in zip(cuts, cuts[1:], strict=False) if b > a]
    kept: list[tuple[int, int, Action | None]] = []
    for start, end in pieces:
        action = _own(whole.part(start, end), focus)
        if kept and (action is None or kept[-1][2] is None or _same(kept[-1][2], action, whole.part(start, end))):
            before, _, earlier = kept.pop()
            action = "estimate" if "estimate" in (earlier, action) else earlier or action
            start = before
        kept.append((start, end, action))
    if len(kept) > 1 and {a for _, _, a in kept} == {"estimate", "optimize"}:
        return [whole]
    return [whole.part(start, end) for start, end, _ in kept]


def _own(piece: Reading, focus: Focus) -> Action | None:
    """The wish of a piece by itself; amounts alone belong to the wish before."""
    action = action_of(piece, focus)
    asks = any(w.text in QUESTIONS for w in piece.words[:3]) or piece.has("do") or piece.has("show")
    if action == "explain" and not asks and not piece.text.rstrip().endswith("?"):
        return None
    if action in ("assess_risk", "compare_allocations", "simulate") and not asks:
        return None
    return action


QUESTIONS: Final = frozenset(
    "why what whats where how which who is does do did would could can will explain tell was were are show".split()
)


def _same(earlier: Action, action: Action, piece: Reading) -> bool:
    if {earlier, action} == {"optimize", "estimate"}:
        return any(
            m.text.startswith(("dont", "do not", "without", "before", "not")) for m in piece.all("do", "estimate")
        )
    return earlier == action and action != "explain"


# ---- what only the conversation can tell


def _follow_up(r: Reading, focus: Focus) -> Action | None:
    settings = any(
        r.has(kind) for kind in ("function", "estimator", "rebalancing", "template", "engine", "goal", "scenario")
    )
    if focus.last in ("evaluate", "save_strategy") and focus.strategy is not None:
        asset = r.has("asset") and (r.has("again") or r.has("change"))
        return "evaluate" if (settings or r.amounts or asset) else None
    if focus.last == "assess_risk" and any(a.years for a in r.amounts):
        return "simulate"
    if focus.last == "assess_risk" and (r.amounts or r.has("split") or r.has("asset")):
        return "assess_risk"
    if focus.last == "estimate" and focus.request is not None and (settings or r.amounts or r.has("asset")):
        return "estimate"
    if focus.request is None:
        return None
    return _about_result(r, settings=settings)


def _about_result(r: Reading, *, settings: bool) -> Action | None:
    again = r.has("again") or r.has("only")
    if (
        not again
        and r.has("slot", "transaction_cost", "max_cost")
        and any(a.unit in ("multiple", "factor") for a in r.amounts)
    ):
        return "explain"
    if not again and not r.amounts and r.has("scenario"):
        return "explain"
    if not again and not r.amounts and r.has("function") and any(w.text in ("what", "how", "why") for w in r.words[:3]):
        return "explain"
    if any(w.text in QUESTIONS for w in r.words[:2]) and not (again or r.has("change")):
        return None
    return "optimize" if settings or r.amounts or (r.has("asset") and (again or r.has("change"))) else None


def _nearest(r: Reading, focus: Focus) -> tuple[Offer, ...]:
    """What could have been meant, by the words that are known."""
    offers: list[Offer] = []
    if r.has("function") or r.has("estimator") or r.has("template"):
        offers += ["evaluate", "optimize"]
    if r.has("topic") and focus.run is not None:
        offers.append("explain")
    if r.has("method"):
        offers.append("compare_allocations")
    if r.has("asset") or r.has("foreign"):
        offers += ["assess_risk", "analyse_market", "optimize"]
    if r.has("slot", "var", "es", "drawdown") or focus.portfolio is not None:
        offers.append("assess_risk")
    if r.has("scenario"):
        offers.append("scenarios")
    if focus.run is not None:
        offers += ["explain", "compare_results"]
    return tuple(dict.fromkeys(offers))[:4] or ("optimize", "evaluate", "assess_risk", "explain")


# ---- one builder for each action

OPTIMIZATION: Final = {
    "volatility": "target_volatility", "drawdown": "max_drawdown", "var": "value_at_risk", "es": "expected_shortfall",
    "turnover": "max_turnover", "max_cost": "max_cost", "transaction_cost": "transaction_cost", "leverage": "max_leverage",
    "min_weight": "min_weight", "max_weight": "max_weight", "risk_aversion": "risk_aversion", "trials": "trials",
    "paths": "paths", "years": "years", "seed": "seed",
}  # fmt: skip
STRATEGY: Final = {
    "volatility": "target_volatility", "lookback": "lookback", "midpoint": "midpoint", "scale": "scale", "slope": "slope",
    "floor": "floor", "multiplier": "multiplier", "drawdown": "drawdown_cap", "band": "no_trade_band",
    "transaction_cost": "transaction_cost", "weight": "constant_weight",
}  # fmt: skip
SCENARIO: Final = {
    "return": "expected_return", "volatility": "volatility", "cash_rate": "cash_rate", "correlation": "bond_correlation",
}  # fmt: skip
SAVINGS: Final = {
    "years": "years", "contribution": "contribution", "withdrawal": "withdrawal", "money_goal": "goal",
    "inflation": "inflation", "fee": "fee", "paths": "paths", "amount": "amount",
}  # fmt: skip
RIVALS: Final = (
    "weight",
    "return",
    "cash_rate",
    "correlation",
    "inflation",
    "fee",
    "midpoint",
    "floor",
    "band",
    "scale",
)
"""Amounts that an optimization does not have; a number that means one of them is asked back."""


def _given(arguments: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in arguments.items() if value is not None and value != ()}


def _base(form: Form, *, started: bool, known: bool) -> str:
    r = form.reading
    if r.has("fresh"):
        return "new"
    if r.has("again"):
        if not known:
            form.ask("base: there is nothing to change yet")
        return "last"
    return "new" if started or not known else "last"


def _optimization(form: Form, action: Offer) -> dict[str, Any]:
    r, focus = form.reading, form.focus
    named = form.names("name")
    wish: dict[str, Any] = {"name": named[0] if named else None}
    _weight_range(form, wish)
    quotes = form.match(
        (*OPTIMIZATION, "lookback", *RIVALS),
        {
            "percent": "volatility",
            "bps": "transaction_cost",
            **({} if r.has("slot", "lookback") else {"time": "lookback"}),
        },
        many="lookback",
    )
    lookbacks = tuple(pair.amount.text for pair in form.pairs if pair.slot == "lookback")
    for pair in form.pairs:
        if pair.slot in RIVALS:
            form.ask(f"amount: {pair.slot} {pair.amount.text} is no part of an optimization")
    wish |= {OPTIMIZATION[slot]: quote for slot, quote in quotes.items() if slot in OPTIMIZATION}
    wish |= {
        "assets": form.assets(),
        "weight_functions": form.functions(),
        "estimators": form.choice("estimator", ("rolling", "ewma", "ewma_max", "downside")),
        "lookbacks": lookbacks,
        "rebalancing": form.rebalancing(),
        "inner": form.names("method"),
        "scenarios": form.scenarios(),
        "engine": form.one("engine"),
        "goal": form.one("goal") if not _overlapping(form, "goal") else None,
    }
    if "maximum_sharpe" in wish["inner"]:
        wish["inner"] = ()
        wish["goal"] = "sharpe"
    started = r.has("do", "optimize") or (action == "estimate" and bool(wish["assets"])) or bool(wish["assets"])
    base = _base(form, started=started, known=focus.request is not None)
    if base == "new" and focus.request is not None and not wish["assets"] and not r.has("fresh"):
        base = "last" if r.has("change") or action == "estimate" or not r.has("do", "optimize") else base
    _denied_limits(form, base)
    if base == "new" and not (_given(wish) or form.denied):
        form.ask("wish: of which assets, with which target?")
    form.finish(needed=[s for s in (*OPTIMIZATION, "lookback") if action == "optimize" or not s.endswith("cost")])
    return {"base": base, **_given(wish)}


def _overlapping(form: Form, kind: str) -> bool:
    return all(m.start in form.denied for m in form.reading.all(kind))


def _weight_range(form: Form, wish: dict[str, Any]) -> None:
    """ "weights between 0 and 100%": the only range that two arguments hold."""
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
    """ "no leverage", "no drawdown limit": true of a new request; a limit that was given cannot be taken back."""
    request = form.focus.request if base == "last" else None
    for mark in form.reading.all("slot"):
        if mark.start not in form.denied:
            continue
        free = request is None or (
            request.mandate.max_weight <= 1.0
            if mark.value == "leverage"
            else mark.value in LIMITS and getattr(request.limits, LIMITS[mark.value]) is None
        )
        if not free or mark.value not in ("leverage", *LIMITS):
            form.ask(f"negation: without {mark.text}?")


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
        form.ask("contradiction: min_weight is above max_weight")


def _optimize(form: Form) -> list[Call]:
    wish = _optimization(form, "optimize")
    _contradictions(form)
    return [Call(tool="run_optimization", arguments={"wish": wish})]


def _estimate(form: Form) -> list[Call]:
    wish = _optimization(form, "estimate")
    _contradictions(form)
    return [Call(tool="estimate_optimization", arguments={"wish": wish})]


def _evaluate(form: Form) -> list[Call]:
    r, focus = form.reading, form.focus
    strategy: dict[str, Any] = {}
    saved = form.names("name") if r.has("do", "saved") else ()
    split = r.all("split")
    if split and split[0].value in ("60/40", "60:40", "60 / 40", "sixty forty", "sixty-forty", "sixty/forty"):
        form.use(*split)
        strategy["template"] = "sixty_forty"
    template = form.one("template") or strategy.get("template")
    function = form.one("function")
    if template == function or (function == "trend_overlay" and template is None and _named_template(r)):
        template, function = template or function, None
    if function in ("merton", "trend_overlay") and _named_template(r):
        template, function = function, None
    implied = {"bps": "transaction_cost", "percent": "volatility"}
    if not r.has("slot", "lookback"):
        implied["time"] = "lookback"
    if template == "constant_weight":
        implied["percent"] = "weight"
    if function in ("cppi", "tipp") or template == "cppi_90":
        del implied["percent"]
    quotes = form.match((*STRATEGY, "max_cost", "leverage", "return", "fee"), implied)
    for slot in quotes:
        if slot not in STRATEGY:
            form.ask(f"amount: {slot} {quotes[slot]} is no part of a configuration")
    again = r.has("again") or r.has("change")
    started = (
        template is not None
        or bool(saved)
        or (function is not None and (r.has("do", "evaluate") or r.has("show")) and not again)
    )
    base = _base(form, started=started, known=focus.strategy is not None)
    strategy |= {
        "template": template,
        "saved": saved[0] if saved else None,
        "assets": form.assets(),
        "weight_function": function,
        "estimator": form.one("estimator"),
        "rebalancing": form.one("rebalancing"),
        **{STRATEGY[slot]: quote for slot, quote in quotes.items() if slot in STRATEGY},
    }
    given = _given(strategy)
    if base == "new" and not {"template", "saved", "weight_function", "estimator"} & given.keys():
        form.ask("strategy: which template, function or saved one?")
    form.finish(needed=tuple(s for s in STRATEGY if s not in ("drawdown", "volatility", "transaction_cost", "weight")))
    return [Call(tool="evaluate_strategy", arguments={"strategy": {"base": base, **given}})]


def _named_template(r: Reading) -> bool:
    return any(w.stem == "templat" for w in r.words)


def _save(form: Form) -> list[Call]:
    names = form.names("name")
    if len(names) != 1:
        form.ask("name: under which name?")
    if form.focus.strategy is None:
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
    return [Call(tool="add_scenario", arguments={"scenario": _given(scenario)})]


def _portfolio(form: Form, quotes: dict[str, str]) -> dict[str, Any]:
    """Shares and assets in the order of the words; one share for `each`; what has none of several is the rest."""
    r = form.reading
    assets = form.assets()
    shares = [pair.amount.text for pair in form.pairs if pair.slot == "holding"]
    money = [pair.amount for pair in form.pairs if pair.slot == "money"]
    split = r.all("split")
    if split:
        form.use(*split)
        shares += re.findall(r"\d+|[a-z]+", split[0].text)
        if not assets and form.focus.portfolio is not None:
            assets = tuple(h.asset for h in form.focus.portfolio.holdings)
    if len(shares) == 1 and r.has("each"):
        shares *= len(assets)
    if any(not _beside_an_asset(r, pair.amount) for pair in form.pairs if pair.slot == "holding") and not r.has("each"):
        form.ask(f"holdings: which assets have {', '.join(shares)}?")
    if math.fsum(_share(pair.amount) for pair in form.pairs if pair.slot == "holding") > 1.0 + 1e-9 and not r.has(
        "each"
    ):
        form.ask(f"holdings: {', '.join(shares)} are more than the whole")
    portfolio: dict[str, Any] = {}
    if len(money) == 1:
        portfolio["amount"] = money[0].text
    elif money and len(money) == len(assets) and not shares:
        return {"holdings": [{"asset": a, "amount": m.text} for a, m in zip(assets, money, strict=True)]}
    elif money:
        form.ask(f"amount: {' or '.join(m.text for m in money)}?")
    if shares and len(shares) != len(assets):
        if len(shares) == len(assets) - 1 and r.has("rest"):
            place = next(
                (n for n, a in enumerate(_asset_marks(r, assets)) if a.start > r.all("rest")[0].start), len(shares)
            )
            given: list[str | None] = [*shares[:place], None, *shares[place:]]
            portfolio["holdings"] = [_given({"asset": a, "weight": w}) for a, w in zip(assets, given, strict=True)]
            return portfolio
        form.ask(f"holdings: which shares of {', '.join(assets) or 'what'}?")
        return portfolio
    if assets:
        weights = shares or [None] * len(assets)
        portfolio["holdings"] = [_given({"asset": a, "weight": w}) for a, w in zip(assets, weights, strict=True)]
    return portfolio


def _share(amount: Amount) -> float:
    return amount.value / 100.0 if amount.unit == "percent" else amount.value


BETWEEN: Final = re.compile(
    r"\b(?:in|of|the|each|into|and|to|a|an|weight|weights|with|is|for|on|are|an|it|stocks|both|invested|held|goes|put|worth)\b"
)


def _beside_an_asset(r: Reading, share: Amount) -> bool:
    """Whether only other shares and assets stand between a share and one of the assets."""
    text = r.folded
    for taken in (*r.amounts, *r.all("asset")):
        text = text[: taken.start] + "," * (taken.end - taken.start) + text[taken.end :]
    for asset in r.all("asset"):
        start, end = (share.end, asset.start) if share.end <= asset.start else (asset.end, share.start)
        if not re.search(r"[a-z]", BETWEEN.sub("", text[start:end])):
            return True
    return False


def _asset_marks(r: Reading, assets: Sequence[str]) -> list[Mark]:
    return [next(m for m in r.all("asset", asset)) for asset in assets]


def _assess(form: Form) -> list[Call]:
    for amount in _levels(form):
        form.take(amount)
    implied = {"percent": "holding", "share": "holding", "money": "money", "m": "money", "large": "money"}
    form.use(*form.reading.all("method", "equal_weight"))
    quotes = form.match(("leverage", "fee", "inflation", "return"), implied)
    for slot in quotes:
        if slot not in ("holding", "money"):
            form.ask(f"amount: {slot} {quotes[slot]} is no part of a portfolio")
    portfolio = _portfolio(form, quotes)
    if not portfolio.get("holdings") and form.focus.portfolio is None:
        form.ask("holdings: of which portfolio?")
    form.finish()
    return [Call(tool="assess_portfolio", arguments={"portfolio": portfolio})]


def _levels(form: Form) -> Iterator[Amount]:
    """The confidence levels and horizons that every report has."""
    r = form.reading
    for amount in r.amounts:
        before, after = r.folded[max(0, amount.start - 26) : amount.start], r.folded[amount.end : amount.end + 18]
        beside = re.search(
            r"(?:\bvar|value at risk|shortfall|\bes|cvar|confidence|level)(?: at| of| with| over| for|,)*(?: the| a)?\s*$",
            before,
        ) or re.match(
            r"[ -]*(?:and \d+%? ?|confidence |level |, ?)*(?:var\b|value at risk|cvar|es\b|expected shortfall|confidence)",
            after,
        )
        level = amount.unit in ("percent", "plain") and amount.value in (95.0, 99.0)
        horizon = (
            amount.unit == "time"
            and amount.value in (1.0, 10.0, 21.0)
            and re.search(r"d\b|day|session", amount.text.lower())
        )
        if beside and (level or horizon):
            yield amount


def _compare_allocations(form: Form) -> list[Call]:
    methods = form.names("method")
    form.match(
        ("leverage", "fee", "return", "weight", "volatility"), {"money": "money", "m": "money", "large": "money"}
    )
    for pair in form.pairs:
        if pair.slot != "money":
            form.ask(f"amount: {pair.slot} {pair.amount.text} is no part of a comparison")
    assets = form.assets() or (
        tuple(h.asset for h in form.focus.portfolio.holdings if h.asset != "cash") if form.focus.portfolio else ()
    )
    if not assets:
        form.ask("assets: which ones?")
    money = [pair.amount.text for pair in form.pairs if pair.slot == "money"]
    if any(m.start in form.denied for m in form.reading.all("method")):
        form.ask("methods: which ones?")
    form.finish(ignored=("estimator",))
    arguments = {"assets": list(assets), "methods": list(methods), "amount": money[0] if money else None}
    return [Call(tool="compare_allocations", arguments=arguments)]


def _analyse(form: Form) -> list[Call]:
    assets = form.assets()
    form.finish()
    return [Call(tool="analyse_market", arguments={"assets": list(assets)})]


def _simulate(form: Form) -> list[Call]:
    implied = {
        "percent": "holding",
        "share": "holding",
        "money": "money",
        "m": "money",
        "large": "money",
        "time": "years",
    }
    quotes = form.match(tuple(s for s in SAVINGS if s != "amount"), implied)
    for pair in form.pairs:
        flow = pair.slot in ("contribution", "withdrawal")
        if flow and not (pair.amount.per.endswith(("month", "monthly", "m", "m.")) or form.reading.has("flow")):
            form.ask(f"unit: {pair.slot} {pair.amount.text} a month?")
    _flows(form, quotes)
    plan = {SAVINGS[slot]: quote for slot, quote in quotes.items() if slot in SAVINGS}
    portfolio = _portfolio(form, quotes)
    plan |= {"scenario": form.one("scenario"), "portfolio": portfolio}
    form.use(*form.reading.all("rebalancing"))
    if not portfolio and form.focus.portfolio is None and "contribution" not in plan:
        form.ask("amount: how much money?")
    form.finish(needed=("withdrawal", "contribution", "fee", "inflation") if not quotes else ())
    return [Call(tool="simulate_wealth", arguments={"plan": _given(plan)})]


INWARD: Final = frozenset("put invest add pay save contribute deposit".split())


def _flows(form: Form, quotes: dict[str, str]) -> None:
    """Money a month without a word for it beside it: "if I put 200 a month into the index"."""
    words = {word.text for word in form.reading.words}
    for n, pair in enumerate(form.pairs):
        if not pair.amount.per or pair.slot not in ("money", "money_goal"):
            continue
        if not words & INWARD or "withdrawal" in quotes or "contribution" in quotes or not pair.amount.per.endswith("month"):
            form.ask(f"amount: is {pair.amount.text} {pair.amount.per} paid in or taken out?")
        quotes["contribution"] = pair.amount.text
        form.pairs = (*form.pairs[:n], replace(pair, slot="contribution"), *form.pairs[n + 1 :])


def _explain(form: Form) -> list[Call]:
    r = form.reading
    runs, functions, scenarios = form.names("run"), form.names("function"), form.names("scenario")
    multiple = form.match(
        ("transaction_cost", "max_cost"), {"multiple": "transaction_cost", "factor": "transaction_cost"}
    )
    topics = [m.value for m in r.all("topic")]
    if not (topics or functions or scenarios or runs or multiple) or (set(topics) == {"alternative"} and not functions):
        form.ask("topic: what about the result?")
    topic, detail = _topic(topics, functions, scenarios, costs=bool(multiple))
    form.names("rebalancing")
    _mentions(form, topic)
    if topic == "why" and r.has("negation") and not functions:
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
    return next((topic for topic in TOPIC_ORDER if topic in topics), "summary"), None


TOPIC_ORDER: Final = (
    "what_would_change", "counter_argument", "next_trade", "computed", "luck", "probabilities", "benchmarks", "plateau",
    "parameter_error", "premium", "limits", "years", "where_it_loses", "data", "ranking", "why", "costs", "summary",
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
    "optimize": _optimize,
    "estimate": _estimate,
    "evaluate": _evaluate,
    "save_strategy": _save,
    "scenarios": _scenarios,
    "add_scenario": _add_scenario,
    "assess_risk": _assess,
    "compare_allocations": _compare_allocations,
    "analyse_market": _analyse,
    "simulate": _simulate,
    "explain": _explain,
    "compare_results": _compare_results,
    "list_results": _list,
    "open_holdout": _holdout,
}
