"""Stored types of a conversation: conversation, turn and feedback."""

from datetime import datetime
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import Field

from desk.conversation.focus import Focus
from desk.conversation.wishes import Offer
from desk.figures.figures import Figure, RenderedClaim
from desk.figures.tables import Exhibit
from desk.governance.approvals import Subject
from quant.numeric.frozen import Frozen

MAX_MESSAGE_LENGTH = 4_000
EVIDENCE = "evidence"
"""Kind of the records that hold the tool results of a turn."""

TurnState: TypeAlias = Literal["running", "waiting", "completed", "failed"]
"""`waiting` means that an approval is pending."""
UNANSWERED: tuple[TurnState, ...] = ("running", "waiting")
Outcome: TypeAlias = Literal["answered", "declined", "asked_back", "no_answer"]


class Conversation(Frozen):
    id: str
    created_at: datetime
    title: str
    turns: int = 0
    """Number of the last turn; turns up to `branched_at` belong to `parent`."""
    parent: str | None = None
    """Id of the thread that it was branched from."""
    branched_at: int = 0
    """Last turn that it has in common with `parent`."""
    deleted: bool = False
    """Whether it is deleted; its id stays reserved because logs of its turns may remain."""


class Turn(Frozen):
    """A message and its answer; `id` names the turn in the trace."""

    id: str
    conversation: str
    number: int
    asked: Annotated[str, Field(max_length=MAX_MESSAGE_LENGTH)]
    """Message of the user."""
    at: datetime
    state: TurnState = "running"
    outcome: Outcome | None = None
    """How the turn ended; null while it runs."""
    claims: tuple[RenderedClaim, ...] = ()
    """Sentences of the answer, each with its figures."""
    figures: tuple[Figure, ...] = ()
    """Figures that claims and tables refer to."""
    exhibits: tuple[Exhibit, ...] = ()
    """Tables that code built from tool results."""
    offers: tuple[Offer, ...] = ()
    """Actions that the user may ask for next."""
    did: tuple[tuple[str, dict[str, Any]], ...] = ()
    """Tool calls: names and arguments."""
    waits_for: tuple[str, Subject] | None = None
    """The run and the subject of the approval."""
    focus: Focus = Focus()
    """Focus after this turn."""
    detached: bool = False
    """Whether a worker process continues the turn instead of the one that received the message."""


Action: TypeAlias = Literal["implemented", "partially", "considered", "rejected", "pending", "requires-more-research"]


class Opinion(Frozen):
    """A user's rating of an answer, and the action taken."""

    rating: Annotated[int, Field(ge=1, le=5, description="1 is useless, 5 is what was needed")]
    category: Annotated[
        str, Field(max_length=50, description="Subject of the feedback, in your own words", examples=["accuracy"])
    ] = ""
    comment: Annotated[str, Field(max_length=2_000)] = ""
    action_taken: Action = "pending"
    """What the user did about the answer."""


class Feedback(Opinion):
    id: str
    by: str
    at: datetime
