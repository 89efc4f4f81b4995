"""Executes a step of the pipeline on an instance of a SageMaker job."""

import asyncio
import threading

from desk.compute.container.job_files import ContainerPaths, read_resources
from desk.compute.container.worker import run_until_stopped, run_worker
from desk.compute.pipeline.definition import Step, step_of
from desk.compute.pipeline.step_files import write_marker
from desk.compute.pipeline.steps import Inputs, StepContext, check_models, run


async def run_step(name: str, paths: ContainerPaths, stop_flag: threading.Event, stop_event: asyncio.Event) -> None:
    """Raises `InterruptedError` once `stop_event` is set."""
    step = step_of(name)
    inputs = {each: paths.input(each) for each in step.inputs}
    body = (
        _run_distributed(step, inputs, paths, stop_flag, stop_event)
        if step.distributed
        else _run_single(step, inputs, paths, stop_flag)
    )
    await run_until_stopped(body, stop_flag, stop_event)


async def _run_single(step: Step, inputs: Inputs, paths: ContainerPaths, stop_flag: threading.Event) -> None:
    await asyncio.to_thread(run, step.name, inputs, paths.output(step.output), StepContext(cancelled=stop_flag.is_set))


async def _run_distributed(
    step: Step, inputs: Inputs, paths: ContainerPaths, stop_flag: threading.Event, stop_event: asyncio.Event
) -> None:
    """Run the search on all instances; the leader writes the result and its marker."""
    await asyncio.to_thread(check_models, inputs)
    await run_worker(paths, stop_flag, stop_event)
    resources = read_resources(paths.resources)
    if resources.current_host == resources.leader:
        write_marker(step.name, inputs, paths.output(step.output))
