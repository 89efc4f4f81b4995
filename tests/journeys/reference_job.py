"""The reference run: how it is created and continued, and how its shards are counted on a fleet."""

import asyncio
import json
import random
import secrets
import sys
import time
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage

from agents.embedded_planner import EmbeddedPlanner
from agents.models.factory import single_model
from api.app import create_dependencies
from api.settings import read_settings
from desk.optimization.jobs import Report
from desk.optimization.repositories.result_repository import load_result
from desk.optimization.request import OptimizationRequest
from desk.runs.events.search import ComputationReported
from desk.runs.repository import load_events
from graphs.dependencies import Dependencies
from graphs.jobs.remote import execute_to_end
from graphs.runs.creation import create_run
from quant.worlds.scenario import BUILT_IN
from tests.doubles.sagemaker.fleet import IMAGE_URI, ROLE, Fleet
from tests.doubles.sagemaker.instances import IMAGE, Instance
from tests.doubles.sagemaker.job import Behaviour, Job
from tests.graphs.dependencies import OWNER

RUN = "reference"
LOOK_SECONDS = 0.25
LOGGING_IMAGE = ("env", "STRATIGOS_LOG_LEVEL=debug", *IMAGE)
"""Command of the image with a log line for each shard that an instance begins and computes."""


def request_of(trials: int, scenarios: int, paths: int, years: int) -> OptimizationRequest:
    some = tuple(each.model_copy(update={"paths": paths, "years": years}) for each in BUILT_IN[:scenarios])
    return OptimizationRequest(trials=trials, scenarios=some, stopping="budget")


REFERENCE = request_of(trials=100, scenarios=5, paths=1_000, years=5)
"""The request of `make demo`."""
REDUCED = request_of(trials=12, scenarios=2, paths=100, years=1)


def logging_conduct(**changes: Any) -> Behaviour:
    return Behaviour(upload_every=0.05, image=LOGGING_IMAGE, **changes)


def printed_random() -> random.Random:
    """A random generator whose seed is printed, so that a failure can be repeated."""
    seed = secrets.randbelow(2**32)
    sys.stdout.write(f"\nseed {seed}")
    return random.Random(seed)


def use_sagemaker(patch: pytest.MonkeyPatch, bucket: str, instances: int) -> None:
    """Set the environment so that searches run on the fleet."""
    for name, value in {
        "STRATIGOS_COMPUTE": "sagemaker",
        "SAGEMAKER_IMAGE": IMAGE_URI,
        "SAGEMAKER_ROLE": ROLE,
        "SAGEMAKER_STORAGE": f"s3://{bucket}/searches",
        "SAGEMAKER_INSTANCES": str(instances),
        "SAGEMAKER_ATTEMPTS": "9",
    }.items():
        patch.setenv(name, value)


class OnePlanPlanner(EmbeddedPlanner):
    """Plans a single search, because starting instances takes longer than a small search."""

    def _reply(self, messages: Sequence[BaseMessage]) -> AIMessage:
        answer = super()._reply(messages)
        for call in answer.tool_calls:
            if call["name"] == "SearchPlan":
                call["args"]["share"] = "all"
        return answer


@asynccontextmanager
async def dependencies_of_settings(
    model: BaseChatModel | None = None, *, queued: bool = False
) -> AsyncGenerator[Dependencies]:
    """The dependencies that the settings select, without thresholds for approval."""
    async with create_dependencies(
        read_settings(), single_model(model or EmbeddedPlanner()), queued=queued
    ) as dependencies:
        yield replace(dependencies, thresholds=None)


async def create_reference_run(dependencies: Dependencies, request: OptimizationRequest) -> None:
    await create_run(dependencies, OWNER, request, run_id=RUN)


async def run_to_end(dependencies: Dependencies) -> None:
    """Continue the reference run until it ends."""
    async with aclosing(execute_to_end(dependencies, OWNER, RUN, seconds=LOOK_SECONDS)) as events:
        async for _ in events:
            pass


async def digest_of(dependencies: Dependencies, run: str = RUN) -> str:
    return (await load_result(dependencies.store, OWNER, run, "final")).digest()


