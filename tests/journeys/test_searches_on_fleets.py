"""The long form: whole searches on fleets of several sizes, with instances that go. The short one is in test_peers."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from desk.base.code_version import code_version
from desk.compute.container.job_files import Work, decode_trials, write_work
from desk.compute.sagemaker.processing import Cluster, request
from desk.market.bundled import BundledPrices
from desk.optimization.evaluation import World
from desk.optimization.inputs.market_data import build_market
from desk.optimization.jobs import SearchJob
from desk.optimization.request import OptimizationRequest
from desk.optimization.search.search import run_search
from quant.worlds.scenario import BUILT_IN
from tests.doubles.aws import Aws
from tests.doubles.sagemaker.fleet import IMAGE_URI, ROLE, Fleet
from tests.doubles.sagemaker.job import Conduct

pytestmark = pytest.mark.soak

SECONDS = 600
KEY = "0" * 32

Saved = list[tuple[Any, Any]]


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> tuple[Work, Path, Saved]:
    """A search, what its containers are handed, and its trials as this process makes them."""
    scenarios = tuple(s.model_copy(update={"paths": 192, "years": 1}) for s in (BUILT_IN[0], BUILT_IN[2]))
    asked = OptimizationRequest(trials=20, scenarios=scenarios, seed=3, stopping="budget")
    prices = asyncio.run(BundledPrices().load("sp500"))
    world = World(build_market(prices, asked), asked)
    job = SearchJob(
        owner="anne", run="r1", request=asked, plan=0, space=asked.space, candidates=(), first=0, budget=asked.trials
    )
    saved: Saved = []
    run_search(world, job, {}, saved.extend, lambda _: None)
    work = Work(code=code_version(), data=world.market.data_digest, job=job, key=KEY)
    folder = tmp_path_factory.mktemp("work")
    write_work(folder, work, prices, ())
    return work, folder, saved


@pytest.fixture
def lasting(behind: Aws, tmp_path: Path) -> Iterator[Fleet]:
    with Fleet(behind, tmp_path / "fleet", Conduct(lost="goes on")) as fleet:
        yield fleet
        assert fleet.violations == []


def begun(fleet: Fleet, bucket: str, folder: Path, instances: int, *inputs: str) -> str:
    """The job of the n-th attempt; `inputs` are those beside the work."""
    for path in folder.iterdir():
        fleet.put(f"s3://{bucket}/work/{path.name}", path.read_bytes())
    cluster = Cluster(image=IMAGE_URI, role=ROLE, bucket=bucket, prefix="desk", instances=instances)
    name = f"search-{len(fleet.jobs)}"
    asked = request(
        cluster,
        name=name,
        arguments=["worker"],
        inputs={each: f"s3://{bucket}/{each}" for each in ("work", *inputs)},
        outputs={each: f"s3://{bucket}/{each}" for each in ("shards", "result")},
        tags={},
        instances=instances,
    )
    fleet.client().create_processing_job(**asked)
    return name


def assert_same(fleet: Fleet, bucket: str, work: Work, saved: Saved) -> None:
    files = fleet.objects(f"s3://{bucket}/result/", like="trials-*.json")
    stored = [trial for uri in files for trial in decode_trials(uri, fleet.content(uri), work)]
    assert [trial for trial, _ in stored] == [trial for trial, _ in saved]
    for (_, series), (_, expected) in zip(stored, saved, strict=True):
        np.testing.assert_array_equal(series, expected)


@pytest.mark.parametrize("instances", [1, 3, 8])
def test_a_search_has_the_same_trials_on_every_number_of_instances(
    lasting: Fleet, bucket: str, searched: tuple[Work, Path, Saved], instances: int
) -> None:
    work, folder, saved = searched
    name = begun(lasting, bucket, folder, instances)
    assert lasting.wait(name, SECONDS)["ProcessingJobStatus"] == "Completed", lasting.log(name)
    assert_same(lasting, bucket, work, saved)


def test_three_of_eight_instances_that_go_change_nothing(
    lasting: Fleet, bucket: str, searched: tuple[Work, Path, Saved]
) -> None:
    work, folder, saved = searched
    name = begun(lasting, bucket, folder, 8)
    for killed, instance in enumerate((2, 5, 7)):
        stored = lambda n=killed: len(lasting.objects(f"s3://{bucket}/shards/")) > n  # noqa: E731
        lasting.wait_for(stored, "another shard", SECONDS)
        lasting.kill(name, instance)
    assert lasting.wait(name, SECONDS)["ProcessingJobStatus"] == "Completed", lasting.log(name)
    assert_same(lasting, bucket, work, saved)


def test_a_second_attempt_goes_on_with_the_shards_of_the_first(
    behind: Aws, tmp_path: Path, bucket: str, searched: tuple[Work, Path, Saved]
) -> None:
    """The leader goes, and SageMaker ends the whole job for it."""
    work, folder, saved = searched
    with Fleet(behind, tmp_path / "fleet") as fleet:
        first = begun(fleet, bucket, folder, 2)
        fleet.wait_for(lambda: bool(fleet.objects(f"s3://{bucket}/shards/")), "a shard", SECONDS)
        fleet.kill(first, 0)
        assert fleet.wait(first, SECONDS)["ProcessingJobStatus"] == "Failed"
        kept = fleet.objects(f"s3://{bucket}/shards/")
        second = begun(fleet, bucket, folder, 2, "shards")
        assert fleet.wait(second, SECONDS)["ProcessingJobStatus"] == "Completed", fleet.log(second)
        assert [fleet.traffic.sent[uri] for uri in kept] == [1] * len(kept), "what is stored is not made again"
        assert_same(fleet, bucket, work, saved)
