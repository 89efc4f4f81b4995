"""What a message says about holdings and prices: shares, moves of factors, levels of losses, legs and days."""

import math
import re
from collections.abc import Sequence
from typing import Any, Final

from agents.planner.language.form import Form, filled
from agents.planner.language.lexicon import TICKERS
from agents.planner.language.reading import Item
from agents.planner.language.slots import Pair, is_money

MARKET: Final = ("crash", "market crash", "market", "markets", "equities", "equity market")
"""Words for the index in a shock."""
EQUITY: Final = frozenset("stocks shares equities equity".split())
"""What is held beside cash: the index, and not each of the twenty shares."""
MEASURES: Final = frozenset("var|value at risk|cvar|es|expected shortfall|shortfall|confidence".split("|"))
SPANS: Final = frozenset("day week month quarter".split())
FROM: Final = frozenset("since from after starting between".split())
ONWARDS: Final = re.compile(r" (?:on(?=[,.?!;]|$)|onwards?\b|forward\b)", re.IGNORECASE)
UNTIL: Final = frozenset("until till to before".split())
TURNS: Final = {"start": "first_day", "starting": "first_day", "begin": "first_day", "beginning": "first_day",
                "end": "last_day", "ending": "last_day", "truncated": "last_day"}  # fmt: skip
"""Words before "on" or "at" a day that it begins or ends."""
THROUGH: Final = frozenset("come came get got go gone went live lived been".split())
"""Words before "through 2008" that make it the time itself."""


def portfolio_of(form: Form, quotes: dict[str, Any]) -> dict[str, Any]:
    """Assets with their shares or money; one without a share is the rest, and without any share all are equal."""
    pairs = [pair for pair in form.pairs if pair.slot == "holding"]
    words = form.take("asset")
    names = list(dict.fromkeys(map(_held, [w for w in words if w.text.lower() != "stock"] or words)))  # "KO's stock"
    shares = [share for split in form.take("split") for share in re.findall(r"[\d.]+", split.value)]
    held = form.focus.portfolio.holdings if form.focus.portfolio is not None else ()
    if shares and not names and len(held) == len(shares):
        names = [holding.asset for holding in held]
    elif shares and not names and form.offer in ("simulate", "assess_risk"):
        names = ["sp500", "cash"]  # what 60/40 means
    parts = {_held(pair.cue): pair.amount.text for pair in pairs if pair.cue} | dict(zip(names, shares, strict=False))
    if pairs and {*names} - parts.keys() <= {"sp500", "stocks"} and _whole(pairs):
        names = list(parts)  # the others are what it is compared with, or "which stock"
    said = len(names) == len(pairs) == 1 and pairs[0].amount.unit == "percent"
    if said and 0.1 <= _share(pairs[0]) < 1.0 and form.offer == "simulate":
        form.take("sense", "rest")
        names += ["cash"]  # what is not invested
    each, texts = form.take("sense", "each"), {pair.amount.text for pair in pairs}
    form.take("sense", "equally")
    if each and len(texts) == 1:
        parts = dict.fromkeys(names, *texts)
    elif len(pairs) > len(parts) or (shares and (pairs or len(shares) != len(names))):
        form.ask("Which asset has which share? Put each share beside its asset.")
    money = [pair for pair in pairs if is_money(pair.amount)]
    missing = len({*names} - parts.keys()) if parts else 0
    if money and (missing or len(money) < len(pairs)):
        form.ask("Which amount has each asset?")
    elif not money:
        _check_shares(form, 1.0 if shares or each or not pairs else math.fsum(map(_share, pairs)), missing)
    total = quotes.get("amount")
    if each and total and not parts:
        quotes.pop("amount")
        money, parts = True, dict.fromkeys(names, total)
    part = "amount" if money else "weight"
    holdings = [filled({"asset": name, part: parts.get(name)}) for name in names]
    return filled({"amount": quotes.pop("amount", None), "holdings": holdings})


def _held(word: Item) -> str:
    return "sp500" if word.text.lower() in EQUITY else word.value


def _share(pair: Pair) -> float:
    return math.inf if is_money(pair.amount) else pair.amount.size / (1.0 if _is_fraction(pair.amount) else 100.0)


def _whole(pairs: Sequence[Pair]) -> bool:
    """Whether shares are all of a portfolio."""
    return abs(math.fsum(map(_share, pairs)) - 1.0) < 1e-6


def _check_shares(form: Form, total: float, missing: int) -> None:
    rest = form.take("sense", "rest")
    if total > 1.0 + 1e-9:
        form.ask("Together the shares are more than the whole.")
    elif missing > 1 or (rest and not missing) or (not missing and total < 1.0 - 1e-6):
        form.ask("Which share has each asset, and what is the rest invested in?")
    elif missing and not rest and form.offer != "simulate":
        form.doubt("the asset without a share has the rest")


