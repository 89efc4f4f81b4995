"""What is said of a search before it is launched."""

from quant.strategy import Frozen
from tools.approval import Thresholds
from tools.optimization import Estimate


class Foreseen(Frozen):
    estimate: Estimate
    needs_approval: bool
    """A person must approve the launch."""
    exceeded: tuple[str, ...]
    """Thresholds that the estimate is above."""
    thresholds: Thresholds | None
    """None: nobody is asked, whatever it takes."""
