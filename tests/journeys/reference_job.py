"""Whole runs of one request wherever searches are computed: the desks that make them, and what is counted meanwhile."""

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

from agents.models.factory import single_model
from agents.planner.planner import EmbeddedPlanner
from api.app import create_dependencies
from api.settings import read_settings
from desk.optimization.jobs import Report
from desk.optimization.repositories.result_repository import load_result
from desk.optimization.request import OptimizationRequest
from desk.runs.events import ComputationReported
from desk.runs.repository import events_of
from graphs.dependencies import Dependencies
from graphs.jobs.remote import carried_out
from graphs.runs.creation import create_run
from quant.worlds.scenario import BUILT_IN
from tests.doubles.sagemaker.fleet import IMAGE_URI, ROLE, Fleet
from tests.doubles.sagemaker.instances import IMAGE, Instance
from tests.doubles.sagemaker.job import Conduct, Job
from tests.graphs.dependencies import OWNER

RUN = "reference"
LOOK_SECONDS = 0.25
TELLING = ("env", "STRATIGOS_LOG_LEVEL=debug", *IMAGE)
"""The image, whose log tells of each shard that an instance begins."""


def request_of(trials: int, scenarios: int, paths: int, years: int) -> OptimizationRequest:
    some = tuple(each.model_copy(update={"paths": paths, "years": years}) for each in BUILT_IN[:scenarios])
    return OptimizationRequest(trials=trials, scenarios=some, stopping="budget")


REFERENCE = request_of(trials=100, scenarios=5, paths=1_000, years=5)
"""As `make demo` asks for it."""
REDUCED = request_of(trials=12, scenarios=2, paths=100, years=1)


def telling(**changes: Any) -> Conduct:
    return Conduct(upload_every=0.05, image=TELLING, **changes)


def dice() -> random.Random:
    """Other moments every time; the seed that is printed brings them back."""
    seed = secrets.randbelow(2**32)
    sys.stdout.write(f"\nseed {seed}")
    return random.Random(seed)


def computed_by_sagemaker(patch: pytest.MonkeyPatch, bucket: str, instances: int) -> None:
    """Settings, beside those that lead to the fleet."""
    for name, value in {
        "STRATIGOS_COMPUTE": "sagemaker",
        "SAGEMAKER_IMAGE": IMAGE_URI,
        "SAGEMAKER_ROLE": ROLE,
        "SAGEMAKER_STORAGE": f"s3://{bucket}/searches",
        "SAGEMAKER_INSTANCES": str(instances),
        "SAGEMAKER_ATTEMPTS": "9",
    }.items():
        patch.setenv(name, value)


class AllAtOnce(EmbeddedPlanner):
    """Plans one search, and with it one job elsewhere: starting its instances takes longer than a small search."""

    def _reply(self, messages: Sequence[BaseMessage]) -> AIMessage:
        said = super()._reply(messages)
        for call in said.tool_calls:
            if call["name"] == "SearchPlan":
                call["args"]["share"] = "all"
        return said


@asynccontextmanager
async def dependencies_of_settings(
    model: BaseChatModel | None = None, *, queued: bool = False
) -> AsyncGenerator[Dependencies]:
    """As the settings compose it; nobody is asked for an approval."""
    async with create_dependencies(
        read_settings(), single_model(model or EmbeddedPlanner()), queued=queued
    ) as dependencies:
        yield replace(dependencies, thresholds=None)


async def asked(dependencies: Dependencies, request: OptimizationRequest) -> None:
    await create_run(dependencies, OWNER, request, run_id=RUN)


async def carried_on(dependencies: Dependencies) -> None:
    """To the end, from wherever it is."""
    async with aclosing(carried_out(dependencies, OWNER, RUN, seconds=LOOK_SECONDS)) as told:
        async for _ in told:
            pass


async def digest_of(dependencies: Dependencies, run: str = RUN) -> str:
    return (await load_result(dependencies.store, OWNER, run, "final")).digest()


