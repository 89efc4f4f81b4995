"""What is said of a search before it is launched."""

from desk.governance.approvals import Thresholds
from desk.governance.estimates import Estimate
from quant.numeric.frozen import Frozen


class LaunchEstimate(Frozen):
    estimate: Estimate
    needs_approval: bool
    """A person must approve the launch."""
    exceeded: tuple[str, ...]
    """Thresholds that the estimate is above."""
    thresholds: Thresholds | None
    """None: nobody is asked, whatever it takes."""
