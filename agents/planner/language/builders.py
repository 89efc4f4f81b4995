"""Arguments of each tool but a search, from a form; what is missing or doubtful becomes a question."""

import re
from collections.abc import Sequence
from typing import Any, Final

from agents.planner.language.form import Form, filled
from agents.planner.language.holdings import legs_of, levels_of, portfolio_of, shocks_of, window_of
from agents.planner.language.reading import Item
from agents.planner.language.slots import FLOWS, is_money, period_of
from desk.conversation.focus import Focus
from desk.conversation.quotes import split_period
from quant.worlds.scenario import BUILT_IN

OF_STRATEGY: Final = ("evaluate", "save_strategy")
OF: Final = frozenset({"to", "against", "vs", "versus"})
OF_RESULTS: Final = frozenset("run runs result results search searches optimization optimizations verdict".split())


def evaluate(form: Form) -> dict[str, Any]:
    template, function = form.one("template"), form.one("function")
    implied = {"bps": "transaction_cost", "multiple": "transaction_cost", "months": "lookback", "days": "lookback"}
    share = ONLY_SHARE.get(function) or ONLY_SHARE.get(template)
    implied |= {"percent": share} if share else {}
    held = _held_beside_cash(form) if {template, function} <= {None, "constant_weight", "constant"} else None
    quotes = form.match(implied) | filled({"constant_weight": held})
    template = "constant_weight" if held and not function else template
    if not held and (template == "constant_weight" or function == "constant"):
        _constant_weight(form, quotes)
    template = _mix(form, quotes) or _template_beside(form, template, function)
    _decay(form, quotes)
    form.take(*(("sense", "upper") if "drawdown_cap" in quotes else ("amount", "drawdown_cap")))
    strategy = filled({
        "template": template, "saved": next(iter(form.names("saved")), None), "weight_function": function,
        **legs_of(form),
        "estimator": form.one("estimator"), "rebalancing": form.one("rebalancing"), **quotes, **window_of(form),
    })  # fmt: skip
    again = form.take("sense", "again")
    focus = form.focus
    known = focus.strategy is not None or focus.rule is not None or focus.run is not None
    changes = bool(again) or form.has("sense", "change") or focus.last in OF_STRATEGY
    follows = form.has("sense", "change", "again") or form.reading.words[0].text == "and"
    if focus.last in OF_STRATEGY and follows and strategy.get("template") == "constant_weight":
        strategy = {"weight_function": "constant"} | {name: strategy[name] for name in strategy if name != "template"}
    whole = not {"template", "saved"}.isdisjoint(strategy) or (form.has("trigger") and function is not None)
    if not again and ({*strategy} <= {"first_day", "last_day"} and focus.last not in OF_STRATEGY):
        form.ask("Which strategy? Name a weight function, a template or a saved strategy.")
    elif not known and {"template", "saved", "weight_function"}.isdisjoint(strategy):
        form.ask("Of which strategy? Name a weight function or a template.")
    return {"strategy": {"base": "last" if known and changes and (again or not whole) else "new", **strategy}}


ONLY_SHARE: Final[dict[str | None, str]] = {
    "risk_control": "volatility", "inverse_vol": "volatility", "inverse_vol_squared": "volatility",
    "cppi": "floor", "tipp": "floor", "cppi_90": "floor",
}  # fmt: skip
"""Strategies with one share only, which needs no name."""


def _mix(form: Form, quotes: dict[str, str]) -> str | None:
    """The template of a split such as 80/20; beside another one 60/40 is what every evaluation shows."""
    splits = form.take("split")
    if splits:
        form.take("amount", "drawdown")  # "how deep did 80/20 fall?"
    others = [split for split in splits if not re.fullmatch(r"60\D+40", split.value)]
    if len(others) > 1:
        form.ask("Which of these mixes? One is evaluated at a time.")
    if others:
        quotes["constant_weight"] = re.split(r"\D+", others[0].text)[0]
    return "constant_weight" if others else "sixty_forty" if splits else None


def _template_beside(form: Form, template: str | None, function: str | None) -> str | None:
    """The template, unless a weight function says the same or the template is only what it is compared with."""
    compared = {"vs", "versus", "against", "compare", "compared"} & {word.text for word in form.reading.words}
    if template == "sixty_forty" and function is None and compared and form.focus.last in OF_STRATEGY:
        return None
    if template is None or function is None:
        return template
    if template not in (function, "constant_weight") and not (template == "sixty_forty" and compared):
        form.ask("Which strategy is meant? Two are named.")
    return None


