"""Request and response types of correlations set by a user."""

from typing import Annotated, TypeAlias

from pydantic import Field

from desk.base.camel_case import Camel

Coefficient: TypeAlias = Annotated[float, Field(strict=True, ge=-1.0, le=1.0)]
Correlations: TypeAlias = Annotated[
    dict[Annotated[str, Field(max_length=32)], Annotated[dict[str, Coefficient], Field(max_length=100)]],
    Field(
        min_length=1,
        max_length=100,
        description="Correlations of returns by pair of assets, in place of those of the history; the others stay. "
        "For a stressed market, or a view",
        examples=[{"AAPL": {"MSFT": 0.9, "XOM": 0.5}}],
    ),
]
RepairCorrelations: TypeAlias = Annotated[
    bool,
    Field(
        strict=True,
        description="If no returns can have the correlations that were set together with the others, use the nearest "
        "correlation matrix in the Frobenius norm (Higham 2002). Without it such a request is rejected, with the "
        "distance of that matrix",
    ),
]


class CorrelationRepair(Camel):
    """Change of a correlation matrix that was not positive semidefinite to the nearest one that is."""

    smallest_eigenvalue: float = Field(description="Of the matrix before, below 0")
    distance: float = Field(description="Frobenius norm of the change")
    largest_change: float = Field(description="Of one correlation")
