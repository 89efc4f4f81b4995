"""Every number in a text, in digits or words of many scripts, plain or disguised; and those that no figure explains.

It guards what code has rendered, so it errs on one side: what looks like a number and is not explained is reported.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from tools.figures import Figure, shown
from tools.folding import MINUS, Folded, fold, foreign_words
from tools.units import (
    AFTER,
    BEFORE,
    CURRENCIES,
    DATE,
    NOT_A_DATE,
    SCALE_VALUES,
    SCALED,
    SIGN,
    NumberUnit,
)
from tools.worded import worded


@dataclass(frozen=True)
class Number:
    """`text[start:end]` of a text, with its sign, currency, scale and unit."""

    text: str
    start: int
    end: int
    value: float | None
    """In `unit`: 12% has the value 12. None where it cannot be told."""
    unit: NumberUnit = "plain"
    currency: str | None = None


@dataclass(frozen=True)
class _Found:
    """A number in folded text."""

    start: int
    end: int
    value: float | None
    unit: NumberUnit = "plain"
    currency: str | None = None


_CORE = re.compile(
    r"(?:(?P<whole>\d+)(?:\s+and\s+|[ -]))?(?P<over>\d+)\s?/\s?(?P<under>\d+)(?![\d/])"
    r"|(?P<digits>(?:\d{1,3}(?: \d{3})+(?!\d)|\d+)(?:[.,'_]\d+)*|(?<![\w])\.\d+)"
    r"(?:(?P<power>\s?[x×*]\s?10\s?\^?\s?[-−+]?\d+)|(?P<exponent>e[-−+]?\d+)(?![a-z])|(?P<raised>\^[-−]?\d+))?"
    r"(?P<ordinal>st|nd|rd|th)?(?![a-z])?",
)
_LIKE_DIGITS = str.maketrans("OoQlI|!SZB", "0001111528")
_LOOKS_LIKE = re.compile(
    r"(?<![A-Za-z0-9])[OIlSBZ|!]+[.,]?[OIlSBZ|!]*(?=\s?(?:%|percent|per cent|bps?\b|basis points?))"
)
_ROMAN = re.compile(
    r"(?<![A-Za-z0-9&])(?:(?=[IVX]{2})X{0,3}(?:IX|IV|V?I{0,4})|(?:ii|iii|iv|vii?i?|ix|xii?i?|xi?[vx]|xx))(?![A-Za-z0-9&])"
)
_ROMAN_OF = re.compile(
    r"(?<![A-Za-z0-9&])M{0,4}(?:CM|CD|D?C{0,4})(?:XC|XL|L?X{0,4})(?:IX|IV|V?I{0,4})(?![A-Za-z0-9&])"
    r"(?=\s?(?:%|percent|per cent|bps?\b|basis points?|years?\b|months?\b|days?\b))"
)
_HAN = re.compile(
    r"(?:百分之)?[〇零一二三四五六七八九十百千万萬億亿兆两兩廿卅壹贰貳叁參肆伍陆陸柒捌玖拾佰仟半點点]+(?:倍|成|割)?"
)
_BETWEEN_ENDS = re.compile(r"\s?(?:[-–—]|to|and|or|until|through)\s?")
_SPREADING = frozenset(
    {"percent", "bps", "points", "permille", "currency", "multiple", "years", "months", "weeks", "days"}
)
_BETWEEN = ".,:/'’-–·"
_SHARES = re.compile(r"(\d\d?)/(\d\d?)")
_NOUNS = re.compile(r"\b(day|week|month|quarter|year|session|trading day|decade|time|hour|minute|second)s?\b")
_NO_NAMES = frozenset(
    "a an and or of to the in at by for from until about around roughly nearly over under above below than between plus "
    "minus per up down exactly some is was e".split()
)
_MIRRORED = re.compile("[\u202e\u202d\u2067][^\u202c\u2069\n]+")


def numbers_in(text: str) -> tuple[Number, ...]:
    """Every number of `text` in reading order; the ends of a range are two numbers with the range's unit."""
    seen = fold(text)
    lower = "".join(c.lower() if len(c.lower()) == 1 else c for c in seen.text)
    found = _merged(
        [*_dates(lower), *_digits(seen.text, lower), *_words(seen.text, lower), *_letters(seen.text, lower)]
    )
    found = _merged([*found, *_signs(lower, found)])
    numbers = [_placed(text, seen, each) for each in _ranged(lower, found)]
    covered = [(n.start, n.end) for n in numbers]
    numbers += [n for n in _mirrored(text) if not any(s <= n.start and n.end <= e for s, e in covered)]
    return tuple(sorted(numbers, key=lambda number: number.start))


