"""What the planner says about a message itself: how it read it, what it did not use, and what it offers."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from rapidfuzz import fuzz

from agents.planner.language.abilities import ABILITIES
from agents.planner.language.understanding import Call, Proposal
from desk.base.text import sentence_case, spaced
from desk.conversation.quotes import split_period
from desk.conversation.reply import OFFERS
from desk.conversation.wishes import Offer
from desk.figures.figures import Claim, Figure
from desk.figures.guard.claims import check

SUBJECTS: Final = {ability.tool: ability.subject for ability in ABILITIES}
LABELS: Final = {
    "sp500": "the index", "stocks": "all bundled stocks", "detail": "about", "like": "made from", "wish": "search",
    "lookbacks": "lookback", "inner": "inner portfolio", "goal": "goal", "run": "result", "amount": "the whole",
    "what": "list of",
}  # fmt: skip
RUNS: Final = ("run", "first", "second")
UNSAID: Final = {"base": "new", "run": "last", "like": "base_case", "first": "previous", "second": "last"}
"""Arguments that are not worth a word."""


def reading_of(call: Call, figures: Sequence[Figure]) -> str:
    """The call in words, with the amounts of the message as references."""
    parts = [SUBJECTS[call.tool], *(part for part in _parts(call.arguments, figures) if _passes(part, figures))]
    return "; ".join(dict.fromkeys(parts))


def reading_claims(call: Call, figures: Sequence[Figure], computed: Sequence[Figure] = ()) -> list[str]:
    """How a message was read, in one sentence, or in two where names and amounts may not stand in one.

    `figures` are the amounts of the message, `computed` those of the results that the sentence stands beside.
    """
    whole = f"How your message was read: {reading_of(call, figures)}."
    everything = (*figures, *computed)
    if _passes(whole, everything):
        return [whole]
    parts = reading_of(call, figures).split("; ")
    names, amounts = ([part for part in parts if ("{{" in part) is amount] for amount in (False, True))
    texts = [f"How your message was read: {'; '.join(names)}.", f"With it goes {'; '.join(amounts)}."]
    if not _passes(texts[1], everything):  # a label may name a quantity of the result
        labels = [part.partition(" for ")[2] for part in amounts]
        texts[1] = f"Your amounts were taken for {', '.join(filter(None, labels))}." if any(labels) else ""
    return [text for text in texts if text and _passes(text, everything)]


def _parts(arguments: dict[str, Any], figures: Sequence[Figure]) -> Iterator[str]:
    for name, value in arguments.items():
        if name == "base" and value == "last":
            yield "built on the last one"
        elif value in (None, (), [], {}) or UNSAID.get(name) == value:
            continue
        elif name == "holdings":
            yield ", ".join(_holding(holding, figures) for holding in value)
        elif name == "shocks":
            yield from (f"{_name(s['factor'])} {s['direction']} by {_amount(s['move'], figures)}" for s in value)
        elif isinstance(value, dict):
            yield from _parts(value, figures)
        elif isinstance(value, str) and name not in RUNS and (figure := _figure(value, figures)):
            period = {1: " a month", 12: " a year"}.get(split_period(value)[1] or 0, "")
            yield f"amount {{{{{figure}}}}}{period} for {LABELS.get(name, spaced(name))}"
        elif isinstance(value, list | tuple):
            yield f"{LABELS.get(name, spaced(name))} {', '.join(map(_name, value))}"
        else:
            yield f"{LABELS.get(name, spaced(name))} {_name(value)}"


def _holding(holding: dict[str, str], figures: Sequence[Figure]) -> str:
    share = holding.get("weight") or holding.get("amount")
    named = share is not None and _figure(share, figures) is not None
    return f"{_amount(share or '', figures)} of {_name(holding['asset'])}" if named else _name(holding["asset"])


def _amount(quote: str, figures: Sequence[Figure]) -> str:
    figure = _figure(quote, figures)
    return f"amount {{{{{figure}}}}}" if figure else "an amount of before"


def _figure(quote: str, figures: Sequence[Figure]) -> str | None:
    wanted = split_period(quote)[0].casefold().strip()
    return next((f.id for f in figures if str(f.value).casefold().strip() == wanted), None)


def _name(value: object) -> str:
    return LABELS.get(str(value), spaced(str(value)))


def _passes(text: str, figures: Sequence[Figure]) -> bool:
    return len(text) <= LONGEST and not check(Claim(section="answer", text=sentence_case(text)), figures)


LONGEST: Final = 500
"""Characters of a sentence; a claim takes little more."""


def offered(proposals: Sequence[Proposal], figures: Sequence[Figure]) -> list[str]:
    """What is asked about a message that was not acted on, and the readings that are offered."""
    first = proposals[0]
    texts = [q for q in first.questions if _passes(q, figures)][:2]
    if first.unused:
        words = ", ".join(f"“{word}”" for word in dict.fromkeys(first.unused) if word.isalpha())
        sentence = f"No argument uses {words}." if words else ""
        texts.append(sentence if sentence and _passes(sentence, figures) else "Part of your message has no use here.")
    if first.doubts:
        texts.append(f"{sentence_case(first.doubts[0])}.")
    for n, proposal in enumerate(proposals):
        lead = "Did you mean" if n == 0 else "Or"
        texts.append(f"{lead} {reading_of(proposal.call, figures)}?")
    if not first.questions:
        texts.append("Reply yes for the topmost of these, or its place in the list.")
    return [text if _passes(text, figures) else UNCLEAR for text in texts]


UNCLEAR: Final = "Part of your message is not clear enough to act on; please say it otherwise."


def nearest(text: str, count: int = 3) -> tuple[Offer, ...]:
    """The offers whose examples are most like the message."""
    examples: dict[Offer, str] = {offer: f"{purpose} {example}" for offer, (purpose, example) in OFFERS.items()}
    likeness: dict[Offer, float] = {offer: fuzz.token_set_ratio(text, example) for offer, example in examples.items()}
    best: list[Offer] = sorted(likeness, key=lambda offer: -likeness[offer])
    return tuple(best[:count])
