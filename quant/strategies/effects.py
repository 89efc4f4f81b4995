"""Types of what the parameters of a search do to its objective together: interactions and partial dependence."""

from typing import Annotated

from pydantic import Field

from quant.numeric.frozen import Frozen


class Interaction(Frozen):
    """How much of the objective two parameters explain together beyond what each explains alone."""

    first: str
    """Name of a parameter."""
    second: str
    """Name of another parameter."""
    share: Annotated[float, Field(ge=0.0, le=1.0, description="Of the objective's variance over the configurations")]


class DependencePoint(Frozen):
    """The objective expected at one value of a parameter, averaged over the values of all others."""

    value: str | float
    objective: float
    """Expected objective."""
    low: Annotated[float, Field(description="10% quantile over the trees")]
    high: Annotated[float, Field(description="90% quantile over the trees")]


class PartialDependence(Frozen):
    """The objective expected over the values of one parameter."""

    parameter: str
    """Name of the parameter."""
    points: Annotated[
        tuple[DependencePoint, ...],
        Field(description="Numbers ascend; other values are in the order in which the search first tried them"),
    ]


class ParameterEffects(Frozen):
    """A forest of regression trees on the configurations that were tried, read by analysis of variance."""

    explained: Annotated[
        float,
        Field(
            ge=0.0, le=1.0, description="Share of the objective's variance that trees predict for rows they never saw"
        ),
    ]
    interactions: Annotated[
        tuple[Interaction, ...], Field(description="The largest first; empty where the trees explain nothing")
    ]
    dependence: Annotated[
        tuple[PartialDependence, ...],
        Field(description="Of the parameters that matter most; empty where the trees explain nothing"),
    ]
