import dataclasses
import itertools
import math
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import optimize, stats

from quant.numeric.errors import DataError
from quant.numeric.returns import Returns
from quant.performance.calendar_returns import CRISES
from quant.performance.summary import Tearsheet, tearsheet

DATA = Path(__file__).parents[3] / "desk" / "market" / "data"
A = 252


def real() -> tuple[pd.Series, pd.Series]:
    """An S&P 500 stock and the index, daily, 1990 to 2022."""
    stocks = pd.read_parquet(DATA / "sp500_stocks.parquet").set_index("date")
    index = pd.read_parquet(DATA / "sp500_index.parquet").set_index("date")
    return stocks["JPM"].pct_change().dropna(), index["SP500"].pct_change().dropna()


def random(seed: int, days: int) -> tuple[pd.Series, pd.Series]:
    rng = np.random.default_rng(seed)
    dates = pd.bdate_range("2015-03-10", periods=days)
    market = pd.Series(rng.standard_t(4, days) * 0.007 + 0.0003, index=dates)
    own = 0.7 * market + rng.standard_normal(days) * 0.004
    own[rng.random(days) < 0.05] = 0.0
    return own, market


SAMPLES = {"real": real(), "random": random(1, 1777), "short": random(2, 260)}
RATE = 0.03
PER_DAY = 1.03 ** (1 / 252) - 1


@pytest.fixture(scope="module", params=list(SAMPLES))
def case(request: pytest.FixtureRequest) -> tuple[Tearsheet, pd.Series, pd.Series]:
    own, market = SAMPLES[request.param]
    sheet = tearsheet(own.to_numpy(), benchmark=market.to_numpy(), rate=RATE, dates=own.index.to_numpy())
    return sheet, own, market


def near(sheet: Tearsheet, expected: dict[str, Any], rel: float = 1e-9) -> None:
    values = {name: getattr(sheet, name) for name in expected}
    for name, value in expected.items():
        if value is None or values[name] is None:
            assert values[name] is value is None, name
        else:
            assert values[name] == pytest.approx(value, rel=rel, abs=1e-14), name


def test_growth_is_that_of_pandas(case: tuple[Tearsheet, pd.Series, pd.Series]) -> None:
    sheet, r, _ = case
    total = (1 + r).prod()
    near(
        sheet,
        {
            "observations": len(r),
            "years": len(r) / A,
            "rate": A * PER_DAY,
            "time_in_market": (r != 0).mean(),
            "mean": r.mean(),
            "mean_excess": r.mean() - PER_DAY,
            "annual_return": A * r.mean(),
            "annual_excess": A * (r.mean() - PER_DAY),
            "cumulative_return": total - 1,
            "cagr": total ** (A / len(r)) - 1,
            "risk_adjusted_return": (total ** (A / len(r)) - 1) / (r != 0).mean(),
            "expected_period": stats.gmean(1 + r) - 1,
            "best": r.max(),
            "worst": r.min(),
        },
    )


def test_ratios_are_those_of_their_formulas(case: tuple[Tearsheet, pd.Series, pd.Series]) -> None:
    sheet, r, _ = case
    x = r - PER_DAY
    n, sr = len(x), x.mean() / x.std()
    g3, g4 = stats.skew(x), stats.kurtosis(x, fisher=False)
    error = math.sqrt((1 - g3 * sr + (g4 - 1) / 4 * sr**2) / (n - 1))
    c = (x - x.mean()).to_numpy()
    rho = np.array([c[:-k] @ c[k:] for k in range(1, A)]) / (c @ c)
    lo = A / math.sqrt(A + 2 * ((A - np.arange(1, A)) * rho).sum())
    first = x.autocorr(1)
    k = np.arange(1, n)
    penalty = math.sqrt(1 + 2 * ((n - k) / n * abs(first) ** k).sum())
    sortino = math.sqrt(A) * x.mean() / math.sqrt((x.clip(upper=0) ** 2).mean())
    near(
        sheet,
        {
            "sharpe": math.sqrt(A) * sr,
            "sharpe_error": math.sqrt(A) * error,
            "sharpe_autocorrelated": sr * lo,
            "autocorrelation": first,
            "smart_sharpe": math.sqrt(A) * sr / penalty,
            "probabilistic_sharpe": stats.norm.cdf(sr / error),
            "sortino": sortino,
            "smart_sortino": sortino / penalty,
            "adjusted_sortino": sortino / math.sqrt(2),
            "smart_adjusted_sortino": sortino / penalty / math.sqrt(2),
            "omega": x[x > 0].sum() / -x[x < 0].sum(),
            "gain_to_pain": r.sum() / -r[r < 0].sum(),
            "risk_return": r.mean() / r.std(),
            "kelly_fraction": x.mean() / x.var(),
        },
        rel=1e-8,
    )


