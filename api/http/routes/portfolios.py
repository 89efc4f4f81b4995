"""Stored portfolios."""

import hashlib
from datetime import date
from typing import Annotated, Any, TypeAlias

from fastapi import APIRouter, Body, Header, Path, Query, Request, Response
from pydantic import Discriminator, Tag, ValidationError

from api.http.body_limits import limited_route
from api.http.dependencies import CALCULATION_SLOT, AppStateDep, PrincipalDep
from api.http.errors.problems import Problem, error_responses
from api.http.etags import IfNoneMatch, etag, expected_versions, matches, not_modified
from api.http.response_headers import location_header, version_header
from desk.base.camel_case import Camel
from desk.base.errors import InvalidInput, reason_and_allowed
from desk.portfolios import repository
from desk.portfolios.schemas import Portfolio, PortfolioDraft, PortfolioPatch
from desk.tearsheets.schemas import MOST_OBSERVATIONS, TearsheetDocument, TearsheetRequest
from graphs.runs.tearsheets import make_owned_tearsheet

router = APIRouter(tags=["portfolios"], route_class=limited_route(1_000_000))


class NewPortfolio(Camel):
    portfolio: PortfolioDraft


class PortfolioChange(Camel):
    portfolio: PortfolioPatch


def _body_form(body: Any) -> str:
    wrapped = isinstance(body, NewPortfolio | PortfolioChange) or (isinstance(body, dict) and "portfolio" in body)
    return "tagged-wrapped" if wrapped else "tagged-flat"


_FORMS = {
    "flat": {"summary": "Flat", "value": {"name": "Balanced", "assets": {"SPY": 0.6, "AGG": 0.3, "GLD": 0.1}}},
    "wrapped": {"summary": "Wrapped", "value": {"portfolio": {"name": "Balanced", "assets": {"SPY": 0.6, "AGG": 0.4}}}},
    "units": {
        "summary": "Units and cash",
        "value": {"name": "Account", "holdings": {"AAPL": 120, "MSFT": 35.5}, "cash": {"amount": 2500.0}},
    },
    "normalize": {
        "summary": "Normalized",
        "value": {"name": "60/40", "assets": {"SPY": 60, "AGG": 40}, "normalize": True},
    },
}
_CHANGES = {
    "name": {"summary": "One field", "value": {"name": "Updated Tech Portfolio"}},
    "wrapped": {"summary": "Wrapped", "value": {"portfolio": {"assets": {"AAPL": 0.5, "MSFT": 0.5}}}},
}
Draft: TypeAlias = Annotated[
    Annotated[PortfolioDraft, Tag("tagged-flat")] | Annotated[NewPortfolio, Tag("tagged-wrapped")],
    Discriminator(_body_form),
    Body(openapi_examples=_FORMS),  # pyright: ignore[reportArgumentType]
]
Patch: TypeAlias = Annotated[
    Annotated[PortfolioPatch, Tag("tagged-flat")] | Annotated[PortfolioChange, Tag("tagged-wrapped")],
    Discriminator(_body_form),
    Body(openapi_examples=_CHANGES),  # pyright: ignore[reportArgumentType]
]
PortfolioId: TypeAlias = Annotated[
    str, Path(pattern="^[A-Za-z0-9_-]{1,64}$", description="The id of a portfolio", examples=["p-1f0c9c2be5b74d0d8f4a"])
]
IfMatch: TypeAlias = Annotated[
    str | None, Header(description='Change only this version, such as `"3"`; `*` for any version', examples=['"3"'])
]
After: TypeAlias = Annotated[
    str | None, Query(max_length=500, description="The cursor of the previous page: its header `X-Next-Cursor`")
]

_ETAG = version_header("The version of the portfolio")
_NEXT = {
    "X-Next-Cursor": {"description": "`after` of the next page; absent on the last", "schema": {"type": "string"}},
    "Link": {"description": 'The next page as a link, `rel="next"`', "schema": {"type": "string"}},
}


def _answers(status: int, *failures: int, headers: dict[str, Any] | None = None) -> dict[int | str, dict[str, Any]]:
    return {status: {"headers": headers or _ETAG}, **error_responses(*failures)}


@router.post(
    "/portfolios",
    status_code=201,
    summary="Create a portfolio",
    response_model=Portfolio,
    responses=_answers(201, 400, 413, headers=_ETAG | location_header("portfolio")),
)
async def create_portfolio(body: Draft, service: AppStateDep, principal: PrincipalDep, response: Response) -> Portfolio:
    """Weights sum to 1, or are divided by their sum with `normalize`."""
    draft = body.portfolio if isinstance(body, NewPortfolio) else body
    dependencies = service.dependencies
    portfolio = await repository.create_portfolio(dependencies.store, principal.owner, draft, now=dependencies.now())
    response.headers["Location"] = f"/api/portfolios/{portfolio.id}"
    return _with_etag(portfolio, response)


@router.get(
    "/portfolios",
    summary="Your portfolios, the newest first",
    response_model=list[Portfolio],
    responses={**_answers(200, headers=_ETAG | _NEXT), **not_modified(_NEXT)},
)
async def list_portfolios(
    request: Request,
    service: AppStateDep,
    principal: PrincipalDep,
    response: Response,
    *,
    limit: Annotated[int, Query(ge=1, le=1000, description="Maximum number of items per page")] = 100,
    after: After = None,
    tag: Annotated[str | None, Query(max_length=40, description="Portfolios with this tag only")] = None,
    deleted: Annotated[bool, Query(description="Deleted portfolios that can be restored, instead")] = False,
    if_none_match: IfNoneMatch = None,
) -> Any:
    """A page with `tag` may hold fewer than `limit`; the last page is the one without `X-Next-Cursor`."""
    page = await repository.list_portfolios(
        service.dependencies.store, principal.owner, limit=limit, after=after, tag=tag, deleted=deleted
    )
    versions = "".join(f"{portfolio.id} {portfolio.version}\n" for portfolio in page.portfolios) + str(page.after)
    headers = {"ETag": etag(hashlib.sha256(versions.encode()).hexdigest()[:32])}
    if page.after is not None:
        url = request.url.include_query_params(after=page.after)
        headers["X-Next-Cursor"] = page.after
        headers["Link"] = f'<{url.path}?{url.query}>; rel="next"'
    if matches(if_none_match, headers["ETag"]):
        return Response(status_code=304, headers=headers)
    response.headers.update(headers)
    return page.portfolios


