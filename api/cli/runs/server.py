"""Runs at a server, over HTTP."""

import re
import sys
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from api.cli.runs.lookup import LAST, choose, choose_draft, without_result
from api.cli.runs.port import (
    CompletedRun,
    Digests,
    Elapsed,
    FailedRun,
    ListedQuestion,
    Outcome,
    Questions,
    RecordedDecision,
    Submission,
    WaitingRun,
)
from api.client.client import Client, Refused
from desk.base.errors import InvalidInput
from desk.governance.approvals import ApprovalDecision, Ruling
from desk.optimization.request import OptimizationRequest
from desk.optimization.result import OptimizationResult
from desk.runs.states import RESTARTABLE_STATES
from graphs.runs.job_status import Job, JobSummary

if TYPE_CHECKING:
    from api.draft_forms import DraftFields, DraftForm, DraftSummary
    from api.export.job_files import Format
    from desk.optimization.holdout import OpenedHoldout
    from desk.runs.events.table import TraceEvent
    from desk.tearsheets.schemas import TearsheetDocument, TearsheetRequest
    from graphs.runs.surrogates import WarmStart

SHORTEST_QUESTION = 8
"""Letters of a question's id; a shorter text names a run."""
QUESTION_ID = re.compile("[0-9a-f]{32}")
FORBIDDEN, ABSENT = 403, 404


