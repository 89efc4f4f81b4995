"""Sums the model usage of a trace."""

from collections.abc import Iterable

from desk.governance.usage import Usage
from desk.runs.events import ModelAnswered, ModelReplaced, ModelRetried, TraceEvent


def usage_of(events: Iterable[TraceEvent]) -> Usage:
    """The total usage of the models in `events`."""
    total = Usage()
    for event in events:
        if isinstance(event, ModelAnswered):
            total += _of(event)
        elif isinstance(event, ModelRetried | ModelReplaced):
            total += Usage(retries=1)
    return total


def _of(event: ModelAnswered) -> Usage:
    return Usage(
        answers=1,
        input_tokens=event.input_tokens,
        cached_tokens=event.cached_tokens,
        written_tokens=event.written_tokens,
        output_tokens=event.output_tokens,
        dollars=event.dollars,
        seconds=event.seconds,
    )
