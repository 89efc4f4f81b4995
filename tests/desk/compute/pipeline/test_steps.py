"""Pipeline steps as a container executes them, and the errors of each."""

import asyncio
import json
import shutil
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from desk.base.code_version import code_version
from desk.base.errors import InvalidInput
from desk.compute.container.job_files import (
    BadOutput,
    ContainerPaths,
    IncompatibleWork,
    encode_summary,
    pack_prices,
    read_work,
)
from desk.compute.pipeline.definition import step_of
from desk.compute.pipeline.search_output import read_result
from desk.compute.pipeline.step_files import PipelineRequest, is_finished
from desk.compute.pipeline.step_worker import run_step
from desk.market.prices import Prices
from desk.optimization.request import OptimizationRequest
from desk.optimization.scenario_checks import check_scenario, require_passed
from quant.worlds.paths import path_model
from quant.worlds.scenario import BUILT_IN
from tests.desk.conftest import SearchRun
from tests.soak_variants import sizes


def execute(name: str, paths: ContainerPaths) -> Path:
    """The folder that a step leaves in a container."""
    asyncio.run(run_step(name, paths, threading.Event(), asyncio.Event()))
    step = step_of(name)
    inputs = {each: paths.input(each) for each in step.inputs}
    assert is_finished(step.name, inputs, paths.output(step.output))
    return paths.output(step.output)


def copy_to_input(folder: Path, paths: ContainerPaths) -> None:
    shutil.copytree(folder, paths.input(folder.name))


@pytest.fixture(scope="module")
def finished_paths(
    make_request: Callable[..., OptimizationRequest], prices: Prices, tmp_path_factory: pytest.TempPathFactory
) -> ContainerPaths:
    """The container tree of a single instance after all steps up to the search."""
    paths = ContainerPaths(tmp_path_factory.mktemp("tree"))
    paths.resources.parent.mkdir(parents=True)
    paths.resources.write_text(json.dumps({"current_host": "algo-1", "hosts": ["algo-1"]}))
    request_folder = paths.input("request")
    request_folder.mkdir(parents=True)
    request = PipelineRequest(
        code=code_version(), data=prices.digest, owner="anne", run="r1", key="0" * 32, request=make_request()
    )
    (request_folder / "request.json").write_text(request.model_dump_json())
    (request_folder / "prices.npz").write_bytes(pack_prices(prices))
    for name in ("data_validation", "scenario_generation", "distributed_optimization"):
        copy_to_input(execute(name, paths), paths)
    return paths


@pytest.fixture
def paths(finished_paths: ContainerPaths, tmp_path: Path) -> ContainerPaths:
    """A copy of the tree for one test."""
    return ContainerPaths(Path(shutil.copytree(finished_paths.root, tmp_path / "tree")))


def test_a_container_and_a_search_in_one_process_have_equal_trials(
    finished_paths: ContainerPaths, finished_search: SearchRun
) -> None:
    work, _, earlier_trials = read_work(finished_paths.input("work"))
    assert (work.job.plan, work.job.budget, earlier_trials) == (0, 12, [])
    summary, trials = read_result(finished_paths.result, work)
    assert (summary.stopped, [trial for trial, _ in trials]) == (finished_search.stopped, list(finished_search.trials))
    validation = json.loads((finished_paths.input("work") / "validation.json").read_text())
    assert validation["data"] == work.data
    assert {gate["status"] for gate in validation["report"]["gates"]} <= {"PASS", "WARN", "SKIP"}
    checks = json.loads((finished_paths.input("scenarios") / "scenarios.json").read_text())["scenarios"]
    assert [check["scenario"] for check in checks] == [s.name for s in work.job.request.scenarios]


@pytest.mark.parametrize("size", [0, 1, 70, 5_000, -1])
def test_a_truncated_checkpoint_is_refused_with_its_name(paths: ContainerPaths, size: int) -> None:
    path = paths.input("result") / "trials-00001.json"
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(BadOutput, match=r"^trials-00001\.json: (truncated|damaged)"):
        execute("aggregation", paths)
    assert not paths.output("answer").joinpath("result.json").exists()


