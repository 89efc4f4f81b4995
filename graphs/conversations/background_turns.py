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
"""Turns that one owner may have executed at once."""
RETRY_SECONDS = 5.0
"""Seconds after which a storage that could not answer, or another process that executes a turn, is looked at again."""

LOOK_SECONDS = 0.2
"""Between two looks for turns that turn out to be executed elsewhere."""

TurnKey: TypeAlias = tuple[str, str]
"""Owner and id of a turn."""


class BackgroundTurns:
    """Held by the application, one per process; of several processes on one store one executes a turn.

    Readers follow the log of a turn: `store.events.follow(desk.store.events, owner, turn.id)`. It begins with
    `turn_started` and ends with `turn_finished` or `run_failed`; after `turn_paused` nothing comes until a person has
    decided. The events of a run that it launches stand in the log of that run, which `run_launched` names.
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
        """Store the message as the next turn and begin to answer it; the same `key` again gives the turn of then."""
        from graphs.conversations.turn_execution import store_message  # LangGraph takes seconds to import

        turn = await store_message(self._dependencies, owner, conversation, text, key=key, detached=True)
        return await self.ensure(owner, conversation, turn.number)

    async def ensure(self, owner: str, conversation: str, number: int, *, adopted: bool = False) -> Turn:
        """Go on with a turn that nobody executes any more, or whose approval was decided.

        A turn that somebody answers at a terminal is theirs, unless it is `adopted` here.
        """
        turn = await turn_of(self._dependencies.store, owner, conversation, number)
        if await is_resumable(self._dependencies.store, owner, turn):
            if adopted and not turn.detached:
                from graphs.conversations.turn_execution import adopt

                await adopt(self._dependencies.store, owner, turn)
            if adopted or turn.detached or turn.waits_for is not None:
                self._schedule(owner, turn)
                return turn.model_copy(update={"state": "running", "waits_for": None})
        return turn

    async def ensure_all(self, owner: str) -> None:
        """Go on with what the processes before this one left."""
        for turn in await unanswered_turns(self._dependencies.store, owner):
            if turn.detached:
                await self.ensure(owner, turn.conversation, turn.number)

    def attend(self, owner: str) -> None:
        """The same, once for each owner who asks; the answer does not wait for it."""
        if owner not in self._attended:
            task = asyncio.create_task(self._attend(owner), name=owner, context=contextvars.Context())
            self._attended[owner] = task

    async def _attend(self, owner: str) -> None:
        try:
            await self.ensure_all(owner)
        except (NotFound, Unavailable) as error:  # a thread was deleted meanwhile, or the storage cannot answer
            del self._attended[owner]
            _logger().warning("turns_unattended", owner=owner, reason=str(error))

    async def idle(self) -> None:
        """Until this process executes nothing; a turn that another one executes is not waited for."""
        while working := [
            *(task for task in self._attended.values() if not task.done()),
            *(task for place, task in self._tasks.items() if place not in self._elsewhere),
        ]:
            await asyncio.wait(working, timeout=LOOK_SECONDS, return_when=asyncio.FIRST_COMPLETED)

    async def aclose(self) -> None:
        """Interrupt what is executed; whoever comes next goes on with it."""
        tasks = [*self._attended.values(), *self._tasks.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._attended.clear()

    def _schedule(self, owner: str, turn: Turn) -> None:
        place = (owner, turn.id)
        self._due.add(place)
        if place not in self._tasks:
            # in a context of its own: it belongs to no request
            task = asyncio.create_task(self._serve(place, turn), name=turn.id, context=contextvars.Context())
            self._tasks[place] = task
            task.add_done_callback(_log_failure)

    async def _serve(self, place: TurnKey, turn: Turn) -> None:
        owner, _ = place
        try:
            while place in self._due:  # asked for again while the last look at it was being taken
                self._due.discard(place)
                await self._answer(owner, turn)
        finally:
            self._due.discard(place)
            self._elsewhere.discard(place)
            del self._tasks[place]

    async def _answer(self, owner: str, turn: Turn) -> None:
        """Until the turn is answered, has failed, or waits for a person."""
        place = (owner, turn.id)
        while True:
            try:
                if not await self._is_due(owner, turn):
                    return
                await self._execute(owner, turn)
            except NotFound:  # deleted meanwhile
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
        from graphs.conversations.turn_execution import resume

        dependencies = self._dependencies
        async with (
            self._slots.hold(owner),
            hold_lease(dependencies.store, owner, turn.id, seconds=self._lease, now=dependencies.now),
            aclosing(resume(dependencies, owner, turn.conversation, turn.number)) as events,
        ):
            async for _ in events:
                pass


class FairSlots:
    """So many at once, so many of them for one owner; whoever has the fewest comes next."""

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
            next_waiter = min(ready, key=lambda one: self._held[one[0]])  # of equals the one that came first
            self._waiting.remove(next_waiter)
            owner, admitted = next_waiter
            self._held[owner] += 1
            admitted.set_result(None)


def _log_failure(task: asyncio.Task[None]) -> None:
    """A turn that failed says so in its log; this process says why in its own."""
    if not task.cancelled() and (error := task.exception()) is not None:
        _logger().error("turn_failed", turn=task.get_name(), exc_info=error)


def _logger() -> Any:
    return structlog.get_logger()
