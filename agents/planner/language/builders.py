"""Arguments of each tool, from a form; what is missing or doubtful becomes a question."""

import re
from typing import Any, Final

from agents.planner.language.form import ASKING, QUESTIONS, SEVERAL, Form, filled
from agents.planner.language.holdings import legs_of, levels_of, portfolio_of, shocks_of, window_of
from agents.planner.language.reading import Item
from agents.planner.language.slots import FLOWS, LEAST_MONEY, is_money, period_of
from desk.base.text import spaced
from desk.conversation.focus import Focus
from desk.conversation.quotes import split_period
from quant.strategies.choices import ESTIMATORS, INNER_PORTFOLIOS, REBALANCING
from quant.strategies.config import SearchSpace
from quant.strategies.family import FAMILY
from quant.worlds.scenario import BUILT_IN, CYCLE

USUAL: Final = tuple(scenario.name for scenario in BUILT_IN)
SCENARIOS: Final = {"all": (*USUAL, CYCLE.name), "default": USUAL}
"""Scenarios by the names of groups."""
OPENERS: Final = frozenset("and so ok but then well please kindly hi hello hey now could can would you".split())
LEVELS: Final = (("days", 21.0), *((unit, level) for unit in ("percent", "plain") for level in (95.0, 99.0)))
"""Horizon and levels of the value at risk and of the shortfall that a search limits."""
TELLING: Final = frozenset({"target_volatility", "trials", "paths", "goal", "max_drawdown", "max_turnover"})
"""Fields that only a search has."""
OF_SEARCH: Final = ("optimize", "explain")
OF_STRATEGY: Final = ("evaluate", "save_strategy")
IMPLIED: Final = {"bps": "transaction_cost", "multiple": "transaction_cost", "months": "lookback", "days": "lookback"}
ONLY_SHARE: Final[dict[str | None, str]] = {
    **dict.fromkeys(("risk_control", "inverse_vol", "inverse_vol_squared"), "volatility"),
    **dict.fromkeys(("cppi", "tipp", "cppi_90"), "floor"), **dict.fromkeys(("constant", "constant_weight"), "weight"),
}  # fmt: skip
"""What a share is for in strategies with one share only, which needs no name."""
COMPARING: Final = frozenset("vs versus against compare compared beat beats beaten outperform outperformed".split())
PAID_IN: Final = re.compile(r"\binto the (?:portfolio|fund|plan|index|scheme|pot|trust|endowment)\b")
ADDED: Final = frozenset("plus add adds adding save saves saving".split())
NEEDED: Final = frozenset(
    "need needs want wants like require requires aim aims target chance chances odds probability into".split()
)
PLANNED: Final = {"years": "years", "decades": "years", "added": "contribution"}
DETAILS: Final = {"alternative": "function", "scenario": "scenario", "years": "date", "costs": "number"}
"""What the detail of a question is, by its topic; of costs it is a multiple."""
OF_WINNER: Final = frozenset("winner winner's winning result run strategy rule it its chosen search".split())
TOGETHER: Final = re.compile(r"(?!.*(?:\b(?:to|until|till|through|from)\b|\d-\d))[\w& -]{1,64}")
"""Several years or crises, and no span of years."""
BARE: Final = 4
"""Most words of a wish for a tear sheet that needs no name."""
MOST_COUNTED: Final = 10.0
"""Up to this a number in a question about a result is a count or the size of a change."""
OF_RULES: Final = frozenset(name for rule in FAMILY.values() for name in rule.parameters)
LASTING: Final = frozenset(
    "last lasts lasting out dry survive survives outlast outlive enough ruin live deplete support "
    "supports sustain cover afford".split()
)
"""Words beside which payments are taken out."""
TARGETS: Final = frozenset("volatility target|target volatility|vol target|target vol".split("|"))
OF_RESULTS: Final = frozenset("run runs result results search searches optimization optimizations verdict".split())


