"""The pipeline, defined once: its steps here, in a container and in a SageMaker Pipeline all follow from this."""

from typing import Literal, TypeAlias

from desk.compute.container.job_files import SUMMARY
from quant.numeric.frozen import Frozen

StepName: TypeAlias = Literal[
    "data_validation", "scenario_generation", "distributed_optimization", "training", "aggregation"
]

REQUEST = "request"
"""Name of what the whole pipeline is given."""
EXPIRY_DAYS = 30
"""For so long a finished step is not executed again where its inputs are the same."""


class Step(Frozen):
    """A step reads folders and leaves one."""

    name: StepName
    reads: tuple[str, ...]
    """Names of the folders that it is handed."""
    leaves: str
    """Name of the folder that it leaves, which later steps read."""
    files: tuple[str, ...]
    """That are always there when it has finished."""
    everywhere: bool = False
    """Whether it takes all instances; the others take one."""
    optional: bool = False

    @property
    def needs(self) -> tuple[StepName, ...]:
        """The steps before it."""
        return tuple(step.name for step in STEPS if step.leaves in self.reads)


class Retry(Frozen):
    """Which faults are worth another attempt, in SageMaker's words."""

    faults: tuple[str, ...]
    first_seconds: int
    attempts: int
    backoff: float = 2.0


STEPS: tuple[Step, ...] = (
    Step(
        name="data_validation",
        reads=(REQUEST,),
        leaves="work",
        files=("work.json", "prices.npz", "known.json", "ledger.json", "validation.json"),
    ),
    Step(
        name="scenario_generation",
        reads=("work",),
        leaves="scenarios",
        files=("scenarios.json",),
    ),
    Step(
        name="distributed_optimization",
        reads=("work", "scenarios"),
        leaves="result",
        files=(SUMMARY,),
        everywhere=True,
    ),
    Step(
        name="training",
        reads=("work", "result"),
        leaves="surrogate",
        files=("surrogate.bin", "held_out.json"),
        optional=True,
    ),
    Step(
        name="aggregation",
        reads=("work", "result"),
        leaves="answer",
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
