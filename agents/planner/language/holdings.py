"""Arguments about a portfolio, or about money over time, from a form."""

import math
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from agents.planner.language.amounts import Amount
from agents.planner.language.form import Call, Form, plain
from agents.planner.language.grammar import Reading
from agents.planner.language.levels import levels
from agents.planner.language.strategies import without_empty
from agents.planner.language.words import Mark

SAVINGS: Final = {
    "years": "years", "contribution": "contribution", "withdrawal": "withdrawal", "money_goal": "goal",
    "inflation": "inflation", "fee": "fee", "paths": "paths", "amount": "amount",
}  # fmt: skip


def _portfolio(form: Form) -> dict[str, Any]:
    """Shares and assets in the order of the message; `each` repeats one share; an asset without a share is the rest."""
    assets, shares = form.assets(), _shares(form)
    if form.reading.has("split") and not assets and form.focus.portfolio is not None:
        assets = tuple(holding.asset for holding in form.focus.portfolio.holdings)
    if len(shares) == 1 and form.reading.has("each"):
        shares *= len(assets)
    money = [pair.amount.text for pair in form.pairs if pair.slot == "money"]
    if len(money) > 1 and len(money) == len(assets) and not shares:
        return {"holdings": [{"asset": asset, "amount": each} for asset, each in zip(assets, money, strict=True)]}
    if len(money) > 1:
        form.ask(f"amount: Which amount is meant, {' or '.join(money)}?")
    return {**({"amount": money[0]} if money else {}), **_weighted(form, assets, shares)}


def _shares(form: Form) -> list[str]:
    r, pairs = form.reading, [pair for pair in form.pairs if pair.slot == "holding"]
    shares = [pair.amount.text for pair in pairs]
    if not r.has("each"):
        if any(not _beside_an_asset(r, pair.amount) for pair in pairs):
            form.ask(f"holdings: Which assets have {', '.join(shares)}? Put each beside its asset.")
        if math.fsum(_share(pair.amount) for pair in pairs) > 1.0 + 1e-9:
            form.ask(f"holdings: Together {', '.join(shares)} are more than the whole.")
    for split in r.all("split"):
        form.use(split)
        shares += re.findall(r"\d+|[a-z]+", split.text)
    return shares


def _weighted(form: Form, assets: tuple[str, ...], shares: Sequence[str]) -> dict[str, Any]:
    weights: list[str | None] = [*shares] or [None] * len(assets)
    rest = form.reading.all("rest")
    if rest and len(shares) == len(assets) - 1:
        later = (n for n, mark in enumerate(_asset_marks(form.reading, assets)) if mark.start > rest[0].start)
        weights.insert(next(later, len(shares)), None)
    if len(weights) != len(assets):
        listing = f"Named are {', '.join(map(plain, assets))}." if assets else "None is named."
        form.ask(f"holdings: Which share has each asset? {listing}")
        return {}
    holdings = [
        without_empty({"asset": asset, "weight": weight}) for asset, weight in zip(assets, weights, strict=True)
    ]
    return {"holdings": holdings} if holdings else {}


def _share(amount: Amount) -> float:
    return amount.value / 100.0 if amount.unit == "percent" or amount.value > 1.0 else amount.value


BETWEEN: Final = re.compile(
    r"\b(?:in|of|the|each|into|and|to|a|an|weight|weights|with|is|for|on|are|an|it|stocks|both|invested|"
    r"held|goes|put|worth)\b"
)


def _beside_an_asset(r: Reading, share: Amount) -> bool:
    """Whether only other shares and assets stand between a share and one of the assets."""
    text = r.folded
    for neighbour in (*r.amounts, *r.all("asset")):
        text = text[: neighbour.start] + "," * (neighbour.end - neighbour.start) + text[neighbour.end :]
    for asset in r.all("asset"):
        start, end = (share.end, asset.start) if share.end <= asset.start else (asset.end, share.start)
        if not re.search(r"[a-z]", BETWEEN.sub("", text[start:end])):
            return True
    return False


def _asset_marks(r: Reading, assets: Sequence[str]) -> list[Mark]:
    return [next(m for m in r.all("asset", asset)) for asset in assets]


