"""One configuration at once: what it held and earned on the days before the holdout, and in one simulated world."""

import asyncio
import math
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from desk.base.errors import InvalidInput
from desk.figures import labels
from desk.figures.figures import Figure, Unit
from desk.figures.sheet import Sheet
from desk.market.prices import Prices, PriceSource
from desk.market.regimes import volatility
from desk.optimization.evaluation import World
from desk.optimization.inputs.market_data import build_market
from desk.optimization.judgement.benefit import BPS
from desk.optimization.judgement.finalists import variance
from desk.optimization.judgement.historical_record import seen
from desk.optimization.judgement.judge import matched_weight
from desk.optimization.request import OptimizationRequest
from desk.strategies.evaluation_schemas import (
    EVERY_DAY,
    Caution,
    CurvePoint,
    Held,
    QuickEvaluation,
    Subject,
    Window,
    YearlyReturn,
)
from desk.strategies.templates import Rule
from quant.numeric.elementary import exp
from quant.numeric.errors import DataError
from quant.numeric.measured import Measured
from quant.performance.growth import calendar_years
from quant.strategies.config import ON_HISTORY_ALONE, REBALANCING_DAYS, StrategyConfig
from quant.strategies.evaluation import Evaluation
from quant.strategies.family import FAMILY, Known
from quant.strategies.kernel import FIRST, HIGHEST, LOWEST, SECOND, TARGET
from quant.strategies.simulation import Simulation, evaluations
from quant.worlds.regimes import volatility_state
from quant.worlds.scenario import BUILT_IN, Scenario

Floats = NDArray[np.float64]

TOOL = "evaluate_strategy"
CURVE = (0.05, 0.08, 0.10, 0.12, 0.15, 0.18, 0.20, 0.25, 0.30, 0.40)
"""Volatilities at which the weight is shown."""
FEWEST_DAYS = 252
"""Sessions that figures a year are told of."""
_HALF = 0.05
"""Distance from one half within which a weight counts as one half."""
_LABEL: dict[Subject, str] = {
    "strategy": "the strategy",
    "same_volatility": "the volatility-matched constant weight",
    "sixty_forty_cash": 'the "mix of equity and cash", 60/40,',
    "equity": '"full investment"',
}
_ROWS: tuple[tuple[str, str, Unit], ...] = (
    ("geometric_return", "geometric yearly return, its growth,", "percent"),
    ("volatility", "yearly volatility", "percent"),
    ("sharpe", "Sharpe ratio", "ratio"),
    ("max_drawdown", "deepest fall", "percent"),
    ("average_weight", "average risky weight", "weight"),
    ("turnover", "yearly one-way turnover, as a share of wealth,", "percent"),
)


class Evaluated(NamedTuple):
    """With what it was computed on: series of each rule as `World.replay` gives them, and the rows that count."""

    found: QuickEvaluation
    world: World
    series: Floats
    part: slice


async def evaluate_strategy(
    prices: PriceSource, rule: Rule, *, universe: str = "sp500", scenario: Scenario = BUILT_IN[0]
) -> QuickEvaluation:
    """`rule` beside 60/40 in cash, full investment and the volatility-matched constant weight."""
    return (await evaluated(prices, rule, universe=universe, scenario=scenario)).found


async def evaluated(
    prices: PriceSource, rule: Rule, *, universe: str, scenario: Scenario, window: Window = EVERY_DAY
) -> Evaluated:
    """The same on those days of `window` that are not locked."""
    if rule.config.estimator in ON_HISTORY_ALONE:
        raise InvalidInput("estimator", rule.config.estimator, allowed="rolling, ewma, ewma_max, garch or downside")
    loaded = await prices.load(universe)
    inner = (rule.config.inner or "equal_weight") if len(loaded.assets) > 1 else None
    config = rule.config.model_copy(update={"inner": inner})
    request = OptimizationRequest(
        universe=universe,
        mandate=rule.mandate,
        scenarios=(scenario.model_copy(update={"probability": 1.0}),),
        current_rule=config,
    )
    return await asyncio.to_thread(_evaluate, loaded, request, window)


