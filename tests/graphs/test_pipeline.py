"""The five steps in one process: finished steps are skipped, and failures name their step."""

import asyncio
import json
import shutil
from collections.abc import Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from api.cli.main import run
from desk.compute.container.job_files import BadOutput
from desk.compute.pipeline.definition import REQUEST, STEPS, step_of
from desk.compute.pipeline.step_files import MARKER_FILE, file_digests, read_request, write_marker
from desk.compute.pipeline.steps import LocalEngine
from desk.compute.shards.shards import Task
from desk.optimization.judgement.verification import find_discrepancies
from desk.optimization.repositories.ledger import Entries, load_ledger
from desk.optimization.request import OptimizationRequest
from desk.runs.earlier_trials import earlier_entries
from graphs.pipeline import (
    StepEvent,
    StepFailed,
    execute,
    pipeline_graph,
    prepare,
    read_pipeline_result,
    save_pipeline_result,
)
from quant.worlds.scenario import BUILT_IN
from store.errors import Unavailable
from tests.graphs.dependencies import OWNER, open_dependencies

pytestmark = pytest.mark.anyio
SEARCH = "distributed_optimization"
USUAL = [step.name for step in STEPS if not step.optional]
SCENARIOS = tuple(s.model_copy(update={"paths": 100, "years": 1}) for s in BUILT_IN[:2])
ASKED = OptimizationRequest(trials=12, scenarios=SCENARIOS, seed=3, stopping="budget")


async def prepared(home: Path, request: OptimizationRequest = ASKED) -> Path:
    async with open_dependencies(home) as dependencies:
        return await prepare(dependencies, OWNER, home, request)


async def run_steps(folder: Path, **how: Any) -> list[StepEvent]:
    async with aclosing(execute(folder, first_delay=0.001, **how)) as events:
        return [event async for event in events]


def of(events: Sequence[StepEvent], what: str) -> list[str]:
    return [event.step for event in events if event.what == what]


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[StepEvent]]:
    """A finished pipeline and its events."""
    folder = asyncio.run(prepared(tmp_path_factory.mktemp("first")))
    return folder, asyncio.run(run_steps(folder))


@pytest.fixture
def finished_folder(first: tuple[Path, list[StepEvent]], home: Path) -> Path:
    """A copy of the finished pipeline for one test."""
    folder, _ = first
    return Path(shutil.copytree(folder, home / "pipelines" / folder.name))


def test_a_request_passes_through_all_steps_to_a_result(first: tuple[Path, list[StepEvent]]) -> None:
    folder, events = first
    assert of(events, "begun") == of(events, "finished") == USUAL
    assert max(event.status.done for event in events if event.status) == 12
    result = read_pipeline_result(folder).result
    assert (result.counts.trials, result.counts.stopped, find_discrepancies(result)) == (12, "budget", [])
    assert result.explanation is not None
    for name in USUAL:
        assert set(step_of(name).files) <= file_digests(folder / name).keys()


async def test_finished_steps_are_not_executed_again(finished_folder: Path, home: Path) -> None:
    before = {name: file_digests(finished_folder / name) for name in USUAL}
    assert await prepared(home) == finished_folder
    events = await run_steps(finished_folder)
    assert (of(events, "begun"), of(events, "passed_over")) == ([], USUAL)
    assert before == {name: file_digests(finished_folder / name) for name in USUAL}


async def test_only_what_depends_on_a_change_is_executed_again(finished_folder: Path) -> None:
    digest = read_pipeline_result(finished_folder)[0].digest()
    (finished_folder / "scenario_generation" / MARKER_FILE).unlink()
    assert of(await run_steps(finished_folder), "begun") == ["scenario_generation"]  # its output is unchanged
    (finished_folder / SEARCH / "trials-00001.json").unlink()
    events = await run_steps(finished_folder)
    assert of(events, "begun") == [SEARCH, "aggregation"]
    account = json.loads((finished_folder / SEARCH / "shards.json").read_text())
    assert account["computed"] == {"here": 0}
    assert read_pipeline_result(finished_folder)[0].digest() == digest


async def test_the_manifest_refers_to_what_was_tried_before_apart_from_the_own_trials(
    finished_folder: Path, home: Path
) -> None:
    own = read_pipeline_result(finished_folder).counted
    assert own is not None
    assert len(own.entries) == 12
    others: Entries = {f"{'a' * 16}.{n:016x}": None for n in range(3)}
    request = read_request(finished_folder / REQUEST)
    ledger = {**dict.fromkeys(list(own.entries)[:5]), **others}
    content = request.model_copy(update={"ledger": ledger}).model_dump_json()
    (finished_folder / REQUEST / "request.json").write_text(content)
    await run_steps(finished_folder)
    output = read_pipeline_result(finished_folder)
    luck, reference = output.result.luck, output.result.manifest.ledger
    assert luck is not None
    assert reference is not None
    assert (luck.trials, luck.ledger_trials, reference.configurations) == (12, 15, 3)
    async with open_dependencies(home) as dependencies:
        await save_pipeline_result(dependencies, OWNER, finished_folder.name, output)
        assert await load_ledger(dependencies.store, OWNER, reference.address) == others
        assert await earlier_entries(dependencies.store, OWNER, own.prices_digest) == own.entries
        with pytest.raises(BadOutput, match=r"ledger\.txt: damaged"):
            await save_pipeline_result(dependencies, OWNER, "x", output._replace(ledger=b"a.b"))


