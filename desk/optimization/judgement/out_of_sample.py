"""Out-of-sample evidence of the choice: purged cross-validation, annual re-selection (method, section 5).

The rule chooses among the trials that the search could choose, by its objective with constant simulated terms, and gets
the days before or beside a test only. Nothing is simulated again and no day of the locked holdout is read.
"""

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np

from desk.optimization.evaluation import World, goal_values
from desk.optimization.judgement.finalists import objective_weights
from desk.optimization.out_of_sample_schemas import (
    CrossValidation,
    OutOfSample,
    Quantiles,
    Reselection,
    WalkForward,
)
from desk.optimization.search.search import is_selectable
from quant.luck import (
    SelectionRule,
    backtest_paths,
    combinatorial_purged_splits,
    objective_rule,
    performance_differences,
    walk_forward,
)
from quant.numeric.arrays import Dates, Floats
from quant.numeric.measured import Measured
from quant.numeric.moments import moments
from quant.numeric.units import BASIS_POINTS, DAYS
from quant.overfitting.cscv import apply_rule
from quant.performance.growth import calendar_years
from quant.strategies.history_metrics import utility
from quant.strategies.trial import Trial

GROUPS, TEST_GROUPS = 10, 2
EMBARGO = 0.01
"""Share of the days left out after each test."""
SHORTEST_FIT = 3 * DAYS
"""Fewest days that a choice may rest on."""


def judge_out_of_sample(
    world: World, trials: Sequence[Trial], series: Mapping[str, Floats], winner: Trial
) -> OutOfSample:
    """Judge the choice of `winner` among `trials`, whose `series` are arrays (2, T) by address."""
    request = world.request
    choosable = [t for t in trials if is_selectable(request, t) or t.digest == winner.digest]
    columns = np.column_stack([series[t.series][0] for t in choosable])
    if world.compares:  # the rule also reads each trial's own benchmark
        columns = np.hstack([columns, world.own_benchmarks(columns)])
    rule = objective_rule(
        risk_aversion=request.mandate.risk_aversion,
        simulated=goal_values(request, choosable)[:, :-1],
        weights=objective_weights(world),
        goal=request.goal,
        target_volatility=request.mandate.target_volatility,
    )
    return OutOfSample(
        cross_validation=_cross_validate(world, columns, rule),
        walk_forward=_walk_forward(world, choosable, series, columns, rule),
    )


def _advantage_bps(path: Floats, benchmark: Floats, gamma: float) -> float:
    return BASIS_POINTS * (utility(path, gamma) - utility(benchmark, gamma))


def _cross_validate(world: World, columns: Floats, rule: SelectionRule) -> CrossValidation | None:
    days, gamma, purge = len(columns), world.request.mandate.risk_aversion, world.market.warm_up
    left_out = -(-days // GROUPS) + 2 * purge + math.ceil(EMBARGO * days)
    if days - TEST_GROUPS * left_out < SHORTEST_FIT:
        return None
    splits = combinatorial_purged_splits(days, GROUPS, TEST_GROUPS, purge=purge, embargo=EMBARGO)
    chosen = [apply_rule(rule, columns[split.train]) for split in splits.splits]
    outcomes = [columns[split.test, k] for split, k in zip(splits.splits, chosen, strict=True)]
    paths = list(backtest_paths(splits, outcomes))
    benchmarks = world.own_benchmarks(np.column_stack(paths)).T
    return CrossValidation(
        groups=GROUPS,
        test_groups=TEST_GROUPS,
        splits=len(splits.splits),
        paths=len(paths),
        purge=purge,
        embargo=splits.embargo,
        configs=len(set(chosen)),
        utility_bps=_quantiles([BASIS_POINTS * utility(path, gamma) for path in paths]),
        advantage_bps=_quantiles(
            [_advantage_bps(p, b, gamma) for p, b in zip(paths, np.ascontiguousarray(benchmarks), strict=True)]
        ),
    )


def _quantiles(values: Sequence[float]) -> Quantiles:
    low, lower_quartile, median, upper_quartile, high = map(float, np.quantile(values, [0.05, 0.25, 0.5, 0.75, 0.95]))
    return Quantiles(
        low=low,
        lower_quartile=lower_quartile,
        median=median,
        upper_quartile=upper_quartile,
        high=high,
        below_zero=sum(value < 0.0 for value in values) / len(values),
    )


def _year_starts(dates: Dates, first: int) -> list[int]:
    """Rows that begin a calendar year, none before `first`."""
    years = dates.astype("datetime64[Y]")
    return [int(row) for row in np.flatnonzero(years[1:] != years[:-1]) + 1 if row >= first]


def _walk_forward(
    world: World, choosable: Sequence[Trial], series: Mapping[str, Floats], columns: Floats, rule: SelectionRule
) -> WalkForward | None:
    """Repeat the choice at the end of each year; it uses returns up to the decision lag, as a rule does."""
    request, market = world.request, world.market
    dates = market.dates[market.train.start : market.validate.stop]
    gap = request.mandate.decision_lag
    starts = _year_starts(dates, SHORTEST_FIT + gap)
    if not starts:
        return None
    steps = walk_forward(columns, rule, train=SHORTEST_FIT, test=starts, anchored=True, gap=gap)
    chosen = [int(k) for k in steps.selected]
    excess = steps.returns.copy()
    for start, (before, after) in zip(starts[1:], pairwise(chosen), strict=True):
        weights = [series[choosable[k].series][1, start] for k in (before, after)]
        excess[start - starts[0]] -= abs(weights[1] - weights[0]) * request.mandate.transaction_cost_bps / BASIS_POINTS
    held = slice(market.validate.stop - excess.size, market.validate.stop)
    benchmark = world.own_benchmarks(excess[:, None], held)[:, 0]
    gamma = request.mandate.risk_aversion
    differences = performance_differences(excess, benchmark, gamma)[:, 0]
    ours, theirs = (calendar_years(market.dates[held], world.total(x, held)) for x in (excess, benchmark))
    return WalkForward(
        first_day=str(market.dates[held.start]),
        last_day=str(market.dates[held.stop - 1]),
        years=excess.size / DAYS,
        choices=tuple(
            Reselection(year=year, config=choosable[k].digest, winner=winner, benchmark=constant)
            for k, (year, winner), (_, constant) in zip(chosen, ours, theirs, strict=True)
        ),
        changes=sum(a != b for a, b in pairwise(chosen)),
        advantage_bps=Measured(
            value=_advantage_bps(excess, benchmark, gamma),
            error=BASIS_POINTS * DAYS * moments(differences).deviation / math.sqrt(excess.size),
        ),
    )
