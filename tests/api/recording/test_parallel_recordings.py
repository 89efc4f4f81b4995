"""Recordings and replays of runs whose model calls overlap: always whole, always equal. tests/soak has more of them."""

import pytest

from agents.recording.cassette import Cassette
from tests.api.recording.parallel_recording import PATH, record_once, replay_once

pytestmark = pytest.mark.anyio


@pytest.mark.soak
async def test_each_replay_is_whole_and_equal() -> None:
    cassette = Cassette.load(PATH)
    for _ in range(6):
        await replay_once(cassette)


@pytest.mark.soak
async def test_each_recording_is_whole_and_equal(tmp_path) -> None:
    for _ in range(3):
        await record_once(PATH.read_bytes(), tmp_path)