def entropic(losses: np.ndarray) -> float:
    """The infimum of its definition, by a search over ln z."""

    def bound(u: float) -> float:
        z = math.exp(u)
        return (np.log(np.mean(np.exp(z * (losses - losses.max())))) - math.log(0.05)) / z + losses.max()

    grid = np.linspace(-5, 12, 200)
    start = grid[np.argmin([bound(u) for u in grid])]
    return bound(float(np.asarray(optimize.fminbound(bound, start - 0.2, start + 0.2, xtol=1e-8))))


def test_the_distribution_is_that_of_its_definitions(case: tuple[Tearsheet, pd.Series, pd.Series]) -> None:
    sheet, r, _ = case
    x = r - PER_DAY
    v, d = r.to_numpy(), (r - r.mean()).to_numpy()
    below = np.maximum(-d, 0)
    n, k = len(v), 0.05 * len(v)
    ascending = np.sort(v)
    shares = np.clip(k - np.arange(n), 0, 1)
    logs = np.log1p(v)
    z = stats.norm.ppf(0.05)
    near(
        sheet,
        {
            "deviation": r.std(),
            "variance": r.var(),
            "volatility": r.std() * math.sqrt(A),
            "semi_variance": (below**2).sum() / (n - 1),
            "semi_deviation": math.sqrt((below**2).sum() / (n - 1)),
            "downside_deviation": math.sqrt(A * (np.minimum(x, 0) ** 2).mean()),
            "mean_absolute_deviation": np.abs(d).mean(),
            "first_lower_partial_moment": below.mean(),
            "fourth_central_moment": stats.moment(v, 4),
            "fourth_lower_partial_moment": (below**4).mean(),
            "skewness": stats.skew(v),
            "kurtosis": stats.kurtosis(v, fisher=False),
            "gini_mean_difference": sum(np.abs(v - a).sum() for a in v) / (n * (n - 1)),
            "value_at_risk": -ascending[math.ceil(k - 1e-9) - 1],
            "expected_shortfall": -(ascending @ shares) / k,
            "normal_value_at_risk": -stats.norm.ppf(0.05, r.mean(), r.std()),
            "normal_expected_shortfall": -r.mean() + r.std() * stats.norm.pdf(z) / 0.05,
            "entropic_risk": math.log(np.exp(-v).mean() / 0.05),
            "tail_ratio": abs(r.quantile(0.95) / r.quantile(0.05)),
            "outlier_win_ratio": r.quantile(0.99) / r[r > 0].mean(),
            "outlier_loss_ratio": r.quantile(0.01) / r[r < 0].mean(),
            "risk_of_ruin": min(1.0, 0.5 ** (2 * logs.mean() / logs.var(ddof=1))) if logs.mean() > 0 else 1.0,
        },
        rel=1e-8,
    )
    assert sheet.entropic_value_at_risk == pytest.approx(entropic(-v), rel=1e-9)
    assert sheet.expected_shortfall <= sheet.entropic_value_at_risk <= -v.min()


def falls_of(wealth: np.ndarray) -> list[tuple[float, int, int, int | None]]:
    """Depth, first session, trough and recovery of each fall, by a walk from peak to peak; wealth[0] is the start."""
    falls, t = [], 1
    while t < len(wealth):
        if wealth[t] >= wealth[:t].max() * (1 - 1e-13):
            t += 1
            continue
        peak, start = wealth[:t].max(), t
        while t < len(wealth) and wealth[t] < peak * (1 - 1e-13):
            t += 1
        trough = start + int(np.argmin(wealth[start:t]))
        falls.append((1 - wealth[trough] / peak, start - 1, trough - 1, t - 1 if t < len(wealth) else None))
    return falls


