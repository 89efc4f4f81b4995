"""Immediate evaluation of one configuration: on history before the holdout, and in one scenario."""

import asyncio
import math
from functools import partial
from typing import Literal, NamedTuple

import numpy as np

from desk.base.errors import InvalidInput
from desk.base.text import spaced
from desk.figures import labels
from desk.figures.figures import Figure
from desk.figures.metric_figures import metric_figures
from desk.figures.sheet import Sheet
from desk.market.prices import Prices, PriceSource
from desk.optimization.evaluation import World
from desk.optimization.inputs.market_data import build_market, load_prices
from desk.optimization.inputs.volatilities import external_volatilities
from desk.optimization.judgement.cautions import find_cautions, weight_at_volatility
from desk.optimization.judgement.finalists import variance
from desk.optimization.judgement.historical_record import unlocked_days
from desk.optimization.judgement.judge import matched_weight
from desk.optimization.repositories.ledger import count_evaluation
from desk.optimization.request import BUNDLED_CASH, CASH, OptimizationRequest
from desk.optimization.worlds import BASIS
from desk.strategies.evaluation_schemas import (
    EVERY_DAY,
    EVERY_FIELD,
    CurvePoint,
    EvaluationField,
    QuickEvaluation,
    RuleEvaluation,
    Subject,
    Window,
    YearlyReturn,
)
from desk.strategies.templates import Rule
from quant.numeric.arrays import Floats
from quant.numeric.errors import DataError
from quant.numeric.measured import Measured
from quant.numeric.units import BASIS_POINTS, DAYS
from quant.performance.growth import calendar_years
from quant.strategies.choices import ESTIMATORS
from quant.strategies.config import StrategyConfig
from quant.strategies.evaluation import Evaluation
from quant.strategies.family import FAMILY
from quant.strategies.simulation import Simulation
from quant.worlds.paths import implied_moments
from quant.worlds.regimes import weighted_volatility
from quant.worlds.scenario import BUILT_IN, Scenario
from store.store import Store

TOOL = "evaluate_strategy"
CURVE = (0.05, 0.08, 0.10, 0.12, 0.15, 0.18, 0.20, 0.25, 0.30, 0.40)
"""Volatilities at which the weight is evaluated."""
_OF_METRICS: frozenset[EvaluationField] = frozenset({"held", "figures"})
"""Fields that show metrics, on history and of simulated paths."""
_OF_YEARS: frozenset[EvaluationField] = frozenset({"years", "figures"})
"""Fields that show calendar years."""
MIN_DAYS = DAYS
"""Minimum sessions for yearly figures."""
_LABEL: dict[Subject, str] = {
    "strategy": "the strategy",
    "same_volatility": "the volatility-matched constant weight",
    "sixty_forty_cash": 'the "mix of equity and cash", 60/40,',
    "sixty_forty": 'the "mix of equity and bond", 60/40,',
    "equity": '"full investment"',
}


class EvaluationRun(NamedTuple):
    """An evaluation with its inputs: the series of each rule (see `World.replay`) and the evaluated days."""

    evaluation: QuickEvaluation
    world: World
    series: Floats
    part: slice

    @property
    def subjects(self) -> tuple[Subject, ...]:
        """The rules of the series, in their order."""
        return _subjects(self.world)


async def evaluate_strategy(
    store: Store, owner: str, prices: PriceSource, rule: Rule, *, universe: str
) -> QuickEvaluation:
    """Evaluate `rule` as `run_evaluation` does, and count it in the ledger of the owner."""
    run = await run_evaluation(prices, rule, universe=universe)
    await count(store, owner, run)
    return run.evaluation


async def count(store: Store, scope: str, run: EvaluationRun) -> None:
    """Count an evaluated configuration in the ledger, before anybody sees the evaluation."""
    rule, market = run.evaluation.rule, run.world.market
    series = np.ascontiguousarray(run.series[0, :2, unlocked_days(run.world)])
    await count_evaluation(store, scope, market.prices_digest, rule.mandate, rule.config, series)


