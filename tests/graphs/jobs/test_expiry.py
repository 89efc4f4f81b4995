"""Jobs that wait too long expire, give up their place, say why, and can be submitted again."""

from dataclasses import replace
from datetime import timedelta

import pytest

from desk.base.clock import utc_now
from desk.governance.approval_requests import question_page
from desk.governance.approvals import ApprovalDecision, Thresholds
from desk.governance.principals import Principal
from desk.governance.roles import ROLES
from desk.runs.drafts import RETENTION, load_draft
from desk.runs.events.run import RunFailed
from desk.runs.lifetimes import Lifetimes
from desk.runs.repository import Run, load_events, load_run
from graphs.jobs import drafts, fair_queue, job_queue
from graphs.jobs.approval_decisions import decide_approval
from graphs.jobs.execution import execute
from graphs.jobs.expiry import expire_overdue_jobs
from graphs.runs.job_status import job_of
from graphs.runs.leases import hold_lease
from tests.graphs.dependencies import OWNER
from tests.graphs.jobs.queued_runs import executions, fake, queued_dependencies, until_state, working

pytestmark = pytest.mark.anyio
LIFETIMES = Lifetimes(draft=timedelta(days=5), queued=timedelta(days=1), waiting=timedelta(days=3))


def after(dependencies, **time):
    return replace(dependencies, now=lambda: utc_now() + timedelta(**time))


async def endings(dependencies, run: str) -> list[tuple[str, str, str]]:
    events = await load_events(dependencies.store, OWNER, run)
    return [(event.code, event.by, event.reason) for event in events if isinstance(event, RunFailed)]


async def test_a_job_in_the_queue_expires_with_author_and_reason_and_gives_its_place_to_the_next(home, small):
    async with queued_dependencies(home, jobs_per_user=1, lifetimes=LIFETIMES) as dependencies:
        first = await job_queue.submit(after(dependencies, hours=-25), OWNER, small())
        without_place = await job_queue.submit(after(dependencies, hours=-24.5), OWNER, small())
        last = await job_queue.submit(dependencies, OWNER, small())
        assert await expire_overdue_jobs(dependencies) == 2
        reason = "it waited in the queue for more than 1 days"
        for job in (first.id, without_place.id):
            expired = await load_run(dependencies.store, OWNER, job)
            assert (expired.state, expired.history[-1].by, expired.history[-1].reason) == ("expired", "worker", reason)
            assert await endings(dependencies, job) == [("expired", "worker", reason)]
            status = await job_of(dependencies.store, OWNER, job)
            assert (status.progress.stage, status.progress.failed) == ("expired", 0)
        owner_queue, _ = await fair_queue.load_queue(dependencies.store, OWNER)
        assert ([ticket.job for ticket in owner_queue.places], owner_queue.waiting) == ([last.id], ())
        assert await expire_overdue_jobs(dependencies) == 0


async def test_an_expired_job_is_restarted_and_completed(home, small):
    async with queued_dependencies(home, lifetimes=LIFETIMES) as dependencies:
        run = await job_queue.submit(after(dependencies, days=-2), OWNER, small())
        assert await expire_overdue_jobs(dependencies) == 1
        await job_queue.restart(dependencies, OWNER, run.id, by=OWNER, reason="still wanted")
        async with working(dependencies, execution=fake(home)):
            completed = await until_state(dependencies, run.id, "completed")
        states = [move.state for move in completed.history[:4]]
        assert states == ["created", "queued", "expired", "queued"]
        assert [each.run for each in executions(home)] == [run.id]


async def test_a_job_that_a_worker_has_just_taken_does_not_expire(home, small):
    async with queued_dependencies(home, lifetimes=LIFETIMES) as dependencies:
        run = await job_queue.submit(after(dependencies, days=-2), OWNER, small())
        async with hold_lease(dependencies.store, OWNER, run.id):
            assert await expire_overdue_jobs(dependencies) == 0
        assert (await load_run(dependencies.store, OWNER, run.id)).state == "queued"