def test_drawdowns_are_those_of_a_walk_from_peak_to_peak(case: tuple[Tearsheet, pd.Series, pd.Series]) -> None:
    sheet, r, _ = case
    wealth = np.append(1.0, (1 + r).cumprod())
    below = (1 - wealth / np.maximum.accumulate(wealth))[1:]
    falls = falls_of(wealth)
    days = r.index
    n = len(r)
    lengths = [(n - 1 if end is None else end) - start + 1 for _, start, _, end in falls]
    spans = [(days[-1 if end is None else end] - days[max(start - 1, 0)]).days for _, start, _, end in falls]
    deepest = max(falls, key=lambda fall: fall[0])
    k = 0.05 * n
    shares = np.clip(k - np.arange(n), 0, 1)
    conditional = (np.sort(below)[::-1] @ shares) / k
    ulcer = math.sqrt((below**2).mean())
    excess = A * (r.mean() - PER_DAY)
    near(
        sheet,
        {
            "max_drawdown": below.max(),
            "mean_drawdown": below.mean(),
            "drawdown_at_risk": np.sort(below)[::-1][math.ceil(k - 1e-9) - 1],
            "conditional_drawdown_at_risk": conditional,
            "ulcer_index": ulcer,
            "time_under_water": (below > 1e-13).mean(),
            "falls": len(falls),
            "average_drawdown": np.mean([fall[0] for fall in falls]),
            "average_drawdown_length": np.mean(lengths),
            "average_drawdown_days": np.mean(spans),
            "longest_drawdown": max(lengths),
            "longest_drawdown_days": max(spans),
            "recovery_periods": None if deepest[3] is None else deepest[3] - deepest[1] + 1,
            "calmar": (wealth[-1] ** (A / n) - 1) / below.max(),
            "recovery_factor": (wealth[-1] - 1) / below.max(),
            "ulcer_performance": excess / ulcer,
            "serenity": excess / (ulcer * conditional / (r.std() * math.sqrt(A))),
        },
        rel=1e-8,
    )
    assert sheet.entropic_drawdown_at_risk == pytest.approx(entropic(below), rel=1e-8)
    for fall, (depth, start, trough, end) in zip(sheet.worst_falls, sorted(falls, key=lambda f: -f[0]), strict=False):
        assert fall.depth == pytest.approx(depth, rel=1e-9)
        assert (fall.start, fall.trough, fall.recovery) == (start, trough, end)
        assert fall.start_date == days[start].date()
        assert fall.trough_date == days[trough].date()
        assert fall.recovery_date == (None if end is None else days[end].date())
    assert len(sheet.worst_falls) == min(10, len(falls))


def longest_run(flags: pd.Series) -> int:
    return max((sum(1 for _ in run) for flag, run in itertools.groupby(flags) if flag), default=0)


def test_wins_and_losses_are_those_of_pandas(case: tuple[Tearsheet, pd.Series, pd.Series]) -> None:
    sheet, r, _ = case
    wins, losses = r[r > 0], r[r < 0]
    rate = len(wins) / (len(wins) + len(losses))
    odds = wins.mean() / -losses.mean()
    factor = wins.sum() / -losses.sum()
    tail = abs(r.quantile(0.95) / r.quantile(0.05))
    near(
        sheet,
        {
            "win_rate": rate,
            "average_return": r[r != 0].mean(),
            "average_win": wins.mean(),
            "average_loss": losses.mean(),
            "payoff_ratio": odds,
            "profit_ratio": (wins.mean() / len(wins)) / -(losses.mean() / len(losses)),
            "profit_factor": factor,
            "common_sense_ratio": factor * tail,
            "cpc_index": factor * rate * odds,
            "kelly": (odds * rate - (1 - rate)) / odds,
            "max_consecutive_wins": longest_run(r > 0),
            "max_consecutive_losses": longest_run(r < 0),
        },
    )


