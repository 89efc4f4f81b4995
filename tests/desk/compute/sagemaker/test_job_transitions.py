"""When a remote job starts another attempt, and when it ends."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from desk.compute.container.job_files import BadOutput
from desk.compute.sagemaker.job_repository import RemoteJob
from desk.compute.sagemaker.job_transitions import (
    handle_bad_output,
    handle_outcome,
    handle_refusal,
    is_outdated,
    start_job,
)
from desk.compute.sagemaker.processing import Cluster, Outcome
from tests.doubles.sagemaker.fleet import IMAGE_URI, ROLE

NOW = datetime(2026, 3, 2, tzinfo=UTC)
CLUSTER = Cluster(image=IMAGE_URI, role=ROLE, bucket="desk", instances=8, attempts=9)


@pytest.fixture
def fresh(job: Any, make_request: Any) -> RemoteJob:
    return start_job(job(make_request()), "d" * 64, CLUSTER, None, NOW)


def after(*meanings: Any, cluster: Cluster = CLUSTER, reason: str = "as AWS says") -> Callable[[RemoteJob], RemoteJob]:
    def change(job: RemoteJob) -> RemoteJob:
        for meaning in meanings:
            job = handle_outcome(job, cluster, Outcome(meaning, reason), NOW)
        return job

    return change


def test_a_resubmission_counts_attempts_from_one_and_keeps_reports(fresh: RemoteJob) -> None:
    two = CLUSTER.model_copy(update={"attempts": 2})
    failed_job = after("lost", "lost", cluster=two)(fresh).with_changes(done=5)
    assert (failed_job.state, failed_job.mendable, failed_job.attempt.number) == ("failed", False, 2)
    again = start_job(failed_job.work.job, failed_job.work.data, two, failed_job, NOW)
    assert (again.name, again.state, again.attempt.number, again.first, again.done) == (fresh.name, "queued", 3, 3, 5)
    assert again.reports == failed_job.reports
    assert again.work.key != failed_job.work.key
    assert after("lost", cluster=two)(again).state == "queued"
    assert (
        start_job(failed_job.work.job, "e" * 64, two, failed_job, NOW).done == 0
    )  # its trials are those of other prices


def test_without_capacity_pauses_double_and_every_second_time_half_the_instances_do(fresh: RemoteJob) -> None:
    job = after(*["capacity"] * 6)(fresh)
    delays = [each.not_before - NOW for each in job.attempts if each.not_before is not None]
    assert delays == [timedelta(minutes=2**n) for n in range(6)]
    assert [each.instances for each in job.attempts] == [8, 8, 4, 4, 2, 2, 1]
    last = after("capacity", "capacity", "capacity")(job)
    assert (last.state, last.mendable, last.attempt.instances) == ("failed", True, 1)


def test_missing_capacity_at_the_start_is_waited_for(fresh: RemoteJob) -> None:
    job = handle_refusal(fresh, CLUSTER, "InsufficientCapacityException", "none left", NOW)
    assert (job.state, job.attempt.number) == ("queued", 2)
    assert job.attempt.not_before == NOW + timedelta(minutes=1)


def test_after_a_loss_the_next_attempt_is_made_at_once(fresh: RemoteJob) -> None:
    job = after("lost")(fresh)
    assert (job.state, job.attempt.number, job.attempt.not_before, job.attempt.instances) == ("queued", 2, None, 8)


def test_a_repeated_fault_fails_the_job_and_another_one_does_not(fresh: RemoteJob) -> None:
    once = after("fault", reason="KeyError")(fresh)
    assert once.state == "queued"
    assert after("fault", reason="KeyError")(once).state == "failed"
    assert after("fault", reason="OSError")(once).state == "queued"
    assert after("lost", "fault", reason="KeyError")(once).state == "queued"


@pytest.mark.parametrize(
    ("meaning", "code", "reason"),
    [
        ("stopped", "stopped_outside", "it was stopped in AWS"),
        ("too_long", "fault", "SAGEMAKER_MAX_HOURS: as AWS says; expected more hours"),
        ("mendable", "fault", "as AWS says"),
    ],
)
def test_user_errors_fail_the_job_at_once(fresh: RemoteJob, meaning: Any, code: str, reason: str) -> None:
    job = after(meaning)(fresh)
    assert (job.state, job.mendable, job.reports[-1].code) == ("failed", True, code)
    assert reason in job.status.error  # type: ignore[operator]


@pytest.mark.parametrize(("flaw", "code"), [("missing", "missing_output"), ("truncated", "bad_output")])
def test_unusable_output_is_named(fresh: RemoteJob, flaw: Any, code: str) -> None:
    job = handle_bad_output(fresh, CLUSTER, BadOutput("trials-00000.json", flaw), NOW)
    assert (job.state, job.reports[-1].code, job.reports[-1].reason) == ("queued", code, f"trials-00000.json: {flaw}")


def test_a_job_of_another_version_is_known(fresh: RemoteJob) -> None:
    assert not is_outdated(fresh)
    assert is_outdated(fresh.with_changes(work=fresh.work.model_copy(update={"code": "f" * 64})))