def _evaluate(loaded: Prices, request: OptimizationRequest, window: Window) -> Evaluated:
    world = World(build_market(loaded, request), request)
    rule = Rule(config=request.current_rule, mandate=request.mandate)
    config, (scenario,) = rule.config, request.scenarios
    constant = partial(world.constant, rebalancing=config.rebalancing)
    rules: dict[Subject, StrategyConfig] = {
        "strategy": config,
        "same_volatility": constant(matched_weight(world, config)),
        "sixty_forty_cash": constant(0.6),
        "equity": constant(1.0),
    }
    configs, part = tuple(rules.values()), _within(world, window)
    series = world.replay(configs).series
    try:
        simulated = world.simulate(configs, scenario, keep_paths=True, keep_drawdowns=False)
    except DataError as error:
        raise InvalidInput("scenario", scenario.engine, reason=str(error), allowed="another one") from error
    later = evaluations(simulated, [c.digest() for c in configs], scenario.name)
    held = tuple(
        Held(subject=subject, config=c, history=world.on_history(c, record, part), simulated=evaluation)
        for (subject, c), record, evaluation in zip(rules.items(), series, later, strict=True)
    )
    dates = world.market.dates[part]
    found = QuickEvaluation(
        rule=rule,
        name=labels.strategy_label(config),
        universe=world.request.universe,
        scenario=scenario.name,
        first_day=str(dates[0]),
        last_day=str(dates[-1]),
        held=held,
        curve=tuple(CurvePoint(volatility=v, weight=weight_at(world, config, v)) for v in _shown(config)),
        years=_years(world, series, part),
        warnings=tuple(_warnings(world, rule, part)),
        caveats=(_days_used(world, part), *world.market.caveats),
        figures=(),
    )
    figures = _figures(world, found, float(series[0, 1, part.stop - 1]), part, simulated)
    return Evaluated(found.model_copy(update={"figures": figures}), world, series, part)


def _within(world: World, window: Window) -> slice:
    whole = seen(world)
    dates = world.market.dates[whole]
    first = 0 if window.first_day is None else int(np.searchsorted(dates, np.datetime64(window.first_day, "D")))
    last = dates.size
    if window.last_day is not None:
        last = int(np.searchsorted(dates, np.datetime64(window.last_day, "D"), side="right"))
    if last - first < FEWEST_DAYS:
        shown = f"{window.first_day or dates[0]} to {window.last_day or dates[-1]}"
        raise InvalidInput(
            "window",
            shown,
            reason=f"{max(last - first, 0)} sessions lie within {shown}",
            allowed=f"at least {FEWEST_DAYS} within {dates[0]} to {dates[-1]}; the days after that are locked",
        )
    return slice(whole.start + first, whole.start + last)


def _days_used(world: World, part: slice) -> str:
    dates, locked = world.market.dates[part], world.market.dates[seen(world)][-1]
    after = "that" if dates[-1] == locked else str(locked)
    return f"Computed on {dates[0]} to {dates[-1]}; the days after {after} are locked."


def _shown(config: StrategyConfig) -> tuple[float, ...]:
    return CURVE if FAMILY[config.weight_function].volatility else CURVE[:1]


def weight_at(world: World, config: StrategyConfig, volatility: float) -> float:
    """Weight at the start of a path: calm, every trend up, no loss so far, the mandate's bounds kept."""
    (row,) = world.rules([config]).table
    family = FAMILY[config.weight_function]
    known = Known(
        volatility=volatility,
        signal=1.0 if family.signal == "trend" else 0.0,
        value=1.0,
        floor=float(row[FIRST]),
        peak=1.0,
        own=float(row[TARGET]),
        before=float(row[TARGET]) / volatility,
        target=float(row[TARGET]),
        highest=float(row[HIGHEST]),
        first=float(row[FIRST]),
        second=float(row[SECOND]),
        exp=exp,
    )
    return min(max(family.weigh(known), float(row[LOWEST])), float(row[HIGHEST]))


def _years(world: World, series: Floats, part: slice) -> tuple[YearlyReturn, ...]:
    dates = world.market.dates[part]
    strategy, _, sixty_forty, equity = (calendar_years(dates, world.total(s[0, part], part)) for s in series)
    return tuple(
        YearlyReturn(year=year, strategy=own, sixty_forty_cash=mixed, equity=full)
        for (year, own), (_, mixed), (_, full) in zip(strategy, sixty_forty, equity, strict=True)
    )


def _warnings(world: World, rule: Rule, part: slice) -> list[Caution]:
    config, mandate = rule.config, rule.mandate
    asset = world.market.asset[part]
    found: list[Caution] = []
    if FAMILY[config.weight_function].volatility:
        if abs(weight_at(world, config, mandate.target_volatility) - 0.5) < _HALF:
            found.append("half_at_target")
        if mandate.max_weight * volatility(asset) < mandate.target_volatility:
            found.append("target_unreachable")
    if config.lookback_days is not None and config.lookback_days < REBALANCING_DAYS[config.rebalancing]:
        found.append("lookback_below_rebalancing")
    if config.multiplier is not None and -config.multiplier * float(asset.min()) > 1.0:
        found.append("gap_beyond_floor")
    return found


