"""Strict parsers for amounts quoted from the user's text; ambiguous quotes are rejected, never guessed.

A comma not followed by three digits is a decimal comma; "1.000" may be one or a thousand and is rejected, whereas
"1.000.000" can only be a million.
"""

import math
import re
from collections.abc import Sequence
from typing import NamedTuple, NoReturn

from desk.base.errors import InvalidInput
from desk.figures.guard.numbers import Number, find_numbers
from quant.numeric.units import BASIS_POINTS, DAYS

SESSIONS = {"days": 1, "weeks": 5, "months": 21, "quarters": 63, "years": DAYS, "decades": 10 * DAYS}
"""Trading days in each span of time."""
_YEARS = {"weeks": 1 / 52, "months": 1 / 12, "quarters": 0.25, "years": 1.0, "decades": 10.0}
_PUNCTUATION = str.maketrans(
    {**dict.fromkeys("‘’ʼ`´", "'"), **dict.fromkeys("“”„«»", '"'), **dict.fromkeys("‐‑‒–—―−", "-")}
)
_PLAIN = re.compile(r"[ -~€£¥₹½¼¾⅓⅔]+")
_TWO_MEANINGS = re.compile(r"(?<![\d.,])[1-9]\d{0,2}\.\d{3}(?![\d.,])")
_GROUP_OR_DECIMALS = re.compile(r"(?<![\d.,])[1-9]\d{0,2},\d{3}(?![\d.,])")
_LIKE_DIGITS = re.compile(r"\d[OoIl|]|[OoIl|]\d")
_FLOW = (
    r"(?:\s+(?:withdrawals?|contributions?|deposits?|payouts?|payments?|savings|spending|income|withdrawn|drawn|spent|"
    r"saved|(?:taken|paid) out|paid in))?"
)
_YEARLY = re.compile(
    rf"{_FLOW}(?:\s+(?:(?:a|per|each|every) (?:year|yr)|per annum|p\.?a\.?|annually|yearly)|\s?/\s?(?:year|yr|y))$",
    re.IGNORECASE,
)
_MONTHLY = re.compile(
    rf"{_FLOW}(?:\s+(?:(?:a|per|each|every) (?:month|mth|mo)|monthly|p\.?m\.?)|\s?/\s?(?:month|mth|mo|m))$",
    re.IGNORECASE,
)
_APART = re.compile(
    r"(?<![$€£])\b(\d{1,3}) (?!000)(\d{3})\b(?! ?(?:\d{3}\b|chf|eur|usd|gbp|dollar|euro|franc|pound|[€$£]))"
)
_NAMED = re.compile(r"\bm(?= ?=)|\bs ?&? ?p ?500")
"""A parameter, and not millions, as in "pi=.9 m=3", and the index, as in "65% sp500 / 35% KO"."""
_COUNTED = re.compile(r"\s+(?:trials?|paths?|configurations?|simulations?|runs?|scenarios?)$", re.IGNORECASE)
_TIME_PHRASES = {
    "a year and a half": "1.5 years",
    "half a year": "0.5 years",
    "half a decade": "5 years",
    "quarter": "1 trimester",
    "a quarter": "1 trimester",
    "one quarter": "1 trimester",
}
_HOURS = {"an hour": "1 hour", "half an hour": "30 minutes", "a minute": "1 minute"}
_MINUTES = {"h": 60.0, "m": 1.0, "s": 1.0 / 60.0}
_BESIDE_A_MULTIPLE = frozenset(
    "the as much many high large big of it its that them those cost costs fees fee transaction trading amount "
    "current "
    "same with at".split()
)


class Money(NamedTuple):
    amount: float
    currency: str | None
    """None if no currency is stated."""


def apart(text: str) -> str:
    """The text with a semicolon between two numbers such as "tv 10 200 trials", which are not one of thousands."""
    return _APART.sub(r"\1;\2", text)


def is_quote(quote: str, messages: Sequence[str]) -> bool:
    """Whether `quote` occurs in a message as whole words and numbers; "2%" and "12" do not occur in "12%"."""
    plain_quote = _normalize(quote)
    return bool(plain_quote) and any(_occurs(plain_quote, _normalize(message)) for message in messages)


def _normalize(text: str) -> str:
    return " ".join(text.translate(_PUNCTUATION).casefold().split())


