"""The runner against a fleet whose containers write prepared results."""

import asyncio
import hashlib
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import closing
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from desk.base.clock import utc_now
from desk.base.code_version import code_version
from desk.base.errors import NotFound, UserError
from desk.compute.container.job_files import Summary, Work, checkpoint_name, encode_summary, encode_trials
from desk.compute.sagemaker.aws_client import AwsClient
from desk.compute.sagemaker.job_repository import INDEX, KIND, RETENTION, job_name
from desk.compute.sagemaker.job_results import MAX_FILES
from desk.compute.sagemaker.processing import Cluster
from desk.compute.sagemaker.runner import IN_FLIGHT, SageMakerRunner, check_access
from desk.governance.estimates import Machines
from desk.optimization.jobs import JobStatus, SearchJob
from desk.optimization.repositories.trial_repository import load_trials
from store.embedded import open_store
from store.errors import Unavailable
from store.keys import SYSTEM
from store.records import Key
from store.store import Store
from tests.doubles.aws import moto, point_at
from tests.doubles.sagemaker import fixed_results
from tests.doubles.sagemaker.fleet import IMAGE_URI, ROLE, Fleet
from tests.doubles.sagemaker.job import Behaviour
from tests.soak_variants import a_few

pytestmark = pytest.mark.anyio

ACCOUNT = "123456789012"
RUNS = count()


class Amazon:
    """A fleet of containers with prepared results, a bucket and clients; created once, because that takes a second."""

    def __init__(self, fleet: Fleet, folder: Path, sagemaker: AwsClient, s3: AwsClient) -> None:
        self.fleet, self.folder, self.sagemaker, self.s3 = fleet, folder, sagemaker, s3
        self.bucket = fleet.aws.bucket("desks")


@pytest.fixture(scope="module")
def amazon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Amazon]:
    folder = tmp_path_factory.mktemp("image")
    image = (sys.executable, "-S", fixed_results.__file__, str(folder))
    conduct = Behaviour(upload_every=0.02, grace=0.2, image=image)
    with moto() as aws, Fleet(aws, folder / "fleet", conduct) as fleet, pytest.MonkeyPatch.context() as monkeypatch:
        point_at(monkeypatch, aws.url)
        for name, value in fleet.environment.items():
            monkeypatch.setenv(name, value)
        with closing(AwsClient("sagemaker")) as sagemaker, closing(AwsClient("s3")) as s3:
            yield Amazon(fleet, folder, sagemaker, s3)
        assert fleet.violations == []


class Case:
    """A job, the output of its containers, and runners that know the job from the store only."""

    def __init__(self, amazon: Amazon, job: SearchJob, finished_search: Any, store: Store, prices: Any) -> None:
        self.amazon, self.job, self.store = amazon, job, store
        self.name = job_name(job.id())
        self.now = utc_now()
        self._prices = prices
        self._folder = amazon.folder / self.name
        self.result = self._folder / "result"
        leave(self.result, job, finished_search)
        self.attempts()

    def attempts(self, **behaviours: Any) -> None:
        """Deviations from a successful container by attempt, the first of which is `a1`."""
        (self._folder / "attempts.json").write_text(json.dumps({name[1:]: does for name, does in behaviours.items()}))

    def runner(self, sagemaker: AwsClient | None = None, **changes: Any) -> SageMakerRunner:
        cluster = {"image": IMAGE_URI, "role": ROLE, "bucket": self.amazon.bucket, "prefix": "desk", "instances": 1}

        async def prices(owner: str, request: Any) -> Any:
            assert (owner, request) == (self.job.owner, self.job.request)
            return self._prices

        return SageMakerRunner(
            self.store,
            prices,
            Cluster.model_validate(cluster | changes),
            Machines(kind="sagemaker"),
            sagemaker=sagemaker or self.amazon.sagemaker,
            s3=self.amazon.s3,
            now=lambda: self.now,
        )

    async def until(self, runner: SageMakerRunner, true: Callable[[JobStatus], bool]) -> JobStatus:
        status = await runner.status(self.job.id())
        while not true(status):
            await asyncio.sleep(0.04)  # each look is four requests
            status = await runner.status(self.job.id())
        return status

    async def wait_until_finished(self, runner: SageMakerRunner) -> JobStatus:
        return await self.until(runner, lambda status: status.state not in ("queued", "running"))

    async def search(self, **changes: Any) -> JobStatus:
        runner = self.runner(**changes)
        await runner.submit(self.job)
        return await self.wait_until_finished(runner)

    async def trials(self) -> tuple[Any, ...]:
        return await load_trials(self.store, self.job.owner, self.job.run)

    @property
    def jobs(self) -> list[str]:
        return [name for name in self.amazon.fleet.jobs if name.startswith(self.name)]

    @property
    def requests(self) -> list[Any]:
        calls = self.amazon.fleet.requests_of("CreateProcessingJob")
        return [request for request in calls if request["ProcessingJobName"].startswith(self.name)]