def _placed(text: str, seen: Folded, each: _Found) -> Number:
    start, end = seen.span(each.start, each.end)
    return Number(text[start:end], start, end, each.value, each.unit, each.currency)


def _mirrored(text: str) -> Iterator[Number]:
    """Characters that make a text run backwards hide what it says."""
    for match in _MIRRORED.finditer(text):
        yield Number(match[0], match.start(), match.end(), None, "unread")


def _merged(found: list[_Found]) -> list[_Found]:
    """Overlapping findings as one: the first and longest says what it is, its extent covers all."""
    result: list[_Found] = []
    for each in sorted(found, key=lambda f: (f.start, -f.end)):
        if result and each.start < result[-1].end:
            last = result[-1]
            same = each.end <= last.end
            result[-1] = last if same else _Found(last.start, each.end, None, each.unit, each.currency or last.currency)
        elif each.end > each.start:
            result.append(each)
    return result


def _ranged(lower: str, found: list[_Found]) -> list[_Found]:
    """In "3-5%", "EUR 3-5" and "between three and five percent" both ends carry the unit."""
    result = list(found)
    for place in range(len(result) - 2, -1, -1):
        first, second = result[place], result[place + 1]
        if not _BETWEEN_ENDS.fullmatch(lower, first.end, second.start):
            continue
        if first.unit == "plain" and second.unit in _SPREADING:
            result[place] = replace(first, unit=second.unit, currency=first.currency or second.currency)
        elif first.unit == "currency" and second.unit == "plain":
            result[place + 1] = replace(second, unit="currency", currency=first.currency)
    return result


def _dates(lower: str) -> Iterator[_Found]:
    for match in DATE.finditer(lower):
        if NOT_A_DATE.match(lower, match.end()) and not BEFORE.search(lower, 0, match.start()):
            yield _Found(match.start(), match.end(), None, "date")


def _digits(text: str, lower: str) -> Iterator[_Found]:
    taken = 0
    for match in _CORE.finditer(lower):
        if match.start() < taken:
            continue
        start, end, value = match.start(), match.end(), _value_of(match)
        whole_start, whole_end = _glued(lower, start, end)
        if whole_start < start or (whole_end > end and not _glued_unit(lower, end)):
            start, end, value = whole_start, whole_end, read_digits(text[whole_start:whole_end].translate(_LIKE_DIGITS))
            yield _measured(lower, start, end, value, "code" if value is None else "plain")
        else:
            yield _measured(lower, start, end, value, "ordinal" if match["ordinal"] else "plain")
        taken = end
    for match in _LOOKS_LIKE.finditer(text):
        yield _measured(lower, match.start(), match.end(), read_digits(match[0].translate(_LIKE_DIGITS)), "plain")


def _glued(lower: str, start: int, end: int) -> tuple[int, int]:
    """The whole token around digits: letters and more digits that touch them."""
    while start and lower[start - 1].isalnum():
        start -= 1
    while end < len(lower) and (lower[end].isalnum() or lower[end] in "^|"):
        end += 1
    return start, end


def _glued_unit(lower: str, end: int) -> bool:
    return bool(SCALED.match(lower, end) or AFTER.match(lower, end))


def _value_of(match: re.Match[str]) -> float | None:
    if match["under"]:
        if not int(match["under"]):
            return None
        return int(match["whole"] or 0) + int(match["over"]) / int(match["under"])
    value = read_digits(match["digits"])
    ten = match["power"] or match["exponent"]
    if value is None or not (ten or match["raised"]):
        return value
    power = int(re.sub(r".*[x×*]\s?10\s?\^?\s?|[e^+]", "", ten or match["raised"]).replace(MINUS, "-"))
    if abs(power) > 300:
        return None
    try:
        return value * 10.0**power if ten else value**power
    except (OverflowError, ZeroDivisionError):
        return None


