"""A search while it is computed: submitted, shown as it goes on, and waited for where it outlives this process."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from langgraph.types import interrupt

from desk.base.errors import UserError
from desk.optimization.jobs import JobStatus, Report, SearchJob
from desk.runs.context import Context
from desk.runs.events import ComputationReported, JobProgressed, TraceEvent
from desk.runs.repository import Cancelled, JobFailed
from graphs.runs import computations
from graphs.runs.computations import TENTHS
from graphs.runs.event_log import Place
from graphs.runs.trial_events import Telling
from graphs.stream_parts import COMPUTING
from store.errors import Unavailable

POLL_SECONDS = 0.1


@dataclass(frozen=True)
class Watch:
    context: Context
    place: Place
    telling: Telling
    require_payable: Callable[[], None]
    """Asked before machines are started that were not paid for yet, with each plan anew."""

    async def until_ended(self, job: SearchJob) -> JobStatus:
        """Submit the job and say each tenth of its trials, with the trials, until it ends.

        Where the job outlives this process the execution ends here until there is news of it.
        """
        context, place, said = self.context, self.place, 0
        remote = context.jobs.machines.remote
        status = await self._submitted(job)
        while True:
            await place.show(*(self._reported(report, job) for report in status.reports))
            for passed in range(said + 1, computations.tenth(status) + 1):
                said, done = passed, -(-status.total * passed // TENTHS)
                about = {"job": job.id(), "done": done, "total": status.total, "best": status.best}
                progressed = place.make(JobProgressed, passed, **about)
                await place.show(*await self.telling.until(job.first + done), progressed)
            if remote:
                await computations.learn(context.store, job, status, context.now())
            if status.state == "completed":
                return status
            if status.state in ("failed", "cancelled"):
                raise _failure(status)
            while remote:  # what a resume hands in does not count: the job is looked at from the beginning of the node
                interrupt({COMPUTING: job.id()})
            await asyncio.sleep(POLL_SECONDS)
            status = await context.jobs.status(job.id())

    async def _submitted(self, job: SearchJob) -> JobStatus:
        context = self.context
        if not context.jobs.machines.remote:
            return await context.jobs.submit(job)
        known = await computations.computation_of(context.store, context.owner, context.run)
        if known is None or known.job != job.id() or not known.submitted:
            self.require_payable()
        return await computations.submitted(context.store, context.jobs, job, context.now())

    def _reported(self, report: Report, job: SearchJob) -> TraceEvent:
        """The same event whenever the same report is read."""
        about = f"{report.attempt}-{report.name}-{report.code}"
        return self.place.make(ComputationReported, about, job=job.id(), report=report)


def _failure(status: JobStatus) -> Exception:
    if status.state == "cancelled":
        return Cancelled(status.id)
    if status.mendable:
        return UserError(status.error)
    return Unavailable(status.error) if status.unavailable else JobFailed(f"{status.id}: {status.error}")
