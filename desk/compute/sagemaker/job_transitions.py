"""State transitions of a remote job after an attempt: retry, completion or failure. Makes no calls."""

import secrets
from datetime import datetime, timedelta

from desk.base.code_version import code_version
from desk.compute.container.job_files import BadOutput, Work
from desk.compute.sagemaker.job_repository import Attempt, RemoteJob, job_name
from desk.compute.sagemaker.processing import Cluster, Outcome, is_capacity, plain
from desk.optimization.jobs import ReportCode, SearchJob

FIRST_PAUSE = timedelta(minutes=1)
"""Pause after a lack of capacity; each further pause is twice as long."""


def start_job(job: SearchJob, data: str, cluster: Cluster, before: RemoteJob | None, now: datetime) -> RemoteJob:
    """A new job, or the resubmission of one that failed or was cancelled."""
    work = Work(code=code_version(), data=data, job=job, key=secrets.token_hex(32))
    if before is None:
        first = Attempt(number=1, instances=cluster.instances, instance_type=cluster.instance_type)
        return RemoteJob(name=job_name(job.id()), work=work, attempts=(first,), begun=now)
    same = (before.work.code, before.work.data) == (work.code, work.data)
    number = before.attempt.number + 1
    next_ = Attempt(number=number, instances=cluster.instances, instance_type=cluster.instance_type)
    return RemoteJob(
        name=before.name,
        work=work,
        attempts=(*before.attempts, next_),
        first=number,
        begun=now,
        done=before.done if same else 0,
        best=before.best if same else None,
        reports=before.reports,
    )


def handle_refusal(job: RemoteJob, cluster: Cluster, code: str, message: str, now: datetime) -> RemoteJob:
    """The job after AWS rejected the creation of its attempt."""
    reason = plain(f"{code}: {message}")
    if code.startswith("ResourceLimitExceeded"):
        count, type_ = job.attempt.instances, job.attempt.instance_type
        quota = f"{type_} for processing job usage"
        sentence = (
            f"SAGEMAKER_INSTANCES: the account's quota has no room for {count} x {type_}; expected fewer, or as many "
            f"later, another SAGEMAKER_INSTANCE_TYPE, or a higher quota {quota!r}"
        )
        return fail_job(job, sentence, reason)
    if is_capacity(reason):
        return retry_or_fail(job, cluster, "capacity", reason, now)
    return job.with_report("fault", reason).with_changes(state="failed", error=f"SageMaker refuses the job: {reason}")


def skip_attempt(job: RemoteJob) -> RemoteJob:
    """The job with the next attempt, because an old processing job already has this attempt's name."""
    next_attempt = _next_attempt(job, None)
    return job.with_changes(attempts=(*job.attempts, next_attempt), first=next_attempt.number)


def handle_outcome(job: RemoteJob, cluster: Cluster, outcome: Outcome, now: datetime) -> RemoteJob:
    """The job after its attempt ended without a result."""
    reason = outcome.reason
    match outcome.meaning:
        case "lost" | "capacity" | "fault":
            return retry_or_fail(job, cluster, outcome.meaning, reason, now)
        case "stopped":
            sentence = f"{job.attempt_name}: it was stopped in AWS; submit the job again to continue it"
            return job.with_report("stopped_outside", sentence).with_changes(
                state="failed", error=sentence, mendable=True
            )
        case "too_long":
            sentence = f"SAGEMAKER_MAX_HOURS: {reason}; expected more hours, or more SAGEMAKER_INSTANCES"
            return fail_job(job, sentence, reason)
        case _:
            return fail_job(job, reason, reason)


def handle_bad_output(job: RemoteJob, cluster: Cluster, bad: BadOutput, now: datetime) -> RemoteJob:
    """The job after its attempt wrote incomplete or invalid output."""
    return retry_or_fail(job, cluster, "missing_output" if bad.flaw == "missing" else "bad_output", str(bad), now)


def fail_job(job: RemoteJob, sentence: str, reason: str) -> RemoteJob:
    """The job failed for a reason that the user can fix."""
    return job.with_report("fault", reason).with_changes(state="failed", error=sentence, mendable=True)


def retry_or_fail(job: RemoteJob, cluster: Cluster, code: ReportCode, reason: str, now: datetime) -> RemoteJob:
    """The job with its next attempt, which reuses stored shards, or failed after the last allowed attempt."""
    last = job.attempt
    is_repeated = code == "fault" and any(
        (report.attempt, report.code, report.reason) == (last.number - 1, code, reason) for report in job.reports
    )
    job = job.with_report(code, reason)
    tries = last.number - job.first + 1
    if tries >= cluster.attempts or is_repeated:
        sentence = f"{job.attempt_name}, the last of {tries} attempts: {reason}"
        return job.with_changes(state="failed", error=sentence, mendable=code == "capacity")
    next_attempt = _next_attempt(job, now if code == "capacity" else None)
    return job.with_changes(state="queued", attempts=(*job.attempts, next_attempt))


def is_outdated(job: RemoteJob) -> bool:
    """Whether another version of the program started the job; an image of this version cannot continue it."""
    return job.work.code != code_version()


def _next_attempt(job: RemoteJob, no_capacity_at: datetime | None) -> Attempt:
    """The next attempt, on the approved instances even if the settings have changed."""
    last = job.attempt
    next_attempt = Attempt(number=last.number + 1, instances=last.instances, instance_type=last.instance_type)
    if no_capacity_at is None:
        return next_attempt
    times = len([report for report in job.reports if report.code == "capacity" and report.attempt >= job.first])
    instances = max(1, last.instances // 2) if times % 2 == 0 else last.instances
    pause = FIRST_PAUSE * 2 ** (times - 1)
    return next_attempt.model_copy(update={"instances": instances, "not_before": no_capacity_at + pause})
