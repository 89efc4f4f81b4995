"""How far the days of a data set are behind those of its exchange."""

from datetime import date
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from desk.market.checks.prices import sessions_between
from desk.market.datasets.schemas import Freshness

SESSIONS_ALLOWED = 1
DAYS_ALLOWED = 3
RECENT = 400


def measure_freshness(last: date, calendar: str, today: date) -> Freshness:
    """Sessions that are over and that the data lack; today's is not over."""
    days = max((today - last).days, 0)
    if calendar == "none":
        return Freshness(last_day=last, sessions_behind=None, days_behind=days, fresh=days <= DAYS_ALLOWED)
    known = _recent(calendar, today) if days < RECENT else sessions_between(calendar, np.datetime64(last), _of(today))
    behind = int(((known > np.datetime64(last)) & (known < _of(today))).sum())
    return Freshness(last_day=last, sessions_behind=behind, days_behind=days, fresh=behind <= SESSIONS_ALLOWED)


@lru_cache(maxsize=32)
def _recent(calendar: str, today: date) -> NDArray[np.datetime64]:
    return sessions_between(calendar, _of(today) - np.timedelta64(RECENT, "D"), _of(today))


def _of(day: date) -> np.datetime64:
    return np.datetime64(day, "D")
