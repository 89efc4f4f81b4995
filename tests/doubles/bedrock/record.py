"""Makes the cassettes of the double again: `python -m tests.doubles.bedrock.record [--check] [NAME ...]`.

A cassette is written only if it has changed by more than `differences` ignores, and never if it was recorded from a
real service. With `--check` nothing is written, and the exit code is 1 if a cassette would be.
"""

import asyncio
import os
import sys
from collections.abc import Iterator, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any

from agents.recording.cassette import Cassette
from agents.recording.matching import matches
from agents.recording.mismatch import explain_mismatch
from api.recording.recorded_runs import label_of, record, trace_differences
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
UP_TO_DATE = "up to date"


def main(arguments: Sequence[str], folder: Path = CASSETTES) -> int:
    check, names = "--check" in arguments, [each for each in arguments if each != "--check"]
    os.environ.update(ENVIRONMENT)
    changed = []
    for name, recording in all_recordings(folder).items():
        if names and name not in names:
            continue
        path, fresh = folder / f"{name}.yaml", record_against_double(name, recording)
        found = list(differences(Cassette.load(path), fresh, path)) if path.exists() else ["it does not exist"]
        print(f"{name}: {len(fresh.interactions)} calls, {'changed' if found else UP_TO_DATE}; {recording.about}")
        print("".join(f"  {line}\n" for text in dict.fromkeys(found) for line in text.splitlines()), end="")
        if found:
            changed.append(name)
            if not check:
                fresh.save(path)
    if check and changed:
        print(f"not up to date: {', '.join(changed)}; run make cassettes")
    return int(check and bool(changed))


def all_recordings(folder: Path = CASSETTES) -> dict[str, Recording]:
    """The recordings of the repository and those from a served double, without cassettes of a real service."""
    recordings = dict(RECORDINGS)
    for path in sorted(folder.glob("*.yaml")):
        label = label_of(Cassette.load(path), path)
        if label.endpoint != "loopback":
            recordings.pop(path.stem, None)
        elif path.stem not in RECORDINGS:
            recordings[path.stem] = Recording(
                label.made_by, embedded, tuple(run.request or run.messages for run in label.runs), label.models
            )
    return recordings


def differences(stored: Cassette, fresh: Cassette, path: Path) -> Iterator[str]:
    """What has changed in requests, traces and label, apart from the version of the code and the counts of tokens.

    Responses need no comparison of their own: each is part of the next request or of the trace.
    """
    for before, now in zip_longest(stored.interactions, fresh.interactions):
        if before is None or now is None:
            yield f"{len(stored.interactions)} calls were recorded, and {len(fresh.interactions)} are made now"
            return
        if not matches(before, now):  # the later calls and the traces differ as its consequence
            yield explain_mismatch(now, Cassette([before]))
            return
    labels = label_of(stored, path), label_of(fresh, path)
    runs = [[run.model_copy(update={"trace": _without_tokens(run.trace)}) for run in label.runs] for label in labels]
    yield from trace_differences(runs[0], [run.trace for run in runs[1]], digests=False)
    before, now = (label.model_dump(exclude={"code_version", "runs"}) for label in labels)
    yield from (f"{field}: {before[field]} is now {now[field]}" for field in now if before[field] != now[field])


def _without_tokens(trace: Sequence[dict[str, Any]]) -> tuple[dict[str, Any], ...]:
    """The events without counts of tokens, which a longer schema of a tool changes."""
    return tuple({name: value for name, value in event.items() if not name.endswith("_tokens")} for event in trace)


def record_against_double(name: str, recording: Recording) -> Cassette:
    by = f"make cassettes, {name}: {recording.about}" if name in RECORDINGS else recording.about
    with Double(recording.driver(), gate=recording.gate()) as double:
        os.environ["AWS_ENDPOINT_URL_BEDROCK_RUNTIME"] = double.url
        settings, scripted = read_settings(), recording.scripted
        return asyncio.run(
            record(recording.scripts, recording.options, made_by=by, settings=settings, scripted=scripted)
        )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
