"""Sample paths of a scenario for a picture, with the moments of many paths beside what the scenario states."""

import asyncio

import numpy as np

from desk.base.errors import InvalidInput, reason_and_allowed
from desk.market.prices import Prices, PriceSource
from desk.optimization.evaluation import World
from desk.optimization.inputs.market_data import build_market, load_prices
from desk.optimization.request import OptimizationRequest
from desk.optimization.scenario_checks import check_scenario
from desk.scenarios.repository import ScenarioCatalog, find_scenario
from desk.strategies.scenario_preview_schemas import (
    PERCENTILES,
    ScenarioPreview,
    ScenarioPreviewRequest,
    check_size,
)
from quant.numeric.arrays import Floats
from quant.numeric.errors import DataError
from quant.numeric.random_numbers import LANES
from quant.worlds.paths import PathModel, sample_paths
from quant.worlds.scenario import Scenario


async def preview_scenario(
    catalog: ScenarioCatalog, prices: PriceSource, request: ScenarioPreviewRequest
) -> ScenarioPreview:
    """Simulate a scenario of `catalog`, or one that is not stored, on the training days of the universe."""
    scenario = request.scenario
    if not isinstance(scenario, Scenario):
        scenario = find_scenario(catalog, scenario)
        try:
            check_size(request.paths, scenario)
        except ValueError as error:
            reason, allowed = reason_and_allowed(str(error))
            raise InvalidInput("paths", request.paths, reason=reason, allowed=allowed) from error
    drawn = scenario.model_copy(update={"paths": request.paths, "probability": 1.0})
    wanted = OptimizationRequest(universe=request.universe, scenarios=(drawn,))
    loaded = await load_prices(prices, wanted)
    return await asyncio.to_thread(_simulate, loaded, wanted, request, scenario)


def _simulate(
    prices: Prices, wanted: OptimizationRequest, request: ScenarioPreviewRequest, stated: Scenario
) -> ScenarioPreview:
    world = World(build_market(prices, wanted), wanted)
    (scenario,) = world.request.scenarios
    try:
        model = world.model(scenario)
        check = check_scenario(scenario, model)
    except DataError as error:
        reason, allowed = reason_and_allowed(str(error))
        raise InvalidInput("scenario", scenario.name, reason=reason, allowed=allowed or "another scenario") from error
    sessions = np.unique(np.linspace(0, world.days, min(request.points, world.days + 1)).astype(np.int64))
    wealth = _wealth(model, request.paths, world.days, sessions)
    train = world.market.dates[: world.market.train.stop]
    own = {"paths": stated.paths, "probability": stated.probability}
    return ScenarioPreview(
        scenario=scenario.model_copy(update=own),
        first_day=train[0].item(),
        last_day=train[-1].item(),
        simulated=request.paths,
        sessions=tuple(sessions.tolist()),
        paths=tuple(tuple(map(float, path)) for path in wealth.T[: request.shown]),
        bands={
            f"p{percentile}": tuple(map(float, row))
            for percentile, row in zip(PERCENTILES, np.percentile(wealth, PERCENTILES, axis=1), strict=True)
        },
        moments=check.moments,
        drawdowns=check.drawdowns,
    )


def _wealth(model: PathModel, paths: int, days: int, sessions: "np.ndarray[tuple[int], np.dtype[np.int64]]") -> Floats:
    """Wealth from 1 at the sessions, shape (sessions, paths); block after block, so that memory stays small."""
    blocks = -(-paths // LANES)
    wealth = np.empty((sessions.size, blocks * LANES))
    for block in range(blocks):
        growth = np.cumprod(1.0 + sample_paths(model, days=days, first_block=block), axis=0)
        wealth[:, block * LANES : (block + 1) * LANES] = np.vstack([np.ones(LANES), growth])[sessions]
    return wealth[:, :paths]
