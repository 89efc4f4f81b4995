"""Counts of the work of a search."""

from collections.abc import Sequence
from functools import reduce
from operator import add
from typing import Literal

from desk.optimization.request import OptimizationRequest
from desk.optimization.result import Counts
from quant.strategies.trial import Trial


def count_work(
    request: OptimizationRequest,
    trials: Sequence[Trial],
    *,
    stopped: Literal["budget", "converged", "exhausted", "agent"],
    plans: int,
) -> Counts:
    whole = [e for t in trials if not t.screened for e in t.evaluations]
    scenarios = request.scenarios
    return Counts(
        trials=len(trials),
        screened=len([t for t in trials if t.screened]),
        scenarios=len(scenarios),
        paths=scenarios[0].paths,
        years=scenarios[0].years,
        evaluations=len(whole),
        path_days=reduce(add, (e.paths * e.days for e in whole), 0),
        stopped=stopped,
        plans=plans,
    )
