"""Finds every number in a text, in digits or words of many scripts, and those that no figure explains.

The guard applies it to rendered text, so it reports anything that looks like a number and is not explained.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import NamedTuple

from desk.figures.figures import Figure, format_figure
from desk.figures.guard.numerals import NumberSpan, find_dates, find_digits, find_numeral_letters, with_unit
from desk.figures.guard.spelled_numbers import find_number_words
from desk.figures.guard.unicode import FoldedText, fold, foreign_words
from desk.figures.guard.units import NumberUnit


@dataclass(frozen=True)
class Number:
    """A number at `text[start:end]`, with its sign, currency, scale and unit."""

    text: str
    start: int
    end: int
    value: float | None
    """Value in `unit`: 12 for 12%. None if unknown."""
    unit: NumberUnit = "plain"
    currency: str | None = None


_BETWEEN_ENDS = re.compile(r"\s?(?:[-–—]|to|and|or|until|through)\s?")
_RANGE_UNITS = frozenset(
    {"percent", "bps", "points", "permille", "currency", "multiple", "years", "months", "weeks", "days"}
)
_BETWEEN = ".,:/'’-–·"
_SHARES = re.compile(r"(\d\d?)/(\d\d?)")
_NOUNS = re.compile(r"\b(day|week|month|quarter|year|session|decade|time|hour|minute|second)s?\b")
_MEASURES = frozenset({"percent", "bps", "points", "permille", "currency", "multiple"})
_KINDS = ("", "trading ", "calendar ")
_NO_NAMES = frozenset(
    "a an and or of to the in at by for from until about around roughly nearly over under above below than between "
    "plus minus per up down exactly some is was e x k m mn bn year years yearly month months week weeks day "
    "days".split()
)
_MIRRORED = re.compile("[\u202e\u202d\u2067][^\u202c\u2069\n]+")


@lru_cache(maxsize=1024)
def find_numbers(text: str) -> tuple[Number, ...]:
    """Return the numbers of `text` in reading order; the ends of a range are two numbers with its unit."""
    folded_text = fold(text)
    lower = "".join(c.lower() if len(c.lower()) == 1 else c for c in folded_text.text)
    spans = [
        *find_dates(lower),
        *find_digits(folded_text.text, lower),
        *_words(folded_text.text, lower),
        *find_numeral_letters(folded_text.text, lower),
    ]
    spans = _merge(spans)
    spans = _merge([*spans, *_signs(lower, spans)])
    numbers = list(_in_original(text, folded_text, _share_range_units(lower, spans)))
    covered = [(n.start, n.end) for n in numbers]
    numbers += [n for n in _reversed_text(text) if not any(s <= n.start and n.end <= e for s, e in covered)]
    return tuple(sorted(numbers, key=lambda number: number.start))


def _in_original(text: str, folded_text: FoldedText, spans: Sequence[NumberSpan]) -> Iterator[Number]:
    """Map spans to the original text without overlaps: one character may end a number and begin another."""
    end = 0
    for each in spans:
        first, last = folded_text.span(each.start, each.end)
        if last > end:
            yield Number(text[max(first, end) : last], max(first, end), last, each.value, each.unit, each.currency)
        end = max(end, last)


def _reversed_text(text: str) -> Iterator[Number]:
    """Report text behind characters that reverse the reading direction."""
    for match in _MIRRORED.finditer(text):
        yield Number(match[0], match.start(), match.end(), None, "unread")


def _merge(spans: list[NumberSpan]) -> list[NumberSpan]:
    """Merge overlapping spans: the first and longest determines the unit, the extent covers all."""
    result: list[NumberSpan] = []
    for each in sorted(spans, key=lambda f: (f.start, -f.end)):
        if result and each.start < result[-1].end:
            last = result[-1]
            same = each.end <= last.end
            result[-1] = (
                last if same else NumberSpan(last.start, each.end, None, each.unit, each.currency or last.currency)
            )
        elif each.end > each.start:
            result.append(each)
    return result


def _share_range_units(lower: str, spans: list[NumberSpan]) -> list[NumberSpan]:
    """Give both ends of a range the unit: "3-5%", "EUR 3-5", "between three and five percent"."""
    result = list(spans)
    for place in range(len(result) - 2, -1, -1):
        first, second = result[place], result[place + 1]
        if not _BETWEEN_ENDS.fullmatch(lower, first.end, second.start):
            continue
        if first.unit == "plain" and second.unit in _RANGE_UNITS:
            result[place] = replace(first, unit=second.unit, currency=first.currency or second.currency)
        elif first.unit == "currency" and second.unit == "plain":
            result[place + 1] = replace(second, unit="currency", currency=first.currency)
    return result


def _words(text: str, lower: str) -> Iterator[NumberSpan]:
    for start, end, value, unit in find_number_words(text, lower):
        yield with_unit(lower, start, end, value, unit)


def _signs(lower: str, spans: Sequence[NumberSpan]) -> Iterator[NumberSpan]:
    """Report remaining numeric characters: a lone percent sign, a numeral of another script."""
    covered = bytearray(len(lower))
    for each in spans:
        covered[each.start : each.end] = b"\1" * (each.end - each.start)
    for place, character in enumerate(lower):
        if covered[place]:
            continue
        if character in "%‰‱":
            start = place
            while start and not covered[start - 1] and not lower[start - 1].isspace():
                start -= 1
            yield NumberSpan(start, place + 1, None, "percent")
        elif unicodedata.numeric(character, None) is not None:
            yield NumberSpan(place, place + 1, unicodedata.numeric(character), "plain")


class _Explanation(NamedTuple):
    start: int
    end: int
    dates: bool
    """Whether only dates are explained by it."""


def find_unexplained(text: str, figures: Iterable[Figure], permitted: Iterable[str] = ()) -> tuple[Number, ...]:
    """Return the numbers of a rendered text that are in neither a formatted figure nor a permitted name."""
    explanations = [*_figure_explanations(text, figures), *_name_explanations(text, permitted)]
    unreadable = [Number(text[s:e], s, e, None, "unread") for s, e in foreign_words(text)]
    numbers = find_numbers(text)
    unreadable = [n for n in unreadable if not any(f.start < n.end and n.start < f.end for f in numbers)]
    unexplained_numbers = [
        number for number in (*numbers, *unreadable) if not any(_explains(each, number) for each in explanations)
    ]
    return tuple(sorted(unexplained_numbers, key=lambda number: number.start))


def _explains(explanation: _Explanation, number: Number) -> bool:
    inside = explanation.start <= number.start and number.end <= explanation.end
    return inside and (number.unit == "date" or not explanation.dates)


def _figure_explanations(text: str, figures: Iterable[Figure]) -> Iterator[_Explanation]:
    for figure in figures:
        reads = format_figure(figure)
        nouns = _NOUNS.findall(figure.quantity.lower()) if figure.unit in {"count", "ratio"} else []
        for phrase in (
            reads,
            *(f"{reads} {kind}{noun}{end}" for noun in nouns for kind in _KINDS for end in ("", "s")),
        ):
            for start, end in _occurrences(text, phrase):
                yield _Explanation(start, end, figure.unit == "date")


def _name_explanations(text: str, permitted: Iterable[str]) -> Iterator[_Explanation]:
    folded_case = text.casefold()
    same = len(folded_case) == len(text)
    for name in permitted:
        numbers = find_numbers(name)
        dates = bool(numbers) and all(number.unit == "date" for number in numbers)
        if dates or is_name(name, numbers):
            places = _occurrences(folded_case, name.casefold()) if same else _occurrences(text, name)
            for start, end in places:
                yield _Explanation(start, end, dates and not is_name(name, numbers))


def is_name(name: str, numbers: Iterable[Number] | None = None) -> bool:
    """Whether a string is a name and not a number or a measurement; 60/40 is the name of a portfolio."""
    if (shares := _SHARES.fullmatch(name.strip())) and int(shares[1]) + int(shares[2]) == 100:
        return True
    rest = list(name)
    for number in find_numbers(name) if numbers is None else numbers:
        if number.unit in _MEASURES:
            return False
        if number.unit not in {"code", "unread"}:
            rest[number.start : number.end] = " " * (number.end - number.start)
    return any(word not in _NO_NAMES for word in re.findall(r"[^\W\d_]+", "".join(rest).lower()))


def _occurrences(text: str, phrase: str) -> Iterator[tuple[int, int]]:
    """Find `phrase` as whole tokens."""
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
