"""A Python client of the HTTP interface, with the types of the server."""

import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing
from datetime import date
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypeVar

from pydantic import BaseModel

from api.client.transport import Refused, ServerError, StreamInterrupted, Transport, backoff, new_key
from api.draft_forms import DraftFields, DraftForm, DraftPage, DraftSummary
from api.http.etags import etag
from api.http.pagination import Page
from api.http.routes.market_data import PriceSeries, ReturnSeries
from api.http.routes.monte_carlo import AnalysisRequest
from api.http.routes.threads import BranchRequest, NewThread, ThreadState
from api.http.routes.turns import NewMessage
from desk.base.frames import frame
from desk.conversation.interrupts import Interrupt
from desk.conversation.messages import Message
from desk.conversation.schemas import Conversation, Feedback, Opinion, Turn
from desk.governance.approval_requests import Question
from desk.governance.approvals import Ruling
from desk.market.datasets.schemas import Dataset, ImportReport, Terms
from desk.optimization.estimate_schemas import LaunchEstimate
from desk.optimization.holdout import HoldoutStatus
from desk.optimization.reading.chart_schemas import ChartName, Charts
from desk.optimization.reading.explanation import ResultExplanation
from desk.optimization.reading.trial_pages import TrialDetails, TrialPage, TrialQuery, TrialRow
from desk.optimization.request import OptimizationRequest
from desk.optimization.result import OptimizationResult
from desk.optimization.unfinished import PartialResult
from desk.portfolios.optimizers.requests import (
    FrontierRequest,
    HrpRequest,
    MaximumDiversificationRequest,
    MinimumCvarRequest,
    RiskParityRequest,
)
from desk.portfolios.optimizers.responses import (
    FrontierOptimization,
    HrpOptimization,
    MaximumDiversificationOptimization,
    MinimumCvarOptimization,
    RiskParityOptimization,
)
from desk.portfolios.risk_request import RiskRequest
from desk.portfolios.risk_schemas import PortfolioRisk
from desk.portfolios.schemas import Portfolio, PortfolioDraft, PortfolioPatch
from desk.runs.events.approvals import ApprovalRequested
from desk.runs.events.conversation import TurnPaused
from desk.runs.events.live import LiveEvent
from desk.runs.states import STOPPED_STATES, RunState
from desk.strategies.evaluation_schemas import DetailedEvaluation, EvaluationRequest
from desk.tearsheets.schemas import TearsheetDocument, TearsheetRequest, TearsheetTable
from desk.wealth.schemas import Analysis, Simulation, SimulationRequest
from graphs.runs.job_lists import JobPage
from graphs.runs.job_status import Job, JobSummary
from graphs.runs.reproductions import Reproduction

if TYPE_CHECKING:
    import pandas as pd

T = TypeVar("T")
Item = TypeVar("Item", bound=BaseModel)
Format: TypeAlias = Literal["json", "csv", "xlsx", "html"]
POLL, LONGEST_POLL = 0.25, 2.0
"""Seconds between requests for a state without events."""
HEARTBEAT = 15.0
"""Seconds after which a connection without an event has had a heartbeat."""

__all__ = ["Client", "Refused", "ServerError"]


class Items(Iterator[Item]):
    """The items of all pages, each page fetched when it is reached."""

    def __init__(self, items: Iterator[Item]) -> None:
        self._items = items

    def __next__(self) -> Item:
        return next(self._items)

    def to_frame(self) -> "pd.DataFrame":
        """One row per remaining item; nested fields and standard errors are columns of their own."""
        return frame(self)


