"""Request and response types of correlations set by a user."""

from typing import Annotated, TypeAlias

from pydantic import ConfigDict, Field

from desk.base.camel_case import Camel
from quant.numeric.frozen import Frozen

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


class CorrelationMatrix(Frozen):
    """A correlation matrix to check."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"matrix": [[1.0, 0.9, -0.9], [0.9, 1.0, 0.9], [-0.9, 0.9, 1.0]]}]}
    )

    matrix: Annotated[
        list[Annotated[list[Coefficient], Field(min_length=2, max_length=100)]],
        Field(min_length=2, max_length=100, description="Rows of a symmetric matrix with ones on its diagonal"),
    ]


class CorrelationCheck(Frozen):
    """Whether returns can have given correlations."""

    valid: bool = Field(description="Whether the matrix is positive semidefinite")
    smallest_eigenvalue: float = Field(description="Below 0 where returns cannot have the correlations")
    nearest: tuple[tuple[float, ...], ...] | None = Field(
        default=None,
        description="The nearest correlation matrix in the Frobenius norm (Higham 2002); null for a valid matrix. Use "
        "it only with consent",
    )
    distance: float = Field(default=0.0, description="Frobenius norm of the change to the nearest matrix")
    largest_change: float = Field(default=0.0, description="Largest change of one correlation")


class CorrelationRepair(Camel):
    """Change of a correlation matrix that was not positive semidefinite to the nearest one that is."""

    smallest_eigenvalue: float = Field(description="Of the matrix before, below 0")
    distance: float = Field(description="Frobenius norm of the change")
    largest_change: float = Field(description="Of one correlation")
