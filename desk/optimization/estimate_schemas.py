"""Response type of a search estimate."""

from desk.governance.approvals import Thresholds
from desk.governance.estimates import Estimate
from quant.numeric.frozen import Frozen


class LaunchEstimate(Frozen):
    estimate: Estimate
    needs_approval: bool
    """Whether the launch needs approval."""
    exceeded: tuple[str, ...]
    """Thresholds that the estimate exceeds."""
    thresholds: Thresholds | None
    """None if no launch needs approval."""
