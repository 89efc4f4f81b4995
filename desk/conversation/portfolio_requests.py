"""From holdings in the person's words to shares of wealth and an amount of money."""

import math

from desk.base.errors import InvalidInput
from desk.conversation import amounts
from desk.conversation import quotes as quoting
from desk.conversation.focus import Focus
from desk.conversation.optimization_requests import INDEX_NAMES
from desk.conversation.wishes import Holding, PortfolioWish
from desk.figures.sheet import Money

CASH = "cash"
DEFAULT_CURRENCY = "USD"
"""Of the bundled prices, where the person names none."""


def complete(wish: PortfolioWish, focus: Focus) -> PortfolioWish:
    """`wish` with what it leaves out taken from the portfolio that the conversation is about."""
    about = focus.portfolio
    if wish.holdings or about is None:
        return wish
    return PortfolioWish(holdings=about.holdings, amount=wish.amount or about.amount)


def holdings_of(wish: PortfolioWish) -> tuple[dict[str, float], Money | None]:
    """Shares of wealth by asset, which sum to 1, and what the whole is worth where that was said."""
    if not wish.holdings:
        allowed = "holdings with their shares, such as 60% S&P 500 and 40% cash"
        raise InvalidInput("holdings", None, reason="what is held was not said", allowed=allowed)
    names = [asset_name(holding.asset) for holding in wish.holdings]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise InvalidInput("holdings", twice, reason=f"{twice} is named twice", allowed="each asset once")
    worth = None if wish.amount is None else money_of("amount", wish.amount)
    if any(holding.amount is not None for holding in wish.holdings):
        return _by_amount(names, wish.holdings, worth)
    if all(holding.weight is None for holding in wish.holdings):
        return dict.fromkeys(names, 1.0 / len(names)), worth
    named = dict(zip(names, wish.holdings, strict=True))
    shares = {n: amounts.read("holdings", h.weight) for n, h in named.items() if h.weight is not None}
    unsaid = [name for name in names if name not in shares]
    if len(unsaid) > 1:
        raise InvalidInput(
            "holdings", unsaid[1], reason=f"the share of {unsaid[1]} was not said", allowed="a share each"
        )
    rest = 1.0 - math.fsum(shares.values())
    return {name: shares.get(name, rest) for name in names}, worth


def asset_name(text: str) -> str:
    """As the price sources call it."""
    lowered = text.strip().lower()
    if lowered in INDEX_NAMES:
        return "sp500"
    return CASH if lowered == CASH else text.strip().upper()


def money_of(field: str, quote: str) -> Money:
    amount, currency = quoting.money(field, quote)
    return Money(amount=amount, currency=currency or DEFAULT_CURRENCY)


def _by_amount(names: list[str], holdings: tuple[Holding, ...], worth: Money | None) -> tuple[dict[str, float], Money]:
    held: list[Money] = []
    for name, holding in zip(names, holdings, strict=True):
        if holding.amount is None:
            reason = f"the amount of {name} was not said"
            raise InvalidInput("holdings", name, reason=reason, allowed="an amount for each, or a share for each")
        held.append(money_of("holdings", holding.amount))
    currencies = sorted({money.currency for money in (*held, *([worth] if worth else []))})
    if len(currencies) > 1:
        allowed = "one currency; nothing is converted here"
        raise InvalidInput("holdings", ", ".join(currencies), reason="several currencies are mixed", allowed=allowed)
    total = math.fsum(money.amount for money in held)
    if worth is not None and abs(worth.amount - total) > 0.005 * total:
        reason = f"the holdings add up to {total:,.0f} and the whole is {worth.amount:,.0f}"
        raise InvalidInput("amount", worth.amount, reason=reason, allowed="holdings that add up to the whole")
    shares = {name: money.amount / total for name, money in zip(names, held, strict=True)}
    return shares, Money(amount=total, currency=currencies[0])
