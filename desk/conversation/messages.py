"""Messages of a conversation as clients read them."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from desk.base.errors import InvalidInput
from desk.conversation.reply import OFFERS
from desk.conversation.schemas import UNANSWERED, Outcome, Turn, TurnState
from desk.conversation.wishes import Offer
from desk.figures.figures import Figure, RenderedClaim, format_cell
from desk.figures.tables import Exhibit
from quant.numeric.frozen import Frozen


class QuestionMessage(Frozen):
    role: Literal["user"] = "user"
    """`user`."""
    id: str
    turn: int
    at: datetime
    text: str


class ShownFigure(Figure):
    """A figure of a claim or table, with its source and formatted text."""

    text: str
    """Text of the figure in a table cell."""


class OfferedAction(Frozen):
    """A suggested action with an example message."""

    offer: Offer
    """Name of the action."""
    does: str
    """What the action does."""
    example: str
    """A message that asks for it."""


class AnswerMessage(Frozen):
    role: Literal["assistant"] = "assistant"
    """`assistant`."""
    id: str
    turn: int
    state: TurnState
    outcome: Outcome | None
    """How the turn ended; null while it runs."""
    claims: tuple[RenderedClaim, ...]
    """Claims; their `figures` are ids in the order of the text."""
    figures: tuple[ShownFigure, ...]
    exhibits: tuple[Exhibit, ...]
    """Tables; a cell such as `{{benefit_bps}}` refers to the figure of that id."""
    offers: tuple[OfferedAction, ...]
    """Actions that the user may ask for next."""


Message: TypeAlias = Annotated[QuestionMessage | AnswerMessage, Field(discriminator="role")]


def number_messages(turns: Sequence[Turn]) -> Iterator[tuple[int, Message]]:
    """Yield messages with their numbers: 2n - 1 and, once answered, 2n for turn n."""
    for turn in turns:
        yield 2 * turn.number - 1, QuestionMessage(id=f"{turn.id}-asked", turn=turn.number, at=turn.at, text=turn.asked)
        if turn.state not in UNANSWERED:
            yield 2 * turn.number, _answer(turn)


def message_number(cursor: str | None, field: str) -> int:
    """Parse the message number of a page cursor."""
    if cursor is None:
        return 0
    if not (cursor.isascii() and cursor.isdecimal() and len(cursor) < 8):
        raise InvalidInput(field, cursor[:40], allowed="`next` of the page before")
    return int(cursor)


def _answer(turn: Turn) -> AnswerMessage:
    return AnswerMessage(
        id=f"{turn.id}-answered",
        turn=turn.number,
        state=turn.state,
        outcome=turn.outcome,
        claims=turn.claims,
        figures=tuple(ShownFigure(**figure.model_dump(), text=format_cell(figure)) for figure in turn.figures),
        exhibits=turn.exhibits,
        offers=tuple(
            OfferedAction(offer=offer, does=OFFERS[offer][0], example=OFFERS[offer][1]) for offer in turn.offers
        ),
    )
