"""Reads a message into amounts and marks: names from fixed tables and phrases that cue an action or an amount."""

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import pairwise
from typing import Final

from agents.planner.language import common_words, cues, out_of_scope, topics, vocabulary
from agents.planner.language.amounts import Amount, amounts_in, fold
from agents.planner.language.naming import Mark, special_names
from agents.planner.language.spelling import distance, slips, stem

NAMES: Final = {
    "function": vocabulary.FUNCTIONS,
    "estimator": vocabulary.ESTIMATORS,
    "scenario": vocabulary.SCENARIOS,
    "engine": vocabulary.ENGINES,
    "goal": vocabulary.GOALS,
    "method": vocabulary.METHODS,
    "template": vocabulary.TEMPLATES,
    "asset": vocabulary.ASSETS,
    "rebalancing": vocabulary.REBALANCING,
}
"""Tables of names; a word of a name cues no amount."""
CUES: Final = {
    "topic": topics.TOPICS,
    "do": cues.DO,
    "bound": {"upper": cues.UPPER, "lower": cues.LOWER},
    "negation": {"not": cues.NEGATION},
    "only": {"only": cues.ONLY},
    "each": {"each": cues.EACH},
    "rest": {"rest": cues.REST},
    "equally": {"equally": cues.EQUALLY},
    "reference": {"last": cues.RUN_LAST, "previous": cues.RUN_PREVIOUS},
    "again": {"again": cues.LAST},
    "change": {"change": cues.CHANGE},
    "fresh": {"fresh": cues.FRESH},
    "show": {"show": cues.SHOW},
    "now": {"now": cues.NOW},
    "flow": {"flow": cues.FLOW},
    "foreign": {"foreign": out_of_scope.FOREIGN},
    "forbidden": {"forbidden": out_of_scope.FORBIDDEN},
    "chat": {"chat": out_of_scope.CHAT},
    "unsupported": {"unsupported": out_of_scope.UNSUPPORTED},
}


INSIDE: Final = {
    **dict.fromkeys(("do", "topic", "show", "reference"), frozenset(NAMES)),
    "slot": frozenset({"do"}),
    "negation": frozenset({"slot", "bound", "only", "topic", "do", "fresh"}),
    "forbidden": frozenset({*NAMES, "topic", "do", "slot"}),
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
class Word:
    text: str
    start: int
    end: int

    @property
    def stem(self) -> str:
        return stem(self.text)


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
        )


def _split(phrase: str) -> tuple[str, ...]:
    return tuple(stem(word) for word in re.findall(r"[a-z0-9']+", phrase))


def _compiled(tables: dict[str, dict[str, str]]) -> dict[str, dict[tuple[str, ...], str]]:
    return {
        kind: {_split(phrase): value for value, line in rows.items() for phrase in line.split("|")}
        for kind, rows in tables.items()
    }


NAME_TABLES: Final = _compiled(NAMES)
CUE_TABLES: Final = _compiled(CUES)
SLOT_TABLE: Final = _compiled({"slot": vocabulary.SLOTS})["slot"]
DOMAIN: Final = frozenset(
    part
    for tables in (NAME_TABLES, CUE_TABLES, {"slot": SLOT_TABLE})
    for table in tables.values()
    for phrase in table
    for part in phrase
)
FILLER: Final = frozenset(stem(word) for word in common_words.WORDS)
COMPANIES: Final = frozenset(part for line in vocabulary.ASSETS.values() for part in re.findall(r"[a-z]+", line))
CORRECTABLE: Final = frozenset(common_words.WORDS) | {
    word
    for kind, rows in (*NAMES.items(), *CUES.items(), ("slot", vocabulary.SLOTS))
    for line in rows.values()
    for word in re.findall(r"[a-z]{3,}", line)
    if kind not in ("foreign", "forbidden", "chat")
}
"""Words to which typing errors are corrected."""
SYMBOLS: Final = frozenset(symbol.lower() for symbol in vocabulary.ASSETS if symbol.isupper())


