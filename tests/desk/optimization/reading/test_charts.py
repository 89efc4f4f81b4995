from itertools import pairwise
from typing import get_args

import numpy as np
import pytest

from desk.optimization.judgement.plotted_trials import plot_trials
from desk.optimization.reading.chart_schemas import ChartName, Charts, Provenance
from desk.optimization.reading.charts import FAN_LEVELS, WINDOW, ChartData, build_charts, downsample, pareto
from desk.optimization.reading.history import History
from desk.optimization.request import Limit, Limits
from desk.scenarios.schemas import HISTORY
from quant.strategies.history import rebalancing_days
from quant.strategies.rules import FREQUENCIES

PROVENANCE = Provenance(job="r1", as_of="2022-12-28", data_version="d", code_version="c", result_digest="r")


@pytest.fixture(scope="module")
def material(finished_search, judgement) -> ChartData:
    result = judgement.result
    return ChartData(
        request=result.manifest.request,
        trials=finished_search.trials,
        plotted=result.trials,
        result=result,
        history=History(*judgement.history),
        points=5_000,
    )


@pytest.fixture(scope="module")
def charts(material) -> Charts:
    return build_charts(material, PROVENANCE)


def test_the_running_maximum_is_of_the_trials_within_the_limits(material, charts):
    best = None
    for n, trial in enumerate(material.plotted):
        if trial.feasible and (best is None or trial.objective > best):
            best = trial.objective
        assert charts.convergence.running_maximum[n] == best
    finals = {name: line[-1] for name, line in charts.convergence.by_scenario.items()}
    assert finals == {
        name: max(
            (t.train if name == HISTORY else t.evaluation(name)).metrics.utility.value
            for t in material.trials
            if not t.screened
        )
        for name in ("base_case", "bear_market", HISTORY)
    }


def test_where_no_trial_keeps_the_limits_there_is_no_maximum(finished_search, material):
    limits = Limits(expected_shortfall=Limit(bound=1e-6, scenarios=("base_case",)))
    request = material.request.model_copy(update={"limits": limits})
    none = plot_trials(request, finished_search.trials)
    charts = build_charts(
        ChartData(request, finished_search.trials, none, None, None, 5_000), PROVENANCE, partial=("cancelled",)
    )
    assert charts.convergence is not None
    assert charts.risk_return is not None
    assert set(charts.convergence.running_maximum) == {None}
    assert not [point for point in charts.risk_return.points if point.pareto or point.chosen]
    assert charts.partial == ("cancelled",)
    assert charts.scenarios is charts.weights is charts.fan is None


def test_the_front_is_what_no_other_point_beats(charts):
    points = [p for p in charts.risk_return.points if p.feasible]
    for point in points:
        beaten = any(
            (q.volatility <= point.volatility and q.excess_return > point.excess_return)
            or (q.volatility < point.volatility and q.excess_return >= point.excess_return)
            for q in points
        )
        assert point.pareto is not beaten
    assert sum(p.chosen for p in charts.risk_return.points) == 1


def test_equal_points_are_on_the_front_once():
    actual = pareto(np.array([0.1, 0.1, 0.1, 0.2]), np.array([0.02, 0.02, 0.01, 0.02]))
    assert actual.tolist() == [True, False, False, False]


def test_bars_have_their_interval_and_history_has_none(material, charts):
    for bar, outcome in zip(charts.scenarios, material.result.scenarios, strict=True):
        if bar.scenario == HISTORY:
            assert (bar.low, bar.high) == (None, None)
        else:
            assert bar.high - bar.low == pytest.approx(2 * 1.96 * outcome.benefit_bps.error)
            assert (bar.high + bar.low) / 2 == pytest.approx(outcome.benefit_bps.value)


def test_cells_of_a_heatmap_hold_all_trials_and_their_mean(material, charts):
    assert charts.sensitivity
    configs = {trial.digest: trial.config for trial in material.trials}
    for heatmap in charts.sensitivity:
        assert sum(map(sum, heatmap.n)) == len(material.plotted)
        for r, row in enumerate(heatmap.rows):
            for c, column in enumerate(heatmap.columns):
                values = [
                    t.objective
                    for t in material.plotted
                    if label_of(configs[t.digest], heatmap.row_parameter) == row
                    and label_of(configs[t.digest], heatmap.column_parameter) == column
                ]
                assert heatmap.n[r][c] == len(values)
                assert heatmap.mean[r][c] == (pytest.approx(np.mean(values)) if values else None)


def label_of(config, name):
    value = getattr(config, name)
    return "not used" if value is None else str(value)


def test_rebalances_are_those_after_which_the_record_holds_another_weight(world, material, charts):
    """The replay counts trades; the chart uses weights only."""
    config = material.result.winner.config
    part = slice(world.market.train.start, world.market.validate.stop)
    _, weight, turnover, _ = world.replay([config]).series[0, :, part]
    dates = world.market.dates[part].astype("datetime64[D]")
    traded = {str(dates[t]) for t in np.flatnonzero(turnover[:-1] > 2e-4)}
    visible = {rebalance.date: rebalance for rebalance in charts.weights.rebalances}
    assert traded <= set(visible)
    assert charts.weights.rebalance_count == len(visible) > 10
    trades = rebalancing_days(dates)[FREQUENCIES.index(config.rebalancing)]
    calendar = {str(dates[t]) for t in np.flatnonzero(trades)}
    after = dict(zip(map(str, dates[:-1]), weight[1:], strict=True))
    for date, rebalance in visible.items():
        assert date in calendar
        assert rebalance.after == after[date]
        assert abs(rebalance.after - rebalance.before) > 1e-4