async def reports_of(dependencies: Dependencies, run: str = RUN) -> list[Report]:
    """Those in the trace."""
    return [e.report for e in await events_of(dependencies.store, OWNER, run) if isinstance(e, ComputationReported)]


async def until(true: Callable[[], bool], seconds: float = 300.0) -> None:
    deadline = time.monotonic() + seconds
    while not true():  # what is waited for happens in other processes
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)


def lines(instance: Instance, event: str) -> list[str]:
    """The shards of which its log says so."""
    if not instance.log.exists():
        return []
    told = [json.loads(line) for line in instance.log.read_text().splitlines() if line.startswith("{")]
    return [line["shard"] for line in told if line["event"] == event]


def begun(job: Job) -> list[str]:
    return [shard for instance in job.instances for shard in lines(instance, "shard_begun")]


@dataclass
class Watch:
    """What lies in S3 when an attempt ends, and what its instances began."""

    fleet: Fleet
    bucket: str
    left: dict[str, set[str]] = field(default_factory=dict[str, set[str]])
    """Shards that are stored, by the attempt that has just ended."""

    def __post_init__(self) -> None:
        self.fleet.listeners.append(self._hear)

    def _hear(self, event: dict[str, Any]) -> None:
        if event["detail"]["ProcessingJobStatus"] in ("Completed", "Failed", "Stopped"):
            name: str = event["detail"]["ProcessingJobName"]
            self.left[name] = self.stored(name)

    def stored(self, attempt: str) -> set[str]:
        return {Path(uri).stem for uri in self.objects(attempt)}

    def objects(self, attempt: str) -> list[str]:
        place = f"s3://{self.bucket}/searches/jobs/{attempt.rpartition('-')[0]}/shards/"
        return self.fleet.objects(place, like="*.shard")

    @property
    def newest(self) -> Job | None:
        return next(reversed(self.fleet.jobs.values()), None)

    async def begins(self, shards: int) -> Job:
        """The newest attempt, once its instances have begun so many."""
        await until(lambda: self.newest is not None and len(begun(self.newest)) >= shards)
        assert self.newest is not None
        return self.newest

    def accounts(self) -> list[dict[str, Any]]:
        """Of the attempts that ended well."""
        found = self.fleet.objects(f"s3://{self.bucket}/searches/jobs/", like="*/shards.json")
        return [json.loads(self.fleet.content(uri)) for uri in found]

    def counted(self) -> "Counts":
        """Raises where a shard that was stored has been computed again, other than one in `spoiled`."""
        computed: Counter[str] = Counter()
        in_flight: set[tuple[str, int, str]] = set()
        stored: dict[str, set[str]] = {}
        again: list[str] = []
        for name, job in self.fleet.jobs.items():
            search = name.rpartition("-")[0]
            now = begun(job)
            computed.update(now)
            again += stored.get(search, set()) & set(now)
            stored[search] = self.left[name]
            for number, each in enumerate(job.instances):
                begun_here = lines(each, "shard_begun")
                unfinished = set(begun_here) - self.left[name] | set(begun_here[-1:] if each.lost else ())
                in_flight |= {(name, number, shard) for shard in unfinished}
        return Counts(
            shards=len(computed),
            computed=computed.total(),
            stored_again=sorted(again),
            in_flight=len(in_flight),
            taken_twice=sum(account["again"] for account in self.accounts()),
            attempts=len(self.fleet.jobs),
        )


@dataclass(frozen=True)
class Counts:
    shards: int
    computed: int
    """How often one was begun."""
    stored_again: list[str]
    """Begun in an attempt that found them stored."""
    in_flight: int
    """With instances that went, one each, and begun in an attempt that left them unfinished."""
    taken_twice: int
    """Given to a second instance because the first took long."""
    attempts: int

    def check(self, digest: str) -> None:
        again = self.computed - self.shards
        sys.stdout.write(f"\n{digest[:16]} {self} computed again: {again}\n")
        assert self.stored_again == []
        assert again <= self.in_flight + self.taken_twice
