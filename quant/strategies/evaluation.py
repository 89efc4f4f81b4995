"""What an evaluation of a strategy reports: each metric with its standard error."""

from typing import Annotated

from pydantic import Field

from quant.numeric.frozen import Frozen
from quant.numeric.measured import Measured


class Metrics(Frozen):
    """Annual fractions unless the name says otherwise; losses, drawdowns and costs are positive.

    In a simulation `value` is the mean over paths and `error` its deviation over paths / sqrt(paths).
    On history there is one path and `error` comes from the daily series, where a formula is known.
    """

    utility: Measured
    """Certainty equivalent: 252 mean(x) - gamma / 2 * 252 var(x), x = daily excess return net of costs."""
    excess_return: Measured
    """252 mean(x)."""
    geometric_return: Measured
    """Yearly growth of wealth, cash included, net of costs."""
    volatility: Measured
    """sqrt(252 var(x)) per path."""
    sharpe: Measured
    """Mean over paths of mean(x) / deviation(x) * sqrt(252)."""
    sharpe_pooled: Measured
    """The same ratio over all days of all paths together."""
    max_drawdown: Measured
    """Deepest fall from a peak of wealth, mean over paths."""
    max_drawdown_p80: Measured
    """Drawdown that four paths of five stay within."""
    value_at_risk: Measured
    """95% loss over 21 sessions."""
    expected_shortfall: Measured
    """Mean loss beyond it over 21 sessions."""
    turnover: Measured
    """One-way, a year."""
    cost: Measured
    """Transaction costs and borrowing charges, a year."""
    average_weight: Measured
    weight_volatility: Measured
    """Standard deviation of the daily risky weight."""
    largest_weight: Measured
    loss_probability: Measured
    """Share of paths that end below their start."""
    drawdown_breach: Measured
    """Share of paths whose drawdown exceeds the mandate's limit (0 when there is none)."""
    locked_in_cash: Measured
    """Share of paths with 63 sessions in a row below 1% risky weight; counted for rules
    that look at their own wealth: `cppi`, `tipp` and `drawdown_control`."""


class Evaluation(Frozen):
    """A config in a scenario, or on history (scenario `history`)."""

    config: str
    """Digest of the config."""
    scenario: str
    paths: Annotated[int, Field(ge=1)]
    days: Annotated[int, Field(ge=1)]
    """Scored sessions of each path."""
    metrics: Metrics
