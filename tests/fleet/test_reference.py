"""The reference job, wherever it is computed and whatever goes meanwhile: one result, and nothing that is stored twice.

The short form of `make test` is a small run on this machine and on a fleet of two instances; the rest are soaks, which
print what they counted.
"""

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from api.app import create_app
from api.lambda_events import answered
from api.settings import read_settings
from graphs import jobs
from graphs.run_book import events_of, run_of
from graphs.runs import create_run, execute
from graphs.states import STOPPED
from store.keys import SYSTEM
from store.store import open_store
from tests.api.test_lambda_events import batch
from tests.aws import Aws, point_at
from tests.fleet.coordinator import ray_desk
from tests.fleet.fleet import Fleet
from tests.fleet.job import Conduct
from tests.fleet.reference import (
    REDUCED,
    REFERENCE,
    RUN,
    Watch,
    asked,
    carried_on,
    computed_by_sagemaker,
    desk_of_settings,
    dice,
    digest_of,
    lines,
    reports_of,
    telling,
    until,
)
from tests.graphs.conftest import OWNER, open_desk
from tests.tools.ray_nodes import Nodes, two_nodes
from tests.tools.test_ray import Stuttering
from tools.jobs import Shard
from tools.ray_cluster import AHEAD, CHUNK, RayEngine
from tools.sharding import BlobShelf, Sharded
from tools.shards import decode, encode
from tools.trials import stored_trials

