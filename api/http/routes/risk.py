"""Risk of a portfolio, a strategy or the winner of a job."""

from typing import TYPE_CHECKING, Annotated, Any, Literal

from fastapi import APIRouter, Query, Response

from api.http.body_limits import limited_route
from api.http.dependencies import AppStateDep, PrincipalDep
from api.http.errors.problems import error_responses
from api.http.response_headers import FILE_NAME_HEADER
from desk.base.errors import InvalidInput
from desk.portfolios.risk_request import RiskRequest, stored_holdings
from desk.portfolios.risk_schemas import PortfolioRisk

if TYPE_CHECKING:
    from graphs.dependencies import Dependencies

router = APIRouter(tags=["portfolios"], route_class=limited_route(1_000_000))

_CSV = {"schema": {"type": "string"}, "example": "figure,quantity,value,unit,error,source\r\n"}
_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/csv": _CSV}, "headers": FILE_NAME_HEADER},
    **error_responses(400, 404, 409, 410, 413),
}
_DESCRIPTION = """
Value at risk and expected shortfall by three methods over 1, 10 and 21 sessions, drawdown, volatility, beta,
contributions of the holdings, past crises, backtests, and stress.

The reverse stress is the most likely move of the holdings that loses `stress.loss` within `stress.sessions`: the
smallest in Mahalanobis distance, for returns with mean zero and the sample covariance. The factor stress is the loss
when all `stress.shocks` happen together, by the holdings' betas in one regression of daily returns on all factors.

The report of a strategy, or of a job's winner, is about the returns that its rule had on the days before the holdout,
after costs; its contributions are those of the risky leg and of the rest, and its stress is of what it holds after the
last close.

Losses are positive fractions of wealth; with `amount` also money.
"""


@router.post(
    "/risk",
    summary="Risk of holdings, a stored portfolio, a saved strategy or a job's winner, with stress",
    description=_DESCRIPTION,
    response_model=PortfolioRisk,
    response_description="The report, and every number in it as a figure with its unit; `csv`: one row per figure",
    responses=_ANSWERS,
)
async def measure_risk(
    body: RiskRequest,
    service: AppStateDep,
    principal: PrincipalDep,
    format: Annotated[Literal["json", "csv"], Query(description="`csv`: the figures")] = "json",  # noqa: A002
) -> Any:
    from api.export.formats import as_figures_csv

    report = await _report(body, service.dependencies, principal.owner)
    if format == "csv":
        headers = {"Content-Disposition": 'attachment; filename="risk.csv"'}
        return Response(as_figures_csv(report.figures), media_type="text/csv", headers=headers)
    return report


async def _report(body: RiskRequest, dependencies: "Dependencies", owner: str) -> PortfolioRisk:
    from desk.portfolios.repository import load_portfolio
    from desk.portfolios.risk import assess

    prices, holdings = dependencies.prices_of(owner), body.holdings
    if body.strategy_id is not None:
        from desk.strategies.library import load_version
        from desk.strategies.search_options import OTHER_PRICES
        from desk.strategies.strategy_risk import assess_strategy

        saved = await load_version(dependencies.store, owner, body.strategy_id, None)
        beside = {name: saved.search[name] for name in OTHER_PRICES if name in saved.search}
        return await assess_strategy(prices, saved.rule, saved.universe, body.money, body.stress, **beside)
    if body.job is not None:
        from desk.strategies.strategy_risk import assess_winner
        from graphs.runs.outcomes import load_completed

        result = (await load_completed(dependencies.store, owner, body.job)).result
        assert result is not None, "the job has completed"
        return await assess_winner(prices, result, body.money, body.stress)
    if holdings is None:
        portfolio = await load_portfolio(dependencies.store, owner, body.portfolio_id or "")
        holdings = stored_holdings(portfolio)
        if not holdings:
            reason = "the portfolio has units and no weights"
            raise InvalidInput("portfolio_id", body.portfolio_id, reason=reason, allowed="one with weights")
    return await assess(prices, holdings, body.money, body.stress)