async def run_evaluation(
    prices: PriceSource,
    rule: Rule,
    *,
    universe: str = "sp500",
    scenario: Scenario = BUILT_IN[0],
    window: Window = EVERY_DAY,
    volatility_index: str | None = None,
    cash: str = BUNDLED_CASH,
    safe: str = CASH,
    exchange_rate: str | None = None,
    fields: frozenset[EvaluationField] = EVERY_FIELD,
) -> EvaluationRun:
    """Evaluate `rule` beside 60/40, full investment and the volatility-matched constant weight.

    What no field of `fields` needs is not computed: without `held` and `figures` nothing is simulated, and `held` is
    empty. Only days of `window` that are not locked are evaluated. Nothing is counted in a ledger.
    """
    wanted = OptimizationRequest(
        universe=universe,
        current_rule=rule.config,
        volatility_index=volatility_index,
        cash=cash,
        safe=safe,
        exchange_rate=exchange_rate,
    )
    loaded_prices = await load_prices(prices, wanted)
    external_volatilities(loaded_prices, rule.config, field="config.estimator")
    inner = (rule.config.inner or "equal_weight") if len(loaded_prices.assets) > 1 else None
    config = rule.config.model_copy(update={"inner": inner})
    request = OptimizationRequest(
        universe=universe,
        mandate=rule.mandate,
        scenarios=(scenario.model_copy(update={"probability": 1.0}),),
        current_rule=config,
        cash=cash,
        safe=safe,
        exchange_rate=exchange_rate,
    )
    return await asyncio.to_thread(_evaluate, loaded_prices, request, window, fields)


def _evaluate(
    prices: Prices, request: OptimizationRequest, window: Window, fields: frozenset[EvaluationField]
) -> EvaluationRun:
    world = World(build_market(prices, request), request)
    rule = Rule(config=request.current_rule, mandate=request.mandate)
    config, (scenario,) = rule.config, world.request.scenarios
    constant = partial(world.constant, rebalancing=config.rebalancing)
    configs = (config, constant(matched_weight(world, config)), constant(0.6), constant(1.0))
    part = _days_in_window(world, window)
    series = world.replay(configs).series
    has_metrics = not fields.isdisjoint(_OF_METRICS)
    simulated = _simulate(world, configs, scenario) if has_metrics and ESTIMATORS[config.estimator].simulated else None
    simulated_evaluations = (
        [None] * len(configs) if simulated is None else world.evaluations(configs, simulated, scenario)
    )
    rule_evaluations = tuple(
        RuleEvaluation(subject=subject, config=c, history=world.on_history(c, record, part), simulated=evaluation)
        for subject, c, record, evaluation in zip(_subjects(world), configs, series, simulated_evaluations, strict=True)
        if has_metrics
    )
    dates = world.market.dates[part]
    quick_evaluation = QuickEvaluation(
        rule=rule,
        name=labels.strategy_label(config),
        universe=world.request.universe,
        safe=CASH if world.market.bond is None else world.market.bond.name,
        scenario=scenario.name,
        first_day=str(dates[0]),
        last_day=str(dates[-1]),
        held=rule_evaluations,
        curve=tuple(
            CurvePoint(volatility=v, weight=weight_at_volatility(world, config, v)) for v in _curve_volatilities(config)
        ),
        years=() if fields.isdisjoint(_OF_YEARS) else _years(world, series, part),
        warnings=find_cautions(world, config, part, series[0, 1, part]),
        caveats=(_days_used(world, part), *_unsimulated(config), *world.market.caveats),
        figures=(),
    )
    if "figures" not in fields:
        return EvaluationRun(quick_evaluation, world, series, part)
    figures = _figures(world, quick_evaluation, float(series[0, 1, part.stop - 1]), part, simulated)
    return EvaluationRun(quick_evaluation.model_copy(update={"figures": figures}), world, series, part)


def _subjects(world: World) -> tuple[Subject, ...]:
    return ("strategy", "same_volatility", _mix(world), "equity")


def _mix(world: World) -> Literal["sixty_forty_cash", "sixty_forty"]:
    return "sixty_forty_cash" if world.market.bond is None else "sixty_forty"


