"""`pipeline`: an optimization as five steps, in this process or on SageMaker."""

import asyncio
import json
import re
import sys
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from api.accepted_values import short_repr
from api.cli.approval_prompt import confirm_start
from api.cli.command_line import CommandLine
from api.cli.commands.optimize import parse_request
from api.cli.dependencies import with_dependencies
from api.cli.exit_codes import DONE, FAULT, WAITING
from api.cli.options import AsJson
from api.cli.output.results import print_result
from api.cli.request_options import name_as_typed
from api.cli.terminal import plain
from api.compute_settings import cluster_of, machines_of, require_sagemaker
from api.export.reporting import report, report_path, write
from api.settings import Settings, read_settings
from desk.base.errors import InvalidInput, UserError
from desk.base.text import sentence_case, spaced
from desk.compute.pipeline.definition import STEPS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from desk.compute.pipeline.step_files import PipelineOutput
    from desk.compute.sagemaker.pipelines import PipelineState, SageMakerPipelines
    from desk.compute.sagemaker.processing import Cluster
    from desk.optimization.request import OptimizationRequest
    from graphs.dependencies import Dependencies
    from graphs.pipeline import MakeEngine, StepEvent

RUN = """
Examples:

    python -m api pipeline run --target-vol 0.12 --trials 200

    python -m api pipeline run --request request.json --training

The options of `optimize` describe the request, except --resume, --warm and --server. No agent takes part: the
probabilities are those of the request, and the explanation comes from a template.
"""
START = """
Example: python -m api pipeline start --request request.json --training

SAGEMAKER_IMAGE, SAGEMAKER_ROLE and SAGEMAKER_STORAGE must be set. Above APPROVE_INSTANCES, APPROVE_DOLLARS or
APPROVE_EVALUATIONS the command asks for approval; --approve gives it without a terminal.
"""
TENTHS = 10
_ARN = re.compile(r"arn:aws[a-z-]*:sagemaker:[a-z0-9-]+:[0-9]{12}:pipeline/[A-Za-z0-9-]+/execution/[A-Za-z0-9]+")
_MARKS = {"succeeded": "✔", "failed": "✖", "stopped": "✖"}

Options = Annotated[
    list[str] | None, typer.Argument(metavar="[OPTIONS OF optimize]", help="The request, as in `optimize`.")
]
Training = Annotated[bool, typer.Option("--training", help="Also fit a surrogate of the evaluation on the trials.")]
Approve = Annotated[bool, typer.Option("--approve", help="Approve the estimated instances and dollars.")]
Arn = Annotated[str, typer.Argument(metavar="ARN", help="The execution, as `pipeline start` printed it.")]
Fetch = Annotated[bool, typer.Option("--fetch", help="Store the result here, and write its report.")]


def register(app: typer.Typer) -> None:
    pipeline = CommandLine(help="An optimization as five steps.", rich_markup_mode="rich", no_args_is_help=True)
    taking = {"ignore_unknown_options": True}
    pipeline.command(epilog=RUN, context_settings=taking)(run)
    pipeline.command()(definition)
    pipeline.command(epilog=START, context_settings=taking)(start)
    pipeline.command()(status)
    pipeline.callback()(_pipeline)
    app.add_typer(pipeline, name="pipeline")


def _pipeline() -> None:
    """An optimization as five steps, in this process or on SageMaker; finished steps are not repeated."""


def run(arguments: Options = None, *, training: Training = False, json_: AsJson = False) -> int:
    """Execute the unfinished steps in this process; an interrupted pipeline continues where it stopped."""
    request = _request(arguments)

    async def answer(settings: Settings, dependencies: "Dependencies") -> int:
        from graphs import pipeline

        with _named_as_typed(arguments):
            folder = await pipeline.prepare(dependencies, settings.owner, settings.home, request)
        print(f"Pipeline {folder.name} in {folder}", file=sys.stderr)
        show = _Progress()
        async for event in pipeline.execute(folder, training=training, engine=_engine(settings)):
            show(event)
        if training:
            surrogate = await pipeline.register_surrogate(dependencies, settings.owner, folder)
            source = f"version {surrogate.version}, of {surrogate.trials} trials"
            print(f"Surrogate {surrogate.problem[:12]}, {source}", file=sys.stderr)
        output = await asyncio.to_thread(pipeline.read_pipeline_result, folder)
        return await _store_result(settings, dependencies, folder.name, output, as_json=json_)

    return with_dependencies(answer)


def definition() -> int:
    """Print the definition of the pipeline for SageMaker (JSON)."""
    from desk.compute.sagemaker import pipeline_definition

    print(json.dumps(pipeline_definition.definition(_cluster(read_settings())), indent=2))
    return DONE


def start(
    arguments: Options = None, *, training: Training = False, approve: Approve = False, json_: AsJson = False
) -> int:
    """Create or update the pipeline on SageMaker, start an execution of the request, and print its ARN.

    A request that is still being executed is not started again: its ARN is printed.

    Exit code 3: nothing was started, for want of an approval.
    """
    request = _request(arguments)

    async def answer(settings: Settings, dependencies: "Dependencies") -> int:
        from graphs.pipeline import pipeline_request

        with closing(_pipelines(settings)) as pipelines:
            with _named_as_typed(arguments):
                job, prices = await pipeline_request(dependencies, settings.owner, request)
            within_limits = _print_estimate(settings, dependencies, request)
            if not (within_limits or approve or confirm_start()):
                return WAITING
            arn = await pipelines.start(job, prices, training=training)
        print(json.dumps({"arn": arn, "pipeline": job.run}) if json_ else arn)
        return DONE

    return with_dependencies(answer)


