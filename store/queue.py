"""Work that waits for a worker: at least once, under a lease, and put aside when it kills its workers."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from store.serialization import Document

__all__ = ["Delivery", "Document", "Queue"]


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message in the hands of one worker until its lease ends."""

    id: str
    body: Document
    attempt: int
    """1 at its first delivery."""
    receipt: str
    """Names this delivery; worthless once the lease has ended."""


@runtime_checkable
class Queue(Protocol):
    """Port. Adapters: `store.sqlite.queue.SqliteQueue`, `store.aws.queue.SqsQueue`.

    Messages come roughly in the order in which they were sent. A worker that dies says nothing: its messages come
    again when the lease ends.
    """

    async def send(self, body: Document) -> str:
        """The id of the message; it is stored when this returns."""
        ...

    async def receive(self, *, lease: float, wait: float) -> Delivery | None:
        """The next message, for `lease` seconds; None where none came within `wait` seconds."""
        ...

    async def adopt(self, delivery: Delivery, *, lease: float) -> bool:
        """Hold a message that somebody else has received for this process; False where it is not to be had any more."""
        ...

    async def extend(self, delivery: Delivery, *, lease: float) -> bool:
        """Hold it for `lease` seconds from now; False where the lease has ended, and somebody else may have it."""
        ...

    async def finish(self, delivery: Delivery) -> None:
        """It is done; finishing what is no longer held does nothing."""
        ...

    async def release(self, delivery: Delivery, *, after: float = 0.0) -> None:
        """Give it back, to be delivered again after so many seconds."""
        ...

    async def bury(self, delivery: Delivery, reason: str) -> None:
        """Put it aside: a dead letter is delivered to nobody until it is replayed."""
        ...

    async def dead_letters(self, limit: int = 100) -> list[Delivery]:
        """The dead letters, oldest first."""
        ...

    async def replay(self, message_id: str) -> bool:
        """Send a dead letter again, as new; False where there is none."""
        ...

    async def depth(self) -> int:
        """About how many messages wait."""
        ...
