"""A Python client of the HTTP interface, in the words of the server itself."""

import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from datetime import date
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypeVar

from pydantic import BaseModel

from api.client.transport import Cut, Refused, ServerError, Wire, backoff, new_key
from api.http.etags import etag
from api.http.pagination import Listed
from api.http.routes.market_data import PriceSeries, ReturnSeries
from api.http.routes.monte_carlo import AnalysisRequest
from api.http.routes.threads import Branching, NewThread, ThreadState
from api.http.routes.turns import Said
from desk.base.frames import frame
from desk.conversation.interrupts import Interrupt
from desk.conversation.messages import Message
from desk.conversation.schemas import Conversation, Feedback, Opinion, Turn
from desk.governance.approval_requests import Question
from desk.governance.approvals import Ruling
from desk.market.datasets.schemas import Dataset, ImportReport, Terms
from desk.optimization.estimate_schemas import LaunchEstimate
from desk.optimization.reading.chart_schemas import ChartName, Charts
from desk.optimization.reading.trial_pages import TrialPage, TrialQuery, TrialRow
from desk.optimization.request import OptimizationRequest
from desk.optimization.result import OptimizationResult
from desk.optimization.unfinished import PartialResult
from desk.portfolios.optimizers.requests import FrontierRequest, HrpRequest, RiskParityRequest
from desk.portfolios.optimizers.responses import FrontierOptimization, HrpOptimization, RiskParityOptimization
from desk.portfolios.schemas import Portfolio, PortfolioDraft, PortfolioPatch
from desk.runs.events import ApprovalRequested, TurnPaused
from desk.runs.progress import LiveEvent
from desk.runs.states import STOPPED, RunState
from desk.strategies.evaluation_schemas import DetailedEvaluation, EvaluationRequest
from desk.wealth.schemas import Analysis, Simulation, SimulationRequest
from graphs.runs.job_status import Job, JobPage, JobSummary
from graphs.runs.reproductions import Reproduction
from quant.strategies.trial import Trial

if TYPE_CHECKING:
    import pandas as pd

