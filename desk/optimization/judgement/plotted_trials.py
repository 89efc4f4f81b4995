"""Trials as chart points: objective, metrics and feasibility."""

import math
from collections.abc import Mapping, Sequence

from desk.optimization.evaluation import objectives
from desk.optimization.judgement.sensitivity import weights_by_scenario
from desk.optimization.limits import check_limits, total_violation
from desk.optimization.request import OptimizationRequest
from desk.optimization.result import LimitCheck, Plotted
from desk.optimization.search.search import evaluations_by_scenario
from quant.strategies.trial import Trial

__all__ = ["evaluations_by_scenario", "plot_trials"]


def plot_trials(
    request: OptimizationRequest,
    trials: Sequence[Trial],
    checks: Mapping[str, tuple[LimitCheck, ...]] | None = None,
) -> tuple[Plotted, ...]:
    """Convert the trials evaluated on all paths; `checks` by digest, if already known."""
    leading = [t for t in trials if not t.screened]
    checks_by_digest = checks or {t.digest: check_limits(request, evaluations_by_scenario(t)) for t in leading}
    weights = weights_by_scenario(request.scenarios, [s.probability for s in request.scenarios])
    values = objectives(request, leading) if leading else ()
    return tuple(
        _plot_trial(trial, float(value), weights, feasible=total_violation(checks_by_digest[trial.digest]) == 0.0)
        for trial, value in zip(leading, values, strict=True)
    )


def _plot_trial(trial: Trial, objective: float, weights: Mapping[str, float], *, feasible: bool) -> Plotted:
    evaluations = evaluations_by_scenario(trial)

    def mean(metric: str) -> float:
        return math.fsum(w * getattr(evaluations[name].metrics, metric).value for name, w in weights.items())

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
