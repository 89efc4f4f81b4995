"""The reference job has one result wherever it is computed and whatever is lost, and no shard is stored twice.

`make test` executes a small run on this machine and on a fleet of two instances; the rest are soaks, which print their
counts.
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
from desk.runs.repository import load_run
from desk.runs.states import STOPPED_STATES
from graphs.jobs import job_queue
from graphs.jobs.execution import execute
from tests.doubles.aws import Aws, point_at
from tests.doubles.sagemaker.fleet import Fleet
from tests.doubles.sagemaker.job import Behaviour
from tests.graphs.dependencies import OWNER, open_dependencies
from tests.journeys.coordinator_processes import kill_coordinators, run_coordinator
from tests.journeys.reference_job import (
    REDUCED,
    REFERENCE,
    RUN,
    FleetWatch,
    OnePlanPlanner,
    create_reference_run,
    dependencies_of_settings,
    digest_of,
    logging_conduct,
    printed_random,
    reports_of,
    run_to_end,
    shards_of_event,
    until,
    use_sagemaker,
)
from tests.journeys.spoiled_shards import SPOIL, shard_of
from tests.journeys.worker_function import function

pytestmark = pytest.mark.anyio


@pytest.fixture
def playing(
    behind: Aws, bucket: str, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Any]:
    @contextmanager
    def play(instances: int, conduct: Behaviour) -> Iterator[FleetWatch]:
        with Fleet(behind, tmp_path / "fleet", conduct) as fleet:
            point_at(monkeypatch, behind.url)
            for name, value in fleet.environment.items():
                monkeypatch.setenv(name, value)
            use_sagemaker(monkeypatch, bucket, instances)
            yield FleetWatch(fleet, bucket)
            assert fleet.violations == []

    return play


async def test_a_small_run_has_one_result_here_and_on_a_fleet(tmp_path: Path, playing: Any) -> None:
    async with open_dependencies(tmp_path / "here", OnePlanPlanner()) as dependencies:
        await create_reference_run(dependencies, REDUCED)
        await run_to_end(dependencies)
        digest = await digest_of(dependencies)
    with playing(2, logging_conduct()) as watch:
        async with dependencies_of_settings(OnePlanPlanner()) as dependencies:
            await create_reference_run(dependencies, REDUCED)
            await run_to_end(dependencies)
            assert await digest_of(dependencies) == digest
        counts = watch.count()
        assert (counts.attempts, counts.shards) == (1, counts.computed)


@pytest.mark.soak
@pytest.mark.parametrize("instances", [1, 3, 8])
async def test_the_reference_job_on_a_fleet_resumes_by_events(playing: Any, local_digest: str, instances: int) -> None:
    with playing(instances, logging_conduct()) as watch:
        async with function(watch.fleet) as one:
            await job_queue.submit(one.dependencies, OWNER, REFERENCE, run_id=RUN)
            await one.work()
            while (await load_run(one.dependencies.store, OWNER, RUN)).state not in STOPPED_STATES:
                await one.handle_next_event()
            assert await digest_of(one.dependencies) == local_digest
        counts = watch.count()
        counts.check(local_digest)
        assert counts.computed == counts.shards + counts.taken_twice


@pytest.mark.soak
@pytest.mark.parametrize("lost", ["ends the job", "goes on"])
async def test_three_of_eight_instances_are_killed(playing: Any, local_digest: str, lost: Any) -> None:
    chance = printed_random()
    with playing(8, logging_conduct(lost=lost)) as watch:
        async with dependencies_of_settings() as dependencies:
            await create_reference_run(dependencies, REFERENCE)
            running = asyncio.create_task(run_to_end(dependencies))
            try:
                for _ in range(3):
                    await _kill_one(watch, chance)
                await running
            finally:
                running.cancel()
            assert await digest_of(dependencies) == local_digest
            reports = Counter(report.code for report in await reports_of(dependencies))
        counts = watch.count()
        counts.check(local_digest)
        assert sum(each.lost for job in watch.fleet.jobs.values() for each in job.instances) == 3
        assert reports["begun"] == counts.attempts
        assert reports["lost"] == counts.attempts - len({name.rpartition("-")[0] for name in watch.fleet.jobs})


async def _kill_one(watch: FleetWatch, chance: random.Random) -> None:
    moment, pause, place = chance.randrange(1, 12), chance.uniform(0.0, 0.3), chance.randrange(8)
    while True:
        job = await watch.wait_for_shards(moment)
        await asyncio.sleep(pause)
        running = [n for n, each in enumerate(job.instances) if each.running()]
        if job.status == "InProgress" and running:
            watch.fleet.kill(job.name, running[place % len(running)])
            return
        await asyncio.sleep(0.01)  # it has just ended: the next one


@pytest.mark.soak
async def test_results_of_a_fleet_that_are_late_and_come_twice(playing: Any, local_digest: str) -> None:
    """An instance is stopped with a shard until another one has computed it, and then continues."""
    with playing(3, logging_conduct()) as watch:
        async with dependencies_of_settings() as dependencies:
            await create_reference_run(dependencies, REFERENCE)
            running = asyncio.create_task(run_to_end(dependencies))
            job = await watch.wait_for_shards(1)
            instance, shard = await _stop_a_follower(job)
            await until(lambda: shard in watch.stored_shards(job.name))
            instance.signal(signal.SIGCONT)
            await running
            assert await digest_of(dependencies) == local_digest
        counts = watch.count()
        counts.check(local_digest)
        (account, *_) = [each for each in watch.accounts() if each["late"]]
        assert account["again"] >= 1
        assert len(shards_of_event(instance, "shard_computed")) == len(shards_of_event(instance, "shard_begun"))


async def _stop_a_follower(job: Any) -> tuple[Any, str]:
    """Stop a follower in the middle of a shard."""
    while True:
        assert not job.done.is_set()
        for instance in job.instances[1:]:
            if len(shards_of_event(instance, "shard_begun")) > len(shards_of_event(instance, "shard_computed")):
                instance.signal(signal.SIGSTOP)
                await asyncio.sleep(0.02)
                now = shards_of_event(instance, "shard_begun")
                if len(now) > len(shards_of_event(instance, "shard_computed")):
                    return instance, now[-1]
                instance.signal(signal.SIGCONT)
        await asyncio.sleep(0.005)


@pytest.mark.soak
async def test_the_coordinator_of_a_fleet_is_killed(playing: Any, local_digest: str, home: Path) -> None:
    chance = printed_random()
    with playing(3, logging_conduct()) as watch:
        async with dependencies_of_settings() as dependencies:
            await create_reference_run(dependencies, REFERENCE)
        await kill_coordinators(home, chance)
        await run_coordinator()
        async with dependencies_of_settings() as dependencies:
            assert await digest_of(dependencies) == local_digest
            assert {report.code for report in await reports_of(dependencies)} == {"begun"}
        counts = watch.count()
        counts.check(local_digest)
        assert counts.computed == counts.shards + counts.taken_twice
        assert counts.attempts == len({name.rpartition("-")[0] for name in watch.fleet.jobs}), "a job was created twice"


@pytest.mark.soak
async def test_the_coordinator_of_this_machine_is_killed(local_digest: str, home: Path) -> None:
    chance = printed_random()
    async with open_dependencies(home) as dependencies:
        await create_reference_run(dependencies, REFERENCE)
    stored_trials = (await kill_coordinators(home, chance))[-1].stored_trials
    process = await run_coordinator()
    async with open_dependencies(home) as dependencies:
        assert await digest_of(dependencies) == local_digest
    sys.stdout.write(f"\n{local_digest[:16]} computed after the last kill: {process['computed']} trials\n")
    assert process["computed"] == REFERENCE.trials - stored_trials < REFERENCE.trials


@pytest.mark.soak
async def test_bad_shards_in_s3_are_rejected_named_and_computed_again(playing: Any, local_digest: str) -> None:
    with playing(2, logging_conduct()) as watch:
        async with dependencies_of_settings() as dependencies:
            await create_reference_run(dependencies, REFERENCE)
            async with aclosing(execute(dependencies, OWNER, RUN)) as events:
                async for _ in events:
                    pass
            (attempt,) = watch.fleet.jobs
            await until(lambda: len(watch.stored_shards(attempt)) >= 12)
            watch.fleet.kill(attempt, 1)
            await asyncio.to_thread(watch.fleet.wait, attempt)
            spoiled = dict(zip(watch.objects(attempt), SPOIL.items(), strict=False))
            for uri, (_, spoil) in spoiled.items():
                watch.fleet.put(uri, spoil(watch.fleet.content(uri)))
            flaws = {Path(uri).stem: flaw for uri, (flaw, _) in spoiled.items()}
            watch.shards_at_end[attempt] -= set(flaws)
            await run_to_end(dependencies)
            assert await digest_of(dependencies) == local_digest
            bad = {
                report.name: report.reason for report in await reports_of(dependencies) if report.code == "bad_shard"
            }
        assert bad == flaws
        counts = watch.count()
        counts.check(local_digest)
        for uri in spoiled:
            content = watch.fleet.content(uri)
            decode(shard_of(content), content)
