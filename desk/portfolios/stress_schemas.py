"""Types of hypothetical stress: what is asked, the reverse stress and the factor stress."""

from collections.abc import Mapping
from typing import Annotated, TypeAlias

from pydantic import Field

from quant.numeric.frozen import Frozen

USUAL_SHOCKS: Mapping[str, float] = {"sp500": -0.2}
"""Moves of factors where none are asked for."""
Factor: TypeAlias = Annotated[str, Field(min_length=1, max_length=64)]
Move: TypeAlias = Annotated[float, Field(strict=True, gt=-1.0, le=10.0)]
Loss: TypeAlias = Annotated[float, Field(strict=True, ge=0.001, le=1.0)]
Sessions: TypeAlias = Annotated[int, Field(strict=True, ge=1, le=252)]


class StressRequest(Frozen):
    """The loss of a reverse stress, and the moves of factors."""

    loss: Loss = 0.10
    """Fraction of wealth."""
    sessions: Sessions = 21
    """In which the loss occurs."""
    shocks: Annotated[dict[Factor, Move], Field(max_length=5)] = Field(default_factory=dict[str, float])
    """Return of each factor, an asset or an index with prices; empty for a fall of the S&P 500 by 20%."""


class HoldingMove(Frozen):
    asset: str
    move: float
    """Return over the sessions."""


class ReverseStress(Frozen):
    """The most likely way to lose `loss` within `sessions`; without moves if there is none, for the `reason`."""

    loss: float
    sessions: int
    """Sessions within which the loss occurs."""
    moves: tuple[HoldingMove, ...] = ()
    """Of the risky holdings; cash does not move."""
    distance: float | None = None
    """Mahalanobis distance of the moves: standard deviations of the portfolio's return over the sessions."""
    probability: float | None = None
    """Of that loss or a larger one, were returns normal with mean zero."""
    reason: str | None = None


class FactorLoss(Frozen):
    factor: str
    """Index or asset that moves."""
    move: float
    """Its return, a fraction."""
    loss: float
    """Part of the loss; negative for a gain."""


class HoldingLoss(Frozen):
    asset: str
    loss: float
    """Part of the loss; negative for a gain."""


class FactorStress(Frozen):
    """Loss when factors move, as a fraction of wealth; its parts by factor and by risky holding each add up to it."""

    loss: float
    factors: tuple[FactorLoss, ...]
    """Parts of the loss by factor."""
    holdings: tuple[HoldingLoss, ...]
    """Parts of the loss by risky holding."""
