"""Reads a message into marks: numbers as they were written, names from fixed lists, and words that cue."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import pairwise
from typing import Final

from agents import cues, ordinary, vocabulary
from agents.amounts import Amount, amounts_in, fold
from agents.spelling import distance, stem

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
"""What a person calls by its name; a word of a name cues no amount."""
CUES: Final = {
    "topic": cues.TOPICS,
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
    "foreign": {"foreign": cues.FOREIGN},
    "forbidden": {"forbidden": cues.FORBIDDEN},
}


INSIDE: Final = {
    **dict.fromkeys(("do", "topic", "show", "reference"), frozenset(NAMES)),
    "slot": frozenset({"do"}),
    "negation": frozenset({"slot", "bound", "only", "topic", "do", "fresh"}),
    "forbidden": frozenset({*NAMES, "topic", "do", "slot"}),
    "foreign": frozenset({"slot", "do", "topic", "asset"}),
    "bound": frozenset({"slot", "only", "do"}),
    "only": frozenset({"change"}),
}
"""Marks of these kinds do not count within a longer mark of those kinds."""


@dataclass(frozen=True)
class Mark:
    kind: str
    value: str
    start: int
    end: int
    text: str


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
    """Words in no table."""
    unknown: tuple[Word, ...]
    """Those of them that could change the meaning."""
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


SPECIAL: Final = (
    (r"\bs ?(?:&|and|n) ?p(?:[ -]?(?:500|five hundred))?(?:'s)?\b(?: index)?|\bsp[ -]?500\b|"
    r"\bspx\b(?: index)?|\bgspc\b", "asset", "sp500"),
    (r"\b(?:all |the |our |your )*(?:20|twenty)(?: bundled| single| big| large| us)? (?:stocks|names|"
    r"shares|equities|companies)\b", "asset", "stocks"),
    (r"\bj&j\b|\bjohnson & johnson\b", "asset", "JNJ"),
    (r"\bprocter & gamble\b|\bp&g\b", "asset", "PG"),
    (r"\b(?:12|twelve|1|one)[ -]?(?:months?|m|years?)[ -](?:vol |volatility |excel |rolling |lookback |"
    r"inverse )?(?:rule|spreadsheet|template|"
    r"inverse[ -]vol(?:atility)? rule)\b|\btwelve_month_rule\b", "template", "twelve_month_rule"),
    (r"\bcppi[ _-]?90\b(?! ?%)", "template", "cppi_90"),
    (r"\b(?:all|the|these|those|your|every|all of the|across)?\s?(?:six|6|all)(?: built-in| bundled|"
    r" of the)? (?:scenarios|worlds|markets)\b", "scenario", "all"),
    (r"\b(?:all|the)? ?(?:five|5) (?:default |usual |weighted )?scenarios\b", "scenario", "default"),
    (r"\ball(?: the)? (?:weight |weighting )?(?:functions|rules)\b|\b(?:all )?(?:eleven|11) (?:weight |"
    r"weighting )?(?:functions|rules)\b", "function", "all"),
    (r"\b(?:the |my |our |these |those |both )?(?:last |latest |previous )?two (?:runs|results|"
    r"optimi[sz]ations)\b", "reference", "previous"),
    (r"\b1\s?/\s?n\b", "method", "equal_weight"),
)  # fmt: skip
"""Names that hold numbers or signs."""
SPLIT: Final = re.compile(
    r"(?<![\w/.])(\d{1,3})\s?[/:]\s?(\d{1,3})(?:\s?[/:]\s?(\d{1,3}))?(?![\w/])|\b(?:sixty[ /-]forty|"
    r"fifty[ /-]fifty|seventy[ /-]thirty|eighty[ /-]twenty|50-50|60-40|70-30|80-20|90-10|40-60|30-70)\b"
)
RUN: Final = re.compile(
    r"(?<=\brun )#?(?=[0-9a-f]*\d)(?=\d*[a-f]|\d{5})[0-9a-f]{3,64}\b|(?<=\bresult )#?(?=[0-9a-f]*\d)[0-9a-f]{3,64}\b|"
    r"\b(?!\d+[bd]\b|\d+e\d+\b)(?=[0-9a-f]*\d)(?=[0-9a-f]*[a-f])[0-9a-f]{4,64}\b"
)
_TO_END = (
    r"(?=\s*(?:[,;:?!]|-\s|\.+(?:[\s?!]|$)|$|(?<![-\w])(?:with|but|and|like|based|from|which|please|pls|using|"
    r"for|then|so|to me|now|thanks|thank|cheers|where|whose|in|it's|has|having|at)\b))"
)
_NAME = rf"(?P<name>'[^']+'|\"[^\"]+\"|[^\s,;:?!'\"][^,;:?!'\"]*?){_TO_END}"
NAMING: Final = tuple(
    re.compile(pattern)
    for pattern in (
        rf"\b(?:called|named|titled|entitled|labelled|labeled|dubbed) (?:it )?{_NAME}",
        rf"\b(?:call|name|label|title|dub) (?:it|this|that|this one|that one|the (?:run|result|strategy|"
        rf"scenario|rule|search|one|optimization|new one)) (?:as )?{_NAME}",
        rf"\b(?:save|keep|store|remember|bookmark|file|saved|stored|record)\b[^.;,]{{0,40}}?\b(?:as|"
        rf"under(?: the name)?(?: of)?) {_NAME}",
        rf"\b(?:under the name(?: of)?|by the name(?: of)?|with the name|name:) {_NAME}",
        rf"\b(?:copy|clone|duplicate)\b[^.;,]{{0,40}}?\b(?:to|as|into) {_NAME}",
        r"\bscenario (?P<name>'[^']+'|\"[^\"]+\")",
        rf"^\s*(?:please )?(?:load|reload|pull up saved|open saved) (?:the |my )?(?!.*\b(?:saved|stored|"
        rf"called|named)\b)(?:saved )?(?:strategy )?{_NAME}",
        r"\b(?:load|saved|reload|saved strategy|my) (?:strategy )?(?P<name>'[^']+'|\"[^\"]+\"|v\d+\b)",
        r"(?<![\w'])(?P<name>'[^']{2,60}'|\"[^\"]{2,60}\")(?!\w)",
    )
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
FILLER: Final = frozenset(stem(word) for word in ordinary.WORDS)
SYMBOLS: Final = frozenset(symbol.lower() for symbol in vocabulary.ASSETS if symbol.isupper())


def read(text: str, own_scenarios: Sequence[str] = ()) -> Reading:
    text = " ".join(text.split())
    folded = fold(text)
    marks: list[Mark] = []
    rest = folded
    for mark in _specials(folded, text, own_scenarios):
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
    named = {at for mark in marks for at in range(mark.start, mark.end)}
    strange = tuple(w for w in words if w.start not in named and w.stem not in FILLER and w.stem not in DOMAIN)
    names = [(mark.start, mark.end) for mark in marks if mark.kind in NAMES]
    unknown = tuple(w for w in strange if matters(w, text, names, [(a.start, a.end) for a in amounts]))
    marks = [mark for mark in marks if not _overruled(mark, marks)]
    marks.sort(key=lambda mark: (mark.start, -mark.end))
    return Reading(text, folded, amounts, tuple(marks), strange, unknown, tuple(words))


def _specials(folded: str, text: str, own_scenarios: Sequence[str]) -> Iterator[Mark]:
    for pattern in NAMING:
        for match in pattern.finditer(folded):
            start, end = match.span("name")
            spoken = text[start:end].strip().strip("'\"‘’“”")
            if match["name"] not in ("before", "well", "is", "usual", "it", "the", "a", "it is", "last time"):
                yield Mark("name", spoken, start, end, text[start:end])
    for name in own_scenarios:
        pattern = r"[\s_-]+".join(re.escape(part) for part in re.split(r"[\s_-]+", fold(name)))
        for match in re.finditer(rf"(?<!\w){pattern}(?!\w)", folded):
            yield Mark("scenario", name, *match.span(), match[0])
    for pattern, kind, value in SPECIAL:
        for match in re.finditer(pattern, folded):
            yield Mark(kind, value, *match.span(), match[0])
    for match in SPLIT.finditer(folded):
        yield Mark("split", match[0], *match.span(), match[0])
    for match in RUN.finditer(folded):
        yield Mark("run", match[0].lstrip("#"), *match.span(), match[0])


def _overruled(mark: Mark, marks: Sequence[Mark]) -> bool:
    """A word inside a longer phrase says nothing by itself."""
    if mark.kind not in INSIDE:
        return False
    return any(
        other.kind in INSIDE[mark.kind] and other.start <= mark.start and mark.end <= other.end
        and other.end - other.start > mark.end - mark.start
        for other in marks
    )  # fmt: skip


def _phrases(rest: str, words: Sequence[Word]) -> Iterator[Mark]:
    taken: set[int] = set()
    found: dict[int, list[tuple[int, str, str]]] = {}
    for kind, table in NAME_TABLES.items():
        for first, length, value in _matches(rest, words, table, frozenset()):
            found.setdefault(first, []).append((length, kind, value))
    for first in sorted(found):
        longest = max(length for length, _, _ in found[first])
        if any(place in taken for place in range(first, first + longest)):
            continue
        taken |= set(range(first, first + longest))
        for length, kind, value in found[first]:
            if length == longest:
                yield _mark(kind, value, words, first, length)
    for first, length, value in _matches(rest, words, SLOT_TABLE, frozenset(taken)):
        yield _mark("slot", value, words, first, length)
    for kind, table in CUE_TABLES.items():
        for first, length, value in _matches(rest, words, table, frozenset()):
            yield _mark(kind, value, words, first, length)


def _mark(kind: str, value: str, words: Sequence[Word], first: int, length: int) -> Mark:
    start, end = words[first].start, words[first + length - 1].end
    return Mark(kind, value, start, end, " ".join(word.text for word in words[first : first + length]))


def _matches(
    rest: str, words: Sequence[Word], table: dict[tuple[str, ...], str], taken: frozenset[int]
) -> Iterator[tuple[int, int, str]]:
    """The longest phrases of one table, from left to right."""
    longest, first = max(map(len, table)), 0
    while first < len(words):
        for length in range(min(longest, len(words) - first), 0, -1):
            span = words[first : first + length]
            value = table.get(tuple(word.stem for word in span))
            if value and not taken & set(range(first, first + length)) and _joined(rest, span):
                yield first, length, value
                first += length - 1
                break
        first += 1


def _joined(rest: str, span: Sequence[Word]) -> bool:
    return all(re.fullmatch(r"[\s\-_'/&]*", rest[left.end : right.start]) for left, right in pairwise(span))


@cache
def corrected(word: str) -> str:
    """What an abbreviation stands for, or the known word that `word` is a slip of, if there is exactly one."""
    word = ordinary.ABBREVIATIONS.get(word, word)
    own = stem(word)
    if len(word) < 4 or own in DOMAIN or own in FILLER or not word.isalpha():
        return word
    for known in (DOMAIN, FILLER):
        near = slips(own, known)
        if near:
            return next(iter(near)) if len(near) == 1 and not near & SYMBOLS else word
    return word


def slips(own: str, known: Iterable[str]) -> set[str]:
    """The nearest of the `known` words: two letters swapped, in longer words another one or two."""
    alike = [k for k in known if k[0] == own[0] and len(k) >= 4 and abs(len(k) - len(own)) <= 2]
    if swapped := {k for k in alike if sorted(k) == sorted(own) and distance(own, k) == 1}:
        return swapped
    for edits in range(1, (len(own) >= 5) + (len(own) >= 8) + 1):
        if near := {k for k in alike if distance(own, k) <= edits}:
            return near
    return set()


HEADS: Final = frozenset(
    stem(word)
    for word in "index indices stocks shares equity equities market markets portfolio fund function rule scenario "
    "world strategy estimator engine model template method allocation currency rate goal ratio limit weighting".split()
)
"""What an unknown word before it could change: "the frobnicated index"."""
ADDRESSED: Final = re.compile(r"\b(?:hi|hello|hey|dear|morning|afternoon|evening|thanks?|thx|cheers|regards|mrs?|ms|dr)\W+$")


def matters(word: Word, text: str, names: Sequence[tuple[int, int]], amounts: Sequence[tuple[int, int]]) -> bool:
    """Whether an unknown word could be a name, an amount or a unit; other words are chatter."""
    written, before, after = text[word.start : word.end], text[: word.start], text[word.end :]
    if not word.text.isascii() or not word.text.replace("'", "").isalpha():
        return True
    if any(0 <= word.start - end <= 1 or 0 <= start - word.end <= 1 for start, end in amounts):
        return True
    following = re.match(r"[\s-]+([a-z]+)", fold(after))
    if following and stem(corrected(following[1])) in HEADS:
        return True
    if _listed_with(before, after, names, word):
        return True
    if written[0].isupper() and not text.isupper() and re.search(r"[^\s.!?:'\"]\W*$", before):
        return not ADDRESSED.search(fold(before)) and not re.search(r"[.!?:]\W*$", before)
    return len(word.text) >= 3 and any(distance(word.text, symbol) <= 1 for symbol in SYMBOLS if len(symbol) >= 3)


def _listed_with(before: str, after: str, names: Sequence[tuple[int, int]], word: Word) -> bool:
    """Between commas or `and`, beside a name."""
    left = re.search(r"(?:,|/|&|\band|\bor|\bvs|\bversus)\s*(?:and |or )?$", before)
    right = re.match(r"\s*(?:,|/|&|and\b|or\b|vs\b|versus\b)\s*(?:and |or )?", after)
    return bool(
        (left and any(end == left.start() or before[end : left.start()].isspace() for _, end in names))
        or (right and any(start == word.end + right.end() for start, _ in names))
    )
