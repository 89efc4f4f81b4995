"""The runs of an owner, as they are stored."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from desk.base.errors import Gone, NotFound
from desk.optimization.repositories.result_repository import load_result
from desk.optimization.request import OptimizationRequest
from desk.optimization.result import OptimizationResult
from desk.runs.events import TRACE_EVENT, TraceEvent
from desk.runs.states import STAGES, STOPPED, RunState, Transition, check_transition
from quant.numeric.frozen import Frozen
from store.errors import Conflict, Missing
from store.records import Key, LabelName, Put, Record, iterate_records
from store.store import Store

KIND = "run"


class Cancelling(Frozen):
    """What a person asked of a run that is being executed."""

    by: str
    at: datetime
    reason: str = ""


class Hold(Frozen):
    """While it stands the run is neither archived nor deleted."""

    by: str
    at: datetime
    reason: str = ""


class Archived(Frozen):
    """All that is left here of a run besides its record, and where the rest is."""

    at: datetime
    blob: str
    digest: str
    """SHA-256 of the file."""
    bytes: int
    tried: str
    """Address of what it tried, for the ledgers of later runs."""
    emptied: bool = False
    """Whether what the file holds is deleted where it was."""


class Run(Frozen):
    """One execution of the optimization graph."""

    id: str
    owner: str
    state: RunState
    created_at: datetime
    request: OptimizationRequest
    data_digest: str
    ledger: str
    """Address of what the owner had tried on the same prices before: see `desk.optimization.repositories.ledger`."""
    code_version: str
    result_digest: str | None = None
    history: tuple[Transition, ...] = ()
    """Empty at first in a run that was stored before there were histories."""
    cancelling: Cancelling | None = None
    held: Hold | None = None
    archived: Archived | None = None
    restored_at: datetime | None = None
    forgotten_at: datetime | None = None
    """When its checkpoints were deleted."""

    @property
    def updated_at(self) -> datetime:
        return self.history[-1].at if self.history else self.created_at

    @property
    def thread(self) -> str:
        """The name of its checkpoints."""
        return f"{self.owner}/{self.id}"

    def moved(self, state: RunState, *, at: datetime, by: str, reason: str = "", **changes: Any) -> "Run":
        """In that state; `IllegalTransition` where it cannot follow."""
        check_transition(self.id, self.state, state)
        history = (*self.history, Transition(state=state, at=at, by=by, reason=reason))
        wanted = None if state in STOPPED else self.cancelling
        return self.model_copy(update={**changes, "state": state, "history": history, "cancelling": wanted})

    def advanced(self, stage: RunState, *, at: datetime, by: str, **changes: Any) -> "Run":
        """At least that far in its execution, through every stage on the way."""
        passed = "validating" if self.state == "computing" else self.state
        done = STAGES.index(passed) + 1 if passed in STAGES else 0
        run = self
        for state in STAGES[done : STAGES.index(stage) + 1]:
            run = run.moved(state, at=at, by=by, **changes)
        return run

    def put(self, version: int) -> Put:
        """The write of this run over that version."""
        labels: dict[LabelName, str] = {"state": self.state, "about": self.data_digest}
        return Put(Key(self.owner, KIND, self.id), self.model_dump(mode="json"), version, labels=labels)


class JobFailed(RuntimeError):
    """The search ended without its trials."""


class Cancelled(RuntimeError):
    """A person stopped the search."""


class NoSuchRun(NotFound):
    """The owner has no run of that id."""

    code = "no_such_run"

    def __init__(self, run_id: str) -> None:
        super().__init__(f"run: there is no run {run_id!r}; expected the id of one of your runs")


class RunArchived(Gone):
    """What the run found is in a file, and can be brought back."""

    code = "archived"

    def __init__(self, run_id: str) -> None:
        super().__init__(
            f"run: {run_id!r} is archived; restore it first, with "
            f"POST /api/jobs/{run_id}/unarchive or `python -m api restore {run_id}`"
        )


async def run_of(store: Store, owner: str, run_id: str) -> Run:
    return Run.model_validate((await record_of(store, owner, run_id)).document)


async def list_runs(store: Store, owner: str) -> list[Run]:
    """The owner's runs, newest first."""
    found = iterate_records(store.records, owner, KIND, newest_first=True)
    return [Run.model_validate(record.document) async for record in found]


def numbered(event: TraceEvent, sequence: int) -> TraceEvent:
    return event.model_copy(update={"sequence": sequence})


async def events_of(store: Store, owner: str, run_id: str, *, after: int = 0) -> list[TraceEvent]:
    """The events numbered `after` + 1 and on, with their numbers."""
    found: list[TraceEvent] = []
    while page := await store.events.read(owner, run_id, after):
        found += [numbered(TRACE_EVENT.validate_python(event.payload), event.number) for event in page]
        after = page[-1].number
    return found


async def result_of(store: Store, owner: str, run_id: str) -> OptimizationResult | None:
    """The result of a run that has one."""
    try:
        return await load_result(store, owner, run_id, "final")
    except Missing:
        return None


async def record_of(store: Store, owner: str, run_id: str, *, archived: bool = False) -> Record:
    """`archived` takes the record of an archived run too, which is `RunArchived` otherwise."""
    record = await store.records.get(Key(owner, KIND, run_id))
    if record is None:
        raise NoSuchRun(run_id)
    if not archived and record.document.get("archived") is not None:
        raise RunArchived(run_id)
    return record


async def change_run(
    store: Store, owner: str, run_id: str, change: Callable[[Run], Run], *, archived: bool = False
) -> Run:
    """The run as `change` leaves it, whoever else writes meanwhile."""
    while True:
        record = await record_of(store, owner, run_id, archived=archived)
        before = Run.model_validate(record.document)
        after = change(before)
        if after == before:
            return before
        try:
            await store.records.put_many([after.put(record.version)])
        except Conflict:
            continue
        return after
