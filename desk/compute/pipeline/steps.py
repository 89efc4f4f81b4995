"""What each step of the pipeline does: a function of folders, the same in this process and in a container."""

import json
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from desk.compute.container.job_files import Account, Foreign, Work, read_work, unpack_prices, write_work
from desk.compute.container.worker import Result
from desk.compute.pipeline.definition import REQUEST, StepName, step_of
from desk.compute.pipeline.search_output import read_result
from desk.compute.pipeline.step_files import Done, mark, read_asked
from desk.compute.shards.sharded_search import Engine, FolderShelf, Sharded
from desk.compute.shards.shards import Task, compute
from desk.figures.guard.claims import render
from desk.market.checks.prices import inspect
from desk.market.checks.report import DataReport
from desk.optimization.answers import Explanation
from desk.optimization.counts import counted
from desk.optimization.evaluation import World
from desk.optimization.inputs.market_data import build_market
from desk.optimization.inputs.splits import resolved
from desk.optimization.jobs import JobStatus, SearchJob
from desk.optimization.judgement.judge import judge
from desk.optimization.judgement.sensitivity import check_scenarios
from desk.optimization.judgement.verification import require_verified
from desk.optimization.limits import check_minimum_exposure
from desk.optimization.reading.template import AUTHOR, template_claims
from desk.optimization.repositories.ledger import entry
from desk.optimization.result import OptimizationResult
from desk.optimization.scenario_checks import ScenarioChecks, check_paths, require_same
from desk.optimization.search.search import run_search
from desk.surrogates.schemas import HeldOut, Problem, Target
from quant.numeric.frozen import Frozen

Inputs: TypeAlias = Mapping[str, Path]
"""Folders by name: `request`, and what earlier steps have left."""
Search: TypeAlias = Callable[[Work, World, Path], None]
"""Makes the trials of the work and leaves them, with their summary, in a folder."""


class Validation(Frozen):
    """`validation.json`: what was found when the data were looked at."""

    data: str
    train: tuple[str, str]
    """First and last day."""
    validate_: tuple[str, str]
    holdout: tuple[str, str]
    warm_up: int
    report: DataReport
    caveats: tuple[str, ...]


class Trained(Frozen):
    """`held_out.json`: how far the surrogate is from what was computed, on trials that it did not see."""

    problem: str
    trials: int
    held_out: dict[Target, HeldOut]


@dataclass(frozen=True)
class Hands:
    """What the steps are given besides folders."""

    search: Search | None = None
    """For the search, which in a container its instances make together."""
    cancelled: Callable[[], bool] = lambda: False


def run(step: StepName, inputs: Inputs, output: Path, hands: Hands) -> Done:
    """Execute a step. What an interrupted search has left in `output` is used; any other step begins anew."""
    output.mkdir(parents=True, exist_ok=True)
    if step != "distributed_optimization":
        _clear(output)
    _STEPS[step](inputs, output, hands)
    missing = [name for name in step_of(step).files if not (output / name).is_file()]
    assert not missing, f"{step} has not left {missing}"
    return mark(step, inputs, output)


def data_validation(inputs: Inputs, output: Path, hands: Hands) -> None:  # noqa: ARG001  (as every step)
    """Gate the data, split them, and say what is to be searched."""
    asked = read_asked(inputs[REQUEST])
    prices = unpack_prices(_content(inputs[REQUEST] / "prices.npz"), asked.data)
    request = resolved(asked.request, assets=len(prices.assets))
    market = build_market(prices, request)
    world = World(market, request)
    check_scenarios(world)
    check_minimum_exposure(world)
    job = SearchJob(
        owner=asked.owner,
        run=asked.run,
        plan=0,
        request=request,
        space=request.space,
        candidates=request.start,
        first=0,
        budget=request.trials,
    )
    write_work(output, Work(code=asked.code, data=asked.data, job=job, key=asked.key), prices, ())
    (output / "ledger.json").write_text(json.dumps(asked.ledger), encoding="utf-8")
    calendar = prices.calendar if request.prices_file is None else request.calendar

    def days(part: slice) -> tuple[str, str]:
        return str(market.dates[part][0]), str(market.dates[part][-1])

    found = Validation(
        data=market.data_digest,
        train=days(market.train),
        validate_=days(market.validate),
        holdout=days(market.holdout),
        warm_up=market.warm_up,
        report=inspect(prices, None if calendar == "none" else calendar),
        caveats=market.caveats,
    )
    _write(output / "validation.json", found)


def scenario_generation(inputs: Inputs, output: Path, hands: Hands) -> None:
    """Fit every scenario's model on training days, and check its paths, which are drawn where they are used."""
    _, world = _world(inputs, hands)
    _write(output / "scenarios.json", check_paths(world))