def test_calendar_returns_are_those_of_pandas(case: tuple[Tearsheet, pd.Series, pd.Series]) -> None:
    sheet, r, market = case
    months = (1 + r).resample("ME").prod() - 1
    quarters = (1 + r).resample("QE").prod() - 1
    years = (1 + r).resample("YE").prod() - 1
    assert [(y, m) for y, m, _ in sheet.months] == [(d.year, d.month) for d in months.index]
    np.testing.assert_allclose([value for *_, value in sheet.months], months, rtol=1e-9, atol=1e-14)
    assert dict(sheet.calendar_years) == pytest.approx({d.year: v for d, v in years.items()}, rel=1e-9)
    near(
        sheet,
        {
            "expected_month": stats.gmean(1 + months) - 1,
            "expected_year": stats.gmean(1 + years) - 1,
            "best_month": months.max(),
            "worst_month": months.min(),
            "best_year": years.max(),
            "worst_year": years.min(),
            "average_up_month": months[months > 0].mean(),
            "average_down_month": months[months < 0].mean(),
            "win_month": (months > 0).sum() / (months != 0).sum(),
            "win_quarter": (quarters > 0).sum() / (quarters != 0).sum(),
            "win_year": (years > 0).sum() / (years != 0).sum(),
            "gain_to_pain_month": months.sum() / -months[months < 0].sum(),
        },
    )
    assert (sheet.start, sheet.end) == (r.index[0].date(), r.index[-1].date())
    upward = (1 + market).resample("YE").prod() - 1 > 0
    given_up = ((1 + market).resample("YE").prod() - 1 - years)[upward]
    near(sheet, {"upside_given_up": given_up.mean() if upward.any() else None}, rel=1e-8)


def test_trailing_windows_begin_at_the_close_so_many_months_before(
    case: tuple[Tearsheet, pd.Series, pd.Series],
) -> None:
    sheet, r, _ = case
    end = r.index[-1]

    def since(base: pd.Timestamp, years: int = 1) -> float | None:
        if r.index[0] > base + pd.Timedelta(days=5):
            return None
        return (1 + r[r.index > base]).prod() ** (1 / years) - 1

    near(
        sheet,
        {
            "month_to_date": since(end.replace(day=1) - pd.Timedelta(days=1)),
            "three_months": since(end - pd.DateOffset(months=3)),
            "six_months": since(end - pd.DateOffset(months=6)),
            "year_to_date": since(pd.Timestamp(end.year - 1, 12, 31)),
            "one_year": since(end - pd.DateOffset(years=1)),
            "three_years": since(end - pd.DateOffset(years=3), 3),
            "five_years": since(end - pd.DateOffset(years=5), 5),
            "ten_years": since(end - pd.DateOffset(years=10), 10),
        },
    )


@pytest.mark.parametrize("end", ["2024-02-29", "2023-03-31", "2024-05-31", "2024-12-31", "2024-01-30"])
def test_a_month_too_short_for_the_day_lends_its_last(end: str) -> None:
    days = pd.date_range("2010-01-01", end)
    r = pd.Series(np.random.default_rng(0).normal(0, 0.01, len(days)), index=days)
    sheet = tearsheet(r.to_numpy(), dates=days.to_numpy())
    for name, months, years in (
        ("three_months", 3, 1),
        ("six_months", 6, 1),
        ("one_year", 12, 1),
        ("ten_years", 120, 10),
    ):
        base = days[-1] - pd.DateOffset(months=months)
        expected = float((1 + r[r.index > base]).to_numpy().prod()) ** (1 / years) - 1
        assert getattr(sheet, name) == pytest.approx(expected, rel=1e-9), name


def test_a_series_covers_a_window_that_begins_over_a_long_weekend_and_no_more() -> None:
    """2018-12-31 is the base of the year 2019; trading began on January 2."""
    for first, covered in (("2019-01-02", True), ("2019-01-05", True), ("2019-01-07", False)):
        days = pd.date_range(first, "2019-12-31")
        sheet = tearsheet(np.full(len(days), 0.001), dates=days.to_numpy())
        assert (sheet.year_to_date is not None) == covered
        assert (sheet.one_year is not None) == covered


def test_crises_run_from_close_to_close_and_only_where_covered() -> None:
    r, market = real()
    sheet = tearsheet(r.to_numpy(), benchmark=market.to_numpy(), dates=r.index.to_numpy())
    names = [
        name for name, start, end in CRISES if pd.Timestamp(start) >= r.index[0] and pd.Timestamp(end) <= r.index[-1]
    ]
    assert [c.name for c in sheet.crises] == names
    assert "October 1987" not in names
    prices = pd.read_parquet(DATA / "sp500_index.parquet").set_index("date")["SP500"]
    for crisis in sheet.crises:
        assert crisis.benchmark == pytest.approx(prices[str(crisis.end)] / prices[str(crisis.start)] - 1, rel=1e-9)
    # the falls of the index that the specification quotes
    by_name = {c.name: c.benchmark for c in sheet.crises}
    assert by_name["Global financial crisis"] == pytest.approx(-0.568, abs=0.0005)
    assert by_name["COVID-19"] == pytest.approx(-0.339, abs=0.0005)
    assert by_name["End of 2018"] == pytest.approx(-0.198, abs=0.0005)
    assert by_name["Inflation of 2022"] == pytest.approx(-0.254, abs=0.0005)


