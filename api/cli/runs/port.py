"""The port `Runs`: what commands ask of the place where runs are stored."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeAlias

from desk.governance.approvals import ApprovalDecision, ApprovalRequest, Subject
from desk.optimization.request import OptimizationRequest
from desk.optimization.result import OptimizationResult

if TYPE_CHECKING:
    from api.draft_forms import DraftFields, DraftForm, DraftSummary
    from api.export.job_files import Format
    from desk.governance.approval_requests import Question
    from desk.optimization.holdout import OpenedHoldout
    from desk.runs.events.table import TraceEvent
    from desk.tearsheets.schemas import TearsheetDocument, TearsheetRequest
    from graphs.runs.job_status import JobSummary
    from graphs.runs.surrogates import WarmStart

STARTED = time.monotonic()
"""When the process imported the command line."""


class CompletedRun(NamedTuple):
    """A run with its result."""

    run: str
    result: OptimizationResult
    watermark: str | None = None
    """The sentence that marks the result once its holdout was opened."""


@dataclass(frozen=True)
class WaitingRun:
    """A run that waits for the decision of a person."""

    run: str
    request: ApprovalRequest
    second_person: bool = False
    """Whether a person other than the owner must decide."""
    question: str = ""
    """The id under which other users find the question."""


@dataclass(frozen=True)
class FailedRun:
    """A run, or its reproduction, that ended by a fault."""

    message: str


Outcome: TypeAlias = CompletedRun | WaitingRun | FailedRun


class Submission(NamedTuple):
    """A run that was submitted or resumed, and a notice for the person; the notice may be empty."""

    run: str
    notice: str


class RecordedDecision(NamedTuple):
    """The decision in force about a run, which may be an earlier one."""

    run: str
    decision: ApprovalDecision
    subject: Subject
    follow: bool
    """Whether the command follows the run to its end: an earlier decision is followed by the command that made it."""
    question: "Question | None" = None
    """The question of another user's run, of which nothing else is visible."""


class Digests(NamedTuple):
    """The digest of a stored result and of its reproduction."""

    stored: str
    reproduced: str
    same_code: bool
    """Whether the numeric core is the one that computed the stored result."""


class ListedQuestion(NamedTuple):
    """A question, and the name under which the command line accepts it."""

    name: str
    question: "Question"


class Questions(NamedTuple):
    """Open questions, the heading of their names, and how to decide them."""

    heading: str
    rows: Sequence[ListedQuestion]
    instruction: str


class Elapsed(NamedTuple):
    """Seconds by part of the work, and what they include."""

    seconds: dict[str, float]
    scope: str


class Runs(Protocol):
    """The runs of one user.

    A run is named by its id, by a prefix of the id that no other run has, or by `last`; an unknown name raises
    `InvalidInput`.
    """

    option: str
    """The option that leads a suggested command to these runs: ` --server URL`, or nothing."""

    def summaries(self) -> "Sequence[JobSummary]":
        """All runs, newest first."""
        ...

    def completed(self, name: str) -> CompletedRun:
        """A run with its result; `UserError` if it has none."""
        ...

    def report(self, run: CompletedRun) -> str | bytes:
        """The report as an HTML page."""
        ...

    def export(self, name: str, format_: "Format") -> str | bytes:
        """A completed run as a file."""
        ...

    def tearsheet(self, request: "TearsheetRequest") -> "TearsheetDocument":
        """The tear sheet of a series, a portfolio or a completed run."""
        ...

    def reproduce(self, name: str) -> Digests | FailedRun:
        """Compute a completed run again from its manifest, without any model."""
        ...

    def cancel(self, name: str, reason: str) -> str:
        """End a run; returns the notice for the person."""
        ...

    def questions(self) -> Questions:
        """Questions that this user may decide, newest first."""
        ...

    def warm(self, request: OptimizationRequest) -> "WarmStart":
        """The request with the first configurations that a surrogate suggests."""
        ...

    def submit(self, request: OptimizationRequest) -> Submission: ...

    def drafts(self) -> "Sequence[DraftSummary]":
        """All drafts, newest first."""
        ...

    def draft(self, name: str) -> "DraftForm":
        """A draft, and what is still wrong with it."""
        ...

    def save_draft(self, fields: "DraftFields", name: str | None) -> "DraftForm":
        """Save fields of a request as a new draft, or over those of the draft `name`."""
        ...

    def submit_draft(self, name: str) -> Submission:
        """Submit a draft as a run with the same id; `UserError` if it has problems."""
        ...

    def delete_draft(self, name: str) -> str:
        """Delete a draft; returns its id."""
        ...

    def resume(self, name: str) -> Submission:
        """Continue a run that did not finish, or follow one that is running."""
        ...

    def follow(self, run: str, show: "Callable[[TraceEvent], None]") -> Outcome:
        """Show the events of a run until it ends or waits for a person."""
        ...

    def elapsed(self) -> Elapsed:
        """The time since the command started, or since it submitted its job."""
        ...

    def interruption(self, run: str, error: BaseException) -> str:
        """How to continue or end a run that the command stopped following because of `error`."""
        ...

    def decide(self, name: str, decision: ApprovalDecision) -> RecordedDecision:
        """Decide whether a run that waits may be executed; the first decision is in force."""
        ...

    def decide_holdout(self, name: str, decision: ApprovalDecision) -> RecordedDecision:
        """Decide whether the locked holdout of a completed run is opened; the first decision is in force."""
        ...

    def open_holdout(self, run: str) -> "OpenedHoldout":
        """Evaluate the winner on the holdout, once a decision allows it."""
        ...
