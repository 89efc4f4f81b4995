"""One configuration in detail: its lines, its weight of today, and the warnings in words."""

import asyncio

import numpy as np

from desk.base.errors import InvalidInput
from desk.market.prices import PriceSource
from desk.scenarios.repository import ScenarioBook, named, scenario_book
from desk.strategies.evaluation import Evaluated, evaluated
from desk.strategies.evaluation_schemas import (
    MOST_PATH_YEARS,
    Caution,
    DetailedEvaluation,
    EvaluationRequest,
    Lines,
    Subject,
    Today,
    Warned,
)
from desk.strategies.templates import Rule
from quant.performance.growth import drawdowns
from quant.worlds.regimes import volatility_state
from quant.worlds.scenario import Scenario
from store.store import Store

CAUTIONS: dict[Caution, str] = {
    "half_at_target": "At the target volatility it holds about half of what it may; a higher midpoint would hold more.",
    "target_unreachable": "The target volatility is unreachable: even the largest weight leaves it below, on average.",
    "lookback_below_rebalancing": "It looks back over fewer days than lie between its trades and overlooks some.",
    "gap_beyond_floor": "A day as bad as the worst one of the days used would break through its floor.",
}


async def evaluate_in_detail(
    store: Store, prices: PriceSource, owner: str, request: EvaluationRequest
) -> DetailedEvaluation:
    return await evaluate_among(await scenario_book(store, owner), prices, request)


async def evaluate_among(book: ScenarioBook, prices: PriceSource, request: EvaluationRequest) -> DetailedEvaluation:
    """The same with the scenarios of `book`."""
    scenario = request.scenario
    if not isinstance(scenario, Scenario):
        scenario = named(book, scenario)
    if scenario.paths * scenario.years > MOST_PATH_YEARS:
        raise InvalidInput(
            "scenario",
            scenario.name,
            reason=f"{scenario.paths} paths of {scenario.years} years take too long at once",
            allowed=f"at most {MOST_PATH_YEARS} paths times years, or a job",
        )
    rule = Rule(config=request.config, mandate=request.mandate)
    made = await evaluated(prices, rule, universe=request.universe, scenario=scenario, window=request.window)
    return await asyncio.to_thread(_detailed, made, request.points)


def _detailed(made: Evaluated, points: int) -> DetailedEvaluation:
    content = {name: getattr(made.found, name) for name in type(made.found).model_fields}
    return DetailedEvaluation(
        **content,
        lines=_lines(made, points),
        today=_today(made),
        cautions=tuple(Warned(code=code, message=CAUTIONS[code]) for code in made.found.warnings),
    )


def _lines(made: Evaluated, points: int) -> Lines:
    world, part = made.world, made.part
    dates = world.market.dates[part]
    starts = np.unique(np.linspace(0, dates.size, min(points, dates.size) + 1).astype(np.int64))[:-1]
    ends = np.append(starts[1:], dates.size) - 1
    wealth: dict[Subject, tuple[float, ...]] = {}
    fallen: dict[Subject, tuple[float, ...]] = {}
    for held, record in zip(made.found.held, made.series, strict=True):
        total = world.total(record[0, part], part)
        wealth[held.subject] = tuple(map(float, np.cumprod(1.0 + total)[ends]))
        fallen[held.subject] = tuple(map(float, np.maximum.reduceat(drawdowns(total), starts)))
    return Lines(
        dates=tuple(dates[ends].tolist()),
        wealth=wealth,
        drawdown=fallen,
        weight=tuple(map(float, made.series[0, 1, part][ends])),
    )


def _today(made: Evaluated) -> Today:
    world, config = made.world, made.found.rule.config
    following = world.market.dates.size
    held = world.replay([config], end=following + 1).series[0, 1, following]
    latest = volatility_state(world.market.asset).volatility[-1]
    return Today(as_of=world.market.dates[-1].item(), weight=float(held), volatility=float(latest))
