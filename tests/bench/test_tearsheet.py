"""The tearsheet of 30 years of daily returns against skfolio's 48 statistics and quantstats' full report."""
# pyright: reportMissingImports=false, reportMissingTypeStubs=false

import io
import math
import warnings
from contextlib import redirect_stdout
from typing import Any

import pandas as pd
import pytest

from quant.performance.summary import Tearsheet, tearsheet
from tests.bench.comparison import Comparison

pytestmark = pytest.mark.bench


@pytest.fixture(scope="module")
def series() -> pd.Series:
    """Thirty years of the S&P 500; 5% of their number is not whole, where definitions of value at risk differ."""
    from skfolio.datasets import load_sp500_index

    prices = load_sp500_index()["SP500"]
    returns = prices.pct_change().dropna().iloc[-7561:]
    assert (0.05 * len(returns)) % 1.0 > 0.01
    return returns


def statistics(t: Tearsheet) -> dict[str, float]:
    """Ours by the names of skfolio's summary; its ratios are the mean over a risk, neither annual."""
    root = math.sqrt(252)
    risks = {
        "Mean Absolute Deviation": t.mean_absolute_deviation,
        "First Lower Partial Moment": t.first_lower_partial_moment,
        "Value at Risk at 95%": t.value_at_risk,
        "CVaR at 95%": t.expected_shortfall,
        "Entropic Risk Measure at 95%": t.entropic_risk,
        "EVaR at 95%": t.entropic_value_at_risk,
        "Worst Realization": -t.worst,
        "Drawdown at Risk at 95%": t.drawdown_at_risk,
        "CDaR at 95%": t.conditional_drawdown_at_risk,
        "MAX Drawdown": t.max_drawdown,
        "Average Drawdown": t.mean_drawdown,
        "EDaR at 95%": t.entropic_drawdown_at_risk,
        "Ulcer Index": t.ulcer_index,
        "Gini Mean Difference": t.gini_mean_difference,
    }
    ratios = {name.replace(" at 95%", "") + " Ratio": t.mean / risk for name, risk in risks.items()}
    ratios = {
        name + " at 95%" if f"{name.removesuffix(' Ratio')} at 95%" in risks else name: v for name, v in ratios.items()
    }
    ratios["Calmar Ratio"] = ratios.pop("MAX Drawdown Ratio")
    return {
        **risks,
        **ratios,
        "Mean": t.mean,
        "Annualized Mean": t.annual_return,
        "Variance": t.variance,
        "Annualized Variance": 252 * t.variance,
        "Semi-Variance": t.semi_variance,
        "Annualized Semi-Variance": 252 * t.semi_variance,
        "Standard Deviation": t.deviation,
        "Annualized Standard Deviation": t.volatility,
        "Semi-Deviation": t.semi_deviation,
        "Annualized Semi-Deviation": root * t.semi_deviation,
        "Fourth Central Moment": t.fourth_central_moment,
        "Fourth Lower Partial Moment": t.fourth_lower_partial_moment,
        "Skew": t.skewness,
        "Kurtosis": t.kurtosis,
        "Sharpe Ratio": t.mean / t.deviation,
        "Annualized Sharpe Ratio": root * t.mean / t.deviation,
        "Sortino Ratio": t.mean / t.semi_deviation,
        "Annualized Sortino Ratio": root * t.mean / t.semi_deviation,
        "Effective Number of Assets": 1.0,
        "Assets Number": 1.0,
    }


@pytest.mark.parametrize("dated", [False, True])
def test_tearsheet_against_skfolio(comparison: Comparison, series: pd.Series, dated: bool) -> None:
    from skfolio import Portfolio

    values, dates = series.to_numpy(), series.index.to_numpy()
    frame = series.to_frame()

    def summary() -> pd.Series:
        return Portfolio(frame, weights=[1.0], compounded=True).summary(formatted=False)

    def ours() -> tuple[Tearsheet, dict[str, float]]:
        sheet = tearsheet(values, dates=dates if dated else None)
        return sheet, statistics(sheet)

    def equal(sheets: tuple[Tearsheet, dict[str, float]], theirs: pd.Series) -> None:
        assert set(sheets[1]) == set(theirs.index)
        assert len(theirs) == 48
        for name, value in theirs.items():
            assert sheets[1][str(name)] == pytest.approx(float(value), rel=1e-6), name

    comparison.add(
        "tearsheet with its calendar" if dated else "tearsheet without the calendar",
        f"{len(series):,} days",
        ours,
        {"skfolio (48 statistics)": summary},
        equal=equal,
        target=5.0,
        note="all 48 statistics equal",
    )


