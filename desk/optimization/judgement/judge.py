"""Judges finished trials: chooses the winner and computes the whole result, in code alone."""

import math
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np

from desk.base.code_version import code_version
from desk.optimization.answers import Decision, MarketView
from desk.optimization.caution_messages import CAUTIONS
from desk.optimization.evaluation import World, objectives
from desk.optimization.inputs.engine_parameters import describe_engines
from desk.optimization.inputs.safe_leg import describe_safe_leg
from desk.optimization.judgement.attribution import attribute_winner, next_step
from desk.optimization.judgement.benefit import history_error, measure_benefit, measure_timing, utility_difference
from desk.optimization.judgement.cautions import find_cautions
from desk.optimization.judgement.counts import search_sentences
from desk.optimization.judgement.finalists import (
    Choice,
    NoneFeasible,
    ScoreTable,
    choose_winner,
    judge_plateaus,
    score,
    table_objective,
    variance,
)
from desk.optimization.judgement.historical_record import crises, facts, unlocked_days, years
from desk.optimization.judgement.luck import Records, judge_luck
from desk.optimization.judgement.out_of_sample import judge_out_of_sample
from desk.optimization.judgement.plotted_trials import plot_trials
from desk.optimization.judgement.result_figures import result_figures
from desk.optimization.judgement.sensitivity import (
    Sensitivity,
    has_volatility_premium,
    rebalancing_day_ranges,
    weights_by_scenario,
)
from desk.optimization.judgement.series_benchmark import compare_with_series
from desk.optimization.judgement.verdict import build_infeasible_verdict, build_verdict
from desk.optimization.judgement.world_statistics import world_statistics
from desk.optimization.limits import check_limits, total_violation
from desk.optimization.repositories.trial_repository import series_address
from desk.optimization.result import (
    Benchmark,
    Counts,
    LimitCheck,
    Luck,
    Manifest,
    OptimizationResult,
    ScenarioOutcome,
    Verdict,
)
from desk.optimization.search.search import evaluations_by_scenario
from desk.optimization.worlds import world_caveats
from desk.scenarios.schemas import HISTORY
from quant.numeric.arrays import Floats
from quant.numeric.measured import Measured
from quant.numeric.moments import moments
from quant.numeric.units import BASIS_POINTS
from quant.strategies.config import SHAPES, StrategyConfig
from quant.strategies.importance import main_effects
from quant.strategies.interactions import parameter_effects
from quant.strategies.kernel import STATISTIC
from quant.strategies.objective import retention
from quant.strategies.search import stream_seed
from quant.strategies.trial import Trial
from quant.worlds.scenario import GBM_BANNER

FEW_CRISES = "One history holds few crises; whatever the colour, it is one sample."
BLOCKS = {"bootstrap", "conditional_bootstrap"}
"""Engines that resample blocks of history."""
_NO_VOLATILITY = 1e-9
"""Annual volatility below which a rule counts as pure cash."""
_DEPENDENCES = 3
"""Most important parameters whose partial dependence is shown."""
_SEARCH_PARAMETERS = (
    "weight_function",
    "estimator",
    "lookback_days",
    "decay",
    "rebalancing",
    "no_trade_band",
    *SHAPES,
    "inner",
)


@dataclass(frozen=True)
class Judgement:
    """The result, and the arrays behind its addresses."""

    result: OptimizationResult
    history: Floats | None = None
    """Of `history_series`, shape (7, T); (8, T) with a bond."""
    asset_weights: Floats | None = None
    """Of the attribution, shape (assets, T)."""


def judge(
    world: World,
    trials: Sequence[Trial],
    series: Mapping[str, Floats],
    *,
    view: MarketView | None,
    decisions: Sequence[Decision],
    counts: Counts,
    ledger_trials: int,
    earlier: Sequence[Floats] = (),
    caveats: Sequence[str] = (),
    sensitivity: bool = True,
) -> Judgement:
    """Choose and judge the winner.

    `trials` are in order of proposal, `series` are arrays (2, T) by address, `ledger_trials` counts all trials of the
    owner on the same data, these included, `earlier` the series (2, T) of some of the others. No colour depends on the
    `sensitivity` of the benefit to other assumptions, nor on the statistics of the worlds that come with it.
    """
    checks = {t.digest: check_limits(world.request, evaluations_by_scenario(t)) for t in trials}
    choice = choose_winner(world, trials)
    base = _base(world, trials, checks, decisions, counts, caveats, sensitivity=sensitivity)
    if isinstance(choice, NoneFeasible):
        result = base.model_copy(update=_infeasible(trials, {**checks, **choice.checks}))
        return Judgement(result.model_copy(update={"figures": result_figures(result)}))
    winner = next(t for t in trials if t.config == choice.winner)
    tests = partial(judge_luck, world, trials, series, winner, ledger_trials=ledger_trials, earlier=earlier)
    with ThreadPoolExecutor(2) as pool:  # one computation alone leaves a core idle between its simulations
        update, history = _judge_winner(
            world, trials, series, winner, choice, checks, view, tests, base.caveats, pool, sensitivity=sensitivity
        )
    attribution, asset_weights = attribute_winner(world, winner.config) or (None, None)
    result = base.model_copy(update=update | {"attribution": attribution})
    return Judgement(result.model_copy(update={"figures": result_figures(result)}), history, asset_weights)


