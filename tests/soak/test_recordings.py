import pytest

from agents.recording.cassette import Cassette
from tests.api.recording.parallel_recording import PATH, record_once, replay_once

pytestmark = [pytest.mark.anyio, pytest.mark.soak]


async def test_forty_replays_are_whole_and_equal() -> None:
    cassette = Cassette.load(PATH)
    for _ in range(40):
        await replay_once(cassette)


async def test_twenty_recordings_are_whole_and_equal(tmp_path) -> None:
    for _ in range(20):
        await record_once(PATH.read_bytes(), tmp_path)
