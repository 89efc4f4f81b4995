"""Tells a setting that a message requests from one that it asks about."""

import re
from collections.abc import Iterator
from typing import Final

from agents.planner.language.grammar import Reading

POLITE: Final = r"(?:(?:and|so|but|ok|okay|then|now|well|hi|hey|hello|please|also)[ ,]+)*"
VERB: Final = (
    r"(?:use|using|try|take|set|switch|change|make|put|run|rerun|re-run|relaunch|repeat|redo|do it|do that|do the same|"
    r"optimi[sz]e|maximi[sz]e|search|find|look for|launch|start|give me|get|go|estimate|keep)"
)
REQUEST: Final = re.compile(
    rf"{POLITE}(?:(?:can|could|will|would|can't|couldn't|won't) (?:you|u|we|i) (?:\w+ ){{0,2}}?)?{VERB}\b|"
    rf"{POLITE}(?:what if|what about|how about|(?:what happens|what would happen|how would it (?:look|do|change)|"
    r"what would it (?:look like|do))\b)"
)
"""The beginning of a request, which may have the form of a question."""
OPINION: Final = re.compile(rf"{POLITE}(?:(?:would|will) (?:you|u|i) use|can i use|could i use)\b")
"""The beginning of a question that looks like a request."""
SEARCHED: Final = re.compile(
    rf"{POLITE}(?:which|what is the|what's the) (?:\w+ )?(?:rule|strategy|function|configuration|allocation)\b"
    r".*\b(?:largest|highest|greatest|maximum|most|best) benefit\b"
)
"""A question that a search answers, as in "which rule has the largest benefit"."""
QUESTION: Final = re.compile(
    rf"{POLITE}(?:is|are|was|were|am|isn't|aren't|wasn't|weren't|does|doesn't|did|didn't|"
    r"do (?:you|u|we|i|they|the|your|my|these|those|all)|don't (?:you|we|they)|"
    r"has|have|had|should|shouldn't|shall|must|may|might|can|could|would|will|"
    r"why|when|where|who|whose|whom|which|what|what's|whats|how|how's|explain|define|describe|tell)\b|"
    r".*\b(?:wonder|wondering|curious|whether|tell me|(?:know|ask|understand|sure|see) (?:if|how|what|which|why))\b"
)
SETTING: Final = re.compile(
    rf".*\b(?:{VERB}|with|under|now|instead|again|once more|same|only|just|what about|how about)\b|"
    r"[^.;?!]*\b(?:instead|again|now)\b"
)
"""Words with which a message changes a setting."""
SENTENCE: Final = re.compile(
    r"[.?!;]+(?=\s|$)|, (?=(?:and |but |so )?(?:is|are|does|did|was|were|how|why|which|what)\b)"
)


def asks_about(reading: Reading, kind: str, *values: str) -> bool:
    """Whether a question mentions a setting of the kind, as in "does the search use fixed scenarios?"."""
    return any(_asks(*clause) for clause in _clauses(reading, kind, *values))


def requests(reading: Reading, kind: str) -> bool:
    """Whether a setting of the kind is mentioned beside a verb of doing, and not in a question."""
    clauses = list(_clauses(reading, kind))
    return any(SETTING.match(lead + rest) for lead, rest in clauses) and not any(_asks(*clause) for clause in clauses)


def _clauses(reading: Reading, kind: str, *values: str) -> Iterator[tuple[str, str]]:
    """The clause of each name of the kind: the text before the name, and the name with what follows."""
    text = reading.folded
    ends = [match.end() for match in SENTENCE.finditer(text)]
    for mark in reading.all(kind, *values):
        start = max((end for end in ends if end <= mark.start), default=0)
        end = min((end for end in ends if end >= mark.end), default=len(text))
        yield text[start : mark.start].lstrip(), text[mark.start : end].rstrip()


def _asks(lead: str, rest: str) -> bool:
    if OPINION.match(lead):
        return True
    if REQUEST.match(lead) or SEARCHED.match(lead + rest):
        return False
    return QUESTION.match(lead) is not None or rest.endswith("?")
