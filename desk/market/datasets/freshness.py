"""Measures how many sessions a data set is behind its exchange."""

from datetime import date
from functools import lru_cache

import numpy as np

from desk.market.checks.prices import sessions_between
from desk.market.datasets.schemas import Freshness
from quant.numeric.arrays import Dates

SESSIONS_ALLOWED = 1
DAYS_ALLOWED = 3
RECENT = 400


def measure_freshness(last: date, calendar: str, today: date) -> Freshness:
    """Completed sessions missing from the data, without today's."""
    days = max((today - last).days, 0)
    if calendar == "none":
        return Freshness(last_day=last, sessions_behind=None, days_behind=days, fresh=days <= DAYS_ALLOWED)
    sessions = (
        _recent(calendar, today) if days < RECENT else sessions_between(calendar, np.datetime64(last), _to_day(today))
    )
    behind = int(((sessions > np.datetime64(last)) & (sessions < _to_day(today))).sum())
    return Freshness(last_day=last, sessions_behind=behind, days_behind=days, fresh=behind <= SESSIONS_ALLOWED)


@lru_cache(maxsize=32)
def _recent(calendar: str, today: date) -> Dates:
    return sessions_between(calendar, _to_day(today) - np.timedelta64(RECENT, "D"), _to_day(today))


def _to_day(day: date) -> np.datetime64:
    return np.datetime64(day, "D")