MORE: Final = re.compile(r"\b(?:add|plus|more|extra|additional|increase|reduce|trim|cut|less)\b")
"""Words that change a part of a portfolio."""


def assess(form: Form) -> list[Call]:
    for amount in levels(form):
        form.take(amount)
    implied = {"percent": "holding", "share": "holding", "money": "money", "m": "money", "large": "money"}
    form.use(*form.reading.all("method", "equal_weight"))
    stress = _stress(form)
    quotes = form.match(("leverage", "fee", "inflation", "return"), implied)
    for slot in quotes:
        if slot not in ("holding", "money"):
            form.ask(f"amount: A portfolio has no {plain(slot)}, so {quotes[slot]} has no place in it.")
    portfolio = _portfolio(form)
    if not portfolio.get("holdings") and form.focus.portfolio is None:
        form.ask("holdings: Of which portfolio? Name the assets with their shares.")
    if form.focus.portfolio and MORE.search(form.reading.folded) and portfolio.get("holdings"):
        form.ask("holdings: Please give the whole portfolio as it should be, each asset with its share.")
    form.finish()
    return [Call(tool="assess_portfolio", arguments={"portfolio": portfolio} | stress)]


REVERSE: Final = re.compile(
    r"\breverse stress(?: test)?(?: (?:my|our|this|portfolio|at|of|for|with|on|a|an|the|loss|losing|to|lose|limit|it|"
    r"that|loses))*\s*$"
)
"""What stands before the loss of a reverse stress."""
MOVES: Final = re.compile(
    r"\s*(?:were to |was to |would |should |had |has )?(?:(?P<falls>falls?|fell|fallen|drops?|dropped|declines?|"
    r"declined|sinks?|sank|crashes|crash|is down|goes down|went down)|(?P<rises>rises?|rose|risen|gains?|gained|"
    r"rallies|is up|goes up|went up))(?: by)?\s*$"
)
"""What stands between a factor and its move."""


def _stress(form: Form) -> dict[str, Any]:
    """The loss of a reverse stress, and the moves of factors, as in "if the index falls by 30%"."""
    folded, stress, shocks = form.reading.folded, dict[str, Any](), list[dict[str, str]]()
    for amount in form.free:
        if REVERSE.search(folded[: amount.start]):
            if "loss" in stress:
                form.ask(f"contradiction: Is the loss {stress['loss']} or {amount.text}?")
            stress["loss"] = amount.text
            form.take(amount)
        for asset in form.reading.all("asset"):
            if asset.end <= amount.start and (move := MOVES.fullmatch(folded[asset.end : amount.start])):
                shocks.append({"factor": asset.value, "direction": str(move.lastgroup), "move": amount.text})
                form.use(asset)
                form.take(amount)
    return stress | ({"shocks": shocks} if shocks else {})


AGAINST: Final = re.compile(
    r"\b(?:against|versus|vs|compared? (?:[^.]*? )?(?:to|with)|relative to|benchmark(?:ed)?(?: is| to)?)\b"
)
WINNER: Final = re.compile(r"\b(?:winner|winning|run|result)\b")


def tearsheet(form: Form) -> list[Call]:
    """The asset after "against" is the benchmark; without assets and holdings it is that of the result."""
    r, arguments = form.reading, dict[str, Any]()
    quotes = form.match(("volatility", "drawdown", "leverage", "fee"), {"percent": "holding", "share": "holding"})
    for slot in quotes:
        if slot != "holding":
            form.ask(f"{slot}: A tear sheet describes a past series as it is; what is the {plain(slot)} for?")
    run = _run(form)
    against = AGAINST.search(r.folded)
    marks = [m for m in r.all("asset") if against is not None and m.start >= against.end()]
    if len({mark.value for mark in marks}) > 1:
        form.ask("benchmark: Which of these assets is the benchmark of the tear sheet?")
    if marks:
        arguments["benchmark"] = marks[0].value
        form.use(*marks)
    portfolio = _portfolio(form)
    if portfolio.get("holdings"):
        arguments["portfolio"] = portfolio
    elif run is not None:
        arguments["run"] = run
    elif form.focus.portfolio is None:
        form.ask("holdings: Of which asset or portfolio? Name it, or the result whose winner is meant.")
    form.finish()
    return [Call(tool="show_tearsheet", arguments=arguments)]