def test_missing_or_foreign_input_is_refused_with_its_name(paths: ContainerPaths) -> None:
    result, work = paths.input("result"), read_work(paths.input("work"))[0]
    with pytest.raises(BadOutput, match=r"^summary\.json: another job"):
        read_result(result, work.model_copy(update={"job": work.job.model_copy(update={"run": "r2"})}))
    with pytest.raises(BadOutput, match=r"^summary\.json: wrong data"):
        read_result(result, work.model_copy(update={"data": "0" * 64}))
    with pytest.raises(BadOutput, match=r"^summary\.json: wrong code"):
        read_result(result, work.model_copy(update={"code": "0" * 64}))
    summary = read_result(result, work)[0]
    elsewhere = summary.model_copy(update={"files": {**summary.files, "../work/work.json": "0" * 64}})
    (result / "summary.json").write_bytes(encode_summary(elsewhere))
    with pytest.raises(BadOutput, match=r"^summary\.json: damaged .*which is not a file of this folder"):
        read_result(result, work)
    (result / "summary.json").write_bytes(encode_summary(summary))
    account = (result / "shards.json").read_bytes()
    (result / "shards.json").write_text("{}")
    with pytest.raises(BadOutput, match=r"^shards\.json: damaged"):
        read_result(result, work)
    (result / "shards.json").write_bytes(account)
    (result / "trials-00000.json").unlink()
    with pytest.raises(BadOutput, match=r"^trials-00000\.json: missing"):
        read_result(result, work)
    (result / "summary.json").unlink()
    with pytest.raises(BadOutput, match=r"^summary\.json: missing"):
        read_result(result, work)


def test_a_request_of_another_version_is_refused(paths: ContainerPaths) -> None:
    path = paths.input("request") / "request.json"
    text = path.read_text()
    path.write_text(text.replace(code_version(), "0" * 64))
    with pytest.raises(IncompatibleWork, match=r"request\.json was written by another version"):
        execute("data_validation", paths)
    path.write_text(text[:-20])
    with pytest.raises(IncompatibleWork, match=r"request\.json cannot be read"):
        execute("data_validation", paths)
    path.unlink()
    with pytest.raises(IncompatibleWork, match=r"request\.json is missing"):
        execute("data_validation", paths)


def test_paths_of_another_distribution_are_refused_with_their_scenario() -> None:
    base, bear = (scenario.model_copy(update={"years": 1}) for scenario in (BUILT_IN[0], BUILT_IN[2]))
    sound = check_scenario(base, path_model(base, seed=1))
    assert sound.failures == ()
    require_passed(sound)
    wrong = check_scenario(base, path_model(bear, seed=1))
    assert {moment.name for moment in wrong.failures} == {"mean", "volatility"}
    with pytest.raises(InvalidInput, match=r"^scenarios\.base_case: the mean of its paths is .* where it states 0\.0"):
        require_passed(wrong)
    assert wrong.model != sound.model


@pytest.mark.parametrize("world", [0, 2], ids=["mean that moves with volatility", "constant mean"])
@pytest.mark.parametrize("seeds", sizes(1, 3))
def test_garch_of_an_infinite_fourth_moment_is_not_refused_for_its_volatility(world: int, seeds: int) -> None:
    heavy = {"garch_alpha": 0.1, "garch_gamma": 0.1, "garch_beta": 0.848, "garch_nu": 4.0}
    scenario = BUILT_IN[world].model_copy(update={"engine": "garch", **heavy})
    for seed in range(seeds):
        check = check_scenario(scenario, path_model(scenario, seed=seed))
        require_passed(check)
        (volatility,) = (moment for moment in check.moments if moment.name == "volatility")
        assert (volatility.implied, volatility.passed) == (scenario.sigma, None)


def test_garch_of_a_finite_fourth_moment_is_refused_for_its_volatility() -> None:
    scenario = BUILT_IN[2].model_copy(update={"engine": "garch", "years": 1})
    doubled = scenario.model_copy(update={"sigma": 2.0 * scenario.sigma})
    require_passed(check_scenario(scenario, path_model(scenario, seed=1)))
    assert "volatility" in {m.name for m in check_scenario(scenario, path_model(doubled, seed=1)).failures}


@pytest.mark.soak
@pytest.mark.parametrize("engine", ["gbm", "heston", "merton", "bates", "garch", "regime_switching"])
def test_sound_paths_are_not_refused(engine: str) -> None:
    scenario = BUILT_IN[0].model_copy(update={"engine": engine, "years": 1, "paths": 100})
    for seed in range(200):
        require_passed(check_scenario(scenario, path_model(scenario, seed=seed)))