def leave(folder: Path, job: SearchJob, finished_search: Any, *, empty: int = 0) -> None:
    """What a container of this job leaves, which has found what `searched` did; so many files hold no trial."""
    folder.mkdir(parents=True, exist_ok=True)
    work = Work(code=code_version(), data=finished_search.world.market.data_digest, job=job, key="0" * 32)
    status = JobStatus(id=job.id(), state="running", done=12, total=12, best=0.5)
    parts = [[]] * empty + [finished_search.saved[:10], finished_search.saved[10:]]
    files = {checkpoint_name(n): encode_trials(work, part) for n, part in enumerate(parts)}
    files["progress.json"] = status.model_dump_json().encode()
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    summary = Summary(code=work.code, data=work.data, job=job.id(), stopped="budget", trials=12, files=digests)
    files["summary.json"] = encode_summary(summary)
    for name, content in files.items():
        (folder / name).write_bytes(content)


@pytest.fixture
async def case(amazon: Amazon, job: Any, finished_search: Any, prices: Any, tmp_path: Path) -> AsyncIterator[Case]:
    async with open_store(tmp_path) as store:
        yield Case(amazon, job(finished_search.world.request, run=f"run{next(RUNS)}"), finished_search, store, prices)


def report_codes(status: JobStatus) -> list[tuple[int, str]]:
    return [(report.attempt, report.code) for report in status.reports]


async def test_a_processing_job_and_this_process_compute_equal_trials(case: Case, finished_search: Any) -> None:
    status = await case.search(tags=(("team", "allocation"),))
    assert (status.state, status.stopped, status.done, status.total, status.best) == (
        "completed",
        "budget",
        12,
        12,
        0.5,
    )
    assert await case.trials() == finished_search.trials
    name = case.name
    (request,) = case.requests
    assert request["ProcessingJobName"] == f"{name}-1"
    assert request["AppSpecification"] == {"ImageUri": IMAGE_URI, "ContainerArguments": ["worker"]}
    assert [each["InputName"] for each in request["ProcessingInputs"]] == ["work"]
    assert case.job.owner not in json.dumps(request)
    assert {"Key": "team", "Value": "allocation"} in request["Tags"]
    place = f"s3://{case.amazon.bucket}/desk/jobs/{name}/work"
    keys = [uri.rpartition("/")[2] for uri in case.amazon.fleet.objects(place)]
    assert keys == ["known.json", "prices.npz", "work.json"]
    assert report_codes(status) == [(1, "begun")]


async def test_any_process_finds_the_job(case: Case) -> None:
    case.attempts(a1={"waits": True, "without": ["summary.json", "trials-00001.json"]})
    first, second = case.runner(), case.runner()
    with pytest.raises(NotFound, match="does not exist"):
        await second.status(case.job.id())
    await asyncio.gather(first.submit(case.job), second.submit(case.job))
    await case.until(second, lambda status: status.done == 10)
    status = await first.status(case.job.id())
    assert (status.state, status.done, status.best) == ("running", 10, 0.5)
    assert len(await case.trials()) == 10
    assert len(case.jobs) == 1


async def test_a_job_whose_creation_failed_is_created_later(case: Case) -> None:
    case.amazon.fleet.refuse("CreateProcessingJob", "ExpiredTokenException", "no account stands here")
    runner = case.runner()
    with pytest.raises(Unavailable, match="the credentials have expired"):
        await runner.submit(case.job)
    assert case.jobs == []
    again = case.runner()
    assert (await again.status(case.job.id())).state == "queued"
    assert (await case.wait_until_finished(again)).state == "completed"


async def test_a_finished_job_is_not_created_again(case: Case) -> None:
    first = await case.search()
    assert await case.search() == first
    assert len(case.jobs) == 1


async def expire_records(case: Case) -> None:
    """Expire the records of the job."""
    assert await case.store.records.delete(Key(SYSTEM, INDEX, case.name))
    assert await case.store.records.delete(Key(case.job.owner, KIND, case.name))
    case.now += RETENTION


