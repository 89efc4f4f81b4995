"""What is known of prices that have passed every gate, so that a request can be checked without loading them."""

from datetime import date
from typing import TYPE_CHECKING

from quant.strategy import Frozen

if TYPE_CHECKING:
    from tools.prices import Prices


class PriceFacts(Frozen):
    """Of one immutable version of a universe."""

    digest: str
    assets: tuple[str, ...]
    first: date
    last: date
    sessions: int


def facts_of(prices: "Prices") -> PriceFacts:
    """Kept of prices alone that `tools.market.build_market` takes."""
    return PriceFacts(
        digest=prices.digest,
        assets=prices.assets,
        first=date.fromisoformat(str(prices.dates[0])),
        last=date.fromisoformat(str(prices.dates[-1])),
        sessions=len(prices.dates),
    )