def _is_split(text: str) -> bool:
    """Whether the text is a split such as "80/20" and not a fraction."""
    match = re.fullmatch(r"(\d{1,2})\s?/\s?(\d{1,2})", text)
    return match is not None and int(match[1]) + int(match[2]) == 100


def _occurs(quote: str, message: str) -> bool:
    numbers = find_numbers(apart(_NAMED.sub(lambda match: "q" * len(match[0]), message)))
    for match in re.finditer(re.escape(quote), message):
        start, end = match.span()
        before, after = message[start - 1 : start], message[end : end + 1]
        if (before.isalnum() and quote[0].isalnum()) or (after.isalnum() and quote[-1].isalnum()):
            continue
        spans = (  # without the full stop of the sentence: "10bp."
            (n.end - len(n.text.lstrip("=≈~ ")), n.end - n.text.endswith(".")) for n in numbers if not _is_split(n.text)
        )
        split_numbers = (
            one for one in spans if one[0] < end and start < one[1] and not (start <= one[0] and one[1] <= end)
        )
        if next(split_numbers, None) is None:
            return True
    return False


def parse_fraction(field: str, quote: str, low: float, high: float) -> float:
    """Parse a share: "12%", "0.12", "twelve percent", "150 bps", "a third"; a bare number above 1 is percent."""
    allowed = f"a share from {low:.4g} to {high:.4g}, such as 12% or 0.12"
    number, value = _parse_number(
        field, _YEARLY.sub("", re.sub(r"^a quarter$", "one quarter", quote.strip())), allowed, _GROUP_OR_DECIMALS
    )
    match number.unit:
        case "percent":
            value /= 100.0
        case "points" if re.search("%|percent|pct", number.text.lower()):
            value /= 100.0
        case "bps":
            value /= BASIS_POINTS
        case "plain" if value == 1.0:
            _refuse(field, quote, allowed, "might be all or one percent")
        case "plain":
            value = value / 100.0 if abs(value) > 1.0 else value
        case _:
            _refuse(field, quote, allowed)
    return _check_range(field, quote, value, low, high, allowed)


def parse_basis_points(field: str, quote: str, low: float, high: float) -> float:
    """Parse basis points: "5 bps", "5" or "0.05%"."""
    allowed = f"basis points from {low:.4g} to {high:.4g}, such as 5 bps or 0.05%"
    number, value = _parse_number(field, _YEARLY.sub("", quote.strip()), allowed)
    match number.unit:
        case "percent":
            value *= 100.0
        case "plain" if 0.0 < abs(value) < 0.1:
            _refuse(field, quote, allowed, "might be a share or basis points")
        case "bps" | "plain":
            pass
        case _:
            _refuse(field, quote, allowed)
    return _check_range(field, quote, value, low, high, allowed)


def parse_whole(field: str, quote: str, low: int, high: int) -> int:
    """Parse a whole number: "100", "1,000", "a thousand", "2k"."""
    allowed = f"a whole number from {low} to {high}"
    number, value = _parse_number(field, _COUNTED.sub("", quote.strip()), allowed)
    if number.unit != "plain" or value != round(value):
        _refuse(field, quote, allowed)
    return int(_check_range(field, quote, value, low, high, allowed))


def parse_years(field: str, quote: str, low: float, high: float) -> float:
    """Parse a time in years: "10 years", "a decade", "18 months"; a bare number is years."""
    allowed = f"a time from {low:.4g} to {high:.4g} years, such as 10 years or 18 months"
    number, value = _parse_number(field, _spelled_time(quote), allowed, _GROUP_OR_DECIMALS)
    scale = 1.0 if number.unit == "plain" else _YEARS.get(number.unit)
    if scale is None:
        _refuse(field, quote, allowed)
    return _check_range(field, quote, value * scale, low, high, allowed)


def parse_sessions(field: str, quote: str, low: int, high: int) -> int:
    """Parse trading days: "12 months" is 252, "a quarter" 63, "60 days" 60; a bare number is days."""
    allowed = f"a time from {low} to {high} trading days, such as 60 days or 12 months"
    number, value = _parse_number(field, _spelled_time(quote), allowed)
    scale = 1 if number.unit == "plain" else SESSIONS.get(number.unit)
    if scale is None or not math.isclose(value * scale, round(value * scale), abs_tol=1e-6):
        _refuse(field, quote, allowed)
    return int(_check_range(field, quote, round(value * scale), low, high, allowed))


