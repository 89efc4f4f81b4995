"""Types of the checks of simulated paths."""

from quant.numeric.frozen import Frozen


class Moment(Frozen):
    """A statistic of the paths."""

    name: str
    implied: float | None
    """Closed-form value of the scenario; None if there is none."""
    simulated: float
    """Value in the simulated paths."""
    error: float
    """Standard error."""
    passed: bool | None
    """None for informative statistics."""


class ScenarioCheck(Frozen):
    scenario: str
    engine: str
    """Engine of the scenario."""
    model: str
    """Digest of the fitted model, which determines every path together with its number."""
    paths: int
    days: int
    """Days of each path."""
    moments: tuple[Moment, ...]
    """Statistics of the paths beside those that the scenario implies."""
    drawdowns: dict[str, float]
    """Quantiles of the maximum drawdown."""

    @property
    def failures(self) -> tuple[Moment, ...]:
        return tuple(moment for moment in self.moments if moment.passed is False)


class ScenarioChecks(Frozen):
    """Content of `scenarios.json`."""

    scenarios: tuple[ScenarioCheck, ...]
