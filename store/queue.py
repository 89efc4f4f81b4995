"""Port of the work queue: at-least-once delivery under a lease, with dead letters."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from store.serialization import Document

__all__ = ["Delivery", "Document", "Queue"]


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message that one worker holds until its lease ends."""

    id: str
    body: Document
    attempt: int
    """1 at its first delivery."""
    receipt: str
    """Identifies this delivery; invalid once the lease has ended."""


@runtime_checkable
class Queue(Protocol):
    """Adapters: `store.sqlite.queue.SqliteQueue` and `store.aws.queue.SqsQueue`.

    Messages are delivered roughly in the order in which they were sent. A message whose worker dies is delivered
    again when its lease ends.
    """

    async def send(self, body: Document) -> str:
        """Store the message and return its id."""
        ...

    async def receive(self, *, lease: float, wait: float) -> Delivery | None:
        """The next message, leased for `lease` seconds; None if there is none within `wait` seconds."""
        ...

    async def adopt(self, delivery: Delivery, *, lease: float) -> bool:
        """Lease a message that another component received for this process; False if it is no longer available."""
        ...

    async def extend(self, delivery: Delivery, *, lease: float) -> bool:
        """Renew the lease for `lease` seconds from now; False if it has ended already."""
        ...

    async def finish(self, delivery: Delivery) -> None:
        """Delete the message; does nothing if the lease has ended."""
        ...

    async def release(self, delivery: Delivery, *, after: float = 0.0) -> None:
        """End the lease; the message is delivered again after `after` seconds."""
        ...

    async def bury(self, delivery: Delivery, reason: str) -> None:
        """Make the message a dead letter, which is not delivered until it is replayed."""
        ...

    async def dead_letters(self, limit: int = 100) -> list[Delivery]:
        """The dead letters, oldest first."""
        ...

    async def replay(self, message_id: str) -> bool:
        """Send a dead letter again as a new message; False if there is none with this id."""
        ...

    async def depth(self) -> int:
        """The approximate number of messages that wait for a worker."""
        ...