def test_the_benchmark_explains_what_a_regression_says(case: tuple[Tearsheet, pd.Series, pd.Series]) -> None:
    import statsmodels.api as sm

    sheet, r, market = case
    x, y = (market - PER_DAY).to_numpy(), (r - PER_DAY).to_numpy()
    fit = sm.OLS(y, sm.add_constant(x)).fit(cov_type="HC0")
    active = r - market
    up, down = market > 0, market < 0

    def capture(part: pd.Series) -> float:
        return (stats.gmean(1 + r[part]) - 1) / (stats.gmean(1 + market[part]) - 1)

    near(
        sheet,
        {
            "beta": fit.params[1],
            "beta_error": fit.bse[1],
            "alpha": A * fit.params[0],
            "alpha_error": A * fit.bse[0],
            "correlation": np.corrcoef(x, y)[0, 1],
            "r_squared": fit.rsquared,
            "tracking_error": active.std() * math.sqrt(A),
            "information_ratio": math.sqrt(A) * active.mean() / active.std(),
            "treynor": A * y.mean() / fit.params[1],
            "upside_capture": capture(up),
            "downside_capture": capture(down),
        },
        rel=1e-8,
    )


def test_a_rate_that_changes_counts_day_by_day() -> None:
    r, market = SAMPLES["random"]
    rate = np.linspace(0.0, 0.0004, len(r))
    by_series = tearsheet(r.to_numpy(), benchmark=market.to_numpy(), rate=rate)
    x, b = r - rate, market - rate
    assert by_series.sharpe == pytest.approx(x.mean() / x.std() * math.sqrt(A), rel=1e-10)
    assert by_series.beta == pytest.approx(np.polyfit(b, x, 1)[0], rel=1e-8)
    assert by_series.volatility == tearsheet(r.to_numpy()).volatility
    constant = tearsheet(r.to_numpy(), rate=np.full(len(r), PER_DAY))
    assert constant.sharpe == pytest.approx(tearsheet(r.to_numpy(), rate=RATE).sharpe, rel=1e-10)


def test_leverage_is_the_sum_of_absolute_weights() -> None:
    r = SAMPLES["short"][0].to_numpy()
    weights = np.random.default_rng(0).normal(0, 1, (len(r), 4))
    sheet = tearsheet(r, weights=weights)
    assert sheet.average_leverage == pytest.approx(np.abs(weights).sum(axis=1).mean())
    assert sheet.max_leverage == pytest.approx(np.abs(weights).sum(axis=1).max())
    assert tearsheet(r, weights=weights[:, 0]).max_leverage == np.abs(weights[:, 0]).max()
    assert tearsheet(r).average_leverage is None


def test_returns_bring_their_dates() -> None:
    own, market = SAMPLES["short"]
    days = own.index.to_numpy().astype("datetime64[D]")
    wrapped = [Returns(days, (name,), s.to_numpy()[:, None]) for name, s in (("OWN", own), ("MKT", market))]
    assert tearsheet(wrapped[0], benchmark=wrapped[1]) == tearsheet(
        own.to_numpy(), benchmark=market.to_numpy(), dates=own.index.to_numpy()
    )


daily = arrays(np.float64, st.integers(30, 80), elements=st.floats(-0.25, 0.25, width=32))


@given(daily, st.floats(0.2, 2.0))
@settings(max_examples=40, deadline=None)
def test_leverage_changes_no_ratio_and_scales_every_risk(r: np.ndarray, scale: float) -> None:
    assume(r.std() > 1e-3)
    one, other = tearsheet(r), tearsheet(scale * r)
    for name in (
        "sharpe",
        "sortino",
        "omega",
        "gain_to_pain",
        "win_rate",
        "payoff_ratio",
        "profit_factor",
        "tail_ratio",
    ):
        a, b = getattr(one, name), getattr(other, name)
        assert (a is None) == (b is None)
        assert a is None or b == pytest.approx(a, rel=1e-7, abs=1e-10), name
    for name in ("deviation", "mean_absolute_deviation", "gini_mean_difference", "value_at_risk", "expected_shortfall"):
        assert getattr(other, name) == pytest.approx(scale * getattr(one, name), rel=1e-8, abs=1e-12), name
    assert other.entropic_value_at_risk == pytest.approx(scale * one.entropic_value_at_risk, rel=1e-7, abs=1e-10)


