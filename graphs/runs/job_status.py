"""Response types of a job's status: state, progress, pending approval, failures."""

from datetime import datetime
from typing import Any

from pydantic import Field

from desk.governance.approvals import Approval, load_approval
from desk.governance.estimates import Estimate
from desk.optimization.reading.result_summary import ResultSummary
from desk.runs.events.live import apply
from desk.runs.progress import Progress, ProgressTracker
from desk.runs.repository import Run, load_events, load_run
from desk.runs.states import ACTIVE_STATES, RunState, Transition
from graphs.runs.leases import is_executed
from quant.numeric.frozen import Frozen
from store.records import Key
from store.store import Store

STALE = "stale"
"""Kind of the records that mark runs whose data were revised later; their id is the run id."""


class JobSummary(Frozen):
    id: str
    name: str
    trials: int = Field(description="Requested trials")
    state: RunState
    """`waiting`: a decision is pending; `rejected` and `completed` are final."""
    created_at: datetime
    updated_at: datetime
    cancelling: bool = Field(description="Cancellation was requested and takes effect within seconds")
    archived_at: datetime | None = Field(
        default=None, description="Time of archiving; until it is restored, the job appears in lists only"
    )
    held: bool = Field(default=False, description="Legal hold: the job is neither archived nor deleted")
    interrupted: bool = Field(
        default=False, description="The job has begun and not ended, and no process executes it; resume it"
    )
    data_version: str
    result_digest: str | None
    result: ResultSummary | None = Field(
        default=None, description="Verdict, benefit and winner; null before the end and for jobs of earlier versions"
    )
    links: dict[str, str]
    """Paths of the job's resources."""


class Job(JobSummary):
    progress: Progress = Field(description="The same as in the events of the job")
    history: tuple[Transition, ...]
    approval: Approval | None = Field(description="Requested approval and its decision")
    stale: dict[str, Any] | None = Field(description="Why its data are no longer the newest version; null if they are")
    code_version: str
    estimate: Estimate | None = Field(description="Estimate at its submission or approval; null for older jobs")
    seconds: float | None = Field(
        description="Time of execution of a completed job, without the queue and approval; else null"
    )


def job_summary(run: Run) -> JobSummary:
    at = f"/api/jobs/{run.id}"
    return JobSummary(
        id=run.id,
        name=run.request.name,
        trials=run.request.trials,
        state=run.state,
        created_at=run.created_at,
        updated_at=run.updated_at,
        cancelling=run.cancelling is not None,
        archived_at=None if run.archived is None else run.archived.at,
        held=run.held is not None,
        data_version=run.data_digest,
        result_digest=run.result_digest,
        result=run.summary,
        links={
            "self": at,
            "request": f"{at}/request",
            "events": f"/api/runs/{run.id}/events",
            **{name: f"{at}/{name}" for name in ("result", "trials", "charts", "export", "reproductions")},
        },
    )


async def load_summary(store: Store, run: Run) -> JobSummary:
    """The summary of a stored run, and whether it is interrupted."""
    begun = run.state in ACTIVE_STATES and run.archived is None
    interrupted = begun and not await is_executed(store, run.owner, run.id)
    return job_summary(run).model_copy(update={"interrupted": interrupted})


async def job_of(store: Store, owner: str, run_id: str) -> Job:
    run = await load_run(store, owner, run_id)
    tracker = ProgressTracker()
    for event in await load_events(store, owner, run_id):
        apply(event, tracker)
    stale = await store.records.get(Key(owner, STALE, run_id))
    return Job(
        **(await load_summary(store, run)).model_dump(),
        progress=tracker.progress,
        history=run.history,
        approval=await load_approval(store, owner, run_id),
        stale=None if stale is None else stale.document,
        code_version=run.code_version,
        estimate=run.estimate,
        seconds=round(run.seconds_of_execution(run.updated_at), 1) if run.state == "completed" else None,
    )
