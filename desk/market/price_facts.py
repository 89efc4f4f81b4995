"""Facts about checked prices, which suffice to check a request without loading them."""

from datetime import date

from quant.numeric.frozen import Frozen


class PriceFacts(Frozen):
    """Facts about one immutable version of a universe."""

    digest: str
    assets: tuple[str, ...]
    first: date
    last: date
    sessions: int
    training_volatility: float | None = None
    """Annual, of the first three fifths of the days, of the assets in equal shares; None in facts of earlier versions.
    """
    currency: str | None = None
    """None in facts that an earlier version stored."""