async def test_a_job_that_waits_for_approval_expires_and_asks_again_when_it_is_restarted(home, small):
    async with queued_dependencies(home, lifetimes=LIFETIMES, thresholds=Thresholds(evaluations=1)) as dependencies:

        async def run_until_it_waits() -> Run:
            async for _ in execute(dependencies, OWNER, run.id):
                pass
            return await load_run(dependencies.store, OWNER, run.id)

        async def is_listed() -> bool:
            person = Principal(owner=OWNER, roles=ROLES)
            questions, _ = await question_page(dependencies.store, person, frozenset(), after=None, limit=10)
            return [each.run for each in questions] == [run.id]

        run = await job_queue.submit(dependencies, OWNER, small())
        assert (await run_until_it_waits()).state == "waiting"
        assert await expire_overdue_jobs(after(dependencies, days=2)) == 0
        assert await is_listed()
        assert await expire_overdue_jobs(after(dependencies, days=4)) == 1
        assert not await is_listed()
        assert "for approval" in (await load_run(dependencies.store, OWNER, run.id)).history[-1].reason
        await job_queue.restart(dependencies, OWNER, run.id, by=OWNER)
        assert (await run_until_it_waits()).state == "waiting"
        assert await is_listed()
        approval = ApprovalDecision(verdict="approved", by="chief", at=utc_now())
        assert (await decide_approval(dependencies, OWNER, run.id, approval)).state == "queued"


async def test_a_run_that_an_earlier_version_expired_opens_and_can_be_restarted(home, small):
    async with queued_dependencies(home, lifetimes=LIFETIMES) as dependencies:
        run = await job_queue.submit(after(dependencies, days=-2), OWNER, small())
        at = utc_now() - timedelta(days=1)
        old = run.with_state("expired", at=at, by="worker", reason="it waited for more than 7 days")
        await dependencies.store.records.put_many([old.put(1)])
        event = {"event": "run_failed", "run": run.id, "node": "run", "id": "0", "at": at.isoformat()}
        await dependencies.store.events.append(OWNER, run.id, "0", event | {"code": "cancelled", "kind": "expired"})
        assert await expire_overdue_jobs(dependencies) == 0
        assert await endings(dependencies, run.id) == [("cancelled", "", "")]
        assert (await job_queue.restart(dependencies, OWNER, run.id, by=OWNER)).state == "queued"


async def test_a_draft_without_edits_expires_and_an_edit_or_a_submission_renews_it(home, small):
    async with queued_dependencies(home, lifetimes=LIFETIMES) as dependencies:
        fields = small().model_dump(mode="json")
        early = after(dependencies, days=-6)
        old, edited, submitted = [await drafts.create_draft(early, OWNER, fields) for _ in range(3)]
        recent = await drafts.create_draft(dependencies, OWNER, fields)
        await drafts.edit_draft(dependencies, OWNER, edited.id, fields)
        assert await expire_overdue_jobs(dependencies) == 2
        expired = await load_draft(dependencies.store, OWNER, old.id)
        end = expired.history[-1]
        assert (end.state, end.by, end.reason) == ("expired", "worker", "it was not edited for more than 5 days")
        for each in (edited, recent):
            assert (await load_draft(dependencies.store, OWNER, each.id)).state == "draft"
        renewed = await drafts.edit_draft(dependencies, OWNER, old.id, {"name": "again"})
        assert [move.state for move in renewed.history] == ["draft", "expired", "draft"]
        run = await drafts.submit_draft(
            dependencies, await load_draft(dependencies.store, OWNER, submitted.id), small()
        )
        assert [move.state for move in run.history] == ["draft", "expired", "queued"]
        await job_queue.cancel(dependencies, OWNER, run.id, by=OWNER)
        await job_queue.cancel(dependencies, OWNER, run.id, by=OWNER)
        assert await endings(dependencies, run.id) == [("cancelled", OWNER, "")]


async def test_an_expired_draft_is_deleted_after_its_retention(home):
    async with queued_dependencies(home, lifetimes=LIFETIMES) as dependencies:
        created = timedelta(days=6) + RETENTION
        await drafts.create_draft(replace(dependencies, now=lambda: utc_now() - created), OWNER, {})
        assert await expire_overdue_jobs(replace(dependencies, now=lambda: utc_now() - RETENTION)) == 1
        page = await dependencies.store.records.list(OWNER, "draft")
        assert page.records == ()
