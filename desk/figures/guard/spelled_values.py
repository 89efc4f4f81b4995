"""Values of numbers in words; None if the words do not form one number."""

from collections.abc import Sequence

from desk.figures.guard.number_words import CARDINALS, FOREIGN, MULTIPLES, ONES, ORDINALS, PARTS, SCALES, TENS, WORDS

_ARTICLES = {"a", "an"}
_JOINING = {"and", "und", "et", "y", "e"}


def value_of_words(words: Sequence[str]) -> float | None:
    """Return the value of "two and a half", "one hundred and five", "three point five", "a third", "twenty-first"."""
    if len(words) == 1:
        return WORDS.get(words[0])
    if "point" in words:
        return _decimal(words)
    if words[0] in {"half", "quarter"} and len(words) > 1:
        factor = value_of_words([w for w in words[1:] if w not in {*_ARTICLES, "of"}])
        return None if factor is None else PARTS[words[0]] * factor
    if words[-1] in SCALES and any(_singular(word) in PARTS for word in words):
        factor = value_of_words(words[:-1])
        return None if factor is None else factor * SCALES[words[-1]]
    if _singular(words[-1]) in PARTS:
        return _with_part(words)
    if words[-1] in ORDINALS:
        return _ordinal(words)
    return _whole(words)


def _singular(word: str) -> str:
    return {"halves": "half"}.get(word, word.removesuffix("s"))


def _decimal(words: Sequence[str]) -> float | None:
    place = words.index("point")
    whole = _whole(words[:place]) if place else 0.0
    rest = words[place + 1 :]
    digits = [ONES.get(word) for word in rest]
    if None not in digits and rest:
        behind: float | None = float(f"0.{''.join(map(str, digits))}")
    else:
        tens = _whole(rest)
        behind = tens / 100.0 if tens is not None and 10 <= tens < 100 else None
    return None if whole is None or behind is None else whole + behind


def _with_part(words: Sequence[str]) -> float | None:
    """A count of parts, with a whole before it: "two thirds", "one and three quarters", "twenty-first"."""
    part = PARTS[_singular(words[-1])]
    before = list(words[:-1])
    if "and" in before and before[-1] != "and":
        place = len(before) - 1 - before[::-1].index("and")
        whole, count = _whole(before[:place]), _count(before[place + 1 :])
        if whole is not None and count is not None and not (words[-1] in ORDINALS and count >= 20):
            return whole + count * part
        return _ordinal(words)
    if words[-1] in ORDINALS and before != ["one"] and before[-1] not in _ARTICLES:
        return _ordinal(words)
    count = _count(before)
    return None if count is None else count * part


def _count(words: Sequence[str]) -> float | None:
    return 1.0 if len(words) == 1 and words[0] in _ARTICLES else _whole(words)


def _ordinal(words: Sequence[str]) -> float | None:
    last = ORDINALS.get(words[-1])
    if last is None:
        return None
    before = _whole([word for word in words[:-1] if word != "and"])
    if before is None:
        return None
    if last >= 100:
        return before * last
    fits = (before % 100 == 0) or (last < 10 and before % 100 >= 20 and before % 10 == 0)
    return before + last if fits else None


def _whole(words: Sequence[str]) -> float | None:
    """Value of a cardinal; foreign ones only from languages that add their words."""
    total, current, has_value = 0.0, 0.0, False
    for place, word in enumerate(words):
        if word in _JOINING and has_value:
            continue
        if word in _ARTICLES:
            if place + 1 == len(words) or words[place + 1] not in {*SCALES, "couple"}:
                return None
            continue
        if word in SCALES:
            total, current = _scaled(total, current, SCALES[word])
            has_value = True
            continue
        value = CARDINALS.get(word, FOREIGN.get(word))
        if value is None or word in MULTIPLES or not _fits(current, value, has_value=has_value):
            return None
        current, has_value = current + value, True
    return total + current if has_value else None


def _scaled(total: float, current: float, scale: float) -> tuple[float, float]:
    if scale == 100.0:
        return total, max(current, 1.0) * scale
    return total + max(current, 1.0) * scale, 0.0


def _fits(current: float, value: float, *, has_value: bool) -> bool:
    """Whether a word may follow: a one after a ten, anything below a hundred after a hundred."""
    if not has_value or current == 0.0:
        return True
    if value >= 100:
        return False
    return (
        current % 100 == 0
        or (current % 100 in TENS.values() and value < 10 and value > 0)
        or _vigesimal(current, value)
    )


def _vigesimal(current: float, value: float) -> bool:
    """French: sixty-fifteen, eighty-twelve."""
    return current % 100 in {60.0, 80.0} and 10 <= value < 20