@pytest.mark.parametrize("code", [pytest.param("ResourceInUse", marks=pytest.mark.soak), "ValidationException"])
async def test_a_job_whose_name_exists_in_aws_takes_the_next_number(
    case: Case, finished_search: Any, code: str
) -> None:
    dies = {"dies": True, "without": ["summary.json"]}
    case.attempts(a1=dies, a2={"waits": True})
    runner = case.runner(attempts=2)
    await runner.submit(case.job)
    await case.until(runner, lambda status: len(status.reports) == 3)
    await expire_records(case)
    case.amazon.fleet.refuse("CreateProcessingJob", code, "a job with this name already exists")
    status = await case.search(attempts=1)
    assert (status.state, report_codes(status)) == ("completed", [(3, "begun")])
    assert await case.trials() == finished_search.trials
    assert case.jobs == [f"{case.name}-{number}" for number in (1, 2, 3)]
    assert case.amazon.fleet.wait(f"{case.name}-2")["ProcessingJobStatus"] == "Stopped"  # although no record names it


async def test_denied_permission_names_action_and_role(case: Case) -> None:
    message = f"User: arn:aws:iam::{ACCOUNT}:user/x is not authorized to perform: iam:PassRole on resource: {ROLE}"
    case.amazon.fleet.refuse("CreateProcessingJob", "AccessDeniedException", message)
    status = await case.search()
    assert (status.state, status.mendable, report_codes(status)) == ("failed", True, [(1, "fault")])
    assert status.error is not None
    assert "denies iam:PassRole" in status.error
    assert "'fleet' (SAGEMAKER_ROLE)" in status.error
    assert ACCOUNT not in status.model_dump_json()
    status = await case.search()
    assert (status.state, report_codes(status)) == ("completed", [(1, "fault"), (2, "begun")])


async def test_a_quota_that_is_exceeded_is_named(case: Case) -> None:
    case.amazon.fleet.refuse("CreateProcessingJob", "ResourceLimitExceeded", f"The limit in {ACCOUNT} is 0 Instances")
    status = await case.search(instances=4)
    assert (status.state, status.mendable) == ("failed", True)
    assert status.error is not None
    assert "no room for 4 x ml.c5.4xlarge" in status.error
    assert "'ml.c5.4xlarge for processing job usage'" in status.error
    assert ACCOUNT not in status.model_dump_json()


async def test_a_request_that_aws_refuses_is_a_fault(case: Case) -> None:
    case.amazon.fleet.refuse("CreateProcessingJob", "ValidationException", "the role cannot be assumed")
    status = await case.search()
    assert (status.state, status.mendable, report_codes(status)) == ("failed", False, [(1, "fault")])
    assert status.error == "SageMaker refuses the job: ValidationException: the role cannot be assumed"


async def test_a_throttled_call_is_retried(case: Case) -> None:
    case.amazon.fleet.refuse("CreateProcessingJob", "ThrottlingException", "Rate exceeded")
    status = await case.search()
    assert (status.state, report_codes(status)) == ("completed", [(1, "begun")])


async def test_access_is_checked_before_a_job(amazon: Amazon) -> None:
    cluster = Cluster(image=IMAGE_URI, role=ROLE, bucket=amazon.bucket)
    await check_access(cluster)
    amazon.fleet.refuse("DescribeProcessingJob", "AccessDeniedException", "no")
    with pytest.raises(UserError, match="AWS denies sagemaker:DescribeProcessingJob"):
        await check_access(cluster)
    with pytest.raises(UserError, match="the bucket 'nowhere-at-all' does not exist"):
        await check_access(cluster.model_copy(update={"bucket": "nowhere-at-all"}))


@pytest.mark.soak
async def test_throttled_calls_can_be_repeated_later(case: Case) -> None:
    case.amazon.fleet.refuse("CreateProcessingJob", "ThrottlingException", "Rate exceeded", times=4)
    with pytest.raises(Unavailable, match="sagemaker is unavailable"):
        await case.search()
    assert (await case.search()).state == "completed"