def test_phases_cover_every_day_once(charts):
    phases = charts.weights.phases
    assert phases[0].first == charts.weights.dates[0]
    assert phases[-1].last == charts.weights.dates[-1]
    assert all(a.last < b.first and a.phase != b.phase for a, b in pairwise(phases))


def test_the_deepest_fall_is_that_of_the_facts(material, charts):
    fact = next(f for f in material.result.facts if f.name == "worst_drawdown")
    assert max(charts.drawdown.strategy) == pytest.approx(fact.value)
    assert max(charts.drawdown.constant_weight) == pytest.approx(fact.benchmark)


def test_rolling_volatility_is_the_deviation_of_the_last_sessions(material, charts):
    total = material.history.winner + material.history.cash
    assert charts.rolling_volatility.strategy[0] == pytest.approx(np.std(total[:WINDOW], ddof=1) * np.sqrt(252))
    assert charts.rolling_volatility.dates[0] == str(material.history.dates()[WINDOW - 1])


def test_the_fan_opens_around_the_median(charts):
    assert charts.fan.levels == FAN_LEVELS
    assert len(charts.fan.years) == 13
    assert all(line[0] == pytest.approx(1.0) for line in charts.fan.bands)
    assert [line[-1] for line in charts.fan.bands] == sorted(line[-1] for line in charts.fan.bands)


def test_wealth_grows_by_the_days_of_the_record(material, charts):
    total = material.history.winner + material.history.cash
    assert charts.growth.strategy[-1] == pytest.approx(np.exp(np.log1p(total).sum()))
    assert charts.growth.strategy[0] == pytest.approx(1.0 + total[0])


def test_months_compound_to_the_wealth_of_the_record(charts):
    months = charts.monthly_returns
    assert [(m.year, m.month) for m in months] == sorted({(m.year, m.month) for m in months})
    for name, final in (
        ("strategy", charts.growth.strategy[-1]),
        ("constant_weight", charts.growth.constant_weight[-1]),
    ):
        assert np.prod([1.0 + getattr(month, name) for month in months]) == pytest.approx(final)
    years = {year.year: year.strategy for year in charts.years}
    first = min(years)
    own = [1.0 + month.strategy for month in months if month.year == first + 1]
    assert np.prod(own) - 1.0 == pytest.approx(years[first + 1])


def test_the_rolling_sharpe_ratio_is_that_of_the_last_year(material, charts):
    chart, excess = charts.rolling_sharpe, material.history.winner
    assert len(chart.dates) == min(material.points, excess.size - chart.window + 1)
    for place in (0, len(chart.dates) // 2, -1):
        end = list(material.history.dates().astype(str)).index(chart.dates[place]) + 1
        year = excess[end - chart.window : end]
        assert chart.strategy[place] == pytest.approx(year.mean() / year.std(ddof=1) * np.sqrt(252))


def test_the_deepest_fall_is_that_of_the_drawdown_chart(charts):
    depths = [fall.depth for fall in charts.falls]
    assert depths == sorted(depths, reverse=True)
    assert depths[0] == pytest.approx(max(charts.drawdown.strategy))
    assert charts.drawdown.dates[int(np.argmax(charts.drawdown.strategy))] == charts.falls[0].trough
    assert all(fall.peak is None or fall.peak < fall.trough for fall in charts.falls)


def test_every_day_is_in_one_bin_of_the_distribution(material, charts):
    chart = charts.distribution
    assert sum(chart.strategy) == sum(chart.constant_weight) == material.history.days.size
    assert len(chart.edges) == len(chart.strategy) + 1
    total = material.history.winner + material.history.cash
    middle = len(chart.strategy) // 2
    low, high = chart.edges[middle : middle + 2]
    assert chart.strategy[middle] == np.count_nonzero((total >= low) & (total < high))


def test_each_chart_says_what_it_shows(material, charts):
    drawn = {name for name in get_args(ChartName) if getattr(charts, name) is not None}
    assert set(charts.findings) == drawn | {"importance"}
    assert f"{max(charts.drawdown.strategy):.1%}" in charts.findings["drawdown"]
    assert f"{charts.growth.strategy[-1]:.2f}" in charts.findings["growth"]
    best = max(trial.objective for trial in material.plotted if trial.feasible)
    assert f"{1e4 * best:.0f} bps".replace("-", "−") in charts.findings["convergence"]


def test_the_same_material_gives_the_same_bytes(material, charts):
    assert build_charts(material, PROVENANCE).model_dump_json() == charts.model_dump_json()
    assert Charts.model_validate_json(charts.model_dump_json()) == charts


def test_one_chart_is_drawn_alone(material, charts):
    alone = build_charts(material, PROVENANCE, only=["drawdown"])
    assert alone.drawdown == charts.drawdown
    assert alone.findings == {"drawdown": charts.findings["drawdown"]}
    assert alone.weights is alone.convergence is alone.fan is None


def test_few_points_keep_the_ends_and_the_extremes(material):
    few = build_charts(material._replace(points=100), PROVENANCE).drawdown
    whole = build_charts(material, PROVENANCE, only=["drawdown"]).drawdown
    assert few is not None
    assert whole is not None
    assert len(few.dates) <= 100
    assert max(few.strategy) == max(whole.strategy)
    assert (few.dates[0], few.dates[-1]) == (whole.dates[0], whole.dates[-1])


@pytest.mark.parametrize("size", [1, 2, 99, 100, 101, 5_000, 12_345])
def test_a_line_is_never_longer_than_asked_for(size):
    values = np.sin(np.arange(size) * 0.7) * np.arange(size)
    rows = downsample(values, 100)
    assert rows.size == min(size, rows.size) <= 100
    assert (rows[0], rows[-1]) == (0, size - 1)
    assert {int(np.argmin(values)), int(np.argmax(values))} <= set(rows.tolist())