pytestmark = pytest.mark.anyio
REPOSITORY = Path(__file__).parents[2]
IN_FLIGHT = 2 * AHEAD
"""On two nodes of one core."""
MAGIC, OTHER = b"stratigos shard 1\n", b"stratigos shard 9\n"


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The digest of the reference job on this machine."""

    async def computed(home: Path) -> str:
        async with open_desk(home) as desk:
            await asked(desk, REFERENCE)
            await carried_on(desk)
            return await digest_of(desk)

    return asyncio.run(computed(tmp_path_factory.mktemp("local")))


@pytest.fixture(scope="module")
def nodes() -> Iterator[Nodes]:
    with two_nodes() as started:
        yield started


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
    async with open_desk(tmp_path / "here") as desk:
        await asked(desk, REDUCED)
        await carried_on(desk)
        digest = await digest_of(desk)
    with playing(2, telling()) as watch:
        async with desk_of_settings() as desk:
            await asked(desk, REDUCED)
            await carried_on(desk)
            assert await digest_of(desk) == digest
        counts = watch.counted()
        assert counts.shards == counts.computed > 0


@pytest.mark.soak
async def test_the_reference_job_on_two_nodes_of_ray(nodes: Nodes, local: str, tmp_path: Path) -> None:
    async with ray_desk(tmp_path / "home", nodes.address, tmp_path / "book") as desk:
        await asked(desk, REFERENCE)
        await carried_on(desk)
        assert await digest_of(desk) == local
    told = Shelved(tmp_path / "book").told(local)
    assert told.computed == told.shards


@pytest.mark.soak
@pytest.mark.parametrize("instances", [1, 3, 8])
async def test_the_reference_job_on_a_fleet_told_of_by_events(playing: Any, local: str, instances: int) -> None:
    with playing(instances, telling()) as watch:
        async with function(watch.fleet) as one:
            await jobs.submit(one.desk, OWNER, REFERENCE, run_id=RUN)
            await one.work()
            while (await run_of(one.desk.store, OWNER, RUN)).state not in STOPPED:
                await one.hear()
            assert await digest_of(one.desk) == local
        counts = watch.counted()
        counts.check(local)
        assert counts.computed == counts.shards + counts.taken_twice


@pytest.mark.soak
@pytest.mark.parametrize("lost", ["ends the job", "goes on"])
async def test_three_of_eight_instances_are_killed(playing: Any, local: str, lost: Any) -> None:
    chance = dice()
    with playing(8, telling(lost=lost)) as watch:
        async with desk_of_settings() as desk:
            await asked(desk, REFERENCE)
            running = asyncio.create_task(carried_on(desk))
            try:
                for _ in range(3):
                    await _kill_one(watch, chance)
                await running
            finally:
                running.cancel()
            assert await digest_of(desk) == local
            reports = Counter(report.code for report in await reports_of(desk))
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
        async with desk_of_settings() as desk:
            await asked(desk, REFERENCE)
            running = asyncio.create_task(carried_on(desk))
            job = await watch.begins(1)
            instance, shard = await _stopped(job)
            await until(lambda: shard in watch.stored(job.name))
            instance.signal(signal.SIGCONT)
            await running
            assert await digest_of(desk) == local
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
        async with desk_of_settings() as desk:
            await asked(desk, REFERENCE)
        await killed(home, chance)
        await ended()
        async with desk_of_settings() as desk:
            assert await digest_of(desk) == local
            assert {report.code for report in await reports_of(desk)} == {"begun"}
        counts = watch.counted()
        counts.check(local)
        assert counts.computed == counts.shards + counts.taken_twice
        assert counts.attempts == len({name.rpartition("-")[0] for name in watch.fleet.jobs}), "no job is made twice"


@pytest.mark.soak
async def test_the_coordinator_of_this_machine_is_killed(local: str, home: Path) -> None:
    chance = dice()
    async with open_desk(home) as desk:
        await asked(desk, REFERENCE)
    kept = (await killed(home, chance))[-1].stored
    said = await ended()
    async with open_desk(home) as desk:
        assert await digest_of(desk) == local
    sys.stdout.write(f"\n{local[:16]} computed after the last kill: {said['computed']} trials\n")
    assert said["computed"] == REFERENCE.trials - kept < REFERENCE.trials


@pytest.mark.soak
async def test_the_coordinator_of_a_ray_cluster_is_killed(nodes: Nodes, local: str, home: Path, tmp_path: Path) -> None:
    chance, book = dice(), Shelved(tmp_path / "book")
    async with open_desk(home) as desk:
        await asked(desk, REFERENCE)
    given = nodes.address, str(book.path)
    book.apart += [each.process for each in await killed(home, chance, *given)]
    book.apart.append((await ended(*given))["pid"])
    async with open_desk(home) as desk:
        assert await digest_of(desk) == local
    told = book.told(local)
    assert told.computed - told.shards <= 3 * IN_FLIGHT


@pytest.mark.soak
async def test_a_worker_of_a_ray_cluster_is_killed(nodes: Nodes, local: str, tmp_path: Path) -> None:
    chance, book = dice(), Shelved(tmp_path / "book")
    async with ray_desk(tmp_path / "home", nodes.address, book.path) as desk:
        await asked(desk, REFERENCE)
        running = asyncio.create_task(carried_on(desk))
        moment = chance.randrange(3, 20)
        await until(lambda: len(book.begun) >= moment)
        nodes.kill()
        await running
        assert await digest_of(desk) == local
    told = book.told(local)
    assert told.computed - told.shards <= IN_FLIGHT


@pytest.mark.soak
async def test_results_of_a_ray_cluster_that_are_late_and_come_twice(nodes: Nodes, local: str, tmp_path: Path) -> None:
    book, engines = Shelved(tmp_path / "book"), list[Stuttering]()

    def simulator(world: Any, refused: Any) -> Sharded:
        engines.append(Stuttering(RayEngine(world, nodes.address)))
        shelf = BlobShelf(desk.store.blobs, loop, f"{SYSTEM}/shards")
        return Sharded(world, engines[-1], shelf, refused, chunk=CHUNK)

    loop = asyncio.get_running_loop()
    async with ray_desk(tmp_path / "home", nodes.address, book.path, simulator) as desk:
        await asked(desk, REFERENCE)
        await carried_on(desk)
        assert await digest_of(desk) == local
    told = book.told(local)
    assert told.computed == told.shards < sum(engine.said for engine in engines)


@dataclass(frozen=True)
class Told:
    shards: int
    computed: int


class Shelved:
    """What Ray's workers began, and what was put on the shelf."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.apart = [os.getpid()]
        """Processes that draw from the market for other reasons."""

    @property
    def begun(self) -> list[int]:
        book = self.path.read_text(encoding="utf-8").split() if self.path.exists() else []
        return [int(line) for line in book if int(line) not in self.apart]

    def told(self, digest: str) -> Told:
        """Raises where one was stored twice."""
        puts = Counter(self.path.with_suffix(".puts").read_text(encoding="utf-8").split())
        told = Told(len(puts), len(self.begun))
        sys.stdout.write(f"\n{digest[:16]} {told} computed again: {told.computed - told.shards}\n")
        assert set(puts.values()) == {1}
        return told


@pytest.mark.soak
async def test_bad_shards_in_s3_are_refused_named_and_computed_again(playing: Any, local: str) -> None:
    with playing(2, telling()) as watch:
        async with desk_of_settings() as desk:
            await asked(desk, REFERENCE)
            async with aclosing(execute(desk, OWNER, RUN)) as told:
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
            await carried_on(desk)
            assert await digest_of(desk) == local
            bad = {report.name: report.reason for report in await reports_of(desk) if report.code == "bad_shard"}
        assert bad == flaws
        counts = watch.counted()
        counts.check(local)
        for uri in spoiled:
            content = watch.fleet.content(uri)
            decode(shard_of(content), content)