def _simulate(world: World, configs: tuple[StrategyConfig, ...], scenario: Scenario) -> Simulation:
    try:
        return world.simulate(world.with_references(configs), scenario, keep_paths=True, keep_drawdowns=False)
    except DataError as error:
        raise InvalidInput("scenario", scenario.engine, reason=str(error), allowed="another one") from error


def _days_in_window(world: World, window: Window) -> slice:
    whole = unlocked_days(world)
    dates = world.market.dates[whole]
    first = 0 if window.first_day is None else int(np.searchsorted(dates, np.datetime64(window.first_day, "D")))
    last = dates.size
    if window.last_day is not None:
        last = int(np.searchsorted(dates, np.datetime64(window.last_day, "D"), side="right"))
    if last - first < MIN_DAYS:
        requested_days = f"{window.first_day or dates[0]} to {window.last_day or dates[-1]}"
        raise InvalidInput(
            "window",
            requested_days,
            reason=f"{max(last - first, 0)} sessions lie within {requested_days}",
            allowed=f"at least {MIN_DAYS} within {dates[0]} to {dates[-1]}; the days after that are locked",
        )
    return slice(whole.start + first, whole.start + last)


def _days_used(world: World, part: slice) -> str:
    dates, locked = world.market.dates[part], world.market.dates[unlocked_days(world)][-1]
    after = "that" if dates[-1] == locked else str(locked)
    return f"Computed on {dates[0]} to {dates[-1]}; the days after {after} are locked."


def _unsimulated(config: StrategyConfig) -> tuple[str, ...]:
    if ESTIMATORS[config.estimator].simulated:
        return ()
    return (f"The estimator {config.estimator} works on history only: nothing is simulated.",)


def _curve_volatilities(config: StrategyConfig) -> tuple[float, ...]:
    return CURVE if FAMILY[config.weight_function].volatility else CURVE[:1]


def _years(world: World, series: Floats, part: slice) -> tuple[YearlyReturn, ...]:
    dates = world.market.dates[part]
    strategy, _, sixty_forty, equity = (calendar_years(dates, world.total(s[0, part], part)) for s in series)
    return tuple(
        YearlyReturn.model_validate({"year": year, "strategy": own, _mix(world): mixed, "equity": full})
        for (year, own), (_, mixed), (_, full) in zip(strategy, sixty_forty, equity, strict=True)
    )


def _figures(
    world: World, quick_evaluation: QuickEvaluation, weight: float, part: slice, simulated: Simulation | None
) -> tuple[Figure, ...]:
    sheet, mandate = Sheet(TOOL, "quick"), quick_evaluation.rule.mandate
    place = spaced(quick_evaluation.scenario)
    sheet.add("name", "the configuration that was evaluated", quick_evaluation.name, "text")
    sheet.add("universe", "prices that the configuration was evaluated on", world.market.source, "text")
    if quick_evaluation.safe != CASH:
        sheet.add("safe_leg", "bond that was held beside the risky asset", quick_evaluation.safe, "text")
    if simulated is not None:
        sheet.add("scenario", "scenario that the configuration was simulated in", place, "text")
        _add_world(sheet, world.request, place)
    sheet.add("first_day", "first day used for the configuration", quick_evaluation.first_day, "date")
    sheet.add("last_day", "last day used for the configuration", quick_evaluation.last_day, "date")
    if simulated is not None:
        sheet.add("paths", "simulated paths of the configuration", simulated.paths, "count")
    sheet.add("target_volatility", "target volatility of the configuration", mandate.target_volatility, "percent")
    sheet.add("transaction_cost", "assumed cost of a trade", f"{mandate.transaction_cost_bps:g} bps", "text")
    for rule_evaluation in quick_evaluation.held:
        _add_metrics(sheet, rule_evaluation, "history", rule_evaluation.history, "on the days used")
        if rule_evaluation.simulated is not None:
            words = f'simulated in the scenario "{place}", mean over paths'
            _add_metrics(sheet, rule_evaluation, "simulated", rule_evaluation.simulated, words)
    _add_advantages(sheet, quick_evaluation, simulated, place)
    _add_weights(sheet, world, quick_evaluation, weight, part)
    _add_years(sheet, quick_evaluation.years, _mix(world))
    return sheet.figures


