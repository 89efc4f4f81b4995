"""Portfolios."""

import hashlib
from typing import Annotated, Any, TypeAlias

from fastapi import APIRouter, Body, Header, Path, Query, Request, Response
from pydantic import Discriminator, Tag

from api.http.body_limits import limited_route
from api.http.dependencies import PrincipalDep, ServiceDep
from api.http.errors.problems import Problem, error_responses
from api.http.etags import UNCHANGED, IfNoneMatch, etag, expected_versions, is_known
from desk.base.camel_case import Camel
from desk.portfolios import repository as book
from desk.portfolios.schemas import Portfolio, PortfolioDraft, PortfolioPatch

router = APIRouter(tags=["portfolios"], route_class=limited_route(1_000_000))


class NewPortfolio(Camel):
    portfolio: PortfolioDraft


class PortfolioChange(Camel):
    portfolio: PortfolioPatch


def _form(body: Any) -> str:
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
    Discriminator(_form),
    Body(openapi_examples=_FORMS),  # pyright: ignore[reportArgumentType]
]
Patch: TypeAlias = Annotated[
    Annotated[PortfolioPatch, Tag("tagged-flat")] | Annotated[PortfolioChange, Tag("tagged-wrapped")],
    Discriminator(_form),
    Body(openapi_examples=_CHANGES),  # pyright: ignore[reportArgumentType]
]
PortfolioId: TypeAlias = Annotated[str, Path(pattern="^[A-Za-z0-9_-]{1,64}$", examples=["p-1f0c9c2be5b74d0d8f4a"])]
IfMatch: TypeAlias = Annotated[
    str | None, Header(description='Change only this version, such as `"3"`; `*`: whichever it is', examples=['"3"'])
]
After: TypeAlias = Annotated[
    str | None, Query(max_length=500, description="The cursor of the page before: its header `X-Next-Cursor`")
]

_ETAG = {"ETag": {"description": "The version that this is", "schema": {"type": "string", "examples": ['"3"']}}}
_NEXT = {
    "X-Next-Cursor": {"description": "`after` of the next page; absent on the last", "schema": {"type": "string"}},
    "Link": {"description": 'The next page as a link, `rel="next"`', "schema": {"type": "string"}},
}


def _answers(status: int, *failures: int, headers: dict[str, Any] | None = None) -> dict[int | str, dict[str, Any]]:
    return {status: {"headers": headers or _ETAG}, **error_responses(*failures)}


@router.post(
    "/portfolios",
    status_code=201,
    summary="Keep a portfolio",
    response_model=Portfolio,
    responses=_answers(201, 400, 413),
)
async def create(body: Draft, service: ServiceDep, principal: PrincipalDep, response: Response) -> Portfolio:
    draft = body.portfolio if isinstance(body, NewPortfolio) else body
    dependencies = service.dependencies
    made = await book.create_portfolio(dependencies.store, principal.owner, draft, now=dependencies.now())
    response.headers["Location"] = f"/api/portfolios/{made.id}"
    return _tagged(made, response)


@router.get(
    "/portfolios",
    summary="Your portfolios, the newest first",
    response_model=list[Portfolio],
    responses={**_answers(200, headers=_ETAG | _NEXT), **UNCHANGED},
)
async def listed(
    request: Request,
    service: ServiceDep,
    principal: PrincipalDep,
    response: Response,
    *,
    limit: Annotated[int, Query(ge=1, le=1000, description="The most on one page")] = 100,
    after: After = None,
    tag: Annotated[str | None, Query(max_length=40, description="Those with this tag only")] = None,
    deleted: Annotated[bool, Query(description="Those that were deleted and can be restored, instead")] = False,
    if_none_match: IfNoneMatch = None,
) -> Any:
    """A page with `tag` may hold fewer than `limit`; the last page is the one without `X-Next-Cursor`."""
    page = await book.list_portfolios(
        service.dependencies.store, principal.owner, limit=limit, after=after, tag=tag, deleted=deleted
    )
    shown = "".join(f"{portfolio.id} {portfolio.version}\n" for portfolio in page.portfolios) + str(page.after)
    headers = {"ETag": etag(hashlib.sha256(shown.encode()).hexdigest()[:32])}
    if page.after is not None:
        url = request.url.include_query_params(after=page.after)
        headers["X-Next-Cursor"] = page.after
        headers["Link"] = f'<{url.path}?{url.query}>; rel="next"'
    if is_known(if_none_match, headers["ETag"]):
        return Response(status_code=304, headers=headers)
    response.headers.update(headers)
    return page.portfolios


