"""Instances of a job from their trees to the result: the trials of a search in one process, whatever was there."""

import asyncio
import hashlib
import json
import socket
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from desk.base.code_version import code_version
from desk.compute.container.job_files import ContainerPaths, Work, decode_summary, decode_trials, write_work
from desk.compute.container.worker import run_worker
from desk.optimization.jobs import JobStatus

pytestmark = pytest.mark.anyio
HOSTS = ["127.0.0.1", "127.0.0.2", "127.0.0.3"]
Prepared = Callable[..., tuple[Work, list[ContainerPaths]]]


@pytest.fixture(autouse=True)
def one_thread(monkeypatch) -> None:
    monkeypatch.setenv("NUMBA_NUM_THREADS", "1")


@pytest.fixture
def prepared(world, job, prices, searched, tmp_path) -> Prepared:
    def prepare(count: int, name: str = "first", **changes) -> tuple[Work, list[ContainerPaths]]:
        with socket.socket() as free:
            free.bind((HOSTS[0], 0))
            port = free.getsockname()[1]
        asked = Work(
            code=code_version(), data=prices.digest, job=job(world.request, **changes), key="ab" * 16, port=port
        )
        trees = [ContainerPaths(tmp_path / name / host) for host in HOSTS[:count]]
        for paths, host in zip(trees, HOSTS, strict=False):
            write_work(paths.work, asked, prices, searched.trials[: asked.job.first])
            paths.resources.parent.mkdir(parents=True)
            paths.resources.write_text(json.dumps({"current_host": host, "hosts": HOSTS[:count]}))
        return asked, trees

    return prepare


async def worked(trees: list[ContainerPaths]) -> None:
    await asyncio.gather(*(run_worker(paths, threading.Event(), asyncio.Event()) for paths in trees))


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()} if folder.is_dir() else {}


def finished(paths: ContainerPaths) -> dict[str, bytes]:
    return {name: content for name, content in contents(paths.result).items() if name.startswith("trials-")}


def trials_in(asked: Work, paths: ContainerPaths):
    files = sorted(finished(paths))
    assert files == [f"trials-{k:05d}.json" for k in range(len(files))]
    found = [decode_trials(name, (paths.result / name).read_bytes(), asked) for name in files]
    assert all(0 < len(some) <= 10 for some in found)
    return [trial for some in found for trial in some]


def counted(paths: ContainerPaths) -> dict:
    return json.loads((paths.result / "shards.json").read_bytes())


async def test_instances_leave_the_trials_of_a_search_in_one_process(prepared, searched) -> None:
    asked, trees = prepared(2)
    await worked(trees)
    lead = trees[0]
    found = trials_in(asked, lead)
    assert tuple(trial for trial, _ in found) == searched.trials
    assert all(a.tobytes() == b.tobytes() for (_, a), (_, b) in zip(found, searched.saved, strict=True))

    left = contents(lead.result)
    summary = decode_summary(left.pop("summary.json"), asked)
    assert (summary.stopped, summary.trials) == ("budget", 12)
    assert summary.files == {name: hashlib.sha256(content).hexdigest() for name, content in left.items()}
    status = JobStatus.model_validate_json(left["progress.json"])
    assert (status.id, status.state, status.done, status.total) == (asked.job.id(), "completed", 12, 12)
    assert "refused.json" not in left

    account = counted(lead)
    shards = [contents(paths.shards) for paths in trees]
    assert sum(account["computed"].values()) == len(shards[0])
    assert shards[1].items() <= shards[0].items()
    assert (account["found"], account["refused"], account["lost"], account["unseen"]) == (0, 0, 0, [])
    assert contents(trees[1].result) == {}


async def test_a_later_plan_is_handed_the_trials_before_it(prepared, searching, world, job, searched) -> None:
    asked, trees = prepared(1, plan=1, first=12, budget=3)
    await worked(trees)
    expected = searching(world, asked.job, {trial.digest: trial for trial in searched.trials})
    assert tuple(trial for trial, _ in trials_in(asked, trees[0])) == expected.trials


async def test_begun_again_nothing_is_computed_twice_and_bad_shards_are_named(prepared) -> None:
    _, (paths,) = prepared(1)
    await worked([paths])
    before, shards = finished(paths), contents(paths.shards)
    await worked([paths])
    assert (counted(paths)["computed"], counted(paths)["found"]) == ({}, len(shards))
    assert finished(paths) == before

    _, (other,) = prepared(1, name="second")
    paths.shards.rename(other.earlier_shards)
    short, swapped, *_ = sorted(other.earlier_shards.iterdir())
    swapped.write_bytes(short.read_bytes())
    short.write_bytes(short.read_bytes()[:100])
    await worked([other])
    account = counted(other)
    assert account["refused"] == 2
    assert account["computed"] == {HOSTS[0]: 2}
    refused = json.loads((other.result / "refused.json").read_bytes())
    assert {bad["id"]: bad["reason"] for bad in refused} == {short.stem: "truncated", swapped.stem: "another shard"}
    assert contents(other.shards) == {path.name: shards[path.name] for path in (short, swapped)}
    assert finished(other) == before


async def test_an_instance_that_is_told_to_stop_leaves_what_is_finished(prepared, searched) -> None:
    asked, (paths,) = prepared(1)
    stop, stopped = threading.Event(), asyncio.Event()
    working = asyncio.create_task(run_worker(paths, stop, stopped))
    while not contents(paths.shards):  # noqa: ASYNC110 - files tell nobody
        await asyncio.sleep(0.001)
    stop.set()
    stopped.set()
    with pytest.raises(InterruptedError):
        await working
    kept = {name for name in contents(paths.shards) if name.endswith(".shard")}
    assert kept
    assert "summary.json" not in contents(paths.result)
    await worked([paths])
    account = counted(paths)
    assert account["found"] == len(kept)
    assert account["found"] + sum(account["computed"].values()) == len(contents(paths.shards))
    assert tuple(trial for trial, _ in trials_in(asked, paths)) == searched.trials
