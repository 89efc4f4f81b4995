"""The command of a container: exit codes, the reason it leaves, and processes that are killed."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from api.cli.main import run
from desk.base.code_version import code_version
from desk.compute.container.job_files import ContainerPaths, Work, decode_summary, write_work
from desk.market.bundled import BundledPrices
from desk.optimization.jobs import SearchJob
from desk.optimization.request import OptimizationRequest
from quant.worlds.scenario import BUILT_IN

HOSTS = ["127.0.0.1", "127.0.0.2"]
CACHE_VARIABLES = ("STRATIGOS_KERNEL_CACHE", "NUMBA_CACHE_DIR")
SCENARIOS = tuple(s.model_copy(update={"paths": 100, "years": 1}) for s in BUILT_IN[:1])
Prepare = Callable[..., tuple[Work, list[ContainerPaths]]]


@pytest.fixture(autouse=True)
def as_it_was(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.setenv("NUMBA_NUM_THREADS", "1")
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.fixture
def prepare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Prepare:
    """Trees of instances; this process works in the first."""
    prices = asyncio.run(BundledPrices().load("sp500"))

    def make(
        count: int = 1, trials: int = 12, name: str = "trees", **changes: object
    ) -> tuple[Work, list[ContainerPaths]]:
        request = OptimizationRequest(trials=trials, seed=3, stopping="budget", scenarios=SCENARIOS)
        job = SearchJob(
            owner="anne", run="r1", plan=0, request=request, space=request.space, candidates=(), first=0, budget=trials
        )
        with socket.socket() as free:
            free.bind((HOSTS[0], 0))
            port = free.getsockname()[1]
        given = {"code": code_version(), "data": prices.digest, "job": job, "key": "ab" * 16, "port": port}
        work = Work.model_validate(given | changes)
        trees = [ContainerPaths(tmp_path / name / host) for host in HOSTS[:count]]
        for paths, host in zip(trees, HOSTS, strict=False):
            write_work(paths.work, work, prices, [])
            paths.resources.parent.mkdir(parents=True)
            paths.resources.write_text(json.dumps({"current_host": host, "hosts": HOSTS[:count]}))
        monkeypatch.setenv("STRATIGOS_CONTAINER_ROOT", str(trees[0].root))
        return work, trees

    return make


def stored(paths: ContainerPaths) -> set[str]:
    return {path.name for path in paths.shards.glob("*.shard")}


def trials(paths: ContainerPaths) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in paths.result.glob("trials-*.json")}


def account(paths: ContainerPaths) -> dict:
    return json.loads((paths.result / "shards.json").read_bytes())


def removed(paths: ContainerPaths) -> None:
    (paths.work / "known.json").unlink()


def damaged(paths: ContainerPaths) -> None:
    path = paths.work / "prices.npz"
    path.write_bytes(path.read_bytes()[:-100])


def from_elsewhere(paths: ContainerPaths) -> None:
    path = paths.work / "work.json"
    path.write_text(path.read_text().replace(code_version(), "0" * 64))


def alone(paths: ContainerPaths) -> None:
    paths.resources.unlink()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (removed, "known.json is missing; expected work.json, known.json and prices.npz"),
        (damaged, "prices.npz cannot be read; expected a file written by this program"),
        (from_elsewhere, "work.json was written by another version of the program; use the image with which"),
        (alone, "resourceconfig.json is missing; expected the current host and all hosts of the job"),
    ],
)
def test_a_user_error_ends_with_code_2(prepare, change, reason, capfd) -> None:
    _, (paths,) = prepare()
    change(paths)
    assert run(["worker"]) == 2
    message = paths.message.read_text()
    assert message.startswith(reason)
    assert capfd.readouterr().err.strip() == message
    assert not paths.result.exists()


@pytest.mark.parametrize("arguments", [["worker"], ["worker", "--step", "aggregation"]])
def test_without_a_container_the_error_names_the_folder_and_its_setting(
    tmp_path, monkeypatch, capfd, arguments
) -> None:
    monkeypatch.setenv("STRATIGOS_CONTAINER_ROOT", str(tmp_path / "opt"))
    assert run(arguments) == 2
    error = capfd.readouterr().err
    assert error.startswith(f"STRATIGOS_CONTAINER_ROOT: the folder {tmp_path}/opt/processing/input")
    assert "`optimize` or `pipeline run`" in error
    assert list(tmp_path.iterdir()) == []
    file = tmp_path / "file"
    file.touch()
    monkeypatch.setenv("STRATIGOS_CONTAINER_ROOT", str(file))
    assert run(arguments) == 2
    assert f"the folder {file}/processing/input" in capfd.readouterr().err


def test_a_missing_input_of_a_step_is_named_with_its_folder(tmp_path, monkeypatch, capfd) -> None:
    paths = ContainerPaths(tmp_path)
    paths.inputs.mkdir(parents=True)
    monkeypatch.setenv("STRATIGOS_CONTAINER_ROOT", str(tmp_path))
    assert run(["worker", "--step", "data_validation"]) == 2
    assert capfd.readouterr().err.endswith(f"request.json and prices.npz in {paths.input('request')}\n")


def test_unusable_prices_end_with_code_2(prepare, capfd) -> None:
    prices = asyncio.run(BundledPrices().load("sp500"))
    short = replace(prices, dates=prices.dates[:100], closes=np.ascontiguousarray(prices.closes[:100]))
    work, (paths,) = prepare(data=short.digest)
    write_work(paths.work, work, short, [])
    assert run(["worker"]) == 2
    assert "allowed" in paths.message.read_text()


def test_a_fault_ends_with_code_1_and_prints_no_secret(prepare, monkeypatch, capfd) -> None:
    monkeypatch.setenv("SOME_SECRET", "correct-horse-battery")
    _, (paths,) = prepare(name="correct-horse-battery")
    paths.result.parent.mkdir(parents=True)
    paths.result.write_text("a file where a folder should be")
    assert run(["worker"]) == 1
    message = paths.message.read_text()
    assert message.startswith("A fault ended the worker: FileExistsError: ")
    out = capfd.readouterr()
    assert out.err.strip() == message
    assert "battery" not in message + out.out
    lines = [json.loads(line) for line in out.out.splitlines()]
    assert lines[-1]["event"] == "fault"
    assert "Traceback" in lines[-1]["exception"]


def test_sigterm_ends_with_143_and_finished_shards_are_reused(prepare, home) -> None:
    work, (paths,) = prepare(trials=24)
    ended = threading.Event()

    def terminate() -> None:
        while not stored(paths):
            if ended.wait(0.001):
                return
        os.kill(os.getpid(), signal.SIGTERM)

    watching = threading.Thread(target=terminate)
    watching.start()
    code = run(["worker"])
    ended.set()
    watching.join()
    assert code == 143
    finished = stored(paths)
    assert not (paths.result / "summary.json").exists()
    assert not paths.message.exists()

    assert run(["worker"]) == 0
    counts = account(paths)
    assert counts["found"] == len(finished) > 0
    assert counts["found"] + counts["computed"][HOSTS[0]] == len(stored(paths))
    assert decode_summary((paths.result / "summary.json").read_bytes(), work).trials == 24
    assert not home.exists(), "it needs no home"


def test_help_explains_the_contract(capsys) -> None:
    assert run(["worker", "--help"]) == 0
    help_text = capsys.readouterr().out
    for word in (
        "resourceconfig.json",
        "processing/input/work",
        "output/message",
        "SIGTERM",
        "STRATIGOS_CONTAINER_ROOT",
    ):
        assert word in help_text


class Instances:
    """Processes of the command, one a tree, with nothing but what a container has."""

    def __init__(self, trees: list[ContainerPaths]) -> None:
        root = Path(__file__).parents[4]
        environment = {
            name: value for name, value in os.environ.items() if name.startswith(("NUMBA", "STRATIGOS_KERNEL", "PATH"))
        }
        self.processes = [
            subprocess.Popen(
                [sys.executable, "-m", "api", "worker"],
                cwd=root,
                env=environment | {"STRATIGOS_CONTAINER_ROOT": str(paths.root), "OMP_NUM_THREADS": "1"},
                stdout=subprocess.DEVNULL,
            )
            for paths in trees
        ]

    def codes(self) -> list[int]:
        return [process.wait(120) for process in self.processes]


@pytest.mark.soak
def test_several_instances_store_the_same_shards_as_one(prepare) -> None:
    _, (single,) = prepare(name="single")
    assert run(["worker"]) == 0

    work, trees = prepare(2, name="two")
    assert Instances(trees).codes() == [0, 0]
    assert trials(trees[0]) == trials(single)
    assert account(trees[0])["unseen"] == []

    work, trees = prepare(2, trials=60, name="killed")
    instances = Instances(trees)
    while not stored(trees[1]):
        time.sleep(0.01)
    instances.processes[1].kill()
    assert instances.codes() == [0, -signal.SIGKILL]
    assert decode_summary((trees[0].result / "summary.json").read_bytes(), work).trials == 60
    assert account(trees[0])["lost"] <= 1

    _, trees = prepare(2, trials=60, name="without leader")
    instances = Instances(trees)
    while not stored(trees[1]):
        time.sleep(0.01)
    instances.processes[0].kill()
    assert instances.codes() == [-signal.SIGKILL, 75]
    assert "the leader 127.0.0.1 is gone" in trees[1].message.read_text()
    before = set().union(*map(stored, trees))
    lead = trees[0]
    lead.earlier_shards.mkdir(parents=True)
    for path in trees[1].shards.glob("*.shard"):
        (lead.earlier_shards / path.name).write_bytes(path.read_bytes())
    assert Instances(trees).codes() == [0, 0]
    assert account(lead)["found"] == len(before)
