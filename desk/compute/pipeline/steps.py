"""The function of each pipeline step: it reads and writes folders, in this process and in a container alike."""

import json
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from desk.compute.container.job_files import IncompatibleWork, ShardCounts, Work, read_work, unpack_prices, write_work
from desk.compute.container.worker import ResultWriter
from desk.compute.pipeline.definition import REQUEST, StepName, step_of
from desk.compute.pipeline.search_output import read_result
from desk.compute.pipeline.step_files import CountedTrials, StepMarker, read_request, write_marker
from desk.compute.shards.sharded_search import Engine, FolderShardStore, ShardedSimulator
from desk.compute.shards.shards import Task, compute
from desk.figures.guard.claims import render
from desk.governance.estimates import Machines
from desk.market.checks.prices import inspect
from desk.market.checks.report import DataReport
from desk.optimization.answers import Explanation
from desk.optimization.evaluation import World
from desk.optimization.inputs.market_data import build_market
from desk.optimization.inputs.splits import resolve_mixes
from desk.optimization.jobs import JobStatus, SearchJob
from desk.optimization.judgement.counts import count_work
from desk.optimization.judgement.judge import judge
from desk.optimization.judgement.sensitivity import check_scenarios
from desk.optimization.judgement.verification import require_verified
from desk.optimization.limits import check_minimum_exposure
from desk.optimization.reading.template import AUTHOR, template_claims
from desk.optimization.repositories.ledger import Entries, earlier_trials, format_entries, ledger_entry, with_ledger
from desk.optimization.result import OptimizationResult
from desk.optimization.scenario_check_schemas import ScenarioChecks
from desk.optimization.scenario_checks import check_paths, require_passed, require_same_models
from desk.optimization.search.search import run_search
from desk.optimization.stopping import remaining_limit, require_few_failed
from desk.surrogates.schemas import HeldOut, Problem, Target
from quant.numeric.frozen import Frozen

Inputs: TypeAlias = Mapping[str, Path]
"""Folders by name: `request` and the outputs of earlier steps."""
SearchStep: TypeAlias = Callable[[Work, World, Path], None]
"""Computes the trials of the work and writes them, with their summary, into a folder."""


class Validation(Frozen):
    """`validation.json`: the checks and splits of the data."""

    data: str
    train: tuple[str, str]
    """First and last day."""
    validate_: tuple[str, str]
    holdout: tuple[str, str]
    warm_up: int
    report: DataReport
    caveats: tuple[str, ...]


class TrainingReport(Frozen):
    """`held_out.json`: errors of the surrogate on trials that it was not fitted to."""

    problem: str
    trials: int
    held_out: dict[Target, HeldOut]


@dataclass(frozen=True)
class StepContext:
    """Dependencies of the steps besides folders."""

    search: SearchStep | None = None
    """Executes the search; None in a container, where all instances execute it together."""
    cancelled: Callable[[], bool] = lambda: False


def run(step: StepName, inputs: Inputs, output: Path, context: StepContext) -> StepMarker:
    """Execute a step. A search resumes from the files in `output`; any other step starts from an empty folder."""
    output.mkdir(parents=True, exist_ok=True)
    if step != "distributed_optimization":
        _clear(output)
    _STEPS[step](inputs, output, context)
    missing = [name for name in step_of(step).files if not (output / name).is_file()]
    assert not missing, f"{step} did not write {missing}"
    return write_marker(step, inputs, output)


def validate_data(inputs: Inputs, output: Path, context: StepContext) -> None:  # noqa: ARG001  (as every step)
    """Check the data, split them, and write the work of the search."""
    pipeline_request = read_request(inputs[REQUEST])
    prices = unpack_prices(_content(inputs[REQUEST] / "prices.npz"), pipeline_request.data)
    request = resolve_mixes(pipeline_request.request, assets=len(prices.assets))
    market = build_market(prices, request)
    world = World(market, request)
    check_scenarios(world)
    check_minimum_exposure(world)
    job = SearchJob(
        owner=pipeline_request.owner,
        run=pipeline_request.run,
        plan=0,
        request=request,
        space=request.space,
        candidates=request.start,
        first=0,
        budget=request.trials,
        limit=remaining_limit(request, Machines()),  # of the time alone: a step does not know what its instances cost
    )
    write_work(
        output,
        Work(code=pipeline_request.code, data=pipeline_request.data, job=job, key=pipeline_request.key),
        prices,
        (),
    )
    (output / "ledger.json").write_text(json.dumps(pipeline_request.ledger), encoding="utf-8")
    calendar = prices.calendar if request.prices_file is None else request.calendar

    def days(part: slice) -> tuple[str, str]:
        return str(market.dates[part][0]), str(market.dates[part][-1])

    validation = Validation(
        data=market.data_digest,
        train=days(market.train),
        validate_=days(market.validate),
        holdout=days(market.holdout),
        warm_up=market.warm_up,
        report=inspect(prices, None if calendar == "none" else calendar),
        caveats=market.caveats,
    )
    _write(output / "validation.json", validation)


def check_scenario_paths(inputs: Inputs, output: Path, context: StepContext) -> None:
    """Fit every scenario's model on training days and check its paths; each consumer generates the paths itself."""
    _, world = _world(inputs, context)
    checks = check_paths(world)
    require_passed(*checks.scenarios)
    _write(output / "scenarios.json", checks)


