"""Days quoted from a person's text."""

from datetime import date

import pytest

from desk.base.errors import InvalidInput
from desk.conversation.days import parse_day


@pytest.mark.parametrize(
    ("quote", "first", "last"),
    [
        ("2005", date(2005, 1, 1), date(2005, 12, 31)),
        ("2008-02", date(2008, 2, 1), date(2008, 2, 29)),
        ("Feb 2008", date(2008, 2, 1), date(2008, 2, 29)),
        ("Sept. 2010", date(2010, 9, 1), date(2010, 9, 30)),
        ("March 15th, 2005", date(2005, 3, 15), date(2005, 3, 15)),
        ("15 march 2005", date(2005, 3, 15), date(2005, 3, 15)),
        ("2005-03-15", date(2005, 3, 15), date(2005, 3, 15)),
        ("'98", date(1998, 1, 1), date(1998, 12, 31)),
        ("'08", date(2008, 1, 1), date(2008, 12, 31)),
    ],
)
def test_a_year_and_a_month_have_a_first_and_a_last_day(quote, first, last) -> None:
    assert parse_day("first_day", quote, last=False) == first
    assert parse_day("last_day", quote, last=True) == last


@pytest.mark.parametrize("quote", ["03/04/2005", "2005-02-30", "Marz 2005", "ten years", "05", "2005-13", "0000"])
def test_what_is_no_day_or_has_two_meanings_is_refused(quote) -> None:
    with pytest.raises(InvalidInput, match="2005-03-15"):
        parse_day("first_day", quote, last=False)


@pytest.mark.parametrize(
    ("quote", "first", "last"),
    [
        ("the financial crisis", "2007-10-09", "2009-03-09"),
        ("dot-com crash", "2000-03-24", "2002-10-09"),
        ("Lehman", "2008-09-12", "2008-11-20"),
        ("covid", "2020-02-19", "2020-03-23"),
    ],
)
def test_a_crisis_is_a_time(quote: str, first: str, last: str) -> None:
    assert parse_day("first_day", quote, last=False) == date.fromisoformat(first)
    assert parse_day("last_day", quote, last=True) == date.fromisoformat(last)