@given(daily)
@settings(max_examples=40, deadline=None)
def test_risks_are_ordered(r: np.ndarray) -> None:
    sheet = tearsheet(r)
    tolerance = 1e-9
    assert sheet.value_at_risk <= sheet.expected_shortfall + tolerance
    assert sheet.expected_shortfall <= sheet.entropic_value_at_risk + tolerance
    assert sheet.entropic_value_at_risk <= -sheet.worst + tolerance
    assert sheet.drawdown_at_risk <= sheet.conditional_drawdown_at_risk + tolerance
    assert sheet.conditional_drawdown_at_risk <= sheet.entropic_drawdown_at_risk + tolerance
    assert sheet.mean_drawdown <= sheet.ulcer_index + tolerance
    assert sheet.ulcer_index <= sheet.max_drawdown + tolerance
    assert sheet.entropic_drawdown_at_risk <= sheet.max_drawdown + tolerance
    assert sheet.expected_period <= sheet.mean + tolerance
    assert 0.0 <= sheet.risk_of_ruin <= 1.0


@given(daily, st.randoms(use_true_random=False))
@settings(max_examples=25, deadline=None)
def test_what_does_not_look_at_order_does_not_change_with_it(r: np.ndarray, shuffler: Any) -> None:
    order = list(range(len(r)))
    shuffler.shuffle(order)
    one, other = tearsheet(r), tearsheet(r[order])
    for name in (
        "cagr",
        "volatility",
        "skewness",
        "value_at_risk",
        "expected_shortfall",
        "gini_mean_difference",
        "omega",
    ):
        a, b = getattr(one, name), getattr(other, name)
        assert (a is None) == (b is None), name
        assert a is None or a == pytest.approx(b, rel=1e-6, abs=1e-10), name


def test_the_frequency_only_annualises() -> None:
    r = SAMPLES["short"][0].to_numpy()
    day, month = tearsheet(r), tearsheet(r, periods=12)
    assert month.volatility == pytest.approx(day.volatility * math.sqrt(12 / 252))
    assert month.cagr == pytest.approx((1 + day.cagr) ** (12 / 252) - 1)
    assert (month.value_at_risk, month.max_drawdown) == (day.value_at_risk, day.max_drawdown)


def test_what_a_series_cannot_tell_is_none() -> None:
    rising = tearsheet(np.full(40, 0.001))
    for name in ("sharpe", "sharpe_error", "sortino", "omega", "calmar", "profit_factor", "average_loss", "serenity"):
        assert getattr(rising, name) is None, name
    assert (rising.falls, rising.longest_drawdown, rising.worst_falls, rising.risk_of_ruin) == (0, 0, (), 0.0)
    assert tearsheet([0.0, 0.0]).win_rate is None
    assert tearsheet(np.full(40, -0.001)).risk_of_ruin == 1.0
    year = SAMPLES["short"][0].to_numpy()[:252]
    assert tearsheet(year).sharpe_autocorrelated is None
    assert tearsheet(np.append(year, 0.001)).sharpe_autocorrelated is not None
    alone = tearsheet(year)
    calendar = ("start", "end", "best_month", "month_to_date", "win_year", "longest_drawdown_days")
    for name in (*calendar, "beta", "alpha", "tracking_error", "upside_capture", "upside_given_up"):
        assert getattr(alone, name) is None, name
    assert alone.months == alone.calendar_years == alone.crises == alone.benchmark_years == ()
    open_ = tearsheet([0.1, -0.2, 0.05], dates=["2024-01-02", "2024-01-03", "2024-01-04"])
    assert open_.recovery_periods is None
    assert open_.worst_falls[0].start_date == date(2024, 1, 3)
    assert (open_.longest_drawdown, open_.longest_drawdown_days) == (2, 2)


@pytest.mark.parametrize("nudge", np.linspace(-4e-17, 4e-17, 9))
def test_two_values_can_leave_a_sharpe_ratio_no_spread(nudge: float) -> None:
    """Two of three returns equal: 1 - g3 SR + (g4 - 1) / 4 SR^2 is (1 - g3 SR / 2)^2, which is 0 at SR = 2 / g3."""
    low = 0.01 * (2 / math.sqrt(0.5) / math.sqrt(3) - 1 / 3)
    sheet = tearsheet([low, low, low + 0.01 + nudge])
    assert sheet.sharpe == pytest.approx(math.sqrt(252) * 2 * math.sqrt(2))
    assert (sheet.sharpe_error is None) == (sheet.probabilistic_sharpe is None)
    assert sheet.sharpe_error is None or sheet.sharpe_error < 1e-6


