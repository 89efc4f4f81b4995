"""Who answers a conversation at a terminal: the agents in this process, or a server."""

from collections.abc import AsyncGenerator, Generator
from contextlib import closing
from typing import TYPE_CHECKING, Protocol

from api.cli.commands.approve import Waiting, ask_here, decided_here, interruptible
from api.settings import Settings

if TYPE_CHECKING:
    from api.client.client import Client
    from desk.conversation.schemas import Turn
    from desk.runs.events import TraceEvent
    from graphs.dependencies import Dependencies


class Partner(Protocol):
    """One conversation; turns are numbered from 1."""

    conversation: str

    @property
    def name(self) -> str: ...

    @property
    def detached(self) -> bool:
        """Whether a turn is answered also while nobody follows it."""
        ...

    async def last(self) -> int: ...

    async def turn(self, number: int) -> "Turn": ...

    def ask(self, text: str) -> "AsyncGenerator[TraceEvent]":
        """Until the answer is given or waits for a person."""
        ...

    def resume(self, number: int) -> "AsyncGenerator[TraceEvent]": ...

    async def branch(self, number: int) -> None:
        """Go on after a turn, in a conversation of its own."""
        ...

    async def decided(self, turn: "Turn") -> bool:
        """Whether the person here has decided what the turn waits for."""
        ...


class LocalChat:
    detached = False

    def __init__(self, dependencies: "Dependencies", settings: Settings, conversation: str) -> None:
        self._dependencies = dependencies
        self._settings = settings
        self.conversation = conversation

    @property
    def name(self) -> str:
        assert self._dependencies.models is not None
        return self._dependencies.models.of("assistant").models[0].name

    async def last(self) -> int:
        from graphs.conversations.turn_execution import conversation_of

        return (await conversation_of(self._dependencies.store, self._settings.owner, self.conversation)).turns

    async def turn(self, number: int) -> "Turn":
        from graphs.conversations.turn_execution import turn_of

        return await turn_of(self._dependencies.store, self._settings.owner, self.conversation, number)

    def ask(self, text: str) -> "AsyncGenerator[TraceEvent]":
        from graphs.conversations.turn_execution import ask

        return ask(self._dependencies, self._settings.owner, self.conversation, text)

    def resume(self, number: int) -> "AsyncGenerator[TraceEvent]":
        from graphs.conversations.turn_execution import resume

        return resume(self._dependencies, self._settings.owner, self.conversation, number)

    async def branch(self, number: int) -> None:
        from graphs.conversations.turn_execution import branch

        self.conversation = await branch(self._dependencies, self._settings.owner, self.conversation, number)

    async def decided(self, turn: "Turn") -> bool:
        assert turn.waits_for is not None
        return await decided_here(self._dependencies, self._settings, *turn.waits_for)


class AtServer:
    """Calls of the client block, which is no harm: nothing else is done at this terminal."""

    detached = True

    def __init__(self, client: "Client", settings: Settings, conversation: str) -> None:
        self._client = client
        self._settings = settings
        self._seen: dict[str, int] = {}
        """The last event that was told of each turn."""
        self._launched: dict[str, int] = {}
        """The last event that was told of each run that a turn began."""
        self.conversation = conversation

    @property
    def name(self) -> str:
        return self._client.url

    async def last(self) -> int:
        return self._client.thread(self.conversation).turns

    async def turn(self, number: int) -> "Turn":
        return self._client.turn(self.conversation, number)

    async def ask(self, text: str) -> "AsyncGenerator[TraceEvent]":
        turn = self._client.say(self.conversation, text)
        with interruptible(), closing(self._told(turn)) as events:
            for event in events:
                yield event

    async def resume(self, number: int) -> "AsyncGenerator[TraceEvent]":
        turn = self._client.resume(self.conversation, number)
        with interruptible(), closing(self._rest(turn)) as events:
            for event in events:
                yield event

    async def branch(self, number: int) -> None:
        self.conversation = self._client.branch(self.conversation, number).id

    async def decided(self, turn: "Turn") -> bool:
        from api.cli.server_runs import ruling

        asked = [each for each in self._client.interrupts(self.conversation) if each.turn == turn.number]
        if not asked:  # somebody decided elsewhere meanwhile
            return True
        first = asked[0]
        waiting = Waiting(first.run, first.asked, second_person=first.second_person, question=first.question)
        decided = ask_here(self._settings, waiting, server=self._client.url, talking=True)
        if decided is None:
            return False
        self._client.decide(self.conversation, asked[0].run, ruling(decided))
        return True

    def _rest(self, turn: "Turn") -> "Generator[TraceEvent]":
        for run in tuple(self._launched):
            yield from self._run(run)
        yield from self._told(turn)

    def _told(self, turn: "Turn") -> "Generator[TraceEvent]":
        from desk.runs.events import RunLaunched

        for live in self._client.follow(turn, after=self._seen.get(turn.id, 0)):
            self._seen[turn.id] = live.sequence
            yield live.event
            if isinstance(live.event, RunLaunched):
                yield from self._run(live.event.launched)

    def _run(self, run: str) -> "Generator[TraceEvent]":
        """A search that is a part of the answer: its events stand in a log of its own."""
        self._launched.setdefault(run, 0)
        for live in self._client.watch(run, after=self._launched[run]):
            self._launched[run] = live.sequence
            yield live.event
