"""Reads a message into words, and the numbers, dates, names and runs that stand over some of them."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final

from agents.planner.language.lexicon import STOP_WORDS, Lexicon
from agents.planner.language.stems import stem
from desk.conversation.focus import Focus
from desk.conversation.quotes import apart
from desk.figures.guard.numbers import Number, find_numbers

FOLDED: Final = str.maketrans("’‘“”–—−‑´`\u00a0\u202f", "''\"\"----''  ")
WORD: Final = re.compile(r"(?!(?<=\d')s\b)[^\W\d_]+(?:'[^\W\d_]+)?|\d+")
_ID: Final = r"#?(?=[0-9a-f]*\d)(?=[0-9a-f]*[a-f])[0-9a-f]"
RUN: Final = re.compile(
    rf"(?<![\w.]){_ID}{{6,32}}(?![\w%])|(?:(?<=run )|(?<=runs )|(?<=result )|(?<=results ))#?{_ID}{{4,5}}(?![\w%])|"
    rf"(?:(?<=\band )|(?<=\bvs )|(?<=\bas )|(?<=\bid )|(?<=\bsearch ))#?{_ID}{{4,5}}(?![\w%])"
)
SPLIT: Final = re.compile(
    r"(?<![\w./:-])(?:\d{1,3}(?:\s?[/:-]\s?\d{1,3})+|0?\.\d{1,3}(?:\s?/\s?0?\.\d{1,3})+)(?![\w/:%-]|\.\d)"
)
MONTH: Final = re.compile(r"(?<![\w./-])(?:0?[1-9]|1[0-2])/(?:19|20)\d{2}(?![\w/%])|(?<=since | from )'\d\d(?![\w%'])")
"""A month of a year, as in "since 05/2003", or a year of two digits, as in "from '98"."""
PEOPLE: Final = re.compile(
    r"\b(?:Mr|Mrs|Ms|Miss|Dr|Prof|Herr|Frau)\b\.? (?:[A-Z][\w'-]+ ?){1,2}(?:, (?:aged )?[1-9]\d(?=,| and\b))?|"
    r"\b[A-Z][\w'-]+ (?:family|family's|foundation|trust|estate|account|mandate)\b"
)
"""Names of people, who are asked for."""
AGE: Final = re.compile(
    r"(?:\b(?:he|she|i|we|they|who|client|wife|husband|mr \w+|mrs \w+|ms \w+)(?:'s|'m|'re| is| am| are| just turned)|"
    r"\b(?:aged|turned|turns)|\bis(?: now)?(?= \d\d and (?:would|wants?|has|retires)\b)) [1-9]\d\b"
    r"(?= and\b|[,.;?!](?!\d)|$)|"
    r"\b[1-9]\d[ -]?(?:years?[ -]old|yrs? old|year-olds?|yo)\b|(?:\bboth aged|\bare both|'re both) [1-9]\d\b"
)
"""How old somebody is, which says nothing about money."""
_YEAR: Final = r"((?:(?:0?[1-9]|1[0-2])/)?(?:19|20)\d{2})"
YEARS: Final = re.compile(rf"(?<![\w./-]){_YEAR} ?(?:--?|to) ?{_YEAR}(?![\w/%-])")
"""The first and the last year, or month of a year, as in "2003-2009"."""
CRISIS: Final = re.compile(
    r"\b(?:the )?(?:(?:global |great )?financial crisis|gfc|dot[- ]?com(?: (?:crash|bust|bubble|years))?|tech bubble|"
    r"ltcm|lehman(?: (?:crisis|bankruptcy|collapse))?|(?:covid(?:-19)?|corona)(?: (?:crash|sell-off|crisis))?|pandemic|"
    r"black monday|euro crisis)\b"
)
"""Crises by name, whose days are known."""
MULTIPLE: Final = re.compile(r"(?<![\w])[x×]\d+(?:\.\d+)?(?!\w)")
_NAME: Final = (
    r"(?P<name>(?-i:[A-Z0-9])[\w&/-]*(?:\.\w+)*(?: (?:(?-i:[A-Z])[\w&-]*|\d[\w-]*))*"
    r"(?:(?: (?!please|pls|for|and|but|in|w|with|where|like|then|so|as|on)[a-z][\w-]*){1,2}(?=[.!]?$))?|"
    r"[\w][\w&/-]*(?: (?!like|w|with|where|based|from|and|but|using|please|for|in|having|that|it|as|on|same|then|is|"
    r"which)"
    r"[a-z][\w-]*){0,2})"
)
NAMED: Final = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"(?<![\w'])['\"](?P<name>[^'\"]{2,60})['\"](?!\w)",
        rf"\b(?:called(?! (?:me|us|him|her|back|for|on)\b)|named|call(?:ed)? (?:it|this|that)|name (?:it|this|that)|"
        rf"name:|with the name(?: of)?|(?:under|by)(?: the)? name(?: of)?),?:? {_NAME}",
        rf"\b(?:save|keep|store|remember|bookmark|archive|pin|clone|copy|duplicate)\b[^.;,\"']{{0,40}}?"
        rf"\b(?:as|under|to|into) (?!the\b|a\b|my\b|it\b){_NAME}",
        rf"\bscenario {_NAME}(?=\s?:)",
        r"\bscenario (?P<name>(?-i:[A-Z])[\w-]*(?: (?-i:[A-Z0-9])[\w-]*)*)(?=[,.;]|$| like| with| as)",
        rf"[,;.:] name (?!it\b){_NAME}",
    )
)
SAVED: Final = re.compile(
    r"\b(?:load|saved|stored|reload)(?: up)?(?: the| my| one| it)*(?: strategy| rule| config)?"
    r"(?: (?:as|called|named|under))?,? "
    r"['\"]?(?!strateg|portfolio|data|rule|to|and|with|by|here|so|as|under|it|one|run|result|in|the|up|[\d.]+ ?%|"
    r"me\b|us\b|any)"
    rf"{_NAME}",
    re.IGNORECASE,
)
HELD: Final = re.compile(r"%,? (?:of |in |to )?(?P<name>[A-Z]{2,5})\b(?![&'])|\b(?P<other>[A-Z]{2,5}),? \d+(?:\.\d+)?%")
"""A ticker in capitals beside a share, whether it has prices or not."""
BREAKS: Final = re.compile(r"[.;:!?]\s|[,(){}\[\]\n|=]")
WITHIN: Final = re.compile(r"[.;!?]\s|[,(){}\[\]\n|]")
"""Punctuation that ends a phrase."""
TIMES: Final = re.compile(
    r"\b(?:half an? (?:year|decade)|a year and a half|a decade)\b|"
    r"(?:(?<=lookback )|(?<=lookback of )|(?<=window )|(?<=window of ))an? (?:year|quarter|month)\b"
)


@dataclass(frozen=True)
class Word:
    text: str
    stem: str
    start: int
    end: int
    slip: str = ""
    """The word as it was written, if it was corrected."""


@dataclass(frozen=True)
class Item:
    """Words of a message and what they mean: a phrase, number, name or run; `stop` and `unknown` mean nothing."""

    kind: str
    value: str
    first: int
    last: int
    text: str
    number: Number | None = None

    @property
    def unit(self) -> str:
        return self.number.unit if self.number else ""

    @property
    def size(self) -> float:
        return (self.number and self.number.value) or 0.0


@dataclass(frozen=True, eq=False)
class Reading:
    text: str
    words: tuple[Word, ...]
    spans: tuple[Item, ...]
    gaps: tuple[str, ...]
    """What stands before each word."""

    def quote(self, first: int, last: int) -> str:
        return self.text[self.words[first].start : self.words[last - 1].end]

    def quote_from(self, number: "Item", last: int) -> str:
        """A number with its signs, and what follows it up to a word."""
        start = self.text.find(number.text, max(0, self.words[number.first].start - len(number.text)))
        return self.text[start : self.words[max(last, number.last) - 1].end]

    @property
    def plain(self) -> str:
        """The words in full, without punctuation."""
        return " ".join(word.text for word in self.words)

    def is_stop(self, n: int) -> bool:
        return self.words[n].text.removesuffix("'s") in STOP_WORDS


def read(text: str, focus: Focus, lexicon: Lexicon) -> Reading:
    own = [("scenario", name) for name in focus.scenarios]
    own += [("asset", dataset) for dataset in focus.data]
    own += [("series", f"{dataset}:{asset}") for dataset, assets in focus.data.items() for asset in assets]
    own += [("series", asset) for assets in focus.data.values() for asset in assets]
    return _read(" ".join(re.sub(r"\s*\n[\s*·•-]*", " ; ", text.strip()).split()), tuple(own), lexicon)


@lru_cache(maxsize=64)
def _read(text: str, own: tuple[tuple[str, str], ...], lexicon: Lexicon) -> Reading:
    folded = _fold(text)
    words = tuple(_words(folded, lexicon))
    gaps = tuple(folded[left : word.start] for left, word in zip((0, *(w.end for w in words)), words, strict=False))
    return Reading(text, words, tuple(_spans(text, folded, own, words, lexicon)), gaps)


def _fold(text: str) -> str:
    """Lower case with plain quotes and dashes; every character keeps its position."""
    return "".join(low if len(low := c.lower()) == 1 else c for c in text.translate(FOLDED))


def _words(folded: str, lexicon: Lexicon) -> Iterator[Word]:
    for match in WORD.finditer(folded):
        full = lexicon.full(match[0])
        yield Word(full, stem(full), *match.span(), slip=match[0] if full != match[0] else "")


def _spans(
    text: str, folded: str, own: Sequence[tuple[str, str]], words: Sequence[Word], lexicon: Lexicon
) -> Iterator[Item]:
    def over(kind: str, value: str, start: int, end: int, number: Number | None = None) -> Iterator[Item]:
        inside = [n for n, word in enumerate(words) if word.start < end and start < word.end]
        if inside:
            quote = value if number else text[words[inside[0]].start : words[inside[-1]].end]
            yield Item(kind, value, inside[0], inside[-1] + 1, quote, number)

    for kind, name, start, end in (*_names(text, folded), *_own_names(text, folded, own), *_held(text, lexicon)):
        yield from over(kind, name, start, end)
    masked = folded
    for kind, value, start, end, number in _signs(folded):
        yield from over(kind, value, start, end, number)
        masked = masked[:start] + "q" * (end - start) + masked[end:]
    masked = apart(INDEX.sub(lambda m: "q" * len(m[0]), masked))
    for number in find_numbers(masked):
        if _only_counts(number, folded[number.end :]):
            yield from over("frame", "count", number.start, number.end)
        elif number.unit not in ("ordinal", "code", "unread", "time"):
            start = number.end - len(number.text.lstrip("=≈~ "))
            known = _as_count(number, folded[:start], folded[number.end :])
            kind = "date" if known.unit == "date" else "number"
            yield from over(kind, text[start : number.end].strip().rstrip("."), start, number.end, known)


def _names(text: str, folded: str) -> Iterator[tuple[str, str, int, int]]:
    """Names that something is or was given, and those of people."""
    named = folded if _is_shouted(text) else text.translate(FOLDED)  # capitals tell a name from what follows it
    for kind, pattern in (*(("name", pattern) for pattern in NAMED), ("saved", SAVED)):
        for match in pattern.finditer(named):
            yield kind, text[slice(*match.span("name"))].strip(" .,:'\""), *match.span("name")
    for match in PEOPLE.finditer(text):
        yield "frame", "person", *match.span()
    for match in AGE.finditer(folded):
        yield "frame", "age", *match.span()


def _is_shouted(text: str) -> bool:
    """Whether most letters are capitals, which tell no names then."""
    return 2 * sum(map(str.isupper, text)) > sum(map(str.isalpha, text))


def _held(text: str, lexicon: Lexicon) -> Iterator[tuple[str, str, int, int]]:
    """Tickers beside a share; DD is a drawdown."""
    for match in () if _is_shouted(text) else HELD.finditer(text):
        group = "name" if match["name"] else "other"
        if not lexicon.knows(match[group].lower()):
            yield "asset", match[group], *match.span(group)


def _own_names(text: str, folded: str, own: Sequence[tuple[str, str]]) -> Iterator[tuple[str, str, int, int]]:
    """Where names of a person's own stand; an asset as it is written: BOND is one, and a bond is none."""
    for kind, name in own:
        parts = re.split(r"[\s_-]+", name if kind == "series" else _fold(name))
        pattern = r"[\s_-]+".join(map(re.escape, parts))
        for match in re.finditer(rf"(?<!\w){pattern}(?!\w)", text if kind == "series" else folded):
            yield "asset" if kind == "series" else kind, name, *match.span()


