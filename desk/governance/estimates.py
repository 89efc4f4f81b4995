"""What a search will take, and the machines that it is computed on."""

import math
from typing import Annotated, Literal

from pydantic import Field

from quant.numeric.frozen import Frozen


class Estimate(Frozen):
    """What a search will take, before it starts."""

    trials: int
    evaluations: int
    """Configs times scenarios."""
    path_days: int
    """Scored strategy-path-days."""
    seconds: float
    memory_mb: float
    dollars: float = 0.0
    instances: int = 0


class Machines(Frozen):
    """Where jobs are computed."""

    kind: Literal["local", "ray", "sagemaker"] = "local"
    instances: Annotated[int, Field(ge=0, le=1000)] = 0
    """That are paid for while a job runs; 0 for machines that are there anyway."""
    cores: Annotated[int, Field(ge=1)] = 1
    """Of all of them together."""
    instance_type: str = ""
    dollars_per_hour: float | None = None
    """Of one instance; None where the price is not known, or there is none."""
    starting_seconds: float = 0.0
    """Until the first instance computes."""

    @property
    def remote(self) -> bool:
        """Whether a job outlives the process that submits it."""
        return self.kind == "sagemaker"

    def dollars(self, seconds: float) -> float:
        """Of so many seconds; whole seconds are paid for, 0 where the price is not known."""
        return self.instances * (self.dollars_per_hour or 0.0) * math.ceil(seconds) / 3600.0
