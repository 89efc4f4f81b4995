"""Reads all records of one run, and packs them into one file with an index of its contents.

The file is a zip archive that can be read without this program: the record of the run, its other records and its
events as lines of JSON, its results as stored, and an index of all parts with their hashes.
"""

import hashlib
import io
import zipfile
from dataclasses import dataclass, field
from typing import Literal, get_args

from pydantic import ValidationError

from desk.base.errors import Conflicting
from desk.governance.approvals import KIND as APPROVAL
from desk.governance.spending import KIND as USAGE
from desk.optimization.holdout import KIND as HOLDOUT
from desk.optimization.repositories.result_repository import Stage, result_key
from desk.optimization.repositories.trial_repository import KIND as TRIAL
from desk.optimization.repositories.trial_repository import SERIES, series_files
from desk.runs.decisions import KIND as DECISION
from desk.runs.model_answers import KIND as ANSWER
from desk.runs.repository import Run
from graphs.runs.reproductions import KIND as REPRODUCTION
from quant.numeric.frozen import Frozen
from store.errors import Missing
from store.events import Event
from store.records import Key, Record, iterate_records
from store.serialization import Document, decode, encode
from store.store import Store

FORMAT = 1
KINDS = (TRIAL, DECISION, APPROVAL, ANSWER, USAGE, REPRODUCTION)
"""Records whose id begins with that of the run.

Ledgers are not included, since other runs may share them; nor is the mark of a run whose prices were revised, which a
new version of a data set may set at any time. The files of the series are, with every series that they hold: each stays
readable by its address.
"""
STAGES: tuple[Stage, ...] = get_args(Stage)
CONTENTS, RUN, RECORDS, EVENTS = "contents.json", "run.json", "records.jsonl", "events.jsonl"
FIXED_TIME = (1980, 1, 1, 0, 0, 0)
"""Timestamp of all files in the archive, so that the same run always gives the same archive."""


class DamagedArchive(Conflicting):
    """The archive of a run is missing or was changed."""

    code = "damaged_archive"

    def __init__(self, run_id: str, why: str) -> None:
        super().__init__(
            f"run: the archive of {run_id!r} {why}, so nothing was restored; expected the original file, "
            "restored from a backup"
        )


class Part(Frozen):
    name: str
    digest: str
    bytes: int
    entries: int


class ArchiveIndex(Frozen):
    format: Literal[1] = FORMAT
    owner: str
    run: str
    parts: tuple[Part, ...]


@dataclass(frozen=True)
class RunContents:
    records: tuple[Record, ...]
    events: tuple[Event, ...]
    results: dict[str, bytes]
    """Results by stage."""
    series: dict[str, bytes] = field(default_factory=dict[str, bytes])
    """Files of the series of its trials, by name; one that another archive holds is not among them."""

    def holds(self, others: "RunContents") -> bool:
        """Whether this contains all of the others unchanged; of the events, the others may be a prefix."""
        documents = {record.key: record.document for record in self.records}
        return (
            all(documents.get(record.key) == record.document for record in others.records)
            and others.events == self.events[: len(others.events)]
            and all(self.results.get(stage) == content for stage, content in others.results.items())
        )


async def load_contents(store: Store, owner: str, run_id: str) -> RunContents:
    """Load all records, events and results of the run, except its own record."""
    records = [
        record for kind in KINDS async for record in iterate_records(store.records, owner, kind, prefix=f"{run_id}.")
    ]
    if (holdout := await store.records.get(Key(owner, HOLDOUT, run_id))) is not None:
        records.append(holdout)
    events: list[Event] = []
    while page := await store.events.read(owner, run_id, len(events)):
        events += page
    results: dict[str, bytes] = {}
    for stage in STAGES:
        try:
            results[stage] = await store.blobs.get(result_key(owner, run_id, stage))
        except Missing:
            continue
    addresses = [record.document["series"] for record in records if record.key.kind == TRIAL]
    return RunContents(tuple(records), tuple(events), results, await series_files(store, owner, addresses))


def pack(run: Run, run_contents: RunContents) -> bytes:
    records = [{"kind": each.key.kind, "id": each.key.id, "document": each.document} for each in run_contents.records]
    events = [{"number": each.number, "id": each.event_id, "payload": each.payload} for each in run_contents.events]
    parts = {
        RUN: _lines(RUN, [run.model_dump(mode="json")]),
        RECORDS: _lines(RECORDS, records),
        EVENTS: _lines(EVENTS, events),
        **{_result_name(stage): content for stage, content in run_contents.results.items()},
        **{f"{SERIES}/{name}": content for name, content in run_contents.series.items()},
    }
    entries = {RECORDS: len(records), EVENTS: len(events)}
    contents = ArchiveIndex(
        owner=run.owner,
        run=run.id,
        parts=tuple(
            Part(name=name, digest=sha256(part), bytes=len(part), entries=entries.get(name, 1))
            for name, part in parts.items()
        ),
    )
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, part in {CONTENTS: contents.model_dump_json(indent=2).encode(), **parts}.items():
            archive.writestr(zipfile.ZipInfo(name, FIXED_TIME), part, zipfile.ZIP_DEFLATED)
    return file.getvalue()


def unpack(run: Run, file: bytes, digest: str) -> RunContents:
    """The contents of the file with that digest; raises `DamagedArchive` for any other file."""
    if sha256(file) != digest:
        raise DamagedArchive(run.id, "was changed after it was written: its SHA-256 differs")
    try:
        with zipfile.ZipFile(io.BytesIO(file)) as archive:
            contents = ArchiveIndex.model_validate_json(archive.read(CONTENTS))
            parts = {part.name: archive.read(part.name) for part in contents.parts}
    except (zipfile.BadZipFile, KeyError, ValidationError) as error:
        raise DamagedArchive(run.id, "cannot be read by this version of the program") from error
    whose = (contents.owner, contents.run) == (run.owner, run.id)
    if not whose or any(sha256(parts[part.name]) != part.digest for part in contents.parts):
        raise DamagedArchive(run.id, "does not match its index")
    return RunContents(
        records=tuple(
            Record(Key(run.owner, each["kind"], each["id"]), each["document"], 1)
            for each in _parse_lines(parts[RECORDS])
        ),
        events=tuple(Event(each["number"], each["id"], each["payload"]) for each in _parse_lines(parts[EVENTS])),
        results={stage: parts[_result_name(stage)] for stage in STAGES if _result_name(stage) in parts},
        series={name.partition("/")[2]: part for name, part in parts.items() if name.startswith(f"{SERIES}/")},
    )


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _result_name(stage: str) -> str:
    return f"results/{stage}.json"


def _lines(name: str, documents: list[Document]) -> bytes:
    return "".join(encode(name, document) + "\n" for document in documents).encode()


def _parse_lines(lines: bytes) -> list[Document]:
    return [decode(line) for line in lines.decode().splitlines()]
