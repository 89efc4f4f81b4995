"""A run on SageMaker from its approval to its explanation: real workers, resumed by events."""

import asyncio
from typing import Any

import pytest

from agents.embedded_planner import EmbeddedPlanner
from agents.models.factory import single_model
from api.app import create_dependencies
from api.settings import read_settings
from desk.base.clock import utc_now
from desk.governance.approvals import ApprovalDecision, load_approval
from desk.runs.events.search import ComputationReported
from desk.runs.events.table import TraceEvent
from desk.runs.repository import load_events, load_run
from graphs.jobs import job_queue
from graphs.jobs.approval_decisions import decide_approval
from graphs.jobs.execution import execute
from graphs.jobs.remote import handle_notice
from graphs.jobs.worker import Worker
from graphs.runs.computations import computation_of
from graphs.runs.creation import create_run
from tests.doubles.remote_jobs import SMALL
from tests.doubles.sagemaker.fleet import IMAGE_URI, ROLE, Fleet
from tests.doubles.simulated_kill import Life
from tests.graphs.dependencies import OWNER, open_dependencies

pytestmark = [pytest.mark.anyio, pytest.mark.soak]


@pytest.fixture
def settings(home: Any, fleet: Fleet, bucket: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    for name, value in {
        "STRATIGOS_COMPUTE": "sagemaker",
        "SAGEMAKER_IMAGE": IMAGE_URI,
        "SAGEMAKER_ROLE": ROLE,
        "SAGEMAKER_STORAGE": f"s3://{bucket}/searches",
        "SAGEMAKER_INSTANCES": "2",
    }.items():
        monkeypatch.setenv(name, value)
    return read_settings()


async def work(dependencies: Any) -> None:
    while (delivery := await job_queue.queue_of(dependencies).receive(lease=60.0, wait=0.0)) is not None:
        await Worker(dependencies, lease=3.0).deliver(delivery)


async def test_a_run_on_sagemaker_has_the_result_of_this_machine(tmp_path: Any, settings: Any, fleet: Fleet) -> None:
    job_events: asyncio.Queue[Any] = asyncio.Queue()
    loop = asyncio.get_running_loop()
    fleet.listeners.append(lambda event: loop.call_soon_threadsafe(job_events.put_nowait, event))
    async with open_dependencies(tmp_path / "here") as here:
        run = await create_run(here, OWNER, SMALL, run_id="same")
        local_events = [event async for event in execute(here, OWNER, run)]
        digest = (await load_run(here.store, OWNER, run)).result_digest
    async with create_dependencies(settings, single_model(EmbeddedPlanner()), queued=True) as dependencies:
        run = (await job_queue.submit(dependencies, settings.owner, SMALL, run_id="same")).id
        await work(dependencies)
        approval = await load_approval(dependencies.store, settings.owner, run)
        assert approval is not None
        assert "instances" in approval.asked.exceeded
        decision = ApprovalDecision(verdict="approved", by=settings.owner, at=utc_now())
        await decide_approval(dependencies, settings.owner, run, decision)
        life = Life(3, since="computation")  # a process that is killed while it submits
        delivery = await job_queue.queue_of(dependencies).receive(lease=0.01, wait=0.0)
        assert delivery is not None
        assert not await Worker(life.dependencies(dependencies), lease=3.0).deliver(delivery)
        assert life.remaining_writes == 0
        while (await load_run(dependencies.store, settings.owner, run)).state not in ("completed", "failed"):
            await work(dependencies)
            await asyncio.sleep(0.1)  # until the lease of the killed worker expires
            if (await load_run(dependencies.store, settings.owner, run)).state == "computing":
                event = await asyncio.wait_for(job_events.get(), 120.0)
                await handle_notice(dependencies, event["detail"]["ProcessingJobName"])
        final_run = await load_run(dependencies.store, settings.owner, run)
        stored_events = await load_events(dependencies.store, settings.owner, run)
        assert await computation_of(dependencies.store, settings.owner, run) is None
    assert (final_run.state, final_run.result_digest) == ("completed", digest)
    reports = [event.report.code for event in stored_events if isinstance(event, ComputationReported)]
    assert set(reports) == {"begun"}
    assert len(reports) == len(fleet.jobs)
    assert comparable(stored_events) == comparable(local_events)


def comparable(events: list[TraceEvent]) -> list[Any]:
    excluded = ("computation_reported", "estimate_made", "approval_requested", "approval_decided")
    return [event.comparable() for event in events if event.event not in excluded]