def parse_minutes(field: str, quote: str, low: float, high: float) -> float:
    """Parse a duration in minutes: "two minutes", "90 seconds", "an hour", "half an hour"."""
    allowed = f"a time from {low:.4g} to {high:.4g} minutes, such as 10 minutes or 2 hours"
    plain = " ".join(quote.lower().split())
    number, value = _parse_number(field, _HOURS.get(plain, plain), allowed, _GROUP_OR_DECIMALS)
    unit = re.search(r"(h|m|s)[a-z]*$", number.text)
    if number.unit != "time" or unit is None:
        _refuse(field, quote, allowed)
    return _check_range(field, quote, value * _MINUTES[unit[1]], low, high, allowed)


def parse_ratio(field: str, quote: str, low: float, high: float) -> float:
    """Parse a ratio: "3", "1.5x", "two", "150%"."""
    allowed = f"a number from {low:.4g} to {high:.4g}, such as 1.5 or 1.5x"
    number, value = _parse_number(field, quote, allowed, _GROUP_OR_DECIMALS)
    if number.unit == "percent":
        value /= 100.0
    elif number.unit not in {"plain", "multiple"}:
        _refuse(field, quote, allowed)
    return _check_range(field, quote, value, low, high, allowed)


def parse_money(field: str, quote: str, low: float = 0.0, high: float = 1e12) -> Money:
    """Parse money: "EUR 2.5m", "$500k", "two million euros", "1.000.000 €"."""
    allowed = f"an amount from {low:,.0f} to {high:,.0f}, such as EUR 2.5m or $500k"
    number, value = _parse_number(field, quote, allowed)
    if number.unit not in {"plain", "currency"}:
        _refuse(field, quote, allowed)
    return Money(_check_range(field, quote, value, low, high, allowed), number.currency)


def split_period(quote: str) -> tuple[str, int | None]:
    """An amount without the "a month" or "withdrawals a year" after it, and the months of that period, or None."""
    for pattern, months in ((_YEARLY, 12), (_MONTHLY, 1)):
        if pattern.search(quote):
            return pattern.sub("", quote), months
    return quote, None


def parse_multiple(quote: str) -> float | None:
    """Parse a multiple: "double", "twice", "half", "2x"; None for anything else."""
    quote = re.sub(r"(?<![\w.])[x×] ?(\d+(?:\.\d+)?)$", r"\1x", quote.strip())
    numbers = find_numbers(quote)
    if len(numbers) != 1 or numbers[0].value is None or not _PLAIN.fullmatch(quote):
        return None
    [number] = numbers
    beside = re.findall(r"[^\s]+", (quote[: number.start] + quote[number.end :]).lower())
    is_multiple = number.unit == "multiple" or number.text.lower() == "half"
    return number.value if is_multiple and _BESIDE_A_MULTIPLE.issuperset(beside) else None


def _spelled_time(quote: str) -> str:
    plain = " ".join(quote.lower().split())
    plain = _TIME_PHRASES.get(plain, re.sub(r"^(?:an? )?(?=(?:year|month|week|day)$)", "one ", plain))
    return re.sub(r"\bquarters$", "trimesters", plain)  # "two quarters" is half of anything but a year


def _parse_number(field: str, quote: str, allowed: str, *ambiguous: re.Pattern[str]) -> tuple[Number, float]:
    """Parse the single number of `quote` and return it with its value."""
    text = quote.strip().rstrip(".!?")
    if any(pattern.search(text) for pattern in (_TWO_MEANINGS, *ambiguous)):
        _refuse(field, quote, allowed, "has a separator that might be a decimal one or group thousands")
    text = text.replace("−", "-")
    if re.fullmatch(r"\d{4}", text):  # "2000" is a number of paths, not a year
        return Number(text, 0, 4, float(text), "plain"), float(text)
    numbers = find_numbers(text) if _PLAIN.fullmatch(text) and not _LIKE_DIGITS.search(text) else ()
    if len(numbers) != 1 or numbers[0].value is None or numbers[0].text != text:
        _refuse(field, quote, allowed)
    return numbers[0], numbers[0].value


def _check_range(field: str, quote: str, value: float, low: float, high: float, allowed: str) -> float:
    if not (low - 1e-12 <= value <= high + 1e-12):
        _refuse(field, quote, allowed)
    return value


def _refuse(field: str, quote: str, allowed: str, meaning: str | None = None) -> NoReturn:
    raise InvalidInput(field, quote, allowed=allowed, reason=meaning and f"{quote!r} {meaning}")
