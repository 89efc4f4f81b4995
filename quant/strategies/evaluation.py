"""A config in a scenario or on history, with its metrics."""

from typing import Annotated

from pydantic import Field

from quant.numeric.frozen import Frozen
from quant.strategies.metrics import Metrics


class Evaluation(Frozen):
    """A config in a scenario, or on history (scenario `history`)."""

    config: str
    """Digest of the config."""
    scenario: str
    paths: Annotated[int, Field(ge=1)]
    days: Annotated[int, Field(ge=1)]
    """Scored sessions of each path."""
    metrics: Metrics
