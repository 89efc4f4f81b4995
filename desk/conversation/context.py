"""Context of the assistant's tools, and the evidence that their calls leave for the turn.

The owner of every object that a tool reads or writes is `context.owner`.
"""

import asyncio
import hashlib
import json
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar, runtime_checkable

from desk.base.errors import InvalidInput, UserError, reason_and_allowed
from desk.conversation.answers import Refusal, RunSummary
from desk.conversation.focus import Focus
from desk.conversation.readings import reading_sentence
from desk.conversation.schemas import EVIDENCE
from desk.conversation.tables import build_exhibits
from desk.figures.figures import Figure, collect_figures
from desk.figures.guard.numbers import find_numbers
from desk.figures.sheet import sentence_figure
from desk.figures.tables import Exhibit
from desk.governance.estimates import Estimate
from desk.governance.scope import Scope
from desk.market.prices import PriceSource
from desk.optimization.partial_results import LABEL
from desk.optimization.permitted_names import permitted_by
from desk.optimization.reading.findings import Findings
from desk.optimization.request import OptimizationRequest
from desk.optimization.result import OptimizationResult
from quant.numeric.frozen import Frozen
from store.errors import Conflict
from store.records import Key, iterate_records
from store.serialization import Document
from store.store import Store

Result = TypeVar("Result", bound=Frozen)


class ApprovalPending(Exception):
    """A run and its turn wait for an approval."""

    def __init__(self, run: str, subject: str) -> None:
        self.run = run
        self.subject = subject
        super().__init__(f"{run} waits for an approval ({subject})")


class ApprovalRejected(UserError):
    """The approval was rejected."""

    code = "rejected"


@runtime_checkable
class Runs(Protocol):
    """Port: the runs of one owner. Adapter: `graphs.conversations.assistant_runs.RunsOfOwner`."""

    async def estimate(self, request: OptimizationRequest) -> Estimate:
        """Estimate the cost of a request, after the same checks as a launch."""
        ...

    async def launch(self, request: OptimizationRequest, name: str) -> str:
        """Execute a run to its end and return its id; the same `name` in the same turn is the same run.

        Raises `ApprovalPending` while an approval is open, and `ApprovalRejected` after a rejection.
        """
        ...

    async def result(self, run: str) -> tuple[str, OptimizationResult]:
        """Load the result of `last`, `previous`, an id or an id prefix; `UserError` if there is none."""
        ...

    async def latest(self, count: int) -> tuple[RunSummary, ...]:
        """Return the latest runs, newest first."""
        ...

    async def holdout(self, run: str) -> tuple[Figure, ...]:
        """Open the locked holdout of a run after approval; raises like `launch`."""
        ...


@dataclass(frozen=True)
class CallResult:
    """Figures, tables and notes of one tool call, and its changes to the focus."""

    figures: tuple[Figure, ...]
    changes: dict[str, Any]
    exhibits: tuple[Exhibit, ...] = ()
    notes: tuple[str, ...] = ()
    """Notes that code adds to the answer."""
    result: Document = field(default_factory=dict[str, Any])
    """The result as JSON; that of a `Refusal` if the call was `refused`."""
    refused: bool = False
    reading: str = ""
    """How the message was read, in a sentence."""


