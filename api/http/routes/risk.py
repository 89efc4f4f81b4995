"""Risk of a portfolio."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Response

from api.http.body_limits import limited_route
from api.http.dependencies import AppStateDep, PrincipalDep
from api.http.errors.problems import error_responses
from desk.base.errors import InvalidInput
from desk.portfolios.risk_request import RiskRequest, stored_holdings
from desk.portfolios.risk_schemas import PortfolioRisk

router = APIRouter(tags=["portfolios"], route_class=limited_route(1_000_000))

_CSV = {"schema": {"type": "string"}, "example": "figure,quantity,value,unit,error,source\r\n"}
_ANSWERS: dict[int | str, dict[str, Any]] = {200: {"content": {"text/csv": _CSV}}, **error_responses(400, 404, 413)}
_DESCRIPTION = """
Value at risk and expected shortfall by three methods over 1, 10 and 21 sessions, drawdown, volatility, beta,
contributions of the holdings, past crises, backtests, and stress.

The reverse stress is the most likely move of the holdings that loses `stress.loss` within `stress.sessions`: the
smallest in Mahalanobis distance, for returns with mean zero and the sample covariance. The factor stress is the loss
when all `stress.shocks` happen together, by the holdings' betas in one regression of daily returns on all factors.

Losses are positive fractions of wealth; with `amount` also money.
"""


@router.post(
    "/risk",
    summary="Risk of holdings or of a stored portfolio, with stress",
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
    from desk.portfolios.repository import load_portfolio
    from desk.portfolios.risk import assess

    dependencies = service.dependencies
    holdings = body.holdings
    if holdings is None:
        portfolio = await load_portfolio(dependencies.store, principal.owner, body.portfolio_id or "")
        holdings = stored_holdings(portfolio)
        if not holdings:
            reason = "the portfolio has units and no weights"
            raise InvalidInput("portfolio_id", body.portfolio_id, reason=reason, allowed="one with weights")
    report = await assess(dependencies.prices_of(principal.owner), holdings, body.money, body.stress)
    if format == "csv":
        headers = {"Content-Disposition": 'attachment; filename="risk.csv"'}
        return Response(as_figures_csv(report.figures), media_type="text/csv", headers=headers)
    return report
