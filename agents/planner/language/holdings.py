"""Holdings and moves of factors, from the assets, shares and amounts of a message."""

import math
import re
from collections.abc import Callable
from typing import Any

from agents.planner.language.form import Form, filled
from agents.planner.language.reading import Item
from agents.planner.language.slots import Pair, is_money


def portfolio_of(form: Form, quotes: dict[str, str]) -> dict[str, Any]:
    """Assets with their shares; one without a share is the rest, and without any share all are equal."""
    money = quotes.pop("amount", None)
    pairs = [pair for pair in form.pairs if pair.slot == "holding"]
    assets = form.take("asset")
    by_money = [p for p in pairs if is_money(p.amount)]
    if by_money:
        return _by_money(form, assets, by_money, money)
    splits = form.take("split")
    about = form.focus.portfolio
    shares = [share for split in splits for share in re.findall(r"\d+", split.value)]
    if shares and not assets and about is not None and len(about.holdings) == len(shares):
        held = zip((holding.asset for holding in about.holdings), shares, strict=True)
        return filled({"amount": money, "holdings": [{"asset": asset, "weight": share} for asset, share in held]})
    weights = _weights(form, assets, pairs) | dict(zip(assets, shares, strict=False))
    if splits and (pairs or len(shares) != len(assets)):
        form.ask("Which share has each asset?")
    _ask_about_rest(form, assets, weights)
    names = [asset.value for asset in assets]
    first = [asset for n, asset in enumerate(assets) if asset in weights or asset.value not in names[:n]]
    holdings = [filled({"asset": asset.value, "weight": weights.get(asset)}) for asset in first]
    return filled({"amount": money, "holdings": holdings})


def _weights(form: Form, assets: list[Item], pairs: list[Pair]) -> dict[Item, str]:
    """The share beside each asset; "each" repeats one share."""
    weights = {pair.cue: pair.amount.text for pair in pairs if pair.cue}
    loose = [pair for pair in pairs if pair.cue is None]
    each = form.take("sense", "each")
    form.take("sense", "equally")
    if (loose or len(weights) == 1) and each and assets:
        share = loose[0].amount.text if loose else next(iter(weights.values()))
        return dict.fromkeys(assets, share)
    if loose:
        form.ask("Which asset has which share? Put each share beside its asset.")
    if pairs and len(weights) == len(assets) and _sum(pairs) < 1.0 - 1e-6:
        form.ask("Together the shares are less than the whole; what is the rest invested in?")
    if _sum(pairs) > 1.0 + 1e-9:
        form.ask("Together the shares are more than the whole.")
    return weights


def _ask_about_rest(form: Form, assets: list[Item], weights: dict[Item, str]) -> None:
    rest = form.take("sense", "rest")
    missing = len({asset.value for asset in assets} - {asset.value for asset in weights})
    if weights and missing > 1:
        form.ask("Which share has each asset?")
    elif weights and missing == 1 and not rest:
        form.doubt("the asset without a share has the rest")
    elif rest and missing != 1:
        form.ask("What is the rest invested in?")


def _by_money(form: Form, assets: list[Item], pairs: list[Pair], money: str | None) -> dict[str, Any]:
    amounts = {pair.cue: pair.amount.text for pair in pairs}
    if len(amounts) != len(assets):
        form.ask("Which amount has each asset?")
    return filled({"amount": money, "holdings": [
        filled({"asset": asset.value, "amount": amounts.get(asset)}) for asset in assets
    ]})  # fmt: skip


def _sum(pairs: list[Pair]) -> float:
    """The sum of shares; bare numbers are percent unless they are fractions of one."""
    amounts = [pair.amount for pair in pairs]
    return math.fsum(a.size / (100.0 if a.unit == "percent" or a.size > 1.0 else 1.0) for a in amounts)


MARKET = ("crash", "market crash", "market", "markets", "equities", "equity market")
"""Words for the index in a shock."""


def shocks_of(form: Form) -> list[dict[str, str]]:
    """Moves of factors, as in "if the index falls by 30%" or "a drop of 30% in the index"."""
    shocks = list[dict[str, str]]()
    for amount in form.all("number"):
        signed = re.match("[-+]", amount.text) and _is_share(amount, bare=True)
        beside = [i for i in form.all("asset") if i.last == amount.first or i.first == amount.last]
        if signed and beside:
            factor = min(beside, key=lambda i: form.breaks(i, amount))
            direction = "falls" if amount.text.startswith("-") else "rises"
            shocks.append({"factor": factor.value, "direction": direction, "move": amount.text})
            form.use(amount, factor)
    if shocks:
        form.take("sense", "falls", "rises")
    for move in form.all("sense", "falls", "rises"):
        numbers = [i for i in form.all("number") if form.near(i, move, 1)]
        amounts = [i for i in numbers if _is_share(i, bare=i.first == move.last)]
        assets = sorted(form.all("asset"), key=lambda i: (len(form.between(i, move)), i.first > move.first))
        market = [i for i in form.items if i.text.lower() in MARKET and form.near(i, move, 1)]
        distance = len(form.between(assets[0], move)) if assets else math.inf
        if amounts and (market or distance <= 4):
            named = assets[:1] if distance <= (1 if market else 4) else []
            factor = named[0].value if named else "sp500"
            shocks.append({"factor": factor, "direction": move.value, "move": amounts[0].text})
            form.use(move, amounts[0], *named)
    return shocks


def _is_share(item: Item, *, bare: bool = False) -> bool:
    if bare and item.unit == "plain":
        return abs(item.size) < 100.0
    return item.unit in ("percent", "points") or 0.0 < item.size < 1.0


def legs_of(form: Form, assets: Callable[[Form], tuple[str, ...]]) -> dict[str, Any]:
    """The safe leg and the other assets; "my index and my bond" are those of the only data set of such two."""
    index, bond = form.focus.own_legs
    safe, named = _safe_leg(form, bond), assets(form)
    if safe == bond and index and "my index" in form.reading.text.lower():
        named = tuple(dict.fromkeys(index if name == "sp500" else name for name in named))
    return {"safe": safe, "assets": named}


def _safe_leg(form: Form, bond: str | None) -> str | None:
    """The asset beside words for the safe leg: "with BOND as the safe leg", "safe leg BOND", or "my bond" itself."""
    for cue in form.take("sense", "safe_leg"):
        mine = bond if cue.text.lower() == "my bond" else None
        beside = [i for i in form.all("asset") if i.value != "sp500" and form.near(i, cue)]
        if beside and not (mine and beside[-1].first != cue.last):
            form.use(beside[-1])
            return beside[-1].value
        if not mine:
            form.ask("What is the safe leg? Name cash, or a bond among the same prices.")
        return mine
    return None
