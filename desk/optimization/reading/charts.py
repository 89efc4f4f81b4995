"""Computes chart data from a result, its trials and the historical series of its winner."""

from collections.abc import Callable, Collection, Sequence
from itertools import combinations, pairwise
from typing import TYPE_CHECKING, NamedTuple, cast

import numpy as np

from desk.optimization.judgement.plotted_trials import evaluations_by_scenario
from desk.optimization.reading import chart_schemas as charts
from desk.optimization.reading import record_charts
from desk.optimization.reading.chart_findings import describe_charts, series_of, wealth
from desk.optimization.reading.chart_schemas import ChartName, Charts, Provenance
from desk.optimization.reading.history import History
from desk.optimization.request import OptimizationRequest
from desk.optimization.result import OptimizationResult, Plotted
from quant.numeric.arrays import Dates, Flags, Floats, Ints
from quant.numeric.units import DAYS
from quant.strategies.history import rebalancing_days
from quant.strategies.rules import FREQUENCIES
from quant.strategies.trial import Trial
from quant.wealth.montecarlo import simulate_wealth
from quant.wealth.terms import AccountTerms
from quant.worlds.joint import joint_model
from quant.worlds.regimes import MARKETS, market_state

if TYPE_CHECKING:
    from desk.optimization.result import Luck


WINDOW = 60
"""Sessions of the rolling volatility, as in the facts of a result."""
FAN_PATHS = 2_000
FAN_LEVELS = (0.05, 0.25, 0.50, 0.75, 0.95)
_SHORTEST_FAN = 250
"""Minimum days for the bootstrap."""
_MIN_TRADE = 1e-4
"""Minimum change of the weight that counts as a trade."""
_MOST_PARAMETERS = 3
_UNUSED = "not used"


class ChartData(NamedTuple):
    """Inputs of the charts; a job without a result has trials only."""

    request: OptimizationRequest
    trials: Sequence[Trial]
    plotted: Sequence[Plotted]
    result: OptimizationResult | None
    history: History | None
    points: int


def build_charts(
    material: ChartData, provenance: Provenance, *, partial: Sequence[str] = (), only: Collection[ChartName] = ()
) -> Charts:
    """Build the named charts, or every chart that the data allow."""
    makers = {name: make for name, make in _MAKERS.items() if not only or name in only}
    charts_by_name = {name: make(material) for name, make in makers.items()}
    drawn = Charts(provenance=provenance, partial=tuple(partial)).model_copy(update=charts_by_name)
    findings = describe_charts(drawn, material.plotted, material.result, material.history)
    return drawn.model_copy(update={"findings": findings})


