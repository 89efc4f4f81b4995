"""The tearsheet: the customary statistics of one return series in one record with documented fields."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from quant.numeric.arguments import checked_arguments
from quant.numeric.arrays import Floats
from quant.numeric.compilation import compiled
from quant.numeric.elementary import power
from quant.numeric.errors import DataError
from quant.numeric.moments import checked_series, same_length
from quant.numeric.returns import Returns
from quant.numeric.units import DAYS
from quant.performance.calendar_returns import CalendarReturns, calendar_returns
from quant.performance.distribution import Distribution, distribution
from quant.performance.drawdown_periods import Underwater, underwater
from quant.performance.growth import checked_days, checked_total
from quant.performance.payoff import Payoff, payoff
from quant.performance.ratios import Growth, Ratios, growth, ratios, sample_of
from quant.performance.relative import Relative, relative


@dataclass(frozen=True, kw_only=True)
class Leverage:
    """Gross exposure, the sum of the absolute weights; None without weights."""

    average_leverage: float | None = None
    max_leverage: float | None = None


@dataclass(frozen=True, kw_only=True)
class Tearsheet(Growth, Ratios, Distribution, Underwater, Payoff, CalendarReturns, Relative, Leverage):
    """Statistics of one return series. Each field is documented in the class that declares it.

    Fractions, never percent; losses, drawdowns and risks are positive. A statistic that the series is too short for, or
    that would divide by nothing, is None.
    """


@compiled
def _leverage(weights: Floats) -> tuple[float, float]:
    mean = 0.0
    most = 0.0
    for t in range(weights.shape[0]):
        gross = 0.0
        for k in range(weights.shape[1]):
            gross += abs(weights[t, k])
        mean += gross
        most = max(most, gross)
    return mean / weights.shape[0], most


def _checked_rate(rate: ArrayLike, observations: int, periods: int) -> Floats:
    """The rate of each period."""
    rates = np.asarray(rate, dtype=np.float64)
    if rates.ndim == 0:
        annual = float(rates)
        if not (math.isfinite(annual) and annual > -1.0):
            raise DataError(f"`rate` must be finite and above -1 a year; got {annual!r}")
        return np.full(observations, power(1.0 + annual, 1.0 / periods) - 1.0)
    series = checked_series(rates, name="rate")
    if series.size != observations:
        raise DataError(f"`rate` has {series.size} periods, `returns` {observations}")
    return series


def _checked_leverage(weights: ArrayLike | None, observations: int) -> Leverage:
    if weights is None:
        return Leverage()
    array = np.ascontiguousarray(weights, dtype=np.float64)
    table = array[:, None] if array.ndim == 1 else array
    if table.ndim != 2 or table.shape[0] != observations or not np.isfinite(table).all():
        raise DataError(
            f"`weights` must be finite, of shape ({observations},) or ({observations}, N); got {array.shape}"
        )
    average, most = _leverage(np.ascontiguousarray(table))
    return Leverage(average_leverage=average, max_leverage=most)


@checked_arguments
def tearsheet(
    returns: ArrayLike | Returns,
    *,
    benchmark: ArrayLike | Returns | None = None,
    rate: ArrayLike = 0.0,
    dates: ArrayLike | None = None,
    periods: int = DAYS,
    weights: ArrayLike | None = None,
) -> Tearsheet:
    """Compute the customary statistics of one return series.

    Parameters
    ----------
    returns : array_like of shape (T,), or Returns of one asset
        Simple returns per period, net of costs, as fractions above -1; T > 1.
    benchmark : array_like of shape (T,), or Returns of one asset, optional
        Simple returns of the benchmark in the same periods.
    rate : float or array_like, shape (T,)
        Riskless rate: a year as a number, taken as (1 + rate) ** (1 / A) - 1 a period, or per period as a series.
    dates : array_like of datetime64 or date, shape (T,), optional
        Ascending; those of `returns` where it is a `Returns`. Without them there are no calendar statistics.
    periods : int
        A, periods a year: 252 for daily, 52 for weekly, 12 for monthly returns.
    weights : array_like of shape (T,) or (T, N), optional
        Weights held in each period, for the leverage.

    Returns
    -------
    Tearsheet

    Raises
    ------
    DataError
        If a series is too short, not finite, at or below -1, or of another length, dates do not ascend or differ from
        the benchmark's, the benchmark does not vary, or an argument lies outside its range.

    Notes
    -----
    It covers the rows of the full report of quantstats 0.0.86, but defines them otherwise where that report is
    inconsistent:

    - The rate enters every excess return; there the rows that total or compound returns ignore it.
    - Drawdown, VaR and shortfall are positive and historical; there VaR and shortfall assume the normal law
      (`normal_value_at_risk` and `normal_expected_shortfall` here).
    - Skewness and kurtosis divide by T, and kurtosis is 3 for the normal law; there both are bias-corrected, in excess.
    - Information ratio, Treynor ratio, ulcer performance and serenity are annual; there the first is per period, and
      the others divide the return of the whole sample.
    - The ulcer index divides by T, not T - 1, and serenity's pitfall is the historical shortfall of drawdowns over the
      annual volatility.
    - Recovery factor is compound growth over drawdown, not the absolute sum of returns; the monthly gain to pain ratio
      compounds the days of a month, where there they are added.
    - The length of a drawdown runs from the peak to the recovery, there from the first day below to the last.
    - Trailing windows begin at the close of the day so many months before (there a day earlier, and 35, 59 and 119
      months for three, five and ten years), and three or more years are annualised by their calendar length.
    - Risk of ruin is the chance that wealth ever halves; there it is ((1 - win rate) / (1 + win rate)) ** T, which is 0
      for any long series.
    - A return of 0 is neither a win nor a loss; there the profit ratio and the outlier win ratio count it as a win.
    - Time in market is not rounded up to a percent, and years are T / A throughout, never calendar days over 365.

    References
    ----------
    Lo (2002), "The statistics of Sharpe ratios", Financial Analysts Journal 58(4). Mertens (2002), "Comments on
    variance of the IID estimator in Lo (2002)". Bacon (2008), "Practical portfolio performance measurement and
    attribution", 2nd edition.

    Examples
    --------
    >>> sheet = tearsheet([0.01, -0.02, 0.03, 0.01], periods=4)
    >>> round(sheet.cagr, 6), round(sheet.max_drawdown, 6), sheet.win_rate
    (0.029689, 0.02, 0.75)
    >>> sheet.sharpe_autocorrelated is None  # four periods hold no year's autocorrelations
    True
    """
    if periods < 1:
        raise DataError(f"`periods` must be 1 or more a year; got {periods!r}")
    if dates is None and isinstance(returns, Returns):
        dates = returns.dates
    if isinstance(returns, Returns) and isinstance(benchmark, Returns) and list(returns.dates) != list(benchmark.dates):
        raise DataError("`benchmark` has other dates than `returns`")
    r = checked_total(returns, name="returns", shortest=2)
    against = None if benchmark is None else checked_total(benchmark, name="benchmark", shortest=2)
    if against is not None:
        same_length(returns=r, benchmark=against)
    days = None if dates is None else checked_days(dates, r.size).astype(np.int64)
    riskless = _checked_rate(rate, r.size, periods)
    sample = sample_of(r, riskless, periods, days)
    earnings = growth(sample)
    spread = distribution(sample)
    by_calendar = calendar_returns(r, days, against)
    parts = (
        earnings,
        ratios(sample),
        spread,
        underwater(sample, earnings, spread.volatility),
        payoff(r, spread.tail_ratio),
        by_calendar,
        relative(sample, against, by_calendar.calendar_years, earnings),
        _checked_leverage(weights, r.size),
    )
    return Tearsheet(**{name: value for part in parts for name, value in vars(part).items()})
