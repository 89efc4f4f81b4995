"""Response types of market regimes."""

from typing import Literal, TypeAlias

from desk.figures.figures import Figure
from desk.market.regimes import Band, Direction
from quant.numeric.frozen import Frozen

Phase: TypeAlias = Literal["bear", "undetermined", "bull"]


class MarketRegime(Frozen):
    """The regime of one asset; code computes bands, directions and phases."""

    asset: str
    """Name of the asset."""
    volatility_band: Band
    """Rank of the latest volatility in the past: lowest fifth, middle, highest fifth."""
    trend: Direction
    """Direction of the price against its means."""
    in_drawdown: bool
    """Whether the price is a tenth or more below its peak."""
    phase: Phase
    """Bull or bear market by moves of 20%."""
    turbulent: bool | None
    """Whether the turbulent state of the hidden Markov model is more likely than not; null without such a state."""
    one_state_because: str | None = None
    """Why the training days show no second state of volatility."""


class MarketAnalysis(Frozen):
    """The regimes of some assets on common days."""

    first_day: str
    """First day used."""
    last_day: str
    """Last day used; later days are locked."""
    regimes: tuple[MarketRegime, ...]
    """One entry per asset."""
    caveats: tuple[str, ...]
    figures: tuple[Figure, ...]
