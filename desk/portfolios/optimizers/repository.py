"""Executes, stores and lists optimizations."""

import asyncio
import math
import uuid
from collections.abc import Callable
from datetime import datetime
from typing import Any

from pydantic import TypeAdapter

from desk.base.errors import NotFound
from desk.market.datasets.repository import OwnedPrices
from desk.portfolios.optimizers.constraints import with_symbols
from desk.portfolios.optimizers.frontier import solve_frontier
from desk.portfolios.optimizers.requests import (
    FrontierRequest,
    HrpRequest,
    MaximumDiversificationRequest,
    MinimumCvarRequest,
    OptimizerRequest,
    RiskParityRequest,
    Unsolvable,
)
from desk.portfolios.optimizers.responses import (
    Kind,
    Optimization,
    OptimizationPage,
    OptimizationSummary,
    Residual,
)
from desk.portfolios.optimizers.risk_based import Problem, Solution, solve_hrp, solve_risk_parity
from desk.portfolios.optimizers.sample import Sample, load_sample
from desk.portfolios.optimizers.single_objective import solve_maximum_diversification, solve_minimum_cvar
from desk.portfolios.repository import load_portfolio
from quant.numeric.errors import Infeasible, QuantError
from store.records import Key, Labels, Put
from store.store import Store

KIND = "optimization"
RESULT_KIND = "optimization-result"
"""Record kinds of summaries and of full results."""
_ANY: TypeAdapter[Optimization] = TypeAdapter(Optimization)


class NoSuchOptimization(NotFound):
    """The owner has no optimization with this id."""

    code = "no_such_optimization"

    def __init__(self, optimization_id: str) -> None:
        super().__init__(f"optimization: there is none called {optimization_id!r}; expected the id of one of yours")


async def optimize(
    source: OwnedPrices,
    request: OptimizerRequest,
    *,
    now: datetime,
) -> Optimization:
    """Solve and store the result; raises `UserError`, and then stores nothing, if there is no solution."""
    store, owner = source.store, source.owner
    portfolio = None if request.portfolio_id is None else await load_portfolio(store, owner, request.portfolio_id)
    sample = await load_sample(source, request, portfolio)
    result = await asyncio.to_thread(_solve, request, sample, now)
    whole = result.model_dump(mode="json")
    summary = {name: whole[name] for name in OptimizationSummary.model_fields}
    about: Labels = {} if result.portfolio_id is None else {"about": result.portfolio_id}
    puts = [
        Put(Key(owner, KIND, result.id), summary, expected=0, labels=about),
        Put(Key(owner, RESULT_KIND, result.id), whole, expected=0),
    ]
    await store.records.put_many(puts)
    return result


async def load_optimization(store: Store, owner: str, optimization_id: str) -> Optimization:
    record = await store.records.get(Key(owner, RESULT_KIND, optimization_id))
    if record is None:
        raise NoSuchOptimization(optimization_id)
    return _ANY.validate_python(record.document)


async def list_optimizations(
    store: Store, owner: str, portfolio_id: str, *, limit: int = 100, after: str | None = None
) -> OptimizationPage:
    """Optimizations of one portfolio, newest first."""
    await load_portfolio(store, owner, portfolio_id)
    page = await store.records.list(
        owner, KIND, label=("about", portfolio_id), after=after, limit=limit, newest_first=True
    )
    items = [OptimizationSummary.model_validate(record.document) for record in page.records]
    return OptimizationPage(items=items, next=page.after)


def _require_exact(residual: Residual) -> None:
    if not residual.value <= residual.accepted:
        description = f"{residual.meaning} is {residual.value:.3g}; expected at most {residual.accepted:g}"
        raise Infeasible(f"no solution is exact enough for these returns: {description}")


_OPTIMIZERS: dict[type[OptimizerRequest], tuple[Kind, Callable[[Problem, Any], Solution[Any]]]] = {
    RiskParityRequest: ("risk-parity", solve_risk_parity),
    HrpRequest: ("hrp", solve_hrp),
    MinimumCvarRequest: ("minimum-cvar", solve_minimum_cvar),
    MaximumDiversificationRequest: ("maximum-diversification", solve_maximum_diversification),
    FrontierRequest: ("efficient-frontier", solve_frontier),
}


def _solve(request: OptimizerRequest, sample: Sample, now: datetime) -> Optimization:
    kind, solve = _OPTIMIZERS[type(request)]
    problem = Problem(request, sample)
    try:
        answer = solve(problem, request)
        _require_exact(answer.residual)
        condition, repair = problem.condition, problem.correlation_repair
        warnings = [*problem.warnings(), *answer.warnings]
    except QuantError as error:
        raise Unsolvable(with_symbols(str(error), sample.symbols)) from error
    return _ANY.validate_python(
        {
            "type": kind,
            "id": f"o-{uuid.uuid4().hex[:20]}",
            "portfolio_id": request.portfolio_id,
            "parameters": request.parameters | answer.parameters,
            "history": sample.history,
            "covariance_method": request.covariance,
            "correlation_repair": repair,
            "condition_number": condition if math.isfinite(condition) else None,
            "annualization": request.annualization,
            "residual": answer.residual,
            "warnings": warnings,
            "created_at": now,
            "result": answer.result,
        }
    )
