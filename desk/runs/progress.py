"""How far a log has come: a fold over its events, so that every reader of the same log is told the same."""

from datetime import datetime
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import Field

from desk.governance.usage import AgentName
from desk.runs import events as trace
from quant.numeric.frozen import Frozen

BEFORE_THE_END = 0.99
SEARCH_ENDS = 0.85
BEGINS = {
    "prepare": 0.01,
    "risk_manager": 0.03,
    "market_analyst": 0.05,
    "optimizer": 0.07,
    "assistant": 0.05,
    "search": 0.10,
    "aggregate": SEARCH_ENDS,
    "explainer": 0.92,
    "render": 0.95,
    "release": 0.95,
}
"""The share at which a node begins."""

Ending: TypeAlias = Literal["finished", "failed"]


class Progress(Frozen):
    """What a log says about its run or its turn, up to one of its events."""

    stage: str = "queued"
    """The node that began last; `waiting` for a person; at the end `finished`, `failed`, `cancelled` or `rejected`."""
    share: Annotated[float, Field(ge=0.0, le=1.0)] = 0.0
    """Never falls, and reaches 1 only when the run is finished: at most 0.99 before."""
    done: int = 0
    """Trials told of so far, those that were dropped after few paths included."""
    screened: int = 0
    """Those that were dropped after few paths."""
    failed: int = 0
    """Times that the run failed; one that was taken up again may have failed before."""
    total: int | None = None
    """Trials of the plans so far, of a plan that is over those that it came to; None before the first plan."""
    best_in_sample: float | None = None
    """The best objective so far, of a trial alone and in sample: no promise of anything."""
    eta_seconds: float | None = None
    """Until the plan's search is over, by its rate so far; None while nothing is searched."""
    agents: tuple[AgentName, ...] = ()
    """Those that are at work."""
    last_error: str | None = None


class LiveEvent(Frozen):
    """What every reader of a log is sent, by whatever door."""

    sequence: Annotated[int, Field(ge=1)]
    """The event's number in its log: 1, 2, 3, ... without gaps. A reader goes on after the last that it has."""
    progress: Progress
    event: trace.TraceEvent


class Folding:
    """Takes the events of one log in order."""

    def __init__(self) -> None:
        self.progress = Progress()
        self.ending: Ending | None = None
        """How the log ends as far as it was read; a run that failed may be taken up again."""
        self._searched = self._planned = 0
        self._since: datetime | None = None

    def live(self, event: trace.TraceEvent) -> LiveEvent:
        """The event with the progress after it."""
        assert event.sequence is not None
        self._take(event)
        return LiveEvent(sequence=event.sequence, progress=self.progress, event=event)

    def _take(self, event: trace.TraceEvent) -> None:
        match event:
            case trace.NodeStarted():
                self._tell(stage=event.node, share=BEGINS.get(event.node, 0.0))
            case trace.AgentStarted():
                self._tell(agents=tuple(sorted({*self.progress.agents, event.agent})))
            case trace.AgentFinished():
                self._tell(agents=tuple(name for name in self.progress.agents if name != event.agent))
            case trace.ToolReturned() if event.agent == "assistant":
                self._tell(share=(self.progress.share + BEGINS["release"]) / 2)
            case trace.ApprovalRequested() | trace.TurnPaused():
                self._tell(stage="waiting")
            case trace.EstimateMade() | trace.TrialFinished() | trace.JobProgressed() | trace.TrialsFinished():
                self._search(event)
            case trace.RunFinished() | trace.TurnFinished():
                self.ending = "finished"
                self.progress = self.progress.model_copy(update={"stage": "finished", "share": 1.0, "agents": ()})
            case trace.RunFailed():
                self.ending = self.ending or "failed"
                error = event.code if event.code == event.kind else f"{event.code}: {event.kind}"
                by_a_person = event.code in ("cancelled", "rejected")
                stage = event.code if by_a_person else "failed"
                failed = self.progress.failed + (not by_a_person)
                self._tell(stage=stage, failed=failed, last_error=error, agents=(), eta_seconds=None)
                return
            case _:
                pass
        if self.ending == "failed":  # it was taken up again
            self.ending = None

    def _search(
        self, event: trace.EstimateMade | trace.TrialFinished | trace.JobProgressed | trace.TrialsFinished
    ) -> None:
        now = self.progress
        match event:
            case trace.EstimateMade():
                self._searched, self._planned, self._since = now.done, event.estimate.trials, event.at
                self._tell(total=now.done + self._planned, eta_seconds=event.estimate.seconds)
            case trace.TrialFinished():
                known = [value for value in (now.best_in_sample, event.objective) if value is not None]
                self._tell(
                    done=max(now.done, event.trial + 1),
                    screened=now.screened + event.screened,
                    best_in_sample=max(known, default=None),
                )
            case trace.JobProgressed():
                part = event.done / max(event.total, 1)
                left = None
                if self._since is not None and event.done:
                    left = max(0.0, (event.at - self._since).total_seconds()) * (event.total - event.done) / event.done
                share = BEGINS["search"] + (SEARCH_ENDS - BEGINS["search"]) * self._of_all(part)
                self._tell(done=max(now.done, self._searched + event.done), share=share, eta_seconds=left)
            case trace.TrialsFinished():
                done = max(now.done, event.trials)
                self._tell(done=done, total=done, eta_seconds=None)

    def _of_all(self, part: float) -> float:
        """The part of the search that is over: a later plan goes on in what the earlier ones left."""
        before = self._searched / max(self._searched + self._planned, 1)
        return before + (1.0 - before) * part

    def _tell(self, share: float = 0.0, **changes: Any) -> None:
        if self.ending == "finished":  # what comes later, such as the opening of the holdout, changes nothing
            return
        share = min(max(self.progress.share, share), BEFORE_THE_END)
        self.progress = self.progress.model_copy(update={**changes, "share": share})