def test_tearsheet_against_quantstats(comparison: Comparison, series: pd.Series) -> None:
    import quantstats

    benchmark = series.shift(1).fillna(0.0) * 0.5 + series * 0.5
    values, market, dates = series.to_numpy(), benchmark.to_numpy(), series.index.to_numpy()

    def report() -> pd.Series:
        with warnings.catch_warnings(), redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            return quantstats.reports.metrics(series, benchmark, mode="full", display=False)["Strategy"]

    def equal(t: Tearsheet, theirs: pd.Series) -> None:
        """The functions behind the rows of one definition, since the report rounds to two decimals."""
        assert len(theirs) > 70
        stats = quantstats.stats
        months = {"aggregate": "ME", "prepare_returns": False}
        years = {"aggregate": "YE", "prepare_returns": False}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            same: list[tuple[Any, Any]] = [
                (t.cumulative_return, stats.comp(series)),
                (t.cagr, stats.cagr(series)),
                (t.sharpe, stats.sharpe(series)),
                (t.smart_sharpe, stats.smart_sharpe(series)),
                (t.sortino, stats.sortino(series)),
                (t.smart_sortino, stats.smart_sortino(series)),
                (t.adjusted_sortino, stats.adjusted_sortino(series)),
                (t.omega, stats.omega(series)),
                (t.volatility, stats.volatility(series)),
                (t.calmar, stats.calmar(series)),
                (t.max_drawdown, -stats.max_drawdown(series)),
                (t.r_squared, stats.r_squared(series, benchmark)),
                (t.beta, stats.greeks(series, benchmark)["beta"]),
                (t.alpha, stats.greeks(series, benchmark)["alpha"]),
                (t.expected_period, stats.expected_return(series)),
                (t.expected_month, stats.expected_return(series, **months)),
                (t.expected_year, stats.expected_return(series, **years)),
                (t.kelly, stats.kelly_criterion(series)),
                (t.normal_value_at_risk, -stats.value_at_risk(series)),
                (t.normal_expected_shortfall, -stats.expected_shortfall(series)),
                (t.gain_to_pain, stats.gain_to_pain_ratio(series)),
                (t.payoff_ratio, stats.payoff_ratio(series)),
                (t.profit_factor, stats.profit_factor(series)),
                (t.common_sense_ratio, stats.common_sense_ratio(series)),
                (t.cpc_index, stats.cpc_index(series)),
                (t.tail_ratio, stats.tail_ratio(series)),
                (t.risk_return, stats.risk_return_ratio(series)),
                (t.outlier_loss_ratio, stats.outlier_loss_ratio(series)),
                (t.best_month, stats.best(series, **months)),
                (t.worst_month, stats.worst(series, **months)),
                (t.best_year, stats.best(series, **years)),
                (t.worst_year, stats.worst(series, **years)),
                (t.win_rate, stats.win_rate(series)),
                (t.win_month, stats.win_rate(series, **months)),
                (t.win_year, stats.win_rate(series, **years)),
                (t.average_up_month, stats.avg_win(series, **months)),
                (t.average_down_month, stats.avg_loss(series, **months)),
                (t.max_consecutive_wins, stats.consecutive_wins(series)),
                (t.max_consecutive_losses, stats.consecutive_losses(series)),
            ]
        for place, (ours, expected) in enumerate(same):
            assert ours == pytest.approx(float(expected), rel=1e-6), place

    comparison.add(
        "tearsheet with a benchmark",
        f"{len(series):,} days",
        lambda: tearsheet(values, benchmark=market, dates=dates),
        {"quantstats (full report)": report},
        equal=equal,
        target=100.0,
        note="39 rows of one definition equal",
        budget=2.0,
    )