def _figures(
    world: World, found: QuickEvaluation, weight: float, part: slice, simulated: Simulation
) -> tuple[Figure, ...]:
    sheet, mandate = Sheet(TOOL, "quick"), found.rule.mandate
    place = labels.plain_label(found.scenario)
    sheet.add("name", "the configuration that was evaluated", found.name, "text")
    sheet.add("universe", "prices that the configuration was evaluated on", world.market.source, "text")
    sheet.add("scenario", "scenario that the configuration was simulated in", place, "text")
    sheet.add("first_day", "first day used for the configuration", found.first_day, "date")
    sheet.add("last_day", "last day used for the configuration", found.last_day, "date")
    sheet.add("paths", "simulated paths of the configuration", simulated.paths, "count")
    sheet.add("target_volatility", "target volatility of the configuration", mandate.target_volatility, "percent")
    sheet.add("transaction_cost", "assumed cost of a trade", f"{mandate.transaction_cost_bps:g} bps", "text")
    for held in found.held:
        _say(sheet, held, "history", held.history, "on the days used")
        _say(sheet, held, "simulated", held.simulated, f'simulated in the scenario "{place}", mean over paths')
    _say_advantages(sheet, found, simulated, place)
    _say_weights(sheet, world, found, weight, part)
    _say_years(sheet, found.years)
    return sheet.figures


def _say(sheet: Sheet, held: Held, where: str, evaluation: Evaluation, words: str) -> None:
    of = f"of {_LABEL[held.subject]} {words}"
    for name, quantity, unit in _ROWS:
        value: Measured = getattr(evaluation.metrics, name)
        sheet.add(f"{held.subject}_{where}_{name}", f"{quantity} {of}", value, unit)
    cost = evaluation.metrics.cost
    error = None if cost.error is None else BPS * cost.error
    yearly = Measured(value=BPS * cost.value, error=error)
    sheet.add(f"{held.subject}_{where}_cost_bps", f"yearly costs {of}", yearly, "bps")


def _say_advantages(sheet: Sheet, found: QuickEvaluation, simulated: Simulation, place: str) -> None:
    """Utility of the configuration minus that of each other rule; paired on the same paths."""
    own = found.held[0]
    for k, held in enumerate(found.held[1:], 1):
        words = f"advantage of the strategy over {_LABEL[held.subject]}, by utility,"
        gap = BPS * (own.history.metrics.utility.value - held.history.metrics.utility.value)
        sheet.add(f"versus_{held.subject}_history_bps", f"{words} on the days used", gap, "bps")
        gaps = BPS * (simulated.utilities[0] - simulated.utilities[k])
        paired = Measured(value=math.fsum(gaps) / gaps.size, error=math.sqrt(variance(gaps) / gaps.size))
        sheet.add(f"versus_{held.subject}_simulated_bps", f'{words} simulated in the scenario "{place}"', paired, "bps")


def _say_years(sheet: Sheet, years: tuple[YearlyReturn, ...]) -> None:
    for row in years:
        for subject in ("strategy", "sixty_forty_cash", "equity"):
            quantity = f'return of {_LABEL[subject]} in the calendar year "{row.year}"'
            sheet.add(f"year_{row.year}_{subject}", quantity, getattr(row, subject), "percent")


def _say_weights(sheet: Sheet, world: World, found: QuickEvaluation, weight: float, part: slice) -> None:
    config, target = found.rule.config, found.rule.mandate.target_volatility
    matched = found.held[1].config.constant_weight
    sheet.add("matched_weight", f"risky weight of {_LABEL['same_volatility']}", matched, "weight")
    sheet.add(
        "last_weight",
        'risky weight of the strategy held "most recently"',
        weight,
        "weight",
    )
    latest = float(volatility_state(world.market.asset[: part.stop]).volatility[-1])
    sheet.add(
        "last_volatility",
        "yearly volatility of the risky asset in the weeks up to the last day used",
        latest,
        "percent",
    )
    if not FAMILY[config.weight_function].volatility:
        return
    at_target = weight_at(world, config, target)
    sheet.add(
        "weight_at_target",
        'risky weight of the strategy where volatility is "as high as its target"',
        at_target,
        "weight",
    )
    for n, point in enumerate(found.curve, 1):
        sheet.add(
            f"curve_{n}_volatility",
            f'a volatility of the risky asset, "place {n}" on the curve',
            point.volatility,
            "percent",
        )
        sheet.add(
            f"curve_{n}_weight", f'risky weight of the strategy at "place {n}" on the curve', point.weight, "weight"
        )
