"""Events of the agents: their decisions, their calls of tools, and what the guard says of their drafts."""

import json
from typing import Any, Literal, TypeAlias

from desk.base.text import plural, shortened, spaced, title
from desk.governance.usage import AgentName, Usage
from desk.optimization.answers import Decision
from desk.runs.events.base import AgentEvent, BaseEvent, Row
from desk.runs.progress import ProgressTracker


class AgentStarted(AgentEvent):
    """An agent starts its decision number `ordinal`."""

    row = Row(stage="agents", opens="agent", live=False, agui="subagent_started", sends_progress=True)

    event: Literal["agent_started"] = "agent_started"
    ordinal: int = 0
    model: str
    """First model of the agent's chain."""

    def line(self) -> str:
        return f"{title(self.agent)}, {self.model}"

    def advance(self, progress: ProgressTracker) -> None:
        progress.start_agent(self.agent)


class AgentFinished(AgentEvent):
    row = Row(stage="agents", closes="agent", live=False, agui="subagent_finished", sends_progress=True)

    event: Literal["agent_finished"] = "agent_finished"
    ordinal: int = 0
    outcome: Literal["answered", "abstained"]
    """Whether the agent answered."""
    usage: Usage
    """Usage of this decision; excluded from comparisons."""

    @property
    def error(self) -> str | None:
        return None if self.outcome == "answered" else self.outcome

    def line(self) -> str:
        return f"{title(self.agent)} {self.outcome}"

    def label(self) -> str:
        return self.outcome

    def advance(self, progress: ProgressTracker) -> None:
        progress.finish_agent(self.agent)


class ToolEvent(AgentEvent):
    """Fields of the events of a tool call."""

    tool: str
    """Name of the tool."""


class ToolCalled(ToolEvent):
    """An agent called a tool with valid arguments; invalid calls are only counted."""

    row = Row(stage="agents", opens="tool", agui="tool_call")

    event: Literal["tool_called"] = "tool_called"
    arguments: dict[str, Any]
    """Arguments of the call."""

    def line(self) -> str:
        arguments = ", ".join(f"{name}={value}" for name, value in self.arguments.items())
        return f"{title(self.agent)} calls {self.tool}({shortened(arguments)})"

    def label(self) -> str:
        arguments = ", ".join(f"{name}={json.dumps(value)}" for name, value in self.arguments.items())
        return f"{self.tool}({arguments})"


class ToolReturned(ToolEvent):
    row = Row(stage="agents", closes="tool", live=False, agui="tool_result", sends_progress=True)

    event: Literal["tool_returned"] = "tool_returned"
    result_digest: str
    """SHA-256 of the tool's answer."""
    figures: tuple[str, ...]
    """Ids of the figures in the tool's answer."""

    def line(self) -> str:
        return f"{self.tool} returned {self.label()}"

    def label(self) -> str:
        return plural(len(self.figures), "figure")

    def advance(self, progress: ProgressTracker) -> None:
        if self.agent == "assistant":
            progress.approach("release")


class DecisionMade(BaseEvent):
    row = Row(stage="agents")

    event: Literal["decision_made"] = "decision_made"
    decision: Decision
    refused_calls: int = 0
    """Tool calls with an unknown tool, with invalid arguments, or above the limit."""

    @property
    def acting_agent(self) -> AgentName:
        return self.decision.agent

    def line(self) -> str:
        return self.decision.describe()

    def label(self) -> str:
        refusals = f"; {plural(self.refused_calls, 'call')} of tools refused" if self.refused_calls else ""
        return self.line() + refusals


class FiguresChecked(AgentEvent):
    """A draft passed the guard; `digest` is the SHA-256 of the answer."""

    row = Row(stage="agents")

    event: Literal["figures_checked"] = "figures_checked"
    digest: str
    """SHA-256 of the answer."""
    claims: int
    """Number of sentences."""
    references: int
    """Number of references to figures."""

    @property
    def live(self) -> bool:
        return self.claims > 0

    def line(self) -> str:
        counts = f"{plural(self.claims, 'claim')}, {plural(self.references, 'reference')}"
        return f"{title(self.agent)}'s draft passed the check of its figures ({counts})"


class DraftRejected(AgentEvent):
    """A rejected text or answer; only its SHA-256 is stored."""

    row = Row(stage="agents")

    event: Literal["draft_rejected"] = "draft_rejected"
    digest: str
    """SHA-256 of the draft."""
    reasons: tuple[str, ...]
    """Violation codes, never the text."""

    def line(self) -> str:
        return f"A draft of the {title(self.agent).lower()} was refused: {spaced(', '.join(self.reasons))}"


Event: TypeAlias = (
    AgentStarted | AgentFinished | ToolCalled | ToolReturned | DecisionMade | FiguresChecked | DraftRejected
)
