"""Completes a request with facts of its prices, and builds the surrogate's problem from it."""

import asyncio
from typing import TYPE_CHECKING, NamedTuple

from desk.base.code_version import code_version
from desk.base.errors import InvalidInput
from desk.market.prices import PriceSource
from desk.optimization.inputs.admission import complete_request
from desk.optimization.request import CASH, OptimizationRequest
from desk.surrogates.schemas import Problem

if TYPE_CHECKING:
    from desk.market.prices import Prices


class CompletedRequest(NamedTuple):
    data: str
    """Digest of the prices, and of volatilities that do not come from them."""
    closes: str
    """Digest of the closes alone."""
    request: OptimizationRequest
    prices: "Prices | None"
    """The loaded prices; None where facts about them were enough to check the request."""


def reject_prices_file(request: OptimizationRequest) -> None:
    """Reject a prices file, because a client cannot name files of the server."""
    if request.prices_file is not None:
        reason = "clients cannot read files of the server"
        allowed = "the name of a data set in universe"
        raise InvalidInput("prices_file", request.prices_file, reason=reason, allowed=allowed)


async def complete(source: PriceSource, request: OptimizationRequest) -> CompletedRequest:
    """Raises `UserError` for a request that its prices cannot serve; loads them only if their facts are not enough."""
    alone = request.prices_file is None and request.safe == CASH  # a safe leg leaves out sessions that it lacks
    facts = await source.facts(request.universe) if alone else None
    admitted_request = None if facts is None else complete_request(request, facts)
    if facts is not None and admitted_request is not None:
        return CompletedRequest(facts.digest, facts.digest, admitted_request, None)
    return await _complete_with_prices(source, request)


async def problem_of(request: OptimizationRequest, data: str) -> Problem:
    """The problem of a completed request."""
    from desk.optimization.inputs.cash import rates_digest  # numpy

    return Problem.of(request, data=data, rates=await asyncio.to_thread(rates_digest, request), code=code_version())


async def _complete_with_prices(source: PriceSource, request: OptimizationRequest) -> CompletedRequest:
    from desk.optimization.evaluation import World
    from desk.optimization.inputs.market_data import build_market, load_prices
    from desk.optimization.inputs.splits import resolve_mixes
    from desk.optimization.judgement.sensitivity import check_scenarios
    from desk.optimization.limits import check_minimum_exposure

    prices = await load_prices(source, request)
    market = build_market(prices, request)
    request = resolve_mixes(request, assets=len(market.assets))
    world = World(market, request)
    check_scenarios(world)
    await asyncio.to_thread(check_minimum_exposure, world)
    return CompletedRequest(market.data_digest, market.prices_digest, request, prices)
