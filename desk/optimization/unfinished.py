"""Partial result of an unfinished job: counts and ranges of trials, without any judgement."""

from collections.abc import Sequence
from statistics import median
from typing import Literal

from pydantic import Field

from desk.optimization.request import StoredRequest
from desk.optimization.result import Plotted
from quant.numeric.frozen import Frozen
from quant.strategies.family import WeightFunction
from quant.strategies.trial import Trial


class FunctionTrials(Frozen):
    """Trials of one weight function; objectives are in sample, null if no trial has one."""

    weight_function: WeightFunction
    trials: int
    screened: int
    """Trials that were dropped after few paths."""
    within_limits: int
    """Trials that meet all limits."""
    lowest: float | None
    """Lowest objective."""
    median: float | None
    highest: float | None
    """Highest objective."""


class PartialResult(Frozen):
    """Partial result of a cancelled or failed job, without benchmark, test for luck or winner."""

    complete: Literal[False] = False
    """False, to distinguish it from a result."""
    job: str
    state: Literal["cancelled", "failed", "expired"]
    partial: tuple[str, ...] = Field(description="Reasons why the result is partial")
    request: StoredRequest
    data_version: str
    code_version: str
    trials: int
    screened: int
    """Trials that were dropped after few paths."""
    wanted: int = Field(description="Requested trials")
    tried: tuple[FunctionTrials, ...]
    """Trials by weight function."""


def trials_by_function(trials: Sequence[Trial], plotted: Sequence[Plotted]) -> tuple[FunctionTrials, ...]:
    """Summarize the trials by weight function, in alphabetical order."""
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
