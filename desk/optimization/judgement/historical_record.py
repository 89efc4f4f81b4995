"""The winner on history, beside benchmark and asset: calendar years, crises and facts."""

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from desk.optimization.evaluation import World
from desk.optimization.judgement.luck import Records
from desk.optimization.result import Crisis, Fact, Year
from quant.numeric.arrays import Floats
from quant.numeric.moments import skewness
from quant.performance.calendar_returns import CRISES
from quant.performance.growth import Drawdown, calendar_years, worst_drawdown
from quant.performance.regression import alpha_beta, tracking_error
from quant.strategies.config import StrategyConfig
from quant.strategies.history_metrics import break_even_cost_bps, utility, volatility_target_error


def unlocked_days(world: World) -> slice:
    """Rows of train and validate, without the locked holdout."""
    return slice(world.market.train.start, world.market.validate.stop)


def years(world: World, records: Records) -> tuple[Year, ...]:
    part = unlocked_days(world)
    dates = world.market.dates[part]
    columns = [calendar_years(dates, world.total(x, part)) for x in (records.winner, records.benchmark, records.asset)]
    first, last = dates[0], dates[-1]
    rows: list[Year] = []
    for (year, winner), (_, benchmark), (_, asset) in zip(*columns, strict=True):
        begins = np.datetime64(f"{year}-01-05", "D")
        ends = np.datetime64(f"{year}-12-27", "D")
        partial = bool((year == int(str(first)[:4]) and first > begins) or (year == int(str(last)[:4]) and last < ends))
        rows.append(Year(year=year, winner=winner, benchmark=benchmark, asset=asset, partial=partial))
    return tuple(rows)


def crises(world: World, records: Records) -> tuple[Crisis, ...]:
    part = unlocked_days(world)
    dates = world.market.dates[part]
    rows: list[Crisis] = []
    for name, start, end in CRISES:
        inside = (dates > np.datetime64(start, "D")) & (dates <= np.datetime64(end, "D"))
        if dates[0] > np.datetime64(start, "D") or dates[-1] < np.datetime64(end, "D"):
            continue
        returns = [
            float(np.prod(1.0 + world.total(x, part)[inside]) - 1.0)
            for x in (records.winner, records.benchmark, records.asset)
        ]
        rows.append(Crisis(name=name, start=start, end=end, winner=returns[0], benchmark=returns[1], asset=returns[2]))
    return tuple(rows)


def facts(
    world: World,
    records: Records,
    weights: Floats,
    rules: tuple[StrategyConfig, StrategyConfig],
    all_years: Sequence[Year],
) -> tuple[Fact, ...]:
    """Compute the facts; `weights` (2, T) and `rules` of winner and benchmark."""
    request, part = world.request, unlocked_days(world)
    totals = [world.total(x, part) for x in (records.winner, records.benchmark)]
    falls = [worst_drawdown(t) for t in totals]
    recoveries = [_recovery(f) for f in falls]
    up = [y for y in all_years if y.asset > 0.0]
    given_up = math.fsum(y.asset - y.winner for y in up) / len(up) if up else None
    against = alpha_beta(records.winner, records.asset)
    target = request.mandate.target_volatility
    errors = [volatility_target_error(t, target) for t in totals]

    def fact(name: str, label: str, value: float | None, unit: str, benchmark: float | None = None) -> Fact:
        return Fact.model_validate({"name": name, "label": label, "value": value, "unit": unit, "benchmark": benchmark})

    return (
        fact("worst_drawdown", "Worst drawdown", _depth(falls[0]), "fraction", _depth(falls[1])),
        fact("recovery", "Sessions from peak to recovery", recoveries[0], "days", recoveries[1]),
        fact("upside_given_up", "Return given up in the asset's rising years, average", given_up, "fraction"),
        fact(
            "break_even_cost",
            "Cost of a trade that uses the advantage up",
            break_even_cost_bps(partial(_advantage, world, rules)),
            "bps",
        ),
        fact("tracking_error", "Tracking error", tracking_error(records.winner, records.benchmark), "fraction"),
        fact("average_weight", "Average weight", _mean(weights[0]), "weight", _mean(weights[1])),
        fact("largest_weight", "Largest weight", float(np.max(weights[0])), "weight", float(np.max(weights[1]))),
        fact("alpha", "Alpha a year against the asset", against.alpha.value, "fraction"),
        fact("beta", "Beta against the asset", against.beta.value, "ratio"),
        fact("skewness", "Skewness of daily returns", skewness(records.winner), "ratio", skewness(records.benchmark)),
        fact("target_error", "Distance of 60-day volatility from target", errors[0].error, "fraction", errors[1].error),
        fact("target_noise", "Of which sampling noise", errors[0].noise_floor, "fraction"),
    )


def _advantage(world: World, rules: tuple[StrategyConfig, StrategyConfig], cost_bps: float) -> float:
    """Utility a year of the first rule less that of the second, both replayed at this cost of a trade."""
    mandate = world.request.mandate.model_copy(update={"transaction_cost_bps": cost_bps})
    charged = replace(world, request=world.request.model_copy(update={"mandate": mandate}))
    first, second = charged.replay(rules).series[:, 0, unlocked_days(world)]
    return utility(first, mandate.risk_aversion) - utility(second, mandate.risk_aversion)


def _mean(values: Floats) -> float:
    return float(np.sum(values)) / values.size


def _depth(fall: Drawdown | None) -> float:
    return fall.depth if fall else 0.0


def _recovery(fall: Drawdown | None) -> float | None:
    if fall is None or fall.recovery is None:
        return None
    return float(fall.recovery - fall.start + 1)
