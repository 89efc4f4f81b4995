"""An event with the progress after it, as every stream sends it."""

from typing import Annotated

from pydantic import Field

from desk.runs.events.table import TraceEvent
from desk.runs.progress import Progress, ProgressTracker
from quant.numeric.frozen import Frozen


class LiveEvent(Frozen):
    """An event with the progress after it, as every stream sends it."""

    sequence: Annotated[int, Field(ge=1)]
    """Number in the log, from 1 without gaps; a reader resumes after the last one it has."""
    progress: Progress
    event: TraceEvent
    line: str = ""
    """The event as a sentence for people; empty from servers that do not send it."""


def apply(event: TraceEvent, tracker: ProgressTracker) -> LiveEvent:
    """Update the progress with the next event of a log, and return both."""
    assert event.sequence is not None
    tracker.resume()  # a failed run whose log continues was restarted
    event.advance(tracker)
    return LiveEvent(sequence=event.sequence, progress=tracker.progress, event=event, line=event.line())
