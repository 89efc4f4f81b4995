"""Splits sentences into the parts around each number, and measures the distance of mentions to it."""

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

from desk.figures.guard.lexicon import CONCEPT, Mention, mentions, stems

IN_CLAUSE, IN_ZONE, BEFORE, BEHIND, EARLIER, NOWHERE = range(6)
"""Position of words relative to a number: in its clause, in its part of the sentence, before or after that part, in
an earlier sentence."""

_SENTENCE = re.compile(r"(?<=[.!?])\s+")
_BREAK = re.compile(r"[,;:()–—]|\b(?:and|but|while|whereas|or|against|versus|with|at|where|when|whose|which|than|as)\b")
_STRONG = re.compile(r"[,;:()–—]")
_RANGE = re.compile(r"\b(?:between|from)\s+#\s+(?:and|to)\s+(#)")
_WORD = re.compile(r"[a-z]+(?:['’-][a-z]+)*")
_PART_OF = re.compile(
    r"\b(of|in|on|for|under|after|before|from|than|over|per|by|into|to)\s+(?:(?:the|an?|its|this|all)\s+)?$"
)
_OWN = re.compile(r"\s+(?:of|by|at)?\s*")
_ASIDE = re.compile(r",\s+(?:which|who|whose|what|that is)\b[^,;:#]*,|\([^()#]*\)")
_NAMING = r"(?:scenario|case|rule|function|probabilities|market|world)"
_AFTER = 3
"""Number of words after a number that may still name it, as "tried" in "of the # that were tried"."""
_FAR, _COMPLEMENT = 100, 20
"""Extra distance, in words, of a mention in an aside or after a preposition ("of the index")."""


class Layout(NamedTuple):
    places: tuple["Place", ...]


class Place:
    """One number of a text, written as `#`, and the mentions around it."""

    def __init__(self, text: str, asides: Sequence[tuple[int, int]], at: int, zone: slice, sentence: slice) -> None:
        self._text = text
        self._asides = asides
        self._zone = zone
        self.sentence = sentence
        self.at = at
        self.bound: str | None = None
        """Which end of a range the number is, by its position."""
        clause = _BREAK.split(text[sentence.start : at])[-1]
        self.leads = _WORD.search(clause) is None
        """Whether the number begins its clause, as a subject does."""
        self.words = frozenset(stems(text[zone]))
        self.mentions: list[tuple[int, int, Mention]] = []
        """Each mention with its position and its distance in words."""

    def distance(self, mention: Mention) -> tuple[int, int]:
        before = mention.start < self.at
        between = self._text[slice(mention.end, self.at) if before else slice(self.at + 1, mention.start)]
        words = len(_WORD.findall(between))
        if not before:
            return self._level(mention, between), words + 1 if words <= _AFTER else words + _FAR
        aside = any(begin <= mention.start < end for begin, end in self._asides)
        part = _PART_OF.search(self._text[: mention.start])
        if part and part[1] != "of" and _OWN.fullmatch(between):
            part = None
        return self._level(mention, between), words + (_FAR if aside else _COMPLEMENT if part else 0)

    def _level(self, mention: Mention, between: str) -> int:
        if self._zone.start <= mention.start < self._zone.stop:
            return IN_ZONE if _STRONG.search(between) else IN_CLAUSE
        if mention.start < self.sentence.start:
            return EARLIER
        if mention.start < self._zone.start:
            return BEFORE
        return BEHIND if mention.start < self.sentence.stop else NOWHERE


@lru_cache(maxsize=1024)
def layout(text: str, names: frozenset[str]) -> Layout:
    """Return the numbers of a lower-case text, each with the mentions and `names` around it."""
    places = tuple(_places(text))
    name_mentions = [*_name_mentions(text, names)]
    all_mentions = [
        *(m for m in mentions(text) if m.group != CONCEPT or not _is_part_of_name(text, m, name_mentions)),
        *name_mentions,
    ]
    for place in places:
        place.mentions = [(*place.distance(mention), mention) for mention in all_mentions]
    upper_ends = {match.start(1) for match in _RANGE.finditer(text)}
    for place, following in zip(places, (*places, None)[1:], strict=True):
        low = following is not None and following.at in upper_ends
        place.bound = "upper end" if place.at in upper_ends else "lower end" if low else None
    return Layout(places)


def _places(text: str) -> Iterator[Place]:
    """Assign the words between two numbers to the second, except those before the first break."""
    asides = [match.span() for match in _ASIDE.finditer(text)]
    for sentence in _sentences(text):
        numbers = [match.start() for match in re.finditer("#", text) if sentence.start <= match.start() < sentence.stop]
        left_edge = sentence.start
        for number, following in zip(numbers, (*numbers, None)[1:], strict=True):
            break_match = _BREAK.search(text, number + 1, sentence.stop if following is None else following)
            right_edge = break_match.start() if break_match else sentence.stop if following is None else number + 1
            yield Place(text, asides, number, slice(left_edge, right_edge), sentence)
            left_edge = right_edge


def _sentences(text: str) -> Iterator[slice]:
    begin = 0
    for match in _SENTENCE.finditer(text):
        yield slice(begin, match.start())
        begin = match.end()
    yield slice(begin, len(text))


def _is_part_of_name(text: str, mention: Mention, name_mentions: Sequence[Mention]) -> bool:
    """Whether `mention` is only part of a name, as in "in the scenario high volatility"."""
    around = [name for name in name_mentions if name.start <= mention.start < name.end]
    return any(re.search(rf"{_NAMING}\s+$", text[: name.start]) for name in around)


def _name_mentions(text: str, names: frozenset[str]) -> Iterator[Mention]:
    for name in sorted(names):
        parts = re.split(r"[\s_-]+", name)
        pattern = r"[\s_-]+".join(map(re.escape, parts))
        if len(parts) == 1:  # a single word may have another meaning
            pattern = rf"{_NAMING}\s+{pattern}|{pattern}\s+{_NAMING}"
        for match in re.finditer(rf"(?<![a-z])(?:{pattern})(?![a-z])", text):
            yield Mention(match.start(), match.end(), "name", name)
