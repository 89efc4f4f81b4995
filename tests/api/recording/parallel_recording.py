"""Replays and re-records tests/cassettes/parallel.yaml."""

import threading
from typing import Any

import pytest

from agents.recording.boto_events import BEFORE_SEND
from agents.recording.cassette import Cassette
from agents.recording.player import Player
from api.recording.recorded_runs import label_of, record, replay
from api.settings import read_settings
from tests.cassette_playback import CASSETTES
from tests.doubles.bedrock.double import Double
from tests.doubles.bedrock.recordings import AT_ONCE, RECORDINGS

PATH = CASSETTES / "parallel.yaml"


class OverlappingPlayer(Player):
    """Holds the first calls until all of them are there."""

    def attach(self, client: Any) -> None:
        barrier, calls, lock = threading.Barrier(AT_ONCE), iter(range(1000)), threading.Lock()

        def hold(**_: object) -> None:
            with lock:
                number = next(calls)
            if number < AT_ONCE:
                barrier.wait(30)

        client.meta.events.register_first(BEFORE_SEND, hold)
        super().attach(client)


async def replay_once(cassette: Cassette) -> None:
    result = await replay(OverlappingPlayer(cassette), label_of(cassette, PATH))
    assert result.differences == ()
    assert (result.runs, result.calls, result.attempts) == (2, len(cassette.interactions), 0)


async def record_once(expected: bytes, folder: Any) -> None:
    recording = RECORDINGS["parallel"]
    with Double(recording.driver(), gate=recording.gate()) as double:
        with pytest.MonkeyPatch.context() as environment:
            for name, value in {
                "AWS_ACCESS_KEY_ID": "double",
                "AWS_SECRET_ACCESS_KEY": "double",
                "AWS_ENDPOINT_URL_BEDROCK_RUNTIME": double.url,
            }.items():
                environment.setenv(name, value)
            made_by = label_of(Cassette.load(PATH), PATH).made_by
            cassette = await record(recording.scripts, recording.options, made_by=made_by, settings=read_settings())
        assert len(cassette.interactions) == len(double.received)
    cassette.metadata["code_version"] = Cassette.load(PATH).metadata["code_version"]
    for run, recorded_run in zip(cassette.metadata["runs"], Cassette.load(PATH).metadata["runs"], strict=True):
        run["trace"][-1]["result_digest"] = recorded_run["trace"][-1]["result_digest"]  # holds the version of the code
    cassette.save(folder / "again.yaml")
    assert (folder / "again.yaml").read_bytes() == expected
