"""Runs the pipeline in this process: one node per step, each reading and writing folders.

START -> data_validation -> scenario_generation -> distributed_optimization -+-> aggregation -> END
                                                                             +-> training (if requested)

State holds digests only. A step whose output is up to date is skipped, and an interrupted search reuses its finished
shards.
"""

import asyncio
import hashlib
import json
import operator
import secrets
import threading
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias, TypedDict

from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.runtime import Runtime
from langgraph.types import RetryPolicy

from desk.base.code_version import code_version
from desk.base.errors import UserError
from desk.base.owners import register_owner
from desk.compute.container.job_files import BadOutput, IncompatibleWork, pack_prices, read_work
from desk.compute.pipeline.definition import REQUEST, STEPS, Step, StepName
from desk.compute.pipeline.search_output import read_result
from desk.compute.pipeline.step_files import (
    CountedTrials,
    PipelineOutput,
    PipelineRequest,
    folder_digest,
    is_finished,
    read_request,
)
from desk.optimization.jobs import JobStatus, SearchJob
from desk.optimization.repositories.ledger import (
    Entries,
    ledger_entry,
    parse_entries,
    save_ledger,
    save_pipeline_entries,
)
from desk.optimization.repositories.trial_repository import save_series, series_address
from desk.optimization.request import OptimizationRequest
from desk.optimization.result import OptimizationResult
from desk.runs.earlier_trials import earlier_entries
from desk.surrogates.schemas import Surrogate
from graphs.dependencies import Dependencies
from graphs.runs.surrogates import fit_trials
from quant.numeric.frozen import Frozen
from quant.strategies.trial import Trial
from store.errors import Unavailable

if TYPE_CHECKING:
    from desk.compute.shards.sharded_search import Engine
    from desk.optimization.evaluation import World

    MakeEngine: TypeAlias = Callable[[World], Engine]

PLACE = "pipelines"
"""Folder of pipelines below STRATIGOS_HOME, and prefix in a bucket."""
ATTEMPTS, FIRST_DELAY = 3, 1.0
"""Seconds before the second attempt of a step whose storage or cluster does not respond."""


class StepFailed(UserError):
    """A step of a pipeline cannot process its input."""

    code = "step_failed"

    def __init__(self, step: StepName, cause: str) -> None:
        self.step, self.cause = step, cause
        super().__init__(f"{step}: {cause}")


class StepEvent(Frozen):
    """A progress event of a pipeline."""

    step: StepName
    what: Literal["begun", "passed_over", "searched", "finished", "failed"]
    cause: str = ""
    status: JobStatus | None = None
    """Progress of the search."""


class State(TypedDict):
    training: bool
    digests: Annotated[dict[StepName, str], operator.or_]
    """Output digest of each finished step."""


@dataclass(frozen=True, kw_only=True)
class Execution:
    """Objects that the nodes of one execution share."""

    folder: Path
    engine: "MakeEngine | None" = None
    """Creates the `desk.compute.shards.sharded_search.Engine` of a world; None computes in this process."""


def pipeline_graph(first_delay: float = FIRST_DELAY) -> CompiledStateGraph[State, Execution, Any, Any]:
    """The graph of the steps in `desk.compute.pipeline.definition.STEPS`."""
    graph = StateGraph(State, context_schema=Execution)
    retry = RetryPolicy(retry_on=Unavailable, max_attempts=ATTEMPTS, initial_interval=first_delay, jitter=False)
    for step in STEPS:
        graph.add_node(step.name, _node(step), retry_policy=retry)
        if not step.dependencies:
            graph.add_edge(START, step.name)
        elif step.optional:
            graph.add_conditional_edges(step.dependencies[-1], _optional_route(step), [step.name, END])
        else:
            graph.add_edge(list(step.dependencies), step.name)
    for step in STEPS:
        if not any(step.name in other.dependencies for other in STEPS):
            graph.add_edge(step.name, END)
    return graph.compile(name="pipeline")


async def prepare(dependencies: Dependencies, owner: str, home: Path, request: OptimizationRequest) -> Path:
    """The folder of the pipeline for a request; the same request continues in its existing folder."""
    step_request, prices = await pipeline_request(dependencies, owner, request)
    folder = home / PLACE / step_request.run
    await asyncio.to_thread(_write_request, folder / REQUEST, step_request, prices)
    return folder


async def pipeline_request(
    dependencies: Dependencies, owner: str, request: OptimizationRequest
) -> tuple[PipelineRequest, bytes]:
    """The input of a pipeline for a request; checks only that prices exist."""
    from desk.optimization.inputs.market_data import load_prices  # lazy: imports numba and scipy

    source = dependencies.prices_of(owner)
    if request.prices_file is None:
        request = request.model_copy(update={"universe": await source.pin(request.universe)})
    prices = await load_prices(source, request)
    step_request = PipelineRequest(
        code=code_version(),
        data=prices.digest,
        owner=owner,
        run=pipeline_name(owner, request, prices.digest),
        key=secrets.token_hex(32),
        request=request,
        ledger=await earlier_entries(dependencies.store, owner, prices.digest),
    )
    return step_request, pack_prices(prices)


def pipeline_name(owner: str, request: OptimizationRequest, data: str) -> str:
    """The name of the pipeline for a request, a price digest and this code version."""
    identity = json.dumps([owner, request.content_digest(), data, code_version()])
    return hashlib.sha256(identity.encode()).hexdigest()[:24]


