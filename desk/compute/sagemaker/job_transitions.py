"""What follows from what AWS says of a job's attempt: the next one, or the end. Nothing is called here."""

import secrets
from datetime import datetime, timedelta

from desk.base.code_version import code_version
from desk.compute.container.job_files import BadOutput, Work
from desk.compute.sagemaker.job_repository import Attempt, RemoteJob, job_name
from desk.compute.sagemaker.processing import Cluster, Outcome, is_capacity, plain
from desk.optimization.jobs import ReportCode, SearchJob

FIRST_PAUSE = timedelta(minutes=1)
"""After there was no capacity; each further one is twice as long."""


def begun(job: SearchJob, data: str, cluster: Cluster, before: RemoteJob | None, now: datetime) -> RemoteJob:
    """A new job, or a new start of one that failed or was cancelled."""
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


def refused(job: RemoteJob, cluster: Cluster, code: str, message: str, now: datetime) -> RemoteJob:
    """AWS makes no processing job."""
    told = plain(f"{code}: {message}")
    if code.startswith("ResourceLimitExceeded"):
        count, type_ = job.attempt.instances, job.attempt.instance_type
        quota = f"{type_} for processing job usage"
        sentence = (
            f"SAGEMAKER_INSTANCES: the account's quota has no room for {count} x {type_}; expected fewer, or as many "
            f"later, another SAGEMAKER_INSTANCE_TYPE, or a higher quota {quota!r}"
        )
        return ended(job, sentence, told)
    if is_capacity(told):
        return again(job, cluster, "capacity", told, now)
    return job.telling("fault", told).changed(state="failed", error=f"SageMaker refuses the job: {told}")


def passed_over(job: RemoteJob) -> RemoteJob:
    """A forgotten job has the name of the attempt; the next one finds its shards."""
    following = _following(job, None)
    return job.changed(attempts=(*job.attempts, following), first=following.number)


def judged(job: RemoteJob, cluster: Cluster, outcome: Outcome, now: datetime) -> RemoteJob:
    """The attempt ended without a result."""
    reason = outcome.reason
    match outcome.meaning:
        case "lost" | "capacity" | "fault":
            return again(job, cluster, outcome.meaning, reason, now)
        case "stopped":
            sentence = f"{job.attempt_name}: it was stopped in AWS; submit the job again to continue it"
            return job.telling("stopped_outside", sentence).changed(state="failed", error=sentence, mendable=True)
        case "too_long":
            sentence = f"SAGEMAKER_MAX_HOURS: {reason}; expected more hours, or more SAGEMAKER_INSTANCES"
            return ended(job, sentence, reason)
        case _:
            return ended(job, reason, reason)


def spoiled(job: RemoteJob, cluster: Cluster, bad: BadOutput, now: datetime) -> RemoteJob:
    """The attempt left what must not be used, or not all."""
    return again(job, cluster, "missing_output" if bad.flaw == "missing" else "bad_output", str(bad), now)


def ended(job: RemoteJob, sentence: str, reason: str) -> RemoteJob:
    """With what somebody can mend."""
    return job.telling("fault", reason).changed(state="failed", error=sentence, mendable=True)


def again(job: RemoteJob, cluster: Cluster, code: ReportCode, reason: str, now: datetime) -> RemoteJob:
    """The next attempt, which finds the shards of those before, or the end where there were enough."""
    last = job.attempt
    repeated = code == "fault" and any(
        (each.attempt, each.code, each.reason) == (last.number - 1, code, reason) for each in job.reports
    )
    job = job.telling(code, reason)
    tried = last.number - job.first + 1
    if tried >= cluster.attempts or repeated:
        sentence = f"{job.attempt_name}, the last of {tried} attempts: {reason}"
        return job.changed(state="failed", error=sentence, mendable=code == "capacity")
    following = _following(job, now if code == "capacity" else None)
    return job.changed(state="queued", attempts=(*job.attempts, following))


def outdated(job: RemoteJob) -> bool:
    """Whether another version of the program began the job: an image of this one cannot go on with it."""
    return job.work.code != code_version()


def _following(job: RemoteJob, no_capacity_at: datetime | None) -> Attempt:
    """On the instances that were approved, whatever the settings are by now."""
    last = job.attempt
    following = Attempt(number=last.number + 1, instances=last.instances, instance_type=last.instance_type)
    if no_capacity_at is None:
        return following
    times = len([each for each in job.reports if each.code == "capacity" and each.attempt >= job.first])
    instances = max(1, last.instances // 2) if times % 2 == 0 else last.instances
    pause = FIRST_PAUSE * 2 ** (times - 1)
    return following.model_copy(update={"instances": instances, "not_before": no_capacity_at + pause})
