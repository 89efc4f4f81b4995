"""Answers turns in the background, whether or not a client is connected."""

import asyncio
import contextvars
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import aclosing, asynccontextmanager
from typing import Any, TypeAlias

import structlog

from desk.base.errors import NotFound
from desk.conversation.schemas import Turn
from graphs.conversations.repository import is_resumable, turn_of, unanswered_turns
from graphs.dependencies import Dependencies
from graphs.runs.leases import LEASE_SECONDS, LeaseHeld, hold_lease
from store.errors import Unavailable

AT_ONCE = 32
EACH_OWNER = 8
"""Turns of one owner that execute at once."""
RETRY_SECONDS = 5.0
"""Seconds until a retry after unavailable storage, or while another process executes the turn."""

LOOK_SECONDS = 0.2
"""Seconds between two searches for turns that another process had been executing."""

TurnKey: TypeAlias = tuple[str, str]
"""Owner and id of a turn."""


class BackgroundTurns:
    """One per process, owned by the application; a lease ensures that one process executes a turn.

    Readers follow the log of a turn: `store.events.follow(desk.store.events, owner, turn.id)`. It starts with
    `turn_started` and ends with `turn_finished` or `run_failed`; after `turn_paused` no event follows until a person
    decides. A launched run has its own log, which `run_launched` names.
    """

    def __init__(
        self, dependencies: Dependencies, *, lease: float = LEASE_SECONDS, again: float = RETRY_SECONDS
    ) -> None:
        self._dependencies = dependencies
        self._lease = lease
        self._again = again
        self._slots = FairSlots(AT_ONCE, EACH_OWNER)
        self._tasks: dict[TurnKey, asyncio.Task[None]] = {}
        self._due: set[TurnKey] = set()
        self._attended: dict[str, asyncio.Task[None]] = {}
        self._elsewhere: set[TurnKey] = set()

    async def ask(self, owner: str, conversation: str, text: str, *, key: str | None = None) -> Turn:
        """Store the message as the next turn and start answering it; the same `key` again returns the same turn."""
        from graphs.conversations.turn_execution import store_message  # LangGraph takes seconds to import

        turn = await store_message(self._dependencies, owner, conversation, text, key=key, detached=True)
        return await self.ensure(owner, conversation, turn.number)

    async def ensure(self, owner: str, conversation: str, number: int, *, adopted: bool = False) -> Turn:
        """Resume a turn that no process executes, or whose approval was decided.

        A turn started at a terminal is left to that terminal, unless `adopted`.
        """
        turn = await turn_of(self._dependencies.store, owner, conversation, number)
        if await is_resumable(self._dependencies.store, owner, turn):
            if adopted and not turn.detached:
                from graphs.conversations.turn_execution import adopt  # lazy, as in `ask`

                await adopt(self._dependencies.store, owner, turn)
            if adopted or turn.detached or turn.waits_for is not None:
                self._schedule(owner, turn)
                return turn.model_copy(update={"state": "running", "waits_for": None})
        return turn

    async def ensure_all(self, owner: str) -> None:
        """Resume the turns that earlier processes left unanswered."""
        for turn in await unanswered_turns(self._dependencies.store, owner):
            if turn.detached:
                await self.ensure(owner, turn.conversation, turn.number)

    def attend(self, owner: str) -> None:
        """Start `ensure_all` once per owner, in the background."""
        if owner not in self._attended:
            task = asyncio.create_task(self._attend(owner), name=owner, context=contextvars.Context())
            self._attended[owner] = task

    async def _attend(self, owner: str) -> None:
        try:
            await self.ensure_all(owner)
        except (NotFound, Unavailable) as error:  # a thread was deleted in the meantime, or the storage is unavailable
            del self._attended[owner]
            _logger().warning("turns_unattended", owner=owner, reason=str(error))

    async def idle(self) -> None:
        """Wait until this process executes no turn; turns of other processes are not waited for."""
        while working := [
            *(task for task in self._attended.values() if not task.done()),
            *(task for place, task in self._tasks.items() if place not in self._elsewhere),
        ]:
            await asyncio.wait(working, timeout=LOOK_SECONDS, return_when=asyncio.FIRST_COMPLETED)

    async def aclose(self) -> None:
        """Interrupt running turns; the next process resumes them."""
        tasks = [*self._attended.values(), *self._tasks.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._attended.clear()

    def _schedule(self, owner: str, turn: Turn) -> None:
        place = (owner, turn.id)
        self._due.add(place)
        if place not in self._tasks:
            # an empty context, since the turn belongs to no request
            task = asyncio.create_task(self._serve(place, turn), name=turn.id, context=contextvars.Context())
            self._tasks[place] = task
            task.add_done_callback(_log_failure)

    async def _serve(self, place: TurnKey, turn: Turn) -> None:
        owner, _ = place
        try:
            while place in self._due:  # requested again during the last check
                self._due.discard(place)
                await self._answer(owner, turn)
        finally:
            self._due.discard(place)
            self._elsewhere.discard(place)
            del self._tasks[place]

    async def _answer(self, owner: str, turn: Turn) -> None:
        """Execute until the turn is answered, has failed, or waits for a person."""
        place = (owner, turn.id)
        while True:
            try:
                if not await self._is_due(owner, turn):
                    return
                await self._execute(owner, turn)
            except NotFound:  # deleted in the meantime
                continue
            except LeaseHeld:
                self._elsewhere.add(place)
                await asyncio.sleep(min(self._again, self._lease / 4))
                self._elsewhere.discard(place)
            except Unavailable as error:
                _logger().warning("turn_interrupted", turn=turn.id, reason=str(error))
                await asyncio.sleep(self._again)

    async def _is_due(self, owner: str, turn: Turn) -> bool:
        try:
            now = await turn_of(self._dependencies.store, owner, turn.conversation, turn.number)
        except NotFound:  # the conversation was deleted
            return False
        return await is_resumable(self._dependencies.store, owner, now)

    async def _execute(self, owner: str, turn: Turn) -> None:
        from graphs.conversations.turn_execution import resume  # lazy, as in `ask`

        dependencies = self._dependencies
        async with (
            self._slots.hold(owner),
            hold_lease(dependencies.store, owner, turn.id, seconds=self._lease, now=dependencies.now),
            aclosing(resume(dependencies, owner, turn.conversation, turn.number)) as events,
        ):
            async for _ in events:
                pass


class FairSlots:
    """Limits concurrent turns in total and per owner; the owner with the fewest is served first."""

    def __init__(self, count: int, each: int) -> None:
        self._count = count
        self._each = each
        self._held: Counter[str] = Counter()
        self._waiting: list[tuple[str, asyncio.Future[None]]] = []

    @asynccontextmanager
    async def hold(self, owner: str) -> AsyncGenerator[None]:
        admitted = asyncio.get_running_loop().create_future()
        self._waiting.append((owner, admitted))
        self._admit()
        try:
            await admitted
            yield
        finally:
            if admitted.done() and not admitted.cancelled():
                self._held[owner] -= 1
            else:
                self._waiting.remove((owner, admitted))
            self._admit()

    def _admit(self) -> None:
        while self._held.total() < self._count:
            ready = [one for one in self._waiting if not one[1].done() and self._held[one[0]] < self._each]
            if not ready:
                return
            next_waiter = min(ready, key=lambda one: self._held[one[0]])  # among equals, the earliest
            self._waiting.remove(next_waiter)
            owner, admitted = next_waiter
            self._held[owner] += 1
            admitted.set_result(None)


def _log_failure(task: asyncio.Task[None]) -> None:
    """Log the cause of a failed turn, whose own log has only the failure."""
    if not task.cancelled() and (error := task.exception()) is not None:
        _logger().error("turn_failed", turn=task.get_name(), exc_info=error)


def _logger() -> Any:
    return structlog.get_logger()
