"""What the assistant's tools may reach, what they hand back, and what of it is kept for the turn."""

import asyncio
import hashlib
import json
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar, runtime_checkable

from desk.base.errors import InvalidInput, UserError, reason_and_allowed
from desk.conversation.answers import Refusal, RunSummary
from desk.conversation.focus import Focus
from desk.conversation.schemas import EVIDENCE
from desk.conversation.tables import exhibits_of
from desk.figures.figures import Figure, collect_figures
from desk.figures.guard.numbers import find_numbers
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


class Waiting(Exception):
    """A run waits for a person, and the turn with it."""

    def __init__(self, run: str, subject: str) -> None:
        self.run = run
        self.subject = subject
        super().__init__(f"{run} waits for an approval ({subject})")


class Rejected(UserError):
    """The person said no."""

    code = "rejected"


@runtime_checkable
class Runs(Protocol):
    """Port: the runs of one person. Adapter: `graphs.conversations.launching.RunsOfOwner`."""

    async def estimate(self, request: OptimizationRequest) -> Estimate:
        """After the same checks as a launch."""
        ...

    async def launch(self, request: OptimizationRequest, name: str) -> str:
        """Execute a run to its end and return its id; the same `name` in the same turn is the same run.

        Raises `Waiting` while a person has to decide, and `Rejected` when they said no.
        """
        ...

    async def result(self, run: str) -> tuple[str, OptimizationResult]:
        """Of `last`, `previous`, an id or the beginning of one; `UserError` where there is none."""
        ...

    async def latest(self, count: int) -> tuple[RunSummary, ...]:
        """Newest first."""
        ...

    async def holdout(self, run: str) -> tuple[Figure, ...]:
        """Open the locked holdout of a run once a person has approved it; raises as `launch`."""
        ...


@dataclass(frozen=True)
class Returned:
    """What one call of a tool brought: figures, and how it changes what the conversation is about."""

    figures: tuple[Figure, ...]
    changes: dict[str, Any]
    exhibits: tuple[Exhibit, ...] = ()
    notes: tuple[str, ...] = ()
    """What code says of it, whatever the assistant says."""


@dataclass
class Evidence:
    """What tools returned in a turn: the only source of its figures."""

    calls: dict[str, Returned] = field(default_factory=dict[str, Returned])
    changes: dict[str, Any] = field(default_factory=dict[str, Any])
    """Of what the conversation is about, by the calls that came back so far."""
    one_by_one: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Calls of one message run in their order, since one may be about what the one before it found."""

    def add(self, call: str, document: Document) -> None:
        figures = tuple(map(Figure.model_validate, document["figures"]))
        exhibits = tuple(map(Exhibit.model_validate, document["exhibits"]))
        self.calls[call] = Returned(figures, document["changes"], exhibits, tuple(document["notes"]))

    @property
    def figures(self) -> tuple[Figure, ...]:
        """Those whose id means one thing: an id that two results use differently can be referred to by none."""
        found: dict[str, Figure | None] = {}
        for _, returned in sorted(self.calls.items()):
            for figure in returned.figures:
                same = found.setdefault(figure.id, figure)
                if same is not None and (same.value, same.source) != (figure.value, figure.source):
                    found[figure.id] = None
        return tuple(figure for figure in found.values() if figure is not None)

    @property
    def notes(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(note for _, each in sorted(self.calls.items()) for note in each.notes))

    def exhibits(self, calls: Iterable[tuple[str, Mapping[str, Any]]]) -> tuple[Exhibit, ...]:
        """The tables of `calls`, in their order, but for those of ids that two results use differently."""
        returned = [self.calls.get(named(tool, arguments)) for tool, arguments in calls]
        known = {figure.id for figure in self.figures}
        tables = dict.fromkeys(exhibit for each in returned if each for exhibit in each.exhibits)
        return tuple(exhibit for exhibit in tables if known.issuperset(exhibit.ids()))

    def about(self, before: Focus) -> Focus:
        """What the conversation is about by now."""
        return Focus.model_validate(before.model_dump(mode="json") | self.changes)

    def focus(self, before: Focus, calls: Iterable[tuple[str, Mapping[str, Any]]]) -> Focus:
        """What the conversation is about after `calls`, in their order."""
        about = before.model_dump(mode="json")
        for tool, arguments in calls:
            returned = self.calls.get(named(tool, arguments))
            about |= returned.changes if returned else {}
        return Focus.model_validate(about)


@dataclass(frozen=True, kw_only=True)
class ChatContext(Scope):
    """Of one turn of a conversation; `run` is the turn."""

    prices: PriceSource
    runs: Runs
    focus: Focus
    """What the conversation was about when the message came."""
    evidence: Evidence

    @property
    def about(self) -> Focus:
        """What it is about by now: a tool that is called after another one goes on from what that found."""
        return self.evidence.about(self.focus)

    @property
    def named(self) -> tuple[str, ...]:
        """Names that an answer may use as they are: those of the request, and the person's own scenarios."""
        request = self.focus.request
        return (*(permitted_by(request) if request else ()), *self.focus.scenarios)


