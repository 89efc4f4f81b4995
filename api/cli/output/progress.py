"""Trace events as lines of text, with a progress bar on a terminal."""

import time
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)

from api.cli.terminal import plain
from desk.base.text import number, plural, sentence_case, title
from desk.governance.approvals import ApprovalDecision, ApprovalRequest
from desk.governance.estimates import Estimate
from desk.optimization.answers import Decision
from desk.optimization.jobs import ReportCode
from desk.optimization.result import COLOURS
from desk.runs import events as trace
from desk.runs.nodes import node_title

_ENDS = {
    "answered": "answered",
    "truncated": "was cut off by a limit",
    "malformed": "answered with broken arguments",
    "blocked": "was stopped by a guardrail",
}
_REPORTS: dict[ReportCode, str] = {
    "begun": "the computation began",
    "lost": "its machines were lost",
    "capacity": "there are no machines for it",
    "stopped_outside": "stopped from outside",
    "missing_output": "not all of its result is there",
    "bad_output": "a file of its result was refused",
    "bad_shard": "a stored piece was refused, and is computed again",
    "fault": "it failed",
}
_LEAST_SECONDS = 0.05
"""A rate is shown from then on: a resumed run reports its finished trials all at once."""


class Reporter:
    """Prints events on `console`; a context manager for the time of the run."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bar = _bar(console) if console.is_terminal else None
        self._task: TaskID | None = None
        self._since = time.monotonic()
        self._done = 0

    def __enter__(self) -> "Reporter":
        self._live: AbstractContextManager[Any] = self._bar or nullcontext()
        self._live.__enter__()
        return self

    def __exit__(self, *failure: Any) -> None:
        self._live.__exit__(*failure)

    def show(self, event: trace.TraceEvent) -> None:
        if isinstance(event, trace.JobProgressed):
            self._progressed(event)
            return
        if isinstance(event, trace.EstimateMade):
            self._since, self._done = time.monotonic(), 0
        if line := describe(event):
            self._console.print(line)

    def _progressed(self, event: trace.JobProgressed) -> None:
        if event.done == self._done:
            return
        self._done = event.done
        elapsed = time.monotonic() - self._since
        rate = f", {event.done / elapsed:.1f} trials/s" if elapsed >= _LEAST_SECONDS else ""
        best = "" if event.best is None else f", best so far, in sample: {number(event.best * 1e4, 1)} bps"
        if self._bar is None:
            self._console.print(f"  {event.done} of {event.total} trials{rate}{best}")
            return
        if self._task is None:
            self._task = self._bar.add_task("")
        self._bar.update(self._task, total=event.total, completed=event.done, description=f"trials{rate}{best}")


def _bar(console: Console) -> Progress:
    columns = (
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TextColumn("{task.description}", markup=False),
        TimeElapsedColumn(),
    )
    return Progress(*columns, console=console, transient=True)


def describe(event: trace.TraceEvent) -> str:
    """The event in one line; empty for events that only a trace shows."""
    match event:
        case trace.RunStarted():
            rules = ": fixed rules, no language model" if "rule-based" in event.model else ""
            return f"Run {event.run}, agents driven by {event.model}{rules}"
        case trace.NodeStarted():
            again = f" (again, {event.step + 1})" if event.step else ""
            return f"▸ {node_title(event.node)}{again}"
        case trace.ToolCalled():
            arguments = ", ".join(f"{name}={value}" for name, value in event.arguments.items())
            return plain(f"  {title(event.agent)} calls {event.tool}({_cut(arguments)})")
        case trace.DecisionMade():
            return plain("  " + describe_agent_decision(event.decision))
        case trace.EstimateMade():
            return f"  Estimate, plan {event.plan + 1}: {describe_estimate(event.estimate)}"
        case trace.TrialsFinished():
            return f"  {event.trials} trials finished ({event.stopped})"
        case trace.VerdictReached():
            word, sign = COLOURS[event.colour]
            return plain(f"  {sign} {word}: {event.headline}")
        case trace.DraftRejected():
            return f"  A draft of the {title(event.agent).lower()} was refused: {_spaced(', '.join(event.reasons))}"
        case trace.RunFailed():
            return plain(f"  The run ended: {event.code} ({event.kind})".replace("_", " "))
        case _:
            text = _of_person(event) or _of_model(event) or _of_guard(event) or _of_conversation(event)
            return plain(text or _of_machines(event))


def _of_person(event: trace.TraceEvent) -> str:
    match event:
        case trace.ApprovalRequested():
            return f"  A person is asked: {describe_question(event.asked)}"
        case trace.ApprovalDecided():
            return "  " + describe_decision(event.decided, event.subject)
        case _:
            return ""


def _of_model(event: trace.TraceEvent) -> str:
    match event:
        case trace.ModelAnswered() if event.output_tokens or event.stop != "answered":  # the planner counts no tokens
            return f"  {title(event.agent)}'s model {describe_answer(event)}"
        case trace.ModelRetried():
            return (
                f"  {title(event.agent)}'s model failed ({_spaced(event.reason)}), attempt {event.attempt}; once more"
            )
        case trace.ModelReplaced():
            return f"  {title(event.agent)}'s model {event.model} failed ({_spaced(event.reason)}); {event.by} is asked"
        case _:
            return ""


def _of_guard(event: trace.TraceEvent) -> str:
    match event:
        case trace.FiguresChecked() if event.claims:
            checked = f"{plural(event.claims, 'claim')}, {plural(event.references, 'reference')}"
            return f"  {title(event.agent)}'s draft passed the check of its figures ({checked})"
        case trace.WarningIssued():
            return f"  ! {title(event.code)}: {event.subject}"
        case _:
            return ""


def _of_conversation(event: trace.TraceEvent) -> str:
    match event:
        case trace.RunLaunched():
            return f"  Launched run {event.launched}: {event.name}"
        case trace.TurnFinished() if event.usage.tokens:
            return f"  The assistant took {number(event.usage.tokens)} tokens, {number(event.usage.seconds, 1)} s"
        case _:
            return ""


def _of_machines(event: trace.TraceEvent) -> str:
    match event:
        case trace.ComputationReported():
            report = event.report
            reason = f": {report.reason}" if report.reason else ""
            return f"  {sentence_case(_REPORTS[report.code])} ({report.name}, attempt {report.attempt}){reason}"
        case _:
            return ""


def _spaced(reason: str) -> str:
    return reason.replace("_", " ")


def describe_stop(event: trace.ModelAnswered) -> str:
    return _ENDS[event.stop]


def describe_answer(event: trace.ModelAnswered) -> str:
    """How the answer ended, with its tokens and time."""
    input_tokens = number(event.input_tokens + event.written_tokens)
    usage = f"{input_tokens} tokens read, {number(event.cached_tokens)} from the cache"
    attempts = f", {event.attempts} attempts" if event.attempts > 1 else ""
    output = f"{number(event.output_tokens)} written, {number(event.seconds, 1)} s"
    return f"{describe_stop(event)}: {usage}, {output}{attempts}"


def describe_agent_decision(decision: Decision) -> str:
    """The answer of an agent, without its texts."""
    if decision.author == "abstained":
        return f"{title(decision.agent)} abstained: code takes over"
    answer = dict(decision.answer)
    claims = answer.pop("claims", [])
    parts = [f"{name} {_value(value)}" for name, value in answer.items() if value]
    if claims:
        parts.append("1 claim" if len(claims) == 1 else f"{len(claims)} claims")
    return f"{title(decision.agent)} ({decision.author}): {_cut(', '.join(parts)) or 'an empty answer'}"


def describe_question(request: ApprovalRequest) -> str:
    """The question for a person, with its reason."""
    if request.subject == "holdout":
        return "whether the locked holdout may be opened"
    above = [
        f"{(amount := getattr(request.estimate, name)):g} {name if amount != 1 else name[:-1]} "
        f"(above {getattr(request.thresholds, name):g})"
        for name in request.exceeded
    ]
    return f"the job would take {', '.join(above)}"


def describe_decision(decision: ApprovalDecision, subject: str = "launch") -> str:
    """The decision of a person."""
    changes = [f"{value} {name}" for name in ("trials", "paths") if (value := getattr(decision, name))]
    parts = [f"{title(subject)} {decision.verdict} by {decision.by}", *changes]
    return ", ".join(parts) + (f": {decision.reason}" if decision.reason else "")


def _value(value: Any) -> str:
    if isinstance(value, list | tuple) and any(isinstance(item, dict) for item in value):
        return f"({len(value)})"
    return " ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _cut(text: str) -> str:
    return text if len(text) <= 120 else text[:117] + "..."


def describe_estimate(estimate: Estimate) -> str:
    instances = (
        f", {plural(estimate.instances, 'instance')}, {estimate.dollars:.2f} dollars" if estimate.instances else ""
    )
    return (
        f"{estimate.trials} trials, {number(estimate.evaluations)} evaluations, "
        f"{number(estimate.path_days / 1e6, 1)} million strategy-days, about {number(estimate.seconds, 1)} s, "
        f"{number(estimate.memory_mb)} MB{instances}"
    )