@given(arrays(np.float64, st.integers(2, 8), elements=st.sampled_from([-0.5, -0.01, 0.0, 0.01, 0.02, 3.0])))
@settings(max_examples=60, deadline=None)
def test_the_shortest_series_have_a_tearsheet_of_finite_numbers(r: np.ndarray) -> None:
    sheet = tearsheet(r, dates=np.datetime64("2023-11-20") + 40 * np.arange(len(r)), rate=0.02)
    for field in dataclasses.fields(sheet):
        value = getattr(sheet, field.name)
        assert not isinstance(value, (int, float)) or math.isfinite(value), field.name


def test_every_number_is_finite() -> None:
    for own, market in SAMPLES.values():
        sheet = tearsheet(own.to_numpy(), benchmark=market.to_numpy(), rate=RATE, dates=own.index.to_numpy())
        numbers = {f.name: getattr(sheet, f.name) for f in dataclasses.fields(sheet)}
        for name, value in numbers.items():
            assert not isinstance(value, (int, float)) or math.isfinite(value), name
            assert not isinstance(value, np.generic), name


GOOD = np.array([0.01, -0.02, 0.015, 0.0])


@pytest.mark.parametrize(
    ("returns", "options", "name"),
    [
        ([], {}, "`returns` must be finite, of shape"),
        ([0.1], {}, "T >= 2"),
        ([0.1, math.nan], {}, "`returns` must be finite; row 1 is nan"),
        ([0.1, -1.0], {}, "`returns` must stay above -1"),
        (np.zeros((4, 2)), {}, "`returns` must be finite, of shape"),
        (GOOD, {"benchmark": GOOD[:3]}, "returns 4, benchmark 3"),
        (GOOD, {"benchmark": np.zeros(4)}, "`benchmark` must vary"),
        (GOOD, {"benchmark": [0.1, math.inf, 0.0, 0.0]}, "`benchmark` must be finite"),
        (GOOD, {"benchmark": [0.1, -1.5, 0.0, 0.0]}, "`benchmark` must stay above -1"),
        (GOOD, {"rate": -1.0}, "`rate` must be finite and above -1 a year; got -1.0"),
        (GOOD, {"rate": math.nan}, "`rate` must be finite"),
        (GOOD, {"rate": [0.0, 0.0]}, "`rate` has 2 periods, `returns` 4"),
        (GOOD, {"rate": [0.0, math.nan, 0.0, 0.0]}, "`rate` must be finite"),
        (GOOD, {"dates": ["2024-01-02"]}, "`dates` of shape"),
        (GOOD, {"dates": ["2024-01-02", "2024-01-03", "2024-01-03", "2024-01-04"]}, "`dates` must ascend"),
        (GOOD, {"dates": ["2024-01-02", "NaT", "2024-01-03", "2024-01-04"]}, "`dates` must ascend"),
        (GOOD, {"periods": 0}, "`periods` must be 1 or more a year; got 0"),
        (GOOD, {"weights": np.zeros(3)}, "`weights` must be finite, of shape"),
        (GOOD, {"weights": np.full(4, math.nan)}, "`weights` must be finite, of shape"),
        (GOOD[:2], {"benchmark": GOOD[:2]}, "three periods or more"),
    ],
)
def test_refuses_what_it_cannot_measure(returns: Any, options: dict[str, Any], name: str) -> None:
    with pytest.raises(DataError, match=name):
        tearsheet(returns, **options)


def test_refuses_other_assets_and_other_dates() -> None:
    days = np.arange("2024-01-01", "2024-01-05", dtype="datetime64[D]")
    two = Returns(days, ("A", "B"), np.zeros((4, 2)))
    with pytest.raises(DataError, match="`returns` must hold one asset; got 2"):
        tearsheet(two)
    with pytest.raises(DataError, match="`benchmark` has other dates"):
        tearsheet(Returns(days, ("A",), GOOD[:, None]), benchmark=Returns(days + 1, ("B",), GOOD[:, None]))
