"""Merges the stored logs of a turn and the runs it launched into one deterministic sequence of events."""

from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress

from desk.runs.events.approvals import ApprovalRequested
from desk.runs.events.conversation import RunLaunched, TurnPaused
from desk.runs.events.live import LiveEvent
from desk.runs.repository import RunArchived
from graphs.streaming.followers import FollowedLog, LogFollowers

WAIT_SECONDS = 1.0
"""Seconds after which a silent run is checked, since the turn that waits for it may have failed."""


async def turn_events(following: LogFollowers, owner: str, turn: str) -> AsyncGenerator[LiveEvent]:
    """Yield the events of the turn and its runs; ends with the log of the turn.

    The events of a launched run follow its `run_launched` event, up to the end of the run or its request for approval;
    the remaining ones follow when the turn resumes, because the run was decided or has ended.
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
    """Read positions in the logs of the launched runs."""

    def __init__(self, following: LogFollowers, owner: str, turn: FollowedLog) -> None:
        self._following = following
        self._owner = owner
        self._turn = turn
        self.left: dict[str, int] = {}
        """Unfinished runs, with the number of the last event that was read."""

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
        with suppress(RunArchived):  # the turn's own events suffice
            async with (
                self._following.of(self._owner, run) as log,
                aclosing(_live_events(log, self.left[run], parent=self._turn)) as events,
            ):
                async for live in events:
                    self.left[run] = live.sequence
                    if live.event.row.closes == "run":
                        del self.left[run]
                    yield live
                    if run not in self.left:
                        return
        self.left.pop(run, None)  # it ended without a final event


async def _live_events(log: FollowedLog, after: int, *, parent: FollowedLog | None = None) -> AsyncGenerator[LiveEvent]:
    """Follow the events beyond `after` until the log ends, or until its `parent` fails and will not resume it."""
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
