"""A turn and the runs that it launches as one sequence of events, in an order that follows from the stored logs."""

from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress

from desk.runs.events import ApprovalRequested, RunFailed, RunFinished, RunLaunched, TraceEvent, TurnPaused
from desk.runs.progress import LiveEvent
from desk.runs.repository import RunArchived
from graphs.streaming.followers import FollowedLog, LogFollowers

WAIT_SECONDS = 1.0
"""Seconds after which a run that says nothing is looked at: the turn that waits for it may have failed."""


async def turn_events(following: LogFollowers, owner: str, turn: str) -> AsyncGenerator[LiveEvent]:
    """It ends with the log of the turn.

    The events of a launched run come where the turn tells of it, up to the end of the run or to where it asks a
    person; those after that come when the turn goes on, be it because the run was decided on or because it is over.
    """
    async with following.of(owner, turn) as log, aclosing(_live_events(log, 0)) as events:
        reading = _RunReader(following, owner, log)
        async for live in events:
            event = live.event
            if not isinstance(event, RunLaunched | TurnPaused):
                for run in list(reading.left):
                    async for run_live in reading.until_its_end(run):
                        yield run_live
            yield live
            if isinstance(event, RunLaunched):
                async for run_live in reading.until_it_asks(event.launched):
                    yield run_live
            elif isinstance(event, TurnPaused) and event.waits_for in reading.left and event.subject == "launch":
                async for run_live in reading.until_its_end(event.waits_for):
                    yield run_live


class _RunReader:
    """How far the launched runs have been read."""

    def __init__(self, following: LogFollowers, owner: str, turn: FollowedLog) -> None:
        self._following = following
        self._owner = owner
        self._turn = turn
        self.left: dict[str, int] = {}
        """Runs of which there is more to read, and the number of the last event that was."""

    async def until_it_asks(self, run: str) -> AsyncGenerator[LiveEvent]:
        self.left[run] = 0
        async for live in self._on(run):
            yield live
            if isinstance(live.event, ApprovalRequested) and live.event.asked.subject == "launch":
                return

    async def until_its_end(self, run: str) -> AsyncGenerator[LiveEvent]:
        async for live in self._on(run):
            yield live

    async def _on(self, run: str) -> AsyncGenerator[LiveEvent]:
        with suppress(RunArchived):  # the turn tells its own part without it
            async with (
                self._following.of(self._owner, run) as log,
                aclosing(_live_events(log, self.left[run], parent=self._turn)) as events,
            ):
                async for live in events:
                    self.left[run] = live.sequence
                    if _is_end(live.event):
                        del self.left[run]
                    yield live
                    if run not in self.left:
                        return
        self.left.pop(run, None)  # it ended without a word


async def _live_events(log: FollowedLog, after: int, *, parent: FollowedLog | None = None) -> AsyncGenerator[LiveEvent]:
    """The events beyond `after`, as they come, until the log has ended, or nobody goes on with it for its `parent`."""
    while True:
        await log.more(after, WAIT_SECONDS)
        entries = log.after(after, 100)
        if not entries and log.ended:
            return
        if not entries and parent is not None and parent.ended:
            await log.look()
            if log.last <= after:
                return
        for each in entries:
            yield LiveEvent.model_validate_json(each.text)
            after = each.sequence


def _is_end(event: TraceEvent) -> bool:
    return isinstance(event, RunFinished | RunFailed)
