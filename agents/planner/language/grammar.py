"""Reads a message into amounts and marks: names from fixed tables and phrases that cue an action or an amount."""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final

from agents.planner.language.amounts import Amount, amounts_in, fold
from agents.planner.language.lexicon import FILLER, LEXICON, Lexicon, Phrases, stems
from agents.planner.language.naming import Mark, special_names
from agents.planner.language.spelling import distance, stem
from agents.planner.language.unlisted import unlisted_names
from agents.planner.language.words import Word

INSIDE: Final = {
    **dict.fromkeys(("do", "topic", "show", "reference"), frozenset(LEXICON.names)),
    "slot": frozenset({"do"}),
    "negation": frozenset({"slot", "bound", "only", "topic", "do", "fresh"}),
    "forbidden": frozenset({*LEXICON.names, "topic", "do", "slot"}),
    "foreign": frozenset({"slot", "do", "topic", "asset", "sector"}),
    "asset": frozenset({"sector"}),
    "scenario": frozenset({"do"}),
    "unsupported": frozenset({"slot", "do", "topic", "method", "rebalancing"}),
    "chat": frozenset({"slot", "do", "topic"}),
    "bound": frozenset({"slot", "only", "do"}),
    "only": frozenset({"change"}),
}
"""For each kind, the kinds of longer marks within which it does not count."""


@dataclass(frozen=True)
class Reading:
    text: str
    folded: str
    amounts: tuple[Amount, ...]
    marks: tuple[Mark, ...]
    strange: tuple[Word, ...]
    """Words that are in no table."""
    unknown: tuple[Word, ...]
    """The strange words that could change the meaning."""
    words: tuple[Word, ...]
    unlisted: tuple[Mark, ...]
    """What sounds like the name of a weight function or an estimator and is none."""
    lexicon: Lexicon

    def all(self, kind: str, *values: str) -> tuple[Mark, ...]:
        return tuple(m for m in self.marks if m.kind == kind and (not values or m.value in values))

    def has(self, kind: str, *values: str) -> bool:
        return bool(self.all(kind, *values))

    def part(self, start: int, end: int) -> "Reading":
        def inside(items):
            return tuple(item for item in items if item.start >= start and item.end <= end)

        return replace(
            self,
            text=self.text[start:end],
            amounts=inside(self.amounts),
            marks=inside(self.marks),
            strange=inside(self.strange),
            unknown=inside(self.unknown),
            words=inside(self.words),
            unlisted=inside(self.unlisted),
        )


def read(text: str, own_scenarios: Sequence[str] = (), lexicon: Lexicon = LEXICON) -> Reading:
    """The amounts, marks and unknown words of a message."""
    text = " ".join(re.sub(r"(?<=[^\s,;:.?!])[ \t]*\n\s*(?:[-*·•][ \t])?", ", ", text.strip()).split())
    folded = fold(text)
    marks: list[Mark] = []
    rest = folded
    numbered = (
        Mark(kind, name, *match.span(), match[0])
        for pattern, kind, name in lexicon.numbered
        for match in pattern.finditer(folded)
    )
    for mark in (*special_names(folded, text, own_scenarios), *numbered):
        if not rest[mark.start : mark.end].strip("\0"):
            continue
        marks.append(mark)
        rest = rest[: mark.start] + "\0" * (mark.end - mark.start) + rest[mark.end :]
    amounts = amounts_in(rest)
    for amount in amounts:
        rest = rest[: amount.start] + "\0" * (amount.end - amount.start) + rest[amount.end :]
    amounts = tuple(replace(a, text=text[a.start : a.end]) for a in amounts)
    words = [Word(m[0], m.start(), m.end()) for m in re.finditer(r"[^\W_]+(?:'[a-z]+)?", rest.replace("\0", " "))]
    words = [replace(word, text=lexicon.corrected(word.text)) for word in words]
    marks += _phrases(rest, words, lexicon)
    places = {at for mark in marks for at in range(mark.start, mark.end)}
    free = [word for word in words if word.start not in places and word.stem not in FILLER]
    strange = tuple(word for word in free if word.stem not in lexicon.domain)
    names = [(mark.start, mark.end) for mark in marks if mark.kind in lexicon.names]
    spans = [(a.start, a.end) for a in amounts]
    unlisted = tuple(unlisted_names(rest, folded, words, marks, lexicon))
    explained = {at for mark in unlisted for at in range(mark.start, mark.end)}
    unknown = tuple(w for w in strange if w.start not in explained and matters(w, text, names, spans, lexicon))
    marks = [mark for mark in marks if not _is_inside_longer(mark, marks) and not _is_negated(mark, folded)]
    marks.sort(key=lambda mark: (mark.start, -mark.end))
    amounts = _shares(amounts, marks, folded)
    return Reading(text, folded, amounts, tuple(marks), strange, unknown, tuple(words), unlisted, lexicon)