def _only_counts(number: Number, after: str) -> bool:
    small = number.unit == "plain" and 1.0 < (number.value or 0.0) < 6.0
    return number.text.lower() == "one" or (small and COUNT.match(after) is not None)


def _as_count(number: Number, before: str, after: str) -> Number:
    """A number of four digits beside "paths" or "trials" is no year."""
    if not (re.fullmatch(r"\d{4}", number.text) and COUNTED.search(f"{before}#{after}")):
        return number
    return replace(number, value=float(number.text), unit="plain")


COUNT: Final = re.compile(
    r" (?:\w+ )?(?:results?|runs|names|shares|holdings|positions|companies|sentences|lines|words|bullets|paragraphs|"
    r"searches|optimi[sz]ations|methods|ways|options|reasons|numbers|figures|of (?:them|these|those)|most|latest|last|"
    r"previous|approaches|schemes)\b"
)
"""What follows a number that only counts what is named anyway."""
COUNTED: Final = re.compile(r"\b(?:paths?|trials?|seed|simulations?)\b[ :=]*#|# (?:paths?|trials?|simulations?)\b")
INDEX: Final = re.compile(r"\bs ?& ?p(?:[ -]?500)?|\bsp ?500|\b(?:m|pi)(?= ?=)|\ba? ?couple\b(?! of)|\(1, ?1\)")
"""What the reader of numbers would take for one: the index, symbols of parameters, two people."""


