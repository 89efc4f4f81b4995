"""A series of returns against a benchmark on the same sessions."""

import math
from dataclasses import dataclass

from quant.numeric.arrays import Floats
from quant.numeric.compilation import compiled
from quant.numeric.elementary import exp, log
from quant.numeric.errors import DataError
from quant.numeric.moments import moments
from quant.performance.calendar_returns import Years, by_year
from quant.performance.ratios import Growth, Sample, over, times
from quant.performance.regression import least_squares


@dataclass(frozen=True, kw_only=True)
class Relative:
    """Statistics against a benchmark; all None without one. A is the number of periods a year."""

    beta: float | None = None
    """Slope of the least squares of the excess return on the benchmark's."""
    beta_error: float | None = None
    """White's (1980) standard error, HC0."""
    alpha: float | None = None
    """A times the intercept."""
    alpha_error: float | None = None
    correlation: float | None = None
    """Of the two excess returns; None if the series does not vary."""
    r_squared: float | None = None
    """Its square."""
    tracking_error: float | None = None
    """sqrt(A) times the sample deviation of the difference of the returns."""
    information_ratio: float | None = None
    """A times the mean difference, over `tracking_error`; None if they differ by a constant."""
    treynor: float | None = None
    """`annual_excess` / `beta`; None if beta is 0."""
    upside_capture: float | None = None
    """Geometric mean return in the periods in which the benchmark rose, over the benchmark's; None if it never did."""
    downside_capture: float | None = None
    """The same where it fell."""
    upside_given_up: float | None = None
    """Mean of the benchmark's return less the series' over the calendar years in which the benchmark rose."""
    benchmark_years: Years = ()
    """Calendar years of the benchmark; empty without one, or without dates."""


@compiled
def _mean_logs(r: Floats, b: Floats, sign: float) -> tuple[int, float, float]:
    """Number of periods in which the benchmark moved by `sign`, and the mean log return of both over them."""
    count = 0
    strategy_sum = 0.0
    benchmark_sum = 0.0
    for t in range(r.size):
        if sign * b[t] > 0.0:
            count += 1
            strategy_sum += log(1.0 + r[t])
            benchmark_sum += log(1.0 + b[t])
    return count, strategy_sum / max(count, 1), benchmark_sum / max(count, 1)


@compiled
def _correlation(y: Floats, x: Floats, mean_y: float, mean_x: float) -> float:
    xx = 0.0
    yy = 0.0
    xy = 0.0
    for t in range(x.size):
        a = x[t] - mean_x
        b = y[t] - mean_y
        xx += a * a
        yy += b * b
        xy += a * b
    return xy / math.sqrt(xx * yy)


def _capture(r: Floats, b: Floats, sign: float) -> float | None:
    count, strategy_mean, benchmark_mean = _mean_logs(r, b, sign)
    return (exp(strategy_mean) - 1.0) / (exp(benchmark_mean) - 1.0) if count else None


def _mean_shortfall(strategy: Years, benchmark: Years) -> float | None:
    shortfalls = [b - a for (_, a), (_, b) in zip(strategy, benchmark, strict=True) if b > 0.0]
    return math.fsum(shortfalls) / len(shortfalls) if shortfalls else None


def relative(sample: Sample, benchmark: Floats | None, years: Years, earnings: Growth) -> Relative:
    """`Relative` of checked returns of one length; `years` are the series' calendar years."""
    if benchmark is None:
        return Relative()
    r, y, strategy_moments, periods = sample.returns, sample.excess, sample.excess_moments, sample.periods
    x = benchmark - sample.rate
    benchmark_moments = moments(x)
    if not benchmark_moments.varies or x.size < 3:
        raise DataError("`benchmark` must vary over three periods or more: it explains nothing")
    intercept, slope, intercept_error, slope_error = least_squares(y, x)
    correlation = _correlation(y, x, strategy_moments.mean, benchmark_moments.mean) if strategy_moments.varies else None
    active = moments(r - benchmark)
    error = math.sqrt(periods) * active.deviation
    benchmark_years = () if sample.days is None else by_year(sample.days, benchmark)
    return Relative(
        beta=slope,
        beta_error=slope_error,
        alpha=periods * intercept,
        alpha_error=periods * intercept_error,
        correlation=correlation,
        r_squared=times(correlation or 0.0, correlation),
        tracking_error=error,
        information_ratio=over(periods * active.mean, error),
        treynor=over(earnings.annual_excess, slope),
        upside_capture=_capture(r, benchmark, 1.0),
        downside_capture=_capture(r, benchmark, -1.0),
        upside_given_up=_mean_shortfall(years, benchmark_years),
        benchmark_years=benchmark_years,
    )
