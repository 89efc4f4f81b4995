"""Events of the search: estimates, trials, and reports of remote computations."""

from collections.abc import Mapping
from typing import Literal, TypeAlias

from desk.base.text import number, plural, spaced
from desk.governance.estimates import Estimate
from desk.optimization.jobs import Report
from desk.optimization.scenario_check_schemas import ScenarioCheck
from desk.optimization.stopping import StopReason
from desk.optimization.worlds import Worlds, WorldsBase, describe_worlds
from desk.runs.events.base import BaseEvent, Measure, Row
from desk.runs.progress import ProgressTracker
from quant.numeric.units import BASIS_POINTS


class ScenariosChecked(BaseEvent):
    """The worlds of the data, and whether simulated paths have the moments that they state."""

    row = Row(stage="search")

    event: Literal["scenarios_checked"] = "scenarios_checked"
    worlds: Worlds | None
    """How the volatility of the worlds was chosen."""
    base: WorldsBase | None
    """None for worlds that do not follow the data."""
    checks: tuple[ScenarioCheck, ...]
    """Check of the paths of each scenario."""

    def line(self) -> str:
        failed = [spaced(check.scenario) for check in self.checks if check.failures]
        outcome = (
            f"simulated paths of {', '.join(failed)} deviate from the stated moments"
            if failed
            else f"simulated paths of {plural(len(self.checks), 'scenario')} have the stated moments"
        )
        return f"Worlds {describe_worlds(self.worlds, self.base)}; {outcome}"


class EstimateMade(BaseEvent):
    row = Row(stage="search", sends_progress=True)

    event: Literal["estimate_made"] = "estimate_made"
    plan: int
    """Number of the plan, from 0."""
    estimate: Estimate

    def line(self) -> str:
        return f"Estimate, plan {self.plan + 1}: {self.estimate.describe()}"

    def label(self) -> str:
        return f"Estimate: {self.estimate.describe()}"

    def advance(self, progress: ProgressTracker) -> None:
        expected = self.estimate.expected_time
        seconds = self.estimate.seconds if expected is None else expected.seconds
        progress.start_search(self.estimate.trials, seconds, self.at)


class JobProgressed(BaseEvent):
    """Another tenth of a plan's trials is done."""

    row = Row(stage="search", trace="omitted", sends_progress=True)

    event: Literal["job_progressed"] = "job_progressed"
    job: str
    done: int
    """Finished trials."""
    total: int
    """Requested trials."""
    best: float | None = None
    """Best objective of the trials so far within every limit; a better trial may lower it, as it raises the regret of
    the others.

    Excluded from comparisons.
    """

    def line(self) -> str:
        return f"{self.done} of {self.total} trials{self.describe_best()}"

    def describe_best(self) -> str:
        if self.best is None:
            return ""
        return f", the best within the limits, in sample: {number(self.best * BASIS_POINTS, 1)} bps"

    def advance(self, progress: ProgressTracker) -> None:
        progress.update_search(self.done, self.total, self.at)


class ComputationReported(BaseEvent):
    """Report of a remote job: an attempt began, was lost, or rejected a stored shard."""

    row = Row(stage="search", sends_progress=True)

    event: Literal["computation_reported"] = "computation_reported"
    job: str
    report: Report

    def line(self) -> str:
        return self.report.describe()


class TrialFinished(BaseEvent):
    """A configuration was evaluated in every scenario, or dropped after few paths."""

    row = Row(stage="search", live=False, trace="counted")

    event: Literal["trial_finished"] = "trial_finished"
    trial: int
    """Number within the run, from 0."""
    digest: str
    """Digest of the configuration."""
    screened: bool
    objective: float | None
    """In sample; None if it was dropped."""

    def line(self) -> str:
        dropped = "dropped after few paths: " if self.screened else ""
        return f"{dropped}trial {self.trial} ({self.digest[:12]})"

    def measures(self) -> Mapping[Measure, float]:
        return {"Trials": 1}

    def advance(self, progress: ProgressTracker) -> None:
        progress.add_trial(self.trial, self.objective, screened=self.screened)


class TrialsFinished(BaseEvent):
    row = Row(stage="search", sends_progress=True)

    event: Literal["trials_finished"] = "trials_finished"
    plan: int
    """Number of the plan, from 0."""
    trials: int
    """Trials of the run so far."""
    stopped: StopReason
    """Why the plan ended."""

    def line(self) -> str:
        return f"{self.trials} trials finished ({self.stopped})"

    def advance(self, progress: ProgressTracker) -> None:
        progress.finish_search(self.trials)


Event: TypeAlias = (
    ScenariosChecked | EstimateMade | JobProgressed | ComputationReported | TrialFinished | TrialsFinished
)