def _judge_winner(
    world: World,
    trials: Sequence[Trial],
    series: Mapping[str, Floats],
    winner: Trial,
    choice: Choice,
    checks: Mapping[str, tuple[LimitCheck, ...]],
    view: MarketView | None,
    tests: Callable[[Records], Luck],
    caveats: Sequence[str],
    pool: ThreadPoolExecutor,
    *,
    sensitivity: bool,
) -> tuple[dict[str, object], Floats]:
    request, config = world.request, winner.config
    matched = matched_weight(world, config)
    constant = partial(world.constant, rebalancing=config.rebalancing)
    rules = _benchmark_rules(world, winner, matched)
    configs = tuple(dict.fromkeys((config, *(rule for _, _, rule in rules))))
    benchmark_table = score(world, configs, request.scenarios, keep="drawdowns")
    weights = weights_by_scenario(request.scenarios, [s.probability for s in request.scenarios])
    benchmark = benchmark_table.place(constant(matched))
    timing = measure_timing(
        world, benchmark_table, 0, {weight: benchmark_table.place(constant(weight)) for weight in (0.0, 0.6, 1.0)}
    )
    timing[HISTORY] = utility_difference(
        benchmark_table, 0, benchmark, {HISTORY: 1.0}
    )  # the weight is already matched on history
    table = choice.table.merge(benchmark_table)
    benchmark = table.place(constant(matched))
    finalists = judge_plateaus(choice, float(table_objective(world, table, choice.best)[benchmark]))
    if sensitivity:
        offsets = rebalancing_day_ranges(world, [f.config for f in finalists])
        finalists = tuple(f.model_copy(update={"offsets_bps": o}) for f, o in zip(finalists, offsets, strict=True))

    part = unlocked_days(world)
    replay = world.replay([config, constant(matched), constant(1.0)]).series[:, :, part]
    records = Records(*(np.ascontiguousarray(replay[k, 0]) for k in range(3)))
    luck = pool.submit(tests, records)
    cases = Sensitivity(world, choice, table, constant(matched)) if sensitivity else None
    assumptions = (cases.parameters, cases.premium, partial(cases.probabilities, view), cases.costs) if cases else ()
    computed = [pool.submit(assumption) for assumption in assumptions]
    out_of_sample = pool.submit(judge_out_of_sample, world, trials, series, winner)
    train_days = world.market.train.stop - world.market.train.start
    error = history_error(
        records.winner[:train_days],
        records.benchmark[:train_days],
        risk_aversion=request.mandate.risk_aversion,
    )
    benefit = measure_benefit(
        benchmark_table,
        0,
        benchmark_table.place(constant(matched)),
        weights,
        matched,
        timing,
        error,
        apart=request.worlds is not None,
    )
    all_years = years(world, records)

    parameters, premium, probabilities, costs = (case.result() for case in computed) if computed else ((),) * 4
    signs = {case.benefit_bps.value > 0.0 for case in premium}
    depends = len(signs) > 1 if premium else None
    cautions = find_cautions(world, config, part, replay[0, 1])
    history = np.vstack(
        [
            np.stack([records.winner, records.benchmark, records.asset]),
            replay[:2, 1],
            world.market.cash[part],
            world.market.dates[part].astype("datetime64[D]").astype(np.float64),
            *([] if world.market.bond is None else [world.market.bond.returns[part]]),
        ]
    )
    return {
        "caveats": (*caveats, *(f"About the winner: {CAUTIONS[caution]}" for caution in cautions)),
        "verdict": build_verdict(
            luck.result(), benefit.basis_points.value, depends=depends, finalists=finalists, config=config
        ),
        "benefit": benefit,
        "winner": winner,
        "scenarios": _outcomes(world, table, config, benchmark, len(choice.table.configs), weights, timing),
        "finalists": finalists,
        "benchmarks": _benchmarks(world, table, rules, config, weights),
        "series_benchmark": compare_with_series(world, records.winner),
        "premium": premium,
        "depends_on_premium": depends,
        "parameter_error": parameters,
        "probabilities": probabilities,
        "costs": costs,
        "next_step": next_step(world, config),
        "limits": _with_binding(
            trials,
            checks,
            check_limits(request, table.by_scenario(table.place(config))),
        ),
        "facts": facts(world, records, replay[:2, 1], (config, constant(matched)), all_years),
        "years": all_years,
        "crises": crises(world, records),
        "luck": luck.result(),
        "out_of_sample": out_of_sample.result(),
        "history_series": series_address(history),
    }, history