def _add_world(sheet: Sheet, request: OptimizationRequest, place: str) -> None:
    """Add the mean and volatility of the only scenario, which follow the data if they are built-in numbers."""
    mean, volatility = implied_moments(request.scenarios[0])
    sheet.add("scenario_mean", f'mean return of the asset that is simulated in "{place}"', mean, "percent")
    sheet.add("scenario_volatility", f'volatility of the asset that is simulated in "{place}"', volatility, "percent")
    basis = BASIS[request.worlds or "seed"]
    sheet.add("scenario_basis", "origin of the means and volatilities of built-in scenarios", basis, "text")


def _add_metrics(sheet: Sheet, rule_evaluation: RuleEvaluation, where: str, evaluation: Evaluation, words: str) -> None:
    of = f"of {_LABEL[rule_evaluation.subject]} {words}"
    for figure in metric_figures(evaluation.metrics, "evaluation"):
        name = f"{rule_evaluation.subject}_{where}_{figure.name}"
        sheet.add(name, f"{figure.quantity} {of}", figure.value, figure.unit)


def _add_advantages(sheet: Sheet, quick_evaluation: QuickEvaluation, simulated: Simulation | None, place: str) -> None:
    """Add the utility of the configuration minus that of each other rule, paired on the same paths."""
    own = quick_evaluation.held[0]
    for k, rule_evaluation in enumerate(quick_evaluation.held[1:], 1):
        words = f"advantage of the strategy over {_LABEL[rule_evaluation.subject]}, by utility,"
        gap = BASIS_POINTS * (own.history.metrics.utility.value - rule_evaluation.history.metrics.utility.value)
        sheet.add(f"versus_{rule_evaluation.subject}_history_bps", f"{words} on the days used", gap, "bps")
        if simulated is None:
            continue
        gaps = BASIS_POINTS * (simulated.utilities[0] - simulated.utilities[k])
        paired = Measured(value=math.fsum(gaps) / gaps.size, error=math.sqrt(variance(gaps) / gaps.size))
        sheet.add(
            f"versus_{rule_evaluation.subject}_simulated_bps",
            f'{words} simulated in the scenario "{place}"',
            paired,
            "bps",
        )


def _add_years(sheet: Sheet, years: tuple[YearlyReturn, ...], mix: Subject) -> None:
    for row in years:
        returns: dict[Subject, float] = {"strategy": row.strategy, mix: row.mixed, "equity": row.equity}
        for subject, value in returns.items():
            quantity = f'return of {_LABEL[subject]} in the calendar year "{row.year}"'
            sheet.add(f"year_{row.year}_{subject}", quantity, value, "percent")


def _add_weights(sheet: Sheet, world: World, quick_evaluation: QuickEvaluation, weight: float, part: slice) -> None:
    config, target = quick_evaluation.rule.config, quick_evaluation.rule.mandate.target_volatility
    matched = quick_evaluation.held[1].config.constant_weight
    sheet.add("matched_weight", f"risky weight of {_LABEL['same_volatility']}", matched, "weight")
    sheet.add(
        "last_weight",
        'risky weight of the strategy held "most recently"',
        weight,
        "weight",
    )
    latest = float(weighted_volatility(world.market.asset[: part.stop])[-1])
    sheet.add(
        "last_volatility",
        "yearly volatility of the risky asset in the weeks up to the last day used",
        latest,
        "percent",
    )
    if not FAMILY[config.weight_function].volatility:
        return
    at_target = weight_at_volatility(world, config, target)
    sheet.add(
        "weight_at_target",
        'risky weight of the strategy where volatility is "as high as its target"',
        at_target,
        "weight",
    )
    for n, point in enumerate(quick_evaluation.curve, 1):
        sheet.add(
            f"curve_{n}_volatility",
            f'a volatility of the risky asset, "place {n}" on the curve',
            point.volatility,
            "percent",
        )
        sheet.add(
            f"curve_{n}_weight", f'risky weight of the strategy at "place {n}" on the curve', point.weight, "weight"
        )
