"""Response type of a scenario listing."""

from desk.figures.figures import Figure
from quant.numeric.frozen import Frozen
from quant.worlds.scenario import Scenario


class ScenarioShown(Frozen):
    scenario: Scenario
    own: bool
    """Whether it is a scenario of the user."""
    losing: bool
    """Whether its mean return is below its cash rate."""
    banner: str | None
    """Notice required beside every result of the scenario."""
    figures: tuple[Figure, ...]
    """Parameters and implied values, such as the Sharpe ratio of the risky asset."""


HISTORY = "history"
