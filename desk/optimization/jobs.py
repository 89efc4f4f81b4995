"""Long computations, wherever they run: submitted, watched, cancelled, never waited for inside a tool."""

import hashlib
from typing import Literal, Protocol, TypeAlias, runtime_checkable

from desk.governance.estimates import Machines
from desk.optimization.request import OptimizationRequest
from quant.numeric.frozen import Frozen
from quant.strategies.config import SearchSpace, StrategyConfig


class Shard(Frozen):
    """A piece of computation; the same piece has the same id in every run and for every owner."""

    configs: tuple[str, ...]
    """Digests of a block of configs."""
    scenario: str
    """Digest of the scenario."""
    first_block: int
    """Of 64 paths."""
    paths: int
    """Of this shard: a multiple of 1,024, unless it is the last of its scenario."""
    problem: str
    """Digest of all else that enters a simulation: the mandate, the seed, the days, what history fits."""
    data: str
    code: str

    def id(self) -> str:
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()


class SearchJob(Frozen):
    """All rounds of one plan. Deterministic: the same job over the same stored trials proposes the same configs."""

    owner: str
    run: str
    plan: int
    """0, 1, 2."""
    request: OptimizationRequest
    space: SearchSpace
    candidates: tuple[StrategyConfig, ...]
    first: int
    """Number of trials that earlier plans made; this plan's are counted on from here."""
    budget: int
    """Trials of this plan."""

    def id(self) -> str:
        return f"{self.owner}-{self.run}-plan-{self.plan}"


ReportCode: TypeAlias = Literal[
    "begun", "lost", "capacity", "stopped_outside", "missing_output", "bad_output", "bad_shard", "fault"
]


class Report(Frozen):
    """What happened to a job elsewhere; the list of a job's reports only grows."""

    attempt: int
    """From 1."""
    name: str
    """Of the attempt, or of the shard, where it runs."""
    code: ReportCode
    reason: str = ""


class JobStatus(Frozen):
    """How far a job is. Progress only grows, and is below 1 until the job is completed."""

    id: str
    state: Literal["queued", "running", "completed", "failed", "cancelled"]
    done: int = 0
    total: int = 0
    computed: int = 0
    """Trials computed by this process; the others were already stored."""
    best: float | None = None
    """Best objective so far, in sample."""
    stopped: Literal["budget", "converged", "exhausted"] | None = None
    error: str | None = None
    mendable: bool = False
    """Whether the error is one that the user can mend, such as a price file that changed."""
    unavailable: bool = False
    """Whether a storage could not answer: submitted again the job goes on where it stopped."""
    reports: tuple[Report, ...] = ()
    stopping: bool = False
    """Whether machines may still compute what nobody awaits any more: to be cancelled again until they do not."""


@runtime_checkable  # pydantic checks a Context by isinstance when it builds tool schemas
class JobRunner(Protocol):
    """Port that executes searches.

    Adapters: `desk.compute.local.LocalRunner`, `desk.compute.ray_cluster.RayRunner`,
    `desk.compute.sagemaker.runner.SageMakerRunner`.
    """

    @property
    def machines(self) -> Machines: ...

    async def submit(self, job: SearchJob) -> JobStatus:
        """Start the job, or find it: submitting twice runs once; one that failed or was cancelled starts again."""
        ...

    async def status(self, job_id: str) -> JobStatus: ...

    async def cancel(self, job_id: str) -> JobStatus:
        """Stop soon; finished trials stay in the store."""
        ...
