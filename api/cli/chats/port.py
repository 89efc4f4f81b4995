"""The ports `Chats` and `Chat`: what commands ask of the place where conversations are stored."""

from collections.abc import AsyncGenerator, Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from desk.conversation.schemas import Conversation, Turn
    from desk.runs.events.table import TraceEvent


class Chat(Protocol):
    """One conversation; its turns are numbered from 1."""

    conversation: str

    @property
    def name(self) -> str:
        """The model, or the server, that answers."""
        ...

    @property
    def detached(self) -> bool:
        """Whether a turn is answered also while this process does not follow it."""
        ...

    async def last(self) -> int: ...

    async def turn(self, number: int) -> "Turn": ...

    def ask(self, text: str) -> "AsyncGenerator[TraceEvent]":
        """The events of a new turn until it is answered or waits for a person."""
        ...

    def resume(self, number: int) -> "AsyncGenerator[TraceEvent]": ...

    async def branch(self, number: int) -> None:
        """Continue after a turn, in a new conversation."""
        ...

    async def decide(self, turn: "Turn") -> bool:
        """Ask the person at the terminal for the decision that the turn waits for; whether there is one."""
        ...


class Chats(Protocol):
    """The conversations of one user."""

    option: str
    """The option that leads a suggested command to these conversations: ` --server URL`, or nothing."""

    async def conversations(self) -> "Sequence[Conversation]":
        """All conversations, newest first."""
        ...

    async def begin(self) -> str:
        """The id of a new conversation."""
        ...

    def open(self, conversation: str) -> Chat: ...
