"""Stored runs of an owner: records, events and results."""

from collections.abc import Callable
from datetime import datetime
from itertools import dropwhile
from typing import Any

from desk.base.errors import Gone, NotFound
from desk.governance.estimates import Estimate
from desk.optimization.reading.result_summary import ResultSummary
from desk.optimization.repositories.result_repository import load_result
from desk.optimization.request import StoredRequest
from desk.optimization.result import OptimizationResult
from desk.runs.events.table import TRACE_EVENT, TraceEvent
from desk.runs.states import (
    ACTIVE_STATES,
    EXECUTION_STAGES,
    RESTARTABLE_STATES,
    STOPPED_STATES,
    RunState,
    Transition,
    check_transition,
)
from quant.numeric.frozen import Frozen
from store.errors import Conflict, Missing
from store.records import Key, LabelName, Put, Record, iterate_records
from store.store import Store

KIND = "run"


class CancellationRequest(Frozen):
    """Request to cancel a run that is being executed."""

    by: str
    at: datetime
    reason: str = ""


class Hold(Frozen):
    """Hold that protects the run from archiving and deletion."""

    by: str
    at: datetime
    reason: str = ""


class ArchiveReference(Frozen):
    """Location of an archived run's file, and what its record keeps."""

    at: datetime
    blob: str
    digest: str
    """SHA-256 of the file."""
    bytes: int
    tried: str
    """Address of its trials' entries, for the ledgers of later runs."""
    emptied: bool = False
    """Whether the archived data is deleted from the store."""


class Run(Frozen):
    """One execution of the optimization graph."""

    id: str
    owner: str
    state: RunState
    created_at: datetime
    request: StoredRequest
    data_digest: str
    prices_digest: str | None = None
    """Digest of the closes alone, by which its trials are counted; None in records of an earlier version."""
    ledger: str
    """Address of the owner's earlier trials on the same prices; see `desk.optimization.repositories.ledger`."""
    code_version: str
    result_digest: str | None = None
    summary: ResultSummary | None = None
    """Set with the state `completed`; None in records of an earlier version."""
    estimate: Estimate | None = None
    """Estimate at its submission or approval; None in records of an earlier version."""
    history: tuple[Transition, ...] = ()
    """State transitions; may be empty in records of an earlier version."""
    cancelling: CancellationRequest | None = None
    held: Hold | None = None
    archived: ArchiveReference | None = None
    restored_at: datetime | None = None
    forgotten_at: datetime | None = None
    """Time at which its checkpoints were deleted."""

    @property
    def updated_at(self) -> datetime:
        return self.history[-1].at if self.history else self.created_at

    def seconds_of_execution(self, until: datetime) -> float:
        """Seconds in which it was executed or computed elsewhere, without the queue and approval."""
        ends = (*(move.at for move in self.history[1:]), until)
        moves = zip(self.history, ends, strict=False)
        spans = ((end - move.at).total_seconds() for move, end in moves if move.state in (*ACTIVE_STATES, "computing"))
        return sum(spans)

    @property
    def endings(self) -> int:
        """How often it ended without a result since it was submitted; the expiry of its draft does not count."""
        since_submission = dropwhile(lambda move: move.state not in ("created", "queued"), self.history)
        return sum(move.state in RESTARTABLE_STATES for move in since_submission)

    @property
    def thread(self) -> str:
        """Thread id of its checkpoints."""
        return f"{self.owner}/{self.id}"

    def with_state(self, state: RunState, *, at: datetime, by: str, reason: str = "", **changes: Any) -> "Run":
        """Return the run in `state`; `IllegalTransition` if that is not allowed."""
        check_transition(self.id, self.state, state)
        history = (*self.history, Transition(state=state, at=at, by=by, reason=reason))
        cancelling = None if state in STOPPED_STATES else self.cancelling
        return self.model_copy(update={**changes, "state": state, "history": history, "cancelling": cancelling})

    def advanced_to(self, stage: RunState, *, at: datetime, by: str, **changes: Any) -> "Run":
        """Return the run at `stage` or later, through every stage in between."""
        passed = "validating" if self.state == "computing" else self.state
        done = EXECUTION_STAGES.index(passed) + 1 if passed in EXECUTION_STAGES else 0
        run = self
        for state in EXECUTION_STAGES[done : EXECUTION_STAGES.index(stage) + 1]:
            run = run.with_state(state, at=at, by=by, **changes)
        return run

    def put(self, version: int) -> Put:
        """Return the write of this run over `version`."""
        labels: dict[LabelName, str] = {"state": self.state, "about": self.data_digest}
        if self.prices_digest is not None:
            labels["content"] = self.prices_digest
        return Put(Key(self.owner, KIND, self.id), self.model_dump(mode="json"), version, labels=labels)


class JobFailed(RuntimeError):
    """The search ended without completing its trials."""


class Cancelled(RuntimeError):
    """The search was cancelled by a user."""


class NoSuchRun(NotFound):
    """The owner has no run of that id."""

    code = "no_such_run"

    def __init__(self, run_id: str) -> None:
        super().__init__(f"run: there is no run {run_id!r}; expected the id of one of your runs")


class RunArchived(Gone):
    """The run is archived in a file and can be restored."""

    code = "archived"

    def __init__(self, run_id: str) -> None:
        super().__init__(
            f"run: {run_id!r} is archived; restore it first, with "
            f"POST /api/jobs/{run_id}/unarchive or `python -m api restore {run_id}`"
        )


async def load_run(store: Store, owner: str, run_id: str) -> Run:
    return Run.model_validate((await load_run_record(store, owner, run_id)).document)


async def list_runs(store: Store, owner: str) -> list[Run]:
    """Load the runs of an owner, newest first."""
    records = iterate_records(store.records, owner, KIND, newest_first=True)
    return [Run.model_validate(record.document) async for record in records]


def with_sequence(event: TraceEvent, sequence: int) -> TraceEvent:
    return event.model_copy(update={"sequence": sequence})


async def load_events(store: Store, owner: str, run_id: str, *, after: int = 0) -> list[TraceEvent]:
    """Load the events from number `after` + 1 on."""
    events: list[TraceEvent] = []
    while page := await store.events.read(owner, run_id, after):
        events += [with_sequence(TRACE_EVENT.validate_python(event.payload), event.number) for event in page]
        after = page[-1].number
    return events


async def load_final_result(store: Store, owner: str, run_id: str) -> OptimizationResult | None:
    """Load the final result of a run; None if there is none."""
    try:
        return await load_result(store, owner, run_id, "final")
    except Missing:
        return None


async def load_run_record(store: Store, owner: str, run_id: str, *, archived: bool = False) -> Record:
    """Load the record of a run; an archived one raises `RunArchived` unless `archived` is set."""
    record = await store.records.get(Key(owner, KIND, run_id))
    if record is None:
        raise NoSuchRun(run_id)
    if not archived and record.document.get("archived") is not None:
        raise RunArchived(run_id)
    return record


async def change_run(
    store: Store, owner: str, run_id: str, change: Callable[[Run], Run], *, archived: bool = False
) -> Run:
    """Apply `change` to the stored run, with retries after concurrent writes."""
    while True:
        record = await load_run_record(store, owner, run_id, archived=archived)
        before = Run.model_validate(record.document)
        after = change(before)
        if after == before:
            return before
        try:
            await store.records.put_many([after.put(record.version)])
        except Conflict:
            continue
        return after