def search(form: Form) -> dict[str, Any]:
    request = form.focus.request
    space = request.space if request else SearchSpace()
    implied = {"percent": "volatility", "bps": "transaction_cost"}
    implied |= {"years": "years"} if form.has("amount", "paths") else {}
    _accept_no_leverage(form)
    measures = form.all("amount", "value_at_risk", "expected_shortfall")
    levels = [i for i in form.all("number") if (i.unit, i.size) in LEVELS]
    form.use(*(level for level in levels if any(form.near(level, measure, 1) for measure in measures)))
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
    if any(" " in quote for quote in quotes.get("lookbacks", ()) if quote.replace(" ", "").isdigit()):
        form.ask("Which lookbacks? Put a comma between them.")
    if base == "last" and "assets" in wish and form.says(ADDED | {"too", "also"}):
        form.ask("Which assets are meant in all? Please name them.")
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
    again = again or form.says({"instead"})
    asked = form.has("trigger") and form.offer == "optimize"
    signs = (form.has("sense", "change"), not asked, "assets" not in wish)
    enough = len(signs) - (form.focus.last is not None)  # a search of an earlier conversation is changed by name only
    enough -= form.focus.last == "optimize" and "assets" not in wish  # right after a search it is meant
    return "last" if form.focus.request and not fresh and (again or sum(signs) >= enough) else "new"


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
    first = next((word.text for word in form.reading.words if word.text not in OPENERS), "")
    changes = [item.text.lower() for item in form.items if item.value == "change"]
    asked_for = form.has("trigger") and first not in ("should", "do")  # "which rule is best?"
    questioned = (first in ASKING or form.says(QUESTIONS)) and not asked_for
    questioned &= not any(change.split()[0] in (first, *QUESTIONS) for change in changes)
    costs_multiplied = wish.keys() == {"transaction_cost"} and any(p.amount.unit == "multiple" for p in form.pairs)
    untold = not form.has("trigger") and not form.has("sense", "again")
    told = {*wish} & TELLING  # one bound alone, one rule or a name is as well of something else
    single = len(wish.get("weight_functions", ())) == 1 or "name" in wish
    unsaid = not told or told == {"max_drawdown"} or (single and told <= {"target_volatility"})
    asks = form.reading.text.rstrip().endswith("?") and not form.has("sense", "change")
    if questioned or (untold and (costs_multiplied or asks or (base == "new" and unsaid))):
        form.doubt("a search is meant")


def evaluate(form: Form) -> dict[str, Any]:
    template, function = _rule(form)
    share = ONLY_SHARE.get(function or template)
    held = _held(form) if share == "weight" or not (function or template) else None
    implied = filled({"percent": share, "plain": share if share == "weight" else None})
    quotes = form.match(IMPLIED | implied) | filled({"constant_weight": held})
    if form.says(QUESTIONS):
        form.take("amount", "drawdown")  # "how deep did it fall?"
    focus, told = form.focus, function is not None and form.has("trigger")
    continued = focus.last in OF_STRATEGY
    steady = "constant_weight" in quotes and form.has("trigger") and not (template or function or continued)
    if held or share == "weight" or steady:
        follows = form.has("sense", "change", "again") or form.reading.words[0].text == "and"
        template, function = (None, "constant") if function or (continued and follows) else ("constant_weight", None)
        if "constant_weight" not in quotes:
            form.ask("Which weight is held all the time?")
    strategy = filled({
        "template": template, "saved": next(iter(form.names("saved")), None), "weight_function": function,
        **legs_of(form), "estimator": form.one("estimator"), "rebalancing": form.one("rebalancing"), **quotes,
        **window_of(form),
    })  # fmt: skip
    owned = FAMILY[function].parameters if function in FAMILY else OF_RULES
    if {item.kind for item in form.denied} & {"rebalancing", "estimator"} - {*strategy}:
        form.ask("What is meant instead? Please name it alone.")
    if foreign := OF_RULES & quotes.keys() - {*owned}:
        form.doubt(f"the {spaced(min(foreign))} is a parameter of the rule, and no limit of a search")
    if (
        "target_volatility" in strategy
        and not {"template", "saved", "weight_function"} & {*strategy}
        and TARGETS & {item.text.lower() for item in form.items}
    ):
        strategy["weight_function"] = "inverse_vol"  # what targets a volatility
    again = bool(form.take("sense", "again"))
    whole = function is not None and "assets" in strategy and not continued
    changes = again or not (told or whole or {"template", "saved"} & {*strategy})
    last = _known(focus) and changes and (again or continued or form.has("sense", "change"))
    if last and focus.last not in (None, *OF_STRATEGY, *OF_SEARCH):
        form.doubt("the strategy is meant, and not what was done last")
    unnamed = not {"template", "saved", "weight_function"} & {*strategy}
    if unnamed and (not last or ("floor" in strategy and not continued)):
        form.ask("Which strategy? Name a weight function, a template or a saved strategy.")
    return {"strategy": {"base": "last" if last else "new", **strategy}}


def _known(focus: Focus) -> bool:
    """Whether a strategy was evaluated or found before."""
    return any((focus.strategy, focus.rule, focus.run))