@router.get(
    "/portfolios/{portfolio_id}",
    summary="One portfolio",
    response_model=Portfolio,
    responses={**_answers(200, 404), **not_modified()},
)
async def get_portfolio(
    portfolio_id: PortfolioId,
    service: AppStateDep,
    principal: PrincipalDep,
    response: Response,
    if_none_match: IfNoneMatch = None,
) -> Any:
    """The ETag is its version. A deleted portfolio returns 410 for 30 days, then 404."""
    portfolio = await repository.load_portfolio(service.dependencies.store, principal.owner, portfolio_id)
    if matches(if_none_match, etag(portfolio.version)):
        return Response(status_code=304, headers={"ETag": etag(portfolio.version)})
    return _with_etag(portfolio, response)


@router.put(
    "/portfolios/{portfolio_id}",
    summary="Change some fields of a portfolio",
    response_model=Portfolio,
    responses=_answers(200, 400, 404, 412, 413),
)
async def update_portfolio(
    portfolio_id: PortfolioId,
    body: Patch,
    service: AppStateDep,
    principal: PrincipalDep,
    response: Response,
    if_match: IfMatch = None,
) -> Portfolio:
    """Fields that are not given do not change. `If-Match` prevents overwriting a concurrent change."""
    patch = body.portfolio if isinstance(body, PortfolioChange) else body
    dependencies, versions = service.dependencies, expected_versions(if_match)
    try:
        portfolio = await repository.change_portfolio(
            dependencies.store, principal.owner, portfolio_id, patch, now=dependencies.now(), versions=versions
        )
    except repository.VersionConflict as error:
        raise Problem(412, str(error)) from error
    return _with_etag(portfolio, response)


@router.delete(
    "/portfolios/{portfolio_id}",
    status_code=204,
    summary="Delete a portfolio; it can be restored for 30 days",
    responses=_answers(204, 404, 412),
)
async def delete_portfolio(
    portfolio_id: PortfolioId, service: AppStateDep, principal: PrincipalDep, if_match: IfMatch = None
) -> Response:
    """It can be restored for 30 days."""
    dependencies, versions = service.dependencies, expected_versions(if_match)
    try:
        portfolio = await repository.delete_portfolio(
            dependencies.store, principal.owner, portfolio_id, now=dependencies.now(), versions=versions
        )
    except repository.VersionConflict as error:
        raise Problem(412, str(error)) from error
    return Response(status_code=204, headers={"ETag": etag(portfolio.version)})


@router.get(
    "/portfolios/{portfolio_id}/performance",
    summary="The performance of a portfolio over time",
    response_description="Statistics with unit and definition, drawdowns, calendar, crises, distribution and series",
    dependencies=[CALCULATION_SLOT],
    responses=error_responses(404),
)
async def get_portfolio_performance(
    portfolio_id: PortfolioId,
    service: AppStateDep,
    principal: PrincipalDep,
    *,
    benchmark: Annotated[
        str | None,
        Query(
            min_length=1,
            max_length=120,
            description="An asset, or none; by default sp500 where it covers the days",
            examples=["sp500"],
        ),
    ] = None,
    first_day: Annotated[date | None, Query(description="First day to use", examples=["2010-01-04"])] = None,
    last_day: Annotated[date | None, Query(description="Last day to use", examples=["2014-12-31"])] = None,
    window: Annotated[
        int | None, Query(ge=2, le=MOST_OBSERVATIONS, description="Periods of the rolling statistics", examples=[126])
    ] = None,
) -> TearsheetDocument:
    """The tear sheet of the stored portfolio: weights are restored every day, units are held. Locked days are left out.

    POST /api/tearsheets has more options, and returns files.
    """
    try:
        request = TearsheetRequest(
            portfolio=portfolio_id, benchmark=benchmark, first_day=first_day, last_day=last_day, window=window
        )
    except ValidationError as error:
        reason, allowed = reason_and_allowed(error.errors(include_url=False)[0]["msg"])
        raise InvalidInput("query.first_day", first_day, reason=reason, allowed=allowed) from error
    return await make_owned_tearsheet(service.dependencies, principal.owner, request)


@router.post(
    "/portfolios/{portfolio_id}/restore",
    summary="Restore a deleted portfolio",
    response_model=Portfolio,
    responses=_answers(200, 404, 412),
)
async def restore_portfolio(
    portfolio_id: PortfolioId,
    service: AppStateDep,
    principal: PrincipalDep,
    response: Response,
    if_match: IfMatch = None,
) -> Portfolio:
    """Within 30 days of its deletion; a portfolio that is not deleted does not change."""
    dependencies, versions = service.dependencies, expected_versions(if_match)
    try:
        portfolio = await repository.restore_portfolio(
            dependencies.store, principal.owner, portfolio_id, now=dependencies.now(), versions=versions
        )
    except repository.VersionConflict as error:
        raise Problem(412, str(error)) from error
    return _with_etag(portfolio, response)


def _with_etag(portfolio: Portfolio, response: Response) -> Portfolio:
    response.headers["ETag"] = etag(portfolio.version)
    return portfolio
