"""A request as its prices complete it."""

import asyncio
from typing import TYPE_CHECKING, NamedTuple

from desk.base.code_version import code_version
from desk.base.errors import InvalidInput
from desk.market.bundled import cash_rates
from desk.market.prices import PriceSource
from desk.optimization.inputs.admission import admitted
from desk.optimization.request import OptimizationRequest
from desk.surrogates.schemas import Problem

if TYPE_CHECKING:
    from desk.market.prices import Prices


class Completed(NamedTuple):
    data: str
    """Digest of the prices."""
    request: OptimizationRequest
    prices: "Prices | None"
    """Those that were loaded, where only they could say whether they serve it."""


def no_file(request: OptimizationRequest) -> None:
    """Refuse a file of prices, which is none of a client's."""
    if request.prices_file is not None:
        reason = "files of the server are not read for a client"
        allowed = "the name of a data set in universe"
        raise InvalidInput("prices_file", request.prices_file, reason=reason, allowed=allowed)


async def completed(source: PriceSource, request: OptimizationRequest) -> Completed:
    """`UserError` for a request that its prices cannot serve; they are loaded only where nothing else can judge it."""
    facts = None if request.prices_file is not None else await source.facts(request.universe)
    found = None if facts is None else admitted(request, facts)
    if facts is not None and found is not None:
        return Completed(facts.digest, found, None)
    return await _checked(source, request)


async def problem_of(request: OptimizationRequest, data: str) -> Problem:
    """Of a request that its prices have completed."""
    rates = await asyncio.to_thread(cash_rates)
    return Problem.of(request, data=data, rates=rates.digest, code=code_version())


async def _checked(source: PriceSource, request: OptimizationRequest) -> Completed:
    from desk.optimization.evaluation import World
    from desk.optimization.inputs.market_data import build_market, load_prices
    from desk.optimization.inputs.splits import resolved
    from desk.optimization.judgement.sensitivity import check_scenarios
    from desk.optimization.limits import check_minimum_exposure

    prices = await load_prices(source, request)
    market = build_market(prices, request)
    request = resolved(request, assets=len(market.assets))
    world = World(market, request)
    check_scenarios(world)
    await asyncio.to_thread(check_minimum_exposure, world)
    return Completed(market.data_digest, request, prices)
