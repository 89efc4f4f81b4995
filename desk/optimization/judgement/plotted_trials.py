"""Trials as the charts of a job need them: their objective, where they stand, whether they keep the limits."""

import math
from collections.abc import Mapping, Sequence

from desk.optimization.evaluation import objectives
from desk.optimization.judgement.sensitivity import named_weights
from desk.optimization.limits import check_limits, violation
from desk.optimization.request import OptimizationRequest
from desk.optimization.result import LimitCheck, Plotted
from desk.optimization.search.search import by_scenario
from quant.strategies.trial import Trial

__all__ = ["by_scenario", "plotted"]


def plotted(
    request: OptimizationRequest,
    trials: Sequence[Trial],
    checks: Mapping[str, tuple[LimitCheck, ...]] | None = None,
) -> tuple[Plotted, ...]:
    """Those that were evaluated on all paths; `checks` by digest, where they are known."""
    leading = [t for t in trials if not t.screened]
    known = checks or {t.digest: check_limits(request, by_scenario(t)) for t in leading}
    weights = named_weights(request.scenarios, [s.probability for s in request.scenarios])
    values = objectives(request, leading) if leading else ()
    return tuple(
        _plotted(trial, float(value), weights, feasible=violation(known[trial.digest]) == 0.0)
        for trial, value in zip(leading, values, strict=True)
    )


def _plotted(trial: Trial, objective: float, weights: Mapping[str, float], *, feasible: bool) -> Plotted:
    found = by_scenario(trial)

    def mean(metric: str) -> float:
        return math.fsum(w * getattr(found[name].metrics, metric).value for name, w in weights.items())

    return Plotted(
        number=trial.number,
        digest=trial.digest,
        objective=objective,
        volatility=mean("volatility"),
        excess_return=mean("excess_return"),
        drawdown=mean("max_drawdown"),
        feasible=feasible,
        screened=trial.screened,
        weight_function=trial.config.weight_function,
    )
