"""Whole searches on fleets of several sizes that lose instances.

`tests/desk/compute/container/test_peers.py` holds the short form.
"""

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
from tests.doubles.sagemaker.job import Behaviour

pytestmark = pytest.mark.soak

SECONDS = 600
KEY = "0" * 32

SavedTrials = list[tuple[Any, Any]]


@pytest.fixture(scope="module")
def finished_search(tmp_path_factory: pytest.TempPathFactory) -> tuple[Work, Path, SavedTrials]:
    """A search: its work, the folder that its containers read, and its trials as this process computes them."""
    scenarios = tuple(s.model_copy(update={"paths": 192, "years": 1}) for s in (BUILT_IN[0], BUILT_IN[2]))
    search_request = OptimizationRequest(trials=20, scenarios=scenarios, seed=3, stopping="budget")
    prices = asyncio.run(BundledPrices().load("sp500"))
    world = World(build_market(prices, search_request), search_request)
    job = SearchJob(
        owner="anne",
        run="r1",
        request=search_request,
        plan=0,
        space=search_request.space,
        candidates=(),
        first=0,
        budget=search_request.trials,
    )
    trials: SavedTrials = []
    run_search(world, job, {}, trials.extend, lambda _: None)
    work = Work(code=code_version(), data=world.market.data_digest, job=job, key=KEY)
    folder = tmp_path_factory.mktemp("work")
    write_work(folder, work, prices, ())
    return work, folder, trials


@pytest.fixture
def lasting(behind: Aws, tmp_path: Path) -> Iterator[Fleet]:
    with Fleet(behind, tmp_path / "fleet", Behaviour(lost="goes on")) as fleet:
        yield fleet
        assert fleet.violations == []


def start_job(fleet: Fleet, bucket: str, folder: Path, instances: int, *inputs: str) -> str:
    """Start the next attempt; `inputs` are those besides the work. Returns the name of its job."""
    for path in folder.iterdir():
        fleet.put(f"s3://{bucket}/work/{path.name}", path.read_bytes())
    cluster = Cluster(image=IMAGE_URI, role=ROLE, bucket=bucket, prefix="desk", instances=instances)
    name = f"search-{len(fleet.jobs)}"
    arguments = request(
        cluster,
        name=name,
        arguments=["worker"],
        inputs={each: f"s3://{bucket}/{each}" for each in ("work", *inputs)},
        outputs={each: f"s3://{bucket}/{each}" for each in ("shards", "result")},
        tags={},
        instances=instances,
    )
    fleet.client().create_processing_job(**arguments)
    return name


def assert_same(fleet: Fleet, bucket: str, work: Work, trials: SavedTrials) -> None:
    files = fleet.objects(f"s3://{bucket}/result/", like="trials-*.json")
    stored_trials = [trial for uri in files for trial in decode_trials(uri, fleet.content(uri), work)]
    assert [trial for trial, _ in stored_trials] == [trial for trial, _ in trials]
    for (_, series), (_, expected) in zip(stored_trials, trials, strict=True):
        np.testing.assert_array_equal(series, expected)


@pytest.mark.parametrize("instances", [1, 3, 8])
def test_a_search_has_the_same_trials_on_every_number_of_instances(
    lasting: Fleet, bucket: str, finished_search: tuple[Work, Path, SavedTrials], instances: int
) -> None:
    work, folder, trials = finished_search
    name = start_job(lasting, bucket, folder, instances)
    assert lasting.wait(name, SECONDS)["ProcessingJobStatus"] == "Completed", lasting.log(name)
    assert_same(lasting, bucket, work, trials)


def test_losing_three_of_eight_instances_changes_nothing(
    lasting: Fleet, bucket: str, finished_search: tuple[Work, Path, SavedTrials]
) -> None:
    work, folder, trials = finished_search
    name = start_job(lasting, bucket, folder, 8)
    for killed, instance in enumerate((2, 5, 7)):
        has_more_shards = lambda n=killed: len(lasting.objects(f"s3://{bucket}/shards/")) > n  # noqa: E731
        lasting.wait_for(has_more_shards, "another shard", SECONDS)
        lasting.kill(name, instance)
    assert lasting.wait(name, SECONDS)["ProcessingJobStatus"] == "Completed", lasting.log(name)
    assert_same(lasting, bucket, work, trials)


def test_a_second_attempt_reuses_the_shards_of_the_first(
    behind: Aws, tmp_path: Path, bucket: str, finished_search: tuple[Work, Path, SavedTrials]
) -> None:
    """SageMaker ends the whole job when the leader is lost."""
    work, folder, trials = finished_search
    with Fleet(behind, tmp_path / "fleet") as fleet:
        first = start_job(fleet, bucket, folder, 2)
        fleet.wait_for(lambda: bool(fleet.objects(f"s3://{bucket}/shards/")), "a shard", SECONDS)
        fleet.kill(first, 0)
        assert fleet.wait(first, SECONDS)["ProcessingJobStatus"] == "Failed"
        first_shards = fleet.objects(f"s3://{bucket}/shards/")
        second = start_job(fleet, bucket, folder, 2, "shards")
        assert fleet.wait(second, SECONDS)["ProcessingJobStatus"] == "Completed", fleet.log(second)
        assert [fleet.traffic.sent[uri] for uri in first_shards] == [1] * len(first_shards), (
            "a stored shard was computed again"
        )
        assert_same(fleet, bucket, work, trials)
