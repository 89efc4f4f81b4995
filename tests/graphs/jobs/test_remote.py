"""Runs with a remote search: no process waits, no work is lost, and no job is left running."""

import asyncio
import contextlib
import hashlib
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from desk.base.clock import utc_now
from desk.base.errors import UserError
from desk.governance.approvals import DEFAULT_THRESHOLDS, ApprovalDecision
from desk.governance.estimates import Machines
from desk.optimization.jobs import Report
from desk.runs.events.run import RunFailed
from desk.runs.events.search import ComputationReported, JobProgressed
from desk.runs.repository import Cancelled, JobFailed, load_events, load_run
from graphs.jobs import fair_queue, job_queue
from graphs.jobs.approval_decisions import decide_approval
from graphs.jobs.execution import execute
from graphs.jobs.remote import execute_to_end, handle_notice, poll_computations
from graphs.jobs.worker import Worker
from graphs.runs.computations import KIND, computation_of
from graphs.runs.creation import create_run
from tests.doubles.remote_jobs import CLOUD, Account, Elsewhere, cloud_dependencies, compute
from tests.doubles.simulated_kill import Killed, Life
from tests.graphs.dependencies import OWNER, open_dependencies
from tests.graphs.jobs.queued_runs import eventually, working

pytestmark = pytest.mark.anyio

BEGUN = Report(attempt=1, name="stratigos-1", code="begun")


@pytest.fixture
def account() -> Account:
    return Account()


async def state(dependencies, run: str) -> str:
    return (await load_run(dependencies.store, OWNER, run)).state


async def begun(dependencies, request) -> str:
    """Submit a run and execute it until its search is computed remotely; returns its id."""
    run = (await job_queue.submit(dependencies, OWNER, request)).id
    await worked(dependencies)
    assert await state(dependencies, run) == "computing"
    return run


async def worked(dependencies) -> int:
    """Handle the messages in the queue; returns their number."""
    count = 0
    while (delivery := await job_queue.queue_of(dependencies).receive(lease=60.0, wait=0.0)) is not None:
        assert await Worker(dependencies).deliver(delivery)
        count += 1
    return count


async def finished(dependencies, account: Account, run: str) -> None:
    """Finish every submitted job until the run ends."""
    while await state(dependencies, run) == "computing":
        await compute(dependencies, account)
        assert await poll_computations(later(dependencies)) == 1
        await worked(dependencies)


def later(dependencies, seconds: float = 60.0):
    """The same dependencies with a later clock."""
    return replace(dependencies, now=lambda: utc_now() + timedelta(seconds=seconds))


async def executed(dependencies, run: str) -> list[Any]:
    return [event async for event in execute(dependencies, OWNER, run)]


async def places(dependencies) -> list[str]:
    return [ticket.job for ticket in (await fair_queue.load_queue(dependencies.store, OWNER))[0].places]


def name_of(job: str, attempt: int = 1) -> str:
    return f"stratigos-{hashlib.sha256(job.encode()).hexdigest()[:24]}-{attempt}"


async def test_no_process_executes_a_run_during_its_remote_search_and_the_result_is_the_same(tmp_path, small, account):
    async with open_dependencies(tmp_path / "here") as dependencies:
        here = await executed(dependencies, await create_run(dependencies, OWNER, small(), run_id="same"))
    async with cloud_dependencies(tmp_path / "there", account) as dependencies:
        run = (await job_queue.submit(dependencies, OWNER, small(), run_id="same")).id
        await worked(dependencies)
        assert await places(dependencies) == [run]
        assert await job_queue.queue_of(dependencies).depth() == 0
        account.say(state="running", reports=(BEGUN,))
        assert await poll_computations(later(dependencies)) == 1
        assert await worked(dependencies) == 1
        assert await state(dependencies, run) == "computing"
        await finished(dependencies, account, run)
        completed_run = await load_run(dependencies.store, OWNER, run)
        assert await places(dependencies) == []
        assert await computation_of(dependencies.store, OWNER, run) is None
        events = await load_events(dependencies.store, OWNER, run)
    assert (completed_run.state, completed_run.result_digest) == ("completed", here[-1].result_digest)
    plans = len(account.submissions)
    states = [
        "created",
        "queued",
        "validating",
        *["running", "computing"] * plans,
        "running",
        "aggregating",
        "completed",
    ]
    assert [move.state for move in completed_run.history] == states
    assert [event.report for event in events if isinstance(event, ComputationReported)] == [BEGUN]
    apart = ("computation_reported", "estimate_made")  # these depend on the machines
    assert [e.comparable() for e in events if e.event not in apart] == [
        e.comparable() for e in here if e.event not in apart
    ]
    assert account.submissions == [f"{OWNER}-{run}-plan-{plan}" for plan in range(plans)]


