"""Progress of a run, computed from its events alone, so that every reader of a log sees the same."""

from datetime import datetime
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import Field

from desk.governance.usage import AgentName
from desk.runs.nodes import start_share
from quant.numeric.frozen import Frozen

MAX_UNFINISHED_SHARE = 0.99

Ending: TypeAlias = Literal["finished", "failed"]


class Progress(Frozen):
    """Progress of a run or turn up to one of its events."""

    stage: str = "queued"
    """Node that began last, or `waiting` (for an approval), `finished`, `failed`, `cancelled`, `rejected`,
    `expired`."""
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
    """The last error of a model or a remote job that did not end the run."""


class ProgressTracker:
    """Progress of one log; events call its methods in their order."""

    def __init__(self) -> None:
        self.progress = Progress()
        self.ending: Ending | None = None
        """How the log ends as far as it was read; a failed run may be resumed."""
        self._earlier_trials = self._planned_trials = 0
        self._plan_start: datetime | None = None

    def start_node(self, node: str, share: float) -> None:
        self._update(stage=node, share=share)

    def start_agent(self, agent: AgentName) -> None:
        self._update(agents=tuple(sorted({*self.progress.agents, agent})))

    def finish_agent(self, agent: AgentName) -> None:
        self._update(agents=tuple(name for name in self.progress.agents if name != agent))

    def approach(self, node: str) -> None:
        """Move halfway to the begin of `node`."""
        self._update(share=(self.progress.share + start_share(node)) / 2)

    def wait(self) -> None:
        self._update(stage="waiting")

    def start_search(self, trials: int, seconds: float, at: datetime) -> None:
        """A plan's search starts, with an estimate of its trials and seconds."""
        done = self.progress.done
        self._earlier_trials, self._planned_trials, self._plan_start = done, trials, at
        self._update(total=done + trials, eta_seconds=seconds)

    def add_trial(self, trial: int, objective: float | None, *, screened: bool) -> None:
        now = self.progress
        objectives = [value for value in (now.best_in_sample, objective) if value is not None]
        self._update(
            done=max(now.done, trial + 1),
            screened=now.screened + screened,
            best_in_sample=max(objectives, default=None),
        )

    def update_search(self, done: int, total: int, at: datetime) -> None:
        """`done` of the plan's `total` trials are finished."""
        remaining_seconds = None
        if self._plan_start is not None and done:
            remaining_seconds = max(0.0, (at - self._plan_start).total_seconds()) * (total - done) / done
        start, end = start_share("search"), start_share("aggregate")
        share = start + (end - start) * self._share_of_search(done / max(total, 1))
        trials = max(self.progress.done, self._earlier_trials + done)
        self._update(done=trials, share=share, eta_seconds=remaining_seconds)

    def finish_search(self, trials: int) -> None:
        trials_done = max(self.progress.done, trials)
        self._update(done=trials_done, total=trials_done, eta_seconds=None)

    def finish(self) -> None:
        self.ending = "finished"
        self.progress = self.progress.model_copy(update={"stage": "finished", "share": 1.0, "agents": ()})

    def fail(self, error: str) -> None:
        self.end("failed", error, failures=1)

    def end(self, stage: str, error: str, *, failures: int = 0) -> None:
        """End without a result in `stage`: failed, cancelled, rejected or expired."""
        self.ending = self.ending or "failed"
        failed = self.progress.failed + failures
        self._update(stage=stage, failed=failed, last_error=error, agents=(), eta_seconds=None)

    def resume(self) -> None:
        """Reopen a log that ended with a failure."""
        if self.ending == "failed":
            self.ending = None

    def _share_of_search(self, part: float) -> float:
        """Share of the whole search: a later plan covers what earlier plans left."""
        before = self._earlier_trials / max(self._earlier_trials + self._planned_trials, 1)
        return before + (1.0 - before) * part

    def _update(self, share: float = 0.0, **changes: Any) -> None:
        if self.ending == "finished":  # later events, such as the opening of the holdout, change nothing
            return
        share = min(max(self.progress.share, share), MAX_UNFINISHED_SHARE)
        self.progress = self.progress.model_copy(update={**changes, "share": share})
