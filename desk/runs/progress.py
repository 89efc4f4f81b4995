"""Progress of a run, computed from its events alone, so that every reader of a log sees the same."""

from datetime import datetime
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import Field

from desk.governance.usage import AgentName
from desk.runs import events as trace
from desk.runs.nodes import NODES, start_share
from quant.numeric.frozen import Frozen

MAX_UNFINISHED_SHARE = 0.99

Ending: TypeAlias = Literal["finished", "failed"]


class Progress(Frozen):
    """Progress of a run or turn up to one of its events."""

    stage: str = "queued"
    """Node that began last, or `waiting` (for an approval), `finished`, `failed`, `cancelled`, `rejected`."""
    share: Annotated[float, Field(ge=0.0, le=1.0)] = 0.0
    """Never decreases; at most 0.99 until the run is finished."""
    done: int = 0
    """Trials so far, including those dropped after few paths."""
    screened: int = 0
    """Trials dropped after few paths."""
    failed: int = 0
    """Number of failures; a resumed run may have failed before."""
    total: int | None = None
    """Trials planned so far, or actual trials of finished plans; None before the first plan."""
    best_in_sample: float | None = None
    """Best objective of a single trial so far, in sample; not an estimate of performance."""
    eta_seconds: float | None = None
    """Time to the end of the plan's search at the current rate; None outside a search."""
    agents: tuple[AgentName, ...] = ()
    """Agents at work."""
    last_error: str | None = None


class LiveEvent(Frozen):
    """An event with the progress after it, as every stream sends it."""

    sequence: Annotated[int, Field(ge=1)]
    """Number in the log, from 1 without gaps; a reader resumes after the last one it has."""
    progress: Progress
    event: trace.TraceEvent


class ProgressTracker:
    """Updates the progress with the events of one log, in order."""

    def __init__(self) -> None:
        self.progress = Progress()
        self.ending: Ending | None = None
        """How the log ends as far as it was read; a failed run may be resumed."""
        self._earlier_trials = self._planned_trials = 0
        self._plan_start: datetime | None = None

    def apply(self, event: trace.TraceEvent) -> LiveEvent:
        """Update the progress and return it with the event."""
        assert event.sequence is not None
        self._update_from(event)
        return LiveEvent(sequence=event.sequence, progress=self.progress, event=event)

    def _update_from(self, event: trace.TraceEvent) -> None:
        match event:
            case trace.NodeStarted():
                self._update(stage=event.node, share=start_share(event.node))
            case trace.AgentStarted():
                self._update(agents=tuple(sorted({*self.progress.agents, event.agent})))
            case trace.AgentFinished():
                self._update(agents=tuple(name for name in self.progress.agents if name != event.agent))
            case trace.ToolReturned() if event.agent == "assistant":
                self._update(share=(self.progress.share + NODES["release"].start) / 2)
            case trace.ApprovalRequested() | trace.TurnPaused():
                self._update(stage="waiting")
            case trace.EstimateMade() | trace.TrialFinished() | trace.JobProgressed() | trace.TrialsFinished():
                self._update_search(event)
            case trace.RunFinished() | trace.TurnFinished():
                self.ending = "finished"
                self.progress = self.progress.model_copy(update={"stage": "finished", "share": 1.0, "agents": ()})
            case trace.RunFailed():
                self.ending = self.ending or "failed"
                error = event.code if event.code == event.kind else f"{event.code}: {event.kind}"
                by_a_person = event.code in ("cancelled", "rejected")
                stage = event.code if by_a_person else "failed"
                failures = self.progress.failed + (not by_a_person)
                self._update(stage=stage, failed=failures, last_error=error, agents=(), eta_seconds=None)
                return
            case _:
                pass
        if self.ending == "failed":  # the run was resumed
            self.ending = None

    def _update_search(
        self, event: trace.EstimateMade | trace.TrialFinished | trace.JobProgressed | trace.TrialsFinished
    ) -> None:
        now = self.progress
        match event:
            case trace.EstimateMade():
                self._earlier_trials, self._planned_trials, self._plan_start = now.done, event.estimate.trials, event.at
                self._update(total=now.done + self._planned_trials, eta_seconds=event.estimate.seconds)
            case trace.TrialFinished():
                objectives = [value for value in (now.best_in_sample, event.objective) if value is not None]
                self._update(
                    done=max(now.done, event.trial + 1),
                    screened=now.screened + event.screened,
                    best_in_sample=max(objectives, default=None),
                )
            case trace.JobProgressed():
                part = event.done / max(event.total, 1)
                remaining_seconds = None
                if self._plan_start is not None and event.done:
                    remaining_seconds = (
                        max(0.0, (event.at - self._plan_start).total_seconds())
                        * (event.total - event.done)
                        / event.done
                    )
                start, end = NODES["search"].start, NODES["aggregate"].start
                share = start + (end - start) * self._share_of_search(part)
                self._update(
                    done=max(now.done, self._earlier_trials + event.done), share=share, eta_seconds=remaining_seconds
                )
            case trace.TrialsFinished():
                trials_done = max(now.done, event.trials)
                self._update(done=trials_done, total=trials_done, eta_seconds=None)

    def _share_of_search(self, part: float) -> float:
        """Share of the whole search: a later plan covers what earlier plans left."""
        before = self._earlier_trials / max(self._earlier_trials + self._planned_trials, 1)
        return before + (1.0 - before) * part

    def _update(self, share: float = 0.0, **changes: Any) -> None:
        if self.ending == "finished":  # later events, such as the opening of the holdout, change nothing
            return
        share = min(max(self.progress.share, share), MAX_UNFINISHED_SHARE)
        self.progress = self.progress.model_copy(update={**changes, "share": share})