async def test_an_interrupted_search_resumes(finished_folder: Path) -> None:
    folders: list[str] = []

    class CutOff(LocalEngine):
        def compute(self, tasks: Sequence[Task]) -> Any:
            for result in super().compute(tasks):
                if len(folders) == 3:
                    raise InterruptedError
                folders.append(result[0])
                yield result

    digest = read_pipeline_result(finished_folder)[0].digest()
    for folder in (SEARCH, "shards"):
        shutil.rmtree(finished_folder / folder)
    with pytest.raises(InterruptedError):
        await run_steps(finished_folder, engine=CutOff)
    assert not (finished_folder / SEARCH / MARKER_FILE).exists()
    assert of(await run_steps(finished_folder), "passed_over")[:2] == ["data_validation", "scenario_generation"]
    account = json.loads((finished_folder / SEARCH / "shards.json").read_text())
    assert (account["found"], account["computed"]) == (3, {"here": 1})  # two rounds of a chunk in two scenarios
    assert read_pipeline_result(finished_folder)[0].digest() == digest


async def test_unusable_data_fail_the_first_step(home: Path, tmp_path: Path) -> None:
    prices = tmp_path / "mine.csv"
    days = [f"2015-01-{day:02d}" for day in (5, 6, 7, 8, 9, 12, 13)]
    prices.write_text("date,MINE\n" + "\n".join(f"{day},{100 + n}" for n, day in enumerate(days)) + "\n")
    folder = await prepared(home, ASKED.model_copy(update={"universe": "file", "prices_file": str(prices)}))
    with pytest.raises(StepFailed, match=r"^data_validation: .* expected at most .* 6 returns") as error:
        await run_steps(folder)
    assert error.value.step == "data_validation"
    assert not (folder / "data_validation" / MARKER_FILE).exists()


async def test_too_few_trials_for_a_surrogate_fail_the_training_alone(finished_folder: Path) -> None:
    with pytest.raises(StepFailed, match=r"^training: trials: 12 stored trials .* expected at least 20"):
        await run_steps(finished_folder, training=True)
    assert (finished_folder / "aggregation" / MARKER_FILE).exists()


async def test_an_unavailable_cluster_is_retried(finished_folder: Path) -> None:
    calls: list[int] = []

    class Flaky(LocalEngine):
        def compute(self, tasks: Sequence[Task]) -> Any:
            calls.append(len(tasks))
            if len(calls) < 3:
                raise Unavailable("the cluster does not answer")
            return super().compute(tasks)

    shutil.rmtree(finished_folder / "shards")
    (finished_folder / SEARCH / MARKER_FILE).unlink()
    events = await run_steps(finished_folder, engine=Flaky)
    assert (len(calls), of(events, "finished")) == (4, [SEARCH])  # two rounds, whose output is unchanged


async def test_a_search_rejects_unchecked_models(finished_folder: Path) -> None:
    looked_at = finished_folder / "scenario_generation"
    text = (looked_at / "scenarios.json").read_text()
    model = json.loads(text)["scenarios"][0]["model"]
    (looked_at / "scenarios.json").write_text(text.replace(model, "0" * 64))
    write_marker("scenario_generation", {"work": finished_folder / "data_validation"}, looked_at)
    with pytest.raises(StepFailed, match=rf"^{SEARCH}: scenarios.base_case: its model is not the checked one") as error:
        await run_steps(finished_folder)
    assert error.value.step == SEARCH


def test_the_command_shows_the_result_and_repeats_nothing(
    finished_folder: Path, home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    request = tmp_path / "request.json"
    request.write_text(ASKED.model_dump_json())
    assert run(["pipeline", "run", "--request", str(request)]) == 0
    output = capsys.readouterr()
    assert output.err.count("finished before, not repeated") == len(USUAL)
    assert output.out.endswith(f"result digest: {read_pipeline_result(finished_folder)[0].digest()}\n")
    assert (home / "reports" / f"{finished_folder.name}.html").exists()

    async def ledger_trials() -> Entries:
        async with open_dependencies(home) as dependencies:
            return await earlier_entries(
                dependencies.store, OWNER, read_pipeline_result(finished_folder)[0].manifest.data_digest
            )

    assert len(asyncio.run(ledger_trials())) == 12  # they count in all later searches

    result = finished_folder / "aggregation" / "result.json"
    result.write_text(result.read_text().replace('"stopped": "budget"', '"stopped": "converged"'))
    with pytest.raises(BadOutput, match=r"result\.json: damaged"):
        read_pipeline_result(finished_folder)


def test_the_graph_matches_the_definition() -> None:
    drawing = pipeline_graph().get_graph()
    assert [name for name in drawing.nodes if not name.startswith("__")] == [step.name for step in STEPS]
    edges = {(edge.source, edge.target, edge.conditional) for edge in drawing.edges}
    inner = {edge for edge in edges if not edge[0].startswith("__") and not edge[1].startswith("__")}
    always = {(need, step.name, False) for step in STEPS if not step.optional for need in step.dependencies}
    assert inner == always | {(step.dependencies[-1], step.name, True) for step in STEPS if step.optional}