def _run(form: Form) -> str | None:
    """The result that is meant, as the tools name it."""
    r, run = form.reading, form.one("run")
    if run is not None:
        return run
    if r.has("reference"):
        return "previous" if r.has("reference", "previous") and not r.has("reference", "last") else "last"
    return form.focus.run or ("last" if WINNER.search(r.folded) else None)


def compare_allocations(form: Form) -> list[Call]:
    methods, covariance = form.names("method"), form.one("covariance")
    form.match(
        ("leverage", "fee", "return", "weight", "volatility"), {"money": "money", "m": "money", "large": "money"}
    )
    for pair in form.pairs:
        if pair.slot != "money":
            form.ask(f"amount: A comparison has no {plain(pair.slot)}, so {pair.amount.text} has no place in it.")
    assets = form.assets() or (
        tuple(h.asset for h in form.focus.portfolio.holdings if h.asset != "cash") if form.focus.portfolio else ()
    )
    if not assets:
        form.ask("assets: Between which assets? Name some of the bundled stocks, or say all stocks.")
    money = [pair.amount.text for pair in form.pairs if pair.slot == "money"]
    if len(money) > 1:
        form.ask(f"amount: Which amount is meant, {' or '.join(money)}?")
    if any(m.start in form.denied for m in form.reading.all("method")):
        form.ask("methods: Which allocation methods are wanted? Name them without leaving any out.")
    form.finish(ignored=("estimator",))
    arguments = {"assets": list(assets), "methods": list(methods), "amount": money[0] if money else None}
    if covariance is not None:
        arguments |= {"covariance": covariance}
    return [Call(tool="compare_allocations", arguments=arguments)]


def simulate(form: Form) -> list[Call]:
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
            form.ask(f"unit: Is the {plain(pair.slot)} of {pair.amount.text} meant for each month? Please add a month.")
    _flows(form, quotes)
    plan = {SAVINGS[slot]: quote for slot, quote in quotes.items() if slot in SAVINGS}
    portfolio = _portfolio(form)
    plan |= {"scenario": form.one("scenario"), "portfolio": portfolio}
    form.use(*form.reading.all("rebalancing"))
    if not portfolio and form.focus.portfolio is None and "contribution" not in plan:
        form.ask("amount: With how much money? Name the amount, or the portfolio.")
    form.finish(needed=("withdrawal", "contribution", "fee", "inflation") if not quotes else ())
    return [Call(tool="simulate_wealth", arguments={"plan": without_empty(plan)})]


INWARD: Final = frozenset(
    "put puts putting invest invests investing add adds adding pay pays paying save saves saving contribute "
    "contributes "
    "contributing deposit deposits plus chip chips chipping extra top another more into regularly feed "
    "feeding stick sticking "
    "throw throwing set".split()
)
OUTWARD: Final = frozenset(
    "withdraw withdraws withdrawal take takes taking draw draws spend spends pay-out out pension pensions "
    "live income".split()
)
MONTHLY: Final = re.compile(r"\b(?:every|each|per|a) month,?(?: \w+){0,4} $|\bmonthly(?: \w+){0,2} $")

MONTHLY_AFTER: Final = re.compile(r"(?: \w+){0,2} (?:(?:every|each|per|a) month|monthly)\b")


def _flows(form: Form, quotes: dict[str, str]) -> None:
    """An amount per month without a cue, as in "if I put 200 a month into the index"."""
    words = {word.text for word in form.reading.words}
    for n, pair in enumerate(form.pairs):
        folded = form.reading.folded
        monthly = (
            pair.amount.per
            or MONTHLY.search(folded[: pair.amount.start])
            or MONTHLY_AFTER.match(folded[pair.amount.end :])
        )
        if not monthly or pair.slot not in ("money", "money_goal"):
            continue
        if (
            not words & INWARD
            or words & OUTWARD
            or "withdrawal" in quotes
            or "contribution" in quotes
            or not (pair.amount.per.endswith("month") or not pair.amount.per)
        ):
            form.ask(f"amount: Is {pair.amount.text} paid in or taken out each month?")
        quotes["contribution"] = pair.amount.text
        form.pairs = (*form.pairs[:n], replace(pair, slot="contribution"), *form.pairs[n + 1 :])
