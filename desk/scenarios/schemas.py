"""Scenarios as they are listed."""

from quant.scenario import Scenario
from quant.strategy import Frozen
from tools.figures import Figure


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