def _shares(amounts: tuple[Amount, ...], marks: Sequence[Mark], folded: str) -> tuple[Amount, ...]:
    """Turn bare numbers beside assets into shares if they add up to the whole, as in "60 AAPL 40 cash"."""
    assets = [mark for mark in marks if mark.kind == "asset"]
    beside = [a for a in amounts if a.unit == "plain" and any(_touch(a, mark, folded) for mark in assets)]
    if math.fsum(a.value for a in beside) not in (100.0, 1.0) or len(beside) > len(assets):
        return amounts
    return tuple(replace(a, unit="share") if a in beside else a for a in amounts)


def _touch(amount: Amount, asset: Mark, folded: str) -> bool:
    if amount.end <= asset.start:
        return re.fullmatch(r"\s?(?:in |of )?(?:the )?", folded[amount.end : asset.start]) is not None
    return re.fullmatch(r"\s?[:=]?\s?", folded[asset.end : amount.start]) is not None


NEGATED: Final = re.compile(
    r"\b(?:no|not|don't|dont|do not|without|rather than|instead of|never)(?: an?| the| any| full| big| to|"
    r" another)? $"
)


def _is_negated(mark: Mark, folded: str) -> bool:
    """Whether an action is negated, as in "just the one, no search"."""
    return (mark.kind, mark.value) == ("do", "optimize") and NEGATED.search(folded[: mark.start]) is not None


def _is_inside_longer(mark: Mark, marks: Sequence[Mark]) -> bool:
    """Whether the mark lies in a longer one that replaces it."""
    if mark.kind not in INSIDE:
        return False
    return any(
        other.kind in INSIDE[mark.kind] and other.start <= mark.start and mark.end <= other.end
        and other.end - other.start > mark.end - mark.start
        for other in marks
    )  # fmt: skip


def _phrases(rest: str, words: Sequence[Word], lexicon: Lexicon) -> Iterator[Mark]:
    """The phrases of a message; of names that overlap the longest counts."""
    used: set[int] = set()
    for first, length, names in sorted(_names(rest, words, lexicon), key=lambda found: (-found[1], found[0])):
        places = set(range(first, first + length))
        if not places & used:
            used |= places
            yield from (_mark(kind, name, words, first, length) for kind, name in names.items())
    for first, length, value in _matches(rest, words, lexicon.slot_table, frozenset(used)):
        yield _mark("slot", value, words, first, length)
    for kind, table in lexicon.cue_tables.items():
        for first, length, value in _matches(rest, words, table, frozenset()):
            yield _mark(kind, value, words, first, length)


def _names(rest: str, words: Sequence[Word], lexicon: Lexicon) -> Iterator[tuple[int, int, Mapping[str, str]]]:
    """Every phrase that is a name, as first word, number of words, and the name by kind."""
    longest = max(len(phrase) for table in lexicon.name_tables.values() for phrase in table)
    for first in range(len(words)):
        for length in range(1, min(longest, len(words) - first) + 1):
            span = words[first : first + length]
            phrase = stems(word.text for word in span)
            names = {kind: table[phrase] for kind, table in lexicon.name_tables.items() if phrase in table}
            if names and _adjacent(rest, span):
                yield first, length, names