def _decay(form: Form, quotes: dict[str, str]) -> None:
    """Read the number beside an exponential estimator, as in "EWMA 0.97"."""
    for smoothed in form.all("estimator", "ewma", "ewma_max"):
        beside = [
            i
            for i in form.all("number")
            if 0.5 < i.size < 1.0 and i.first >= smoothed.last and not form.breaks(smoothed, i)
        ]
        if "decay" not in quotes and len(beside) == 1:
            quotes["decay"] = beside[0].text
            form.use(*beside)


def _held_beside_cash(form: Form) -> str | None:
    """The share of a mix that is not cash, as in "60% in the index and 40% in cash" or "the rest in cash"."""
    cash = form.all("asset", "cash")
    shares = [i for i in form.all("number") if i.unit in ("percent", "plain")]
    in_cash = [share for each in cash for share in _beside(form, each, shares)]
    rest = [i for i in form.all("sense", "rest") if any(form.near(i, each, 1) for each in cash)]
    held = [i for i in shares if i not in in_cash]
    if len(held) != 1 or not (rest or (in_cash and sum(i.size for i in shares) == HUNDRED)):
        return None
    form.use(*held, *in_cash, *rest, *cash)
    if not any(i.kind == "trigger" and i.text != "done" for i in form.items):
        form.doubt("a rule that keeps this mix is meant, and not the risk of it")
    return held[0].text


def _beside(form: Form, asset: Item, shares: Sequence[Item]) -> list[Item]:
    """The share directly before an asset, or else the one directly after it."""
    near = [share for share in shares if form.near(share, asset)]
    return [share for share in near if share.first < asset.first][-1:] or near[:1]


HUNDRED: Final = 100.0


def _constant_weight(form: Form, quotes: dict[str, str]) -> None:
    """Read the only share as the weight; without one, a word such as "always" is too little."""
    shares = [i for i in form.all("number") if i.unit in ("percent", "plain")]
    if "constant_weight" not in quotes and len(shares) == 1:
        quotes["constant_weight"] = shares[0].text
        form.use(*shares)
    named = [i.text for i in form.items if i.kind in ("template", "function")]
    if "constant_weight" not in quotes and not any(" " in name for name in named):
        form.ask("Which weight is held all the time?")


def save_strategy(form: Form) -> dict[str, Any]:
    form.doubt_question("the strategy should be saved")
    names = form.names("name")
    form.take("function")
    form.take("template")
    if len(names) != 1:
        form.ask("Under which name? Say, save it as Core.")
    if form.focus.strategy is None and form.focus.run is None and form.focus.rule is None:
        form.ask("There is nothing to save yet; look at a strategy before.")
    return {"name": names[0] if names else ""}


def scenarios(form: Form) -> dict[str, Any]:
    names = form.choice("scenario", tuple(s.name for s in BUILT_IN))
    return {"names": [] if {"all", "default"} & {*names} else list(names)}


def add_scenario(form: Form) -> dict[str, Any]:
    names, like = form.names("name"), form.one("scenario")
    quotes = form.match({}, {"asset cash": "cash_rate"})
    form.take("sense", "again")
    engine = form.one("engine")
    if len(names) != 1:
        form.ask("What is the new scenario called? Say, a scenario called Shock.")
    if not (like or quotes or engine):
        form.ask("Like which scenario is it, and what is different there?")
    fields = {"name": names[0] if names else "", "like": like or "base_case", "engine": engine, **quotes}
    return {"scenario": filled(fields)}


def assess(form: Form) -> dict[str, Any]:
    shocks = shocks_of(form)
    if any(item.text.lower() == "beta" for item in form.items):
        words = form.reading.words
        factors = [i for i in form.all("asset", "sp500") if {w.text for w in words[max(0, i.first - 2) : i.first]} & OF]
        form.use(*factors)  # every beta is to the index
    tail = {} if shocks else levels_of(form)
    quotes = form.match({"percent": "holding", "currency": "amount", "large": "amount"}, holdings=True)
    form.take("amount", "loss")
    portfolio = portfolio_of(form, quotes)
    if not portfolio.get("holdings") and form.focus.portfolio is None:
        form.ask("Of which portfolio? Name the assets with their shares.")
    if "loss" in quotes and any(c.isdigit() for c in "".join(tail.values())):
        form.ask("Is the loss an imagined fall, or one that may happen within that time?")
    tail = {} if "loss" in quotes else tail
    return {"portfolio": portfolio} | filled({"loss": quotes.get("loss"), "shocks": shocks, **tail, **window_of(form)})


