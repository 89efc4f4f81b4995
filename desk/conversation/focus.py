"""The focus of a conversation: typed references that the next message is interpreted against."""

from pydantic import Field

from desk.conversation.wishes import Offer, PortfolioWish, StrategyWish
from desk.optimization.reading.topics import Topic
from desk.optimization.request import BUNDLED_CASH, CASH, Cash, ExchangeRateName, StoredRequest
from desk.strategies.search_options import OTHER_PRICES
from desk.strategies.templates import Rule
from quant.numeric.frozen import Frozen


class Focus(Frozen):
    """Current subject of a conversation, by reference; results are in the store."""

    run: str | None = None
    """The result that "it" means."""
    previous_run: str | None = None
    """Id of the run before the current one."""
    request: StoredRequest | None = None
    """The last request of this conversation, launched or only estimated; at first that of `run`."""
    strategy: StrategyWish | None = None
    """The last evaluated configuration, as stated by the user."""
    rule: Rule | None = None
    """The last evaluated configuration, in numbers."""
    universe: str = "sp500"
    """Prices of the risky leg in the last evaluation or search."""
    safe: str = CASH
    """What was held beside it."""
    cash: Cash = BUNDLED_CASH
    exchange_rate: ExchangeRateName = None
    portfolio: PortfolioWish | None = None
    scenarios: tuple[str, ...] = ()
    """Names of own scenarios."""
    data: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    """The person's own data sets with their assets, as they are when a message arrives."""
    topic: Topic | None = None
    """What the last answer was about."""
    last: Offer | None = None
    """The last action."""

    @property
    def own_legs(self) -> tuple[str, str] | tuple[None, None]:
        """The index and the bond of the person's only data set of such two; a bond is one by its name."""
        pairs = [sorted(names, key=_is_bond) for names in self.data.values()]
        pairs = [pair for pair in pairs if [_is_bond(name) for name in pair] == [False, True]]
        return (pairs[0][0], pairs[0][1]) if len(pairs) == 1 else (None, None)


def _is_bond(name: str) -> bool:
    return "bond" in name.casefold()


PRICES = ("universe", *OTHER_PRICES)
"""Fields of a focus that say on what a strategy is evaluated; a request has them too."""
