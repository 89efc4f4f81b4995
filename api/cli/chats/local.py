"""Conversations in the store of STRATIGOS_HOME, answered by this process."""

from collections.abc import AsyncGenerator, Sequence
from typing import TYPE_CHECKING

from api.cli.approval_prompt import ask_person, instructions
from api.cli.following import print_decision
from api.cli.runs.local import record_decision
from api.cli.runs.port import RecordedDecision, WaitingRun
from api.settings import Settings
from desk.governance.approvals import load_approval
from graphs.conversations import turn_execution as stored

if TYPE_CHECKING:
    from desk.conversation.schemas import Conversation, Turn
    from desk.runs.events.table import TraceEvent
    from graphs.dependencies import Dependencies


class LocalChats:
    """Adapter of `Chats`."""

    option = ""

    def __init__(self, dependencies: "Dependencies", settings: Settings) -> None:
        self._dependencies = dependencies
        self._settings = settings

    async def conversations(self) -> "Sequence[Conversation]":
        return await stored.list_conversations(self._dependencies.store, self._settings.owner)

    async def begin(self) -> str:
        return await stored.begin_conversation(self._dependencies, self._settings.owner)

    def open(self, conversation: str) -> "LocalChat":
        return LocalChat(self._dependencies, self._settings, conversation)


class LocalChat:
    """Adapter of `Chat`."""

    detached = False

    def __init__(self, dependencies: "Dependencies", settings: Settings, conversation: str) -> None:
        self._dependencies = dependencies
        self._settings = settings
        self._owner = settings.owner
        self.conversation = conversation

    @property
    def name(self) -> str:
        assert self._dependencies.models is not None
        return self._dependencies.models.of("assistant").models[0].name

    async def last(self) -> int:
        return (await stored.conversation_of(self._dependencies.store, self._owner, self.conversation)).turns

    async def turn(self, number: int) -> "Turn":
        return await stored.turn_of(self._dependencies.store, self._owner, self.conversation, number)

    def ask(self, text: str) -> "AsyncGenerator[TraceEvent]":
        return stored.ask(self._dependencies, self._owner, self.conversation, text)

    def resume(self, number: int) -> "AsyncGenerator[TraceEvent]":
        return stored.resume(self._dependencies, self._owner, self.conversation, number)

    async def branch(self, number: int) -> None:
        self.conversation = await stored.branch(self._dependencies, self._owner, self.conversation, number)

    async def decide(self, turn: "Turn") -> bool:
        assert turn.waits_for is not None
        run, subject = turn.waits_for
        approval = await load_approval(self._dependencies.store, self._owner, run, subject)
        assert approval is not None
        if approval.decided is not None:  # in another process meanwhile
            return True
        second_person = bool(self._dependencies.second_person) or approval.second_person
        waiting = WaitingRun(run, approval.asked, second_person=second_person, question=approval.question)
        decision = ask_person(self._settings, waiting, instructions(waiting, in_chat=True))
        if decision is None:
            return False
        in_force = await record_decision(self._dependencies, self._owner, run, decision, subject)
        print_decision(RecordedDecision(run, in_force, subject, follow=True))
        return True