async def test_without_capacity_a_job_waits_and_then_takes_fewer_instances(case: Case) -> None:
    case.amazon.fleet.no_capacity(times=2)
    runner = case.runner(instances=2)
    await runner.submit(case.job)
    status = await case.until(runner, lambda status: report_codes(status) == [(1, "begun"), (1, "capacity")])
    assert (status.state, len(case.jobs)) == ("queued", 1)
    assert "Unable to provision" in status.reports[-1].reason
    case.now += timedelta(seconds=59)
    assert report_codes(await runner.status(case.job.id())) == report_codes(status)
    case.now += timedelta(seconds=1)
    await case.until(runner, lambda status: len(status.reports) == 4)
    case.now += timedelta(seconds=119)
    assert len((await runner.status(case.job.id())).reports) == 4
    case.now += timedelta(seconds=1)
    status = await case.wait_until_finished(runner)
    assert (status.state, report_codes(status)[4:]) == ("completed", [(3, "begun")])
    sizes = [r["ProcessingResources"]["ClusterConfig"]["InstanceCount"] for r in case.requests]
    assert sizes == [2, 2, 1]


async def test_a_lost_instance_starts_another_attempt_with_the_shards_of_the_first(
    case: Case, finished_search: Any
) -> None:
    case.attempts(a1={"dies": True, "without": ["summary.json", "trials-00001.json"]})
    status = await case.search()
    assert (status.state, report_codes(status)) == ("completed", [(1, "begun"), (1, "lost"), (2, "begun")])
    inputs = [[each["InputName"] for each in r["ProcessingInputs"]] for r in case.requests]
    assert inputs == [["work"], ["work", "shards"]]
    assert await case.trials() == finished_search.trials


async def test_a_job_continues_on_its_original_instances(case: Case) -> None:
    case.attempts(a1={"dies": True, "without": ["summary.json"]})
    await case.runner(instance_type="ml.c5.2xlarge").submit(case.job)
    assert (
        await case.wait_until_finished(case.runner(instance_type="ml.c5.18xlarge", instances=2))
    ).state == "completed"
    calls = [request["ProcessingResources"]["ClusterConfig"] for request in case.requests]
    assert [(each["InstanceCount"], each["InstanceType"]) for each in calls] == [(1, "ml.c5.2xlarge")] * 2


async def test_a_complete_result_counts_despite_a_later_loss_of_an_instance(case: Case, finished_search: Any) -> None:
    case.attempts(a1={"dies": True})
    status = await case.search()
    assert (status.state, report_codes(status)) == ("completed", [(1, "begun")])
    assert await case.trials() == finished_search.trials


@pytest.mark.soak
async def test_attempts_are_limited(case: Case) -> None:
    dies = {"dies": True, "without": ["summary.json"]}
    case.attempts(a1=dies, a2=dies)
    status = await case.search(attempts=2)
    assert (status.state, status.mendable, len(case.jobs)) == ("failed", False, 2)
    assert status.error is not None
    assert "-2, the last of 2 attempts: AlgorithmError" in status.error
    status = await case.search(attempts=2)
    assert (status.state, report_codes(status)[-1]) == ("completed", (3, "begun"))


async def test_a_user_error_of_a_container_fails_the_job_at_once(case: Case) -> None:
    case.attempts(
        a1={"code": 2, "message": "prices.npz: it cannot be read; expected another", "without": ["summary.json"]}
    )
    status = await case.search()
    assert (status.state, status.mendable, len(case.jobs)) == ("failed", True, 1)
    assert status.error == "prices.npz: it cannot be read; expected another"


@pytest.mark.soak
async def test_a_fault_is_retried_and_a_repeated_one_is_not(case: Case) -> None:
    fault = {"code": 1, "message": "A fault ended the worker: KeyError", "without": ["summary.json"]}
    case.attempts(a1=fault, a2=fault)
    status = await case.search(attempts=9)
    assert (status.state, status.mendable) == ("failed", False)
    assert report_codes(status) == [(1, "begun"), (1, "fault"), (2, "begun"), (2, "fault")]


async def test_a_job_stopped_in_aws_is_not_restarted(case: Case) -> None:
    case.attempts(a1={"waits": True, "without": ["summary.json"]})
    runner = case.runner()
    await runner.submit(case.job)
    case.amazon.fleet.stop_from_console(f"{case.name}-1")
    status = await case.wait_until_finished(runner)
    assert (status.state, status.mendable, report_codes(status)[-1]) == ("failed", True, (1, "stopped_outside"))
    assert status.error is not None
    assert "it was stopped in AWS" in status.error
    await runner.submit(case.job)
    assert (await case.wait_until_finished(runner)).state == "completed"


