"""Portfolio optimizers."""

from typing import Annotated, Any, TypeAlias

from fastapi import APIRouter, Path

from api.http.body_limits import limited_route
from api.http.dependencies import AppState, AppStateDep, PrincipalDep
from api.http.errors.problems import Problem, error_responses
from api.http.pagination import After, Limit
from api.http.routes.portfolios import PortfolioId
from desk.governance.principals import Principal
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
    FrontierOptimization,
    HrpOptimization,
    MaximumDiversificationOptimization,
    MinimumCvarOptimization,
    Optimization,
    OptimizationPage,
    RiskParityOptimization,
)

_LIMITED = limited_route(16_000_000, max_parts=50_000, ignore_values=True)

router = APIRouter(tags=["optimization"], route_class=_LIMITED)
optimizers = APIRouter(prefix="/optimization", responses=error_responses(400, 404, 413), route_class=_LIMITED)

OptimizationId: TypeAlias = Annotated[
    str,
    Path(pattern="^[A-Za-z0-9_-]{1,64}$", description="The id of an optimization", examples=["o-1f0c9c2be5b74d0d8f4a"]),
]


@optimizers.post(
    "/risk-parity",
    summary="Weights by risk parity, with equal or given risk budgets",
    response_model=RiskParityOptimization,
)
async def optimize_risk_parity(body: RiskParityRequest, service: AppStateDep, principal: PrincipalDep) -> Any:
    """Every asset contributes the same risk, or the share that `riskBudgets` gives it."""
    return await _optimize(service, principal, body)


@optimizers.post(
    "/hrp",
    summary="Weights by hierarchical risk parity",
    response_model=HrpOptimization,
)
async def optimize_hrp(body: HrpRequest, service: AppStateDep, principal: PrincipalDep) -> Any:
    """Hierarchical risk parity: capital is split along a tree of similar assets."""
    return await _optimize(service, principal, body)


@optimizers.post(
    "/minimum-cvar",
    summary="Weights with the least conditional value at risk on the given periods",
    description="Minimizes the mean loss of the worst `1 - level` of the periods (CVaR, expected shortfall) within the "
    "bounds (Rockafellar and Uryasev 2000). `covariance` has no effect on the weights, only on the volatility and its "
    "parts. A solution that violates groups or turnover is rejected.",
    response_model=MinimumCvarOptimization,
)
async def optimize_minimum_cvar(body: MinimumCvarRequest, service: AppStateDep, principal: PrincipalDep) -> Any:
    return await _optimize(service, principal, body)


@optimizers.post(
    "/maximum-diversification",
    summary="Weights with the highest diversification ratio under constraints",
    description="Maximizes the mean volatility of the assets over that of the portfolio (Choueifaty and Coignard "
    "2008); needs no expected returns.",
    response_model=MaximumDiversificationOptimization,
)
async def optimize_maximum_diversification(
    body: MaximumDiversificationRequest, service: AppStateDep, principal: PrincipalDep
) -> Any:
    return await _optimize(service, principal, body)


@optimizers.post(
    "/efficient-frontier",
    summary="The efficient frontier of return and risk under constraints",
    response_model=FrontierOptimization,
)
async def compute_efficient_frontier(body: FrontierRequest, service: AppStateDep, principal: PrincipalDep) -> Any:
    """Portfolios of least volatility for expected returns from the lowest to the highest."""
    return await _optimize(service, principal, body)


router.include_router(optimizers)


@router.get(
    "/optimization/results/{optimization_id}",
    summary="A stored optimization",
    response_model=Optimization,
    responses=error_responses(404),
)
async def get_optimization(optimization_id: OptimizationId, service: AppStateDep, principal: PrincipalDep) -> Any:
    """The response of the optimization, as it was stored."""
    from desk.portfolios.optimizers.repository import load_optimization

    return await load_optimization(service.dependencies.store, principal.owner, optimization_id)


@router.get(
    "/portfolios/{portfolio_id}/optimizations",
    summary="The optimizations of a portfolio, the newest first",
    response_model=OptimizationPage,
    responses=error_responses(404),
)
async def list_optimizations(
    portfolio_id: PortfolioId,
    service: AppStateDep,
    principal: PrincipalDep,
    limit: Limit = 100,
    after: After = None,
) -> Any:
    """Optimizations with the id of this portfolio, the newest first."""
    from desk.portfolios.optimizers.repository import list_optimizations

    return await list_optimizations(service.dependencies.store, principal.owner, portfolio_id, limit=limit, after=after)


async def _optimize(service: AppState, principal: Principal, request: OptimizerRequest) -> Optimization:
    from desk.portfolios.optimizers.repository import optimize

    dependencies = service.dependencies
    try:
        return await optimize(dependencies.prices_of(principal.owner), request, now=dependencies.now())
    except Unsolvable as error:
        raise Problem(422, str(error), code="OPTIMIZATION_ERROR") from error
