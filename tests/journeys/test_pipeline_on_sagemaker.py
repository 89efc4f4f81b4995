"""The pipeline on SageMaker: requests, states and results on a fleet, and once with the real program."""

import asyncio
import hashlib
import json
import sys
from collections.abc import Iterator
from contextlib import closing
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from api.cli.main import run
from desk.base.code_version import code_version
from desk.base.errors import Conflicting, InvalidInput, NotFound, UserError
from desk.compute.container.job_files import BadOutput
from desk.compute.pipeline.definition import STEPS
from desk.compute.pipeline.step_files import CountedTrials, PipelineRequest, write_marker
from desk.compute.sagemaker.pipelines import PipelineState, SageMakerPipelines, Start
from desk.compute.sagemaker.processing import Cluster
from desk.optimization.jobs import JobStatus
from desk.optimization.repositories.trial_repository import series_address
from desk.optimization.request import OptimizationRequest
from graphs.pipeline import execute, pipeline_request, prepare, read_pipeline_result
from quant.worlds.scenario import BUILT_IN
from tests.doubles.aws import moto, point_at
from tests.doubles.sagemaker import fixed_step as canned_step
from tests.doubles.sagemaker.definitions import parse
from tests.doubles.sagemaker.fleet import IMAGE_URI, ROLE, Fleet
from tests.doubles.sagemaker.job import Behaviour
from tests.doubles.terminal_input import TerminalInput
from tests.graphs.dependencies import OWNER, open_dependencies
from tests.graphs.jobs.queued_runs import eventually
from tests.sample_result import sample_result

pytestmark = pytest.mark.anyio
USUAL = [step.name for step in STEPS if not step.optional]
SCENARIOS = tuple(s.model_copy(update={"paths": 100, "years": 1}) for s in BUILT_IN[:2])
BUCKETS, RUNS = count(), count()
REQUEST = OptimizationRequest(trials=12, scenarios=SCENARIOS, seed=3, stopping="budget")


class FinishedPipeline(NamedTuple):
    folder: Path
    request_file: PipelineRequest
    prices: bytes


async def run_pipeline(home: Path, request: OptimizationRequest) -> FinishedPipeline:
    """Execute all steps of the pipeline in this process."""
    async with open_dependencies(home) as dependencies:
        folder = await prepare(dependencies, OWNER, home, request)
        request_file, prices = await pipeline_request(dependencies, OWNER, request)
    async for _ in execute(folder):
        pass
    return FinishedPipeline(folder, request_file, prices)