SPOILED: dict[str, tuple[Any, str]] = {
    "summary.json: missing": ({"without": ["summary.json"]}, "missing_output"),
    "trials-00001.json: missing": ({"without": ["trials-00001.json"]}, "missing_output"),
    "trials-00000.json: truncated": ({"cut": {"trials-00000.json": 900}}, "bad_output"),
    "trials-00001.json: damaged": ({"besides": {"trials-00001.json": "other\n{}"}}, "bad_output"),
    "summary.json: truncated": ({"cut": {"summary.json": 90}}, "bad_output"),
    "progress.json: damaged": ({"besides": {"progress.json": "{}"}}, "bad_output"),
}


@pytest.mark.parametrize("reason", a_few(SPOILED, "summary.json: missing", "trials-00000.json: truncated"))
async def test_incomplete_output_is_named_and_computed_again(case: Case, finished_search: Any, reason: str) -> None:
    does, code = SPOILED[reason]
    case.attempts(a1=does)
    status = await case.search()
    assert (status.state, report_codes(status)) == ("completed", [(1, "begun"), (1, code), (2, "begun")])
    assert status.reports[1].reason.startswith(reason)
    assert await case.trials() == finished_search.trials


async def test_shards_rejected_by_a_container_are_reported(case: Case) -> None:
    case.attempts(a1={"besides": {"refused.json": json.dumps([{"id": "ab" * 32, "reason": "truncated"}])}})
    status = await case.search()
    (bad,) = [report for report in status.reports if report.code == "bad_shard"]
    assert (bad.attempt, bad.name, bad.reason) == (1, "ab" * 32, "truncated")


async def test_a_cancelled_job_is_stopped_and_stays_cancelled(case: Case) -> None:
    case.attempts(a1={"waits": True})
    runner = case.runner()
    assert (await runner.cancel(case.job.id())).state == "cancelled"  # it was never submitted
    await runner.submit(case.job)
    assert (await runner.cancel(case.job.id())).state == "cancelled"
    assert case.amazon.fleet.wait(f"{case.name}-1")["ProcessingJobStatus"] == "Stopped"
    assert (await runner.status(case.job.id())).state == "cancelled"
    assert (await runner.cancel(case.job.id())).state == "cancelled"
    stops = [request["ProcessingJobName"] for request in case.amazon.fleet.requests_of("StopProcessingJob")]
    assert stops.count(f"{case.name}-1") == 1
    await runner.submit(case.job)
    assert (await case.wait_until_finished(runner)).state == "completed"


async def test_a_cancelled_job_is_stopped_as_soon_as_aws_answers(case: Case) -> None:
    case.attempts(a1={"waits": True})
    runner = case.runner()
    await runner.submit(case.job)
    case.amazon.fleet.refuse("StopProcessingJob", "ExpiredTokenException")
    with pytest.raises(Unavailable):
        await runner.cancel(case.job.id())
    assert (await runner.status(case.job.id())).state == "cancelled"
    assert case.amazon.fleet.wait(f"{case.name}-1")["ProcessingJobStatus"] == "Stopped"


async def test_a_restarted_job_does_not_run_beside_its_predecessor(case: Case) -> None:
    case.attempts(a1={"waits": True})
    runner = case.runner()
    await runner.submit(case.job)
    case.amazon.fleet.refuse("StopProcessingJob", "ExpiredTokenException")
    with pytest.raises(Unavailable):
        await runner.cancel(case.job.id())
    await runner.submit(case.job)
    assert case.amazon.fleet.wait(f"{case.name}-1")["ProcessingJobStatus"] == "Stopped"
    assert (await case.wait_until_finished(runner)).state == "completed"
    assert case.jobs == [f"{case.name}-1", f"{case.name}-2"]


class Late(AwsClient):
    """Awaits `first` before the first call."""

    def __init__(self, calls: AwsClient, first: Callable[[], Awaitable[object]]) -> None:
        self._calls, self._firsts = calls, [first]

    async def __call__(self, call: Callable[[Any], Any]) -> Any:
        while self._firsts:
            await self._firsts.pop()()
        return await self._calls(call)


async def test_a_job_cancelled_during_its_creation_is_stopped(case: Case) -> None:
    case.attempts(a1={"waits": True})
    runner = case.runner(Late(case.amazon.sagemaker, lambda: case.runner().cancel(case.job.id())))
    assert (await runner.submit(case.job)).state == "cancelled"
    assert case.amazon.fleet.wait(f"{case.name}-1")["ProcessingJobStatus"] == "Stopped"


class Died(Exception):
    """The simulated process is dead."""


class Dying(AwsClient):
    """A process that dies after it sent a request for a job that AWS has not received yet."""

    def __init__(self, calls: AwsClient) -> None:
        self._calls = calls
        self.request: dict[str, Any] = {}

    async def __call__(self, call: Callable[[Any], Any]) -> Any:
        return await self._calls(lambda client: call(_Leaving(client, self)))