def _write_request(folder: Path, step_request: PipelineRequest, prices: bytes) -> None:
    """Write only files whose content changed; the list of earlier trials stays as first written."""
    folder.mkdir(parents=True, exist_ok=True)
    try:
        before = read_request(folder)
    except IncompatibleWork:
        before = None
    if before is None:
        (folder / "request.json").write_text(step_request.model_dump_json(indent=1), encoding="utf-8")
    path = folder / "prices.npz"
    if not path.is_file() or path.read_bytes() != prices:
        path.write_bytes(prices)


async def execute(
    folder: Path, *, training: bool = False, engine: "MakeEngine | None" = None, first_delay: float = FIRST_DELAY
) -> AsyncGenerator[StepEvent]:
    """Execute the unfinished steps; raises `StepFailed` for an error that the user can correct."""
    state = {"training": training, "digests": {}}
    context = Execution(folder=folder, engine=engine)
    async for document in pipeline_graph(first_delay).astream(state, context=context, stream_mode="custom"):
        yield StepEvent.model_validate(document)


def read_pipeline_result(folder: Path) -> PipelineOutput:
    """The output of a finished pipeline; raises `BadOutput` if a file was changed."""
    folder_of_result = folder / "aggregation"
    result = OptimizationResult.model_validate_json((folder_of_result / "result.json").read_bytes())
    if result.digest() != (folder_of_result / "digest").read_text(encoding="ascii").strip():
        raise BadOutput("result.json", "damaged", "its digest is another")
    return PipelineOutput(
        result,
        (folder_of_result / "history.f64").read_bytes() if result.history_series else None,
        (folder_of_result / "ledger.txt").read_bytes() if result.manifest.ledger else None,
        CountedTrials.model_validate_json((folder_of_result / "counted.json").read_bytes()),
        (folder_of_result / "asset_weights.f64").read_bytes() if result.attribution else None,
    )


async def save_pipeline_result(dependencies: Dependencies, owner: str, name: str, output: PipelineOutput) -> None:
    """Store the data of the report, and the trials in the ledger, where they count from now on."""
    import numpy as np

    result, history, ledger, counted, asset_weights = output
    if result.manifest.ledger is not None:
        address = await save_ledger(dependencies.store, owner, parse_entries(ledger or b""))
        if result.manifest.ledger.address != address:
            raise BadOutput("ledger.txt", "damaged", "its digest is not that in result.json")
    attribution = result.attribution
    for name, content, expected in (
        ("history.f64", history, result.history_series),
        ("asset_weights.f64", asset_weights, None if attribution is None else attribution.weights),
    ):
        if content is None:
            continue
        series = np.frombuffer(content, dtype="<f8")
        if series_address(series) != expected:
            raise BadOutput(name, "damaged", "its digest is not that in result.json")
        await save_series(dependencies.store, owner, series)
    mandate = result.manifest.request.mandate
    if counted is None:
        entries: Entries = dict.fromkeys(ledger_entry(mandate, trial.digest) for trial in result.trials)
        counted = CountedTrials(prices_digest=result.manifest.data_digest, entries=entries)
    await register_owner(dependencies.store, owner)
    await save_pipeline_entries(dependencies.store, owner, name, counted.prices_digest, counted.entries)


async def register_surrogate(dependencies: Dependencies, owner: str, folder: Path) -> Surrogate:
    """Register a version fitted on the trials of this pipeline and of all runs of the same problem."""

    def trials() -> tuple[SearchJob, str, list[Trial]]:
        work, _, _ = read_work(folder / "data_validation")
        return work.job, work.data, [trial for trial, _ in read_result(folder / "distributed_optimization", work)[1]]

    job, data, trial_list = await asyncio.to_thread(trials)
    return await fit_trials(dependencies, owner, job.request, data, trial_list, run=job.run)


def _optional_route(step: Step) -> Callable[[State], str]:
    def route(state: State) -> str:
        return step.name if state["training"] else END

    return route


def _node(step: Step) -> Any:
    async def node(state: State, runtime: Runtime[Execution]) -> dict[str, Any]:  # noqa: ARG001  (as every node)
        def say(what: str, **more: object) -> None:
            runtime.stream_writer({"step": step.name, "what": what, **more})

        folder = runtime.context.folder
        output = folder / step.name
        try:
            what = await _perform(step, runtime.context, output, say)
        except (UserError, BadOutput) as error:
            say("failed", cause=str(error))
            raise StepFailed(step.name, str(error)) from error
        say(what)
        return {"digests": {step.name: await asyncio.to_thread(folder_digest, output)}}

    return node


async def _perform(step: Step, context: Execution, output: Path, say: Callable[..., None]) -> str:
    inputs = {name: context.folder / _folder_of(name) for name in step.inputs}
    if await asyncio.to_thread(is_finished, step.name, inputs, output):
        return "passed_over"
    say("begun")
    from desk.compute.pipeline.steps import (  # lazy: imports numba and scipy
        LocalEngine,
        StepContext,
        run,
        search,
    )

    loop = asyncio.get_running_loop()

    def report(status: JobStatus) -> None:
        loop.call_soon_threadsafe(lambda: say("searched", status=status))

    stop = threading.Event()
    here = partial(search, shards=context.folder / "shards", engine=context.engine or LocalEngine, report=report)
    step_context = StepContext(search=here, cancelled=stop.is_set)
    try:
        await asyncio.to_thread(run, step.name, inputs, output, step_context)
    except asyncio.CancelledError:
        stop.set()  # otherwise the thread would continue without a reader
        raise
    return "finished"


def _folder_of(name: str) -> str:
    """The folder of an input: the output folder of the step that writes it."""
    return next((step.name for step in STEPS if step.output == name), name)
