"""The runner against a fleet of real workers: trials equal those of a local search despite failures."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import closing
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from desk.compute.container.job_files import ShardCounts
from desk.compute.sagemaker.aws_client import AwsClient
from desk.compute.sagemaker.job_repository import job_name
from desk.compute.sagemaker.processing import Cluster
from desk.compute.sagemaker.runner import SageMakerRunner
from desk.governance.estimates import Machines
from desk.optimization.jobs import JobStatus, SearchJob
from desk.optimization.repositories.trial_repository import load_trials
from quant.strategies.trial import Trial
from store.embedded import open_store
from store.store import Store
from tests.doubles.aws import moto, point_at
from tests.doubles.sagemaker.fleet import IMAGE_URI, ROLE, Fleet
from tests.doubles.sagemaker.job import Behaviour

pytestmark = pytest.mark.anyio

RUNS = count()


class Cloud:
    def __init__(self, fleet: Fleet, sagemaker: AwsClient, s3: AwsClient) -> None:
        self.fleet, self.sagemaker, self.s3 = fleet, sagemaker, s3
        self.bucket = fleet.aws.bucket("searches")


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    folder = tmp_path_factory.mktemp("fleet") / "fleet"
    with (
        moto() as aws,
        Fleet(aws, folder, Behaviour(upload_every=0.05)) as fleet,
        pytest.MonkeyPatch.context() as patch,
    ):
        point_at(patch, aws.url)
        for name, value in fleet.environment.items():
            patch.setenv(name, value)
        with closing(AwsClient("sagemaker")) as sagemaker, closing(AwsClient("s3")) as s3:
            yield Cloud(fleet, sagemaker, s3)
        assert fleet.violations == []


class Search:
    def __init__(self, cloud: Cloud, job: SearchJob, store: Store, prices: Any) -> None:
        self.fleet, self.job, self.store = cloud.fleet, job, store
        self.name = job_name(job.id())
        self._cloud, self._prices = cloud, prices
        self._place = f"s3://{cloud.bucket}/jobs/{self.name}"

    def runner(self, instances: int) -> SageMakerRunner:
        cloud = self._cloud
        cluster = Cluster(image=IMAGE_URI, role=ROLE, bucket=cloud.bucket, instances=instances, attempts=9)

        async def prices(*_: Any) -> Any:
            return self._prices

        machines = Machines(kind="sagemaker")
        return SageMakerRunner(self.store, prices, cluster, machines, sagemaker=cloud.sagemaker, s3=cloud.s3)

    async def wait_until_finished(self, runner: SageMakerRunner) -> JobStatus:
        status = await runner.status(self.job.id())
        while status.state in ("queued", "running"):
            await asyncio.sleep(0.25)  # each look is four requests
            status = await runner.status(self.job.id())
        assert status.state == "completed", (status, self.fleet.log(f"{self.name}-1"))
        return status

    async def trials(self) -> tuple[Trial, ...]:
        return await load_trials(self.store, self.job.owner, self.job.run)

    def shards(self) -> list[str]:
        return self.fleet.objects(f"{self._place}/shards/", like="*.shard")

    def account(self, attempt: int) -> ShardCounts:
        """The counts of shards in a successful attempt."""
        return ShardCounts.model_validate_json(self.fleet.content(f"{self._place}/result/{attempt}/shards.json"))

    async def with_shards(self, attempt: int, least: int) -> None:
        """Wait until this many shards are stored, before the attempt ends."""
        await asyncio.to_thread(
            self.fleet.wait_for, lambda: len(self.shards()) >= least, f"{least} shards of attempt {attempt}", 60.0
        )
        assert not self.fleet.jobs[f"{self.name}-{attempt}"].done.is_set()


@pytest.fixture
async def searches(cloud: Cloud, job: Any, prices: Any, tmp_path: Path) -> AsyncIterator[Callable[..., Search]]:
    async with open_store(tmp_path) as store:
        yield lambda request: Search(cloud, job(request, run=f"run{next(RUNS)}"), store, prices)


@pytest.fixture(scope="module")
def large(make_request: Any, execute_search: Any, world: Any) -> Any:
    """A search that takes a worker several seconds."""
    scenarios = tuple(s.model_copy(update={"paths": 4_096, "years": 5}) for s in world.request.scenarios)
    request = make_request(trials=40, scenarios=scenarios)
    return execute_search(type(world)(world.market, request))


@pytest.mark.soak
@pytest.mark.parametrize("instances", [1, 3])
async def test_workers_find_what_this_process_finds(searches: Any, finished_search: Any, instances: int) -> None:
    search = searches(finished_search.world.request)
    runner = search.runner(instances)
    await runner.submit(search.job)
    status = await search.wait_until_finished(runner)
    assert (status.done, status.stopped) == (12, "budget")
    assert status.best is not None
    assert await search.trials() == finished_search.trials


@pytest.mark.soak
@pytest.mark.parametrize("killed", [0, 1])
async def test_after_an_instance_is_lost_no_stored_shard_is_computed_again(
    searches: Any, large: Any, killed: int
) -> None:
    search = searches(large.world.request)
    runner = search.runner(instances=2)
    await runner.submit(search.job)
    await search.with_shards(1, 10)
    search.fleet.kill(f"{search.name}-1", killed)
    await asyncio.to_thread(search.fleet.wait, f"{search.name}-1")
    shard_count = len(search.shards())
    status = await search.wait_until_finished(runner)
    assert [(r.attempt, r.code) for r in status.reports] == [(1, "begun"), (1, "lost"), (2, "begun")]
    assert await search.trials() == large.trials
    account = search.account(2)
    assert account.found == shard_count
    assert sum(account.computed.values()) == len(search.shards()) - shard_count


@pytest.mark.soak
async def test_a_damaged_shard_is_refused_named_and_computed_again(searches: Any, large: Any) -> None:
    search = searches(large.world.request)
    runner = search.runner(instances=1)
    await runner.submit(search.job)
    await search.with_shards(1, 10)
    search.fleet.kill(f"{search.name}-1", 0)
    await asyncio.to_thread(search.fleet.wait, f"{search.name}-1")
    damaged = search.shards()[0]
    search.fleet.truncate(damaged)
    status = await search.wait_until_finished(runner)
    (bad,) = [report for report in status.reports if report.code == "bad_shard"]
    assert (bad.attempt, bad.reason) == (2, "truncated")
    assert f"/{bad.name}.shard" in damaged
    assert await search.trials() == large.trials
    assert search.account(2).refused == 1


@pytest.mark.soak
async def test_lost_output_is_rebuilt_from_the_shards(searches: Any, finished_search: Any) -> None:
    search = searches(finished_search.world.request)
    search.fleet.lose_output(f"{search.name}-1", "result/summary.json")
    runner = search.runner(instances=2)
    await runner.submit(search.job)
    status = await search.wait_until_finished(runner)
    assert [(r.attempt, r.code) for r in status.reports] == [(1, "begun"), (1, "missing_output"), (2, "begun")]
    assert sum(search.account(2).computed.values()) == 0
    assert await search.trials() == finished_search.trials


@pytest.mark.soak
async def test_a_stopped_job_continues_when_it_is_submitted_again(searches: Any, large: Any) -> None:
    search = searches(large.world.request)
    runner = search.runner(instances=2)
    await runner.submit(search.job)
    await search.with_shards(1, 10)
    search.fleet.stop_from_console(f"{search.name}-1")
    await asyncio.to_thread(search.fleet.wait, f"{search.name}-1")
    shard_count = len(search.shards())
    assert (await runner.status(search.job.id())).state == "failed"
    await runner.submit(search.job)
    await search.wait_until_finished(runner)
    assert search.account(2).found == shard_count
    assert await search.trials() == large.trials
