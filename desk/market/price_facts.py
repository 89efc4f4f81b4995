"""What is known of prices that have passed every gate, so that a request can be checked without loading them."""

from datetime import date

from quant.numeric.frozen import Frozen


class PriceFacts(Frozen):
    """Of one immutable version of a universe."""

    digest: str
    assets: tuple[str, ...]
    first: date
    last: date
    sessions: int
