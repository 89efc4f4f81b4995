"""A run as a list of events: what streams, what is stored, what tests compare, what types the web client."""

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

APART: Any = dict.fromkeys(("at", "sequence", "best", "seconds", "dollars", "usage"), True) | {
    "asked": {"at"},
    "decided": {"at"},
}
"""Fields that are no part of a comparison."""


def event_id(run: str, node: str, step: int, ordinal: int | str) -> str:
    """The same thing at the same place of the same run: a node that runs again appends nothing twice."""
    return hashlib.sha256(f"{run}\n{node}\n{step}\n{ordinal}".encode()).hexdigest()[:32]


class Happened(Frozen):
    """What every event carries."""

    id: str
    run: str
    node: str
    at: datetime
    """UTC; no part of a comparison."""
    sequence: int | None = None
    """Its number in the log of its run, from 1 and without gaps; given by the store."""

    def comparable(self) -> dict[str, Any]:
        """The event without what may differ between two executions of the same run."""
        return self.model_dump(mode="json", exclude=APART)


class RunStarted(Happened):
    event: Literal["run_started"] = "run_started"
    request_digest: str
    data_digest: str
    model: str
    """Its name, or `embedded planner (rule-based)`."""


class NodeStarted(Happened):
    event: Literal["node_started"] = "node_started"
    step: int = 0


class NodeFinished(Happened):
    event: Literal["node_finished"] = "node_finished"
    step: int = 0


class AgentStarted(Happened):
    """An agent is asked its question number `ordinal`."""

    event: Literal["agent_started"] = "agent_started"
    agent: AgentName
    ordinal: int = 0
    model: str
    """The first of its chain."""


class AgentFinished(Happened):
    event: Literal["agent_finished"] = "agent_finished"
    agent: AgentName
    ordinal: int = 0
    outcome: Literal["answered", "abstained"]
    usage: Usage
    """Of this question; no part of a comparison."""


class ToolCalled(Happened):
    """An agent calls a tool with arguments that fit its schema; calls that do not are only counted."""

    event: Literal["tool_called"] = "tool_called"
    agent: AgentName
    tool: str
    arguments: dict[str, Any]


class ToolReturned(Happened):
    event: Literal["tool_returned"] = "tool_returned"
    agent: AgentName
    tool: str
    result_digest: str
    figures: tuple[str, ...]


class ModelAnswered(Happened):
    """A model answered an agent; `stop` says how the answer ended, `attempts` how many calls it took."""

    event: Literal["model_answered"] = "model_answered"
    agent: AgentName
    model: str
    stop: Literal["answered", "truncated", "malformed", "blocked"]
    attempts: int
    input_tokens: int
    """Without those that came from or went to the cache."""
    cached_tokens: int
    written_tokens: int
    output_tokens: int
    seconds: float
    """Of all attempts; no part of a comparison."""
    dollars: float | None = None
    """None where the price of a model is not known; no part of a comparison."""


class ModelRetried(Happened):
    """A call of a model failed for `reason` and was made again; `attempt` is the one that failed, from 1."""

    event: Literal["model_retried"] = "model_retried"
    agent: AgentName
    model: str
    reason: str
    attempt: int


class ModelReplaced(Happened):
    """A model failed for good; the agent asked the next one of its chain."""

    event: Literal["model_replaced"] = "model_replaced"
    agent: AgentName
    model: str
    by: str
    reason: str


class DecisionMade(Happened):
    event: Literal["decision_made"] = "decision_made"
    decision: Decision
    refused_calls: int = 0
    """Tool calls that named no tool, broke its arguments or exceeded the limit."""


class EstimateMade(Happened):
    event: Literal["estimate_made"] = "estimate_made"
    plan: int
    estimate: Estimate


class JobProgressed(Happened):
    """One tenth of a plan's trials was passed."""

    event: Literal["job_progressed"] = "job_progressed"
    job: str
    done: int
    total: int
    best: float | None = None
    """Best objective so far, as read when the tenth was noticed; no part of a comparison."""


