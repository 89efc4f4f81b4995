"""The problem that all optimizers solve, its estimates and intervals; risk parity and hierarchical risk parity."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Generic, TypeVar

import numpy as np
from pydantic import JsonValue

from desk.base.errors import InvalidInput
from desk.portfolios.correlation_schemas import CorrelationRepair
from desk.portfolios.correlations import repair_warning, set_correlations
from desk.portfolios.optimizers.constraints import Limits, build_limits, by_symbol, order_budgets, require
from desk.portfolios.optimizers.requests import Covariance, HrpRequest, OptimizerRequest, RiskParityRequest
from desk.portfolios.optimizers.responses import (
    FrontierResult,
    HrpMetrics,
    HrpResult,
    Intervals,
    MaximumDiversificationResult,
    MinimumCvarResult,
    Residual,
    RiskParityMetrics,
    RiskParityResult,
    WeightInterval,
)
from desk.portfolios.optimizers.sample import Sample, estimate_warnings
from quant.allocate import hierarchical_risk_parity, risk_parity
from quant.allocation.hierarchical import VARIANTS, Distance, HierarchicalPortfolio
from quant.allocation.resampling import weight_intervals
from quant.allocation.risk_budgeting import ACCEPTED, risk_contributions
from quant.covariance.denoising import denoised_covariance
from quant.covariance.estimators import ILL_CONDITIONED, condition_number, exponential, sample
from quant.covariance.samples import RECOMMENDED_OBSERVATIONS
from quant.covariance.shrinkage import ledoit_wolf, nonlinear_shrinkage
from quant.numeric.arrays import Floats

Result = TypeVar("Result", RiskParityResult, HrpResult, MinimumCvarResult, MaximumDiversificationResult, FrontierResult)
Rule = Callable[[Floats], Floats]

MAX_ITERATIONS = 200
"""Iterations of `quant.allocation.risk_budgeting`: a hundred cycles of descent, a hundred steps of the final method."""
MAX_GAP = 1e-6
"""Largest accepted optimality gap of the frontier and of maximum diversification."""
MAX_SECONDS = 20.0
"""Approximate time limit of one request in seconds."""


@dataclass(frozen=True, eq=False)
class Problem:
    """A request with its returns; mean, covariance and limits per year."""

    request: OptimizerRequest
    sample: Sample

    @property
    def symbols(self) -> tuple[str, ...]:
        return self.sample.symbols

    @cached_property
    def mean(self) -> Floats:
        return self.mean_of(self.sample.values)

    @property
    def cov(self) -> Floats:
        return self._covariance[0]

    @property
    def correlation_repair(self) -> CorrelationRepair | None:
        return self._covariance[1]

    @cached_property
    def _covariance(self) -> tuple[Floats, CorrelationRepair | None]:
        estimate, request = self.cov_of(self.sample.values), self.request
        if request.correlations is None:
            return estimate, None
        return set_correlations(estimate, self.symbols, request.correlations, repair=request.repair_correlations)

    @cached_property
    def limits(self) -> Limits:
        return build_limits(self.request.constraints, self.sample)

    @cached_property
    def condition(self) -> float:
        return condition_number(self.cov)

    def mean_of(self, values: Floats) -> Floats:
        return self.request.annualization * values.mean(axis=0)

    def cov_of(self, values: Floats) -> Floats:
        return self.request.annualization * estimate_covariance(values, self.request.covariance, self.request.halflife)

    @property
    def seconds_per_portfolio(self) -> float:
        """Approximate seconds for one portfolio of least variance or highest ratio under the limits."""
        return 5e-4 if self.limits.bounds_only else 0.03 + 0.002 * len(self.symbols)

    def warnings(self) -> list[str]:
        values = self.sample.values
        return [
            *self.sample.warnings,
            *([] if self.correlation_repair is None else [repair_warning(self.correlation_repair)]),
            *estimate_warnings(values, self.condition, ILL_CONDITIONED, RECOMMENDED_OBSERVATIONS),
        ]


@dataclass(frozen=True)
class Solution(Generic[Result]):
    result: Result
    residual: Residual
    parameters: dict[str, JsonValue]
    """Parameters chosen by default, besides those of the request."""
    warnings: tuple[str, ...] = ()


def estimate_covariance(values: Floats, method: Covariance, halflife: float) -> Floats:
    """The estimated covariance per period."""
    periods, assets = values.shape
    if method in ("sample", "exponential") and periods < assets:
        reason = f"{periods} periods of {assets} assets give a singular covariance"
        allowed = f"ledoit_wolf, constant_correlation, nonlinear_shrinkage, denoised; or {assets} periods or more"
        raise InvalidInput("covariance", method, reason=reason, allowed=allowed)
    match method:
        case "sample":
            return sample(values)
        case "exponential":
            return exponential(values, halflife=halflife)
        case "ledoit_wolf":
            return ledoit_wolf(values).matrix
        case "constant_correlation":
            return ledoit_wolf(values, target="constant_correlation").matrix
        case "nonlinear_shrinkage":
            return nonlinear_shrinkage(values)
        case "denoised":
            return denoised_covariance(values).matrix


def solve_risk_parity(problem: Problem, request: RiskParityRequest) -> Solution[RiskParityResult]:
    symbols, cov = problem.symbols, problem.cov
    budgets = order_budgets(request.risk_budgets, symbols)
    weights = risk_parity(cov, budgets)
    require(weights, problem.limits, symbols)
    metrics = risk_metrics(weights, problem)
    budget = np.full(len(symbols), 1.0 / len(symbols)) if budgets is None else budgets
    deviation = float(np.abs(np.array(list(metrics.risk_shares.values())) - budget).max())
    intervals = bootstrap_intervals(problem, lambda values: risk_parity(problem.cov_of(values), budgets), seconds=1e-4)
    result = RiskParityResult(weights=by_symbol(symbols, weights), metrics=metrics, intervals=intervals)
    meaning = "the largest distance of a share of risk from its budget"
    residual = Residual(value=deviation, accepted=ACCEPTED, meaning=meaning)
    return Solution(result, residual, {"method": "convex risk budgeting", "maxIterations": MAX_ITERATIONS})


def solve_hrp(problem: Problem, request: HrpRequest) -> Solution[HrpResult]:
    symbols = problem.symbols
    preset = VARIANTS[request.variant]
    linkage, order = request.linkage or preset[0], request.leaf_order or preset[2]
    metric = request.metric or ("euclidean" if preset[1] == "lopez_de_prado_2016" else "correlation")
    distance: Distance = "correlation" if metric == "correlation" else "lopez_de_prado_2016"

    def solved(cov: Floats) -> HierarchicalPortfolio:
        return hierarchical_risk_parity(cov, linkage=linkage, distance=distance, order=order)

    solution = solved(problem.cov)
    require(solution.weights, problem.limits, symbols)
    links = [(int(a), int(b), float(apart), int(size)) for a, b, apart, size in solution.linkage]
    metrics = HrpMetrics(
        **risk_metrics(solution.weights, problem).model_dump(),
        cluster_tree=[(first, second) for first, second, _, _ in links],
        linkage_matrix=links,
        order=[symbols[place] for place in solution.order],
    )
    slow = 5e-6 * len(symbols) * len(symbols) if order == "optimal" else 1e-4
    intervals = bootstrap_intervals(problem, lambda values: solved(problem.cov_of(values)).weights, seconds=slow)
    result = HrpResult(weights=by_symbol(symbols, solution.weights), metrics=metrics, intervals=intervals)
    deviation = abs(math.fsum(solution.weights) - 1.0)
    residual = Residual(value=deviation, accepted=1e-9, meaning="the distance of the sum of weights from 1")
    return Solution(result, residual, {"linkage": linkage, "metric": metric, "leafOrder": order})


def bootstrap_intervals(problem: Problem, rule: Rule, *, seconds: float) -> Intervals | None:
    """Bootstrap intervals if requested; one solution of `rule` takes about `seconds` besides its covariance."""
    bootstrap = problem.request.bootstrap
    if bootstrap is None:
        return None
    check_draws(problem, bootstrap.draws, seconds)
    block = {} if bootstrap.mean_block is None else {"mean_block": bootstrap.mean_block}
    intervals = weight_intervals(
        problem.sample.values, rule, draws=bootstrap.draws, level=bootstrap.level, seed=bootstrap.seed, **block
    )
    rows = zip(intervals.estimate, intervals.lower, intervals.upper, intervals.mean, intervals.deviation, strict=True)
    return Intervals(
        level=bootstrap.level,
        draws=intervals.draws,
        refused=intervals.failed_draws,
        seed=bootstrap.seed,
        weights={
            symbol: WeightInterval(
                estimate=float(row[0]),
                lower=float(row[1]),
                upper=float(row[2]),
                mean=float(row[3]),
                deviation=float(row[4]),
            )
            for symbol, row in zip(problem.symbols, rows, strict=True)
        },
    )


def check_draws(problem: Problem, draws: int, seconds: float) -> None:
    periods, assets = problem.sample.values.shape
    each = seconds + 1e-7 * assets * assets + 4e-10 * periods * assets * assets
    most = int(MAX_SECONDS / each)
    if draws > most:
        reason = f"{draws} draws of {assets} assets over {periods} periods take too long"
        raise InvalidInput(
            "bootstrap.draws", draws, reason=reason, allowed=f"at most {most} for this many; 20 at least"
        )


def risk_metrics(weights: Floats, problem: Problem) -> RiskParityMetrics:
    parts = risk_contributions(weights, problem.cov)
    volatility = math.fsum(parts)
    return RiskParityMetrics(
        portfolio_volatility=volatility,
        risk_contribution=by_symbol(problem.symbols, parts),
        risk_shares=by_symbol(problem.symbols, parts / volatility),
    )
