"""The parts of a sentence around each of its numbers, and how far from a number its words are."""

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

from desk.figures.guard.lexicon import CONCEPT, Mention, mentions, stems

IN_CLAUSE, IN_ZONE, BEFORE, BEHIND, EARLIER, NOWHERE = range(6)
"""Where words stand, seen from a number: in its clause, in its part of the sentence, before and behind that part, in
a sentence before."""

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
"""Words behind a number that may still name it, as "tried" in "of the # that were tried"."""
_FAR, _COMPLEMENT = 100, 20
"""Words by which a mention counts as farther away that stands in an aside, or behind a preposition: "of the index"."""


class Layout(NamedTuple):
    places: tuple["Place", ...]


class Place:
    """One number of a text, which is written as `#`, and what is mentioned around it."""

    def __init__(self, text: str, asides: Sequence[tuple[int, int]], at: int, zone: slice, sentence: slice) -> None:
        self._text = text
        self._asides = asides
        self._zone = zone
        self.sentence = sentence
        self.at = at
        self.bound: str | None = None
        """Which end of a range it is, by its place."""
        clause = _BREAK.split(text[sentence.start : at])[-1]
        self.leads = _WORD.search(clause) is None
        """Whether it is the first of its clause, as a name is that something is said of."""
        self.words = frozenset(stems(text[zone]))
        self.mentions: list[tuple[int, int, Mention]] = []
        """Each with where it stands and by how many words it is away."""

    def far(self, mention: Mention) -> tuple[int, int]:
        before = mention.start < self.at
        between = self._text[slice(mention.end, self.at) if before else slice(self.at + 1, mention.start)]
        words = len(_WORD.findall(between))
        if not before:
            return self._level(mention, between), words if words <= _AFTER else words + _FAR
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
    """The numbers of `text`, which is in small letters, each with the mentions and the `names` around it."""
    places = tuple(_places(text))
    named = [*_named(text, names)]
    told = [*(m for m in mentions(text) if m.group != CONCEPT or not _called(text, m, named)), *named]
    for place in places:
        place.mentions = [(*place.far(mention), mention) for mention in told]
    highs = {match.start(1) for match in _RANGE.finditer(text)}
    for place, following in zip(places, (*places, None)[1:], strict=True):
        low = following is not None and following.at in highs
        place.bound = "upper end" if place.at in highs else "lower end" if low else None
    return Layout(places)


def _places(text: str) -> Iterator[Place]:
    """Words between two numbers belong to the second, but for those before the first break."""
    asides = [match.span() for match in _ASIDE.finditer(text)]
    for sentence in _sentences(text):
        numbers = [match.start() for match in re.finditer("#", text) if sentence.start <= match.start() < sentence.stop]
        left = sentence.start
        for number, following in zip(numbers, (*numbers, None)[1:], strict=True):
            cut = _BREAK.search(text, number + 1, sentence.stop if following is None else following)
            right = cut.start() if cut else sentence.stop if following is None else number + 1
            yield Place(text, asides, number, slice(left, right), sentence)
            left = right


def _sentences(text: str) -> Iterator[slice]:
    begin = 0
    for match in _SENTENCE.finditer(text):
        yield slice(begin, match.start())
        begin = match.end()
    yield slice(begin, len(text))


def _called(text: str, mention: Mention, named: Sequence[Mention]) -> bool:
    """Whether the words of `mention` are only part of a name: "in the scenario high volatility"."""
    around = [name for name in named if name.start <= mention.start < name.end]
    return any(re.search(rf"{_NAMING}\s+$", text[: name.start]) for name in around)


def _named(text: str, names: frozenset[str]) -> Iterator[Mention]:
    for name in sorted(names):
        parts = re.split(r"[\s_-]+", name)
        pattern = r"[\s_-]+".join(map(re.escape, parts))
        if len(parts) == 1:  # as a word of its own it may mean something else
            pattern = rf"{_NAMING}\s+{pattern}|{pattern}\s+{_NAMING}"
        for match in re.finditer(rf"(?<![a-z])(?:{pattern})(?![a-z])", text):
            yield Mention(match.start(), match.end(), "name", name)
