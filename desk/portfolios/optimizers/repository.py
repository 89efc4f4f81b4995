"""Optimizations: computed aside, kept, and listed by portfolio."""

import asyncio
import math
import uuid
from datetime import datetime

from pydantic import TypeAdapter

from desk.base.errors import NotFound
from desk.market.datasets.repository import OwnedPrices
from desk.portfolios.optimizers.constraints import named
from desk.portfolios.optimizers.frontier import frontier_of
from desk.portfolios.optimizers.requests import FrontierRequest, HrpRequest, RiskParityRequest, Unsolvable
from desk.portfolios.optimizers.responses import (
    Kind,
    Optimization,
    OptimizationPage,
    OptimizationSummary,
    Residual,
)
from desk.portfolios.optimizers.risk_based import Problem, hrp_of, risk_parity_of
from desk.portfolios.optimizers.sample import Sample, sample_of
from desk.portfolios.repository import kept_portfolio
from quant.numeric.errors import Infeasible, QuantError
from store.records import Key, Labels, Put
from store.store import Store

KIND = "optimization"
WHOLE = "optimization-result"
"""Kinds of the lines of a list, and of what stands behind them."""
_TYPES: dict[type, Kind] = {RiskParityRequest: "risk-parity", HrpRequest: "hrp", FrontierRequest: "efficient-frontier"}
_ANY: TypeAdapter[Optimization] = TypeAdapter(Optimization)


class NoSuchOptimization(NotFound):
    """The owner has no optimization of that id."""

    code = "no_such_optimization"

    def __init__(self, optimization_id: str) -> None:
        super().__init__(f"optimization: there is none called {optimization_id!r}; expected the id of one of yours")


async def optimize(
    source: OwnedPrices,
    request: RiskParityRequest | HrpRequest | FrontierRequest,
    *,
    now: datetime,
) -> Optimization:
    """Solve it and keep the answer; what stands in the way is a `UserError`, and then nothing is kept."""
    store, owner = source.store, source.owner
    portfolio = None if request.portfolio_id is None else await kept_portfolio(store, owner, request.portfolio_id)
    sample = await sample_of(source, request, portfolio)
    result = await asyncio.to_thread(_solved, request, sample, now)
    whole = result.model_dump(mode="json")
    summary = {name: whole[name] for name in OptimizationSummary.model_fields}
    about: Labels = {} if result.portfolio_id is None else {"about": result.portfolio_id}
    puts = [
        Put(Key(owner, KIND, result.id), summary, expected=0, labels=about),
        Put(Key(owner, WHOLE, result.id), whole, expected=0),
    ]
    await store.records.put_many(puts)
    return result


async def kept_optimization(store: Store, owner: str, optimization_id: str) -> Optimization:
    record = await store.records.get(Key(owner, WHOLE, optimization_id))
    if record is None:
        raise NoSuchOptimization(optimization_id)
    return _ANY.validate_python(record.document)


async def optimizations_of(
    store: Store, owner: str, portfolio_id: str, *, limit: int = 100, after: str | None = None
) -> OptimizationPage:
    """Of one portfolio, the newest first."""
    await kept_portfolio(store, owner, portfolio_id)
    page = await store.records.list(
        owner, KIND, label=("about", portfolio_id), after=after, limit=limit, newest_first=True
    )
    items = [OptimizationSummary.model_validate(record.document) for record in page.records]
    return OptimizationPage(items=items, next=page.after)


def _require_exact(residual: Residual) -> None:
    if not residual.value <= residual.accepted:
        description = f"{residual.meaning} is {residual.value:.3g}; expected at most {residual.accepted:g}"
        raise Infeasible(f"no answer is exact enough for these returns: {description}")


def _solved(request: RiskParityRequest | HrpRequest | FrontierRequest, sample: Sample, now: datetime) -> Optimization:
    problem = Problem(request, sample)
    try:
        match request:
            case RiskParityRequest():
                answer = risk_parity_of(problem, request)
            case HrpRequest():
                answer = hrp_of(problem, request)
            case FrontierRequest():
                answer = frontier_of(problem, request)
        _require_exact(answer.residual)
        condition = problem.condition
        warnings = [*problem.warnings(), *answer.warnings]
    except QuantError as error:
        raise Unsolvable(named(str(error), sample.symbols)) from error
    return _ANY.validate_python(
        {
            "type": _TYPES[type(request)],
            "id": f"o-{uuid.uuid4().hex[:20]}",
            "portfolio_id": request.portfolio_id,
            "parameters": request.parameters | answer.parameters,
            "history": sample.history,
            "covariance_method": request.covariance,
            "condition_number": condition if math.isfinite(condition) else None,
            "annualization": request.annualization,
            "residual": answer.residual,
            "warnings": warnings,
            "created_at": now,
            "result": answer.result,
        }
    )
