"""A run that is computed elsewhere: output of the commands, and events that resume it."""

import asyncio
import hashlib
from datetime import UTC, datetime

import pytest

from api.cli.main import run
from api.cli.runs.local import follow, interruption
from desk.optimization.estimate import estimate
from desk.optimization.jobs import JobStatus, Report, SearchJob
from desk.runs.events.search import ComputationReported
from desk.runs.repository import list_runs, load_run
from graphs.jobs import job_queue
from graphs.jobs.worker import Worker
from graphs.runs.creation import create_run
from store.errors import Unavailable
from tests.api.lambda_.function import driven
from tests.api.lambda_.function_events import answer_event, dependencies_of, queue_event, receive_deliveries
from tests.doubles.remote_jobs import CLOUD, SMALL, Account, Elsewhere, cloud_dependencies
from tests.graphs.dependencies import OWNER
from tests.graphs.jobs.queued_runs import eventually

BEGIN_REPORT = Report(attempt=1, name="stratigos-1", code="begun")


@pytest.mark.anyio
async def test_the_end_of_a_processing_job_resumes_its_run(home):
    account = Account()
    async with driven(home, cloud_dependencies(home, account)) as one:
        dependencies = dependencies_of(one)
        await job_queue.submit(dependencies, OWNER, SMALL)
        assert await answer_event(one, queue_event(*await receive_deliveries(one, 1))) == {"batchItemFailures": []}
        (computing,) = await list_runs(dependencies.store, OWNER)
        assert (computing.state, await job_queue.queue_of(dependencies).depth()) == ("computing", 0)
        account.say(state="running", reports=(BEGIN_REPORT,))
        name = "stratigos-" + hashlib.sha256(account.submissions[0].encode()).hexdigest()[:24] + "-1"
        for outcome in ("goes on", "no news"):
            assert await answer_event(one, state_change(name)) == {"processing_job": name, "outcome": outcome}
        assert await job_queue.queue_of(dependencies).depth() == 1
        assert (await answer_event(one, state_change("nightly-report")))["outcome"] == "not ours"
        assert (await answer_event(one, {"task": "sweep"}))["going_on"] == 0
        for detail in (None, {}, {"ProcessingJobName": 1}, "x"):
            wrong = await one.answer({**state_change(name), "detail": detail})
            assert wrong.failed
            assert wrong.json()["errorMessage"].startswith("detail: ")


def state_change(name: str) -> dict:
    """The event of EventBridge at the end of a processing job."""
    return {
        "version": "0",
        "source": "aws.sagemaker",
        "detail-type": "SageMaker Processing Job State Change",
        "detail": {"ProcessingJobName": name, "ProcessingJobStatus": "Completed"},
    }


def test_ctrl_c_leaves_the_run_computing_and_says_how_to_resume_and_cancel_it(home, capsys):
    async def follow_and_interrupt() -> tuple[str, str]:
        async with cloud_dependencies(home, Account(), queue=None) as dependencies:
            run_id = await create_run(dependencies, OWNER, SMALL)

            async def computing() -> bool:
                return (await load_run(dependencies.store, OWNER, run_id)).state == "computing"

            following = asyncio.create_task(follow(dependencies, OWNER, run_id, lambda _: None))
            await eventually(computing)
            following.cancel()
            with pytest.raises(asyncio.CancelledError):
                await following
            assert await computing()
            return run_id, await interruption(dependencies, OWNER, run_id, KeyboardInterrupt())

    run_id, message = asyncio.run(follow_and_interrupt())
    assert (
        f"Run {run_id} continues to be computed elsewhere; come back: python -m api optimize --resume {run_id}"
        in message
    )
    assert f"python -m api cancel {run_id}" in message
    assert run(["show", run_id]) == 2
    assert "is still computed elsewhere" in capsys.readouterr().err
    assert run(["cancel", run_id]) == 2  # the settings that compute it are missing
    assert "STRATIGOS_COMPUTE" in capsys.readouterr().err
    assert run(["runs"]) == 0
    assert "computing" in capsys.readouterr().out


def test_a_run_that_could_not_be_stopped_can_be_cancelled_again(home, capsys):
    async def cancel_unreachable() -> str:
        account = Account()
        async with cloud_dependencies(home, account) as dependencies:
            run_id = (await job_queue.submit(dependencies, OWNER, SMALL)).id
            delivery = await job_queue.queue_of(dependencies).receive(lease=60.0, wait=0.0)
            assert delivery is not None
            assert await Worker(dependencies).deliver(delivery)
            account.unreachable = True
            assert (await job_queue.cancel(dependencies, OWNER, run_id, by=OWNER)).state == "cancelled"
            return run_id

    run_id = asyncio.run(cancel_unreachable())
    assert run(["cancel", run_id]) == 2
    assert "STRATIGOS_COMPUTE" in capsys.readouterr().err  # the settings that compute it are missing


class UnreachableRunner(Elsewhere):
    async def submit(self, job: SearchJob) -> JobStatus:
        raise Unavailable(f"s3 is unavailable, and {job.run} with it")


@pytest.mark.anyio
async def test_a_job_that_was_not_submitted_is_not_reported_as_running(home):
    async with cloud_dependencies(home, Account(), queue=None, jobs=UnreachableRunner(Account())) as dependencies:
        run_id = await create_run(dependencies, OWNER, SMALL)
        with pytest.raises(Unavailable) as failure:
            await follow(dependencies, OWNER, run_id, lambda _: None)
        message = await interruption(dependencies, OWNER, run_id, failure.value)
    assert f"Run {run_id} may not have begun elsewhere; come back: python -m api optimize --resume {run_id}" in message
    assert "continues" not in message


def test_each_report_of_machines_is_one_line():
    def line(report: Report) -> str:
        at = datetime(2026, 3, 2, tzinfo=UTC)
        return ComputationReported(id="1", run="r", node="search", at=at, job="j", report=report).line()

    assert line(BEGIN_REPORT) == "The computation began (stratigos-1, attempt 1)"
    lost_machines = Report(attempt=2, name="stratigos-2", code="lost", reason="an instance was taken away")
    assert line(lost_machines) == "Its machines were lost (stratigos-2, attempt 2): an instance was taken away"


def test_an_estimate_shows_instances_and_dollars():
    text = estimate(SMALL, machines=CLOUD.model_copy(update={"dollars_per_hour": 0.816})).describe()
    assert text.endswith(" MB, 2 instances, 0.25 dollars")
    assert estimate(SMALL).describe().endswith(" MB")