def read_digits(digits: str) -> float | None:
    """The value of grouped digits by English rules, a lone comma before other than three digits being a decimal one."""
    if re.fullmatch(r"\d+|\d*\.\d+", digits):
        return float(digits)
    if re.fullmatch(r"[1-9]\d{0,2}(?:,\d{3})+(?:\.\d+)?|[1-9]\d{0,2}(?:[ '_]\d{3})+(?:\.\d+)?", digits):
        return float(re.sub(r"[ ,'_]", "", digits))
    if re.fullmatch(
        r"[1-9]\d{0,2}(?:[. ']\d{3})+,\d+|[1-9]\d{0,2}(?:\.\d{3}){2,}|\d+,\d+|[1-9]\d{0,2}(?: \d{3})+,\d+", digits
    ):
        return float(re.sub(r"[. ']", "", digits).replace(",", "."))
    lakhs = re.fullmatch(r"\d{1,2}(?:,\d{2})+,\d{3}", digits)
    return float(digits.replace(",", "")) if lakhs else None


def _measured(lower: str, start: int, end: int, value: float | None, unit: NumberUnit) -> _Found:
    """A number with the sign, the currency, the scale and the unit that stand at it."""
    factor = 1.0
    while scale := SCALED.match(lower, end):
        factor, end = factor * SCALE_VALUES[scale["word"].lower()], scale.end()
    currency = None
    if before := BEFORE.search(lower, max(0, start - 20), start):
        currency, start = _currency(before[0]), before.start()
    if sign := SIGN.search(lower, max(0, start - 12), start):
        start = sign.start()
    if currency is None and (before := BEFORE.search(lower, max(0, start - 20), start)):
        currency, start = _currency(before[0]), before.start()
    negative = sign is not None and sign[0].strip()[:1] in {"-", "–", MINUS, "m", "n"}
    if value is not None:
        value = value * factor * (-1.0 if negative or _in_parentheses(lower, start, end) else 1.0)
    if unit == "ordinal":
        return _Found(start, end, value, unit)
    after = AFTER.match(lower, end)
    if after is None:
        return _Found(start, end, value, "currency" if currency else unit, currency)
    name: NumberUnit = after.lastgroup  # pyright: ignore[reportAssignmentType]
    if name == "currency":
        cents = re.fullmatch(r"[\s-]?(?:cents?|pence)", after[0])
        return _Found(start, after.end(), None if cents else value, name, currency or _currency(after[0]))
    return _Found(start, after.end(), value, "currency" if currency else name, currency)


def _in_parentheses(lower: str, start: int, end: int) -> bool:
    """Accountants write a loss as (1.2%)."""
    rest = AFTER.match(lower, end)
    end = rest.end() if rest else end
    return lower[start - 1 : start] == "(" and lower[end : end + 1] == ")"


def _currency(word: str) -> str | None:
    plain = word.strip(" -")
    return next((code for code, pattern in CURRENCIES.items() if re.fullmatch(pattern, plain)), None)


def _words(text: str, lower: str) -> Iterator[_Found]:
    for start, end, value, unit in worded(text, lower):
        yield _measured(lower, start, end, value, unit)


def _letters(text: str, lower: str) -> Iterator[_Found]:
    """Roman and Chinese numerals."""
    for match in _ROMAN.finditer(text):
        if match[0]:
            yield _measured(lower, match.start(), match.end(), _roman(match[0].upper()), "plain")
    for match in _ROMAN_OF.finditer(text):
        if match[0]:
            yield _measured(lower, match.start(), match.end(), _roman(match[0]), "plain")
    for match in _HAN.finditer(text):
        yield _measured(lower, match.start(), match.end(), _han(match[0]), "plain")


def _roman(letters: str) -> float:
    values = [{"I": 1, "V": 5, "X": 10, "L": 50, "C": 100, "D": 500, "M": 1000}[letter] for letter in letters]
    return float(sum(-v if following > v else v for v, following in zip(values, [*values[1:], 0], strict=True)))


def _han(letters: str) -> float | None:
    """Chinese numerals up to the tens of thousands; None for what holds anything else."""
    total, digit = 0.0, None
    for letter in letters:
        value = unicodedata.numeric(letter, None)
        if value is None or value >= 1e4 or (value < 10 and digit is not None):
            return None
        if value < 10:
            digit = value
        else:
            total, digit = total + (1.0 if digit is None else digit) * value, None
    return total + (digit or 0.0)


