"""Parses holdings in the user's words into weights and an amount of money."""

import math
import re
from collections.abc import Sequence
from typing import Any

from desk.base.errors import InvalidInput
from desk.conversation import amounts, quotes
from desk.conversation.focus import Focus
from desk.conversation.optimization_requests import validate
from desk.conversation.universes import INDEX_NAMES
from desk.conversation.wishes import Holding, PortfolioWish, Shock
from desk.figures.sheet import Money
from desk.portfolios.stress_schemas import StressRequest

CASH = "cash"
DEFAULT_CURRENCY = "USD"
"""Currency of the bundled prices, used when the user names none."""


def with_focus_holdings(wish: PortfolioWish, focus: Focus) -> PortfolioWish:
    """Fill missing parts of `wish` from the portfolio in focus."""
    about = focus.portfolio
    if wish.holdings or about is None:
        return wish
    return PortfolioWish(holdings=about.holdings, amount=wish.amount or about.amount)


def parse_holdings(wish: PortfolioWish) -> tuple[dict[str, float], Money | None]:
    """Return weights by asset, which sum to 1, and the total amount if stated."""
    if not wish.holdings:
        allowed = "holdings with their shares, such as 60% S&P 500 and 40% cash"
        raise InvalidInput("holdings", None, reason="what is held was not said", allowed=allowed)
    names = [asset_name(holding.asset) for holding in wish.holdings]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise InvalidInput("holdings", twice, reason=f"{twice} is named twice", allowed="each asset once")
    worth = None if wish.amount is None else parse_money("amount", wish.amount)
    if any(holding.amount is not None for holding in wish.holdings):
        return _by_amount(names, wish.holdings, worth)
    if all(holding.weight is None for holding in wish.holdings):
        return dict.fromkeys(names, 1.0 / len(names)), worth
    holdings_by_name = dict(zip(names, wish.holdings, strict=True))
    shares = {n: amounts.read_amount("holdings", h.weight) for n, h in holdings_by_name.items() if h.weight is not None}
    without_share = [name for name in names if name not in shares]
    if len(without_share) > 1:
        raise InvalidInput(
            "holdings", without_share[1], reason=f"the share of {without_share[1]} was not said", allowed="a share each"
        )
    rest = 1.0 - math.fsum(shares.values())
    return {name: shares.get(name, rest) for name in names}, worth


def _move(shock: Shock) -> float:
    """The move with its sign; "-30%" and "minus 30%" fall as "30%" does, since the direction stands beside it."""
    size = re.sub(r"^(?:[-−]|minus )" if shock.direction == "falls" else r"^(?:\+|plus )", "", shock.move.lower())
    return -amounts.read_amount("fall", size) if shock.direction == "falls" else amounts.read_amount("rise", size)


def parse_stress(loss: str | None, shocks: Sequence[Shock]) -> StressRequest:
    """The loss of the reverse stress and the moves of factors."""
    names = [asset_name(shock.factor) for shock in shocks]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise InvalidInput("shocks", twice, reason=f"{twice} is named twice", allowed="each factor once")
    moves = {name: _move(shock) for name, shock in zip(names, shocks, strict=True)}
    values: dict[str, Any] = {"shocks": moves}
    if loss is not None:
        values["loss"] = amounts.read_amount("loss", loss)
    return validate(StressRequest, values)


def asset_name(text: str) -> str:
    """Convert an asset name to the one of the price sources."""
    lowered = text.strip().lower()
    if lowered in INDEX_NAMES:
        return "sp500"
    return CASH if lowered == CASH else text.strip().upper()


def parse_money(field: str, quote: str) -> Money:
    amount, currency = quotes.parse_money(field, quote)
    return Money(amount=amount, currency=currency or DEFAULT_CURRENCY)


def _by_amount(names: list[str], holdings: tuple[Holding, ...], worth: Money | None) -> tuple[dict[str, float], Money]:
    amounts_held: list[Money] = []
    for name, holding in zip(names, holdings, strict=True):
        if holding.amount is None:
            reason = f"the amount of {name} was not said"
            raise InvalidInput("holdings", name, reason=reason, allowed="an amount for each, or a share for each")
        amounts_held.append(parse_money("holdings", holding.amount))
    currencies = sorted({money.currency for money in (*amounts_held, *([worth] if worth else []))})
    if len(currencies) > 1:
        allowed = "one currency; nothing is converted here"
        raise InvalidInput("holdings", ", ".join(currencies), reason="several currencies are mixed", allowed=allowed)
    total = math.fsum(money.amount for money in amounts_held)
    if worth is not None and abs(worth.amount - total) > 0.005 * total:
        reason = f"the holdings add up to {total:,.0f} and the whole is {worth.amount:,.0f}"
        raise InvalidInput("amount", worth.amount, reason=reason, allowed="holdings that add up to the whole")
    shares = {name: money.amount / total for name, money in zip(names, amounts_held, strict=True)}
    return shares, Money(amount=total, currency=currencies[0])
