"""Commands that compute searches on a Ray cluster that they start."""

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic

import psutil
import pytest

from desk.optimization.repositories.trial_repository import load_trials
from desk.optimization.request import OptimizationRequest
from desk.runs.repository import list_runs, load_run
from graphs.dependencies import Dependencies
from graphs.jobs import job_queue
from quant.worlds.scenario import BUILT_IN
from store.embedded import open_store
from tests.doubles.ray_nodes import two_nodes
from tests.graphs.dependencies import FIRST_DAY, OWNER
from tests.graphs.jobs.queued_runs import eventually, queued_dependencies

pytestmark = [pytest.mark.soak, pytest.mark.anyio]
ROOT = Path(__file__).parents[2]
STOP_SECONDS = 8.0
"""Less than the time that `serve` waits for its workers."""
LONG = OptimizationRequest(
    trials=200, scenarios=tuple(s.model_copy(update={"paths": 1024, "years": 2}) for s in BUILT_IN), stopping="budget"
)


def small(seed: int) -> OptimizationRequest:
    scenarios = tuple(s.model_copy(update={"paths": 100, "years": 1}) for s in BUILT_IN[:1])
    return OptimizationRequest(trials=10, scenarios=scenarios, seed=seed, first_day=FIRST_DAY)


def environment(home: Path, compute: str) -> dict[str, str]:
    return os.environ | {"STRATIGOS_HOME": str(home), "STRATIGOS_COMPUTE": compute}


@contextmanager
def worker_on_ray(home: Path) -> Generator["subprocess.Popen[str]"]:
    with subprocess.Popen(
        [sys.executable, "-m", "api", "work"],
        cwd=ROOT,
        env=environment(home, "ray"),
        stderr=subprocess.PIPE,
        text=True,
    ) as worker:
        try:
            yield worker
        finally:
            worker.kill()


@pytest.mark.parametrize("received_signal", [signal.SIGTERM, signal.SIGINT])
async def test_a_worker_that_receives_a_signal_returns_its_job_and_stops_its_cluster(home, received_signal):
    async with queued_dependencies(home) as dependencies:
        run = await job_queue.submit(dependencies, OWNER, LONG)

        async def has_trials() -> bool:
            return len(await load_trials(dependencies.store, OWNER, run.id)) > 0

        with worker_on_ray(home) as worker:
            await eventually(has_trials, seconds=120.0)
            cluster = psutil.Process(worker.pid).children(recursive=True)
            assert {"gcs_server", "raylet"} <= {process.name() for process in cluster}
            signal_time = monotonic()
            worker.send_signal(received_signal)
            _, stderr = await asyncio.to_thread(worker.communicate, timeout=60)
            assert monotonic() - signal_time < STOP_SECONDS
        assert worker.returncode == 0, stderr
        assert re.fullmatch(r"worker \d+ takes jobs\n", stderr), stderr
        _, remaining = psutil.wait_procs(cluster, timeout=2)
        assert not remaining
        assert (await load_run(dependencies.store, OWNER, run.id)).state == "running"
        assert await job_queue.queue_of(dependencies).receive(lease=1.0, wait=0.0) is not None, (
            "the job is not in the queue"
        )


async def test_searches_of_one_process_share_a_cluster(home):
    async with queued_dependencies(home) as dependencies:
        runs = [(await job_queue.submit(dependencies, OWNER, small(seed))).id for seed in (3, 4)]
        with worker_on_ray(home):
            for run in runs:
                await eventually(lambda run=run: completed(dependencies, run), seconds=120.0)


async def completed(dependencies: Dependencies, run: str) -> bool:
    state = (await load_run(dependencies.store, OWNER, run)).state
    assert state != "failed"
    return state == "completed"


@contextmanager
def optimize_on_ray(home: Path, address: str) -> Generator["subprocess.Popen[str]"]:
    """A command that computes for some seconds and prints its result as JSON."""
    options = "--trials 200 --paths 1024 --years 2 --stopping budget --json".split()
    with subprocess.Popen(
        [sys.executable, "-m", "api", "optimize", *options],
        cwd=ROOT,
        env=environment(home, f"ray:{address}"),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as command:
        yield command


async def test_the_json_of_a_command_is_whole_after_a_node_has_died(home):
    with two_nodes() as nodes, optimize_on_ray(home, nodes.address) as command:
        async with open_store(home) as store:

            async def has_trials() -> bool:
                return any([await load_trials(store, OWNER, run.id) for run in await list_runs(store, OWNER)])

            await eventually(has_trials, seconds=120.0)
        nodes.cluster.remove_node(nodes.cluster.list_all_nodes()[1], allow_graceful=False)
        stdout, _ = await asyncio.to_thread(command.communicate, timeout=300)
    assert command.returncode == 0, stdout
    assert json.loads(stdout)["run"]


async def test_optimize_on_a_cluster_has_the_result_of_one_process(home):
    assert await digest_of_optimize(home, "ray") == await digest_of_optimize(home.with_name("alone"), "")


async def digest_of_optimize(home: Path, compute: str) -> str:
    options = "--trials 20 --paths 256 --years 1 --scenarios base_case,bear_market --json".split()
    process = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "api", "optimize", *options],
        cwd=ROOT,
        env=environment(home, compute),
        capture_output=True,
        text=True,
        timeout=240,
        check=True,
    )
    async with open_store(home) as store:
        digest = (await load_run(store, OWNER, json.loads(process.stdout)["run"])).result_digest
    assert digest is not None
    return digest