def _mark(kind: str, value: str, words: Sequence[Word], first: int, length: int) -> Mark:
    start, end = words[first].start, words[first + length - 1].end
    return Mark(kind, value, start, end, " ".join(word.text for word in words[first : first + length]))


def _matches(rest: str, words: Sequence[Word], table: Phrases, used: frozenset[int]) -> Iterator[tuple[int, int, str]]:
    """The longest matching phrases of one table, from left to right."""
    longest, first = max(map(len, table)), 0
    while first < len(words):
        for length in range(min(longest, len(words) - first), 0, -1):
            span = words[first : first + length]
            value = table.get(stems(word.text for word in span))
            if value and not used & set(range(first, first + length)) and _adjacent(rest, span):
                yield first, length, value
                first += length - 1
                break
        first += 1


def _adjacent(rest: str, span: Sequence[Word]) -> bool:
    return all(re.fullmatch(r"[\s\-_'/&]*", rest[left.end : right.start]) for left, right in pairwise(span))


HEADS: Final = frozenset(
    stem(word)
    for word in "index indices stocks shares equity equities market markets portfolio fund function rule scenario "
    "world strategy estimator engine model template method allocation currency rate goal ratio limit "
    "weighting".split()
)
"""Nouns whose meaning an unknown word before them could change, as in "the frobnicated index"."""
ADDRESSED: Final = re.compile(
    r"\b(?:hi|hello|hey|dear|morning|afternoon|evening|thanks?|thx|cheers|regards|mrs?|ms|dr)\W+$"
)


def matters(
    word: Word,
    text: str,
    names: Sequence[tuple[int, int]],
    amounts: Sequence[tuple[int, int]],
    lexicon: Lexicon,
) -> bool:
    """Whether an unknown word could be a name, an amount or a unit; other unknown words are ignored."""
    original, before, after = text[word.start : word.end], text[: word.start], text[word.end :]
    if not word.text.isascii() or not word.text.replace("'", "").isalpha():
        return True
    if any(0 <= word.start - end <= 1 or 0 <= start - word.end <= 1 for start, end in amounts):
        return True
    if re.search(r"\b(?:under|using|via|with|during)(?: an?| the)? $", fold(before)):
        return True
    following = re.match(r"[\s-]+([a-z]+)", fold(after))
    if following and stem(lexicon.corrected(following[1])) in HEADS:
        return True
    if _listed_with(before, after, names, word):
        return True
    if original[0].isupper() and not text.isupper() and re.search(r"[^\s.!?:'\"]\W*$", before):
        return not ADDRESSED.search(fold(before)) and not re.search(r"[.!?:]\W*$", before)
    symbols = [symbol for symbol in lexicon.symbols if len(symbol) >= 3]
    return len(word.text) >= 3 and any(distance(word.text, symbol) <= 1 for symbol in symbols)


def _listed_with(before: str, after: str, names: Sequence[tuple[int, int]], word: Word) -> bool:
    """Whether the word is an item of a list beside a name."""
    left_sign = re.search(r"(?:,|/|&|\band|\bor|\bvs|\bversus)\s*(?:and |or )?$", before)
    right_sign = re.match(r"\s*(?:,|/|&|and\b|or\b|vs\b|versus\b)\s*(?:and |or )?", after)
    item_end = re.match(r"\s*(?:,|/|&|[.;?!]|$|(?:and|or|vs|with|at|in|on|for|using)\b)", after)
    return bool(
        (
            left_sign
            and item_end
            and any(end == left_sign.start() or before[end : left_sign.start()].isspace() for _, end in names)
        )
        or (right_sign and any(start == word.end + right_sign.end() for start, _ in names))
    )
