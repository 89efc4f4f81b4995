"""Detailed evaluation of one configuration: series, current weight and caution messages."""

import asyncio
from typing import Any

import numpy as np

from desk.base.errors import InvalidInput
from desk.market.prices import PriceSource
from desk.optimization.caution_messages import CAUTIONS
from desk.scenarios.repository import ScenarioCatalog, find_scenario, load_catalog
from desk.strategies.evaluation import EvaluationRun, count, run_evaluation
from desk.strategies.evaluation_schemas import (
    EVERY_FIELD,
    MAX_PATH_YEARS,
    CautionMessage,
    DetailedEvaluation,
    EvaluationField,
    EvaluationRequest,
    Lines,
    SelectedEvaluation,
    Subject,
    Today,
)
from desk.strategies.templates import Rule
from quant.performance.growth import drawdowns
from quant.worlds.regimes import weighted_volatility
from quant.worlds.scenario import Scenario
from store.store import Store


async def evaluate_in_detail(
    store: Store,
    prices: PriceSource,
    owner: str,
    request: EvaluationRequest,
    fields: frozenset[EvaluationField] = EVERY_FIELD,
) -> bytes:
    """A `DetailedEvaluation` as JSON, with these fields alone; with the owner's scenarios.

    The configuration is counted in the owner's ledger.
    """
    run = await _run(await load_catalog(store, owner), prices, request, fields)
    await count(store, owner, run)
    return await asyncio.to_thread(_to_json, run, request.points, fields)


async def evaluate_with_catalog(
    book: ScenarioCatalog, prices: PriceSource, request: EvaluationRequest
) -> DetailedEvaluation:
    """Evaluate with the scenarios of `book`; nothing is counted in a ledger."""
    run = await _run(book, prices, request, EVERY_FIELD)
    return DetailedEvaluation(**await asyncio.to_thread(_content, run, request.points))


async def _run(
    book: ScenarioCatalog, prices: PriceSource, request: EvaluationRequest, fields: frozenset[EvaluationField]
) -> EvaluationRun:
    scenario = request.scenario
    if not isinstance(scenario, Scenario):
        scenario = find_scenario(book, scenario)
    if scenario.paths * scenario.years > MAX_PATH_YEARS:
        raise InvalidInput(
            "scenario",
            scenario.name,
            reason=f"{scenario.paths} paths of {scenario.years} years take too long at once",
            allowed=f"at most {MAX_PATH_YEARS} paths times years, or a job",
        )
    return await run_evaluation(
        prices,
        Rule(config=request.config, mandate=request.mandate),
        universe=request.universe,
        scenario=scenario,
        window=request.window,
        volatility_index=request.volatility_index,
        cash=request.cash,
        safe=request.safe,
        exchange_rate=request.exchange_rate,
        fields=fields,
    )


def _to_json(run: EvaluationRun, points: int, fields: frozenset[EvaluationField]) -> bytes:
    return SelectedEvaluation(**_content(run, points, fields)).model_dump_json(include={*fields}).encode()


def _content(run: EvaluationRun, points: int, fields: frozenset[EvaluationField] = EVERY_FIELD) -> dict[str, Any]:
    """The values of the fields; what is not selected is not computed."""
    cautions = tuple(CautionMessage(code=code, message=CAUTIONS[code]) for code in run.evaluation.warnings)
    content: dict[str, Any] = {name: getattr(run.evaluation, name) for name in type(run.evaluation).model_fields}
    if "lines" in fields:
        content["lines"] = _lines(run, points)
    if "today" in fields:
        content["today"] = _today(run)
    return content | {"cautions": cautions}


def _lines(run: EvaluationRun, points: int) -> Lines:
    world, part = run.world, run.part
    dates = world.market.dates[part]
    starts = np.unique(np.linspace(0, dates.size, min(points, dates.size) + 1).astype(np.int64))[:-1]
    ends = np.append(starts[1:], dates.size) - 1
    wealth: dict[Subject, tuple[float, ...]] = {}
    drawdown: dict[Subject, tuple[float, ...]] = {}
    for subject, record in zip(run.subjects, run.series, strict=True):
        total = world.total(record[0, part], part)
        wealth[subject] = tuple(map(float, np.cumprod(1.0 + total)[ends]))
        drawdown[subject] = tuple(map(float, np.maximum.reduceat(drawdowns(total), starts)))
    return Lines(
        dates=tuple(dates[ends].tolist()),
        wealth=wealth,
        drawdown=drawdown,
        weight=tuple(map(float, run.series[0, 1, part][ends])),
    )


def _today(run: EvaluationRun) -> Today:
    world, config = run.world, run.evaluation.rule.config
    following = world.market.dates.size
    weight = world.replay([config], end=following + 1).series[0, 1, following]
    latest = weighted_volatility(world.market.asset)[-1]
    return Today(as_of=world.market.dates[-1].item(), weight=float(weight), volatility=float(latest))