def _signs(lower: str, found: Sequence[_Found]) -> Iterator[_Found]:
    """What must be a number although nothing above read it: a percent sign, a numeral of a script not listed."""
    covered = bytearray(len(lower))
    for each in found:
        covered[each.start : each.end] = b"\1" * (each.end - each.start)
    for place, character in enumerate(lower):
        if covered[place]:
            continue
        if character in "%‰‱":
            start = place
            while start and not covered[start - 1] and not lower[start - 1].isspace():
                start -= 1
            yield _Found(start, place + 1, None, "percent")
        elif unicodedata.numeric(character, None) is not None:
            yield _Found(place, place + 1, unicodedata.numeric(character), "plain")


class _Explained(NamedTuple):
    start: int
    end: int
    dates: bool
    """Only what reads as a date is explained here."""


def unexplained(text: str, figures: Iterable[Figure], permitted: Iterable[str] = ()) -> tuple[Number, ...]:
    """The numbers of a rendered text that stand neither in a figure as it is shown nor in a permitted name or date."""
    explained = [*_shown(text, figures), *_named(text, permitted)]
    unread = [Number(text[s:e], s, e, None, "unread") for s, e in foreign_words(text)]
    found = numbers_in(text)
    unread = [n for n in unread if not any(f.start < n.end and n.start < f.end for f in found)]
    left = [number for number in (*found, *unread) if not any(_explains(each, number) for each in explained)]
    return tuple(sorted(left, key=lambda number: number.start))


def _explains(explained: _Explained, number: Number) -> bool:
    inside = explained.start <= number.start and number.end <= explained.end
    return inside and (number.unit == "date" or not explained.dates)


def _shown(text: str, figures: Iterable[Figure]) -> Iterator[_Explained]:
    for figure in figures:
        reads = shown(figure)
        nouns = _NOUNS.findall(figure.quantity.lower()) if figure.unit in {"count", "ratio"} else []
        for phrase in (reads, *(f"{reads} {noun}{end}" for noun in nouns for end in ("", "s"))):
            for start, end in _occurrences(text, phrase):
                yield _Explained(start, end, figure.unit == "date")


def _named(text: str, permitted: Iterable[str]) -> Iterator[_Explained]:
    folded_case = text.casefold()
    same = len(folded_case) == len(text)
    for name in permitted:
        numbers = numbers_in(name)
        dates = bool(numbers) and all(number.unit == "date" for number in numbers)
        if dates or _is_name(name, numbers):
            places = _occurrences(folded_case, name.casefold()) if same else _occurrences(text, name)
            for start, end in places:
                yield _Explained(start, end, dates and not _is_name(name, numbers))


def _is_name(name: str, numbers: Iterable[Number]) -> bool:
    """Whether anything but numbers is in it; 60/40 is what a portfolio is called."""
    if (shares := _SHARES.fullmatch(name.strip())) and int(shares[1]) + int(shares[2]) == 100:
        return True
    rest = list(name)
    for number in numbers:
        if number.unit not in {"code", "unread"}:
            rest[number.start : number.end] = " " * (number.end - number.start)
    return any(word not in _NO_NAMES for word in re.findall(r"[^\W\d_]+", "".join(rest).lower()))


def _occurrences(text: str, phrase: str) -> Iterator[tuple[int, int]]:
    """Where `phrase` stands as whole tokens."""
    start = text.find(phrase) if phrase else -1
    while start >= 0:
        end = start + len(phrase)
        if _opens(text, start) and _closes(text, end):
            yield start, end
        start = text.find(phrase, start + 1)


def _opens(text: str, start: int) -> bool:
    before = text[:start][-2:]
    if not before or not text[start].isalnum():
        return not before or not _touches(before[-1])
    return not _touches(before[-1]) and not (len(before) == 2 and before[1] in _BETWEEN and before[0].isdigit())


def _closes(text: str, end: int) -> bool:
    after = text[end : end + 2]
    if not after or _touches(after[0]):
        return not after
    return not (len(after) == 2 and text[end - 1].isdigit() and after[0] in _BETWEEN and after[1].isdigit())


def _touches(character: str) -> bool:
    """Whether a character beside a number would change it."""
    return (
        character in "%‰‱_^@#&*"
        or unicodedata.category(character)[0] in "LNM"
        or (unicodedata.category(character) in {"Sc", "Sm", "Sk", "So", "Cf"})
    )
