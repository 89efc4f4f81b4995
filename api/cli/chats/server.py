"""Conversations at a server, over HTTP.

The client's calls block the event loop, which runs nothing else; Ctrl-C ends them at once.
"""

from collections.abc import AsyncGenerator, Generator, Sequence
from contextlib import closing
from typing import TYPE_CHECKING

from api.cli.approval_prompt import ask_person, instructions, interruptible
from api.cli.runs.port import WaitingRun
from api.cli.runs.server import ruling
from api.client.client import Client
from api.settings import Settings
from desk.runs.events.conversation import RunLaunched

if TYPE_CHECKING:
    from desk.conversation.schemas import Conversation, Turn
    from desk.runs.events.table import TraceEvent


class ServerChats:
    """Adapter of `Chats`."""

    def __init__(self, client: Client, settings: Settings) -> None:
        self._client = client
        self._settings = settings
        self.option = f" --server {client.url}"

    async def conversations(self) -> "Sequence[Conversation]":
        return list(self._client.threads())

    async def begin(self) -> str:
        return self._client.start_thread().id

    def open(self, conversation: str) -> "ServerChat":
        return ServerChat(self._client, self._settings, conversation, self.option)


class ServerChat:
    """Adapter of `Chat`."""

    detached = True

    def __init__(self, client: Client, settings: Settings, conversation: str, option: str) -> None:
        self._client = client
        self._settings = settings
        self._option = option
        self._shown: dict[str, int] = {}
        """The sequence number of the last shown event, by turn."""
        self._launched: dict[str, int] = {}
        """The sequence number of the last shown event, by run that a turn launched."""
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
        with interruptible(), closing(self._turn_events(turn)) as events:
            for event in events:
                yield event

    async def resume(self, number: int) -> "AsyncGenerator[TraceEvent]":
        turn = self._client.resume(self.conversation, number)
        with interruptible(), closing(self._remaining_events(turn)) as events:
            for event in events:
                yield event

    async def branch(self, number: int) -> None:
        self.conversation = self._client.branch(self.conversation, number).id

    async def decide(self, turn: "Turn") -> bool:
        interrupts = [each for each in self._client.interrupts(self.conversation) if each.turn == turn.number]
        if not interrupts:  # another client has decided meanwhile
            return True
        first = interrupts[0]
        waiting = WaitingRun(first.run, first.asked, second_person=first.second_person, question=first.question)
        decision = ask_person(self._settings, waiting, self._instructions(waiting))
        if decision is None:
            return False
        self._client.decide(self.conversation, first.run, ruling(decision))
        return True

    def _instructions(self, waiting: WaitingRun) -> list[str]:
        if waiting.request.subject == "holdout" and not waiting.second_person:
            return [f"Decide it at a terminal: python -m api chat --conversation last{self._option}"]
        return instructions(waiting, option=self._option, in_chat=True)

    def _remaining_events(self, turn: "Turn") -> "Generator[TraceEvent]":
        for run in tuple(self._launched):
            yield from self._run_events(run)
        yield from self._turn_events(turn)

    def _turn_events(self, turn: "Turn") -> "Generator[TraceEvent]":
        for live in self._client.follow(turn, after=self._shown.get(turn.id, 0)):
            self._shown[turn.id] = live.sequence
            yield live.event
            if isinstance(live.event, RunLaunched):
                yield from self._run_events(live.event.launched)

    def _run_events(self, run: str) -> "Generator[TraceEvent]":
        """The events of a search that a turn launched, which have a log of their own."""
        self._launched.setdefault(run, 0)
        for live in self._client.watch(run, after=self._launched[run]):
            self._launched[run] = live.sequence
            yield live.event