class ServerRuns:
    """Adapter of `Runs`."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._started = time.monotonic()
        self.option = f" --server {client.url}"
        self._shown: dict[str, int] = {}
        """The sequence number of the last shown event, by run."""

    def summaries(self) -> Sequence[JobSummary]:
        return list(self._client.jobs())

    def completed(self, name: str) -> CompletedRun:
        return self._completed(self._client.job(self._find(name)))

    def report(self, run: CompletedRun) -> bytes:
        return self._client.export(run.run, "html")

    def export(self, name: str, format_: "Format") -> bytes:
        return self._client.export(self.completed(name).run, format_)

    def tearsheet(self, request: "TearsheetRequest") -> "TearsheetDocument":
        return self._client.tearsheet(request)

    def reproduce(self, name: str) -> Digests | FailedRun:
        run = self.completed(name).run
        reproduction = self._client.reproduce(run)
        try:
            reproduction = self._client.reproduced(reproduction)
        except KeyboardInterrupt:
            message = f"Interrupted here. Run {run} is still being reproduced at {self._client.url}"
            print(message, file=sys.stderr)
            raise
        if reproduction.reproduced_digest is None:
            return FailedRun(f"RUN: {run} was not reproduced: {reproduction.error}")
        same_code = reproduction.same_code is True
        return Digests(reproduction.stored_digest, reproduction.reproduced_digest, same_code)

    def cancel(self, name: str, reason: str) -> str:
        job = self._client.cancel(self._find(name), reason=reason)
        state = "is cancelled" if job.state == "cancelled" else "ends within seconds"
        return f"Run {job.id} {state}; finished trials are kept"

    def questions(self) -> Questions:
        rows = [ListedQuestion(question.id[:12], question) for question in self._client.approvals()]
        return Questions("Question", rows, f"python -m api approve QUESTION{self.option}")

    def warm(self, request: OptimizationRequest) -> "WarmStart":  # noqa: ARG002
        allowed = "without it, or a request file of `python -m api surrogate suggest`"
        reason = "it reads the trials of this home, and a server is asked"
        raise InvalidInput("--warm", self._client.url, reason=reason, allowed=allowed)

    def submit(self, request: OptimizationRequest) -> Submission:
        if request.prices_file is not None:
            reason = "a server cannot read a file of its client"
            allowed = "an import with POST /api/market-data/imports, then --universe with the name of the data set"
            raise InvalidInput("--prices", request.prices_file, reason=reason, allowed=allowed)
        self._started = time.monotonic()
        try:
            run = self._client.submit(request).id
        except Refused as error:
            raise (_invalid_field(error) or error) from error
        return Submission(run, f"Run {run} waits for a worker at {self._client.url}")

    def drafts(self) -> Sequence["DraftSummary"]:
        return list(self._client.drafts())

    def draft(self, name: str) -> "DraftForm":
        return self._client.draft(self._find_draft(name))

    def save_draft(self, fields: "DraftFields", name: str | None) -> "DraftForm":
        return self._client.save_draft(fields.root, draft=None if name is None else self._find_draft(name))

    def submit_draft(self, name: str) -> Submission:
        self._started = time.monotonic()
        run = self._client.submit_draft(self._find_draft(name)).id
        return Submission(run, f"Run {run} waits for a worker at {self._client.url}")

    def delete_draft(self, name: str) -> str:
        draft = self._find_draft(name)
        self._client.delete_draft(draft)
        return draft

    def resume(self, name: str) -> Submission:
        job = self._client.job(self._find(name))
        if job.state in RESTARTABLE_STATES:
            self._client.restart(job.id)
        return Submission(job.id, f"Following run {job.id} at {self._client.url}")

    def follow(self, run: str, show: "Callable[[TraceEvent], None]") -> Outcome:
        for live in self._client.watch(run, after=self._shown.get(run, 0)):
            self._shown[run] = live.sequence
            show(live.event)
        job = self._client.job(run)
        if job.state == "waiting":
            assert job.approval is not None
            question = job.approval.question
            return WaitingRun(run, job.approval.asked, second_person=not self._is_visible(question), question=question)
        if job.state == "failed" and not _is_fixable(job):
            return FailedRun(str(self._without_result(job)))
        return self._completed(job)

    def elapsed(self) -> Elapsed:
        wall = time.monotonic() - self._started
        return Elapsed({"wall": wall}, f"since its submission, at {self._client.url}")

    def interruption(self, run: str, error: BaseException) -> str:  # noqa: ARG002
        resume = f"come back: python -m api optimize --resume {run}{self.option}"
        cancel = f"end it: python -m api cancel {run}{self.option}"
        return f"Interrupted here. Run {run} continues at {self._client.url}; {resume}; {cancel}"

    def decide(self, name: str, decision: ApprovalDecision) -> RecordedDecision:
        if (question := self._open_question(name)) is not None:
            return self._decide_question(question, decision)
        try:
            run = self._find(name)
        except InvalidInput as error:
            if name == LAST or error.code != "no_such_run":
                raise
            if QUESTION_ID.fullmatch(name) and self._is_visible(name):  # the server says why it is not open
                return self._decide_question(name, decision)
            raise _no_run_or_question(name) from error
        self._started = time.monotonic()
        self._client.rule(run, ruling(decision))
        approval = self._client.job(run).approval
        assert approval is not None
        assert approval.decided is not None
        return RecordedDecision(run, approval.decided, "launch", follow=True)

    def decide_holdout(self, name: str, decision: ApprovalDecision) -> RecordedDecision:
        run = self._find(name)
        status = self._client.open_holdout(run, ruling(decision))
        assert status.decided is not None
        return RecordedDecision(run, status.decided, "holdout", follow=decision.verdict != "rejected")

    def open_holdout(self, run: str) -> "OpenedHoldout":
        opened = self._client.holdout(run).opened
        assert opened is not None
        return opened

    def _decide_question(self, question: str, decision: ApprovalDecision) -> RecordedDecision:
        answer = self._client.decide_approval(question, ruling(decision))
        assert answer.decided is not None
        return RecordedDecision("", answer.decided, answer.asked.subject, follow=False, question=answer)

    def _open_question(self, text: str) -> str | None:
        """The id of the open question that `text` names; None if there is not exactly one."""
        if len(text) < SHORTEST_QUESTION:
            return None
        try:
            matches = [question.id for question in self._client.approvals() if question.id.startswith(text)]
        except Refused as error:
            if error.status != FORBIDDEN:
                raise
            return None
        return matches[0] if len(matches) == 1 else None

    def _is_visible(self, question: str) -> bool:
        """Whether this user may read the question."""
        try:
            return not question or self._client.approval(question).id == question
        except Refused as error:
            if error.status not in (FORBIDDEN, ABSENT):
                raise
            return False

    def _find(self, text: str) -> str:
        """The id of the job that `text` names."""
        if text == LAST:
            newest = next(self._client.jobs(), None)
            return choose([newest.id] if newest else [], text)
        return choose([job.id for job in self._client.jobs()], text)

    def _find_draft(self, text: str) -> str:
        return choose_draft([draft.id for draft in self._client.drafts()], text)

    def _completed(self, job: Job) -> CompletedRun:
        if job.state != "completed":
            raise self._without_result(job)
        result = self._client.result(job.id)
        assert isinstance(result, OptimizationResult)
        return CompletedRun(job.id, result, self._client.holdout(job.id).watermark)

    def _without_result(self, job: Job) -> Exception:
        error = job.progress.last_error if job.state == "failed" else None
        return without_result(job.id, job.state, option=self.option, error=error)


def ruling(decision: ApprovalDecision) -> Ruling:
    """The decision without its author and time, which the server knows."""
    return Ruling(**decision.model_dump(include=set(Ruling.model_fields)))


def _is_fixable(job: Job) -> bool:
    """Whether the job failed because of its request."""
    return (job.progress.last_error or "").startswith("unusable_input")


def _invalid_field(error: Refused) -> InvalidInput | None:
    """The single field that the server refuses, if there is one."""
    if len(error.details) != 1:
        return None
    field, message, allowed = error.details[0]
    if allowed is None:
        return None
    return InvalidInput(field.removeprefix("body."), None, reason=message, allowed=allowed)


def _no_run_or_question(text: str) -> InvalidInput:
    allowed = (
        f"an id of `python -m api runs` or its beginning, last, or {SHORTEST_QUESTION} letters or more of a question "
        "that `python -m api approvals` lists; for a question of your own or one already decided, its whole id"
    )
    reason = f"neither a run of yours nor a question that waits for you has the id {text!r}"
    return InvalidInput("RUN", text, reason=reason, allowed=allowed, code="no_such_run")
