"""Records the cassettes again, each against the double: `python -m tests.doubles.bedrock.record [NAME ...]`."""

import asyncio
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from agents.recording.cassette import Cassette
from api.recording.recorded_runs import label_of, record
from api.settings import read_settings
from tests.doubles.bedrock.double import Double
from tests.doubles.bedrock.drivers import embedded
from tests.doubles.bedrock.recordings import RECORDINGS, Recording

CASSETTES = Path(__file__).parents[2] / "cassettes"
ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "double",
    "AWS_SECRET_ACCESS_KEY": "double",
    "AWS_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
}


def main(names: Sequence[str]) -> int:
    os.environ.update(ENVIRONMENT)
    for name, recording in all_recordings().items():
        if names and name not in names:
            continue
        cassette = record_against_double(name, recording)
        cassette.save(CASSETTES / f"{name}.yaml")
        print(f"{name}: {len(cassette.interactions)} calls; {recording.about}")
    return 0


def all_recordings() -> dict[str, Recording]:
    """The recordings of the repository, and cassettes that were recorded from a served double."""
    own = {}
    for path in sorted(CASSETTES.glob("*.yaml")):
        if path.stem not in RECORDINGS:
            label = label_of(Cassette.load(path), path)
            if label.endpoint == "loopback":
                own[path.stem] = Recording(
                    label.made_by, embedded, tuple(run.request or run.messages for run in label.runs), label.models
                )
    return {**RECORDINGS, **own}


def record_against_double(name: str, recording: Recording) -> Cassette:
    by = f"make record-double, {name}: {recording.about}" if name in RECORDINGS else recording.about
    with Double(recording.driver(), gate=recording.gate()) as double:
        os.environ["AWS_ENDPOINT_URL_BEDROCK_RUNTIME"] = double.url
        settings, scripted = read_settings(), recording.scripted
        return asyncio.run(
            record(recording.scripts, recording.options, made_by=by, settings=settings, scripted=scripted)
        )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
