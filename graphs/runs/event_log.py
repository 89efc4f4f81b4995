"""The event log of an execution: each event is stored before it is streamed, and streamed once."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from structlog.contextvars import bound_contextvars

from desk.base.clock import utc_now
from desk.runs.events.base import BaseEvent, event_id
from desk.runs.events.run import NodeFinished
from desk.runs.events.table import TRACE_EVENT, TraceEvent
from desk.runs.repository import with_sequence
from store.store import Store


class EventLog:
    """The log of one run of one owner."""

    def __init__(
        self,
        store: Store,
        owner: str,
        run: str,
        stored_events: Iterable[TraceEvent],
        observe: Callable[[TraceEvent], None] | None = None,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self._store = store
        self._owner = owner
        self._run = run
        self.now = now
        self._known = {event.id: event for event in stored_events}
        self._observe = observe
        self._finished: dict[str, asyncio.Event] = {}

    async def append(self, *events: TraceEvent) -> list[TraceEvent]:
        """Store `events` atomically; returns those that were new, with their numbers."""
        new: dict[str, TraceEvent] = {}
        for event in events:
            if event.id not in self._known:
                new.setdefault(event.id, event)
        if new:
            documents = [(id_, event.model_dump(mode="json", exclude={"sequence"})) for id_, event in new.items()]
            numbers = await self._store.events.append_many(self._owner, self._run, documents)
            new = {event.id: with_sequence(event, number) for event, number in zip(new.values(), numbers, strict=True)}
            self._known |= new
            if self._observe is not None:
                for event in new.values():
                    self._observe(event)
        for event in events:
            if isinstance(event, NodeFinished):
                self.node_finished(event.node).set()
        return list(new.values())

    def make(self, kind: type[BaseEvent], node: str, step: int, ordinal: int | str, /, **fields: Any) -> TraceEvent:
        """Create the event for this place of the run."""
        return TRACE_EVENT.validate_python(
            kind(
                id=event_id(self._run, node, step, f"{kind.model_fields['event'].default}-{ordinal}"),
                run=self._run,
                node=node,
                at=self.now(),
                **fields,
            )
        )

    def since(self, first: str) -> list[TraceEvent]:
        """The events from the one with the id `first` on, as far as this execution has seen them."""
        events = list(self._known.values())
        return next((events[place:] for place, event in enumerate(events) if event.id == first), [])

    def node_finished(self, node: str) -> asyncio.Event:
        """An event that is set once the node's last trace event is stored, by this or an earlier execution."""
        if node not in self._finished:
            self._finished[node] = asyncio.Event()
            if event_id(self._run, node, 0, "node_finished-0") in self._known:
                self._finished[node].set()
        return self._finished[node]


async def bind_run_to_logs(run: str, events: AsyncGenerator[TraceEvent]) -> AsyncGenerator[TraceEvent]:
    """Pass `events` through, with the run id bound to log lines written while they are produced."""
    async with aclosing(events):
        while True:
            with bound_contextvars(run=run):  # not during the yield: the caller may execute other runs
                event = await anext(events, None)
            if event is None:
                return
            yield event


@dataclass
class NodeLog:
    """The events of one node at one step of the graph.

    A node that runs beside another buffers its events until the other has finished, so that the log has the same order
    in every execution.
    """

    log: EventLog
    node: str
    step: int = 0
    after: str | None = None

    def __post_init__(self) -> None:
        self._pending: list[TraceEvent] = []

    def make(self, kind: type[BaseEvent], ordinal: int | str = 0, /, **fields: Any) -> TraceEvent:
        return self.log.make(kind, self.node, self.step, ordinal, **fields)

    async def emit(self, kind: type[BaseEvent], ordinal: int | str = 0, /, **fields: Any) -> None:
        await self.publish(self.make(kind, ordinal, **fields))

    async def publish(self, *events: TraceEvent) -> None:
        self._pending += events
        if self.after is None or self.log.node_finished(self.after).is_set():
            await self._store_pending()

    async def flush(self) -> None:
        """Wait until all events emitted here are stored."""
        if self.after is not None:
            await self.log.node_finished(self.after).wait()
        await self._store_pending()

    async def _store_pending(self) -> None:
        from langgraph.config import get_stream_writer  # lazy: reading a log needs no LangGraph

        write = get_stream_writer()
        pending, self._pending = self._pending, []
        for event in await self.log.append(*pending):
            write(event)
