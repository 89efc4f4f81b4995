"""Sums the model usage of a trace."""

from collections.abc import Iterable

from desk.governance.usage import Usage, total
from desk.runs.events.table import TraceEvent


def usage_of(events: Iterable[TraceEvent]) -> Usage:
    """The total usage of the models in `events`."""
    return total(usage for event in events if (usage := event.spending()) is not None)
