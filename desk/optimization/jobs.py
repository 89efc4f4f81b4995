"""The job port: search jobs, shards, status and reports; jobs are submitted and polled, never awaited in a tool."""

import hashlib
from typing import Annotated, Literal, Protocol, TypeAlias, runtime_checkable

from pydantic import Field

from desk.base.text import sentence_case
from desk.governance.estimates import Machines
from desk.optimization.request import StoredRequest
from desk.optimization.stopping import SearchLimit, SearchStop, StopReason, TrialFailure
from quant.numeric.frozen import Frozen
from quant.strategies.config import SearchSpace, StrategyConfig


class Shard(Frozen):
    """A unit of computation; equal shards have the same id in every run and for every owner."""

    configs: tuple[str, ...]
    """Digests of a block of configs."""
    scenario: str
    """Digest of the scenario."""
    first_block: int
    """Index of the first block of 64 paths."""
    paths: int
    """Number of paths: a multiple of 1,024, except in the last shard of a scenario."""
    problem: str
    """Digest of all other inputs of a simulation: mandate, seed, days, parameters fitted to history."""
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
    request: StoredRequest
    space: SearchSpace
    candidates: tuple[StrategyConfig, ...]
    first: int
    """Number of trials of earlier plans, where the numbering of this plan begins."""
    budget: int
    """Trials of this plan."""
    failed: Annotated[int, Field(exclude_if=lambda failed: failed == 0)] = 0
    """Configurations of earlier plans that could not be evaluated."""
    limit: Annotated[SearchLimit | SearchStop | None, Field(exclude_if=lambda limit: limit is None)] = None
    """The budget of time or money; in a reproduction where it ended the search."""

    def id(self) -> str:
        return f"{self.owner}-{self.run}-plan-{self.plan}"


ReportCode: TypeAlias = Literal[
    "begun", "lost", "capacity", "stopped_outside", "missing_output", "bad_output", "bad_shard", "fault"
]

_REPORTS: dict[ReportCode, str] = {
    "begun": "the computation began",
    "lost": "its machines were lost",
    "capacity": "no machines are available for it",
    "stopped_outside": "stopped from outside",
    "missing_output": "a part of its result is missing",
    "bad_output": "a file of its result was rejected",
    "bad_shard": "a stored shard was rejected and is computed again",
    "fault": "the computation failed",
}


class Report(Frozen):
    """An event of a remote job; a job's reports are append-only."""

    attempt: int
    """Number of the attempt, from 1."""
    name: str
    """Remote name of the attempt or shard."""
    code: ReportCode
    """Kind of the report."""
    reason: str = ""

    def describe(self) -> str:
        reason = f": {self.reason}" if self.reason else ""
        return f"{sentence_case(_REPORTS[self.code])} ({self.name}, attempt {self.attempt}){reason}"


class JobStatus(Frozen):
    """Status of a job; progress never decreases and stays below 1 until the job is completed."""

    id: str
    state: Literal["queued", "running", "completed", "failed", "cancelled"]
    done: int = 0
    total: int = 0
    computed: int = 0
    """Trials computed by this process; the others were already stored."""
    best: float | None = None
    """Best objective so far within every limit, in sample."""
    stopped: StopReason | None = None
    seconds: float = 0.0
    """Duration of the search."""
    failures: tuple[TrialFailure, ...] = ()
    """Configurations of the plan that could not be evaluated."""
    error: str | None = None
    mendable: bool = False
    """Whether the user can fix the error, such as a changed price file."""
    unavailable: bool = False
    """Whether storage was unavailable; a resubmitted job resumes where it stopped."""
    reports: tuple[Report, ...] = ()
    stopping: bool = False
    """Whether machines may still compute a cancelled job; cancel again until False."""


@runtime_checkable  # pydantic checks a Context by isinstance when it builds tool schemas
class JobRunner(Protocol):
    """Port that executes searches.

    Adapters: `desk.compute.local.LocalRunner`, `desk.compute.ray_cluster.RayRunner`,
    `desk.compute.sagemaker.runner.SageMakerRunner`.
    """

    @property
    def machines(self) -> Machines: ...

    async def submit(self, job: SearchJob) -> JobStatus:
        """Start the job; a second submission runs once, a failed or cancelled job starts again."""
        ...

    async def status(self, job_id: str) -> JobStatus: ...

    async def cancel(self, job_id: str) -> JobStatus:
        """Request a stop; finished trials stay in the store."""
        ...