T = TypeVar("T")
Item = TypeVar("Item", bound=BaseModel)
Format: TypeAlias = Literal["json", "csv", "xlsx", "html"]
LOOK, LONGEST_LOOK = 0.25, 2.0
"""Seconds between looks at what has no events."""
HEALTHY = 15.0
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
    """One server; stands in a `with`.

    What fails raises `ServerError`, with `code`, `message`, `status` and `details` that name each field, its fault and
    what is allowed; it is a `Refused`, and a `UserError`, where whoever asked can mend it.
    """

    def __init__(self, url: str, *, key: str = "", timeout: float = 60.0) -> None:
        """`key` is an API key, or a token; a server of one local user asks for neither."""
        self._wire = Wire(url, key=key, timeout=timeout)
        self.url = self._wire.url

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *failure: object) -> None:
        self._wire.close()

    def submit(self, request: OptimizationRequest, *, key: str | None = None) -> JobSummary:
        """Put a job into the queue, once: the same `key` is the same job for a day."""
        return self._wire.call("POST", "/jobs", JobSummary, asked=request, key=key or new_key())

    def job(self, job: str) -> Job:
        return self._wire.call("GET", f"/jobs/{job}", Job)

    def jobs(self, *, state: RunState | None = None, name: str = "") -> Items[JobSummary]:
        """The newest first."""
        return self._items("/jobs", JobPage, state=state, name=name)

    def request(self, job: str) -> OptimizationRequest:
        return self._wire.call("GET", f"/jobs/{job}/request", OptimizationRequest)

    def cancel(self, job: str, *, reason: str = "") -> JobSummary:
        params = {"reason": reason}
        return self._wire.call("DELETE", f"/jobs/{job}", JobSummary, params=params, repeatable=True)

    def restart(self, job: str, *, reason: str = "") -> JobSummary:
        """Go on with a job that failed or was cancelled."""
        return self._wire.call("POST", f"/jobs/{job}/restart", JobSummary, params={"reason": reason})

    def unarchive(self, job: str) -> JobSummary:
        """An archived job as it was."""
        return self._wire.call("POST", f"/jobs/{job}/unarchive", JobSummary)

    def approve(self, job: str, *, reason: str = "") -> JobSummary:
        return self.rule(job, Ruling(verdict="approved", reason=reason))

    def edit(self, job: str, *, trials: int | None = None, paths: int | None = None, reason: str = "") -> JobSummary:
        """Approve a job with other sizes."""
        return self.rule(job, Ruling(verdict="edited", trials=trials, paths=paths, reason=reason))

    def reject(self, job: str, *, reason: str) -> JobSummary:
        return self.rule(job, Ruling(verdict="rejected", reason=reason))

    def rule(self, job: str, ruling: Ruling) -> JobSummary:
        """Decide about a job that waits; the first decision holds."""
        return self._wire.call("POST", f"/jobs/{job}/approval", JobSummary, asked=ruling, repeatable=True)

    def approvals(self) -> Items[Question]:
        """What you may decide, whoever asked, the newest first."""
        return self._items("/approvals", Listed[Question])

    def approval(self, question: str) -> Question:
        return self._wire.call("GET", f"/approvals/{question}", Question)

    def decide_approval(self, question: str, ruling: Ruling) -> Question:
        """Decide what another one may have asked; the first decision holds."""
        return self._wire.call("POST", f"/approvals/{question}", Question, asked=ruling, repeatable=True)

    def result(self, job: str) -> OptimizationResult | PartialResult:
        """A `PartialResult` of a job that was cancelled or failed."""
        content = self._wire.send("GET", f"/jobs/{job}/result").content
        return self._wire.parsed(OptimizationResult | PartialResult, content)

    def trials(self, job: str, asked: TrialQuery | None = None) -> Items[TrialRow]:
        return self._items(f"/jobs/{job}/trials", TrialPage, **(asked or TrialQuery()).model_dump())

    def trial(self, job: str, digest: str) -> Trial:
        return self._wire.call("GET", f"/jobs/{job}/trials/{digest}", Trial)

    def charts(self, job: str, *, chart: ChartName | None = None, points: int | None = None) -> Charts:
        params = _given(chart=chart, points=points)
        return self._wire.call("GET", f"/jobs/{job}/charts", Charts, params=params)

    def export(self, job: str, format_: Format = "json", *, table: Literal["trials", "figures"] = "trials") -> bytes:
        """A finished job as a file; `html` is the report."""
        return self._wire.send("GET", f"/jobs/{job}/export", params={"format": format_, "table": table}).content

    def reproduce(self, job: str) -> Reproduction:
        """Have a finished job run again; `reproduced` waits for what comes out."""
        return self._wire.call("POST", f"/jobs/{job}/reproduce", Reproduction, repeatable=True)

    def reproductions(self, job: str) -> list[Reproduction]:
        """The newest first."""
        return self._wire.call("GET", f"/jobs/{job}/reproductions", list[Reproduction])

    def reproduced(self, asked: Reproduction) -> Reproduction:
        """The end of a reproduction, however long it takes."""
        pause = LOOK
        while True:
            found = next(each for each in self.reproductions(asked.job) if each.id == asked.id)
            if found.ended_at is not None:
                return found
            time.sleep(pause)
            pause = min(2 * pause, LONGEST_LOOK)

    def events(self, run: str, *, after: int = 0, patience: float = 60.0) -> Generator[LiveEvent]:
        """Every event of a run, or of a turn of a thread, once and in order, until its log has ended.

        A connection that is cut is made again; where nothing comes through for `patience` seconds, `Refused`.
        """
        failed, since = 0, time.monotonic()
        while True:
            begun = time.monotonic()
            try:
                for frame in self._wire.frames(f"/runs/{run}/events", after=after):
                    live = self._wire.parsed(LiveEvent, frame.data)
                    failed, since = 0, time.monotonic()
                    if live.sequence > after:
                        after = live.sequence
                        yield live
                return
            except Cut as cut:
                now = time.monotonic()
                if now - begun > HEALTHY:  # long enough for a sign of life: it was silent, not broken
                    failed, since = 0, now
                if now - since > patience:
                    raise self._wire.unreachable(cut) from cut
            failed += 1
            time.sleep(backoff(failed))

    def watch(self, job: str, *, after: int = 0, patience: float = 60.0) -> Generator[LiveEvent]:
        """The events of a job until it has ended, or waits for a person."""
        if after and self._waits(job):
            return
        with closing(self.events(job, after=after, patience=patience)) as events:
            for live in events:
                yield live
                if isinstance(live.event, ApprovalRequested) and self._waits(job):
                    return

    def _waits(self, job: str) -> bool:
        """Whether what a job has asked is undecided; it waits a moment after it has asked."""
        while True:
            found = self.job(job)
            decided = found.approval is None or found.approval.decided is not None
            if decided or found.state == "waiting" or found.state in STOPPED:
                return not decided and found.state == "waiting"
            time.sleep(LOOK)

    def start_thread(self, title: str | None = None) -> Conversation:
        return self._wire.call("POST", "/threads", Conversation, asked=NewThread(title=title))

    def threads(self) -> Items[Conversation]:
        """The newest first."""
        return self._items("/threads", Listed[Conversation])

    def thread(self, thread: str) -> ThreadState:
        return self._wire.call("GET", f"/threads/{thread}/state", ThreadState)

    def branch(self, thread: str, after: int) -> Conversation:
        """A new thread, which goes on after a turn of another."""
        return self._wire.call("POST", f"/threads/{thread}/branches", Conversation, asked=Branching(after=after))

    def say(self, thread: str, text: str, *, key: str | None = None) -> Turn:
        """Begin a turn, once; it is answered whether or not anybody follows it."""
        params = {"stream": False}
        said = Said(message=text)
        return self._wire.call("POST", f"/threads/{thread}/runs", Turn, asked=said, key=key or new_key(), params=params)

    def ask(self, thread: str, text: str, *, patience: float = 60.0) -> Generator[LiveEvent]:
        """Say something and follow the answer, until it is given or waits for a person."""
        yield from self.follow(self.say(thread, text), patience=patience)

    def follow(self, turn: Turn, *, after: int = 0, patience: float = 60.0) -> Generator[LiveEvent]:
        """The events of a turn until it is answered or waits for a person; a search's are those of its own run."""
        if after and self.interrupts(turn.conversation):
            return
        with closing(self.events(turn.id, after=after, patience=patience)) as events:
            for live in events:
                yield live
                if isinstance(live.event, TurnPaused) and self.interrupts(turn.conversation):
                    return

    def turn(self, thread: str, number: int) -> Turn:
        return self._wire.call("GET", f"/threads/{thread}/runs/{number}", Turn)

    def resume(self, thread: str, number: int) -> Turn:
        """Let the server go on with a turn that was left unfinished at a terminal."""
        return self._wire.call("POST", f"/threads/{thread}/runs/{number}/resume", Turn, repeatable=True)

    def messages(self, thread: str) -> Items[Message]:
        """What was said and answered, from the first."""
        return self._items(f"/threads/{thread}/messages", Listed[Message])

    def interrupts(self, thread: str) -> list[Interrupt]:
        """What a person has to decide before the thread goes on."""
        return self._wire.call("GET", f"/threads/{thread}/interrupts", Listed[Interrupt]).items

    def decide(self, thread: str, run: str, ruling: Ruling) -> Turn:
        at = f"/threads/{thread}/interrupts/{run}"
        return self._wire.call("POST", at, Turn, asked=ruling, repeatable=True)

    def feedback(self, thread: str, number: int, opinion: Opinion) -> Feedback:
        return self._wire.call("POST", f"/threads/{thread}/runs/{number}/feedback", Feedback, asked=opinion)

    def keep_portfolio(self, draft: PortfolioDraft) -> Portfolio:
        return self._wire.call("POST", "/portfolios", Portfolio, asked=draft, whole=False)

    def portfolio(self, portfolio: str) -> Portfolio:
        return self._wire.call("GET", f"/portfolios/{portfolio}", Portfolio)

    def portfolios(self, *, tag: str | None = None, deleted: bool = False) -> Items[Portfolio]:
        """The newest first."""
        return Items(self._portfolio_pages(_given(tag=tag, deleted=deleted)))

    def _portfolio_pages(self, params: dict[str, Any]) -> Iterator[Portfolio]:
        while True:
            response = self._wire.send("GET", "/portfolios", params=params)
            yield from self._wire.parsed(list[Portfolio], response.content)
            if (after := response.headers.get("X-Next-Cursor")) is None:
                return
            params["after"] = after

    def change_portfolio(self, portfolio: str, patch: PortfolioPatch, *, version: int | None = None) -> Portfolio:
        """Where it is not at `version` any more, `Refused` with status 412, and nothing is changed."""
        at, headers = f"/portfolios/{portfolio}", _if_match(version)
        return self._wire.call("PUT", at, Portfolio, asked=patch, whole=False, headers=headers)

    def delete_portfolio(self, portfolio: str, *, version: int | None = None) -> None:
        self._wire.send("DELETE", f"/portfolios/{portfolio}", headers=_if_match(version))

    def restore_portfolio(self, portfolio: str, *, version: int | None = None) -> Portfolio:
        at, headers = f"/portfolios/{portfolio}/restore", _if_match(version)
        return self._wire.call("POST", at, Portfolio, headers=headers)

    def risk_parity(self, request: RiskParityRequest) -> RiskParityOptimization:
        return self._computed("/optimization/risk-parity", RiskParityOptimization, request)

    def hrp(self, request: HrpRequest) -> HrpOptimization:
        return self._computed("/optimization/hrp", HrpOptimization, request)

    def frontier(self, request: FrontierRequest) -> FrontierOptimization:
        return self._computed("/optimization/efficient-frontier", FrontierOptimization, request)

    def simulate(self, request: SimulationRequest) -> Simulation:
        return self._computed("/monte-carlo/simulate", Simulation, request)

    def analyze(self, simulation: str) -> Analysis:
        return self._computed("/monte-carlo/analyze", Analysis, AnalysisRequest(simulation_id=simulation))

    def evaluate(self, request: EvaluationRequest) -> DetailedEvaluation:
        return self._computed("/evaluations", DetailedEvaluation, request)

    def estimate(self, request: OptimizationRequest) -> LaunchEstimate:
        """What a job would take, and whether a person would be asked."""
        return self._computed("/estimates", LaunchEstimate, request)

    def prices(
        self, symbols: Sequence[str], *, start: date | None = None, end: date | None = None, **asked: Any
    ) -> dict[str, PriceSeries]:
        """By symbol; `interval`, `dataset` and `asOf` as the interface names them."""
        params = _given(symbols=",".join(symbols), startDate=start, endDate=end, **asked)
        return self._wire.call("GET", "/market-data/prices", dict[str, PriceSeries], params=params)

    def returns(
        self, symbols: Sequence[str], *, start: date | None = None, end: date | None = None, **asked: Any
    ) -> ReturnSeries:
        """Lists by symbol; `returnType`, `alignment`, `kind`, `dataset` and `asOf` as the interface names them."""
        params = _given(symbols=",".join(symbols), startDate=start, endDate=end, **asked)
        return self._wire.call("GET", "/market-data/returns", ReturnSeries, params=params)

    def import_prices(
        self, dataset: str, content: bytes, terms: Terms | None = None, *, commit: bool = False
    ) -> ImportReport:
        """What a file would do as a data set, and with `commit` its new version; an unchanged one is stored once."""
        said = (terms or Terms()).model_dump()
        pairs = {name: [f"{left}:{right}" for left, right in said.pop(name).items()] for name in ("mapping", "accept")}
        params = _given(dataset=dataset, dry_run=not commit, **said, **pairs)
        headers = {"Content-Type": "application/octet-stream"}
        how = {"params": params, "content": content, "headers": headers, "repeatable": True}
        return self._wire.call("POST", "/market-data/imports", ImportReport, **how)

    def datasets(self) -> Items[Dataset]:
        return self._items("/market-data/datasets", Listed[Dataset])

    def _computed(self, path: str, answer: type[T], asked: BaseModel) -> T:
        """What is computed again comes out the same."""
        return self._wire.call("POST", path, answer, asked=asked, whole=False, repeatable=True)

    def _items(self, path: str, page: type[Any], **asked: Any) -> Items[Any]:
        return Items(self._pages(path, page, **asked))

    def _pages(self, path: str, page: type[Any], **asked: Any) -> Iterator[Any]:
        params = _given(**asked)
        while True:
            found = self._wire.call("GET", path, page, params=params)
            yield from found.items
            if found.next is None:
                return
            params["after"] = found.next


def _given(**params: Any) -> dict[str, Any]:
    """Without those that were left out."""
    said = {name: value for name, value in params.items() if value is not None}
    return {name: value.isoformat() if isinstance(value, date) else value for name, value in said.items()}


def _if_match(version: int | None) -> dict[str, str]:
    return {} if version is None else {"If-Match": etag(version)}