@dataclass
class Evidence:
    """Tool results of a turn: the only source of its figures."""

    calls: dict[str, CallResult] = field(default_factory=dict[str, CallResult])
    changes: dict[str, Any] = field(default_factory=dict[str, Any])
    """Changes to the focus by the calls that returned so far."""
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Serializes the calls of one message, since a call may depend on the one before."""

    def add(self, call: str, document: Document) -> None:
        figures = tuple(map(Figure.model_validate, document["figures"]))
        exhibits = tuple(map(Exhibit.model_validate, document["exhibits"]))
        notes = tuple(document["notes"])
        result, refused = document["result"], document["refused"]
        reading = document.get("reading", "")  # absent in earlier evidence
        self.calls[call] = CallResult(figures, document["changes"], exhibits, notes, result, refused, reading)

    @property
    def figures(self) -> tuple[Figure, ...]:
        """Figures with a unique id; an id that two results use differently is excluded."""
        figures_by_id: dict[str, Figure | None] = {}
        for _, call_result in sorted(self.calls.items()):
            for figure in call_result.figures:
                same = figures_by_id.setdefault(figure.id, figure)
                if same is not None and (same.value, same.source) != (figure.value, figure.source):
                    figures_by_id[figure.id] = None
        return tuple(figure for figure in figures_by_id.values() if figure is not None)

    @property
    def notes(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(note for _, each in sorted(self.calls.items()) for note in each.notes))

    @property
    def readings(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(each.reading for _, each in sorted(self.calls.items()) if each.reading))

    def results(self, calls: Iterable[tuple[str, Mapping[str, Any]]]) -> Iterator[tuple[str, CallResult]]:
        """The stored results of `calls` with their tools, each once, in the order of the calls."""
        tools = {call_id(tool, arguments): tool for tool, arguments in calls}
        yield from ((tool, self.calls[call]) for call, tool in tools.items() if call in self.calls)

    def exhibits(self, calls: Iterable[tuple[str, Mapping[str, Any]]]) -> tuple[Exhibit, ...]:
        """Return the tables of `calls` in order, without tables of ambiguous ids."""
        call_results = [self.calls.get(call_id(tool, arguments)) for tool, arguments in calls]
        figure_ids = {figure.id for figure in self.figures}
        tables = dict.fromkeys(exhibit for each in call_results if each for exhibit in each.exhibits)
        return tuple(exhibit for exhibit in tables if figure_ids.issuperset(exhibit.ids()))

    def current_focus(self, initial: Focus) -> Focus:
        """Return the focus after the calls that returned so far."""
        return Focus.model_validate(initial.model_dump(mode="json") | self.changes)

    def focus_after(self, initial: Focus, calls: Iterable[tuple[str, Mapping[str, Any]]]) -> Focus:
        """Return the focus after `calls`, in their order."""
        fields = initial.model_dump(mode="json")
        for tool, arguments in calls:
            call_result = self.calls.get(call_id(tool, arguments))
            fields |= call_result.changes if call_result else {}
        return Focus.model_validate(fields)


@dataclass(frozen=True, kw_only=True)
class ChatContext(Scope):
    """Context of one turn of a conversation; `run` is the id of the turn."""

    prices: PriceSource
    runs: Runs
    focus: Focus
    """Focus at the start of the turn."""
    evidence: Evidence
    message: str
    """What the person wrote, which decides with what an answer begins."""

    @property
    def current_focus(self) -> Focus:
        """Focus after the tool calls so far, so that a call can refer to the result of an earlier one."""
        return self.evidence.current_focus(self.focus)

    @property
    def permitted_names(self) -> tuple[str, ...]:
        """Names that an answer may contain: those of the request, of own scenarios, and of own data with a number."""
        request, data = self.focus.request, self.focus.data
        own = (*data, *(asset for assets in data.values() for asset in assets))
        numbered = (name for name in own if any(c.isdigit() for c in name))
        return (*(permitted_by(request) if request else ()), *self.focus.scenarios, *numbered)


async def load_evidence(store: Store, owner: str, turn: str) -> Evidence:
    """Load the tool results of a turn so far."""
    evidence = Evidence()
    async for record in iterate_records(store.records, owner, EVIDENCE, prefix=f"{turn}."):
        evidence.add(record.key.id.rpartition(".")[2], record.document)
    return evidence


async def compute_once(
    context: ChatContext,
    tool: str,
    arguments: Mapping[str, Any],
    kind: type[Result],
    compute: Callable[[], Awaitable[tuple[Result, dict[str, Any]]]],
) -> Result | Refusal:
    """Run a tool call once per turn and store its result; a `UserError` becomes a `Refusal`."""
    plain = {name: _plain(value) for name, value in arguments.items() if value is not None}
    call = call_id(tool, plain)
    key = Key(context.owner, EVIDENCE, f"{context.run}.{call}")
    async with context.evidence.lock:
        record = await context.store.records.get(key)
        if record is None:
            document = await _document(compute)
            held = document["changes"].get("portfolio") if "portfolio" in plain else None
            # also of holdings that were named before
            document |= {"reading": reading_sentence(tool, plain | ({"portfolio": held} if held else {}))}
            document = await _store_once(context.store, key, document)
        else:
            document = record.document
        context.evidence.add(call, document)
        context.evidence.changes |= document["changes"]
    return (Refusal if document["refused"] else kind).model_validate(document["result"])


async def _document(compute: Callable[[], Awaitable[tuple[Frozen, dict[str, Any]]]]) -> Document:
    changes: dict[str, Any] = {}
    try:
        result, changes = await compute()
    except UserError as error:
        if error.code == "model_failed":
            raise
        result = refusal(error)
    return {
        "result": result.model_dump(mode="json"),
        "refused": isinstance(result, Refusal),
        "figures": [figure.model_dump(mode="json") for figure in collect_figures(result)],
        "changes": changes,
        "notes": list(_notes(result)),
        "exhibits": [exhibit.model_dump(mode="json") for exhibit in build_exhibits(result)],
    }


async def _store_once(store: Store, key: Key, document: Document) -> Document:
    """Store the document unless another process stored one first; return the stored one."""
    try:
        await store.records.put(key, document, expected=0)
    except Conflict:
        record = await store.records.get(key)
        assert record is not None
        return record.document
    return document


def call_id(tool: str, arguments: Mapping[str, Any]) -> str:
    """Digest of a tool call, equal in every execution of a turn."""
    return hashlib.sha256(json.dumps([tool, arguments], sort_keys=True).encode()).hexdigest()[:32]


def message_figures(text: str) -> tuple[Figure, ...]:
    """Return the amounts of the user's message, which an answer may repeat by reference."""
    spans = dict.fromkeys(text[number.start : number.end].strip() for number in find_numbers(text))
    return tuple(
        Figure(id=f"your_amount_{n}", quantity="amount", value=span[:60], unit="text", source="message")
        for n, span in enumerate(spans, 1)
    )


def refusal(error: UserError) -> Refusal:
    """Convert an error to figures, because only code may show its values."""
    is_input = isinstance(error, InvalidInput)
    reason = error.reason if is_input else reason_and_allowed(str(error))[0]
    rows = {"refusal": ("what stands in the way", reason)}
    if is_input:
        rows["refusal_allowed"] = ("what is allowed there", error.allowed)
    source = f"refusal.{error.code}"
    figures = tuple(
        Figure(id=id_, quantity=quantity, value=text, unit="text", source=source)
        for id_, (quantity, text) in rows.items()
    )
    sentence = sentence_figure("refusal_sentence", _refusal_sentence(reason, error), source)
    return Refusal(refused=error.code, figures=(*figures, sentence))


def _refusal_sentence(reason: str, error: UserError) -> str:
    nearest = f" What works is {error.allowed}." if isinstance(error, InvalidInput) and error.allowed else ""
    return f"That cannot be done, because {reason}.{nearest}"


def _notes(result: Frozen) -> Iterator[str]:
    findings = getattr(result, "findings", None)
    if isinstance(findings, Findings):
        yield from (f"{LABEL}{reason}" for reason in findings.partial)


def _plain(value: object) -> Any:
    return value.model_dump(mode="json", exclude_none=True) if isinstance(value, Frozen) else value
