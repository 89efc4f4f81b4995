"""What the planner says about a message that it does not act on: what it did not use, and what it offers."""

import re
from collections.abc import Sequence
from typing import Final

from rapidfuzz import fuzz

from agents.planner.language.understanding import Proposal
from desk.base.text import sentence_case
from desk.conversation.readings import SUBJECTS, describe_call
from desk.conversation.reply import OFFERS
from desk.conversation.wishes import Offer
from desk.figures.figures import Claim, Figure
from desk.figures.guard.claims import check


def offered(proposals: Sequence[Proposal], figures: Sequence[Figure]) -> list[str]:
    """What is asked about a message that was not acted on, and the readings that are offered."""

    def say(quote: str) -> str:
        figure = next((f.id for f in figures if str(f.value).casefold().strip() == quote.casefold().strip()), None)
        return f"{{{{{figure}}}}}" if figure else "an amount of before"

    first = proposals[0]
    texts = [q for q in first.questions if _passes(q, figures)][:2]
    if first.unused:
        words = ", ".join(f"“{word}”" for word in dict.fromkeys(first.unused) if word.isalpha())
        sentence = f"This does not use {words}." if words else ""
        texts.append(sentence if sentence and _passes(sentence, figures) else "This does not use all of your message.")
    texts += [f"{sentence_case(doubt)}." for doubt in first.doubts[:1]]
    for n, proposal in enumerate(proposals):
        lead = "Did you mean" if n == 0 else "Or"
        meant = describe_call(proposal.call.tool, proposal.call.arguments, say)
        amounts = ", with your amounts," if "{{" in meant else ""  # a reference names its quantity
        text = f"{lead}{amounts} {OVER.sub('for ', meant)}?"
        texts.append(text if _passes(text, figures) else f"{lead} {SUBJECTS[proposal.call.tool]}?")
    if not first.questions:
        several = "Reply yes for the topmost of these, or its place in the list."
        texts.append(several if len(proposals) > 1 else "Reply yes if so.")
    return [text for text in texts if _passes(text, figures)]


OVER: Final = re.compile(r"\bover (?=\{\{)")
"""A word that would change the amount after it."""


def _passes(text: str, figures: Sequence[Figure]) -> bool:
    return len(text) <= LONGEST and not check(Claim(section="answer", text=sentence_case(text)), figures)


LONGEST: Final = 500
"""Characters of a sentence; a claim takes little more."""
UNCLEAR: Final = "Part of your message is not clear enough to act on; please say it otherwise."


def nearest(text: str, count: int = 3) -> tuple[Offer, ...]:
    """The offers whose examples are most like the message."""
    examples: dict[Offer, str] = {offer: f"{purpose} {example}" for offer, (purpose, example) in OFFERS.items()}
    likeness: dict[Offer, float] = {offer: fuzz.token_set_ratio(text, example) for offer, example in examples.items()}
    best: list[Offer] = sorted(likeness, key=lambda offer: -likeness[offer])
    return tuple(best[:count])
