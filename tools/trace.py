"""A run as a list of events: what streams, what is stored, what tests compare, what types the web client."""

import hashlib
from datetime import datetime
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import Field, TypeAdapter

from quant.strategy import Frozen
from tools.optimization import AgentName, Decision, Estimate, RenderedClaim


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

    def comparable(self) -> dict[str, Any]:
        """The event without what may differ between two executions of the same run."""
        return self.model_dump(mode="json", exclude={"at", "best", "seconds"})


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


class ToolCalled(Happened):
    """An agent called a tool with arguments that the tool accepted; refused calls are only counted."""

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
    code: Literal["fault", "cancelled", "unusable_input", "model_failed"]
    kind: str


TraceEvent: TypeAlias = Annotated[
    RunStarted
    | NodeStarted
    | NodeFinished
    | ToolCalled
    | ToolReturned
    | ModelAnswered
    | ModelRetried
    | ModelReplaced
    | DecisionMade
    | EstimateMade
    | JobProgressed
    | TrialsFinished
    | VerdictReached
    | ClaimReleased
    | DraftRejected
    | RunFinished
    | RunFailed,
    Field(discriminator="event"),
]

TRACE_EVENT: TypeAdapter[TraceEvent] = TypeAdapter(TraceEvent)
