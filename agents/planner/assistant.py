"""The embedded planner as the assistant: the tools that it calls for a message, and its reply to their results."""

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any, get_args

from agents.declaration import ToolCall, ToolOutput
from agents.planner.language.understanding import understand
from agents.planner.sentences import describe_tool_result
from desk.conversation.context import message_figures
from desk.conversation.focus import Focus
from desk.conversation.reply import Reply
from desk.conversation.wishes import Offer
from desk.figures.figures import Claim
from desk.figures.guard.claims import check


def reply_or_calls(task: str, outputs: Sequence[ToolOutput]) -> Reply | list[ToolCall]:
    """The tools to call, or the reply after they have returned."""
    if outputs:
        return Reply(claims=tuple(_claims(outputs)), offers=())
    context = json.loads(task.partition("\n")[0])
    interpretation = understand(context["person"], Focus.model_validate(context["focus"]))
    if interpretation.calls:
        return [(call.tool, call.arguments) for call in interpretation.calls]
    if interpretation.unclear:
        questions = [_question(unclear, context["person"]) for unclear in interpretation.unclear[:3]]
        return _reply("asked_back", questions, interpretation.offers)
    if interpretation.declined:
        return _reply("declined", [_DECLINED], interpretation.offers)
    return _reply("answered", [_HELP], interpretation.offers or get_args(Offer))


def _question(unclear: str, person: str) -> str:
    """A question that quotes the user's words, with their amounts as references."""
    code, _, text = unclear.partition(": ")
    for figure in message_figures(person):
        text = re.sub(rf"(?<![\w.]){re.escape(str(figure.value))}(?![\w%])", f"the amount {{{{{figure.id}}}}}", text)
    sentence = f"{text[:1].upper()}{text[1:]}"
    if len(sentence) > LONGEST:
        return _VAGUE.get(code, _UNCLEAR)
    claim = Claim(section="answer", text=sentence)
    return _VAGUE.get(code, _UNCLEAR) if check(claim, message_figures(person)) else claim.text


LONGEST = 400
"""Characters of a question; a longer one would repeat the whole message."""
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


def _claims(outputs: Sequence[ToolOutput]) -> Iterator[Claim]:
    for output in outputs:
        yield from describe_tool_result(output.tool, output.content, failed=output.failed)


def _reply(outcome: Any, texts: Sequence[str], offers: Sequence[Offer]) -> Reply:
    claims = tuple(Claim(section="answer", text=text) for text in texts)
    return Reply(outcome=outcome, claims=claims, offers=tuple(offers))
