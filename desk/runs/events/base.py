"""What every kind of trace event declares: its fields, its row, its line, and what it adds to progress and metrics."""

import hashlib
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Literal, TypeAlias

from desk.governance.usage import AgentName, Usage
from desk.runs.progress import ProgressTracker
from quant.numeric.frozen import Frozen

NOT_COMPARED: Any = dict.fromkeys(("at", "sequence", "best", "seconds", "dollars", "usage", "title", "share"), True) | {
    "asked": {"at": True, "estimate": {"expected_time"}},
    "decided": {"at"},
    "estimate": {"expected_time"},
    "estimated": True,
}
"""Fields excluded from comparisons of runs: times, costs, and how progress shows a node."""

Stage: TypeAlias = Literal["run", "agents", "search", "judgement", "approval", "conversation"]
"""Part of a run that a kind reports on."""
Span: TypeAlias = Literal["run", "turn", "node", "agent", "tool", "model", "approval"]
"""What lasts: an execution of the optimization or of a turn, and what happens within it."""
AguiType: TypeAlias = Literal[
    "step_started",
    "step_finished",
    "subagent_started",
    "subagent_finished",
    "tool_call",
    "tool_result",
    "text_message",
    "launched_run_state",
    "verdict_state",
    "run_end",
    "custom",
]
"""AG-UI events, or changes of the AG-UI state, that a kind becomes; `custom` carries the event's line."""
Measure: TypeAlias = Literal[
    "ModelAnswers",
    "ModelRetries",
    "ModelFailures",
    "ModelSeconds",
    "InputTokens",
    "CachedTokens",
    "OutputTokens",
    "Dollars",
    "Trials",
]
"""Metrics that events feed directly."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """What a kind of event means to every medium."""

    stage: Stage
    opens: Span | None = None
    closes: Span | None = None
    """A kind that opens and closes the same span is reported at the end of what it describes."""
    live: bool = True
    """Whether a live view prints the event's line; a trace shows every kind."""
    trace: Literal["line", "counted", "omitted"] = "line"
    """Whether a trace shows each event, the number of consecutive ones, or none."""
    agui: AguiType | None = None
    """None for kinds that AG-UI clients do not receive."""
    sends_progress: bool = False
    """Whether AG-UI clients receive the progress after the event."""


def event_id(run: str, node: str, step: int, ordinal: int | str) -> str:
    """Derive the id from run and position, so that a repeated node appends no event twice."""
    return hashlib.sha256(f"{run}\n{node}\n{step}\n{ordinal}".encode()).hexdigest()[:32]


class BaseEvent(Frozen):
    """Fields of every event."""

    row: ClassVar[Row]

    id: str
    run: str
    node: str
    at: datetime
    """UTC; excluded from comparisons."""
    sequence: int | None = None
    """Number in the run's log, from 1 without gaps; assigned by the store."""

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        if "event" in cls.model_fields and "row" not in cls.__dict__:
            msg = f"{cls.__name__} has no row; expected `row = Row(stage=...)` in each kind of event"
            raise TypeError(msg)

    @abstractmethod
    def line(self) -> str:
        """The event as a sentence for people, without markup."""

    def label(self) -> str:
        """The event in a trace, where its place tells run, node and agent; of a closing kind, how its span ended."""
        return self.line()

    @property
    def live(self) -> bool:
        """Whether a live view prints the line."""
        return self.row.live

    @property
    def acting_agent(self) -> AgentName | None:
        """Agent whose work the event is part of."""
        return None

    @property
    def error(self) -> str | None:
        """Error with which the spans that the event closes end; None for a success."""
        return None

    def spending(self) -> Usage | None:
        """Model usage that the event alone reports; None for kinds without a call of a model."""
        return None

    def measures(self) -> Mapping[Measure, float]:
        """Amounts by which the event raises metrics."""
        return {}

    def advance(self, progress: ProgressTracker) -> None:
        """Update the progress of the run; most kinds leave it as it is."""

    def comparable(self) -> dict[str, Any]:
        """Return the event without fields that may differ between two executions of the same run."""
        return self.model_dump(mode="json", exclude=NOT_COMPARED)


class AgentEvent(BaseEvent):
    """Fields of the events of an agent."""

    agent: AgentName

    @property
    def acting_agent(self) -> AgentName:
        return self.agent
