"""Response type of a search estimate."""

from pydantic import Field

from desk.governance.approvals import Thresholds
from desk.governance.estimates import Estimate
from desk.optimization.request import LimitName
from quant.numeric.frozen import Frozen


class DefaultLimit(Frozen):
    """A limit that applies unless the request sets its own."""

    limit: LimitName
    """Name of the limit."""
    bound: float
    """Largest accepted value of the statistic."""
    words: str = Field(
        description="The bound in words", examples=["30% of the target on the training days, unless set"]
    )


class LaunchEstimate(Frozen):
    estimate: Estimate
    needs_approval: bool
    """Whether the launch needs approval."""
    exceeded: tuple[str, ...]
    """Thresholds that the estimate exceeds."""
    thresholds: Thresholds | None
    """None if no launch needs approval."""
    default_limits: tuple[DefaultLimit, ...] = Field(description="Those of the goal")
