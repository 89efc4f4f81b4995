"""Instances of a job, from their input folders to the result: the trials equal those of a local search."""

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
PrepareContainer = Callable[..., tuple[Work, list[ContainerPaths]]]


@pytest.fixture(autouse=True)
def one_thread(monkeypatch) -> None:
    monkeypatch.setenv("NUMBA_NUM_THREADS", "1")


@pytest.fixture
def prepare_container(world, job, prices, finished_search, tmp_path) -> PrepareContainer:
    def prepare(count: int, name: str = "first", **changes) -> tuple[Work, list[ContainerPaths]]:
        with socket.socket() as free:
            free.bind((HOSTS[0], 0))
            port = free.getsockname()[1]
        work = Work(
            code=code_version(), data=prices.digest, job=job(world.request, **changes), key="ab" * 16, port=port
        )
        trees = [ContainerPaths(tmp_path / name / host) for host in HOSTS[:count]]
        for paths, host in zip(trees, HOSTS, strict=False):
            write_work(paths.work, work, prices, finished_search.trials[: work.job.first])
            paths.resources.parent.mkdir(parents=True)
            paths.resources.write_text(json.dumps({"current_host": host, "hosts": HOSTS[:count]}))
        return work, trees

    return prepare


async def run_all(trees: list[ContainerPaths]) -> None:
    await asyncio.gather(*(run_worker(paths, threading.Event(), asyncio.Event()) for paths in trees))


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()} if folder.is_dir() else {}


def trial_files(paths: ContainerPaths) -> dict[str, bytes]:
    return {name: content for name, content in contents(paths.result).items() if name.startswith("trials-")}


def trials_in(work: Work, paths: ContainerPaths):
    files = sorted(trial_files(paths))
    assert files == [f"trials-{k:05d}.json" for k in range(len(files))]
    trials = [decode_trials(name, (paths.result / name).read_bytes(), work) for name in files]
    assert all(0 < len(some) <= 10 for some in trials)
    return [trial for some in trials for trial in some]


def shard_counts(paths: ContainerPaths) -> dict:
    return json.loads((paths.result / "shards.json").read_bytes())


async def test_instances_write_the_trials_of_a_local_search(prepare_container, finished_search) -> None:
    work, trees = prepare_container(2)
    await run_all(trees)
    lead = trees[0]
    trials = trials_in(work, lead)
    assert tuple(trial for trial, _ in trials) == finished_search.trials
    assert all(a.tobytes() == b.tobytes() for (_, a), (_, b) in zip(trials, finished_search.saved, strict=True))

    result_files = contents(lead.result)
    summary = decode_summary(result_files.pop("summary.json"), work)
    assert (summary.stopped, summary.trials) == ("budget", 12)
    assert summary.files == {name: hashlib.sha256(content).hexdigest() for name, content in result_files.items()}
    status = JobStatus.model_validate_json(result_files["progress.json"])
    assert (status.id, status.state, status.done, status.total) == (work.job.id(), "completed", 12, 12)
    assert "refused.json" not in result_files

    account = shard_counts(lead)
    shards = [contents(paths.shards) for paths in trees]
    assert sum(account["computed"].values()) == len(shards[0])
    assert shards[1].items() <= shards[0].items()
    assert (account["found"], account["refused"], account["lost"], account["unseen"]) == (0, 0, 0, [])
    assert contents(trees[1].result) == {}


async def test_a_later_plan_gets_the_earlier_trials(
    prepare_container, execute_search, world, job, finished_search
) -> None:
    work, trees = prepare_container(1, plan=1, first=12, budget=3)
    await run_all(trees)
    expected = execute_search(world, work.job, {trial.digest: trial for trial in finished_search.trials})
    assert tuple(trial for trial, _ in trials_in(work, trees[0])) == expected.trials


async def test_a_restart_reuses_shards_and_names_bad_ones(prepare_container) -> None:
    _, (paths,) = prepare_container(1)
    await run_all([paths])
    before, shards = trial_files(paths), contents(paths.shards)
    await run_all([paths])
    assert (shard_counts(paths)["computed"], shard_counts(paths)["found"]) == ({}, len(shards))
    assert trial_files(paths) == before

    _, (other,) = prepare_container(1, name="second")
    paths.shards.rename(other.earlier_shards)
    short, swapped, *_ = sorted(other.earlier_shards.iterdir())
    swapped.write_bytes(short.read_bytes())
    short.write_bytes(short.read_bytes()[:100])
    await run_all([other])
    account = shard_counts(other)
    assert account["refused"] == 2
    assert account["computed"] == {HOSTS[0]: 2}
    rejections = json.loads((other.result / "refused.json").read_bytes())
    assert {bad["id"]: bad["reason"] for bad in rejections} == {short.stem: "truncated", swapped.stem: "another shard"}
    assert contents(other.shards) == {path.name: shards[path.name] for path in (short, swapped)}
    assert trial_files(other) == before


async def test_a_stopped_instance_keeps_its_completed_shards(prepare_container, finished_search) -> None:
    work, (paths,) = prepare_container(1)
    stop_flag, stop_event = threading.Event(), asyncio.Event()
    task = asyncio.create_task(run_worker(paths, stop_flag, stop_event))
    while not contents(paths.shards):  # noqa: ASYNC110 - files send no notification
        await asyncio.sleep(0.001)
    stop_flag.set()
    stop_event.set()
    with pytest.raises(InterruptedError):
        await task
    stored_shards = {name for name in contents(paths.shards) if name.endswith(".shard")}
    assert stored_shards
    assert "summary.json" not in contents(paths.result)
    await run_all([paths])
    account = shard_counts(paths)
    assert account["found"] >= len(stored_shards), "one that was being written may follow"
    assert account["found"] + sum(account["computed"].values()) == len(contents(paths.shards))
    assert tuple(trial for trial, _ in trials_in(work, paths)) == finished_search.trials