@pytest.fixture(scope="module")
def step_outputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Output files of all steps, without a computation."""
    folder = tmp_path_factory.mktemp("steps")
    for name in USUAL:
        (folder / name).mkdir()
        (folder / name / "file").write_text(name)
    aggregation, history = folder / "aggregation", np.zeros((7, 500))
    result = sample_result().model_copy(update={"history_series": series_address(history)})
    (aggregation / "result.json").write_text(result.model_dump_json())
    (aggregation / "digest").write_text(result.digest())
    (aggregation / "history.f64").write_bytes(history.tobytes())
    counted = CountedTrials(prices_digest="0" * 64, entries={"a.b": None})
    (aggregation / "counted.json").write_text(counted.model_dump_json())
    write_marker("aggregation", {}, aggregation)
    return folder


@pytest.fixture
def here(step_outputs: Path) -> FinishedPipeline:
    run = f"{next(RUNS):024x}"
    return FinishedPipeline(
        step_outputs,
        PipelineRequest(code=code_version(), data="0" * 64, owner=OWNER, run=run, key="0" * 64, request=REQUEST),
        b"",
    )


class Account(NamedTuple):
    fleet: Fleet
    pipelines: SageMakerPipelines
    bucket: str
    cluster: Cluster


def open_account(folder: Path, conduct: Behaviour) -> Iterator[Account]:
    with moto() as aws, Fleet(aws, folder, conduct) as fleet, pytest.MonkeyPatch.context() as monkeypatch:
        point_at(monkeypatch, aws.url)
        for name, value in fleet.environment.items():
            monkeypatch.setenv(name, value)
        bucket = aws.bucket(f"desks-{next(BUCKETS)}")
        cluster = Cluster(image=IMAGE_URI, role=ROLE, bucket=bucket, prefix="desk", instances=2)
        with closing(SageMakerPipelines(cluster)) as pipelines:
            yield Account(fleet, pipelines, bucket, cluster)
        assert fleet.violations == []


@pytest.fixture(scope="module")
def amazon(step_outputs: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    """An account whose containers copy the output files of the steps."""
    image = (sys.executable, "-S", canned_step.__file__, str(step_outputs))
    yield from open_account(tmp_path_factory.mktemp("amazon") / "fleet", Behaviour(upload_every=0.02, image=image))


@pytest.fixture
def real(tmp_path: Path) -> Iterator[Account]:
    yield from open_account(tmp_path / "fleet", Behaviour())


async def wait_for_end(amazon: Account, arn: str, seconds: float = 60.0) -> PipelineState:
    await asyncio.to_thread(amazon.fleet.wait_for_execution, arn, seconds)
    return await amazon.pipelines.state(arn)


async def test_an_execution_is_started_followed_and_fetched(here: FinishedPipeline, amazon: Account) -> None:
    fleet, pipelines, bucket, _ = amazon
    arn = await pipelines.start(here.request_file, here.prices, training=False)
    state = await wait_for_end(amazon, arn)
    assert (state.state, state.folder) == ("succeeded", f"s3://{bucket}/desk/pipelines/{here.request_file.run}")
    assert [step.name for step in state.steps if not step.name.endswith("_wanted")] == USUAL
    assert await pipelines.fetch(state) == read_pipeline_result(here.folder)

    again = await wait_for_end(amazon, await pipelines.start(here.request_file, here.prices, training=False))
    assert {step.name for step in again.steps if step.passed_over} == set(USUAL)
    assert fleet.counts()["UpdatePipeline"] >= 1  # all requests share one pipeline
    first_request = fleet.content(f"{state.folder}/request/request.json")
    newer = here.request_file.model_copy(update={"key": "0" * 64})
    await pipelines.start(newer, here.prices, training=False)
    assert fleet.content(f"{state.folder}/request/request.json") == first_request  # its steps have read it

    fleet.truncate(f"{state.folder}/aggregation/result.json")
    with pytest.raises(BadOutput, match=r"result\.json: damaged"):
        await pipelines.fetch(state)
    fleet.put(f"{state.folder}/aggregation/done.json", b"{}")
    with pytest.raises(BadOutput, match=r"done\.json: damaged"):
        await pipelines.fetch(state)
    listed = {"step": "aggregation", "code": code_version(), "read": {}, "files": {}}
    fleet.put(f"{state.folder}/aggregation/done.json", json.dumps(listed).encode())
    with pytest.raises(BadOutput, match="digest: missing"):
        await pipelines.fetch(state)
    listed["files"] = dict.fromkeys(("result.json", "digest"), hashlib.sha256(b"{}").hexdigest())
    fleet.put(f"{state.folder}/aggregation/done.json", json.dumps(listed).encode())
    for name in ("result.json", "digest"):
        fleet.put(f"{state.folder}/aggregation/{name}", b"{}")
    with pytest.raises(BadOutput, match=r"result\.json: wrong version"):
        await pipelines.fetch(state)


async def test_a_request_that_is_started_twice_is_executed_once(here: FinishedPipeline, amazon: Account) -> None:
    fleet, pipelines, *_ = amazon
    before = len(fleet.pipelines.executions)
    with closing(SageMakerPipelines(amazon.cluster)) as elsewhere:
        both = (each.start(here.request_file, here.prices, training=False) for each in (pipelines, elsewhere))
        arn, same = await asyncio.gather(*both)
    assert (arn, len(fleet.pipelines.executions)) == (same, before + 1)
    place = (await wait_for_end(amazon, arn)).folder + "/start.json"
    unknown = Start.model_validate_json(fleet.content(place)).model_copy(update={"arn": ""})
    fleet.put(place, unknown.model_dump_json().encode())  # as after a crash between the start and the record of its ARN
    assert await pipelines.start(here.request_file, here.prices, training=False) == arn
    again = await pipelines.start(here.request_file, here.prices, training=False)
    assert (again == arn, len(fleet.pipelines.executions)) == (False, before + 2)
    await wait_for_end(amazon, again)


async def test_a_request_in_execution_is_not_started_with_other_options(
    here: FinishedPipeline, amazon: Account
) -> None:
    pipelines = amazon.pipelines
    waits = here.folder / "data_validation.waits"
    waits.touch()
    try:
        arn = await pipelines.start(here.request_file, here.prices, training=False)
        assert await pipelines.start(here.request_file, here.prices, training=False) == arn
        with pytest.raises(Conflicting, match="executes the same request with Training false; try again after it has"):
            await pipelines.start(here.request_file, here.prices, training=True)
    finally:
        waits.unlink()
    await wait_for_end(amazon, arn)
    assert await pipelines.start(here.request_file, here.prices, training=True) != arn


def test_the_command_starts_follows_and_fetches(
    here: FinishedPipeline, amazon: Account, home: Path, tmp_path: Path, monkeypatch: Any, capsys: Any
) -> None:
    request = tmp_path / "request.json"
    request.write_text(REQUEST.model_dump_json())
    executions = amazon.fleet.counts()["StartPipelineExecution"]
    assert run(["pipeline", "start", "--request", str(request)]) == 2
    missing = "SAGEMAKER_IMAGE, SAGEMAKER_ROLE, SAGEMAKER_STORAGE: are not set; expected a value of each"
    assert capsys.readouterr().err.startswith(missing)
    for name, value in {"IMAGE": IMAGE_URI, "ROLE": ROLE, "STORAGE": f"s3://{amazon.bucket}/desk"}.items():
        monkeypatch.setenv(f"SAGEMAKER_{name}", value)
    assert run(["pipeline", "definition"]) == 0
    assert parse(capsys.readouterr().out).steps
    assert run(["pipeline", "start", "--request", str(request)]) == 3
    assert "1 instance, 0.0" in (stderr := capsys.readouterr().err)
    assert stderr.endswith("Approve it: the same command with --approve\n")
    assert amazon.fleet.counts()["StartPipelineExecution"] == executions
    monkeypatch.setattr("sys.stdin", TerminalInput("\n"))
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    assert run(["pipeline", "start", "--request", str(request)]) == 3
    monkeypatch.setattr("sys.stdin", TerminalInput("a\n"))
    waits = here.folder / "data_validation.waits"
    waits.touch()
    try:
        assert run(["pipeline", "start", "--request", str(request)]) == 0
        monkeypatch.setattr("sys.stdin", TerminalInput())
        assert run(["pipeline", "start", "--request", str(request), "--approve"]) == 0
        monkeypatch.setenv("APPROVE_INSTANCES", "1")
        assert run(["pipeline", "start", "--request", str(request)]) == 0
    finally:
        waits.unlink()
    [arn] = set(capsys.readouterr().out.split())  # one execution, which the later starts join
    amazon.fleet.wait_for_execution(arn)
    assert run(["pipeline", "status", arn]) == 0
    assert "✔ aggregation: succeeded\n" in capsys.readouterr().out
    assert run(["pipeline", "status", arn, "--fetch"]) == 0
    digest = read_pipeline_result(here.folder)[0].digest()
    assert capsys.readouterr().out.endswith(f"result digest: {digest}\n")
    assert len(list((home / "reports").glob("*.html"))) == 1
    assert run(["pipeline", "status", arn, "--json"]) == 0
    folder = json.loads(capsys.readouterr().out)["folder"]
    amazon.fleet.truncate(f"{folder}/aggregation/result.json")
    assert run(["pipeline", "status", arn, "--fetch"]) == 2
    assert capsys.readouterr().err.startswith(f"{folder}: result.json: damaged")


async def test_status_shows_the_progress_of_a_running_search(
    here: FinishedPipeline, amazon: Account, monkeypatch: Any, capsys: Any
) -> None:
    fleet, pipelines, bucket, _ = amazon
    hold_file = here.folder / "distributed_optimization.held"
    hold_file.touch()
    try:
        arn = await pipelines.start(here.request_file, here.prices, training=False)
        folder = f"s3://{bucket}/desk/pipelines/{here.request_file.run}"
        fleet.put(f"{folder}/distributed_optimization/progress.json", b'{"id": "half')

        async def searching() -> bool:
            return "distributed_optimization" in {step.name for step in (await pipelines.state(arn)).steps}

        await eventually(searching, seconds=30.0)
        search = (await pipelines.state(arn)).steps[-1]
        assert (search.state, search.done, search.total) == ("executing", 0, 0)
        status = JobStatus(id="j", state="running", done=40, total=100)
        fleet.put(f"{folder}/distributed_optimization/progress.json", status.model_dump_json().encode())
        for name, value in {"IMAGE": IMAGE_URI, "ROLE": ROLE, "STORAGE": f"s3://{bucket}/desk"}.items():
            monkeypatch.setenv(f"SAGEMAKER_{name}", value)
        assert await asyncio.to_thread(run, ["pipeline", "status", arn]) == 0
        assert "– distributed_optimization: executing, 40 of 100 trials\n" in capsys.readouterr().out
    finally:
        hold_file.unlink()
    state = await wait_for_end(amazon, arn)
    assert {step.total for step in state.steps} == {0}
    elsewhere = Cluster(image=IMAGE_URI, role=ROLE, bucket="other-desk", prefix="desk", instances=2)
    with closing(SageMakerPipelines(elsewhere)) as others, pytest.raises(InvalidInput, match=f"are in {folder}"):
        await others.fetch(state)


@pytest.mark.parametrize("arn", ["foo", "", "arn:aws:sagemaker:eu-west-1:123456789012:pipeline/stratigos-12345678"])
def test_an_invalid_arn_is_rejected_before_any_call(home: Path, capsys: Any, arn: str) -> None:
    assert run(["pipeline", "status", arn]) == 2
    stderr = capsys.readouterr().err
    assert stderr.startswith(f"ARN: {arn!r}"[:60])
    assert "arn:aws:sagemaker:REGION:ACCOUNT:pipeline/NAME/execution/ID, as `pipeline start` printed it" in stderr
    assert not home.exists()


@pytest.mark.soak
async def test_a_failed_step_names_its_cause(here: FinishedPipeline, amazon: Account) -> None:
    fleet, pipelines, *_ = amazon
    wrong = here.folder / "scenario_generation.wrong"
    wrong.write_text("scenarios.base_case: the mean of its paths is another")
    try:
        state = await wait_for_end(amazon, await pipelines.start(here.request_file, here.prices, training=True))
    finally:
        wrong.unlink()
    assert [(step.name, step.state) for step in state.steps] == [
        ("data_validation", "succeeded"),
        ("scenario_generation", "failed"),
    ]
    assert state.steps[1].cause == "scenarios.base_case: the mean of its paths is another"
    with pytest.raises(Conflicting, match="is failed; only executions that succeeded"):
        await pipelines.fetch(state)
    fleet.no_capacity(1)  # the retry policy tries again
    later = await wait_for_end(amazon, await pipelines.start(here.request_file, here.prices, training=False))
    assert (later.state, later.steps[0].passed_over, later.steps[1].attempts) == ("succeeded", True, 2)


async def test_errors_of_aws_are_reported(here: FinishedPipeline, amazon: Account) -> None:
    fleet, pipelines, *_ = amazon
    message = "User: arn:aws:sts::123456789012:assumed-role/me is not authorized to perform: sagemaker:CreatePipeline"
    fleet.refuse("CreatePipeline", "AccessDeniedException", message)
    with pytest.raises(UserError, match=r"denies sagemaker:CreatePipeline.*iam:PassRole for 'fleet'"):
        await pipelines.start(here.request_file, here.prices, training=False)
    fleet.refuse("StartPipelineExecution", "ResourceLimitExceeded", "The account has 200 executions")
    with pytest.raises(UserError, match="200 executions; run fewer at a time, or request a higher quota"):
        await pipelines.start(here.request_file, here.prices, training=False)
    await wait_for_end(
        amazon, await pipelines.start(here.request_file, here.prices, training=True)
    )  # the first one did not start
    unknown = f"arn:aws:sagemaker:eu-west-1:123456789012:pipeline/{pipelines.name}/execution/abcdefgh1234"
    with pytest.raises(NotFound, match="expected the ARN printed by `pipeline start`"):
        await pipelines.state(unknown)


@pytest.mark.soak
@pytest.mark.timeout(600)
async def test_the_program_itself_gives_the_same_result_on_instances(tmp_path: Path, real: Account) -> None:
    fleet, pipelines, *_ = real
    here = await run_pipeline(tmp_path / "here", REQUEST.model_copy(update={"trials": 24}))
    state = await wait_for_end(real, await pipelines.start(here.request_file, here.prices, training=True), 500.0)
    assert state.state == "succeeded", [(step.name, step.cause) for step in state.steps]
    assert len(fleet.jobs) == len(STEPS)
    result = (await pipelines.fetch(state)).result
    assert result.digest() == read_pipeline_result(here.folder)[0].digest()
    assert fleet.objects(f"{state.folder}/training", "surrogate.bin")
    again = await wait_for_end(real, await pipelines.start(here.request_file, here.prices, training=True))
    assert {step.name for step in again.steps if step.passed_over} == {step.name for step in STEPS}

    few = here.request_file.model_copy(update={"run": "0" * 24, "request": REQUEST})
    state = await wait_for_end(real, await pipelines.start(few, here.prices, training=True), 500.0)
    causes = {step.name: step.cause for step in state.steps if step.state == "failed"}
    assert causes.keys() == {"training"}
    assert causes["training"].startswith("trials: 12 stored trials")
