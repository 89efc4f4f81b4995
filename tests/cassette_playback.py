"""Playback of cassettes: the runs of a recording, and models that answer from it."""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from agents.models.factory import Models
from agents.recording.cassette import Cassette
from agents.recording.player import Player
from api.recording.isolation import sockets_blocked
from api.recording.recorded_runs import Label, RecordedRun, label_of, played_models
from desk.optimization.request import OptimizationRequest

CASSETTES = Path(__file__).with_name("cassettes")


@dataclass(frozen=True)
class PlayedCassette:
    label: Label
    models: Models

    @property
    def run(self) -> RecordedRun:
        """The run of a recording that has one."""
        [run] = self.label.runs
        return run

    @property
    def request(self) -> OptimizationRequest:
        """The request of that run; a conversation has messages instead."""
        assert self.run.request is not None
        return self.run.request


@contextmanager
def play_cassette(name: str) -> Generator[PlayedCassette]:
    """Play a cassette without a network; a missing or unplayed call and every connection fails the test."""
    path = CASSETTES / f"{name}.yaml"
    if not path.exists():
        raise FileNotFoundError(f"{path} is not there; record it: python -m api record -o {path} -- optimize ...")
    cassette = Cassette.load(path)
    label, player = label_of(cassette, path), Player(cassette)
    with sockets_blocked() as network:
        yield PlayedCassette(label, played_models(label, player))
    assert not player.misses, "\n".join(map(str, player.misses))
    assert not player.unplayed, "these recorded calls were not made:\n" + "\n".join(player.unplayed)
    assert not network.attempts, f"{network.attempts} attempts to reach the network"
