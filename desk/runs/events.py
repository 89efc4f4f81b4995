"""Trace events of a run: streamed, stored, compared in tests, and the types of the web client."""

import hashlib
from datetime import datetime
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import Field, TypeAdapter

from desk.figures.figures import RenderedClaim
from desk.governance.approvals import ApprovalDecision, ApprovalRequest, Subject
from desk.governance.estimates import Estimate
from desk.governance.usage import AgentName, Usage
from desk.optimization.answers import Decision
from desk.optimization.jobs import Report
from quant.numeric.frozen import Frozen

NOT_COMPARED: Any = dict.fromkeys(("at", "sequence", "best", "seconds", "dollars", "usage"), True) | {
    "asked": {"at"},
    "decided": {"at"},
}
"""Fields excluded from comparisons of runs."""


def event_id(run: str, node: str, step: int, ordinal: int | str) -> str:
    """Derive the id from run and position, so that a repeated node appends no event twice."""
    return hashlib.sha256(f"{run}\n{node}\n{step}\n{ordinal}".encode()).hexdigest()[:32]


class BaseEvent(Frozen):
    """Fields of every event."""

    id: str
    run: str
    node: str
    at: datetime
    """UTC; excluded from comparisons."""
    sequence: int | None = None
    """Number in the run's log, from 1 without gaps; assigned by the store."""

    def comparable(self) -> dict[str, Any]:
        """Return the event without fields that may differ between two executions of the same run."""
        return self.model_dump(mode="json", exclude=NOT_COMPARED)


class RunStarted(BaseEvent):
    event: Literal["run_started"] = "run_started"
    request_digest: str
    data_digest: str
    model: str
    """Its name, or `embedded planner (rule-based)`."""


class NodeStarted(BaseEvent):
    event: Literal["node_started"] = "node_started"
    step: int = 0


class NodeFinished(BaseEvent):
    event: Literal["node_finished"] = "node_finished"
    step: int = 0


class AgentStarted(BaseEvent):
    """An agent starts its decision number `ordinal`."""

    event: Literal["agent_started"] = "agent_started"
    agent: AgentName
    ordinal: int = 0
    model: str
    """First model of the agent's chain."""


class AgentFinished(BaseEvent):
    event: Literal["agent_finished"] = "agent_finished"
    agent: AgentName
    ordinal: int = 0
    outcome: Literal["answered", "abstained"]
    usage: Usage
    """Usage of this decision; excluded from comparisons."""


class ToolCalled(BaseEvent):
    """An agent called a tool with valid arguments; invalid calls are only counted."""

    event: Literal["tool_called"] = "tool_called"
    agent: AgentName
    tool: str
    arguments: dict[str, Any]


class ToolReturned(BaseEvent):
    event: Literal["tool_returned"] = "tool_returned"
    agent: AgentName
    tool: str
    result_digest: str
    figures: tuple[str, ...]


class ModelAnswered(BaseEvent):
    """A model answered an agent; `stop` says how the answer ended, `attempts` how many calls it took."""

    event: Literal["model_answered"] = "model_answered"
    agent: AgentName
    model: str
    stop: Literal["answered", "truncated", "malformed", "blocked"]
    attempts: int
    input_tokens: int
    """Tokens neither read from nor written to the cache."""
    cached_tokens: int
    written_tokens: int
    output_tokens: int
    seconds: float
    """Duration of all attempts; excluded from comparisons."""
    dollars: float | None = None
    """None if the model's price is unknown; excluded from comparisons."""


class ModelRetried(BaseEvent):
    """A model call failed for `reason` and is retried; `attempt` is the failed one, from 1."""

    event: Literal["model_retried"] = "model_retried"
    agent: AgentName
    model: str
    reason: str
    attempt: int


class ModelReplaced(BaseEvent):
    """A model failed permanently; the agent continues with the next one of its chain."""

    event: Literal["model_replaced"] = "model_replaced"
    agent: AgentName
    model: str
    by: str
    reason: str


class DecisionMade(BaseEvent):
    event: Literal["decision_made"] = "decision_made"
    decision: Decision
    refused_calls: int = 0
    """Tool calls with an unknown tool, with invalid arguments, or above the limit."""


class EstimateMade(BaseEvent):
    event: Literal["estimate_made"] = "estimate_made"
    plan: int
    estimate: Estimate


class JobProgressed(BaseEvent):
    """Another tenth of a plan's trials is done."""

    event: Literal["job_progressed"] = "job_progressed"
    job: str
    done: int
    total: int
    best: float | None = None
    """Best objective at that time; excluded from comparisons."""


