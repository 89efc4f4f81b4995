"""The statistics of a tear sheet as one table: name, label, unit, definition, and where a page shows each.

Names are the fields of `quant.performance.summary.Tearsheet`, whose docstrings hold the formulas. Light to import.
"""

from typing import Final, Literal, NamedTuple, TypeAlias

StatisticUnit: TypeAlias = Literal["percent", "ratio", "count", "days", "years", "probability"]
"""Percent: a fraction of 1 that reads as percent. Days: calendar days."""
Group: TypeAlias = Literal[
    "Return",
    "Risk and reward",
    "Drawdowns",
    "Tail and shape",
    "Calendar",
    "Wins and losses",
    "Against the benchmark",
    "Exposure",
]


class Statistic(NamedTuple):
    """One statistic of a return series."""

    name: str
    label: str
    unit: StatisticUnit
    definition: str
    group: Group
    headline: bool = False
    """Whether a page shows it at the top, without opening the full tables."""


_TABLE: dict[Group, tuple[tuple[str, str, StatisticUnit, str], ...]] = {
    "Return": (
        ("cumulative_return", "Total return", "percent", "Growth of wealth over all periods, returns compounded."),
        ("cagr", "Growth a year", "percent", "Compound annual growth rate of wealth (CAGR)."),
        ("annual_return", "Mean return a year", "percent", "Periods a year times the mean return of a period."),
        ("annual_excess", "Excess return a year", "percent", "Mean return a year above the cash rate."),
        ("rate", "Cash rate a year", "percent", "Periods a year times the mean riskless rate of a period."),
        ("risk_adjusted_return", "Growth over time in market", "percent", "Growth a year over the time in market."),
        ("expected_period", "Expected return of a period", "percent", "Geometric mean of the returns."),
        ("mean", "Mean return of a period", "percent", "Arithmetic mean of the returns."),
        ("mean_excess", "Mean excess return of a period", "percent", "Arithmetic mean above the cash rate."),
        ("best", "Best period", "percent", "Highest return of a period."),
        ("worst", "Worst period", "percent", "Lowest return of a period."),
        ("time_in_market", "Time in market", "percent", "Share of the periods with a return other than 0."),
        ("observations", "Periods", "count", "Number of returns."),
        ("periods", "Periods a year", "count", "252 for daily, 52 for weekly, 12 for monthly returns."),
        ("years", "Years", "years", "Number of returns over the periods a year."),
    ),
    "Risk and reward": (
        ("volatility", "Volatility", "percent", "Standard deviation of returns, annualised."),
        ("sharpe", "Sharpe ratio", "ratio", "Mean excess return over its standard deviation, annualised."),
        ("sharpe_error", "Standard error of the Sharpe ratio", "ratio", "Mertens (2002): with skewness and kurtosis."),
        (
            "sharpe_autocorrelated",
            "Sharpe ratio, autocorrelation counted",
            "ratio",
            "Lo (2002): annualised with the autocorrelations of a year.",
        ),
        ("smart_sharpe", "Smart Sharpe ratio", "ratio", "Sharpe ratio, penalised by autocorrelation of lag one."),
        (
            "probabilistic_sharpe",
            "Chance of a Sharpe ratio above 0",
            "probability",
            "Probability that the true Sharpe ratio is positive (Bailey and Lopez de Prado 2012).",
        ),
        ("sortino", "Sortino ratio", "ratio", "Mean excess return over its downside deviation, annualised."),
        ("smart_sortino", "Smart Sortino ratio", "ratio", "Sortino ratio, penalised by autocorrelation of lag one."),
        ("adjusted_sortino", "Sortino ratio over root 2", "ratio", "Comparable with the Sharpe ratio (Schwager)."),
        (
            "smart_adjusted_sortino",
            "Smart Sortino ratio over root 2",
            "ratio",
            "Smart Sortino ratio, comparable with the Sharpe ratio.",
        ),
        ("omega", "Omega ratio", "ratio", "Sum of gains over sum of losses of the excess return."),
        ("gain_to_pain", "Gain to pain ratio", "ratio", "Sum of returns over the sum of losses (Schwager)."),
        ("risk_return", "Return over risk of a period", "ratio", "Mean over standard deviation, not annualised."),
        (
            "kelly_fraction",
            "Kelly leverage",
            "ratio",
            "Mean excess return over variance: the leverage of the highest growth.",
        ),
        (
            "autocorrelation",
            "Autocorrelation",
            "ratio",
            "Correlation of the excess return with the one before.",
        ),
    ),
    "Drawdowns": (
        ("max_drawdown", "Maximum drawdown", "percent", "Deepest fall of wealth below its peak."),
        ("mean_drawdown", "Mean drawdown", "percent", "Mean distance of wealth from its peak, over all periods."),
        ("average_drawdown", "Average depth of a drawdown", "percent", "Mean of the deepest points of all drawdowns."),
        ("drawdown_at_risk", "Drawdown at risk, 95%", "percent", "Exceeded in the deepest 5% of the periods."),
        (
            "conditional_drawdown_at_risk",
            "Conditional drawdown at risk, 95%",
            "percent",
            "Mean drawdown of the deepest 5% of the periods.",
        ),
        (
            "entropic_drawdown_at_risk",
            "Entropic drawdown at risk, 95%",
            "percent",
            "Entropic value at risk of the drawdowns.",
        ),
        ("ulcer_index", "Ulcer index", "percent", "Root mean square of the drawdowns."),
        ("time_under_water", "Time under water", "percent", "Share of the periods below the peak."),
        ("falls", "Drawdowns", "count", "Number of falls below a peak."),
        ("average_drawdown_length", "Average length of a drawdown", "count", "Periods from peak to recovery, mean."),
        ("average_drawdown_days", "Average length in days", "days", "Calendar days from peak to recovery, mean."),
        ("longest_drawdown", "Longest drawdown", "count", "Periods from peak to recovery, or to the last period."),
        ("longest_drawdown_days", "Longest drawdown in days", "days", "Calendar days from peak to recovery or end."),
        (
            "recovery_periods",
            "Recovery of the deepest drawdown",
            "count",
            "Periods from its peak until the peak was regained.",
        ),
        ("calmar", "Calmar ratio", "ratio", "Growth a year over maximum drawdown."),
        ("recovery_factor", "Recovery factor", "ratio", "Total return over maximum drawdown."),
        ("ulcer_performance", "Ulcer performance index", "ratio", "Excess return a year over the ulcer index."),
        ("serenity", "Serenity ratio", "ratio", "Excess return a year over ulcer index times pitfall."),
    ),
    "Tail and shape": (
        ("value_at_risk", "Value at risk, 95%", "percent", "Loss of a period that the worst 5% reach or exceed."),
        ("expected_shortfall", "Expected shortfall, 95%", "percent", "Mean loss of the worst 5% of the periods."),
        ("normal_value_at_risk", "Value at risk, 95%, normal law", "percent", "1.645 deviations less the mean."),
        (
            "normal_expected_shortfall",
            "Expected shortfall, 95%, normal law",
            "percent",
            "Mean loss beyond value at risk under a normal law.",
        ),
        (
            "entropic_value_at_risk",
            "Entropic value at risk, 95%",
            "percent",
            "Tightest exponential bound of the tail (Ahmadi-Javid 2012).",
        ),
        ("entropic_risk", "Entropic risk, 95%", "ratio", "Entropic risk measure at a risk aversion of 1."),
        ("skewness", "Skewness", "ratio", "Third standardised moment; negative: the losses are the larger extremes."),
        ("kurtosis", "Kurtosis", "ratio", "Fourth standardised moment; 3 for the normal law."),
        ("tail_ratio", "Tail ratio", "ratio", "95% quantile over the 5% quantile, without sign."),
        ("outlier_win_ratio", "Outlier win ratio", "ratio", "99% quantile over the mean gain."),
        ("outlier_loss_ratio", "Outlier loss ratio", "ratio", "1% quantile over the mean loss."),
        ("deviation", "Deviation of a period", "percent", "Standard deviation of returns, not annualised."),
        ("variance", "Variance of a period", "ratio", "Square of the deviation."),
        ("downside_deviation", "Downside deviation", "percent", "Deviation of excess returns below 0, annualised."),
        ("semi_deviation", "Semideviation of a period", "percent", "Deviation below the mean, not annualised."),
        ("semi_variance", "Semivariance of a period", "ratio", "Square of the semideviation."),
        ("mean_absolute_deviation", "Mean absolute deviation", "percent", "Mean distance of returns from their mean."),
        ("gini_mean_difference", "Gini mean difference", "percent", "Mean distance of two returns from each other."),
        (
            "first_lower_partial_moment",
            "First lower partial moment",
            "percent",
            "Mean shortfall of returns below their mean.",
        ),
        ("fourth_central_moment", "Fourth central moment", "ratio", "Mean fourth power of the distance from the mean."),
        (
            "fourth_lower_partial_moment",
            "Fourth lower partial moment",
            "ratio",
            "Mean fourth power of the shortfall below the mean.",
        ),
        (
            "risk_of_ruin",
            "Chance that wealth ever halves",
            "probability",
            "For normal, independent log returns with the mean and variance of the series.",
        ),
    ),
    "Calendar": (
        ("month_to_date", "Month to date", "percent", "Return since the end of the month before."),
        ("three_months", "3 months", "percent", "Return of the last three months."),
        ("six_months", "6 months", "percent", "Return of the last six months."),
        ("year_to_date", "Year to date", "percent", "Return since the end of the year before."),
        ("one_year", "1 year", "percent", "Return of the last twelve months."),
        ("three_years", "3 years, a year", "percent", "Growth a year of the last three years."),
        ("five_years", "5 years, a year", "percent", "Growth a year of the last five years."),
        ("ten_years", "10 years, a year", "percent", "Growth a year of the last ten years."),
        ("expected_month", "Expected month", "percent", "Geometric mean of the months."),
        ("expected_year", "Expected year", "percent", "Geometric mean of the calendar years."),
        ("best_month", "Best month", "percent", "Highest return of a calendar month."),
        ("worst_month", "Worst month", "percent", "Lowest return of a calendar month."),
        ("best_year", "Best year", "percent", "Highest return of a calendar year."),
        ("worst_year", "Worst year", "percent", "Lowest return of a calendar year."),
        ("average_up_month", "Average gain of a month", "percent", "Mean of the months above 0."),
        ("average_down_month", "Average loss of a month", "percent", "Mean of the months below 0."),
        ("win_month", "Months with a gain", "percent", "Share of the months above 0 among those other than 0."),
        ("win_quarter", "Quarters with a gain", "percent", "Share of the quarters above 0 among those other than 0."),
        ("win_year", "Years with a gain", "percent", "Share of the calendar years above 0 among those other than 0."),
        ("gain_to_pain_month", "Gain to pain ratio of months", "ratio", "Sum of the months over the sum of losses."),
    ),
    "Wins and losses": (
        ("win_rate", "Periods with a gain", "percent", "Share of the periods above 0 among those other than 0."),
        ("average_return", "Average return other than 0", "percent", "Mean of the returns other than 0."),
        ("average_win", "Average gain", "percent", "Mean of the returns above 0."),
        ("average_loss", "Average loss", "percent", "Mean of the returns below 0, negative."),
        ("payoff_ratio", "Payoff ratio", "ratio", "Average gain over average loss, without sign."),
        ("profit_ratio", "Profit ratio", "ratio", "Payoff ratio times number of losses over number of gains."),
        ("profit_factor", "Profit factor", "ratio", "Sum of gains over sum of losses, without sign."),
        ("common_sense_ratio", "Common sense ratio", "ratio", "Profit factor times tail ratio."),
        ("cpc_index", "CPC index", "ratio", "Profit factor times share of gains times payoff ratio."),
        ("kelly", "Kelly stake", "percent", "Stake of a bet with these odds: share of gains and payoff ratio."),
        ("max_consecutive_wins", "Longest run of gains", "count", "Periods above 0 in a row."),
        ("max_consecutive_losses", "Longest run of losses", "count", "Periods below 0 in a row."),
    ),
    "Against the benchmark": (
        ("beta", "Beta", "ratio", "Slope of the excess return on the benchmark's."),
        ("beta_error", "Standard error of beta", "ratio", "White (1980)."),
        ("alpha", "Alpha a year", "percent", "Excess return a year that beta does not explain."),
        ("alpha_error", "Standard error of alpha", "percent", "White (1980), a year."),
        ("correlation", "Correlation", "ratio", "Of the two excess returns."),
        ("r_squared", "R squared", "ratio", "Square of the correlation: the share of variance explained."),
        ("tracking_error", "Tracking error", "percent", "Deviation of the difference of the returns, annualised."),
        (
            "information_ratio",
            "Information ratio",
            "ratio",
            "Mean difference of returns a year over tracking error.",
        ),
        ("treynor", "Treynor ratio", "ratio", "Excess return a year over beta."),
        ("upside_capture", "Upside capture", "ratio", "Mean return where the benchmark rose, over its own."),
        (
            "downside_capture",
            "Downside capture",
            "ratio",
            "Mean return where the benchmark fell, over its own.",
        ),
        (
            "upside_given_up",
            "Upside given up",
            "percent",
            "Mean shortfall behind the benchmark in its years with a gain.",
        ),
    ),
    "Exposure": (
        ("average_leverage", "Average exposure", "percent", "Mean gross exposure: the sum of the absolute weights."),
        ("max_leverage", "Largest exposure", "percent", "Largest gross exposure of a period."),
    ),
}
_HEADLINES: Final = frozenset(
    ("cagr", "volatility", "sharpe", "max_drawdown", "expected_shortfall", "win_month", "beta", "alpha")
)

STATISTICS: Final = tuple(
    Statistic(*row, group=group, headline=row[0] in _HEADLINES) for group, rows in _TABLE.items() for row in rows
)
"""Every number of a tear sheet, in the order of a page."""
