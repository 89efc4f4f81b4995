"""Finds numbers in digits and numeral letters of many scripts, with sign, currency, scale and unit."""

import math
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Context, Decimal, DecimalException

from desk.figures.guard.unicode import MINUS
from desk.figures.guard.units import AFTER, BEFORE, CURRENCIES, DATE, NOT_A_DATE, SCALE_VALUES, SCALED, SIGN, NumberUnit

_EXACT = Context(prec=40)
"""Decimal context whose powers have the same digits on every machine."""


@dataclass(frozen=True)
class NumberSpan:
    """A number in folded text, with its position, value and unit."""

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
    r"(?<![A-Za-z0-9&])(?:(?=[IVX]{2})X{0,3}(?:IX|IV|V?I{0,4})|(?:ii|iii|iv|vii?i?|ix|xii?i?|xi?[vx]|xx)|"
    r"(?=[IVXLCDM]{4})M{0,4}(?:CM|CD|D?C{0,4})(?:XC|XL|L?X{0,4})(?:IX|IV|V?I{0,4}))(?=(?:th|st|nd|rd)?(?![A-Za-z0-9&]))"
    r"(?!(?<=IV) (?:rank|percentile|skew|surface|signal|term|crush))"
)
_ROMAN_BEFORE_A_UNIT = re.compile(
    r"(?<![A-Za-z0-9&])M{0,4}(?:CM|CD|D?C{0,4})(?:XC|XL|L?X{0,4})(?:IX|IV|V?I{0,4})(?![A-Za-z0-9&])"
    r"(?=\s?(?:%|percent|per cent|bps?\b|basis points?|years?\b|months?\b|days?\b))"
)
_HAN = re.compile(
    r"(?:百分之)?[〇零一二三四五六七八九十百千万萬億亿兆两兩廿卅壹贰貳叁參肆伍陆陸柒捌玖拾佰仟半點点]+(?:倍|成|割)?"
)


def find_dates(lower: str) -> Iterator[NumberSpan]:
    for match in DATE.finditer(lower):
        if NOT_A_DATE.match(lower, match.end()) and not BEFORE.search(lower, 0, match.start()):
            yield NumberSpan(match.start(), match.end(), None, "date")


def find_digits(text: str, lower: str) -> Iterator[NumberSpan]:
    last_end = 0
    for match in _CORE.finditer(lower):
        if match.start() < last_end:
            continue
        start, end, value = match.start(), match.end(), _value(match)
        whole_start, whole_end = _whole_token(lower, start, end)
        if whole_start < start or (whole_end > end and not _is_unit(lower, end)):
            start, end, value = (
                whole_start,
                whole_end,
                parse_digits(text[whole_start:whole_end].translate(_LIKE_DIGITS)),
            )
            yield with_unit(lower, start, end, value, "code" if value is None else "plain")
        else:
            yield with_unit(lower, start, end, value, "ordinal" if match["ordinal"] else "plain")
        last_end = end
    for match in _LOOKS_LIKE.finditer(text):
        yield with_unit(lower, match.start(), match.end(), parse_digits(match[0].translate(_LIKE_DIGITS)), "plain")


def _whole_token(lower: str, start: int, end: int) -> tuple[int, int]:
    """Extend digits to the whole token, with adjacent letters and digits."""
    while start and lower[start - 1].isalnum():
        start -= 1
    while end < len(lower) and (lower[end].isalnum() or lower[end] in "^|"):
        end += 1
    return start, end


def _is_unit(lower: str, end: int) -> bool:
    return bool(SCALED.match(lower, end) or AFTER.match(lower, end))


def _value(match: re.Match[str]) -> float | None:
    if match["under"]:
        if not int(match["under"]):
            return None
        return int(match["whole"] or 0) + int(match["over"]) / int(match["under"])
    value = parse_digits(match["digits"])
    ten = match["power"] or match["exponent"]
    if value is None or not (ten or match["raised"]):
        return value
    power = int(re.sub(r".*[x×*]\s?10\s?\^?\s?|[e^+]", "", ten or match["raised"]).replace(MINUS, "-"))
    if abs(power) > 300:
        return None
    base = Decimal(repr(value))
    try:
        value_to_power = float(_EXACT.scaleb(base, power) if ten else _EXACT.power(base, power))
    except DecimalException:
        return None
    return value_to_power if math.isfinite(value_to_power) else None


def parse_digits(digits: str) -> float | None:
    """Parse grouped digits by English rules; a lone comma not followed by three digits is a decimal comma."""
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


def with_unit(lower: str, start: int, end: int, value: float | None, unit: NumberUnit) -> NumberSpan:
    """Extend a number by the adjacent sign, currency, scale and unit."""
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
        return NumberSpan(start, end, value, unit)
    after = AFTER.match(lower, end)
    if after is None:
        return NumberSpan(start, end, value, "currency" if currency else unit, currency)
    name: NumberUnit = after.lastgroup  # pyright: ignore[reportAssignmentType]
    if name == "currency":
        cents = re.fullmatch(r"[\s-]?(?:cents?|pence)", after[0])
        return NumberSpan(start, after.end(), None if cents else value, name, currency or _currency(after[0]))
    return NumberSpan(start, after.end(), value, "currency" if currency else name, currency)


def _in_parentheses(lower: str, start: int, end: int) -> bool:
    """Whether the number is in parentheses, which is the accounting notation of a loss: (1.2%)."""
    rest = AFTER.match(lower, end)
    end = rest.end() if rest else end
    return lower[start - 1 : start] == "(" and lower[end : end + 1] == ")"


def _currency(word: str) -> str | None:
    plain = word.strip(" -")
    return next((code for code, pattern in CURRENCIES.items() if re.fullmatch(pattern, plain)), None)


def find_numeral_letters(text: str, lower: str) -> Iterator[NumberSpan]:
    """Find Roman and Chinese numerals."""
    for match in _ROMAN.finditer(text):
        if match[0]:
            yield with_unit(lower, match.start(), match.end(), _roman(match[0].upper()), "plain")
    for match in _ROMAN_BEFORE_A_UNIT.finditer(text):
        if match[0]:
            yield with_unit(lower, match.start(), match.end(), _roman(match[0]), "plain")
    for match in _HAN.finditer(text):
        yield with_unit(lower, match.start(), match.end(), _han(match[0]), "plain")


def _roman(letters: str) -> float:
    values = [{"I": 1, "V": 5, "X": 10, "L": 50, "C": 100, "D": 500, "M": 1000}[letter] for letter in letters]
    return math.fsum(-v if following > v else v for v, following in zip(values, [*values[1:], 0], strict=True))


def _han(letters: str) -> float | None:
    """Value of a Chinese numeral below ten thousand; None for anything else."""
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