def _signs(folded: str) -> Iterator[tuple[str, str, int, int, Number | None]]:
    """Ids of runs, splits such as 60/40, multiples such as x2, and times that the reader of numbers does not know."""
    for match in RUN.finditer(folded):
        yield "run", match[0].lstrip("#"), *match.span(), None
    for match in SPLIT.finditer(folded):
        if abs(sum(map(float, re.findall(r"[\d.]+", match[0]))) - (1.0 if "." in match[0] else 100.0)) < 1e-9:
            yield "split", match[0], *match.span(), None
    ranges = [match.span(group) for match in YEARS.finditer(folded) for group in (1, 2)]
    for start, end in ranges or [match.span() for match in MONTH.finditer(folded)]:
        yield "date", folded[start:end], start, end, Number(folded[start:end], 0, 0, None, "date")
    for match in CRISIS.finditer(folded):
        yield "date", match[0], *match.span(), Number(match[0], 0, 0, None, "date")
    for match in MULTIPLE.finditer(folded):
        yield "number", match[0], *match.span(), Number(match[0], 0, 0, float(match[0].lstrip("x× ")), "multiple")
    for match in TIMES.finditer(folded):
        unit = "years" if "year" in match[0] or "decade" in match[0] else "months"
        yield "number", match[0], *match.span(), Number(match[0], 0, 0, None, unit)