class ComputationReported(Happened):
    """Where a job is computed elsewhere something happened: an attempt began, was lost, refused a stored piece."""

    event: Literal["computation_reported"] = "computation_reported"
    job: str
    report: Report


class TrialFinished(Happened):
    """A configuration was evaluated in every scenario, or dropped after few paths."""

    event: Literal["trial_finished"] = "trial_finished"
    trial: int
    """Of the run, from 0."""
    digest: str
    """Names the configuration."""
    screened: bool
    objective: float | None
    """In sample; None for one that was dropped."""


class TrialsFinished(Happened):
    event: Literal["trials_finished"] = "trials_finished"
    plan: int
    trials: int
    """Of the run, so far."""
    stopped: Literal["budget", "converged", "exhausted"]


class VerdictReached(Happened):
    event: Literal["verdict_reached"] = "verdict_reached"
    colour: Literal["green", "amber", "red", "infeasible"]
    headline: str


class ClaimReleased(Happened):
    event: Literal["claim_released"] = "claim_released"
    author: str
    claim: RenderedClaim


class FiguresChecked(Happened):
    """A draft passed the check of its figures; `digest` is the SHA-256 of its answer."""

    event: Literal["figures_checked"] = "figures_checked"
    agent: AgentName
    digest: str
    claims: int
    references: int


class ApprovalRequested(Happened):
    """The run waits until a person decides."""

    event: Literal["approval_requested"] = "approval_requested"
    asked: ApprovalRequest


class ApprovalDecided(Happened):
    event: Literal["approval_decided"] = "approval_decided"
    subject: Subject = "launch"
    decided: ApprovalDecision
    request_digest: str = ""
    """Names the whole request, as it was decided."""
    estimate: Estimate | None = None
    """Of the request as it was edited."""


class Warned(Happened):
    """Something that a person should know while the run goes on."""

    event: Literal["warned"] = "warned"
    code: Literal["budget_nearly_spent", "budget_spent", "price_unknown"]
    subject: str
    """What it is about, such as `run dollars` or the name of a model."""


class RunLaunched(Happened):
    """A conversation began a run of its own, whose events stand in that run's log."""

    event: Literal["run_launched"] = "run_launched"
    launched: str
    name: str


class TurnStarted(Happened):
    """The assistant was asked something; the words of the person are in the conversation."""

    event: Literal["turn_started"] = "turn_started"
    conversation: str
    turn: int
    model: str


class TurnPaused(Happened):
    """A person has to decide something before the turn goes on; the run's log tells what was asked."""

    event: Literal["turn_paused"] = "turn_paused"
    conversation: str
    turn: int
    waits_for: str
    """The run."""
    subject: Subject


class TurnFinished(Happened):
    event: Literal["turn_finished"] = "turn_finished"
    conversation: str
    turn: int
    outcome: Literal["answered", "declined", "asked_back", "no_answer"]
    usage: Usage
    """Of the assistant alone; no part of a comparison."""


class DraftRejected(Happened):
    """Text or an answer that was refused; only its SHA-256 is kept."""

    event: Literal["draft_rejected"] = "draft_rejected"
    agent: AgentName
    digest: str
    reasons: tuple[str, ...]
    """Codes, never the text."""


class RunFinished(Happened):
    event: Literal["run_finished"] = "run_finished"
    result_digest: str


class RunFailed(Happened):
    """`kind` is the class of the error, or why a model failed; its message goes to the log and nowhere else."""

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
    | Warned
    | RunLaunched
    | TurnStarted
    | TurnPaused
    | TurnFinished
    | RunFinished
    | RunFailed,
    Field(discriminator="event"),
]

TRACE_EVENT: TypeAdapter[TraceEvent] = TypeAdapter(TraceEvent)