def compare_allocations(form: Form) -> dict[str, Any]:
    quotes = form.match({"currency": "amount", "large": "amount"})
    methods, covariance = form.names("method"), form.one("covariance")
    form.take("sense", "against")
    form.names("estimator")
    assets = form.names("asset")
    if not assets and form.focus.portfolio is not None:
        assets = tuple(h.asset for h in form.focus.portfolio.holdings if h.asset != "cash")
    if len(assets) < 2 and assets != ("stocks",) and not (form.built_on and not assets):
        form.ask("Between which assets? Name some of the bundled stocks, or say all stocks.")
    arguments = {"assets": list(assets), "methods": list(methods), "amount": quotes.get("amount")}
    return arguments | filled({"covariance": covariance})


def analyse(form: Form) -> dict[str, Any]:
    return {"assets": list(form.names("asset"))}


def simulate(form: Form) -> dict[str, Any]:
    implied = {"percent": "holding", "currency": "amount", "large": "amount", "years": "years", "decades": "years",
               "added": "contribution"}  # fmt: skip
    quotes = form.match(implied, holdings=True)
    _flows(form, quotes)
    form.take("sense", "monthly")
    _goal(form, quotes)
    portfolio = portfolio_of(form, quotes)
    quotes.pop("amount", None)
    plan = {"portfolio": portfolio, "scenario": form.one("scenario")} | quotes
    if not portfolio and form.focus.portfolio is None and "contribution" not in plan:
        form.ask("With how much money? Name the amount, or the portfolio.")
    return {"plan": filled(plan)}


def _flows(form: Form, quotes: dict[str, str]) -> None:
    """Payments with their periods; money by period that nothing names is taken out."""
    payments = [(pair.slot, pair.amount) for pair in form.pairs if pair.slot in FLOWS]
    loose = [i for i in form.all("number") if is_money(i) and period_of(form, i) is not None]
    if not payments and loose:
        form.doubt("the payments are taken out")
        form.use(loose[0])
        payments = [("withdrawal", loose[0])]
    for slot, amount in payments:
        period = period_of(form, amount)
        quotes[slot] = amount.text
        if period is None and not form.built_on:
            form.ask("Is the payment meant for each month? Please add a month.")
        elif period is not None and period.value == "yearly":
            form.use(period)
            quote = form.reading.quote(amount.first, period.last) if period.first >= amount.last else ""
            after = split_period(quote)[0] == amount.text
            quotes[slot] = quote if after else amount.text
            if not after:
                form.ask("Is the payment meant for each month or each year? Please put that beside it.")


def _goal(form: Form, quotes: dict[str, str]) -> None:
    """Read money that is needed, and not held, as the goal."""
    for pair in form.pairs:
        words = [word.text for word in form.reading.words[max(0, pair.amount.first - 3) : pair.amount.first]]
        if pair.slot == "amount" and "goal" not in quotes and NEEDED & {*words}:
            quotes["goal"] = quotes.pop("amount", pair.amount.text)


NEEDED: Final = frozenset("need needs want wants require requires aim aims target".split())


def tearsheet(form: Form) -> dict[str, Any]:
    arguments: dict[str, Any] = {}
    if form.take("sense", "alone"):
        arguments["benchmark"] = "none"
    against = form.take("sense", "against")
    later = [i for i in form.all("asset") if against and i.first >= against[-1].last]
    if len({i.value for i in later}) > 1:
        form.ask("Which of these assets is the benchmark of the tear sheet?")
    if against and not later and re.match(r"(?:as|is) ", against[-1].text.lower()):  # "AAPL, with KO as benchmark"
        later = [i for i in form.all("asset") if i.last <= against[-1].first][1:][-1:]
    if later:
        arguments["benchmark"] = later[0].value
        form.use(*later)
    run = _run(form)
    portfolio = portfolio_of(form, form.match({"percent": "holding"}, holdings=True))
    if portfolio.get("holdings") and run:
        form.ask("Of the result, or of the assets?")
    if portfolio.get("holdings"):
        arguments["portfolio"] = portfolio
    elif run or form.focus.run or any(i.text.lower() in ("winner", "result", "run") for i in form.items):
        arguments["run"] = run or "last"
    elif form.focus.portfolio is None:
        form.ask("Of which asset or portfolio? Name it, or the result whose winner is meant.")
    return arguments


