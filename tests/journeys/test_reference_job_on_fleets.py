"""The reference job, wherever it is computed and whatever goes meanwhile: one result, and nothing that is stored twice.

The short form of `make test` is a small run on this machine and on a fleet of two instances; the rest are soaks, which
print what they counted.
"""

import asyncio
import random
import signal
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import aclosing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from desk.compute.shards.shards import decode
from desk.runs.repository import run_of
from desk.runs.states import STOPPED
from graphs.jobs import job_queue
from graphs.jobs.execution import execute
from tests.doubles.aws import Aws, point_at
from tests.doubles.sagemaker.fleet import Fleet
from tests.doubles.sagemaker.job import Conduct
from tests.graphs.dependencies import OWNER, open_dependencies
from tests.journeys.coordinator_processes import ended, killed
from tests.journeys.reference_job import (
    REDUCED,
    REFERENCE,
    RUN,
    AllAtOnce,
    Watch,
    asked,
    carried_on,
    computed_by_sagemaker,
    dependencies_of_settings,
    dice,
    digest_of,
    lines,
    reports_of,
    telling,
    until,
)
from tests.journeys.spoiled_shards import SPOIL, shard_of
from tests.journeys.worker_function import function

pytestmark = pytest.mark.anyio


@pytest.fixture
def playing(
    behind: Aws, bucket: str, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Any]:
    @contextmanager
    def play(instances: int, conduct: Conduct) -> Iterator[Watch]:
        with Fleet(behind, tmp_path / "fleet", conduct) as fleet:
            point_at(monkeypatch, behind.url)
            for name, value in fleet.environment.items():
                monkeypatch.setenv(name, value)
            computed_by_sagemaker(monkeypatch, bucket, instances)
            yield Watch(fleet, bucket)
            assert fleet.violations == []

    return play


async def test_a_small_run_has_one_result_here_and_on_a_fleet(tmp_path: Path, playing: Any) -> None:
    async with open_dependencies(tmp_path / "here", AllAtOnce()) as dependencies:
        await asked(dependencies, REDUCED)
        await carried_on(dependencies)
        digest = await digest_of(dependencies)
    with playing(2, telling()) as watch:
        async with dependencies_of_settings(AllAtOnce()) as dependencies:
            await asked(dependencies, REDUCED)
            await carried_on(dependencies)
            assert await digest_of(dependencies) == digest
        counts = watch.counted()
        assert (counts.attempts, counts.shards) == (1, counts.computed)


@pytest.mark.soak
@pytest.mark.parametrize("instances", [1, 3, 8])
async def test_the_reference_job_on_a_fleet_told_of_by_events(playing: Any, local: str, instances: int) -> None:
    with playing(instances, telling()) as watch:
        async with function(watch.fleet) as one:
            await job_queue.submit(one.dependencies, OWNER, REFERENCE, run_id=RUN)
            await one.work()
            while (await run_of(one.dependencies.store, OWNER, RUN)).state not in STOPPED:
                await one.hear()
            assert await digest_of(one.dependencies) == local
        counts = watch.counted()
        counts.check(local)
        assert counts.computed == counts.shards + counts.taken_twice


@pytest.mark.soak
@pytest.mark.parametrize("lost", ["ends the job", "goes on"])
async def test_three_of_eight_instances_are_killed(playing: Any, local: str, lost: Any) -> None:
    chance = dice()
    with playing(8, telling(lost=lost)) as watch:
        async with dependencies_of_settings() as dependencies:
            await asked(dependencies, REFERENCE)
            running = asyncio.create_task(carried_on(dependencies))
            try:
                for _ in range(3):
                    await _kill_one(watch, chance)
                await running
            finally:
                running.cancel()
            assert await digest_of(dependencies) == local
            reports = Counter(report.code for report in await reports_of(dependencies))
        counts = watch.counted()
        counts.check(local)
        assert sum(each.lost for job in watch.fleet.jobs.values() for each in job.instances) == 3
        assert reports["begun"] == counts.attempts
        assert reports["lost"] == counts.attempts - len({name.rpartition("-")[0] for name in watch.fleet.jobs})


async def _kill_one(watch: Watch, chance: random.Random) -> None:
    moment, pause, place = chance.randrange(1, 12), chance.uniform(0.0, 0.3), chance.randrange(8)
    while True:
        job = await watch.begins(moment)
        await asyncio.sleep(pause)
        left = [n for n, each in enumerate(job.instances) if each.running()]
        if job.status == "InProgress" and left:
            watch.fleet.kill(job.name, left[place % len(left)])
            return
        await asyncio.sleep(0.01)  # it has just ended: the next one