def _rule(form: Form) -> tuple[str | None, str | None]:
    """The template or the weight function; 60/40 beside another strategy is what every evaluation shows."""
    template, function = form.one("template"), form.one("function")
    compared = form.says(COMPARING) and (function or form.focus.last in OF_STRATEGY)
    if template == "sixty_forty" and (compared or form.has("split")):
        template = None
    if template and function and template not in (function, "constant_weight"):
        form.ask("Which strategy is meant? Two are named.")
    return (None if function else template), function


def _held(form: Form) -> str | None:
    """The share of a mix that is not cash: of "80/20", "60% in the index and 40% in cash" or "the rest in cash"."""
    splits = form.take("split")
    if splits:
        form.take("amount", "drawdown")  # "how deep did 80/20 fall?"
        if len(splits) > 1:
            form.ask("Which of these mixes? One is evaluated at a time.")
        return re.split(r"\D+", splits[0].text)[0]
    cash = form.all("asset", "cash")
    shares = [i for i in form.all("number") if i.unit in ("percent", "plain")]
    rest = [i for i in form.all("sense", "rest") if any(form.near(i, each, 1) for each in cash)]
    beside = [i for i in shares if any(form.near(i, each) for each in cash)]
    if len(beside) > 1:  # "60% cash 40% index", and "index 60% cash 40%"
        beside = beside[:1] if all(shares[0].first < i.first for i in form.all("asset")) else beside[1:]
    held = [i for i in shares if i not in beside]
    if len(held) != 1 or not (rest or (beside and sum(i.size for i in shares) == 100.0)):
        return None
    form.use(*shares, *rest, *cash)
    if not any(i.kind == "trigger" and i.text.lower() != "done" for i in form.items):
        form.doubt("a rule that keeps this mix is meant, and not the risk of it")
    return held[0].text


def save_strategy(form: Form) -> dict[str, Any]:
    if form.says(QUESTIONS):
        form.doubt("the strategy should be saved")
    form.use(*form.all("function"), *form.all("template"))
    if not _known(form.focus):
        form.ask("There is nothing to save yet; look at a strategy before.")
    name, question = form.one("name") or "", "Under which name? Say, save it as Core."
    if re.match(r"(?:(?:some|any|what)(?:thing|ever)\b|$)", name, re.IGNORECASE):  # "under something sensible"
        form.ask(question)
    return {"name": name}


def scenarios(form: Form) -> dict[str, Any]:
    names = form.choice("scenario", USUAL)
    return {"names": [] if {"all", "default"} & {*names} else list(names)}


def add_scenario(form: Form) -> dict[str, Any]:
    fields = form.match({})
    fields |= filled({"like": form.one("scenario"), "engine": form.one("engine")})
    form.take("sense", "again")
    if not fields:
        form.ask("Like which scenario is it, and what is different there?")
    name = form.one("name", "What is the new scenario called? Say, a scenario called Shock.") or ""
    return {"scenario": {"name": name, "like": "base_case"} | fields}


def assess(form: Form) -> dict[str, Any]:
    shocks = shocks_of(form)
    if any(item.text.lower() == "beta" for item in form.items):  # every beta is to the index
        index = [i for i in form.all("asset", "sp500") if {"to", "against", "vs", "versus"} & {*form.before(i, 2)}]
        form.use(*index, *(form.all("sense", "against") if index else ()))
    levels = {} if shocks else levels_of(form)
    compared = [i for i in form.all("asset")[1:] if "than" in form.before(i, 3)]  # "riskier than the index"
    form.use(*(i for i in compared if not any(form.near(i, number, 1) for number in form.all("number"))))
    quotes = form.match({}, holdings=True)
    form.take("amount", "loss")
    if any(pair.slot == "amount" and {"lose", "losing"} & {*form.before(pair.amount)} for pair in form.pairs):
        form.ask("What share of the portfolio is that loss? Please give it in percent.")
    portfolio, loss = portfolio_of(form, quotes), quotes.get("loss")
    if any(pair.slot == "loss" and not pair.amount.size for pair in form.pairs):
        form.ask("How large is that loss? Please give it in percent.")
    alone = {shock["factor"] for shock in shocks} - {"sp500"}
    if not portfolio.get("holdings") and form.focus.portfolio is None and len(alone) == 1:
        portfolio["holdings"] = [{"asset": alone.pop()}]  # "what do I lose on KO if it falls 15%"
    if not portfolio.get("holdings") and form.focus.portfolio is None:
        form.ask("Of which portfolio? Name the assets with their shares.")
    if loss and any(map(str.isdigit, "".join(levels.values()))):
        form.ask("Is the loss an imagined fall, or one that may happen within that time?")
    arguments = {"loss": loss, "shocks": shocks, **({} if loss else levels), **window_of(form)}
    return {"portfolio": portfolio} | filled(arguments)


