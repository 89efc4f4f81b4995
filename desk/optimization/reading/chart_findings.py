"""The finding of each chart in one sentence: its title in the web application, its caption in the report."""

from collections.abc import Sequence

import numpy as np

from desk.base.text import number, title
from desk.optimization.reading import record_charts
from desk.optimization.reading.chart_schemas import Charts, Fan, Heatmap, RollingVolatility
from desk.optimization.reading.history import History
from desk.optimization.result import Luck, OptimizationResult, Plotted, ScenarioOutcome, Year
from quant.numeric.arrays import Floats
from quant.numeric.units import BASIS_POINTS


def describe_charts(
    charts: Charts, trials: Sequence[Plotted], result: OptimizationResult | None, history: History | None
) -> dict[str, str]:
    """The finding of each chart that has data, by the name of the chart."""
    sentences: dict[str, str | None] = {
        "convergence": convergence(trials) if charts.convergence else None,
        "risk_return": risk_return(trials) if charts.risk_return else None,
        "scenarios": scenarios(result.scenarios) if charts.scenarios and result else None,
        "sensitivity": sensitivity(charts.sensitivity) if charts.sensitivity else None,
        "growth": growth(history) if charts.growth and history else None,
        "weights": weights(history) if charts.weights and history else None,
        "drawdown": drawdown(history) if charts.drawdown and history else None,
        "rolling_volatility": rolling_volatility(charts.rolling_volatility) if charts.rolling_volatility else None,
        "years": years(result.years) if charts.years and result else None,
        "logits": logits(result.luck) if charts.logits and result and result.luck else None,
        "fan": fan(charts.fan) if charts.fan else None,
        "monthly_returns": record_charts.describe_months(charts.monthly_returns) if charts.monthly_returns else None,
        "rolling_sharpe": record_charts.describe_sharpe(charts.rolling_sharpe) if charts.rolling_sharpe else None,
        "falls": record_charts.describe_falls(charts.falls) if charts.falls else None,
        "distribution": record_charts.describe_distribution(charts.distribution) if charts.distribution else None,
        "importance": importance(result) if charts.sensitivity and result and result.importance else None,
    }
    return {name: sentence for name, sentence in sentences.items() if sentence}


def convergence(trials: Sequence[Plotted]) -> str:
    best = max((trial.objective for trial in trials if trial.feasible), default=None)
    reached = "no trial meets the limits" if best is None else f"the best reached {number(best * BASIS_POINTS)} bps"
    return f"{len(trials)} trials in the order of proposal; {reached}, in sample."


def risk_return(trials: Sequence[Plotted]) -> str:
    infeasible = sum(not trial.feasible for trial in trials)
    return f"Each trial's expected volatility and excess return; {infeasible} of {len(trials)} break a limit."


def scenarios(outcomes: Sequence[ScenarioOutcome]) -> str:
    worst = min(outcomes, key=lambda outcome: outcome.benefit_bps.value)
    return (
        f"Benefit with its 95% interval, world by world; the least is {number(worst.benefit_bps.value)} bps in "
        f"{title(worst.scenario).lower()}."
    )


def sensitivity(heatmaps: Sequence[Heatmap]) -> str:
    cells = [
        (value, row, column, chart)
        for chart in heatmaps
        for row, line in zip(chart.rows, chart.mean, strict=True)
        for column, value in zip(chart.columns, line, strict=True)
        if value is not None
    ]
    if not cells:
        return "No pair of parameters was tried."
    value, row, column, chart = max(cells, key=lambda cell: cell[0])
    return (
        f"The best mean objective, {number(value * BASIS_POINTS)} bps, is at {_words(chart.row_parameter)} "
        f"{_words(row)} with {_words(chart.column_parameter)} {_words(column)}."
    )


def growth(history: History) -> str:
    ours, theirs, asset = (wealth(history.total(series))[-1] for series in series_of(history))
    return (
        f"One unit of wealth became {number(ours, 2)} with the strategy, {number(theirs, 2)} with the constant weight "
        f"and {number(asset, 2)} in the asset alone."
    )


def weights(history: History) -> str:
    held = 100 * history.winner_weight
    return f"The strategy held {number(held.mean())}% on average, from {number(held.min())}% to {number(held.max())}%."


def drawdown(history: History) -> str:
    ours, theirs, asset = (100 * history.drawdown(series).max() for series in series_of(history))
    return (
        f"Deepest fall from a peak: strategy {number(ours, 1)}%, constant weight {number(theirs, 1)}%, the asset alone "
        f"{number(asset, 1)}%."
    )


def rolling_volatility(chart: RollingVolatility) -> str:
    ours = chart.strategy
    return (
        f"Over {chart.window} sessions the volatility was between {number(100 * min(ours), 1)}% and "
        f"{number(100 * max(ours), 1)}% a year; the target is {number(100 * chart.target, 1)}%."
    )


def years(rows: Sequence[Year]) -> str:
    better = sum(year.winner > year.benchmark for year in rows)
    return f"The strategy beat the constant weight in {better} of {len(rows)} calendar years."


def logits(luck: Luck) -> str:
    return (
        f"In {number(100 * luck.overfitting)}% of the splits the rule selected on one half ranks at or below the "
        "median on the other."
    )


def fan(chart: Fan) -> str:
    low, middle, high = (chart.bands[n][-1] for n in (0, len(chart.levels) // 2, -1))
    return (
        f"After {number(chart.years[-1])} years one unit of wealth is {number(middle, 2)} in the median, and between "
        f"{number(low, 2)} and {number(high, 2)} in nine of ten cases, if the future resembles this history."
    )


def importance(result: OptimizationResult) -> str:
    most = max(result.importance, key=lambda name: result.importance[name])
    return f"What the objective depends on: {title(most).lower()} most."


def series_of(history: History) -> tuple[Floats, Floats, Floats]:
    """Daily excess returns of the strategy, the constant weight and the asset."""
    return history.winner, history.benchmark, history.asset


def wealth(total: Floats) -> Floats:
    """Wealth after each day, starting from 1."""
    return np.cumprod(1.0 + total, dtype=np.float64)


def _words(name: str) -> str:
    return name.replace("_", " ")
