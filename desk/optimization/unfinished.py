"""What a job found that did not come to its end: counts and ranges, labelled, and nothing of it is called best."""

from collections.abc import Sequence
from statistics import median
from typing import Literal

from pydantic import Field

from desk.optimization.request import OptimizationRequest
from desk.optimization.result import Plotted
from quant.numeric.frozen import Frozen
from quant.strategies.family import WeightFunction
from quant.strategies.trial import Trial


class FunctionTrials(Frozen):
    """The trials of one weight function; objectives are in sample, of trials alone, and null where none has one."""

    weight_function: WeightFunction
    trials: int
    screened: int
    within_limits: int
    lowest: float | None
    median: float | None
    highest: float | None


class PartialResult(Frozen):
    """Of a job that was cancelled or failed. Nothing was judged: no benchmark, no test for luck, no winner."""

    complete: Literal[False] = False
    job: str
    state: Literal["cancelled", "failed", "expired"]
    partial: tuple[str, ...] = Field(description="Why the answer is partial, in sentences")
    request: OptimizationRequest
    data_version: str
    code_version: str
    trials: int
    screened: int
    wanted: int = Field(description="Trials that were asked for")
    tried: tuple[FunctionTrials, ...]


def trials_by_function(trials: Sequence[Trial], plotted: Sequence[Plotted]) -> tuple[FunctionTrials, ...]:
    """By weight function, in the order of their names."""
    plotted_by_digest = {one.digest: one for one in plotted}
    groups: dict[WeightFunction, list[Trial]] = {}
    for trial in trials:
        groups.setdefault(trial.config.weight_function, []).append(trial)
    rows: list[FunctionTrials] = []
    for name in sorted(groups):
        own = [plotted_by_digest[trial.digest] for trial in groups[name] if trial.digest in plotted_by_digest]
        values = [one.objective for one in own]
        rows.append(
            FunctionTrials(
                weight_function=name,
                trials=len(groups[name]),
                screened=len([trial for trial in groups[name] if trial.screened]),
                within_limits=len([one for one in own if one.feasible]),
                lowest=min(values, default=None),
                median=median(values) if values else None,
                highest=max(values, default=None),
            )
        )
    return tuple(rows)