@pytest.mark.soak
async def test_bad_shards_on_rays_shelf_are_refused_named_and_computed_again(
    nodes: Nodes, local: str, tmp_path: Path
) -> None:
    home, book = tmp_path / "home", Shelved(tmp_path / "book")
    async with ray_desk(home, nodes.address, book.path) as desk:
        await asked(desk, REFERENCE)
        await carried_on(desk)
        flaws: dict[str, str] = {}
        for path, (flaw, spoil) in zip(sorted((home / "blobs").glob("*/shards*/*")), SPOIL.items(), strict=False):
            path.write_bytes(spoil(path.read_bytes()))
            flaws[path.name] = flaw
        before = len(book.begun)
        book.path.with_suffix(".puts").unlink()
        again = await create_run(desk, OWNER, REFERENCE, run_id="again")
        events = [event async for event in execute(desk, OWNER, again)]
        assert await digest_of(desk, again) == local
        bad = {report.name: report.reason for report in await reports_of(desk, again) if report.code == "bad_shard"}
        assert bad == flaws
        assert [event.id for event in events] == [event.id for event in await events_of(desk.store, OWNER, again)]
    puts = book.path.with_suffix(".puts").read_text(encoding="utf-8").split()
    assert sorted(puts) == sorted(flaws)
    assert len(book.begun) - before == len(flaws)


def shard_of(content: bytes) -> Shard:
    return Shard.model_validate(json.loads(content.split(b"\n", 2)[1])["shard"])


def of_another(content: bytes, **changes: str) -> bytes:
    """A sound file, of other data or other code."""
    shard = shard_of(content)
    return encode(shard.model_copy(update=changes), decode(shard, content))


SPOIL: dict[str, Callable[[bytes], bytes]] = {
    "truncated": lambda content: content[: len(content) // 2],
    "wrong version": lambda content: content.replace(MAGIC, OTHER, 1),
    "wrong data": lambda content: of_another(content, data="0" * 64),
    "wrong code": lambda content: of_another(content, code="0" * 64),
}


async def started(*arguments: str) -> asyncio.subprocess.Process:
    coordinator = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.fleet.coordinator", *arguments, cwd=REPOSITORY, stdout=subprocess.PIPE
    )
    assert coordinator.stdout is not None
    assert await coordinator.stdout.readline() == b"begun\n"
    return coordinator


@dataclass(frozen=True)
class Killed:
    process: int
    stored: int
    """Trials."""


async def killed(home: Path, chance: random.Random, *arguments: str) -> list[Killed]:
    """Three processes that execute the run, one after the other, each until more trials are stored."""
    found: list[Killed] = []
    async with open_store(home) as store:
        for moment in sorted(chance.sample(range(1, 80), 3)):
            pause = chance.uniform(0.0, 1.0)
            coordinator = await started(*arguments)
            while len(await stored_trials(store, OWNER, RUN)) < moment:
                assert coordinator.returncode is None
                await asyncio.sleep(0.05)
            await asyncio.sleep(pause)
            coordinator.kill()
            assert await coordinator.wait() == -signal.SIGKILL, "it ended before it could be killed"
            found.append(Killed(coordinator.pid, len(await stored_trials(store, OWNER, RUN))))
            sys.stdout.write(f"\n{found[-1]}")
    return found


async def ended(*arguments: str) -> dict[str, int]:
    coordinator = await started(*arguments)
    said, _ = await coordinator.communicate()
    assert coordinator.returncode == 0
    computed = said.decode().removeprefix("computed ").strip()
    return {"pid": coordinator.pid} | ({"computed": int(computed)} if computed else {})


class OneFunction:
    """A function on Lambda, the queue that feeds it, and EventBridge."""

    def __init__(self, app: Any, fleet: Fleet) -> None:
        self._app = app
        self._heard: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        loop = asyncio.get_running_loop()
        fleet.listeners.append(lambda event: loop.call_soon_threadsafe(self._heard.put_nowait, event))

    @property
    def desk(self) -> Any:
        return self._app.state.served.desk

    async def told(self, event: dict[str, Any]) -> Any:
        return await answered(self._app, event, asyncio.get_running_loop().time() + 600.0)

    async def work(self) -> None:
        while (delivery := await jobs.queue_of(self.desk).receive(lease=60.0, wait=0.0)) is not None:
            assert await self.told(batch(delivery)) == {"batchItemFailures": []}

    async def hear(self) -> None:
        try:
            event = await asyncio.wait_for(self._heard.get(), 30.0)
        except TimeoutError:
            event = {"task": "sweep"}  # as a schedule tells it each minute
        await self.told(event)
        await self.work()


@asynccontextmanager
async def function(fleet: Fleet) -> AsyncGenerator[OneFunction]:
    app = create_app(read_settings(), desk_of_settings(queued=True))
    async with app.router.lifespan_context(app):
        yield OneFunction(app, fleet)