def status(arn: Arn, *, fetch: Fetch = False, json_: AsJson = False) -> int:
    """Show the steps of an execution on SageMaker, with the progress of the search (exit code 1 if a step failed)."""
    from desk.compute.container.job_files import BadOutput

    if not _ARN.fullmatch(arn):
        allowed = "arn:aws:sagemaker:REGION:ACCOUNT:pipeline/NAME/execution/ID, as `pipeline start` printed it"
        raise InvalidInput("ARN", arn, reason=f"{short_repr(arn)} names no execution of a pipeline", allowed=allowed)

    async def answer(settings: Settings, dependencies: "Dependencies") -> int:
        with closing(_pipelines(settings)) as pipelines:
            state = await pipelines.state(arn)
            try:
                output = await pipelines.fetch(state) if fetch else None
            except BadOutput as error:
                raise UserError(f"{state.folder}: {error}; expected the complete output of the last step") from error
        if output is not None:
            return await _store_result(settings, dependencies, state.folder.rpartition("/")[2], output, as_json=json_)
        print(state.model_dump_json()) if json_ else _print_state(state)
        return FAULT if state.state == "failed" else DONE

    return with_dependencies(answer)


def _print_estimate(settings: Settings, dependencies: "Dependencies", request: "OptimizationRequest") -> bool:
    """Print the estimate of the search; whether it needs no approval."""
    from desk.optimization.estimate import estimate

    whole = estimate(request, request.trials, machines_of(settings))  # a pipeline has one plan
    print(f"Estimate: {whole.describe()}; every other step takes one instance besides", file=sys.stderr)
    return dependencies.thresholds is None or not dependencies.thresholds.exceeded(whole)


class _Progress:
    """A line for each step, and for each tenth of the search."""

    def __init__(self) -> None:
        self._tenths = 0

    def __call__(self, event: "StepEvent") -> None:
        name = sentence_case(spaced(event.step))
        match event.what:
            case "begun":
                print(f"{name} ...", file=sys.stderr)
            case "passed_over":
                print(f"✔ {name}: finished before, not repeated", file=sys.stderr)
            case "finished":
                print(f"✔ {name}", file=sys.stderr)
            case "failed":
                print(f"✖ {name}", file=sys.stderr)  # the cause follows, as the error of the command
            case "searched":
                status = event.status
                assert status is not None
                if status.total and status.done * TENTHS >= (self._tenths + 1) * status.total:
                    self._tenths = status.done * TENTHS // status.total
                    print(f"  {status.done} of {status.total} trials", file=sys.stderr)


def _print_state(state: "PipelineState") -> None:
    print(f"{state.arn}: {state.state}")
    for step in state.steps:
        more = ", finished before" if step.passed_over else ""
        more += f", {step.attempts} attempts" if step.attempts > 1 else ""
        more += f", {step.done} of {step.total} trials" if step.total else ""
        more += f": {plain(step.cause)}" if step.cause else ""
        print(f"{_MARKS.get(step.state, '–')} {step.name}: {step.state}{more}")
    remaining = [
        step.name for step in STEPS if not step.optional and step.name not in {one.name for one in state.steps}
    ]
    if remaining and state.state == "executing":
        print(f"– still to come: {', '.join(remaining)}")


async def _store_result(
    settings: Settings,
    dependencies: "Dependencies",
    name: str,
    output: "PipelineOutput",
    *,
    as_json: bool,
) -> int:
    from graphs.pipeline import save_pipeline_result

    await save_pipeline_result(dependencies, settings.owner, name, output)
    result = output.result
    path = report_path(settings, name)
    write(path, await report(dependencies.store, settings.owner, name, result))
    if as_json:
        summary = {"pipeline": name, "report": str(path), "result_digest": result.digest()}
        sys.stdout.write(json.dumps(summary | {"result": result.model_dump(mode="json")}) + "\n")
    else:
        print_result(result, path)
    return DONE


def _request(arguments: list[str] | None) -> "OptimizationRequest":
    return parse_request(arguments or [])


@contextmanager
def _named_as_typed(arguments: list[str] | None) -> "Iterator[None]":
    """Errors about the request name its options as they were typed."""
    try:
        yield
    except InvalidInput as error:
        raise name_as_typed(error, by_options="--request" not in (arguments or [])) from error


def _engine(settings: Settings) -> "MakeEngine | None":
    """The engine that computes shards on Ray; the steps of `run` are never computed on SageMaker."""
    if not settings.compute.startswith("ray"):
        return None
    from desk.compute.ray_cluster import RayEngine

    address = settings.compute.removeprefix("ray").removeprefix(":")
    return lambda world: RayEngine(world, address)


def _cluster(settings: Settings) -> "Cluster":
    require_sagemaker(settings, "a pipeline of SageMaker is requested")
    return cluster_of(settings)


def _pipelines(settings: Settings) -> "SageMakerPipelines":
    from desk.compute.sagemaker.pipelines import SageMakerPipelines

    return SageMakerPipelines(_cluster(settings))
