"""The mandate: the constants that the manager fixes for every strategy of a search."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from quant.numeric.frozen import Frozen


class Mandate(Frozen):
    """What the manager fixes: never a dimension of a search unless it is freed by name."""

    target_volatility: Annotated[float, Field(ge=0.05, le=0.20, description="Annual volatility aimed at")] = 0.10
    min_weight: Annotated[float, Field(ge=0.0, le=1.0, description="Smallest risky weight")] = 0.0
    max_weight: Annotated[
        float, Field(ge=0.0, le=2.0, description="Largest risky weight; what exceeds all wealth is borrowed")
    ] = 1.0
    risk_aversion: Annotated[
        float, Field(ge=0.5, le=10.0, description="Charge for risk: gamma of the utility and of `merton`")
    ] = 2.0
    transaction_cost_bps: Annotated[
        float, Field(ge=0.0, le=50.0, description="Cost of a trade, basis points of its value")
    ] = 5.0
    borrow_spread_bps: Annotated[
        float, Field(ge=0.0, le=500.0, description="Yearly charge on weights above 1, over cash")
    ] = 50.0
    decision_lag: Annotated[
        int, Field(ge=1, le=5, description="Sessions between the last return used and the trade")
    ] = 2
    max_change: Annotated[
        float, Field(gt=0.0, le=2.0, description="Largest change of the weight at one rebalancing")
    ] = 2.0
    expected_premium: Annotated[
        float, Field(ge=0.0, le=0.15, description="Assumed excess return a year, for `merton`")
    ] = 0.05

    @model_validator(mode="after")
    def _bounds_are_ordered(self) -> Self:
        if self.min_weight > self.max_weight:
            msg = (
                f"min_weight {self.min_weight:g} is above max_weight {self.max_weight:g}; "
                "expected min_weight <= max_weight"
            )
            raise ValueError(msg)
        return self