async def test_repeated_notices_add_neither_events_nor_history(home, small, account):
    async with cloud_dependencies(home, account) as dependencies:
        run = await begun(dependencies, small())
        before = (await load_run(dependencies.store, OWNER, run)).history
        account.say(state="running", reports=(BEGUN,), done=0)
        name = name_of(account.submissions[0])
        assert await asyncio.gather(*(handle_notice(dependencies, name) for _ in range(3))) == [
            "goes on",
            "no news",
            "no news",
        ]
        assert await poll_computations(later(dependencies)) == 0
        assert await worked(dependencies) == 1
        assert await handle_notice(dependencies, name) == "no news"
        assert (await load_run(dependencies.store, OWNER, run)).history == before
        assert await places(dependencies) == [run]
        for odd in (name_of("another"), "stratigos", "", "-", "x" * 600, "a/b#c-1", "\x00-1", name + "-2"):
            assert await handle_notice(dependencies, odd) == "not ours"
        assert [type(event) for event in (await load_events(dependencies.store, OWNER, run))[-1:]] == [
            ComputationReported
        ]


async def test_polling_appends_the_reported_progress(home, small, account):
    async with cloud_dependencies(home, account) as dependencies:
        run = await begun(dependencies, small(trials=20))
        await compute(dependencies, account)
        account.say(state="running", done=9, stopped=None)
        assert await poll_computations(later(dependencies)) == 1
        await worked(dependencies)
        progress = [e.done for e in await load_events(dependencies.store, OWNER, run) if isinstance(e, JobProgressed)]
        total = account.last.total
        assert progress == [-(-total * tenth // 10) for tenth in range(1, 9 * 10 // total + 1)]
        assert await poll_computations(later(dependencies, 120.0)) == 0
        account.say(done=total - 1)
        assert await poll_computations(later(dependencies, 180.0)) == 1


async def test_an_end_before_the_run_is_computing_is_found_by_the_next_poll(home, small, account):
    class Quick(Elsewhere):
        async def submit(self, job):
            status = await super().submit(job)
            await compute(dependencies, account)
            assert await handle_notice(dependencies, name_of(job.id())) == "no news"  # the run is still executed
            return status

    async with cloud_dependencies(home, account) as dependencies:
        run = await begun(replace(dependencies, jobs=Quick(account)), small())
        assert await poll_computations(later(dependencies)) == 1
        await worked(dependencies)
        assert account.submissions[1:] or await state(dependencies, run) == "completed"


@pytest.mark.parametrize("reachable", [True, False])
async def test_a_cancel_ends_the_run_at_once_and_its_job_as_soon_as_possible(home, small, account, reachable):
    async with cloud_dependencies(home, account, jobs_per_user=1) as dependencies:
        run = await begun(dependencies, small())
        other = await job_queue.submit(dependencies, OWNER, small(seed=4))
        account.unreachable = not reachable
        cancelled = await job_queue.cancel(dependencies, OWNER, run, by=OWNER, reason="enough")
        assert (cancelled.state, cancelled.history[-1].reason) == ("cancelled", "enough")
        assert account.last.state == ("cancelled" if reachable else "queued")
        assert await places(dependencies) == [other.id]
        account.unreachable = False
        assert await poll_computations(later(dependencies)) == 0
        assert account.last.state == "cancelled"
        assert await computation_of(dependencies.store, OWNER, run) is None
        assert await handle_notice(dependencies, name_of(account.submissions[0])) == "not ours"
        failures = [e for e in await load_events(dependencies.store, OWNER, run) if isinstance(e, RunFailed)]
        assert [event.code for event in failures] == ["cancelled"]
        await worked(dependencies)
        await job_queue.cancel(dependencies, OWNER, other.id, by=OWNER)
        await job_queue.restart(dependencies, OWNER, run, by=OWNER)
        await worked(dependencies)
        assert await state(dependencies, run) == "computing"
        assert account.submissions.count(f"{OWNER}-{run}-plan-0") == 2


async def test_a_job_that_may_still_start_is_cancelled_again(home, small, account):
    async with cloud_dependencies(home, account) as dependencies:
        run = await begun(dependencies, small())
        account.say(state="cancelled", stopping=True)
        await job_queue.cancel(dependencies, OWNER, run, by=OWNER)
        await poll_computations(later(dependencies))
        assert await computation_of(dependencies.store, OWNER, run) is not None
        account.say(stopping=False)
        await poll_computations(later(dependencies, 120.0))
        assert await computation_of(dependencies.store, OWNER, run) is None


async def test_a_second_cancel_stops_the_job_that_the_first_could_not(home, small, account):
    async with cloud_dependencies(home, account) as dependencies:
        run = await begun(dependencies, small())
        account.unreachable = True
        await job_queue.cancel(dependencies, OWNER, run, by=OWNER)
        account.unreachable = False
        await job_queue.cancel(dependencies, OWNER, run, by=OWNER)
        assert account.last.state == "cancelled"
        assert await computation_of(dependencies.store, OWNER, run) is None


async def test_a_cancel_during_a_poll_stops_the_execution(home, small, account):
    looking, cancelling = asyncio.Event(), asyncio.Event()

    class Slow(Elsewhere):
        async def status(self, job_id):
            looking.set()
            await cancelling.wait()
            return await super().status(job_id)

    async with cloud_dependencies(home, account) as dependencies:
        run = await begun(dependencies, small())
        account.say(state="running", reports=(BEGUN,))
        assert await handle_notice(dependencies, name_of(account.submissions[0])) == "goes on"
        async with working(replace(dependencies, jobs=Slow(account))):
            await looking.wait()
            assert (await job_queue.cancel(dependencies, OWNER, run, by=OWNER)).state == "cancelled"
            cancelling.set()

            async def nothing_left() -> bool:
                return await places(dependencies) == [] and await job_queue.queue_of(dependencies).depth() == 0

            await eventually(nothing_left, seconds=10.0)
        assert (await state(dependencies, run), account.last.state) == ("cancelled", "cancelled")


async def test_a_stopped_worker_leaves_the_remote_job_running(home, small, account):
    looking = asyncio.Event()

    class Slow(Elsewhere):
        async def submit(self, job):
            status = await super().submit(job)
            looking.set()
            await asyncio.Event().wait()
            return status

    async with cloud_dependencies(home, account) as dependencies:
        run = (await job_queue.submit(dependencies, OWNER, small())).id
        async with working(replace(dependencies, jobs=Slow(account))):
            await looking.wait()
        assert account.last.state == "queued"
        await worked(dependencies)
        assert await state(dependencies, run) == "computing"
        assert len(account.submissions) == 1


@pytest.mark.parametrize(
    ("end", "code", "reason"),
    [
        ({"error": "role: may not pull the image", "mendable": True}, "unusable_input", "role: may not pull the image"),
        ({"error": "3 attempts were lost"}, "fault", "JobFailed"),
    ],
)
async def test_a_failed_job_fails_its_run_and_restarts_with_it(home, small, account, end, code, reason):
    async with cloud_dependencies(home, account) as dependencies:
        run = await begun(dependencies, small())
        account.say(state="failed", **end)
        assert await poll_computations(later(dependencies)) == 1
        await worked(dependencies)
        failed_run = await load_run(dependencies.store, OWNER, run)
        assert (failed_run.state, failed_run.history[-1].reason) == ("failed", reason)
        assert [e.code for e in await load_events(dependencies.store, OWNER, run) if isinstance(e, RunFailed)] == [code]
        assert len(account.submissions) == 1
        assert await places(dependencies) == []
        await job_queue.restart(dependencies, OWNER, run, by=OWNER)
        await worked(dependencies)
        assert (await state(dependencies, run), len(account.submissions)) == ("computing", 2)


async def test_a_run_started_without_paid_machines_needs_approval_for_them(home, small, account):
    class Here(Elsewhere):
        machines = Machines()

        async def submit(self, job):
            raise UserError("these machines are too few")

    async with cloud_dependencies(home, account, thresholds=DEFAULT_THRESHOLDS) as dependencies:
        here = replace(dependencies, jobs=Here(account))
        run = (await job_queue.submit(here, OWNER, small())).id
        await worked(here)
        assert (await load_run(dependencies.store, OWNER, run)).history[-1].reason == "these machines are too few"
        await job_queue.restart(dependencies, OWNER, run, by=OWNER)
        await worked(dependencies)
        failed_run = await load_run(dependencies.store, OWNER, run)
        assert (failed_run.state, account.submissions) == ("failed", [])
        assert "no approval covers 2 instances; expected the earlier STRATIGOS_COMPUTE" in failed_run.history[-1].reason
        nobody_asks = replace(dependencies, thresholds=None)
        await job_queue.restart(nobody_asks, OWNER, run, by=OWNER)
        await worked(nobody_asks)
        await job_queue.cancel(dependencies, OWNER, run, by=OWNER)
        assert len(account.submissions) == 1


def renting(dependencies, account, **changes: Any):
    """The dependencies with other machine settings."""

    class Other(Elsewhere):
        machines = CLOUD.model_copy(update={"dollars_per_hour": 0.8} | changes)

    return replace(dependencies, jobs=Other(account))


async def approved(dependencies, request) -> str:
    run = (await job_queue.submit(dependencies, OWNER, request)).id
    await worked(dependencies)
    assert await state(dependencies, run) == "waiting"
    await decide_approval(dependencies, OWNER, run, ApprovalDecision(verdict="approved", by=OWNER, at=utc_now()))
    return run


@pytest.mark.parametrize(
    ("changes", "now"),
    [
        (
            {"instance_type": "ml.c5.24xlarge", "dollars_per_hour": 4.9},
            "2 x ml.c5.24xlarge at 4.9 dollars an hour each",
        ),
        ({"instances": 3}, "3 x ml.c5.4xlarge at 0.8 dollars"),
        ({"instance_type": "ml.new", "dollars_per_hour": None}, "2 x ml.new now"),
    ],
)
async def test_an_approval_does_not_cover_higher_prices(home, small, account, changes, now):
    async with cloud_dependencies(home, account, thresholds=DEFAULT_THRESHOLDS) as cloud:
        dependencies = renting(cloud, account)
        run = await approved(dependencies, small())
        await worked(renting(dependencies, account, **changes))
        failed_run = await load_run(dependencies.store, OWNER, run)
        assert (failed_run.state, account.submissions) == ("failed", [])
        assert f"for 2 x ml.c5.4xlarge at 0.8 dollars an hour each, and takes {now}" in failed_run.history[-1].reason
        assert "expected settings that cost no more" in failed_run.history[-1].reason
        await job_queue.restart(dependencies, OWNER, run, by=OWNER)
        await worked(renting(dependencies, account, instances=1, instance_type="ml.small", dollars_per_hour=0.1))
        assert (await state(dependencies, run), len(account.submissions)) == ("computing", 1)


async def test_a_later_plan_is_not_computed_on_more_expensive_machines(home, small, account):
    async with cloud_dependencies(home, account, thresholds=DEFAULT_THRESHOLDS) as cloud:
        dependencies = renting(cloud, account)
        run = await approved(dependencies, small(trials=20))
        await worked(dependencies)
        dearer = renting(dependencies, account, dollars_per_hour=4.9)
        await compute(dependencies, account)
        assert await poll_computations(later(dearer)) == 1
        await worked(dearer)
        assert (await state(dependencies, run), len(account.submissions)) == ("failed", 1)
        await job_queue.restart(dependencies, OWNER, run, by=OWNER)
        await worked(dependencies)
        await finished(dependencies, account, run)
        assert await state(dependencies, run) == "completed"


async def test_a_job_stopped_by_a_storage_fault_is_submitted_again(home, small, account):
    async with cloud_dependencies(home, account) as dependencies:
        run = await begun(dependencies, small())
        account.say(state="failed", error="the bucket does not answer", unavailable=True)
        assert await poll_computations(later(dependencies)) == 1
        delivery = await job_queue.queue_of(dependencies).receive(lease=60.0, wait=0.0)
        assert delivery is not None
        assert not await Worker(dependencies, lease=3.0).deliver(delivery)  # it is delivered again
        assert await state(dependencies, run) == "computing"
        await eventually(lambda: worked(dependencies))
        assert (await state(dependencies, run), len(account.submissions)) == ("computing", 2)
        assert account.last.state == "queued"


async def test_unavailable_machines_are_polled_again(home, small, account):
    async with cloud_dependencies(home, account) as dependencies:
        run = await begun(dependencies, small())
        account.say(state="running", reports=(BEGUN,))
        account.unreachable = True
        assert await poll_computations(later(dependencies)) == 0
        assert await poll_computations(later(dependencies)) == 0  # polled just now
        account.unreachable = False
        assert await poll_computations(later(dependencies, 120.0)) == 1
        await worked(dependencies)
        assert await state(dependencies, run) == "computing"


async def test_an_error_that_a_person_can_correct_is_reported_by_the_run(home, small, account):
    class AccessDenied(Elsewhere):
        async def status(self, job_id):
            raise UserError("role: may not describe the job")

    async with cloud_dependencies(home, account) as dependencies:
        run = await begun(dependencies, small())
        denied = later(replace(dependencies, jobs=AccessDenied(account)))
        assert await poll_computations(denied) == 1
        await worked(denied)
        assert (await load_run(dependencies.store, OWNER, run)).history[-1].reason == "role: may not describe the job"


async def test_a_fault_of_the_machines_does_not_end_a_worker(home, small, account):
    class Faulty(Elsewhere):
        asked = asyncio.Event()

        async def status(self, job_id):
            self.asked.set()
            raise RuntimeError("unexpected fault")

    async with cloud_dependencies(home, account) as dependencies:
        run = await begun(dependencies, small())
        async with working(later(replace(dependencies, jobs=Faulty(account)))):
            await Faulty.asked.wait()
        assert await state(dependencies, run) == "computing"


async def test_a_round_polls_the_longest_unpolled_computations_once_each(home, small, account):
    async with cloud_dependencies(home, account, jobs_per_user=4) as dependencies:
        for seed in range(4):
            await job_queue.submit(dependencies, OWNER, small(seed=seed))
        await worked(dependencies)
        account.status_calls = 0
        assert await asyncio.gather(poll_computations(later(dependencies)), poll_computations(later(dependencies))) == [
            0,
            0,
        ]
        assert account.status_calls == 4


async def process(dependencies, *, lease: float = 60.0) -> None:
    """One round of a worker: sends unsent messages, polls remote computations, executes."""
    await job_queue.sweep(dependencies)
    await poll_computations(dependencies)
    while (delivery := await job_queue.queue_of(dependencies).receive(lease=lease, wait=0.0)) is not None:
        await Worker(dependencies).deliver(delivery)


async def dying(life: Life, doing) -> None:
    with contextlib.suppress(Killed):
        await doing
    assert life.remaining_writes <= 0


@pytest.mark.parametrize("write", [1, *(pytest.param(k, marks=pytest.mark.soak) for k in range(2, 8))])
async def test_a_crash_at_any_write_neither_loses_nor_repeats_work(home, small, account, write):
    async with cloud_dependencies(home, account) as dependencies:
        run = (await job_queue.submit(dependencies, OWNER, small())).id
        life = Life(min(write, 5), since=KIND)
        await dying(life, process(life.dependencies(dependencies), lease=0.01))
        await process(later(dependencies))
        assert await state(dependencies, run) == "computing"
        account.say(state="running", reports=(BEGUN,))
        life = Life(write)
        await dying(life, process(life.dependencies(later(dependencies, 120.0)), lease=0.01))
        await process(later(dependencies, 240.0))
        reports = [
            e.report for e in await load_events(dependencies.store, OWNER, run) if isinstance(e, ComputationReported)
        ]
        assert (await state(dependencies, run), reports, await places(dependencies)) == ("computing", [BEGUN], [run])
        life = Life(min(write, 5))
        ending = later(dependencies, 300.0)
        await dying(life, job_queue.cancel(life.dependencies(ending), OWNER, run, by=OWNER))
        await process(later(dependencies, 360.0))
        await job_queue.cancel(ending, OWNER, run, by=OWNER)
        assert (await state(dependencies, run), account.last.state, await places(dependencies)) == (
            "cancelled",
            "cancelled",
            [],
        )
        assert await computation_of(dependencies.store, OWNER, run) is None
        assert await job_queue.queue_of(dependencies).depth() == 0
        assert [e.code for e in await load_events(dependencies.store, OWNER, run) if isinstance(e, RunFailed)] == [
            "cancelled"
        ]
    assert len(account.submissions) == 1


@pytest.mark.parametrize("end", ["cancelled", "failed"])
async def test_a_terminal_follows_a_remote_search(home, small, account, end):
    async with cloud_dependencies(home, account, queue=None) as dependencies:
        run = await create_run(dependencies, OWNER, small())

        async def follow() -> None:
            async for _ in execute_to_end(dependencies, OWNER, run, seconds=0.01):
                pass

        async def computing() -> bool:
            return await state(dependencies, run) == "computing"

        async def heard() -> bool:
            return isinstance((await load_events(dependencies.store, OWNER, run))[-1], ComputationReported)

        following = asyncio.create_task(follow())
        await eventually(computing)
        account.say(state="running", reports=(BEGUN,))
        await eventually(heard)
        if end == "failed":
            account.say(state="failed", error="3 attempts were lost")
        else:  # from another terminal
            await job_queue.cancel(dependencies, OWNER, run, by=OWNER)
        with pytest.raises(JobFailed if end == "failed" else Cancelled):
            await following
        assert (await state(dependencies, run), account.last.state) == (end, end)
        assert await computation_of(dependencies.store, OWNER, run) is None
