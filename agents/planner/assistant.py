"""The embedded planner as the assistant: what it calls for a message, and how it tells what came back."""

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any, get_args

from langchain_core.messages import BaseMessage, HumanMessage, ToolMessage

from agents.messages import unfence
from agents.planner.language.understanding import understand
from agents.planner.sentences import told
from desk.conversation.context import message_figures
from desk.conversation.focus import Focus
from desk.conversation.reply import Reply
from desk.conversation.wishes import Offer
from desk.figures.figures import Claim
from desk.figures.guard.claims import check

Call = tuple[str, dict[str, Any]]


def assisted(messages: Sequence[BaseMessage]) -> list[Call]:
    """The tools to call, or the reply once they have returned."""
    asked = next(m for m in reversed(messages) if isinstance(m, HumanMessage))
    heard = [m for m in messages if isinstance(m, ToolMessage) and m.name != Reply.__name__]
    told_of = json.loads(str(asked.text).partition("\n")[0])
    if heard:
        return [_answer(Reply(claims=tuple(_claims(heard)), offers=()))]
    understood = understand(told_of["person"], Focus.model_validate(told_of["focus"]))
    if understood.calls:
        return [(call.tool, call.arguments) for call in understood.calls]
    if understood.unclear:
        questions = [_question(unclear, told_of["person"]) for unclear in understood.unclear[:3]]
        return [_answer(_says("asked_back", questions, understood.offers))]
    if understood.declined:
        return [_answer(_says("declined", [_DECLINED], understood.offers))]
    return [_answer(_says("answered", [_HELP], understood.offers or get_args(Offer)))]


def _question(unclear: str, person: str) -> str:
    """In the person's own words, whose amounts stand as references."""
    code, _, text = unclear.partition(": ")
    for figure in message_figures(person):
        text = re.sub(rf"(?<![\w.]){re.escape(str(figure.value))}(?![\w%])", f"the amount {{{{{figure.id}}}}}", text)
    asked = f"{text[:1].upper()}{text[1:]}"
    if len(asked) > LONGEST:
        return _VAGUE.get(code, _UNCLEAR)
    whole = Claim(section="answer", text=asked)
    return _VAGUE.get(code, _UNCLEAR) if check(whole, message_figures(person)) else whole.text


LONGEST = 400
"""Characters of a question; more would be the message itself."""
_UNCLEAR = "Part of your message is not clear enough to act on; please say it otherwise."
_VAGUE = {
    "amount": "It is not clear what an amount in your message refers to; please name it beside the amount.",
    "ambiguous_amount": "An amount in your message could mean several things; please name what it is.",
    "unit": "The unit of an amount in your message is not clear.",
    "contradiction": "Parts of your message contradict each other.",
    "range": "Your message gives a range where a value is needed.",
    "holdings": "It is not clear how the portfolio is divided; please put each share beside its asset.",
    "run": "It is not clear which results are meant; please name them by the beginning of their ids.",
    "word": "A word in your message is not known here, and could change what is meant.",
    "negation": "It is not clear what your message leaves out.",
}
_DECLINED = "That is nothing this desk can do."
_HELP = "This desk searches allocation strategies, judges them for luck, and explains what it found."


def _claims(heard: Sequence[ToolMessage]) -> Iterator[Claim]:
    for message in heard:
        yield from told(message.name or "", unfence(str(message.text)), failed=message.status == "error")


def _says(outcome: Any, texts: Sequence[str], offers: Sequence[Offer]) -> Reply:
    claims = tuple(Claim(section="answer", text=text) for text in texts)
    return Reply(outcome=outcome, claims=claims, offers=tuple(offers))


def _answer(reply: Reply) -> Call:
    return Reply.__name__, reply.model_dump(mode="json", exclude_defaults=True)
