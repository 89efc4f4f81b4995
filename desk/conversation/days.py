"""Strict parser for days quoted from the user's text; ambiguous quotes are rejected, never guessed."""

import re
from calendar import month_abbr, month_name, monthrange
from datetime import date

from desk.base.errors import InvalidInput

_MONTHS = {name.lower(): n for names in (month_name, month_abbr) for n, name in enumerate(names) if name} | {"sept": 9}
_ORDINAL = re.compile(r"(?<=\d)(?:st|nd|rd|th)\b")
_YEAR = re.compile(r"(?P<year>\d{4})")
_FORMS = (
    _YEAR,
    re.compile(r"(?P<year>\d{4})-(?P<month>\d{1,2})(?:-(?P<day>\d{1,2}))?"),
    re.compile(r"(?P<month>\d{1,2})/(?P<year>\d{4})"),
    re.compile(r"(?:(?P<day>\d{1,2}) )?(?P<name>[a-z]+)\.? (?P<year>\d{4})"),
    re.compile(r"(?P<name>[a-z]+)\.? (?P<day>\d{1,2}) (?P<year>\d{4})"),
)
_ALLOWED = "a year, a month or a day with its year, such as 2005, March 2005 or 2005-03-15"


def parse_day(field: str, quote: str, *, last: bool) -> date:
    """The first or the last day of a quoted day, month or year: "2005", "Mar 2005", "15 March 2005", "2005-03-15"."""
    text = " ".join(_ORDINAL.sub("", quote.lower()).replace(",", " ").split()).rstrip(".")
    match = next((found for form in _FORMS if (found := form.fullmatch(text))), None)
    if match is None:
        raise InvalidInput(field, quote, allowed=_ALLOWED)
    parts = match.groupdict()
    month = _MONTHS.get(parts["name"]) if parts.get("name") else int(parts.get("month") or (12 if last else 1))
    try:
        if month is None:
            raise InvalidInput(field, quote, reason=f"{parts['name']} is no month", allowed=_ALLOWED)
        year = int(parts["year"])
        day = int(parts.get("day") or (monthrange(year, month)[1] if last else 1))
        return date(year, month, day)
    except ValueError as error:
        raise InvalidInput(field, quote, reason=f"{quote} is no day of the calendar", allowed=_ALLOWED) from error