def read(text: str, own_scenarios: Sequence[str] = ()) -> Reading:
    """The amounts, marks and unknown words of a message."""
    text = " ".join(re.sub(r"(?<=[^\s,;:.?!])[ \t]*\n\s*(?:[-*·•][ \t])?", ", ", text.strip()).split())
    folded = fold(text)
    marks: list[Mark] = []
    rest = folded
    for mark in special_names(folded, text, own_scenarios):
        if not rest[mark.start : mark.end].strip("\0"):
            continue
        marks.append(mark)
        rest = rest[: mark.start] + "\0" * (mark.end - mark.start) + rest[mark.end :]
    amounts = amounts_in(rest)
    for amount in amounts:
        rest = rest[: amount.start] + "\0" * (amount.end - amount.start) + rest[amount.end :]
    amounts = tuple(replace(a, text=text[a.start : a.end]) for a in amounts)
    words = [Word(m[0], m.start(), m.end()) for m in re.finditer(r"[^\W_]+(?:'[a-z]+)?", rest.replace("\0", " "))]
    words = [replace(word, text=corrected(word.text)) for word in words]
    marks += _phrases(rest, words)
    places = {at for mark in marks for at in range(mark.start, mark.end)}
    strange = tuple(w for w in words if w.start not in places and w.stem not in FILLER and w.stem not in DOMAIN)
    names = [(mark.start, mark.end) for mark in marks if mark.kind in NAMES]
    unknown = tuple(w for w in strange if matters(w, text, names, [(a.start, a.end) for a in amounts]))
    marks = [mark for mark in marks if not _is_inside_longer(mark, marks) and not _is_negated(mark, folded)]
    marks.sort(key=lambda mark: (mark.start, -mark.end))
    amounts = _shares(amounts, marks, folded)
    return Reading(text, folded, amounts, tuple(marks), strange, unknown, tuple(words))


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


def _phrases(rest: str, words: Sequence[Word]) -> Iterator[Mark]:
    used: set[int] = set()
    matches: dict[int, list[tuple[int, str, str]]] = {}
    for kind, table in NAME_TABLES.items():
        for first, length, value in _matches(rest, words, table, frozenset()):
            matches.setdefault(first, []).append((length, kind, value))
    for first in sorted(matches):
        longest = max(length for length, _, _ in matches[first])
        if any(place in used for place in range(first, first + longest)):
            continue
        used |= set(range(first, first + longest))
        for length, kind, value in matches[first]:
            if length == longest:
                yield _mark(kind, value, words, first, length)
    for first, length, value in _matches(rest, words, SLOT_TABLE, frozenset(used)):
        yield _mark("slot", value, words, first, length)
    for kind, table in CUE_TABLES.items():
        for first, length, value in _matches(rest, words, table, frozenset()):
            yield _mark(kind, value, words, first, length)


def _mark(kind: str, value: str, words: Sequence[Word], first: int, length: int) -> Mark:
    start, end = words[first].start, words[first + length - 1].end
    return Mark(kind, value, start, end, " ".join(word.text for word in words[first : first + length]))


def _matches(
    rest: str, words: Sequence[Word], table: dict[tuple[str, ...], str], used: frozenset[int]
) -> Iterator[tuple[int, int, str]]:
    """The longest matching phrases of one table, from left to right."""
    longest, first = max(map(len, table)), 0
    while first < len(words):
        for length in range(min(longest, len(words) - first), 0, -1):
            span = words[first : first + length]
            value = table.get(tuple(word.stem for word in span))
            if value and not used & set(range(first, first + length)) and _adjacent(rest, span):
                yield first, length, value
                first += length - 1
                break
        first += 1


def _adjacent(rest: str, span: Sequence[Word]) -> bool:
    return all(re.fullmatch(r"[\s\-_'/&]*", rest[left.end : right.start]) for left, right in pairwise(span))


@cache
def corrected(word: str) -> str:
    """The full word of an abbreviation, or the known word that `word` misspells if there is exactly one."""
    word = common_words.ABBREVIATIONS.get(word, word)
    own = stem(word)
    if len(word) < 4 or own in DOMAIN or own in FILLER or not word.isalpha():
        return word
    near = slips(word, CORRECTABLE)
    near = {w for w in near if stem(w) in DOMAIN} or near
    if len({stem(w) for w in near}) != 1 or near & SYMBOLS:
        return word
    candidate = min(near)
    return (
        candidate
        if candidate not in COMPANIES or stem(candidate) in FILLER or sorted(candidate) == sorted(word) or len(word) > 6
        else word
    )


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


def matters(word: Word, text: str, names: Sequence[tuple[int, int]], amounts: Sequence[tuple[int, int]]) -> bool:
    """Whether an unknown word could be a name, an amount or a unit; other unknown words are ignored."""
    original, before, after = text[word.start : word.end], text[: word.start], text[word.end :]
    if not word.text.isascii() or not word.text.replace("'", "").isalpha():
        return True
    if any(0 <= word.start - end <= 1 or 0 <= start - word.end <= 1 for start, end in amounts):
        return True
    if re.search(r"\b(?:under|using|via|with|during)(?: an?| the)? $", fold(before)):
        return True
    following = re.match(r"[\s-]+([a-z]+)", fold(after))
    if following and stem(corrected(following[1])) in HEADS:
        return True
    if _listed_with(before, after, names, word):
        return True
    if original[0].isupper() and not text.isupper() and re.search(r"[^\s.!?:'\"]\W*$", before):
        return not ADDRESSED.search(fold(before)) and not re.search(r"[.!?:]\W*$", before)
    return len(word.text) >= 3 and any(distance(word.text, symbol) <= 1 for symbol in SYMBOLS if len(symbol) >= 3)


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