async def load_evidence(store: Store, owner: str, turn: str) -> Evidence:
    """What the tools of a turn have returned so far."""
    evidence = Evidence()
    async for record in iterate_records(store.records, owner, EVIDENCE, prefix=f"{turn}."):
        evidence.add(record.key.id.rpartition(".")[2], record.document)
    return evidence


async def kept(
    context: ChatContext,
    tool: str,
    arguments: Mapping[str, Any],
    kind: type[Result],
    compute: Callable[[], Awaitable[tuple[Result, dict[str, Any]]]],
) -> Result | Refusal:
    """What `compute` makes and how it changes the focus, computed once a turn; what the person can mend is told."""
    call = named(tool, {name: _plain(value) for name, value in arguments.items() if value is not None})
    key = Key(context.owner, EVIDENCE, f"{context.run}.{call}")
    async with context.evidence.one_by_one:
        record = await context.store.records.get(key)
        if record is None:
            document = await _stored(context.store, key, await _document(compute))
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
        "exhibits": [exhibit.model_dump(mode="json") for exhibit in exhibits_of(result)],
    }


async def _stored(store: Store, key: Key, document: Document) -> Document:
    """What another process has stored meanwhile holds."""
    try:
        await store.records.put(key, document, expected=0)
    except Conflict:
        record = await store.records.get(key)
        assert record is not None
        return record.document
    return document


def named(tool: str, arguments: Mapping[str, Any]) -> str:
    """The same call has the same name in every execution of a turn."""
    return hashlib.sha256(json.dumps([tool, arguments], sort_keys=True).encode()).hexdigest()[:32]


def said_figures(text: str) -> tuple[Figure, ...]:
    """The amounts of the person's message, which an answer may repeat by reference."""
    spans = dict.fromkeys(text[number.start : number.end].strip() for number in find_numbers(text))
    return tuple(
        Figure(id=f"your_amount_{n}", quantity="amount", value=span[:60], unit="text", source="message")
        for n, span in enumerate(spans, 1)
    )


def refusal(error: UserError) -> Refusal:
    """The error as figures: its words hold values, and only code may put values before a reader."""
    rows = {"refusal": ("what stands in the way", reason_and_allowed(str(error))[0])}
    if isinstance(error, InvalidInput):
        rows["refusal_allowed"] = ("what is allowed there", error.allowed)
    return Refusal(
        refused=error.code,
        figures=tuple(
            Figure(id=id_, quantity=quantity, value=text, unit="text", source=f"refusal.{error.code}")
            for id_, (quantity, text) in rows.items()
        ),
    )


def _notes(result: Frozen) -> Iterator[str]:
    findings = getattr(result, "findings", None)
    if isinstance(findings, Findings):
        yield from (f"{LABEL}{reason}" for reason in findings.partial)


def _plain(value: object) -> Any:
    return value.model_dump(mode="json", exclude_none=True) if isinstance(value, Frozen) else value