def distributed_optimization(inputs: Inputs, output: Path, hands: Hands) -> None:
    work, world = _world(inputs, hands)
    _require_checked(inputs, world)
    assert hands.search is not None
    hands.search(work, world, output)


def check_models(inputs: Inputs) -> None:
    """Refuse a search whose scenarios were not looked at, before its instances begin."""
    _require_checked(inputs, _world(inputs, Hands())[1])


def _require_checked(inputs: Inputs, world: World) -> None:
    require_same(world, ScenarioChecks.model_validate_json(_content(inputs["scenarios"] / "scenarios.json")))


class Alone:
    """A `desk.compute.shards.sharded_search.Engine`: this process, with every core for one shard after the other."""

    def __init__(self, world: World) -> None:
        self._world = world

    def compute(self, tasks: Sequence[Task]) -> Iterator[tuple[str, bytes]]:
        for task in tasks:
            yield task.shard.id(), compute(self._world, task)


class _Counted:
    """An engine, and how many shards have come from it."""

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
    engine: Callable[[World], Engine] = Alone,
    report: Callable[[JobStatus], None] = lambda _: None,
) -> None:
    """A `Search` whose coordinator is this process; what an earlier one has left in `shards` is not computed again."""
    result, computing = Result(output, work), _Counted(engine(world))
    sharded = Sharded(world, computing, FolderShelf(shards), result.refuse)
    stopped = run_search(world, work.job, {}, result.save, report, sharded)
    account = Account(
        found=sharded.found,
        computed={"here": computing.results},
        refused=result.refused,
        again=0,
        late=0,
        lost=0,
        unseen=(),
    )
    result.finish(stopped, account)


def training(inputs: Inputs, output: Path, hands: Hands) -> None:
    """Fit a surrogate of the evaluation on the trials of this search; no other step reads it."""
    from desk.surrogates.file_format import encode
    from desk.surrogates.gaussian_process import fit

    work, world = _world(inputs, hands)
    market = world.market
    _, found = read_result(inputs["result"], work)
    problem = Problem.of(world.request, data=market.data_digest, rates=market.rates_digest, code=work.code)
    fitted = fit(problem, [trial for trial, _ in found])
    (output / "surrogate.bin").write_bytes(encode(fitted))
    errors: dict[Target, HeldOut] = {target: each.held_out for target, each in fitted.fits.items()}
    _write(output / "held_out.json", Trained(problem=problem.digest(), trials=len(found), held_out=errors))


def aggregation(inputs: Inputs, output: Path, hands: Hands) -> None:
    """Judge the trials with the default probabilities, and explain the result from the template."""
    work, world = _world(inputs, hands)
    summary, found = read_result(inputs["result"], work)
    trials = [trial for trial, _ in found]
    before: set[str] = set(json.loads(_content(inputs["work"] / "ledger.json")))
    judgement = judge(
        world,
        trials,
        {trial.series: series for trial, series in found},
        view=None,
        decisions=(),
        counts=counted(world.request, trials, stopped=summary.stopped, plans=1),
        ledger_trials=len(before | {entry(world.request.mandate, trial.digest) for trial in trials}),
    )
    result = _explained(judgement.result)
    require_verified(result)
    if judgement.history is not None:
        (output / "history.f64").write_bytes(judgement.history.astype("<f8").tobytes())
    _write(output / "result.json", result)
    (output / "digest").write_text(result.digest() + "\n", encoding="ascii")


_STEPS: dict[StepName, Callable[[Inputs, Path, Hands], None]] = {
    "data_validation": data_validation,
    "scenario_generation": scenario_generation,
    "distributed_optimization": distributed_optimization,
    "training": training,
    "aggregation": aggregation,
}


def _explained(result: OptimizationResult) -> OptimizationResult:
    claims = tuple(render(claim, result.figures) for claim in template_claims(result))
    return result.model_copy(update={"explanation": Explanation(claims=claims, author=AUTHOR)})


def _world(inputs: Inputs, hands: Hands) -> tuple[Work, World]:
    work, prices, _ = read_work(inputs["work"])
    request = work.job.request
    return work, World(build_market(prices, request), request, hands.cancelled)


def _clear(folder: Path) -> None:
    """The folder stays: in a container it may be a mount."""
    for path in folder.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise Foreign(
            f"{path.name}: it is not there; expected what an earlier step has left, in {path.parent}"
        ) from error


def _write(path: Path, document: Frozen) -> None:
    path.write_text(document.model_dump_json(indent=1), encoding="utf-8")
