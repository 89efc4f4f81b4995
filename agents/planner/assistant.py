"""The embedded planner as the assistant: the tools that it calls for a message, and its reply to their results."""

import json
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, get_args

from agents.declaration import ToolCall, ToolOutput
from agents.planner.declines import decline
from agents.planner.language.languages import language_note
from agents.planner.language.understanding import Interpretation, Past, understand
from agents.planner.language.wording import UNCLEAR, nearest, offered
from desk.conversation.context import message_figures
from desk.conversation.focus import Focus
from desk.conversation.reply import Reply
from desk.conversation.wishes import Offer
from desk.figures.figures import Claim
from desk.figures.guard.claims import MAX_CLAIMS
from desk.figures.tool_content import read_claims

EVERYTHING: tuple[Offer, ...] = get_args(Offer)
TALK: dict[str, str] = {
    "greeting": "Hello. Ask for a search, for the risk of a portfolio or for a simulation; help lists everything.",
    "thanks": "You are welcome.",
    "help": "This desk searches allocation strategies, judges them for luck, and explains what it found.",
    "yes": "Nothing is waiting for a yes; please say what should be done.",
    "no": "Then nothing is done; please say it otherwise.",
    "undo": "There is nothing that could be taken back; please say what should be done.",
}
"""Replies to small talk."""
FAILED = "A tool did not take what was asked of it, so nothing was computed; please ask otherwise."


def reply_or_calls(task: str, outputs: Sequence[ToolOutput]) -> Reply | list[ToolCall]:
    """The tools to call, or the reply after they have returned."""
    context = json.loads(task.partition("\n")[0])
    person: str = context["person"]
    before = [Past(asked=past["asked"], did=past["did"]) for past in context.get("before", ())]
    interpretation = understand(person, Focus.model_validate(context["focus"]), before)
    if outputs:
        return Reply(claims=tuple(_claims(outputs)), offers=())
    if interpretation.calls:
        return [(call.tool, call.arguments) for call in interpretation.calls]
    return _reply_without_tools(interpretation, person)


def _reply_without_tools(interpretation: Interpretation, person: str) -> Reply:
    if interpretation.talk is not None:
        offers = EVERYTHING if interpretation.talk == "help" else ()
        return _reply("answered", [TALK[interpretation.talk]], offers)
    note = language_note(person)
    if note is not None and not interpretation.proposals:
        return _reply("declined", [note], nearest(person))
    proposed: list[Offer] = [proposal.offer for proposal in interpretation.proposals]
    offers = tuple(dict.fromkeys(proposed)) or nearest(person)
    if interpretation.beyond:
        return _reply("declined", [decline(person)], offers)
    if not interpretation.proposals:
        return _reply("asked_back", [UNCLEAR], offers)
    texts = offered(interpretation.proposals, message_figures(person))
    return _reply("asked_back", texts if note is None else [note, *texts], offers)


def _claims(outputs: Sequence[ToolOutput]) -> Iterator[Claim]:
    for output in outputs:
        claims = [Claim(section="answer", text=FAILED)] if output.failed else read_claims(output.content)
        yield from islice(claims, MAX_CLAIMS // len(outputs))


def _reply(outcome: Any, texts: Sequence[str], offers: Sequence[Offer]) -> Reply:
    claims = tuple(Claim(section="answer", text=text) for text in texts)
    return Reply(outcome=outcome, claims=claims, offers=tuple(offers))
