"""What a conversation is made of: messages, their answers, and what people think of these."""

from datetime import datetime
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import Field

from desk.conversation.focus import Focus
from desk.conversation.wishes import Offer
from desk.figures.figures import Figure, RenderedClaim
from desk.figures.tables import Exhibit
from desk.governance.approvals import Subject
from quant.numeric.frozen import Frozen

LONGEST_MESSAGE = 4_000
EVIDENCE = "evidence"
"""Kind of the records that hold what tools returned in a turn."""

TurnState: TypeAlias = Literal["running", "waiting", "completed", "failed"]
"""`waiting` is for a person's approval."""
UNANSWERED: tuple[TurnState, ...] = ("running", "waiting")
Outcome: TypeAlias = Literal["answered", "declined", "asked_back", "no_answer"]


class Conversation(Frozen):
    id: str
    created_at: datetime
    title: str
    turns: int = 0
    """The number of the last turn; turns up to `branched_at` are those of `parent`."""
    parent: str | None = None
    branched_at: int = 0
    deleted: bool = False
    """Its id stays taken, since logs of its turns may be left."""


class Turn(Frozen):
    """A message and its answer; `id` names the turn in the trace."""

    id: str
    conversation: str
    number: int
    asked: Annotated[str, Field(max_length=LONGEST_MESSAGE)]
    at: datetime
    state: TurnState = "running"
    outcome: Outcome | None = None
    claims: tuple[RenderedClaim, ...] = ()
    figures: tuple[Figure, ...] = ()
    """Those that the claims and the tables refer to."""
    exhibits: tuple[Exhibit, ...] = ()
    """Tables that code made of what the tools returned."""
    offers: tuple[Offer, ...] = ()
    did: tuple[tuple[str, dict[str, Any]], ...] = ()
    """Tools and their arguments."""
    waits_for: tuple[str, Subject] | None = None
    """The run and the subject of the approval."""
    focus: Focus = Focus()
    """After this turn."""
    detached: bool = False
    """Whoever serves the owner goes on with it, not the process that was told the message."""


Action: TypeAlias = Literal["implemented", "partially", "considered", "rejected", "pending", "requires-more-research"]


class Opinion(Frozen):
    """What a person thinks of an answer, and what they did about it."""

    rating: Annotated[int, Field(ge=1, le=5, description="1 is useless, 5 is what was needed")]
    category: Annotated[
        str, Field(max_length=50, description="What it is about, in your words", examples=["accuracy"])
    ] = ""
    comment: Annotated[str, Field(max_length=2_000)] = ""
    action_taken: Action = "pending"


class Feedback(Opinion):
    id: str
    by: str
    at: datetime