def compare_allocations(form: Form) -> dict[str, Any]:
    quotes = form.match({"currency": "amount", "large": "amount"})
    form.take("sense", "against")
    form.take("estimator")
    assets = form.names("asset")
    if not assets and form.focus.portfolio is not None:
        assets = tuple(h.asset for h in form.focus.portfolio.holdings if h.asset != "cash")
    if len(assets) < 2 and assets != ("stocks",) and not (form.built_on and not assets):
        form.ask("Between which assets? Name some of the bundled stocks, or say all stocks.")
    arguments = {"assets": list(assets), "methods": list(form.names("method")), "amount": quotes.get("amount")}
    return arguments | filled({"covariance": form.one("covariance")})


def simulate(form: Form) -> dict[str, Any]:
    quotes = form.match(PLANNED, holdings=True)
    _read_flows(form, quotes)
    uncued = [pair for pair in form.pairs if pair.slot == "amount" and pair.cue is None]
    if form.built_on and uncued:
        form.ask("What is the amount for? Name it, as in invested, paid in or taken out.")
    form.take("sense", "monthly")
    stated = [pair for pair in form.pairs if pair.slot == "amount"]
    if len(stated) == 2 and "goal" not in quotes and NEEDED & {*form.before(stated[1].amount, 3)}:
        quotes |= {"amount": stated[0].amount.text, "goal": stated[1].amount.text}
        form.questions = [question for question in form.questions if question != SEVERAL.format("amount")]
    needed = [p.amount.text for p in form.pairs if p.slot == "amount" and NEEDED & {*form.before(p.amount, 3)}]
    if needed and "goal" not in quotes:  # money that is needed, and not held
        quotes["goal"] = quotes.pop("amount", needed[0])
    portfolio = portfolio_of(form, quotes)
    if not (form.built_on or portfolio.get("holdings") or form.focus.portfolio):
        portfolio = {**portfolio, "holdings": [{"asset": "sp500"}]}  # the reading beside the answer says so
    plan = {"portfolio": portfolio, "scenario": form.one("scenario")} | quotes
    if not (form.built_on or form.focus.portfolio or {"amount", "contribution"} & {*portfolio, *plan}):
        form.ask("With how much money? Name the amount, or the portfolio.")
    if "years" not in plan and not form.built_on and (form.has("frame", "age") or form.says({"life", "lifetime"})):
        form.ask("Over how many years? Please name them.")
    return {"plan": filled(plan)}


def _read_flows(form: Form, quotes: dict[str, Any]) -> None:
    """Payments with their periods; money by period that nothing names is taken out."""
    payments = [(pair.slot, pair.amount) for pair in form.pairs if pair.slot in FLOWS]
    money = [i for i in form.all("number") if is_money(i) or (i.unit == "plain" and i.size >= LEAST_MONEY)]
    loose = [i for i in money if period_of(form, i) is not None]
    if not payments and loose:
        added = bool(ADDED & {*form.before(loose[0], 3)} or PAID_IN.search(form.reading.plain))
        if not added and not form.says(LASTING):
            form.ask("Is the money paid in or taken out?")
        payments = [("contribution" if added else "withdrawal", loose[0])]
    for slot, amount in payments:
        form.use(amount)
        quotes[slot] = amount.text
        period = period_of(form, amount)
        if period is None and not form.built_on:
            form.ask("Is the payment meant for each month? Please add a month.")
        elif period is not None and period.value == "yearly":
            form.use(period)
            quote = form.reading.quote_from(amount, period.last)
            if split_period(quote) == (amount.text, 12):
                quotes[slot] = quote
            else:
                form.ask("Is the payment meant for each month or each year? Please put that beside it.")


def tearsheet(form: Form) -> dict[str, Any]:
    arguments: dict[str, Any] = {"benchmark": "none"} if form.take("sense", "alone") else {}
    against, assets = form.take("sense", "against"), form.all("asset")
    later = [i for i in assets if against and i.first >= against[-1].last]
    if against and not later and re.match(r"(?:as|is) ", against[-1].text.lower()):  # "AAPL, with KO as benchmark"
        later = [i for i in assets[1:] if i.last <= against[-1].first][-1:]
    if len({i.value for i in later}) > 1:
        form.ask("Which of these assets is the benchmark of the tear sheet?")
    if later:
        arguments["benchmark"] = later[0].value
        form.use(*later)
    run = _run(form)
    portfolio = portfolio_of(form, form.match({}, holdings=True))
    if portfolio.get("holdings"):
        arguments["portfolio"] = portfolio
        if run:
            form.ask("Of the result, or of the assets?")
    elif run or form.says(OF_WINNER) or (form.focus.run and (form.focus.last in OF_SEARCH or _is_bare(form))):
        arguments["run"] = run or "last"
    elif form.focus.portfolio is None:
        form.ask("Of which asset or portfolio? Name it, or the result whose winner is meant.")
    return arguments


