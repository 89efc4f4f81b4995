"""Estimated cost of a search, and the machines that compute it."""

import math
from typing import Annotated, Literal

from pydantic import Field

from desk.base.text import number, plural
from quant.numeric.frozen import Frozen


class ExpectedTime(Frozen):
    """Expected time of a search in seconds, with its error."""

    seconds: float
    """Median of the earlier runs, scaled to this search; without enough of them, the estimate alone."""
    low: float
    """Lower end of the interval, in seconds."""
    high: float
    """Upper end of the interval, in seconds."""
    runs: int = 0
    """Finished runs on the same machines that the interval is measured from; 0 for the default error."""
    coverage: float | None = None
    """Probability that a further run like those takes between `low` and `high`; None for the default error."""

    def describe_source(self) -> str:
        return f"from {plural(self.runs, 'run')} here" if self.runs else "a rough range: too few searches ended here"

    def describe(self) -> str:
        interval = f"{_seconds(self.low)} to {_seconds(self.high)} s"
        return f"about {_seconds(self.seconds)} s, {interval}, {self.describe_source()}"


def _seconds(value: float) -> str:
    return number(value, 1 if value < 10.0 else 0)


class Estimate(Frozen):
    """Estimated cost of a search before it starts."""

    trials: int
    evaluations: int
    """Configs times scenarios."""
    path_days: int
    """Scored strategy-path-days."""
    seconds: float
    """Time by the sizes of the search and the speed of the machines, before any correction by earlier runs."""
    expected_time: ExpectedTime | None = None
    """None in estimates of earlier versions."""
    memory_mb: float
    """Memory, in megabytes."""
    dollars: float = 0.0
    instances: int = 0
    """Paid instances."""
    limit: Annotated[str | None, Field(exclude_if=lambda limit: limit is None)] = None
    """The budget of time or money that may end the search before all trials."""

    def describe(self) -> str:
        instances = f", {plural(self.instances, 'instance')}, {self.dollars:.2f} dollars" if self.instances else ""
        time = self.expected_time.describe() if self.expected_time else f"about {number(self.seconds, 1)} s"
        return (
            f"{self.trials} trials, {number(self.evaluations)} evaluations, "
            f"{number(self.path_days / 1e6, 1)} million strategy-days, {time}, "
            f"{number(self.memory_mb)} MB{instances}" + (f", at most {self.limit}" if self.limit else "")
        )


class Machines(Frozen):
    """Machines that compute jobs, with their price."""

    kind: Literal["local", "ray", "sagemaker"] = "local"
    instances: Annotated[int, Field(ge=0, le=1000)] = 0
    """Instances billed while a job runs; 0 for machines that exist anyway."""
    cores: Annotated[int, Field(ge=1)] = 1
    """Total over all instances."""
    instance_type: str = ""
    dollars_per_hour: float | None = None
    """Price of one instance; None if unknown or not applicable."""
    starting_seconds: float = 0.0
    """Start-up time of the first instance."""

    @property
    def remote(self) -> bool:
        """Whether a job outlives the process that submits it."""
        return self.kind == "sagemaker"

    def dollars(self, seconds: float) -> float:
        """Price of `seconds`, billed in whole seconds; 0 if the price is unknown."""
        return self.instances * (self.dollars_per_hour or 0.0) * math.ceil(seconds) / 3600.0
