"""Strict parser for days quoted from the user's text; ambiguous quotes are rejected, never guessed."""

import re
from calendar import month_abbr, month_name, monthrange
from datetime import date

from desk.base.errors import InvalidInput
from quant.performance.crises import HISTORICAL_WINDOWS, HistoricalWindow

_MONTHS = {name.lower(): n for names in (month_name, month_abbr) for n, name in enumerate(names) if name} | {"sept": 9}
_ORDINAL = re.compile(r"(?<=\d)(?:st|nd|rd|th)\b")
_YEAR = re.compile(r"(?P<year>\d{4})")
_FORMS = (
    _YEAR,
    re.compile(r"(?P<year>\d{4})-(?P<month>\d{1,2})(?:-(?P<day>\d{1,2}))?"),
    re.compile(r"'(?P<short>\d\d)"),
    re.compile(r"(?P<month>\d{1,2})/(?P<year>\d{4})"),
    re.compile(r"(?:(?P<day>\d{1,2}) )?(?P<name>[a-z]+)\.? (?P<year>\d{4})"),
    re.compile(r"(?P<name>[a-z]+)\.? (?P<day>\d{1,2}) (?P<year>\d{4})"),
)
_ALLOWED = "a year, a month or a day with its year, such as 2005, March 2005 or 2005-03-15, or a crisis by its name"
_CRISES = {
    "october 1987": "October 1987", "black monday": "October 1987", "ltcm": "Long-Term Capital Management",
    "dot-com": "Dot-com", "dotcom": "Dot-com", "dot com": "Dot-com", "tech bubble": "Dot-com",
    "financial crisis": "Global financial crisis", "gfc": "Global financial crisis", "lehman": "Lehman",
    "euro": "Euro debt, summer 2011", "volmageddon": "Volmageddon", "covid": "COVID-19", "corona": "COVID-19",
    "pandemic": "COVID-19",
}  # fmt: skip
"""Words that name a crisis, with its name."""


def find_crisis(text: str) -> HistoricalWindow | None:
    """The crisis that a quote names, such as "the financial crisis" or "dot-com crash"."""
    words = f" {text.casefold()} "
    name = next((name for word, name in _CRISES.items() if re.search(rf"\b{word}\b", words)), None)
    return next((each for each in HISTORICAL_WINDOWS if each.name == name), None)


def _full_year(year: int) -> int:
    """A year of two digits, as POSIX reads it."""
    return year + (1900 if year >= 69 else 2000)


def parse_day(field: str, quote: str, *, last: bool) -> date:
    """The first or the last day of a quoted day, month or year: "2005", "Mar 2005", "15 March 2005", "2005-03-15"."""
    text = " ".join(_ORDINAL.sub("", quote.lower()).replace(",", " ").split()).rstrip(".")
    if crisis := find_crisis(text):
        return date.fromisoformat(crisis.last if last else crisis.first)
    match = next((found for form in _FORMS if (found := form.fullmatch(text))), None)
    if match is None:
        raise InvalidInput(field, quote, allowed=_ALLOWED)
    parts = match.groupdict()
    month = _MONTHS.get(parts["name"]) if parts.get("name") else int(parts.get("month") or (12 if last else 1))
    try:
        if month is None:
            raise InvalidInput(field, quote, reason=f"{parts['name']} is no month", allowed=_ALLOWED)
        year = int(parts["year"]) if parts.get("year") else _full_year(int(parts["short"]))
        day = int(parts.get("day") or (monthrange(year, month)[1] if last else 1))
        return date(year, month, day)
    except ValueError as error:
        raise InvalidInput(field, quote, reason=f"{quote} is no day of the calendar", allowed=_ALLOWED) from error