def _is_bare(form: Form) -> bool:
    return len(form.reading.words) <= BARE


def _run(form: Form) -> str | None:
    run, previous = form.one("run"), form.take("sense", "previous")
    return run or ("previous" if previous else None)


def explain(form: Form) -> dict[str, Any]:
    topic, kind = form.topic, DETAILS.get(form.topic or "", "")
    items = [i for i in form.all(kind) if kind != "number" or (i.unit == "multiple" and i.size <= MOST_COUNTED)]
    details = list(dict.fromkeys(item.value for item in items))
    form.use(*items)
    if topic in ("alternative", "scenario") and (len(details) != 1 or details[0] in ("all", "default")):
        form.ask("Which weight function? Say, why not sigmoid." if kind == "function" else "In which scenario?")
    several = form.reading.quote(items[0].first, items[-1].last) if topic == "years" and len(details) > 1 else ""
    if several and not TOGETHER.fullmatch(several):
        form.ask("Which years are meant? The answer covers each of them alone, and no span.")
    if topic == "limits":  # the answer says over which years
        form.use(*(item for item in form.all("number") if item.unit == "years"))
    form.use(*(i for i in form.all("number") if any(_repeats(i, *amount) for amount in _amounts_asked(form))))
    if topic == "data":
        form.take("date")
    counts = [i for i in form.all("number") if i.unit in ("plain", "points") and not 0.0 < i.size < 1.0]
    form.use(*(i for i in counts if i.size <= MOST_COUNTED))
    form.use(*form.all("worlds"), *form.all("template"), *form.all("split"), *form.all("asset", "sp500", "cash"))
    detail = several or next(iter(details), None)
    return {"run": _run(form) or "last", "topic": topic, "detail": detail}


def _amounts_asked(form: Form) -> list[tuple[str, float]]:
    """Units and values of what the search was asked for, which a question about its result may repeat."""
    if (request := form.focus.request) is None:
        return []
    shares = (request.mandate.target_volatility, *(limit.bound for limit in request.limits.defined().values()))
    amounts = [("plain", float(request.trials)), ("bps", request.mandate.transaction_cost_bps)]
    return [*amounts, *(("percent", 100.0 * share) for share in shares)]


def _repeats(item: Item, unit: str, value: float) -> bool:
    return item.unit in ("plain", unit) and abs(item.size - value) < 1e-9


def compare_results(form: Form) -> dict[str, Any]:
    runs = [run.value for run in form.all("run")[:2]]
    form.use(*form.all("run")[:2], *(i for i in form.all("number") if i.size == 2.0))
    named = form.take("sense", "previous", "last")
    form.take("sense", "against")
    searched = form.says({"both", "two", "them"}) and form.focus.last in ("optimize", "explain")
    if not (runs or named or searched or form.says(OF_RESULTS)):
        form.doubt("the last two results are meant")
    first, second = (*runs, "last")[:2] if runs else ("previous", "last")
    return {"first": first, "second": second}


def open_holdout(form: Form) -> dict[str, Any]:
    if form.says(QUESTIONS):
        form.doubt("the holdout should be opened")
    return {"run": _run(form) or "last"}


def list_saved(form: Form) -> dict[str, Any]:
    saved = form.says({"saved", "stored"})
    return {"what": form.one("kept", "" if saved else "A list of what? Say, my saved strategies.") or "strategies"}


def define_term(form: Form) -> dict[str, Any]:
    terms = form.take("term")
    compared = len(terms) == 2 and form.says({"difference", "differ", "versus", "vs"})
    if compared and terms[1].first - terms[0].last <= 2 and not form.breaks(*terms):
        return {"term": form.reading.quote(terms[0].first, terms[1].last)}
    if len(terms) != 1:
        form.ask("Which term? Name one.")
    if any(item.kind == "frame" and item.last in {term.first for term in terms} for item in form.items):
        form.doubt("the term is meant without the word before it")
    before = {word for term in terms for word in form.before(term)}
    alone = all(item.kind in ("stop", "frame", "term", "trigger", "besides") for item in form.items)
    owned = before & {"its", "my", "our"} or ("the" in before and not alone)
    if owned and (form.focus.run or form.focus.last):
        form.doubt("the meaning of the term is asked, and not its value in the result")
    return {"term": terms[0].text if terms else ""}