def _run(form: Form) -> str | None:
    run = form.one("run")
    previous = form.take("sense", "previous")
    return run or ("previous" if previous else None)


def explain(form: Form) -> dict[str, Any]:
    topic, detail = form.topic, None
    if topic == "alternative":
        detail = form.one("function")
        if detail is None:
            form.ask("Which weight function? Say, why not sigmoid.")
    elif topic == "scenario":
        detail = form.one("scenario")
        if detail in (None, "all", "default"):
            form.ask("In which scenario? Name one.")
    elif topic == "years":
        days = form.take("date")
        words = {word.text for word in form.reading.words}
        detail = days[0].text if days else next((name for word, name in CRISES.items() if word in words), None)
    elif topic == "costs":
        multiples = [i for i in form.all("number") if i.unit == "multiple"]
        form.use(*multiples)
        detail = multiples[0].text if multiples else None
    for amount in form.all("number"):
        power = topic == "premium" and amount.text in ("0", "1", "2", "zero")
        beside = [word.text for word in form.reading.words[max(0, amount.first - 1) : amount.last + 1]]
        place = topic == "ranking" and (beside[0] in ("top", "first") or beside[-1] in ("finalists", "candidates"))
        if place or power or _repeats_request(form.focus, amount):
            form.use(amount)
    for kind in ("worlds", "template", "split"):
        form.take(kind)
    return {"run": _run(form) or "last", "topic": topic, "detail": detail}


CRISES: Final = {
    "financial": "Global financial crisis", "gfc": "Global financial crisis", "lehman": "Lehman", "dot": "Dot-com",
    "dotcom": "Dot-com", "ltcm": "Long-Term Capital Management", "euro": "Euro debt", "covid": "COVID-19",
}  # fmt: skip
"""Words that name a past crisis."""


def _repeats_request(focus: Focus, amount: Item) -> bool:
    """Whether a number only repeats the request: "a breach of the 20% drawdown"."""
    if focus.request is None or not amount.size:
        return False
    value = amount.size / 100.0 if amount.unit == "percent" else amount.size
    limits = [limit.bound for limit in focus.request.limits.defined().values()]
    known = (*limits, focus.request.mandate.target_volatility, float(focus.request.trials))
    return any(abs(value - other) < 1e-9 for other in known)


def compare_results(form: Form) -> dict[str, Any]:
    runs = form.names("run")
    named = form.take("sense", "previous", "last")
    form.take("sense", "against")
    form.use(*[i for i in form.all("number") if i.size == 2.0])
    both = {"both", "two", "them"} & {word.text for word in form.reading.words}
    searched = bool(both) and form.focus.last in ("optimize", "explain")
    if not (runs or named or searched or any(i.text.lower() in OF_RESULTS for i in form.items)):
        form.doubt("the last two results are meant")
    if len(runs) > 2:
        form.ask("Please name only the two results to compare.")
    first, second = runs if len(runs) == 2 else (runs[0] if runs else "previous", "last")
    return {"first": first, "second": second}


def list_saved(form: Form) -> dict[str, Any]:
    what = form.one("kept")
    if what is None:
        form.ask("A list of what? Say, my saved strategies.")
    return {"what": what or "strategies"}


def open_holdout(form: Form) -> dict[str, Any]:
    form.doubt_question("the holdout should be opened")
    return {"run": _run(form) or "last"}


def define_term(form: Form) -> dict[str, Any]:
    terms = form.take("term")
    if len(terms) == 2 and {"difference", "differ", "versus", "vs"} & {word.text for word in form.reading.words}:
        return {"term": form.reading.quote(terms[0].first, terms[1].last)}
    if len(terms) != 1:
        form.ask("Which term? Name one.")
    before = {form.reading.words[item.first - 1].text for item in terms if item.first}
    if any(item.kind == "frame" and item.last in {term.first for term in terms} for item in form.items):
        form.doubt("the term is meant without the word before it")
    known = form.focus.run is not None or form.focus.last is not None
    if known and before & {"the", "its", "my", "our"}:
        form.doubt("the meaning of the term is asked, and not its value in the result")
    return {"term": terms[0].text if terms else ""}
