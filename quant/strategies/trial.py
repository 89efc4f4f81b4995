"""A config that was tried: where it came from, what it scored, where its series lies."""

from typing import Annotated, Literal

from pydantic import Field

from quant.numeric.frozen import Frozen
from quant.strategies.config import StrategyConfig
from quant.strategies.evaluation import Evaluation


class Trial(Frozen):
    """One config of a search with its evaluations, one for each scenario."""

    number: Annotated[int, Field(ge=0)]
    """Order of proposal in the run, from 0."""
    round: Annotated[int, Field(ge=0)]
    """Round of the search, from 0."""
    origin: Literal["sobol", "sampler", "candidate", "refill"]
    """How the configuration was proposed."""
    config: StrategyConfig
    digest: str
    screened: bool
    """Dropped after few paths; it still counts as a trial and has its historical series."""
    evaluations: tuple[Evaluation, ...]
    train: Evaluation
    """On the training history."""
    series: str
    """Content address of the daily historical series: float64 (2, T), excess return and risky weight."""

    def evaluation(self, scenario: str) -> Evaluation:
        """The one in `scenario`."""
        return next(e for e in self.evaluations if e.scenario == scenario)
