"""EVENTS: every kind of trace event by its name; a medium iterates the rows instead of listing kinds."""

from collections.abc import Mapping
from typing import Annotated, TypeAlias, get_args

from pydantic import Field, TypeAdapter

from desk.runs.events import agents, approvals, conversation, judgement, models, run, search
from desk.runs.events.base import BaseEvent

Kind: TypeAlias = (
    run.Event | agents.Event | models.Event | search.Event | judgement.Event | approvals.Event | conversation.Event
)
TraceEvent: TypeAlias = Annotated[Kind, Field(discriminator="event")]

TRACE_EVENT: TypeAdapter[TraceEvent] = TypeAdapter(TraceEvent)
EVENTS: Mapping[str, type[BaseEvent]] = {kind.model_fields["event"].default: kind for kind in get_args(Kind)}
