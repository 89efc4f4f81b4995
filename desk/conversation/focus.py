"""What a conversation is about: small typed words that the next question is read against."""

from quant.strategy import Frozen
from tools.optimization import OptimizationRequest
from tools.strategies import Rule
from tools.wishes import Offer, PortfolioWish, StrategyWish, Topic


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
