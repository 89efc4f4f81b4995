"""A step of the pipeline as an instance of a job executes it."""

import asyncio
import threading

from desk.compute.container.job_files import Tree, read_resources
from desk.compute.container.worker import unless_stopped, work
from desk.compute.pipeline.definition import Step, step_of
from desk.compute.pipeline.step_files import mark
from desk.compute.pipeline.steps import Hands, Inputs, check_models, run


async def perform(name: str, tree: Tree, stop: threading.Event, stopped: asyncio.Event) -> None:
    """Raises `InterruptedError` when told to stop."""
    step = step_of(name)
    inputs = {each: tree.input(each) for each in step.reads}
    body = _together(step, inputs, tree, stop, stopped) if step.everywhere else _alone(step, inputs, tree, stop)
    await unless_stopped(body, stop, stopped)


async def _alone(step: Step, inputs: Inputs, tree: Tree, stop: threading.Event) -> None:
    await asyncio.to_thread(run, step.name, inputs, tree.output(step.leaves), Hands(cancelled=stop.is_set))


async def _together(step: Step, inputs: Inputs, tree: Tree, stop: threading.Event, stopped: asyncio.Event) -> None:
    """The instance that leads leaves the result, and says that it is whole."""
    await asyncio.to_thread(check_models, inputs)
    await work(tree, stop, stopped)
    resources = read_resources(tree.resources)
    if resources.current_host == resources.leader:
        mark(step.name, inputs, tree.output(step.leaves))
