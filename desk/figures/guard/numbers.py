"""Every number in a text, in digits or words of many scripts, plain or disguised; and those that no figure explains.

It guards what code has rendered, so it errs on one side: what looks like a number and is not explained is reported.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from desk.figures.figures import Figure, shown
from desk.figures.guard.numerals import Found, dates, digits, letters, measured
from desk.figures.guard.spelled_numbers import worded
from desk.figures.guard.unicode import Folded, fold, foreign_words
from desk.figures.guard.units import NumberUnit


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


_BETWEEN_ENDS = re.compile(r"\s?(?:[-–—]|to|and|or|until|through)\s?")
_SPREADING = frozenset(
    {"percent", "bps", "points", "permille", "currency", "multiple", "years", "months", "weeks", "days"}
)
_BETWEEN = ".,:/'’-–·"
_SHARES = re.compile(r"(\d\d?)/(\d\d?)")
_NOUNS = re.compile(r"\b(day|week|month|quarter|year|session|decade|time|hour|minute|second)s?\b")
_KINDS = ("", "trading ", "calendar ")
_NO_NAMES = frozenset(
    "a an and or of to the in at by for from until about around roughly nearly over under above below than between "
    "plus minus per up down exactly some is was e".split()
)
_MIRRORED = re.compile("[\u202e\u202d\u2067][^\u202c\u2069\n]+")


def numbers_in(text: str) -> tuple[Number, ...]:
    """Every number of `text` in reading order; the ends of a range are two numbers with the range's unit."""
    seen = fold(text)
    lower = "".join(c.lower() if len(c.lower()) == 1 else c for c in seen.text)
    found = [*dates(lower), *digits(seen.text, lower), *_words(seen.text, lower), *letters(seen.text, lower)]
    found = _merged(found)
    found = _merged([*found, *_signs(lower, found)])
    numbers = list(_placed(text, seen, _ranged(lower, found)))
    covered = [(n.start, n.end) for n in numbers]
    numbers += [n for n in _mirrored(text) if not any(s <= n.start and n.end <= e for s, e in covered)]
    return tuple(sorted(numbers, key=lambda number: number.start))


def _placed(text: str, seen: Folded, found: Sequence[Found]) -> Iterator[Number]:
    """In the original, where one character may look like the end of a number and the beginning of another."""
    end = 0
    for each in found:
        first, last = seen.span(each.start, each.end)
        if last > end:
            yield Number(text[max(first, end) : last], max(first, end), last, each.value, each.unit, each.currency)
        end = max(end, last)


def _mirrored(text: str) -> Iterator[Number]:
    """Characters that make a text run backwards hide what it says."""
    for match in _MIRRORED.finditer(text):
        yield Number(match[0], match.start(), match.end(), None, "unread")


def _merged(found: list[Found]) -> list[Found]:
    """Overlapping findings as one: the first and longest says what it is, its extent covers all."""
    result: list[Found] = []
    for each in sorted(found, key=lambda f: (f.start, -f.end)):
        if result and each.start < result[-1].end:
            last = result[-1]
            same = each.end <= last.end
            result[-1] = last if same else Found(last.start, each.end, None, each.unit, each.currency or last.currency)
        elif each.end > each.start:
            result.append(each)
    return result


def _ranged(lower: str, found: list[Found]) -> list[Found]:
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


def _words(text: str, lower: str) -> Iterator[Found]:
    for start, end, value, unit in worded(text, lower):
        yield measured(lower, start, end, value, unit)


def _signs(lower: str, found: Sequence[Found]) -> Iterator[Found]:
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
            yield Found(start, place + 1, None, "percent")
        elif unicodedata.numeric(character, None) is not None:
            yield Found(place, place + 1, unicodedata.numeric(character), "plain")


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
        for phrase in (
            reads,
            *(f"{reads} {kind}{noun}{end}" for noun in nouns for kind in _KINDS for end in ("", "s")),
        ):
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
