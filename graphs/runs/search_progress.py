"""Submits a search, reports its progress, and waits for one that outlives this process."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from langgraph.types import interrupt

from desk.base.errors import UserError
from desk.optimization.jobs import JobStatus, Report, SearchJob
from desk.runs.context import Context
from desk.runs.events.search import ComputationReported, JobProgressed
from desk.runs.events.table import TraceEvent
from desk.runs.repository import Cancelled, JobFailed
from graphs.runs import computations
from graphs.runs.computations import TENTHS
from graphs.runs.event_log import NodeLog
from graphs.runs.trial_events import TrialEvents
from graphs.stream_parts import COMPUTING
from store.errors import Unavailable

POLL_SECONDS = 0.1


@dataclass(frozen=True)
class SearchWatch:
    context: Context
    node_log: NodeLog
    trial_events: TrialEvents
    require_payable: Callable[[], None]
    """Called before each plan, before machines are started that are not paid for yet."""

    async def until_ended(self, job: SearchJob) -> JobStatus:
        """Submit the job and say each tenth of its trials, with the trials, until it ends.

        Where the job outlives this process the execution ends here until there is news of it.
        """
        context, node_log, last_tenth = self.context, self.node_log, 0
        remote = context.jobs.machines.remote
        status = await self._submitted(job)
        while True:
            await node_log.publish(*(self._reported(report, job) for report in status.reports))
            for tenth in range(last_tenth + 1, computations.tenths_done(status) + 1):
                last_tenth, done = tenth, -(-status.total * tenth // TENTHS)
                about = {"job": job.id(), "done": done, "total": status.total, "best": status.best}
                finished = await self.trial_events.up_to(job.first + done)
                await node_log.publish(*finished, node_log.make(JobProgressed, tenth, **about))
            if remote:
                await computations.save_status(context.store, job, status, context.now())
            if status.state == "completed":
                return status
            if status.state in ("failed", "cancelled"):
                raise _failure(status)
            while remote:  # the value passed to a resume is ignored: the node polls the job again from its start
                interrupt({COMPUTING: job.id()})
            await asyncio.sleep(POLL_SECONDS)
            status = await context.jobs.status(job.id())

    async def _submitted(self, job: SearchJob) -> JobStatus:
        context = self.context
        if not context.jobs.machines.remote:
            return await context.jobs.submit(job)
        computation = await computations.computation_of(context.store, context.owner, context.run)
        if computation is None or computation.job != job.id() or not computation.submitted:
            self.require_payable()
        return await computations.submit_once(context.store, context.jobs, job, context.now())

    def _reported(self, report: Report, job: SearchJob) -> TraceEvent:
        """The event of a report; the same for every read of the same report."""
        about = f"{report.attempt}-{report.name}-{report.code}"
        return self.node_log.make(ComputationReported, about, job=job.id(), report=report)


def _failure(status: JobStatus) -> Exception:
    if status.state == "cancelled":
        return Cancelled(status.id)
    if status.mendable:
        return UserError(status.error)
    return Unavailable(status.error) if status.unavailable else JobFailed(f"{status.id}: {status.error}")