async def reports_of(dependencies: Dependencies, run: str = RUN) -> list[Report]:
    """Reports of the computation in the trace of a run."""
    return [e.report for e in await load_events(dependencies.store, OWNER, run) if isinstance(e, ComputationReported)]


async def until(condition: Callable[[], bool], seconds: float = 300.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():  # other processes fulfil it
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)


def shards_of_event(instance: Instance, event: str) -> list[str]:
    """Shards for which the log of an instance contains `event`."""
    if not instance.log.exists():
        return []
    log = [json.loads(line) for line in instance.log.read_text().splitlines() if line.startswith("{")]
    return [line["shard"] for line in log if line["event"] == event]


def begun_shards(job: Job) -> list[str]:
    return [shard for instance in job.instances for shard in shards_of_event(instance, "shard_begun")]


@dataclass
class FleetWatch:
    """Shards in S3 at the end of each attempt, and those that its instances began."""

    fleet: Fleet
    bucket: str
    shards_at_end: dict[str, set[str]] = field(default_factory=dict[str, set[str]])
    """Stored shards at the end of each attempt."""

    def __post_init__(self) -> None:
        self.fleet.listeners.append(self._record_end)

    def _record_end(self, event: dict[str, Any]) -> None:
        if event["detail"]["ProcessingJobStatus"] in ("Completed", "Failed", "Stopped"):
            name: str = event["detail"]["ProcessingJobName"]
            self.shards_at_end[name] = self.stored_shards(name)

    def stored_shards(self, attempt: str) -> set[str]:
        return {Path(uri).stem for uri in self.objects(attempt)}

    def objects(self, attempt: str) -> list[str]:
        place = f"s3://{self.bucket}/searches/jobs/{attempt.rpartition('-')[0]}/shards/"
        return self.fleet.objects(place, like="*.shard")

    @property
    def newest(self) -> Job | None:
        return next(reversed(self.fleet.jobs.values()), None)

    async def wait_for_shards(self, shards: int) -> Job:
        """The newest attempt, once its instances have begun that many shards."""
        await until(lambda: self.newest is not None and len(begun_shards(self.newest)) >= shards)
        assert self.newest is not None
        return self.newest

    def accounts(self) -> list[dict[str, Any]]:
        """The leaders' counts of shards of the successful attempts."""
        uris = self.fleet.objects(f"s3://{self.bucket}/searches/jobs/", like="*/shards.json")
        return [json.loads(self.fleet.content(uri)) for uri in uris]

    def count(self) -> "ShardCounts":
        """Count the shards of all attempts."""
        computed: Counter[str] = Counter()
        in_flight: set[tuple[str, int, str]] = set()
        stored_shards: dict[str, set[str]] = {}
        again: list[str] = []
        for name, job in self.fleet.jobs.items():
            search = name.rpartition("-")[0]
            now = begun_shards(job)
            computed.update(now)
            again += stored_shards.get(search, set()) & set(now)
            stored_shards[search] = self.shards_at_end[name]
            for number, each in enumerate(job.instances):
                begun_here = shards_of_event(each, "shard_begun")
                unfinished = set(begun_here) - self.shards_at_end[name] | set(begun_here[-1:] if each.lost else ())
                in_flight |= {(name, number, shard) for shard in unfinished}
        return ShardCounts(
            shards=len(computed),
            computed=computed.total(),
            stored_again=sorted(again),
            in_flight=len(in_flight),
            taken_twice=sum(account["again"] for account in self.accounts()),
            attempts=len(self.fleet.jobs),
        )


@dataclass(frozen=True)
class ShardCounts:
    shards: int
    computed: int
    """Computations that were begun."""
    stored_again: list[str]
    """Stored shards that a later attempt computed again."""
    in_flight: int
    """Shards that were unfinished when an instance or an attempt ended."""
    taken_twice: int
    """Shards that were also assigned to a second instance because the first was slow."""
    attempts: int

    def check(self, digest: str) -> None:
        again = self.computed - self.shards
        sys.stdout.write(f"\n{digest[:16]} {self} computed again: {again}\n")
        assert self.stored_again == []
        assert again <= self.in_flight + self.taken_twice
