"""Finds numbers in words in a folded, lower-case text, with their positions and values."""

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from desk.figures.guard.allowed_phrases import find_allowed_phrases
from desk.figures.guard.number_words import (
    CARDINALS,
    ENGLISH_TOO,
    MULTIPLES,
    ORDINALS,
    PARTS,
    SCALES,
    YEARS,
    is_number_word,
    unmask,
)
from desk.figures.guard.spelled_values import value_of_words
from desk.figures.guard.units import AFTER, ALONE, NumberUnit

_LETTERS = re.compile("[a-z]+")
_WORD = re.compile(r"[a-z]+(?:'[a-z]+)*")
_MASKED = re.compile(r"(?:\\/\\/|[a-z$€£!|@+¥]){3,}")
_JOINED = re.compile(r"[a-z]+(?:[^\sa-z0-9]{1,3}[a-z]+)+")
_SINGLES = re.compile(r"(?<![a-z0-9'])[a-z](?:[^a-z0-9]{1,3}[a-z](?![a-z])){2,}")
_GAP = re.compile(r"[\s\-–—_]{1,3}")
_INSIDE = re.compile("|".join(sorted({*CARDINALS, *SCALES, *ORDINALS, *MULTIPLES, "half"}, key=len, reverse=True)))
_BEGINNINGS = frozenset(word[:3] for word in (*CARDINALS, *SCALES, *ORDINALS, *MULTIPLES, "half"))
_SPANS = frozenset({*YEARS, "centurie", "millennia", "fortnight"})
_JOINING = frozenset({"and", "und", "et", "y", "e"})
_COUNTED_OF = re.compile(r"\s+of(?=\s)")


class WordSpan(NamedTuple):
    start: int
    end: int
    value: float | None
    unit: NumberUnit


class _Word(NamedTuple):
    text: str
    start: int
    end: int


def find_number_words(text: str, lower: str) -> Iterator[WordSpan]:
    allowed_phrases = list(find_allowed_phrases(lower))
    yield from _sequences(lower, allowed_phrases)
    yield from _masked_words(text, lower)
    yield from _split_words(lower)
    for match in (*_PHRASES.finditer(lower), *ALONE.finditer(lower)):
        if not _is_allowed(match.start(), match.end(), allowed_phrases):
            yield WordSpan(*match.span(), None, "plain")


def _is_allowed(start: int, end: int, allowed_phrases: Sequence[tuple[int, int]]) -> bool:
    return any(first <= start and end <= last for first, last in allowed_phrases)


def _sequences(lower: str, allowed_phrases: Sequence[tuple[int, int]]) -> Iterator[WordSpan]:
    words = [_Word(m[0].split("'")[0], m.start(), m.end()) for m in _WORD.finditer(lower)]
    place = 0
    while place < len(words):
        word = words[place]
        if not _begins(lower, word) or _is_allowed(word.start, word.start + len(word.text), allowed_phrases):
            place += 1
            continue
        last = _last(lower, words, place)
        first = place - (place > 0 and _has_article(lower, words[place - 1], word))
        yield _read(lower, words[first : last + 1])
        place = last + 1


_PHRASES = re.compile(
    r"\b(?:once|(?:single|double|triple)[\s-]digits?|a\s+(?:matched\s+)?pair\s+of|pairs\s+of|a\s+(?:brace|gross|quad)\s+of|hat[\s-]tricks?|"
    r"goose[\s-]eggs?|"
    r"(?:tri|semi|bi)[\s-]+(?:annual|monthly|weekly|yearly)\w*|"
    r"(?:mid|low|high)[\s-]+(?:teens|twenties|thirties|forties|fifties|sixties|seventies|eighties|nineties)|"
    r"(?:an?|several|many)\s+score(?=\s+of\b)|scores(?=\s+of\b)|orders?\s+of\s+magnitude|"
    r"a\s+grand(?=[.,;:!?)]|$|\s+(?:a|an|per|in|of|on|each|for|more|less|to|every)\b)|"
    r"(?:of|to|at|near|above|below|than|is|exceeds|exceeded|equals)\s+unity)\b"
)
"""Numbers of several words, none of which is a number word."""


def _begins(lower: str, word: _Word) -> bool:
    if not is_number_word(word.text):
        return False
    return word.text not in ENGLISH_TOO or AFTER.match(lower, word.end) is not None


def _has_article(lower: str, before: _Word, word: _Word) -> bool:
    is_countable = word.text in SCALES or word.text in PARTS or word.text in YEARS or word.text == "couple"
    return is_countable and before.text in {"a", "an"} and _GAP.fullmatch(lower, before.end, word.start) is not None


def _last(lower: str, words: Sequence[_Word], place: int) -> int:
    """Index of the last word of the number that begins at `place`."""
    while True:
        following = _following(lower, words, place)
        if following is None:
            return place
        place = following