class Client:
    """One server; a context manager.

    A failure raises `ServerError` with `code`, `message`, `status` and `details`, which name each invalid field, the
    reason and the accepted values. If the user can fix the cause, it is a `Refused`, which is also a `UserError`.
    """

    def __init__(
        self,
        url: str,
        *,
        key: str = "",
        timeout: float = 60.0,
        renew_key: Callable[[], str | None] | None = None,
    ) -> None:
        """`key` is an API key or a token; a server of one local user needs neither.

        `renew_key` returns a newer key after the server has refused this one.
        """
        self._transport = Transport(url, key=key, timeout=timeout, renew_key=renew_key)
        self.url = self._transport.url

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *failure: object) -> None:
        self._transport.close()

    def submit(self, request: OptimizationRequest, *, key: str | None = None) -> JobSummary:
        """Submit a job; for a day, the same `key` returns the same job."""
        return self._transport.call("POST", "/jobs", JobSummary, body=request, key=key or new_key())

    def save_draft(self, request: Mapping[str, Any], *, draft: str | None = None) -> DraftForm:
        """Save fields of a request, which may be incomplete, as a new draft or over the fields of `draft`."""
        fields = DraftFields(dict(request))
        if draft is None:
            return self._transport.call("POST", "/drafts", DraftForm, body=fields)
        return self._transport.call("PUT", f"/drafts/{draft}", DraftForm, body=fields, repeatable=True)

    def draft(self, draft: str) -> DraftForm:
        """A draft, and what is still wrong with it."""
        return self._transport.call("GET", f"/drafts/{draft}", DraftForm)

    def drafts(self) -> Items[DraftSummary]:
        """Newest first."""
        return self._items("/drafts", DraftPage)

    def submit_draft(self, draft: str) -> JobSummary:
        """Submit a draft as a job, which has the same id."""
        return self._transport.call("POST", f"/drafts/{draft}/submit", JobSummary, repeatable=True)

    def delete_draft(self, draft: str) -> None:
        self._transport.send("DELETE", f"/drafts/{draft}")

    def job(self, job: str) -> Job:
        return self._transport.call("GET", f"/jobs/{job}", Job)

    def jobs(self, *, state: RunState | None = None, name: str = "") -> Items[JobSummary]:
        """Newest first."""
        return self._items("/jobs", JobPage, state=state, name=name)

    def request(self, job: str) -> OptimizationRequest:
        return self._transport.call("GET", f"/jobs/{job}/request", OptimizationRequest)

    def cancel(self, job: str, *, reason: str = "") -> JobSummary:
        params = {"reason": reason}
        return self._transport.call("DELETE", f"/jobs/{job}", JobSummary, params=params, repeatable=True)

    def restart(self, job: str, *, reason: str = "") -> JobSummary:
        """Continue a job that failed, was cancelled or has expired."""
        return self._transport.call("POST", f"/jobs/{job}/restart", JobSummary, params={"reason": reason})

    def unarchive(self, job: str) -> JobSummary:
        """Restore an archived job."""
        return self._transport.call("POST", f"/jobs/{job}/unarchive", JobSummary)

    def approve(self, job: str, *, reason: str = "") -> JobSummary:
        return self.rule(job, Ruling(verdict="approved", reason=reason))

    def edit(self, job: str, *, trials: int | None = None, paths: int | None = None, reason: str = "") -> JobSummary:
        """Approve a job with other sizes."""
        return self.rule(job, Ruling(verdict="edited", trials=trials, paths=paths, reason=reason))

    def reject(self, job: str, *, reason: str) -> JobSummary:
        return self.rule(job, Ruling(verdict="rejected", reason=reason))

    def rule(self, job: str, ruling: Ruling) -> JobSummary:
        """Decide about a job that waits; the first decision is in force."""
        return self._transport.call("POST", f"/jobs/{job}/approval", JobSummary, body=ruling, repeatable=True)

    def approvals(self) -> Items[Question]:
        """Questions that you may decide, also of other users, newest first."""
        return self._items("/approvals", Page[Question])

    def approval(self, question: str) -> Question:
        return self._transport.call("GET", f"/approvals/{question}", Question)

    def decide_approval(self, question: str, ruling: Ruling) -> Question:
        """Decide a question, also of another user; the first decision is in force."""
        return self._transport.call("POST", f"/approvals/{question}", Question, body=ruling, repeatable=True)

    def result(self, job: str) -> OptimizationResult | PartialResult:
        """A `PartialResult` of a job that was cancelled or failed."""
        content = self._transport.send("GET", f"/jobs/{job}/result").content
        return self._transport.parse(OptimizationResult | PartialResult, content)

    def trials(self, job: str, query: TrialQuery | None = None) -> Items[TrialRow]:
        return self._items(f"/jobs/{job}/trials", TrialPage, **(query or TrialQuery()).model_dump())

    def trial(self, job: str, digest: str) -> TrialDetails:
        return self._transport.call("GET", f"/jobs/{job}/trials/{digest}", TrialDetails)

    def charts(self, job: str, *, chart: ChartName | None = None, points: int | None = None) -> Charts:
        params = _query(chart=chart, points=points)
        return self._transport.call("GET", f"/jobs/{job}/charts", Charts, params=params)

    def explanation(self, job: str) -> ResultExplanation:
        """A completed job's result in words, with the figure behind each number."""
        return self._transport.call("GET", f"/jobs/{job}/explanation", ResultExplanation)

    def export(self, job: str, format_: Format = "json", *, table: Literal["trials", "figures"] = "trials") -> bytes:
        """A finished job as a file; `html` is the report."""
        return self._transport.send("GET", f"/jobs/{job}/export", params={"format": format_, "table": table}).content

    def holdout(self, job: str) -> HoldoutStatus:
        """Whether the locked holdout of a completed job was opened."""
        return self._transport.call("GET", f"/jobs/{job}/holdout", HoldoutStatus)

    def open_holdout(self, job: str, ruling: Ruling | None = None) -> HoldoutStatus:
        """Request the opening of the holdout, decide it with `ruling`, and open it once approved."""
        return self._transport.call("POST", f"/jobs/{job}/holdout", HoldoutStatus, body=ruling, repeatable=True)

    def reproduce(self, job: str) -> Reproduction:
        """Start the reproduction of a completed job; `reproduced` waits for its end."""
        return self._transport.call("POST", f"/jobs/{job}/reproduce", Reproduction, repeatable=True)

    def reproductions(self, job: str) -> Items[Reproduction]:
        """Newest first."""
        return self._items(f"/jobs/{job}/reproductions", Page[Reproduction])

    def reproduced(self, reproduction: Reproduction) -> Reproduction:
        """Wait for the end of a reproduction, without a time limit."""
        pause = POLL
        while True:
            current = next(each for each in self.reproductions(reproduction.job) if each.id == reproduction.id)
            if current.ended_at is not None:
                return current
            time.sleep(pause)
            pause = min(2 * pause, LONGEST_POLL)

    def events(self, run: str, *, after: int = 0, retry_seconds: float = 60.0) -> Generator[LiveEvent]:
        """Every event of a run, or of a turn of a thread, once and in order, until its log ends.

        An interrupted connection is made again; `Refused` after `retry_seconds` without any data.
        """
        failures, since = 0, time.monotonic()
        while True:
            start = time.monotonic()
            try:
                for frame in self._transport.frames(f"/runs/{run}/events", after=after):
                    live = self._transport.parse(LiveEvent, frame.data)
                    failures, since = 0, time.monotonic()
                    if live.sequence > after:
                        after = live.sequence
                        yield live
                return
            except StreamInterrupted as interruption:
                now = time.monotonic()
                if now - start > HEARTBEAT:  # the connection worked, without events
                    failures, since = 0, now
                if now - since > retry_seconds:
                    raise self._transport.unreachable(interruption) from interruption
            failures += 1
            time.sleep(backoff(failures))

    def watch(self, job: str, *, after: int = 0, retry_seconds: float = 60.0) -> Generator[LiveEvent]:
        """The events of a job until it ends or waits for a person."""
        if after and self._waits(job):
            return
        with closing(self.events(job, after=after, retry_seconds=retry_seconds)) as events:
            for live in events:
                yield live
                if isinstance(live.event, ApprovalRequested) and self._waits(job):
                    return
        end = time.monotonic() + retry_seconds
        while self.job(job).state not in STOPPED_STATES and time.monotonic() < end:  # it ends shortly after its log
            time.sleep(POLL)

    def _waits(self, job: str) -> bool:
        """Whether the question of a job is open; the job enters its waiting state shortly after the question."""
        while True:
            current = self.job(job)
            is_open = current.approval is not None and current.approval.decided is None
            if not is_open or current.state == "waiting" or current.state in STOPPED_STATES:
                return is_open and current.state == "waiting"
            time.sleep(POLL)

    def start_thread(self, title: str | None = None) -> Conversation:
        return self._transport.call("POST", "/threads", Conversation, body=NewThread(title=title))

    def threads(self) -> Items[Conversation]:
        """Newest first."""
        return self._items("/threads", Page[Conversation])

    def thread(self, thread: str) -> ThreadState:
        return self._transport.call("GET", f"/threads/{thread}/state", ThreadState)

    def branch(self, thread: str, after: int) -> Conversation:
        """A new thread that continues after a turn of another."""
        return self._transport.call(
            "POST", f"/threads/{thread}/branches", Conversation, body=BranchRequest(after=after)
        )

    def say(self, thread: str, text: str, *, key: str | None = None) -> Turn:
        """Begin a turn; it is answered also if no client follows it."""
        params = {"stream": False}
        message = NewMessage(message=text)
        return self._transport.call(
            "POST", f"/threads/{thread}/runs", Turn, body=message, key=key or new_key(), params=params
        )

    def ask(self, thread: str, text: str, *, retry_seconds: float = 60.0) -> Generator[LiveEvent]:
        """Send a message and follow the answer until it is complete or waits for a person."""
        yield from self.follow(self.say(thread, text), retry_seconds=retry_seconds)

    def follow(self, turn: Turn, *, after: int = 0, retry_seconds: float = 60.0) -> Generator[LiveEvent]:
        """The events of a turn until it is answered or waits for a person; a search has a run of its own."""
        if after and self.interrupts(turn.conversation):
            return
        with closing(self.events(turn.id, after=after, retry_seconds=retry_seconds)) as events:
            for live in events:
                yield live
                if isinstance(live.event, TurnPaused) and self.interrupts(turn.conversation):
                    return

    def turn(self, thread: str, number: int) -> Turn:
        return self._transport.call("GET", f"/threads/{thread}/runs/{number}", Turn)

    def resume(self, thread: str, number: int) -> Turn:
        """Let the server continue a turn that a terminal left unfinished."""
        return self._transport.call("POST", f"/threads/{thread}/runs/{number}/resume", Turn, repeatable=True)

    def messages(self, thread: str) -> Items[Message]:
        """Messages and answers, oldest first."""
        return self._items(f"/threads/{thread}/messages", Page[Message])

    def interrupts(self, thread: str) -> list[Interrupt]:
        """The open questions of a thread."""
        return self._transport.call("GET", f"/threads/{thread}/interrupts", Page[Interrupt]).items

    def decide(self, thread: str, run: str, ruling: Ruling) -> Turn:
        path = f"/threads/{thread}/interrupts/{run}"
        return self._transport.call("POST", path, Turn, body=ruling, repeatable=True)

    def feedback(self, thread: str, number: int, opinion: Opinion) -> Feedback:
        return self._transport.call("POST", f"/threads/{thread}/runs/{number}/feedback", Feedback, body=opinion)

    def keep_portfolio(self, draft: PortfolioDraft) -> Portfolio:
        return self._transport.call("POST", "/portfolios", Portfolio, body=draft, exclude_unset=True)

    def portfolio(self, portfolio: str) -> Portfolio:
        return self._transport.call("GET", f"/portfolios/{portfolio}", Portfolio)

    def portfolios(self, *, tag: str | None = None, deleted: bool = False) -> Items[Portfolio]:
        """Newest first."""
        return Items(self._portfolio_pages(_query(tag=tag, deleted=deleted)))

    def _portfolio_pages(self, params: dict[str, Any]) -> Iterator[Portfolio]:
        while True:
            response = self._transport.send("GET", "/portfolios", params=params)
            yield from self._transport.parse(list[Portfolio], response.content)
            if (after := response.headers.get("X-Next-Cursor")) is None:
                return
            params["after"] = after

    def change_portfolio(self, portfolio: str, patch: PortfolioPatch, *, version: int | None = None) -> Portfolio:
        """Change a portfolio; `Refused` with status 412 if it is not at `version`."""
        path, headers = f"/portfolios/{portfolio}", _if_match(version)
        return self._transport.call("PUT", path, Portfolio, body=patch, exclude_unset=True, headers=headers)

    def delete_portfolio(self, portfolio: str, *, version: int | None = None) -> None:
        self._transport.send("DELETE", f"/portfolios/{portfolio}", headers=_if_match(version))

    def restore_portfolio(self, portfolio: str, *, version: int | None = None) -> Portfolio:
        path, headers = f"/portfolios/{portfolio}/restore", _if_match(version)
        return self._transport.call("POST", path, Portfolio, headers=headers)

    def risk_parity(self, request: RiskParityRequest) -> RiskParityOptimization:
        return self._compute("/optimization/risk-parity", RiskParityOptimization, request)

    def hrp(self, request: HrpRequest) -> HrpOptimization:
        return self._compute("/optimization/hrp", HrpOptimization, request)

    def minimum_cvar(self, request: MinimumCvarRequest) -> MinimumCvarOptimization:
        return self._compute("/optimization/minimum-cvar", MinimumCvarOptimization, request)

    def maximum_diversification(self, request: MaximumDiversificationRequest) -> MaximumDiversificationOptimization:
        return self._compute("/optimization/maximum-diversification", MaximumDiversificationOptimization, request)

    def frontier(self, request: FrontierRequest) -> FrontierOptimization:
        return self._compute("/optimization/efficient-frontier", FrontierOptimization, request)

    def risk(self, request: RiskRequest) -> PortfolioRisk:
        return self._compute("/risk", PortfolioRisk, request)

    def simulate(self, request: SimulationRequest) -> Simulation:
        return self._compute("/monte-carlo/simulate", Simulation, request)

    def analyze(self, simulation: str) -> Analysis:
        return self._compute("/monte-carlo/analyze", Analysis, AnalysisRequest(simulation_id=simulation))

    def evaluate(self, request: EvaluationRequest) -> DetailedEvaluation:
        return self._compute("/evaluations", DetailedEvaluation, request)

    def tearsheet(self, request: TearsheetRequest) -> TearsheetDocument:
        """Statistics, tables and series of an asset, a portfolio, holdings, a job's winner or a series of your own."""
        return self._compute("/tearsheets", TearsheetDocument, request)

    def tearsheet_file(
        self, request: TearsheetRequest, format_: Format, *, table: TearsheetTable = "statistics"
    ) -> bytes:
        """A tear sheet as a file; `html` is a self-contained page, `table` the content of a CSV file."""
        params = {"format": format_, "table": table}
        options: dict[str, Any] = {"body": request, "exclude_unset": True, "repeatable": True, "params": params}
        return self._transport.send("POST", "/tearsheets", **options).content

    def estimate(self, request: OptimizationRequest) -> LaunchEstimate:
        """The cost of a job, and whether it needs an approval."""
        return self._compute("/estimates", LaunchEstimate, request)

    def prices(
        self, symbols: Sequence[str], *, start: date | None = None, end: date | None = None, **filters: Any
    ) -> dict[str, PriceSeries]:
        """Prices by symbol; `filters` are `interval`, `dataset` and `asOf`, as in the HTTP interface."""
        params = _query(symbols=",".join(symbols), startDate=start, endDate=end, **filters)
        return self._transport.call("GET", "/market-data/prices", dict[str, PriceSeries], params=params)

    def returns(
        self, symbols: Sequence[str], *, start: date | None = None, end: date | None = None, **filters: Any
    ) -> ReturnSeries:
        """Returns by symbol; `filters` are `returnType`, `alignment`, `kind`, `dataset` and `asOf`, as in HTTP."""
        params = _query(symbols=",".join(symbols), startDate=start, endDate=end, **filters)
        return self._transport.call("GET", "/market-data/returns", ReturnSeries, params=params)

    def import_prices(
        self, dataset: str, content: bytes, terms: Terms | None = None, *, commit: bool = False
    ) -> ImportReport:
        """The report of a file as a data set; with `commit` the file becomes its new version, unless unchanged."""
        options = (terms or Terms()).model_dump()
        pairs = {
            name: [f"{left}:{right}" for left, right in options.pop(name).items()] for name in ("mapping", "accept")
        }
        params = _query(dataset=dataset, dry_run=not commit, **options, **pairs)
        headers = {"Content-Type": "application/octet-stream"}
        request = {"params": params, "content": content, "headers": headers, "repeatable": True}
        return self._transport.call("POST", "/market-data/imports", ImportReport, **request)

    def datasets(self) -> Items[Dataset]:
        return self._items("/market-data/datasets", Page[Dataset])

    def _compute(self, path: str, answer: type[T], body: BaseModel) -> T:
        """A computation, which may be repeated: its result is the same."""
        return self._transport.call("POST", path, answer, body=body, exclude_unset=True, repeatable=True)

    def _items(self, path: str, page: type[Any], **filters: Any) -> Items[Any]:
        return Items(self._pages(path, page, **filters))

    def _pages(self, path: str, page: type[Any], **filters: Any) -> Iterator[Any]:
        params = _query(**filters)
        while True:
            current = self._transport.call("GET", path, page, params=params)
            yield from current.items
            if current.next is None:
                return
            params["after"] = current.next


def _query(**params: Any) -> dict[str, Any]:
    """The query parameters that are not None."""
    values = {name: value for name, value in params.items() if value is not None}
    return {name: value.isoformat() if isinstance(value, date) else value for name, value in values.items()}


def _if_match(version: int | None) -> dict[str, str]:
    return {} if version is None else {"If-Match": etag(version)}