class _Leaving:
    def __init__(self, client: Any, process: Dying) -> None:
        self._client, self._process = client, process

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def create_processing_job(self, **request: Any) -> Any:
        self._process.request = request
        raise Died


@pytest.fixture
async def dead(case: Case) -> Dying:
    case.attempts(a1={"waits": True})
    process = Dying(case.amazon.sagemaker)
    with pytest.raises(Died):
        await case.runner(process).submit(case.job)
    return process


async def test_a_job_created_after_its_cancellation_is_stopped(case: Case, dead: Dying) -> None:
    runner = case.runner()
    for _ in range(2):
        status = await runner.cancel(case.job.id())
        assert (status.state, status.stopping, case.jobs) == ("cancelled", True, [])
    case.amazon.fleet.client().create_processing_job(**dead.request)
    status = await runner.cancel(case.job.id())
    assert (status.state, status.stopping) == ("cancelled", False)
    assert case.amazon.fleet.wait(f"{case.name}-1")["ProcessingJobStatus"] == "Stopped"


async def test_the_search_for_a_job_that_was_never_created_ends(case: Case, dead: Dying) -> None:
    runner = case.runner()
    assert dead.request["ProcessingJobName"] == f"{case.name}-1"
    assert (await runner.cancel(case.job.id())).stopping
    case.now += IN_FLIGHT - timedelta(seconds=1)
    assert (await runner.cancel(case.job.id())).stopping
    case.now += timedelta(seconds=1)
    assert not (await runner.cancel(case.job.id())).stopping
    calls = len(case.amazon.fleet.requests_of("DescribeProcessingJob"))
    assert (await runner.cancel(case.job.id())).state == "cancelled"
    assert len(case.amazon.fleet.requests_of("DescribeProcessingJob")) == calls


async def test_a_late_job_beside_its_next_attempt_is_stopped(case: Case, dead: Dying) -> None:
    runner = case.runner()
    await runner.cancel(case.job.id())
    await runner.submit(case.job)
    case.amazon.fleet.client().create_processing_job(**dead.request)
    assert (await case.wait_until_finished(runner)).state == "completed"
    assert not (await runner.cancel(case.job.id())).stopping
    assert case.amazon.fleet.wait(f"{case.name}-1")["ProcessingJobStatus"] == "Stopped"
    assert sorted(case.jobs) == [f"{case.name}-1", f"{case.name}-2"]


async def test_a_request_of_a_killed_process_leads_to_one_job(case: Case, dead: Dying) -> None:
    case.attempts()
    case.amazon.fleet.client().create_processing_job(**dead.request)
    status = await case.search()
    assert (status.state, status.stopping, case.jobs) == ("completed", False, [f"{case.name}-1"])


@pytest.mark.soak
async def test_results_of_hours_are_imported_in_several_steps(case: Case, finished_search: Any) -> None:
    leave(case.result, case.job, finished_search, empty=MAX_FILES)
    runner = case.runner()
    await runner.submit(case.job)
    case.amazon.fleet.wait(f"{case.name}-1")
    assert ((await runner.status(case.job.id())).done, case.jobs) == (0, [f"{case.name}-1"])
    assert (await runner.status(case.job.id())).state == "completed"
    assert await case.trials() == finished_search.trials


async def test_a_missing_bucket_is_reported(case: Case) -> None:
    with pytest.raises(UserError, match="SAGEMAKER_STORAGE: the bucket 'nowhere-at-all' does not exist"):
        await case.search(bucket="nowhere-at-all")


async def test_a_key_seals_what_is_written(case: Case) -> None:
    await case.search(kms_key="desk-key", subnets=("subnet-0a",), security_groups=("sg-0a",))
    (request,) = case.requests
    assert request["ProcessingOutputConfig"]["KmsKeyId"] == "desk-key"
    assert request["ProcessingResources"]["ClusterConfig"]["VolumeKmsKeyId"] == "desk-key"
    assert request["NetworkConfig"]["VpcConfig"] == {"Subnets": ["subnet-0a"], "SecurityGroupIds": ["sg-0a"]}
    key = f"desk/jobs/{case.name}/work/work.json"
    head = case.amazon.fleet.s3.head_object(Bucket=case.amazon.bucket, Key=key)
    assert (head["ServerSideEncryption"], head["SSEKMSKeyId"].endswith("desk-key")) == ("aws:kms", True)