def matched_weight(world: World, config: StrategyConfig) -> float:
    """Constant weight with the rebalancing and training volatility of `config`.

    With a bond as the other leg it is the mix of highest training utility at that volatility.
    """
    train = world.market.train
    if world.market.bond is not None:
        record = np.ascontiguousarray(world.replay([config], end=train.stop).series[0, 0, train])
        return world.matching_weights([moments(record).deviation], train)[0]
    target_volatility = float(world.replay([config], end=train.stop).statistics[0, STATISTIC["volatility"]])
    if target_volatility < _NO_VOLATILITY:
        return 0.0
    weight = 1.0
    for _ in range(4):
        constant = world.constant(weight, config.rebalancing)
        reached_volatility = float(world.replay([constant], end=train.stop).statistics[0, STATISTIC["volatility"]])
        weight = min(weight * target_volatility / reached_volatility, 2.0)
    return weight


def _benchmark_rules(world: World, winner: Trial, matched: float) -> list[tuple[str, str, StrategyConfig]]:
    average = min(winner.train.metrics.average_weight.value, 2.0)
    constant = partial(world.constant, rebalancing=winner.config.rebalancing)
    bond = world.market.bond
    safe = (
        [("sixty_forty_cash", "60/40 cash", constant(0.6)), ("cash", "Cash", constant(0.0))]
        if bond is None
        else [("sixty_forty", f"60/40 {bond.name}", constant(0.6)), ("bond", f"All in {bond.name}", constant(0.0))]
    )
    return [
        ("same_volatility", "Constant weight of the same volatility", constant(matched)),
        ("same_average_weight", "Constant weight equal to the winner's average", constant(average)),
        ("equity", "Fully invested", constant(1.0)),
        *safe,
        ("current_rule", "Current rule", world.request.current_rule),
    ]


def _benchmarks(
    world: World,
    table: ScoreTable,
    rules: Sequence[tuple[str, str, StrategyConfig]],
    winner: StrategyConfig,
    weights: Mapping[str, float],
) -> tuple[Benchmark, ...]:
    configs = [rule for _, _, rule in rules]
    records = world.replay(configs).series
    benchmarks: list[Benchmark] = []
    for (name, label, config), record in zip(rules, records, strict=True):
        place = table.place(config)
        benchmarks.append(
            Benchmark.model_validate(
                {
                    "name": name,
                    "label": label,
                    "config": config,
                    "evaluations": tuple(table.evaluations[s.name][place] for s in world.request.scenarios),
                    "train": table.evaluations[HISTORY][place],
                    "validate_": world.on_history(config, record, world.market.validate),
                    "winner_minus_bps": utility_difference(table, table.place(winner), place, weights),
                }
            )
        )
    return tuple(benchmarks)


def _outcomes(
    world: World,
    table: ScoreTable,
    winner: StrategyConfig,
    benchmark: int,
    rivals: int,
    weights: Mapping[str, float],
    timing: Mapping[str, Measured],
) -> tuple[ScenarioOutcome, ...]:
    """Compare winner and benchmark by scenario; the first `rivals` configs of the table are trials."""
    place = table.place(winner)
    anchors = [table.place(world.constant(w, winner.rebalancing)) for w in (0.0, 1.0)]
    outcomes: list[ScenarioOutcome] = []
    for name, weight in weights.items():
        utilities = [e.metrics.utility.value for e in table.evaluations[name]]
        reference = min(anchors, key=lambda k: utilities[k])
        champion = max(range(rivals), key=lambda k: utilities[k])
        top = utilities[champion]
        tolerance = 0.0
        if name != HISTORY:
            gap = table.paths[name][champion][0] - table.paths[name][reference][0]
            tolerance = 2.0 * math.sqrt(variance(gap) / gap.size)
        outcomes.append(
            ScenarioOutcome(
                scenario=name,
                weight=weight,
                winner=table.evaluations[name][place],
                benchmark=table.evaluations[name][benchmark],
                benefit_bps=utility_difference(table, place, benchmark, {name: 1.0}),
                timing_bps=timing[name],
                best_utility=top,
                retention=retention(utilities[place], top, utilities[reference], tolerance),
                regret_bps=BASIS_POINTS * (top - utilities[place]),
            )
        )
    return tuple(outcomes)