def run_distributed_search(inputs: Inputs, output: Path, context: StepContext) -> None:
    work, world = _world(inputs, context)
    _require_checked(inputs, world)
    assert context.search is not None
    context.search(work, world, output)


def check_models(inputs: Inputs) -> None:
    """Reject a search whose scenarios were not checked, before its instances start."""
    _require_checked(inputs, _world(inputs, StepContext())[1])


def _require_checked(inputs: Inputs, world: World) -> None:
    require_same_models(world, ScenarioChecks.model_validate_json(_content(inputs["scenarios"] / "scenarios.json")))


class LocalEngine:
    """A `desk.compute.shards.sharded_search.Engine` that computes one shard after the other with all cores."""

    def __init__(self, world: World) -> None:
        self._world = world

    def compute(self, tasks: Sequence[Task]) -> Iterator[tuple[str, bytes]]:
        for task in tasks:
            yield task.shard.id(), compute(self._world, task)


class _CountingEngine:
    """Counts the results of an engine."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.results = 0

    def compute(self, tasks: Sequence[Task]) -> Iterator[tuple[str, bytes]]:
        for result in self._engine.compute(tasks):
            self.results += 1
            yield result


def search(
    work: Work,
    world: World,
    output: Path,
    *,
    shards: Path,
    engine: Callable[[World], Engine] = LocalEngine,
    report: Callable[[JobStatus], None] = lambda _: None,
) -> None:
    """A `SearchStep` coordinated by this process; stored shards in `shards` are not computed again."""
    result, computing = ResultWriter(output, work), _CountingEngine(engine(world))
    sharded = ShardedSimulator(world, computing, FolderShardStore(shards), result.reject_shard)
    stop_reason = run_search(world, work.job, {}, result.save, report, sharded)
    account = ShardCounts(
        found=sharded.cache_hits,
        computed={"here": computing.results},
        refused=result.rejected_count,
        again=0,
        late=0,
        lost=0,
        unseen=(),
    )
    result.finish(stop_reason, account)


def train_surrogate(inputs: Inputs, output: Path, context: StepContext) -> None:
    """Fit a surrogate of the evaluation to the trials of this search; no other step reads it."""
    from desk.surrogates.file_format import encode
    from desk.surrogates.gaussian_process import fit

    work, world = _world(inputs, context)
    market = world.market
    _, trials = read_result(inputs["result"], work)
    problem = Problem.of(world.request, data=market.data_digest, rates=market.rates_digest, code=work.code)
    surrogate = fit(problem, [trial for trial, _ in trials])
    (output / "surrogate.bin").write_bytes(encode(surrogate))
    errors: dict[Target, HeldOut] = {target: each.held_out for target, each in surrogate.fits.items()}
    _write(output / "held_out.json", TrainingReport(problem=problem.digest(), trials=len(trials), held_out=errors))


def aggregate_results(inputs: Inputs, output: Path, context: StepContext) -> None:
    """Judge the trials with the default probabilities, and explain the result from the template."""
    work, world = _world(inputs, context)
    summary, trial_series = read_result(inputs["result"], work)
    trials = [trial for trial, _ in trial_series]
    require_few_failed([each.reason for each in summary.failures], len(trials) + len(summary.failures))
    ledger: Entries = json.loads(_content(inputs["work"] / "ledger.json"))
    mandate = world.request.mandate
    earlier = earlier_trials(ledger, mandate, [trial.digest for trial in trials])
    judgement = judge(
        world,
        trials,
        {trial.series: series for trial, series in trial_series},
        view=None,
        decisions=(),
        counts=count_work(world.request, trials, stopped=summary.stopped, plans=1, failed=len(summary.failures)),
        ledger_trials=len(trials) + len(earlier.entries),
    )
    result = with_ledger(_explained(judgement.result), earlier)
    require_verified(result)
    for name, array in (("history", judgement.history), ("asset_weights", judgement.asset_weights)):
        if array is not None:
            (output / f"{name}.f64").write_bytes(array.astype("<f8").tobytes())
    tried: Entries = {ledger_entry(mandate, trial.digest): None for trial in trials}
    _write(output / "counted.json", CountedTrials(prices_digest=work.data, entries=tried))
    if earlier.entries:
        (output / "ledger.txt").write_bytes(format_entries(earlier.entries))
    _write(output / "result.json", result)
    (output / "digest").write_text(result.digest() + "\n", encoding="ascii")


_STEPS: dict[StepName, Callable[[Inputs, Path, StepContext], None]] = {
    "data_validation": validate_data,
    "scenario_generation": check_scenario_paths,
    "distributed_optimization": run_distributed_search,
    "training": train_surrogate,
    "aggregation": aggregate_results,
}


def _explained(result: OptimizationResult) -> OptimizationResult:
    claims = tuple(render(claim, result.figures) for claim in template_claims(result))
    return result.model_copy(update={"explanation": Explanation(claims=claims, author=AUTHOR)})


def _world(inputs: Inputs, context: StepContext) -> tuple[Work, World]:
    work, prices, _ = read_work(inputs["work"])
    request = work.job.request
    return work, World(build_market(prices, request), request, context.cancelled)


def _clear(folder: Path) -> None:
    """Delete the content but not the folder, which may be a mount in a container."""
    for path in folder.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise IncompatibleWork(f"{path.name} is missing in {path.parent}; run the earlier steps first") from error


def _write(path: Path, document: Frozen) -> None:
    path.write_text(document.model_dump_json(indent=1), encoding="utf-8")
