"""What a conversation is about: small typed words that the next question is read against."""

from desk.conversation.wishes import Offer, PortfolioWish, StrategyWish
from desk.optimization.reading.topics import Topic
from desk.optimization.request import OptimizationRequest
from desk.strategies.templates import Rule
from quant.numeric.frozen import Frozen


class Focus(Frozen):
    """References and words only; results lie in the store."""

    run: str | None = None
    """The result that "it" means."""
    previous_run: str | None = None
    request: OptimizationRequest | None = None
    """The last request of this conversation, launched or only estimated."""
    strategy: StrategyWish | None = None
    """The last configuration that was evaluated, as it was asked for."""
    rule: Rule | None = None
    """The same in numbers."""
    universe: str = "sp500"
    """What it was evaluated on."""
    portfolio: PortfolioWish | None = None
    scenarios: tuple[str, ...] = ()
    """Names of the person's own scenarios."""
    topic: Topic | None = None
    last: Offer | None = None
    """What was done last."""
