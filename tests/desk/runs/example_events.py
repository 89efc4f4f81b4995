"""An example of every kind of trace event, all of one turn that launches no other log."""

from datetime import UTC, datetime, timedelta
from typing import Any

from desk.figures.figures import RenderedClaim
from desk.governance.approvals import DEFAULT_THRESHOLDS, ApprovalDecision, ApprovalRequest
from desk.governance.estimates import Estimate
from desk.governance.usage import Usage
from desk.optimization.answers import Decision
from desk.optimization.jobs import Report
from desk.runs.events.table import TRACE_EVENT, TraceEvent

AT = datetime(2026, 1, 2, tzinfo=UTC)
RUN = "run-1"
MODEL = "openai:gpt"

_AGENT: dict[str, Any] = {"agent": "explainer"}
_TOOL = {**_AGENT, "tool": "list_figures"}
_TURN = {"conversation": "talk", "turn": 3}
_TOKENS = {"input_tokens": 900, "cached_tokens": 100, "written_tokens": 10, "output_tokens": 50}
_ESTIMATE = Estimate(trials=20, evaluations=100, path_days=1_000_000, seconds=2.0, memory_mb=8.0)
_CHECK = {
    "scenario": "base_case",
    "engine": "heston",
    "model": "d",
    "paths": 1000,
    "days": 252,
    "moments": ({"name": "mean", "implied": 0.08, "simulated": 0.081, "error": 0.01, "passed": True},),
    "drawdowns": {"0.50": 0.1},
}
_REQUEST = ApprovalRequest(
    subject="launch", estimate=_ESTIMATE, exceeded=("evaluations",), thresholds=DEFAULT_THRESHOLDS, at=AT
)
_CLAIM = RenderedClaim(section="risk", text="It falls by 5%.", figures=("a",), template="It falls by {{a}}.")

EXAMPLES: dict[str, dict[str, Any]] = {
    "run_started": {"request_digest": "d", "data_digest": "d", "model": MODEL},
    "node_started": {},
    "node_finished": {},
    "warned": {"code": "budget_nearly_spent", "subject": "run dollars"},
    "run_finished": {"result_digest": "f" * 64},
    "run_failed": {"code": "fault", "kind": "OSError"},
    "agent_started": {**_AGENT, "model": MODEL},
    "agent_finished": {**_AGENT, "outcome": "answered", "usage": Usage(answers=1, output_tokens=50)},
    "tool_called": {**_TOOL, "arguments": {"which": "all"}},
    "tool_returned": {**_TOOL, "result_digest": "d", "figures": ("a", "b")},
    "decision_made": {"decision": Decision(**_AGENT, ordinal=0, author=MODEL, answer={"claims": [{}]})},
    "figures_checked": {**_AGENT, "digest": "d", "claims": 2, "references": 3},
    "draft_rejected": {**_AGENT, "digest": "d", "reasons": ("own_number",)},
    "model_answered": {
        **_AGENT,
        **_TOKENS,
        "model": MODEL,
        "stop": "answered",
        "attempts": 2,
        "seconds": 1.5,
        "dollars": 0.25,
    },
    "model_retried": {**_AGENT, "model": MODEL, "reason": "throttled", "attempt": 1},
    "model_replaced": {**_AGENT, "model": MODEL, "by": "openai:other", "reason": "throttled"},
    "scenarios_checked": {"worlds": "calibrated", "base": {"volatility": 0.18, "mean": 0.08}, "checks": (_CHECK,)},
    "estimate_made": {"plan": 0, "estimate": _ESTIMATE},
    "job_progressed": {"job": "j", "done": 4, "total": 20, "best": 0.01},
    "computation_reported": {"job": "j", "report": Report(attempt=1, name="stratigos-1", code="begun")},
    "trial_finished": {"trial": 0, "digest": "e" * 64, "screened": False, "objective": 0.01},
    "trials_finished": {"plan": 0, "trials": 20, "stopped": "budget"},
    "verdict_reached": {"colour": "green", "headline": "The winner beats the benchmark"},
    "claim_released": {"author": MODEL, "claim": _CLAIM},
    "approval_requested": {"asked": _REQUEST},
    "approval_decided": {"decided": ApprovalDecision(verdict="approved", by="boss", at=AT)},
    "run_launched": {"launched": "run-2", "name": "mine"},
    "turn_started": {**_TURN, "model": MODEL},
    "turn_paused": {**_TURN, "waits_for": "run-2", "subject": "launch"},
    "turn_finished": {**_TURN, "outcome": "answered", "usage": Usage(output_tokens=1200, seconds=2.5)},
}


def example(kind: str, second: float = 0.0, **changes: Any) -> TraceEvent:
    """The example of `kind`, some seconds after `AT`."""
    place = {"id": f"{kind}-{second}", "run": RUN, "node": "explainer", "at": AT + timedelta(seconds=second)}
    fields = {"event": kind, **place, "sequence": int(second) + 1, **EXAMPLES[kind], **changes}
    return TRACE_EVENT.validate_python(fields)
