"""Lists of jobs with progress, verdict and who may decide; and the desk, which puts them together."""

import asyncio
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from desk.governance.approval_requests import REQUIRED_PERMISSION, Question, may_decide, question_page
from desk.governance.approvals import Subject, load_approval
from desk.governance.principals import Principal
from desk.market.datasets.schemas import Dataset, Stale
from desk.runs.progress import Progress
from desk.runs.repository import KIND, Run
from desk.runs.states import ACTIVE_STATES, STOPPED_STATES, RunState
from graphs.runs.job_status import JobSummary, load_summary
from quant.numeric.frozen import Frozen
from store.records import LabelName

if TYPE_CHECKING:
    from graphs.dependencies import Dependencies
    from graphs.streaming.followers import LogFollowers

_MOST_PAGES = 50
"""Pages of the store read for one page filtered by name."""
MOST_SHOWN = 20
"""Items of each list of the desk."""
_COMPUTING: tuple[RunState, ...] = (*ACTIVE_STATES, "computing")


class ListedJob(JobSummary):
    """A job as lists show it."""

    progress: Progress | None = Field(description="Progress of a job that is computed; null in other states")
    waiting_for: Literal["you", "another_person"] | None = Field(
        description="Who may decide a job that waits for approval; null in other states"
    )


class JobPage(Frozen):
    """A page of jobs."""

    items: tuple[ListedJob, ...] = Field(description="The jobs of this page, the newest first")
    next: str | None = Field(description="`after` of the next page; null on the last")


class Desk(Frozen):
    """What waits, runs and ended, and which data are out of date."""

    approvals: Annotated[
        tuple[Question, ...],
        Field(description="Questions that you may decide, also of other users, the newest first"),
    ]
    waiting: Annotated[tuple[ListedJob, ...], Field(description="Your jobs that wait for approval")]
    active: Annotated[tuple[ListedJob, ...], Field(description="Your jobs in the queue and in execution")]
    ended: Annotated[
        tuple[ListedJob, ...],
        Field(description="Your jobs that ended, the last one first; after `since` if it is given"),
    ]
    stale_runs: Annotated[
        tuple[Stale, ...], Field(description="Your jobs on prices that a later version of their data set revised")
    ]
    stale_data: Annotated[
        tuple[Dataset, ...], Field(description="Your data sets that are behind their exchange, by name")
    ]
    is_new: Annotated[bool, Field(description="Whether you have no job yet")]


class JobLists:
    """Reads the jobs of one user as lists show them."""

    def __init__(self, dependencies: "Dependencies", following: "LogFollowers", principal: Principal) -> None:
        self._dependencies = dependencies
        self._following = following
        self._principal = principal

    async def page(self, *, state: RunState | None, name: str, after: str | None, limit: int) -> JobPage:
        """A page of jobs, newest first; with a name filter it may have fewer items, or none, although more follow."""
        items: list[ListedJob] = []
        for _ in range(_MOST_PAGES):
            runs, after = await self._runs(state, after=after, limit=limit - len(items))
            items += [await self._describe(run) for run in runs if name.casefold() in run.request.name.casefold()]
            if after is None or len(items) == limit:
                break
        return JobPage(items=tuple(items), next=after)

    async def desk(self, since: datetime | None) -> Desk:
        """The first items of each list of the desk."""
        from desk.market.datasets.queries import list_datasets, list_stale_runs  # imports numpy, which lists do without

        store, owner, now = self._dependencies.store, self._principal.owner, self._dependencies.now()
        waiting = await self._in_states("waiting")
        active = await self._in_states("created", "queued", *_COMPUTING)
        ended = [run for run in await self._in_states(*STOPPED_STATES) if since is None or run.updated_at > since]
        stale_runs: list[Stale] = []
        datasets: list[Dataset] = []
        if self._principal.may("market-data:read"):
            stale_runs, _ = await list_stale_runs(store, owner, limit=MOST_SHOWN, after=None)
            datasets, _ = await list_datasets(store, owner, now, limit=200, after=None)
        newest, _ = await self._runs(None, after=None, limit=1)
        return Desk(
            approvals=await self._questions(),
            waiting=await self._describe_latest(waiting),
            active=await self._describe_latest(active),
            ended=await self._describe_latest(ended),
            stale_runs=tuple(stale_runs),
            stale_data=tuple(each for each in datasets if not each.freshness.fresh)[:MOST_SHOWN],
            is_new=not newest,
        )

    async def _questions(self) -> tuple[Question, ...]:
        if not any(self._principal.may(permission) for permission in REQUIRED_PERMISSION.values()):
            return ()
        dependencies = self._dependencies
        entries, _ = await question_page(
            dependencies.store, self._principal, dependencies.second_person, after=None, limit=MOST_SHOWN
        )
        return tuple(entry.question for entry in entries)

    async def _in_states(self, *states: RunState) -> list[Run]:
        """The newest runs in each of the states."""
        pages = await asyncio.gather(*(self._runs(state, after=None, limit=MOST_SHOWN) for state in states))
        return [run for runs, _ in pages for run in runs]

    async def _runs(self, state: RunState | None, *, after: str | None, limit: int) -> tuple[list[Run], str | None]:
        label: tuple[LabelName, str] | None = None if state is None else ("state", state)
        records = self._dependencies.store.records
        page = await records.list(self._principal.owner, KIND, label=label, after=after, limit=limit, newest_first=True)
        return [Run.model_validate(record.document) for record in page.records], page.after

    async def _describe_latest(self, runs: list[Run]) -> tuple[ListedJob, ...]:
        latest = sorted(runs, key=lambda run: run.updated_at, reverse=True)[:MOST_SHOWN]
        return tuple([await self._describe(run) for run in latest])

    async def _describe(self, run: Run) -> ListedJob:
        summary = await load_summary(self._dependencies.store, run)
        return ListedJob(
            **summary.model_dump(),
            progress=await self._progress(run),
            waiting_for=await self._waiting_for(run),
        )

    async def _progress(self, run: Run) -> Progress | None:
        if run.state not in _COMPUTING or run.archived is not None:
            return None
        async with self._following.of(run.owner, run.id) as log:
            return log.progress

    async def _waiting_for(self, run: Run) -> Literal["you", "another_person"] | None:
        if run.state != "waiting" or run.archived is not None:
            return None
        approval = await load_approval(self._dependencies.store, run.owner, run.id)
        subjects: set[Subject] = {"launch"} if approval is not None and approval.second_person else set()
        second_person = frozenset(subjects)
        return "you" if may_decide(self._principal, run.owner, "launch", second_person) else "another_person"