def downsample(values: Floats, most: int) -> Ints:
    """Select at most `most` rows of a line: the ends, and the minimum and maximum of each interval."""
    if values.size <= most:
        return np.arange(values.size)
    edges = np.linspace(0, values.size, max(1, (most - 2) // 2) + 1).astype(np.int64)
    rows = {0, values.size - 1}
    for first, last in pairwise(edges):
        part = values[first:last]
        rows |= {int(first + np.argmin(part)), int(first + np.argmax(part))}
    return np.array(sorted(rows), dtype=np.int64)


def pareto(volatility: Floats, gain: Floats) -> Flags:
    """Points than which no other has as little volatility and more return, or less volatility and as much return.

    Of points that are equal in both the first stands for all.
    """
    order = np.lexsort((-gain, volatility))
    best = np.maximum.accumulate(gain[order])
    before = np.concatenate(([-np.inf], best[:-1]))
    on_front = np.zeros(volatility.size, dtype=np.bool_)
    on_front[order] = gain[order] > before
    return on_front


def _convergence(material: ChartData) -> charts.Convergence | None:
    if not material.plotted:
        return None
    trials = sorted(material.plotted, key=lambda t: t.number)
    feasible_objectives = np.array([t.objective if t.feasible else -np.inf for t in trials])
    best = np.maximum.accumulate(feasible_objectives)
    evaluations = {trial.digest: evaluations_by_scenario(trial) for trial in material.trials}
    trial_evaluations = [evaluations[t.digest] for t in trials if t.digest in evaluations]
    utilities = {
        name: [each[name].metrics.utility.value for each in trial_evaluations]
        for name in (trial_evaluations[0] if trial_evaluations else ())
    }
    return charts.Convergence(
        trial=tuple(t.number for t in trials),
        objective=tuple(t.objective for t in trials),
        feasible=tuple(t.feasible for t in trials),
        running_maximum=tuple(None if np.isneginf(value) else float(value) for value in best),
        by_scenario={name: _floats(np.maximum.accumulate(values)) for name, values in utilities.items()},
    )


def _risk_return(material: ChartData) -> charts.RiskReturn | None:
    if not material.plotted:
        return None
    feasible = [n for n, t in enumerate(material.plotted) if t.feasible]
    best = pareto(
        np.array([material.plotted[n].volatility for n in feasible]),
        np.array([material.plotted[n].excess_return for n in feasible]),
    )
    front = {n for n, on in zip(feasible, best, strict=True) if on}
    winner = material.result.winner if material.result else None
    return charts.RiskReturn(
        points=tuple(
            charts.Strategy(
                trial=t.number,
                pareto=n in front,
                chosen=winner is not None and t.digest == winner.digest,
                **t.model_dump(exclude={"number"}),
            )
            for n, t in enumerate(material.plotted)
        )
    )


def _scenarios(material: ChartData) -> tuple[charts.Bar, ...] | None:
    if material.result is None or not material.result.scenarios:
        return None
    bars: list[charts.Bar] = []
    for outcome in material.result.scenarios:
        value, error = outcome.benefit_bps.value, outcome.benefit_bps.error
        half = None if error is None else 1.96 * error
        bars.append(
            charts.Bar(
                scenario=outcome.scenario,
                weight=outcome.weight,
                benefit_bps=value,
                low=None if half is None else value - half,
                high=None if half is None else value + half,
                timing_bps=outcome.timing_bps.value,
                utility=outcome.winner.metrics.utility.value,
                benchmark_utility=outcome.benchmark.metrics.utility.value,
            )
        )
    return tuple(bars)


def _sensitivity(material: ChartData) -> tuple[charts.Heatmap, ...] | None:
    configs = {trial.digest: trial.config for trial in material.trials}
    trials = [t for t in material.plotted if t.digest in configs]
    if not trials:
        return None
    objective = np.array([t.objective for t in trials])
    labels = {name: [_label(getattr(configs[t.digest], name)) for t in trials] for name in _parameters(material)}
    return tuple(_heatmap(row, column, labels, objective) for row, column in combinations(labels, 2))


def _parameters(material: ChartData) -> list[str]:
    """Return the most important parameters, most important first."""
    importance = material.result.importance if material.result else {}
    ordered = sorted(importance, key=lambda name: (-importance[name], name))
    return list(dict.fromkeys([*ordered, "weight_function", "rebalancing"]))[
        : max(2, min(len(ordered), _MOST_PARAMETERS))
    ]


def _heatmap(row: str, column: str, labels: dict[str, list[str]], objective: Floats) -> charts.Heatmap:
    rows, columns = (sorted(set(labels[name]), key=_order) for name in (row, column))
    cells: dict[tuple[str, str], list[float]] = {}
    for place, value in zip(zip(labels[row], labels[column], strict=True), objective, strict=True):
        cells.setdefault(place, []).append(float(value))
    table = [[cells.get((r, c), []) for c in columns] for r in rows]
    return charts.Heatmap(
        row_parameter=row,
        column_parameter=column,
        rows=tuple(rows),
        columns=tuple(columns),
        mean=tuple(tuple(float(np.mean(cell)) if cell else None for cell in line) for line in table),
        n=tuple(tuple(len(cell) for cell in line) for line in table),
    )


def _label(value: object) -> str:
    return _UNUSED if value is None else str(value)


def _order(label: str) -> tuple[bool, float, str]:
    """Sort key of labels: numbers by size, then words, unused values last."""
    try:
        return False, float(label), ""
    except ValueError:
        return label == _UNUSED, np.inf, label


def _weights(material: ChartData) -> charts.Weights | None:
    result, history = material.result, material.history
    if result is None or history is None or result.winner is None:
        return None
    dates = history.dates()
    rows = downsample(history.winner_weight, material.points)
    trades = _trades(history, FREQUENCIES.index(result.winner.config.rebalancing))
    shown_trades = trades if trades.size <= material.points else trades[_spread(trades.size, material.points)]
    return charts.Weights(
        dates=_days(dates[rows]),
        strategy=_floats(history.winner_weight[rows]),
        constant_weight=_floats(history.benchmark_weight[rows]),
        safe=None if history.safe is None else _floats(np.maximum(1.0 - history.winner_weight[rows], 0.0)),
        assets=_asset_weights(result, history, rows),
        rebalances=tuple(
            charts.Rebalance(
                date=str(dates[t]),
                before=float(_drifted(history)[t]),
                after=float(history.winner_weight[t + 1]),
            )
            for t in shown_trades
        ),
        rebalance_count=int(trades.size),
        phases=_phases(history),
        train_end=result.manifest.train_end,
    )


def _asset_weights(result: OptimizationResult, history: History, rows: Ints) -> tuple[charts.AssetWeights, ...]:
    if result.attribution is None or history.asset_weights is None:
        return ()
    return tuple(
        charts.AssetWeights(name=share.name, weights=_floats(weights[rows]))
        for share, weights in zip(result.attribution.assets, history.asset_weights, strict=True)
    )


def _drifted(history: History) -> Floats:
    """Weight after each day before any trade, as moved by prices."""
    weight, cash = history.winner_weight, history.cash
    is_invested = weight > 0.0
    grown = 1.0 + cash + history.winner
    lent = 0.0 if history.safe is None else np.maximum(1.0 - weight, 0.0) * (history.safe - cash)
    return np.where(is_invested, (weight * (1.0 + cash) + history.winner - lent) / grown, 0.0)


def _trades(history: History, frequency: int) -> Ints:
    """Closes at which the strategy traded: those of its calendar after which it holds another weight than prices left.

    The last close is left out: what was held after it is not in the record.
    """
    calendar = rebalancing_days(history.dates())[frequency][:-1]
    is_trade = np.abs(history.winner_weight[1:] - _drifted(history)[:-1]) > _MIN_TRADE
    return np.flatnonzero(calendar & is_trade)


def _phases(history: History) -> tuple[charts.Period, ...]:
    state = market_state(history.total(history.asset)).state
    dates = history.dates()
    starts = np.concatenate(([0], np.flatnonzero(np.diff(state)) + 1))
    ends = np.concatenate((starts[1:] - 1, [state.size - 1]))
    return tuple(
        charts.Period(first=str(dates[a]), last=str(dates[b]), phase=MARKETS[int(state[a]) + 1])
        for a, b in zip(starts, ends, strict=True)
    )


def _growth(material: ChartData) -> charts.Growth | None:
    result, history = material.result, material.history
    if result is None or history is None:
        return None
    ours, theirs, asset = (wealth(history.total(series)) for series in series_of(history))
    rows = downsample(ours, material.points)
    return charts.Growth(
        dates=_days(history.dates()[rows]),
        strategy=_floats(ours[rows]),
        constant_weight=_floats(theirs[rows]),
        asset=_floats(asset[rows]),
        train_end=result.manifest.train_end,
    )


def _drawdown(material: ChartData) -> charts.Drawdown | None:
    result, history = material.result, material.history
    if result is None or history is None:
        return None
    ours, theirs, asset = (history.drawdown(x) for x in (history.winner, history.benchmark, history.asset))
    rows = downsample(ours, material.points)
    return charts.Drawdown(
        dates=_days(history.dates()[rows]),
        strategy=_floats(ours[rows]),
        constant_weight=_floats(theirs[rows]),
        asset=_floats(asset[rows]),
        train_end=result.manifest.train_end,
    )


def _rolling_volatility(material: ChartData) -> charts.RollingVolatility | None:
    result, history = material.result, material.history
    if result is None or history is None or result.winner is None or history.days.size < WINDOW:
        return None
    ours, theirs = (_volatility(history.total(x)) for x in (history.winner, history.benchmark))
    rows = downsample(ours, material.points)
    return charts.RollingVolatility(
        window=WINDOW,
        target=result.winner.config.target_volatility or result.manifest.request.mandate.target_volatility,
        dates=_days(history.dates()[WINDOW - 1 :][rows]),
        strategy=_floats(ours[rows]),
        constant_weight=_floats(theirs[rows]),
        train_end=result.manifest.train_end,
    )


def _volatility(total: Floats) -> Floats:
    windows = np.lib.stride_tricks.sliding_window_view(total, WINDOW)
    return np.sqrt(DAYS) * windows.std(axis=1, ddof=1)


def _rolling_sharpe(material: ChartData) -> charts.RollingSharpe | None:
    result, history = material.result, material.history
    if result is None or history is None:
        return None
    return record_charts.rolling_sharpe(history, result.manifest.train_end, material.points)


def _of_record(material: ChartData, make: Callable[[History], object]) -> object:
    """The chart of the winner's record; None without one."""
    return None if material.history is None else make(material.history) or None


def _years(material: ChartData) -> tuple[charts.CalendarYear, ...] | None:
    if material.result is None or not material.result.years:
        return None
    return tuple(
        charts.CalendarYear(
            year=year.year,
            strategy=year.winner,
            constant_weight=year.benchmark,
            asset=year.asset,
            partial=year.partial,
        )
        for year in material.result.years
    )


def _logits(material: ChartData) -> charts.Logits | None:
    luck: Luck | None = material.result.luck if material.result else None
    if luck is None or not luck.logits:
        return None
    return charts.Logits(
        left_edges=tuple(edge for edge, _ in luck.logits),
        counts=tuple(count for _, count in luck.logits),
        overfitting=luck.overfitting,
        overfitting_low=luck.overfitting_low,
        overfitting_high=luck.overfitting_high,
    )


def _fan(material: ChartData) -> charts.Fan | None:
    """Bootstrap the winner's days in blocks over the horizon of the request."""
    result, history = material.result, material.history
    if result is None or history is None or history.days.size < _SHORTEST_FAN:
        return None
    request = material.request
    model = joint_model(
        "bootstrap",
        cash_rate=0.0,
        seed=request.seed,
        name="fan",
        history=history.total(history.winner)[:, None],
    )
    simulation = simulate_wealth(
        model, [1.0], AccountTerms(initial=1.0, years=request.scenarios[0].years), paths=FAN_PATHS, levels=FAN_LEVELS
    )
    return charts.Fan(
        years=_floats(simulation.times),
        levels=FAN_LEVELS,
        bands=tuple(_floats(row) for row in simulation.bands),
        paths=FAN_PATHS,
        seed=request.seed,
    )


_MAKERS: dict[ChartName, Callable[[ChartData], object]] = {
    "convergence": _convergence,
    "risk_return": _risk_return,
    "scenarios": _scenarios,
    "sensitivity": _sensitivity,
    "growth": _growth,
    "weights": _weights,
    "drawdown": _drawdown,
    "rolling_volatility": _rolling_volatility,
    "years": _years,
    "logits": _logits,
    "fan": _fan,
    "monthly_returns": lambda material: _of_record(material, record_charts.monthly_returns),
    "rolling_sharpe": _rolling_sharpe,
    "falls": lambda material: _of_record(material, record_charts.falls),
    "distribution": lambda material: _of_record(material, record_charts.distribution),
}


def _spread(count: int, most: int) -> Ints:
    return np.unique(np.linspace(0, count - 1, most).astype(np.int64))


def _days(dates: Dates) -> tuple[str, ...]:
    return tuple(map(str, dates))


def _floats(values: Floats) -> tuple[float, ...]:
    return cast("tuple[float, ...]", tuple(np.asarray(values, dtype=np.float64).tolist()))