def _is_fraction(amount: Item) -> bool:
    """Whether a share is a fraction of one; other bare numbers are percent."""
    return amount.unit == "plain" and abs(amount.size) <= 1.0


def shocks_of(form: Form) -> list[dict[str, str]]:
    """Moves of factors, as in "XOM -30%", "if the index falls by 30%" or "a drop of 30% in the index"."""
    shocks = list[dict[str, str]]()
    moves = [i for i in form.all("number") if i.unit in ("percent", "points", "plain") and abs(i.size) < 100.0]
    for amount in moves:
        beside = [i for i in form.all("asset") if i.last == amount.first or i.first == amount.last]
        sign = re.match(r"[-+]|minus ", amount.text, re.IGNORECASE)
        if sign and beside:
            factor = min(beside, key=lambda i: form.breaks(i, amount))
            direction = "falls" if sign[0].lower() in ("-", "minus ") else "rises"
            shocks.append({"factor": factor.value, "direction": direction, "move": amount.text})
            form.use(amount, factor, *form.all("sense", "falls", "rises"))
    for move in form.all("sense", "falls", "rises"):
        near = [i for i in moves if i not in form.used and form.near(i, move, 1)]
        amounts = [i for i in near if i.unit != "plain" or _is_fraction(i) or i.first == move.last]
        market = any(i.text.lower() in MARKET and form.near(i, move, 1) for i in form.items)
        assets = [i for i in form.all("asset") if len(form.between(i, move)) <= (1 if market else 4)]
        assets.sort(key=lambda i: (len(form.between(i, move)), i.first > move.first))
        if amounts and (market or assets):
            factor = assets[0].value if assets else "sp500"
            shocks.append({"factor": factor, "direction": move.value, "move": amounts[0].text})
            form.use(move, amounts[0], *assets[:1])
    return shocks


def levels_of(form: Form) -> dict[str, str]:
    """The level and the horizon of the losses: "99% VaR over 10 days", "in a month"."""
    levels: dict[str, str] = {}
    measures = [i for i in form.items if i.text.lower() in MEASURES]
    for item in form.all("number"):
        beside = any(form.near(item, measure, 1) for measure in measures) and item.unit in ("percent", "plain")
        level = 90.0 <= item.size < 100.0 and (beside or (item.unit == "percent" and "at" in form.before(item)))
        name = "horizon" if item.unit.rstrip("s") in SPANS else "level" if level else ""
        if name and name not in levels:
            levels[name] = item.text
            form.use(item)
    shares = {word for item in form.all("number") for word in item.text.lower().split()}  # "a quarter in XOM"
    span = next((word.text for word in form.reading.words if word.text in SPANS - shares), None)
    return filled({"horizon": span}) | levels


def legs_of(form: Form) -> dict[str, Any]:
    """The safe leg and the other assets; "my index and my bond" are those of the only data set of such two."""
    safe, (index, bond) = None, form.focus.own_legs
    for cue in form.take("sense", "safe_leg"):  # "with BOND as the safe leg", "safe leg BOND", or "my bond" itself
        mine = bond if cue.text.lower() == "my bond" else None
        beside = [i for i in form.all("asset") if i.value != "sp500" and form.near(i, cue)][-1:]
        beside = [] if mine and beside and beside[0].first != cue.last else beside
        form.use(*beside)
        safe = next((i.value for i in beside), mine)
        if safe is None:
            form.ask("What is the safe leg? Name cash, or a bond among the same prices.")
    held = form.focus.request.universe.split(",") if form.focus.request is not None else []
    usual = held if len(held) > 1 and {*held} <= {*TICKERS} else [*TICKERS]  # without one of those of the last search
    assets = [asset for asset in form.choice("asset", usual) if asset != "cash"]
    if safe == bond and index and "my index" in form.reading.text.lower():
        assets = dict.fromkeys(index if name == "sp500" else name for name in assets)
    return {"safe": safe, "assets": tuple(assets)}


def window_of(form: Form) -> dict[str, str]:
    """The first and the last day of the prices: "since 2005", "from March 2005 to 2015", of an evaluation "in 2008"."""
    dates = [(day.text, form.before(day, 2)) for day in form.take("date")]
    if len(dates) == 2:
        form.take("sense", "between")
        return {"first_day": dates[0][0], "last_day": dates[1][0]}
    for day, before in dates[: len(dates) == 1]:
        if ONWARDS.match(form.reading.text, form.reading.text.find(day) + len(day)):
            return {"first_day": day}
        if (FROM | UNTIL) & {*before[-1:]}:
            return {"first_day" if before[-1] in FROM else "last_day": day}
        if before[1:] in (["on"], ["at"], ["in"]) and before[0] in TURNS:
            return {TURNS[before[0]]: day}
        if form.offer in ("evaluate", "assess_risk") and (before[-1:] != ["through"] or before[0] in THROUGH):
            return {"first_day": day, "last_day": day}
    if dates:
        form.ask("Which days are the first and the last of the prices?")
    return {}
