"""A fake of the port `JobRunner`: remote machines that compute on demand and outlive the submitter."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from desk.compute.local import LocalRunner
from desk.governance.estimates import Machines
from desk.optimization.inputs.owned_market import load_owned_market
from desk.optimization.jobs import JobStatus, Report, SearchJob
from desk.optimization.request import OptimizationRequest
from graphs.dependencies import Dependencies
from quant.worlds.scenario import BUILT_IN
from store.errors import Unavailable
from tests.graphs.dependencies import FIRST_DAY
from tests.graphs.jobs.queued_runs import eventually, queued_dependencies

SMALL = OptimizationRequest(
    trials=10,
    scenarios=tuple(s.model_copy(update={"paths": 100, "years": 1}) for s in BUILT_IN[:1]),
    seed=3,
    first_day=FIRST_DAY,
)
CLOUD = Machines(kind="sagemaker", instances=2, cores=32, instance_type="ml.c5.4xlarge", starting_seconds=180.0)


@dataclass
class Account:
    """The jobs of the remote machines, shared by all processes."""

    jobs: dict[str, SearchJob] = field(default_factory=dict[str, SearchJob])
    statuses: dict[str, JobStatus] = field(default_factory=dict[str, JobStatus])
    submissions: list[str] = field(default_factory=list[str])
    status_calls: int = 0
    unreachable: bool = False

    @property
    def last(self) -> JobStatus:
        return self.statuses[self.submissions[-1]]

    def say(self, **update: Any) -> JobStatus:
        """Change the job that was submitted last."""
        job = self.submissions[-1]
        self.statuses[job] = self.statuses[job].model_copy(update=update)
        return self.statuses[job]

    def report(self, *reports: Report) -> None:
        self.say(reports=(*self.last.reports, *reports))


class Elsewhere:
    """The runner of one process."""

    machines = CLOUD

    def __init__(self, account: Account) -> None:
        self._account = account

    async def submit(self, job: SearchJob) -> JobStatus:
        status = self._account.statuses.get(job.id())
        if status is None or status.state in ("failed", "cancelled"):
            self._account.submissions.append(job.id())
            self._account.jobs[job.id()] = job
            self._account.statuses[job.id()] = JobStatus(id=job.id(), state="queued", total=job.budget)
        return self._account.statuses[job.id()]

    async def status(self, job_id: str) -> JobStatus:
        self._account.status_calls += 1
        if self._account.unreachable:
            raise Unavailable("the machines do not answer")
        return self._account.statuses[job_id]

    async def cancel(self, job_id: str) -> JobStatus:
        if self._account.unreachable:
            raise Unavailable("the machines do not answer")
        status = self._account.statuses.get(job_id) or JobStatus(id=job_id, state="queued")
        if status.state in ("queued", "running"):
            status = self._account.statuses[job_id] = status.model_copy(update={"state": "cancelled"})
        return status


async def compute(dependencies: Dependencies, account: Account) -> None:
    """Compute the job that was submitted last."""
    job = account.jobs[account.submissions[-1]]
    runner = LocalRunner(dependencies.store, partial(load_owned_market, dependencies.store, dependencies.prices))
    await runner.submit(job)

    async def has_ended() -> bool:
        return (await runner.status(job.id())).state not in ("queued", "running")

    await eventually(has_ended)
    account.statuses[job.id()] = (await runner.status(job.id())).model_copy(update={"reports": account.last.reports})


@asynccontextmanager
async def cloud_dependencies(home: Path, account: Account, **changes: Any) -> AsyncGenerator[Dependencies]:
    """A desk with a queue whose searches are computed elsewhere."""
    async with queued_dependencies(home) as dependencies:
        yield replace(dependencies, **({"jobs": Elsewhere(account), "thresholds": None} | changes))
