"""Scenarios as they are listed."""

from desk.figures.figures import Figure
from quant.numeric.frozen import Frozen
from quant.worlds.scenario import Scenario


class ScenarioShown(Frozen):
    scenario: Scenario
    own: bool
    """Added by yourself."""
    losing: bool
    """Its mean return is below its cash rate."""
    banner: str | None
    """What must stand beside every result of it."""
    figures: tuple[Figure, ...]
    """What it implies, the Sharpe ratio of the risky asset among it."""


HISTORY = "history"