class ComputationReported(BaseEvent):
    """Report of a remote job: an attempt began, was lost, or rejected a stored shard."""

    event: Literal["computation_reported"] = "computation_reported"
    job: str
    report: Report


class TrialFinished(BaseEvent):
    """A configuration was evaluated in every scenario, or dropped after few paths."""

    event: Literal["trial_finished"] = "trial_finished"
    trial: int
    """Number within the run, from 0."""
    digest: str
    """Digest of the configuration."""
    screened: bool
    objective: float | None
    """In sample; None if it was dropped."""


class TrialsFinished(BaseEvent):
    event: Literal["trials_finished"] = "trials_finished"
    plan: int
    trials: int
    """Trials of the run so far."""
    stopped: Literal["budget", "converged", "exhausted"]


class VerdictReached(BaseEvent):
    event: Literal["verdict_reached"] = "verdict_reached"
    colour: Literal["green", "amber", "red", "infeasible"]
    headline: str


class ClaimReleased(BaseEvent):
    event: Literal["claim_released"] = "claim_released"
    author: str
    claim: RenderedClaim


class FiguresChecked(BaseEvent):
    """A draft passed the guard; `digest` is the SHA-256 of the answer."""

    event: Literal["figures_checked"] = "figures_checked"
    agent: AgentName
    digest: str
    claims: int
    references: int


class ApprovalRequested(BaseEvent):
    """The run waits for an approval."""

    event: Literal["approval_requested"] = "approval_requested"
    asked: ApprovalRequest


class ApprovalDecided(BaseEvent):
    event: Literal["approval_decided"] = "approval_decided"
    subject: Subject = "launch"
    decided: ApprovalDecision
    request_digest: str = ""
    """Digest of the whole request as decided."""
    estimate: Estimate | None = None
    """Estimate of the edited request."""


class WarningIssued(BaseEvent):
    """A warning that does not stop the run."""

    event: Literal["warned"] = "warned"
    code: Literal["budget_nearly_spent", "budget_spent", "price_unknown"]
    subject: str
    """Subject of the warning, such as `run dollars` or the name of a model."""


class RunLaunched(BaseEvent):
    """A conversation launched a run, which has its own log."""

    event: Literal["run_launched"] = "run_launched"
    launched: str
    name: str


class TurnStarted(BaseEvent):
    """A turn started; the user's message is stored in the conversation."""

    event: Literal["turn_started"] = "turn_started"
    conversation: str
    turn: int
    model: str


class TurnPaused(BaseEvent):
    """The turn waits for an approval, which the run's log describes."""

    event: Literal["turn_paused"] = "turn_paused"
    conversation: str
    turn: int
    waits_for: str
    """Id of the run."""
    subject: Subject


class TurnFinished(BaseEvent):
    event: Literal["turn_finished"] = "turn_finished"
    conversation: str
    turn: int
    outcome: Literal["answered", "declined", "asked_back", "no_answer"]
    usage: Usage
    """Usage of the assistant alone; excluded from comparisons."""


class DraftRejected(BaseEvent):
    """A rejected text or answer; only its SHA-256 is stored."""

    event: Literal["draft_rejected"] = "draft_rejected"
    agent: AgentName
    digest: str
    reasons: tuple[str, ...]
    """Violation codes, never the text."""


class RunFinished(BaseEvent):
    event: Literal["run_finished"] = "run_finished"
    result_digest: str


class RunFailed(BaseEvent):
    """The run failed; `kind` is the error class or the reason of a model failure, its message is only logged."""

    event: Literal["run_failed"] = "run_failed"
    code: Literal["fault", "cancelled", "rejected", "unusable_input", "model_failed"]
    kind: str


TraceEvent: TypeAlias = Annotated[
    RunStarted
    | NodeStarted
    | NodeFinished
    | AgentStarted
    | AgentFinished
    | ToolCalled
    | ToolReturned
    | ModelAnswered
    | ModelRetried
    | ModelReplaced
    | DecisionMade
    | EstimateMade
    | JobProgressed
    | ComputationReported
    | TrialFinished
    | TrialsFinished
    | VerdictReached
    | ClaimReleased
    | FiguresChecked
    | DraftRejected
    | ApprovalRequested
    | ApprovalDecided
    | WarningIssued
    | RunLaunched
    | TurnStarted
    | TurnPaused
    | TurnFinished
    | RunFinished
    | RunFailed,
    Field(discriminator="event"),
]

TRACE_EVENT: TypeAdapter[TraceEvent] = TypeAdapter(TraceEvent)