def _following(lower: str, words: Sequence[_Word], place: int) -> int | None:
    """Index of the next word of the number, across a joining word if necessary."""
    for step in (1, 2, 3):
        if place + step >= len(words) or not _GAP.fullmatch(
            lower, words[place + step - 1].end, words[place + step].start
        ):
            return None
        between = tuple(word.text for word in words[place + 1 : place + step])
        if _continues(words[place].text, between, words[place + step].text):
            return place + step
    return None


def _continues(word: str, between: tuple[str, ...], following: str) -> bool:
    part = following.removesuffix("s") in PARTS
    if following.removesuffix("s") in _SPANS or following in MULTIPLES or not (is_number_word(following) or part):
        return False
    if not between:
        return following not in ORDINALS or word not in ORDINALS
    if between == ("point",):
        return following in CARDINALS
    if between in {("a",), ("an",)}:
        return word in {"half", "quarter"} and following in SCALES
    is_joined = between[0] in _JOINING
    if between[0] == "and":
        is_joined = following == "half" or word in SCALES
    return is_joined if len(between) == 1 else is_joined and between[1] in {"a", "one", "three"} and part


def _read(lower: str, words: Sequence[_Word]) -> WordSpan:
    texts = [word.text for word in words]
    start, end = words[0].start, words[-1].end
    value = value_of_words(texts[-1:] if texts[-1] in YEARS else texts)
    unit = _unit_of(texts)
    if texts[-1] in {"couple", "dozen"} and (of := _COUNTED_OF.match(lower, end)) and AFTER.match(lower, of.end()):
        end = of.end()
    return WordSpan(start, end, value, unit)


def _unit_of(texts: Sequence[str]) -> NumberUnit:
    if len(texts) == 1 and texts[0] in MULTIPLES:
        return "multiple"
    if texts[-1] in YEARS:
        return "years"
    fraction = len(texts) > 1 and (texts[-2] in {"a", "an", "one"} or texts[-1] == "half")
    return "ordinal" if texts[-1] in ORDINALS and not fraction else "plain"


def _masked_words(text: str, lower: str) -> Iterator[WordSpan]:
    """Find number words whose letters are replaced by signs."""
    for match in _MASKED.finditer(lower):
        for looks in _readings(text[match.start() : match.end()]):
            if is_number_word(looks) and looks not in ENGLISH_TOO and match[0].rstrip("!+|@") != looks:
                yield WordSpan(*match.span(), None, "plain")
                break


def _readings(word: str) -> set[str]:
    lower = word.lower()
    plain = {
        lower,
        lower.rstrip("!+|@"),
        *([word[0].lower() + word[1:].replace("I", "l").lower()] if "I" in word[1:] else []),
    }
    readings = {unmask(each) for each in plain} | {unmask(each.replace("+", "t").replace("|", "i")) for each in plain}
    readings |= {each.replace("rn", "m") for each in readings if "rn" in each} | {
        each.replace("cl", "d") for each in readings if "cl" in each
    }
    return {each for each in readings if each.isalpha() and each != lower}


def _split_words(lower: str) -> Iterator[WordSpan]:
    """Find words whose letters are separated: "t w e l v e", "tw*el*ve", "twel ve"."""
    for match in _SINGLES.finditer(lower):
        letters = re.sub(r"[^a-z]", "", match[0])
        if any(word[0] not in {"ten"} or len(letters) <= 5 for word in _INSIDE.finditer(letters)):
            yield WordSpan(*match.span(), None, "plain")
    for match in _JOINED.finditer(lower):
        parts = [_Word(m[0], *m.span()) for m in _LETTERS.finditer(lower, *match.span())]
        yield from _rejoin(parts, least=3, most=len(parts))
    run: list[_Word] = []
    for match in _LETTERS.finditer(lower):
        if lower[match.start() - 1 : match.start()] == "'":
            continue
        if run and match.start() - run[-1].end != 1:
            yield from _rejoin(run, least=4, most=3)
            run = []
        run.append(_Word(match[0], *match.span()))
    yield from _rejoin(run, least=4, most=3)


def _rejoin(parts: Sequence[_Word], *, least: int, most: int) -> Iterator[WordSpan]:
    """Find neighbours, at most `most`, whose letters form a number of at least `least` letters."""
    for first, (one, other) in enumerate(pairwise(parts)):
        if (one.text + other.text)[:3] not in _BEGINNINGS:
            continue
        for last in range(first + 1, min(first + most, len(parts))):
            neighbours = parts[first : last + 1]
            if any(part.text == "even" or (len(part.text) > 2 and is_number_word(part.text)) for part in neighbours):
                continue
            whole = "".join(part.text for part in neighbours)
            if len(whole) >= least and _is_plainly_a_number(whole):
                yield WordSpan(one.start, neighbours[-1].end, None, "plain")


def _is_plainly_a_number(word: str) -> bool:
    return word in CARDINALS or word in SCALES or word in ORDINALS or word in MULTIPLES or _starts_with_number(word)


def _starts_with_number(word: str) -> bool:
    return len(word) >= 6 and _INSIDE.match(word) is not None and is_number_word(word) and word not in ENGLISH_TOO
