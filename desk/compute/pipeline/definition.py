"""Definition of the pipeline's steps, for execution in this process, in a container and in SageMaker Pipelines."""

from typing import Literal, TypeAlias

from desk.compute.container.job_files import SUMMARY
from quant.numeric.frozen import Frozen

StepName: TypeAlias = Literal[
    "data_validation", "scenario_generation", "distributed_optimization", "training", "aggregation"
]

REQUEST = "request"
"""Name of the input folder of the whole pipeline."""
EXPIRY_DAYS = 30
"""Days for which the output of a step is reused when its inputs are the same."""


class Step(Frozen):
    """A step reads input folders and writes one output folder."""

    name: StepName
    inputs: tuple[str, ...]
    """Names of the input folders."""
    output: str
    """Name of the output folder, which later steps read."""
    files: tuple[str, ...]
    """Files that a completed step always has."""
    distributed: bool = False
    """Whether it runs on all instances; other steps run on one."""
    optional: bool = False

    @property
    def dependencies(self) -> tuple[StepName, ...]:
        """The steps whose outputs it reads."""
        return tuple(step.name for step in STEPS if step.output in self.inputs)


class Retry(Frozen):
    """A retry policy for SageMaker's exception types."""

    faults: tuple[str, ...]
    first_seconds: int
    attempts: int
    backoff: float = 2.0


STEPS: tuple[Step, ...] = (
    Step(
        name="data_validation",
        inputs=(REQUEST,),
        output="work",
        files=("work.json", "prices.npz", "known.json", "ledger.json", "validation.json"),
    ),
    Step(
        name="scenario_generation",
        inputs=("work",),
        output="scenarios",
        files=("scenarios.json",),
    ),
    Step(
        name="distributed_optimization",
        inputs=("work", "scenarios"),
        output="result",
        files=(SUMMARY,),
        distributed=True,
    ),
    Step(
        name="training",
        inputs=("work", "result"),
        output="surrogate",
        files=("surrogate.bin", "held_out.json"),
        optional=True,
    ),
    Step(
        name="aggregation",
        inputs=("work", "result"),
        output="answer",
        files=("result.json", "digest"),
    ),
)

RETRIES: tuple[Retry, ...] = (
    Retry(faults=("Step.SERVICE_FAULT", "Step.THROTTLING"), first_seconds=10, attempts=5),
    Retry(faults=("SageMaker.JOB_INTERNAL_ERROR",), first_seconds=30, attempts=3),
    Retry(faults=("SageMaker.CAPACITY_ERROR",), first_seconds=300, attempts=5),
)


def step_of(name: str) -> Step:
    return next(step for step in STEPS if step.name == name)
