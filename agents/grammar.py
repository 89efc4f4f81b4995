"""Reads a message into marks: numbers as they were written, names from fixed lists, and words that cue."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Final

from agents import vocabulary as known

NAMES: Final = {
    "function": known.FUNCTIONS,
    "estimator": known.ESTIMATORS,
    "scenario": known.SCENARIOS,
    "engine": known.ENGINES,
    "goal": known.GOALS,
    "method": known.METHODS,
    "template": known.TEMPLATES,
    "asset": known.ASSETS,
    "rebalancing": known.REBALANCING,
}
"""What a person calls by its name; a word of a name cues no amount."""
CUES: Final = {
    "topic": known.TOPICS,
    "do": known.DO,
    "bound": {"upper": known.UPPER, "lower": known.LOWER},
    "negation": {"not": known.NEGATION},
    "only": {"only": known.ONLY},
    "each": {"each": known.EACH},
    "rest": {"rest": known.REST},
    "equally": {"equally": known.EQUALLY},
    "reference": {"last": known.RUN_LAST, "previous": known.RUN_PREVIOUS},
    "again": {"again": known.LAST},
    "change": {"change": known.CHANGE},
    "fresh": {"fresh": known.FRESH},
    "show": {"show": known.SHOW},
    "now": {"now": known.NOW},
    "flow": {"flow": known.FLOW},
    "foreign": {"foreign": known.FOREIGN},
    "forbidden": {"forbidden": known.FORBIDDEN},
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
class Amount:
    """A number with its unit; `text` is the quote."""

    text: str
    start: int
    end: int
    value: float
    unit: str
    """percent, bps, money, time, multiple, share, factor or plain; `m` may be million or months."""
    years: bool = False
    per: str = ""
    """What follows as `a month` or `per year`."""
    range_: bool = False


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
    unknown: tuple[Word, ...]
    words: tuple[Word, ...]

    def all(self, kind: str, *values: str) -> tuple[Mark, ...]:
        return tuple(m for m in self.marks if m.kind == kind and (not values or m.value in values))

    def has(self, kind: str, *values: str) -> bool:
        return bool(self.all(kind, *values))

    def part(self, start: int, end: int) -> "Reading":
        def inside(items):  # noqa: ANN001, ANN202
            return tuple(item for item in items if item.start >= start and item.end <= end)

        return replace(
            self,
            text=self.text[start:end],
            amounts=inside(self.amounts),
            marks=inside(self.marks),
            unknown=inside(self.unknown),
            words=inside(self.words),
        )


ONES: Final = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen"
SMALL: Final = {
    **{word: float(n) for n, word in enumerate(f"{ONES} seventeen eighteen nineteen".split())},
    **{word: 10.0 * n for n, word in enumerate("twenty thirty forty fifty sixty seventy eighty ninety".split(), 2)},
    "fourty": 40.0,
}
SCALES: Final = {
    "hundred": 1e2, "dozen": 12.0, "thousand": 1e3, "grand": 1e3, "k": 1e3, "million": 1e6, "mln": 1e6, "mn": 1e6,
    "mm": 1e6, "mio": 1e6, "mil": 1e6, "m": 1e6, "billion": 1e9, "bn": 1e9,
}  # fmt: skip
SHARES: Final = {
    "third": 1 / 3, "thirds": 1 / 3, "quarter": 0.25, "quarters": 0.25, "half": 0.5, "halves": 0.5, "fifth": 0.2,
    "fifths": 0.2, "tenth": 0.1, "tenths": 0.1,
}  # fmt: skip
MULTIPLES: Final = {
    "double": 2.0, "doubled": 2.0, "doubling": 2.0, "twice": 2.0, "triple": 3.0, "tripled": 3.0, "treble": 3.0,
    "quadruple": 4.0, "halve": 0.5, "halved": 0.5, "thrice": 3.0,
}  # fmt: skip
CURRENCY: Final = r"eur|usd|gbp|chf|[€$£]"
CURRENCIES: Final = (
    r"(?:us )?dollars?|euros?|eur|usd|gbp|chf|pounds?(?: sterling)?|sterling|quid|(?:swiss )?francs?|bucks|[€$£]"
)
UNITS: Final = {
    "percent": r"%(?!\w)|percentage points?|per ?cent|pct|pc\b",
    "bps": r"bps?|basis points?|bips",
    "money": CURRENCIES,
    "time": r"calendar years?|trading days?|years?|yrs?|y|months?|mths?|mos?|weeks?|wks?|business days?|days?|d|sessions?|"
    r"quarters?|decades?|trading years?",
    "factor": r"x|times|fold",
}
_WORD = "|".join(sorted((*SMALL,), key=len, reverse=True))
_SCALE = r"hundred|dozen|thousand|grand|million|mln|billion|bn|mio"
_SMALL = rf"(?:{_WORD})(?:[ -](?:{_WORD})\b)*"
_SPELLED = (
    rf"(?:minus |negative )?(?:(?:half|a quarter of) an? (?:{_SCALE})|"
    rf"(?:(?:{_SMALL})|an?(?= (?:{_SCALE}|decade)))(?: point (?:{_WORD})(?: (?:{_WORD}))*)?(?: and a (?:half|quarter))?"
    rf"(?:[ -](?:(?:{_SCALE})(?: and (?={_WORD}))?|(?:{_SMALL})|and a half))*|an?(?= decade)|(?:(?<=lookback )|(?<=lookback of )|(?<=window of )|(?<=window )|(?<=look back )|(?<=lookback is )|(?<=lookback to ))an?(?= (?:year|month|week|quarter)))"
)
_DIGITS = rf"(?<![\w.])[-+]?(?:{CURRENCY})?\s?(?:\d{{1,3}}(?:[,'’]\d{{3}})+(?!\d)|\d+)(?:[.,]\d+)?|(?<![\w.])[-+]?\.\d+"
_FRACTION = r"(?<!once )(?<!every )\b(?:an?|one|two|three)[ -](?:thirds?|quarters?|fifths?|tenths?|halves)\b|\bhalf\b(?: an? (?=percent|year|per cent|pct))?"
_UNIT = "|".join(rf"(?P<{name}>{unit})" for name, unit in UNITS.items())
NUMBER: Final = re.compile(
    rf"(?:(?P<prefix>{CURRENCY})\s?)?"
    rf"(?:(?P<multiple>\b(?:{'|'.join(MULTIPLES)})\b)|(?P<share>{_FRACTION})|(?P<digits>{_DIGITS})|\b(?P<spelled>{_SPELLED})(?![a-z]))"
    rf"(?:[ -]?(?P<scale>{_SCALE}|k|mn|mm|mil|m)(?![a-z]))?"
    rf"(?:[ -]?(?:of an? )?(?:{_UNIT})(?![a-z]))?"
    r"(?P<per>,? ?(?:a|an|per|each|every|/|p\.?) ?(?:month|year|annum|week|day|quarter|m\b\.?|a\b\.?)| (?:monthly|annually|yearly|weekly)(?! (?:rebal|lookback|ewma)))?"
)
FOLDED: Final = str.maketrans("’‘“”–—−‑´`\u00a0\u202f", "''\"\"----''  ")


def fold(text: str) -> str:
    """Lower case and plain quotes and dashes, character by character, so that places stay."""
    return "".join(low if len(low := c.lower()) == 1 else c for c in text.translate(FOLDED))


def amounts_in(folded: str) -> tuple[Amount, ...]:
    """The only place that finds numbers."""
    found = [amount for match in NUMBER.finditer(folded) if (amount := _amount(match, folded))]
    return tuple(_ranged(found, folded))


def _amount(match: re.Match[str], folded: str) -> Amount | None:
    named = [name for name in UNITS if match[name]]
    unit = named[0] if named else "plain"
    scale, end = match["scale"], match.start("per") if match["per"] else match.end()
    text = folded[match.start() : end]
    lone = unit == "plain" and not scale
    if match["multiple"]:
        return Amount(text, match.start(), end, MULTIPLES[match["multiple"]], "multiple")
    if match["share"]:
        return _share(match, end, unit)
    body = match["digits"] or match["spelled"]
    if lone and body == "one" and not match["prefix"]:
        return None
    value = _value(body) * SCALES.get(scale or "", 1.0)
    if match["prefix"] or (match["digits"] and re.match(CURRENCY, match["digits"].lstrip("+-"))):
        unit = "money"
    elif scale == "m" and unit == "plain":
        unit = "m"
    years = bool(match["time"]) and match["time"][0] == "y" or "decade" in (match["time"] or "")
    start = match.start() + len(text) - len(text.lstrip())
    return Amount(text.strip(), start, end, value, unit, years, (match["per"] or "").strip(" ,"))


def _share(match: re.Match[str], end: int, unit: str) -> Amount:
    words = re.findall(r"[a-z]+", match["share"])
    share = next(SHARES[word] for word in words if word in SHARES)
    value = share * SMALL.get(words[0], 1.0) if words[0] not in SHARES else share
    start = match.start() + len(match[0]) - len(match[0].lstrip())
    return Amount(match.string[start:end], start, end, value, "share" if unit == "plain" else unit)


def _value(body: str) -> float:
    body = re.sub(CURRENCY, "", body).strip()
    digits = re.sub(r"[,'](?=\d{3}(?!\d))", "", body).replace(",", ".").replace(" ", "")
    if re.fullmatch(r"[-+]?(\d+\.?\d*|\.\d+)", digits):
        return float(digits)
    return _spelled(re.findall(r"[a-z]+", body))


def _spelled(words: Sequence[str]) -> float:
    total, group, decimals = 0.0, 0.0, 0.0
    for word in words:
        if word == "point":
            decimals = 0.1
        elif decimals and word in SMALL:
            group, decimals = group + SMALL[word] * decimals, decimals / 10
        elif word in SMALL:
            group += SMALL[word]
        elif word == "half":
            group += 0.5
        elif word == "quarter":
            group += 0.25
        elif word in ("hundred", "dozen"):
            group = (group or 1.0) * SCALES[word]
        elif word in SCALES:
            total, group = total + (group or 1.0) * SCALES[word], 0.0
    sign = -1.0 if words and words[0] in ("minus", "negative") else 1.0
    return sign * (total + group or (1.0 if words and words[0] in ("a", "an") else 0.0))


def _ranged(found: Sequence[Amount], folded: str) -> Iterator[Amount]:
    tied: set[int] = set()
    for n, (left, right) in enumerate(zip(found, found[1:], strict=False)):
        between = folded[left.end : right.start]
        open_ = folded[: left.start].rstrip().endswith(("between", "from"))
        if re.fullmatch(r"\s*-\s*|\s+to\s+|\s+through\s+", between) or (open_ and re.fullmatch(r"\s+and\s+", between)):
            tied |= {n, n + 1}
        elif right.text.startswith("-") and not between:
            tied |= {n, n + 1}
    for n, amount in enumerate(found):
        yield replace(amount, range_=n in tied)


SPECIAL: Final = (
    (r"\bs ?(?:&|and|n) ?p(?:[ -]?(?:500|five hundred))?(?:'s)?\b(?: index)?|\bsp[ -]?500\b|\bspx\b(?: index)?|\bgspc\b", "asset", "sp500"),
    (r"\b(?:all |the |our |your )*(?:20|twenty)(?: bundled| single| big| large| us)? (?:stocks|names|shares|equities|companies)\b", "asset", "stocks"),
    (r"\bj&j\b|\bjohnson & johnson\b", "asset", "JNJ"),
    (r"\bprocter & gamble\b|\bp&g\b", "asset", "PG"),
    (r"\b(?:12|twelve|1|one)[ -]?(?:months?|m|years?)[ -](?:\w+ )?(?:rule|spreadsheet|template|inverse[ -]vol(?:atility)? rule)\b|\btwelve_month_rule\b", "template", "twelve_month_rule"),
    (r"\bcppi[ _-]?90\b(?! ?%)", "template", "cppi_90"),
    (r"\b(?:all|the|these|those|your|every|all of the|across)?\s?(?:six|6|all)(?: built-in| bundled| of the)? (?:scenarios|worlds|markets)\b", "scenario", "all"),
    (r"\b(?:all|the)? ?(?:five|5) (?:default |usual |weighted )?scenarios\b", "scenario", "default"),
    (r"\ball(?: the)? (?:weight |weighting )?(?:functions|rules)\b|\b(?:all )?(?:eleven|11) (?:weight |weighting )?(?:functions|rules)\b", "function", "all"),
    (r"\b(?:the |my |our |these |those |both )?(?:last |latest |previous )?two (?:runs|results|optimi[sz]ations)\b", "reference", "previous"),
    (r"\b1\s?/\s?n\b", "method", "equal_weight"),
)  # fmt: skip
"""Names that hold numbers or signs."""
SPLIT: Final = re.compile(
    r"(?<![\w/.])(\d{1,3})\s?[/:]\s?(\d{1,3})(?:\s?[/:]\s?(\d{1,3}))?(?![\w/])|\b(?:sixty[ /-]forty|fifty[ /-]fifty|seventy[ /-]thirty|eighty[ /-]twenty|50-50|60-40|70-30|80-20|90-10|40-60|30-70)\b"
)
RUN: Final = re.compile(
    r"(?<=\brun )#?(?=[0-9a-f]*\d)[0-9a-f]{3,64}\b|(?<=\bresult )#?(?=[0-9a-f]*\d)[0-9a-f]{3,64}\b|"
    r"\b(?!\d+[bd]\b|\d+e\d+\b)(?=[0-9a-f]*\d)(?=[0-9a-f]*[a-f])[0-9a-f]{4,64}\b"
)
_TO_END = r"(?=\s*(?:[,;:?!]|\.(?:\s|$)|$|(?<![-\w])(?:with|but|and|like|based|from|which|please|pls|using|for|then|so|to me|now|thanks|where|whose|in|it's|has|having|at)\b))"
_NAME = rf"(?P<name>'[^']+'|\"[^\"]+\"|[^\s,;:?!'\"][^,;:?!'\"]*?){_TO_END}"
NAMING: Final = tuple(
    re.compile(pattern)
    for pattern in (
        rf"\b(?:called|named|titled|entitled|labelled|labeled|dubbed) (?:it )?{_NAME}",
        rf"\b(?:call|name|label|title|dub) (?:it|this|that|this one|that one|the (?:run|result|strategy|scenario|rule|search|one|optimization|new one)) (?:as )?{_NAME}",
        rf"\b(?:save|keep|store|remember|bookmark|file|saved|stored|record)\b[^.;,]{{0,40}}?\b(?:as|under(?: the name)?(?: of)?) {_NAME}",
        rf"\b(?:under the name(?: of)?|by the name(?: of)?|with the name|name:) {_NAME}",
        rf"\b(?:copy|clone|duplicate)\b[^.;,]{{0,40}}?\b(?:to|as|into) {_NAME}",
        rf"\bscenario (?P<name>'[^']+'|\"[^\"]+\")",
        rf"^\s*(?:please )?(?:load|reload|pull up saved|open saved) (?:the |my )?(?!.*\b(?:saved|stored|called|named)\b)(?:saved )?(?:strategy )?{_NAME}",
        rf"\b(?:load|saved|reload|saved strategy|my) (?:strategy )?(?P<name>'[^']+'|\"[^\"]+\"|v\d+\b)",
        r"(?<![\w'])(?P<name>'[^']{2,60}'|\"[^\"]{2,60}\")(?!\w)",
    )
)


IRREGULAR: Final = frozenset(
    "drops here based earnings news saving savings saved stored puts calls cons used during thing king bring string spring lots need speed".split()
)
"""Words whose ending makes another word of them."""


@cache
def stem(word: str) -> str:
    """Without what ordinary endings add."""
    if word in IRREGULAR:
        return word
    for british, american in (
        ("isation", "ization"),
        ("ising", "izing"),
        ("ised", "ized"),
        ("ise", "ize"),
        ("our", "or"),
    ):
        if word.endswith(british) and len(word) > len(british) + 2:
            word = word.removesuffix(british) + american
    word = word.removesuffix("'s").replace("'", "")
    if word.endswith("ies") and len(word) > 4:
        word = word[:-3] + "y"
    elif word.endswith("s") and not word.endswith(("ss", "us", "is")) and len(word) > 3:
        word = word[:-1]
    for ending in ("ing", "ed"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            word = word[: -len(ending)]
            word = word[:-1] if len(word) > 3 and word[-1] == word[-2] and word[-1] not in "ls" else word
            break
    return word[:-1] if word.endswith("e") and len(word) > 3 else word


def _split(phrase: str) -> tuple[str, ...]:
    return tuple(stem(word) for word in re.findall(r"[a-z0-9']+", phrase))


def _compiled(tables: dict[str, dict[str, str]]) -> dict[str, dict[tuple[str, ...], str]]:
    return {
        kind: {_split(phrase): value for value, line in rows.items() for phrase in line.split("|")}
        for kind, rows in tables.items()
    }


NAME_TABLES: Final = _compiled(NAMES)
CUE_TABLES: Final = _compiled(CUES)
SLOT_TABLE: Final = _compiled({"slot": known.SLOTS})["slot"]
DOMAIN: Final = frozenset(
    part
    for tables in (NAME_TABLES, CUE_TABLES, {"slot": SLOT_TABLE})
    for table in tables.values()
    for phrase in table
    for part in phrase
)
FILLER: Final = frozenset(stem(word) for word in known.FILLER)
CORRECTED: Final = frozenset(
    part
    for table in (*NAME_TABLES.values(), SLOT_TABLE, CUE_TABLES["do"])
    for phrase in table
    for part in phrase
    if len(part) >= 4
)
SYMBOLS: Final = frozenset(_split(line)[0] for row in known.ASSETS.values() for line in row.split("|"))


def read(text: str, own_scenarios: Sequence[str] = ()) -> Reading:
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
    unknown = tuple(w for w in words if w.start not in named and w.stem not in FILLER and w.stem not in DOMAIN)
    marks = [mark for mark in marks if not _overruled(mark, marks)]
    marks.sort(key=lambda mark: (mark.start, -mark.end))
    return Reading(text, folded, amounts, tuple(marks), unknown, tuple(words))


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
    return all(
        re.fullmatch(r"[\s\-_'/&]*", rest[left.end : right.start]) for left, right in zip(span, span[1:], strict=False)
    )


@cache
def corrected(word: str) -> str:
    """The domain word that `word` is a slip of, if there is exactly one; names of assets have to be exact."""
    own = stem(word)
    if len(word) < 5 or own in DOMAIN or own in FILLER or not word.isalpha():
        return word
    reach = 1 if len(own) < 8 else 2
    for distance in range(1, reach + 1):
        near = [
            k
            for k in CORRECTED
            if k[0] == own[0] and abs(len(k) - len(own)) <= distance and _distance(own, k) <= distance
        ]
        if near:
            return near[0] if len(near) == 1 and near[0] not in SYMBOLS else word
    return word


def _distance(left: str, right: str) -> int:
    """Edits of one letter, and swaps of neighbours, between two words."""
    before: list[int] = []
    row = list(range(len(right) + 1))
    for i, a in enumerate(left, 1):
        older, before, row = before, row, [i]
        for j, b in enumerate(right, 1):
            best = min(before[j] + 1, row[-1] + 1, before[j - 1] + (a != b))
            if i > 1 and j > 1 and a == right[j - 2] and b == left[i - 2]:
                best = min(best, older[j - 2] + 1)
            row.append(best)
    return row[-1]
