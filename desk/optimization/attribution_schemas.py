"""Types of the winner's account by asset, and of its next trade."""

from typing import Annotated

from pydantic import Field

from quant.numeric.frozen import Frozen


class AssetShare(Frozen):
    """One asset of the winner on train and validate; annual fractions."""

    name: str
    average_weight: float
    """Mean of the daily weights."""
    largest_weight: float
    """Largest daily weight."""
    excess_return: Annotated[
        float, Field(description="Contribution to the return over cash, after the costs of its own trades")
    ]
    volatility: Annotated[float, Field(description="Contribution to the volatility")]
    traded: Annotated[float, Field(description="Sum of the absolute changes of its weight a year")]
    cost: Annotated[float, Field(description="Cost of its trades a year")]


class Attribution(Frozen):
    """The winner's return and risk by asset; the contributions of assets and borrowing sum to the whole."""

    assets: Annotated[
        tuple[AssetShare, ...], Field(description="The assets of the risky leg and, last, a safe leg that is a bond")
    ]
    borrowing_return: float
    """Contribution of borrowing to the return."""
    borrowing_volatility: float
    """Contribution of borrowing to the volatility."""
    excess_return: Annotated[float, Field(description="Mean daily return over cash times 252, net of costs")]
    volatility: float
    weights: Annotated[
        str,
        Field(
            description="Content address of float64 (assets, T): the weight of each asset on each day of train and "
            "validate"
        ),
    ]


class AssetStep(Frozen):
    """The next trade in one asset, against the current rule; shares of wealth."""

    name: str
    today_weight: float
    """Weight that the winner wants today."""
    current_rule_weight: float
    """Weight that the current rule wants today."""
    next_trade: Annotated[float, Field(description="Change of the weight of this asset")]


class NextStep(Frozen):
    """Today's weight and the next trade, against the current rule."""

    as_of: str
    """Last day of the prices."""
    today_weight: float
    """Weight of the risky leg that the winner wants today."""
    current_rule_weight: float
    """Weight that the current rule wants today."""
    next_trade: float
    """Change of the risky weight, as a fraction of wealth."""
    next_rebalancing: str
    """Next day on which the winner may trade."""
    safe: Annotated[
        AssetStep | None,
        Field(exclude_if=lambda step: step is None, description="The bond, which holds what the risky leg leaves"),
    ] = None
    assets: Annotated[
        tuple[AssetStep, ...],
        Field(exclude_if=lambda steps: not steps, description="Each asset of a risky leg of several"),
    ] = ()
