"""Response types of a job's status: state, progress, pending approval, failures."""

from datetime import datetime
from typing import Any

from pydantic import Field

from desk.governance.approvals import Approval
from desk.runs.progress import Progress, ProgressTracker
from desk.runs.states import RunState, Transition
from quant.numeric.frozen import Frozen
from store.records import Key
from store.store import Store

STALE = "stale"
"""Kind of the records that say which runs rest on data that were revised since; their id is that of the run."""
_MOST_PAGES = 50
"""Pages of the store that one page looks at when it is filtered by name."""


class JobSummary(Frozen):
    id: str
    name: str
    trials: int = Field(description="That were asked for")
    state: RunState
    created_at: datetime
    updated_at: datetime
    cancelling: bool = Field(description="A person wants its end; it comes within seconds")
    archived_at: datetime | None = Field(
        default=None, description="Since when it is archived: only lists tell of it until it is brought back"
    )
    held: bool = Field(default=False, description="It is on legal hold: neither archived nor deleted")
    data_version: str
    result_digest: str | None
    links: dict[str, str]


class Job(JobSummary):
    progress: Progress = Field(description="The same as in the events of the job")
    history: tuple[Transition, ...]
    approval: Approval | None = Field(description="What a person was asked, and what was decided")
    stale: dict[str, Any] | None = Field(description="Why its data are not the newest version any more; null while so")
    code_version: str


class JobPage(Frozen):
    items: tuple[JobSummary, ...]
    next: str | None = Field(description="`after` of the next page; null on the last")


def job_summary(run: Any) -> JobSummary:
    """Of a `desk.runs.repository.Run`."""
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
        links={
            "self": at,
            "request": f"{at}/request",
            "events": f"/api/runs/{run.id}/events",
            **{name: f"{at}/{name}" for name in ("result", "trials", "charts", "export", "reproductions")},
        },
    )


async def job_of(store: Store, owner: str, run_id: str) -> Job:
    from desk.governance.approvals import load_approval
    from desk.runs.repository import load_events, load_run

    run = await load_run(store, owner, run_id)
    folding = ProgressTracker()
    for event in await load_events(store, owner, run_id):
        folding.apply(event)
    stale = await store.records.get(Key(owner, STALE, run_id))
    return Job(
        **job_summary(run).model_dump(),
        progress=folding.progress,
        history=run.history,
        approval=await load_approval(store, owner, run_id),
        stale=None if stale is None else stale.document,
        code_version=run.code_version,
    )


async def job_page(
    store: Store, owner: str, *, state: RunState | None, name: str, after: str | None, limit: int
) -> JobPage:
    """The newest first. With a name a page may hold fewer, and even none, although more come after it."""
    from desk.runs.repository import KIND, Run

    label = None if state is None else ("state", state)
    items: list[JobSummary] = []
    for _ in range(_MOST_PAGES):
        page = await store.records.list(
            owner, KIND, label=label, after=after, limit=limit - len(items), newest_first=True
        )
        runs = [Run.model_validate(record.document) for record in page.records]
        items += [job_summary(run) for run in runs if name.casefold() in run.request.name.casefold()]
        after = page.after
        if after is None or len(items) == limit:
            break
    return JobPage(items=tuple(items), next=after)