def _infeasible(trials: Sequence[Trial], checks: Mapping[str, tuple[LimitCheck, ...]]) -> dict[str, object]:
    nearest = min(trials, key=lambda t: (total_violation(checks[t.digest]), t.number))
    return {
        "verdict": build_infeasible_verdict(trials, checks),
        "limits": _with_binding(trials, checks, checks[nearest.digest]),
    }


def _with_binding(
    trials: Sequence[Trial], checks: Mapping[str, tuple[LimitCheck, ...]], limit_checks: Sequence[LimitCheck]
) -> tuple[LimitCheck, ...]:
    """The checks `shown`; a limit binds where it excluded at least one trial."""
    excluded = {(c.limit, c.scenario) for t in trials for c in checks[t.digest] if not c.passed}
    return tuple(c.model_copy(update={"binds": (c.limit, c.scenario) in excluded}) for c in limit_checks)


def _base(
    world: World,
    trials: Sequence[Trial],
    checks: Mapping[str, tuple[LimitCheck, ...]],
    decisions: Sequence[Decision],
    counts: Counts,
    caveats: Sequence[str],
    *,
    sensitivity: bool,
) -> OptimizationResult:
    request, market = world.request, world.market
    leading = [t for t in trials if not t.screened]
    values = objectives(request, leading)
    columns = {name: [getattr(t.config, name) for t in leading] for name in _SEARCH_PARAMETERS}
    importance = {name: share for name, share in main_effects(columns, values).items() if share > 0.0}
    most_important = sorted(importance, key=lambda name: (-importance[name], name))[:_DEPENDENCES]
    dates = market.dates
    return OptimizationResult(
        manifest=Manifest(
            request=request,
            data_digest=market.data_digest,
            rates_digest=market.rates_digest,
            data_source=market.source,
            currency=market.currency,
            first_day=str(dates[0]),
            train_end=str(dates[market.train.stop - 1]),
            validate_end=str(dates[market.validate.stop - 1]),
            last_day=str(dates[-1]),
            code_version=code_version(),
            decisions=tuple(decisions),
        ),
        verdict=Verdict(colour="red", headline="", reason=""),
        counts=counts,
        benefit=None,
        winner=None,
        worlds=world_statistics(world) if sensitivity and request.worlds is not None else (),
        scenarios=(),
        finalists=(),
        benchmarks=(),
        premium=(),
        depends_on_premium=None,
        parameter_error=(),
        probabilities=(),
        costs=(),
        next_step=None,
        limits=(),
        facts=(),
        years=(),
        crises=(),
        luck=None,
        importance=importance,
        parameter_effects=parameter_effects(
            columns, values, shown=most_important, seed=stream_seed(request.seed, "parameter_effects")
        ),
        trials=plot_trials(request, trials, checks),
        caveats=(*_caveats(world), *search_sentences(request, counts), *caveats),
        history_series=None,
        figures=(),
    )


def _caveats(world: World) -> list[str]:
    request = world.request
    caveats = [FEW_CRISES]
    engines = {s.engine for s in request.scenarios}
    if request.engine_parameters == "fitted":
        caveats.append(describe_engines(request.scenarios))
    if "gbm" in engines:
        caveats.append(GBM_BANNER)
    if not any(has_volatility_premium(s) for s in request.scenarios):
        caveats.append(
            "No engine here links premium and volatility; whether the benefit depends on such a link is open."
        )
    if engines & BLOCKS:
        longest = max(request.space.lookback_days)
        block = min(s.mean_block for s in request.scenarios if s.engine in BLOCKS)
        if longest > block:
            caveats.append(
                f"The bootstrap's mean block of {block} sessions is shorter than lookbacks of up to {longest}: "
                "it breaks the volatility clusters that such a lookback measures."
            )
    if len(world.market.assets) > 1:
        caveats.append("In simulations the mix of assets is one risky leg; only the history holds them one by one.")
    caveats.extend(world_caveats(request.scenarios, request.worlds_base))
    caveats.append(describe_safe_leg(world.market.bond, request.scenarios, slice(0, world.market.train.stop)))
    return [*caveats, *world.market.caveats]
