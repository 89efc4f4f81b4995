"""Replays under load and in odd environments: always whole, always equal, never with an attempt at the network."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.api.recording.replays import ENVIRONMENTS, ROOT, SAME, replay_in
from tests.cassette_playback import CASSETTES

pytestmark = [pytest.mark.soak, pytest.mark.timeout(3600)]

PROCESSES, THREADS, EACH = 8, 8, 6
"""48 replays, of which each process runs its share in threads."""

IN_THREADS = f"""
import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from agents.recording.cassette import Cassette
from agents.recording.player import Player
from api.recording.recorded_runs import label_of, replay


def once(name):
    path = Path("{CASSETTES}") / f"{{name}}.yaml"
    cassette = Cassette.load(path)
    report = asyncio.run(replay(Player(cassette), label_of(cassette, path)))
    return [name, *report.differences] if report.differences or report.attempts else []


names = ["chat", "optimization", "parallel", "throttled", "fallback", "malformed"]
with ThreadPoolExecutor({THREADS}) as pool:
    for differences in pool.map(once, names[:{EACH}]):
        print(*differences, sep="\\n", end="")
"""


def test_forty_eight_replays_under_load_are_the_same() -> None:
    def run(_: int) -> str:
        done = subprocess.run(
            [sys.executable, "-c", IN_THREADS], cwd=ROOT, capture_output=True, text=True, timeout=3600, check=False
        )
        return f"{done.stdout}{done.stderr if done.returncode else ''}"

    with ThreadPoolExecutor(PROCESSES) as pool:
        assert list(pool.map(run, range(PROCESSES))) == [""] * PROCESSES


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_a_replay_is_the_same_in_every_environment(name: str, tmp_path) -> None:
    report = replay_in(tmp_path, "optimization", ENVIRONMENTS[name])
    assert all(line in report for line in SAME), report


def test_a_replay_is_the_same_without_a_writable_home(tmp_path) -> None:
    report = replay_in(tmp_path, "optimization", {}, read_only=True)
    assert all(line in report for line in SAME), report