@pytest.mark.soak
async def test_results_of_a_fleet_that_are_late_and_come_twice(playing: Any, local: str) -> None:
    """An instance stands still with a shard until somebody else has computed it, and then goes on."""
    with playing(3, telling()) as watch:
        async with dependencies_of_settings() as dependencies:
            await asked(dependencies, REFERENCE)
            running = asyncio.create_task(carried_on(dependencies))
            job = await watch.begins(1)
            instance, shard = await _stopped(job)
            await until(lambda: shard in watch.stored(job.name))
            instance.signal(signal.SIGCONT)
            await running
            assert await digest_of(dependencies) == local
        counts = watch.counted()
        counts.check(local)
        (account, *_) = [each for each in watch.accounts() if each["late"]]
        assert account["again"] >= 1
        assert len(lines(instance, "shard_computed")) == len(lines(instance, "shard_begun"))


async def _stopped(job: Any) -> tuple[Any, str]:
    """A follower in the middle of a shard."""
    while True:
        assert not job.done.is_set()
        for instance in job.instances[1:]:
            if len(lines(instance, "shard_begun")) > len(lines(instance, "shard_computed")):
                instance.signal(signal.SIGSTOP)
                await asyncio.sleep(0.02)
                now = lines(instance, "shard_begun")
                if len(now) > len(lines(instance, "shard_computed")):
                    return instance, now[-1]
                instance.signal(signal.SIGCONT)
        await asyncio.sleep(0.005)


@pytest.mark.soak
async def test_the_coordinator_of_a_fleet_is_killed(playing: Any, local: str, home: Path) -> None:
    chance = dice()
    with playing(3, telling()) as watch:
        async with dependencies_of_settings() as dependencies:
            await asked(dependencies, REFERENCE)
        await killed(home, chance)
        await ended()
        async with dependencies_of_settings() as dependencies:
            assert await digest_of(dependencies) == local
            assert {report.code for report in await reports_of(dependencies)} == {"begun"}
        counts = watch.counted()
        counts.check(local)
        assert counts.computed == counts.shards + counts.taken_twice
        assert counts.attempts == len({name.rpartition("-")[0] for name in watch.fleet.jobs}), "no job is made twice"


@pytest.mark.soak
async def test_the_coordinator_of_this_machine_is_killed(local: str, home: Path) -> None:
    chance = dice()
    async with open_dependencies(home) as dependencies:
        await asked(dependencies, REFERENCE)
    kept = (await killed(home, chance))[-1].stored
    said = await ended()
    async with open_dependencies(home) as dependencies:
        assert await digest_of(dependencies) == local
    sys.stdout.write(f"\n{local[:16]} computed after the last kill: {said['computed']} trials\n")
    assert said["computed"] == REFERENCE.trials - kept < REFERENCE.trials


@pytest.mark.soak
async def test_bad_shards_in_s3_are_refused_named_and_computed_again(playing: Any, local: str) -> None:
    with playing(2, telling()) as watch:
        async with dependencies_of_settings() as dependencies:
            await asked(dependencies, REFERENCE)
            async with aclosing(execute(dependencies, OWNER, RUN)) as told:
                async for _ in told:
                    pass
            (attempt,) = watch.fleet.jobs
            await until(lambda: len(watch.stored(attempt)) >= 12)
            watch.fleet.kill(attempt, 1)
            await asyncio.to_thread(watch.fleet.wait, attempt)
            spoiled = dict(zip(watch.objects(attempt), SPOIL.items(), strict=False))
            for uri, (_, spoil) in spoiled.items():
                watch.fleet.put(uri, spoil(watch.fleet.content(uri)))
            flaws = {Path(uri).stem: flaw for uri, (flaw, _) in spoiled.items()}
            watch.left[attempt] -= set(flaws)
            await carried_on(dependencies)
            assert await digest_of(dependencies) == local
            bad = {
                report.name: report.reason for report in await reports_of(dependencies) if report.code == "bad_shard"
            }
        assert bad == flaws
        counts = watch.counted()
        counts.check(local)
        for uri in spoiled:
            content = watch.fleet.content(uri)
            decode(shard_of(content), content)