@router.get(
    "/portfolios/{portfolio_id}",
    summary="One portfolio",
    response_model=Portfolio,
    responses={**_answers(200, 404), **UNCHANGED},
)
async def read(
    portfolio_id: PortfolioId,
    service: ServiceDep,
    principal: PrincipalDep,
    response: Response,
    if_none_match: IfNoneMatch = None,
) -> Any:
    found = await book.load_portfolio(service.dependencies.store, principal.owner, portfolio_id)
    if is_known(if_none_match, etag(found.version)):
        return Response(status_code=304, headers={"ETag": etag(found.version)})
    return _tagged(found, response)


@router.put(
    "/portfolios/{portfolio_id}",
    summary="Change some fields of a portfolio",
    response_model=Portfolio,
    responses=_answers(200, 400, 404, 412, 413),
)
async def change(
    portfolio_id: PortfolioId,
    body: Patch,
    service: ServiceDep,
    principal: PrincipalDep,
    response: Response,
    if_match: IfMatch = None,
) -> Portfolio:
    """What is not named stays as it is. With `If-Match` nobody's change is overwritten unseen."""
    patch = body.portfolio if isinstance(body, PortfolioChange) else body
    dependencies, versions = service.dependencies, expected_versions(if_match)
    try:
        changed = await book.change_portfolio(
            dependencies.store, principal.owner, portfolio_id, patch, now=dependencies.now(), versions=versions
        )
    except book.VersionConflict as error:
        raise Problem(412, str(error)) from error
    return _tagged(changed, response)


@router.delete(
    "/portfolios/{portfolio_id}",
    status_code=204,
    summary="Delete a portfolio; it can be restored for 30 days",
    responses=_answers(204, 404, 412),
)
async def delete(
    portfolio_id: PortfolioId, service: ServiceDep, principal: PrincipalDep, if_match: IfMatch = None
) -> Response:
    dependencies, versions = service.dependencies, expected_versions(if_match)
    try:
        deleted = await book.delete_portfolio(
            dependencies.store, principal.owner, portfolio_id, now=dependencies.now(), versions=versions
        )
    except book.VersionConflict as error:
        raise Problem(412, str(error)) from error
    return Response(status_code=204, headers={"ETag": etag(deleted.version)})


@router.post(
    "/portfolios/{portfolio_id}/restore",
    summary="Bring a deleted portfolio back",
    response_model=Portfolio,
    responses=_answers(200, 404, 412),
)
async def restore(
    portfolio_id: PortfolioId,
    service: ServiceDep,
    principal: PrincipalDep,
    response: Response,
    if_match: IfMatch = None,
) -> Portfolio:
    """Within 30 days of its deletion; one that is not deleted stays as it is."""
    dependencies, versions = service.dependencies, expected_versions(if_match)
    try:
        restored = await book.restore_portfolio(
            dependencies.store, principal.owner, portfolio_id, now=dependencies.now(), versions=versions
        )
    except book.VersionConflict as error:
        raise Problem(412, str(error)) from error
    return _tagged(restored, response)


def _tagged(portfolio: Portfolio, response: Response) -> Portfolio:
    response.headers["ETag"] = etag(portfolio.version)
    return portfolio
