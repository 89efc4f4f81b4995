"""What one daily history of a strategy amounts to. 252 days a year; losses are positive.

`excess` is the daily simple return over cash, net of costs; `total` the daily simple return net of
costs, cash included. Every sum runs in index order and the elementary functions are this package's,
so that a metric has the same bits on every machine.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby

import numpy as np
from numpy.typing import ArrayLike, NDArray

from quant.compiled import compiled
from quant.elementary import exp, log, normal_quantile
from quant.errors import DataError
from quant.evaluation import Measured, Metrics
from quant.strategy import LOCKED_DAYS, LOCKED_WEIGHT

DAYS = 252
TAIL_HORIZON = 21
TAIL_LEVEL = 0.95
NO_VARIATION = 1e-12
"""A series whose variance is below this share of its mean square has no Sharpe ratio: rounding."""
ROUNDING = 1e-28
"""Square of a daily deviation that is nothing but the rounding of wealth."""


@dataclass(frozen=True)
class Moments:
    """Sample moments of a daily series; central moments divide by T."""

    count: int
    mean: float
    second: float
    third: float
    fourth: float

    @property
    def varies(self) -> bool:
        """Whether the deviation is more than rounding, of the mean or of returns computed as a ratio less 1."""
        return self.second > max(NO_VARIATION * (self.second + self.mean * self.mean), ROUNDING)

    @property
    def deviation(self) -> float:
        """Sample deviation (T - 1); 0 for a series without variation."""
        return math.sqrt(self.second * self.count / (self.count - 1)) if self.varies else 0.0

    @property
    def sharpe(self) -> float:
        """Mean over deviation, per day; 0 for a series without variation."""
        return self.mean / self.deviation if self.varies else 0.0

    @property
    def skewness(self) -> float:
        """0 for a series without variation."""
        return self.third / (self.second * math.sqrt(self.second)) if self.varies else 0.0

    @property
    def kurtosis(self) -> float:
        """3 for the normal law, and for a series without variation."""
        return self.fourth / (self.second * self.second) if self.varies else 3.0


@dataclass(frozen=True)
class Drawdown:
    """A fall of wealth from a peak; indices into the series, None where it never recovered."""

    depth: float
    start: int
    """First session of the fall; the peak is the close before it."""
    trough: int
    recovery: int | None
    """First session that ends at or above the old peak."""


@dataclass(frozen=True)
class AlphaBeta:
    """Regression on the market's excess return; alpha a year, White's standard errors."""

    alpha: Measured
    beta: Measured


@dataclass(frozen=True)
class TargetError:
    """Distance of realised volatility from its target, annual fractions."""

    error: float
    noise_floor: float
    """What a constant volatility exactly on target would show, by sampling alone."""


def checked_series(values: ArrayLike, *, name: str, shortest: int = 2) -> NDArray[np.float64]:
    """`values` as a contiguous array of shape (T,).

    Parameters
    ----------
    values : array_like, shape (T,)
    name : str
        How the error calls it.
    shortest : int
        Smallest T that is allowed.

    Returns
    -------
    ndarray, shape (T,)

    Raises
    ------
    DataError
        If `values` is not one-dimensional, too short, or not finite.
    """
    array = np.ascontiguousarray(values, dtype=np.float64)
    if array.ndim != 1 or array.size < shortest or not np.isfinite(array).all():
        raise DataError(
            f"`{name}` must be finite, of shape (T,), T >= {shortest}; got {array.shape}"
            + ("" if np.isfinite(array).all() else " with NaN or infinity")
        )
    return array


def _checked_total(values: ArrayLike, *, shortest: int = 1) -> NDArray[np.float64]:
    total = checked_series(values, name="total", shortest=shortest)
    if (total <= -1.0).any():
        raise DataError(f"`total` must stay above -1 (a loss of everything); got {total.min():g}")
    return total


def _same_length(**series: NDArray[np.float64]) -> None:
    if len({s.size for s in series.values()}) > 1:
        sizes = ", ".join(f"{name} {s.size}" for name, s in series.items())
        raise DataError(f"series must have one length; got {sizes}")


@compiled
def _moments(x: NDArray[np.float64]) -> tuple[float, float, float, float]:
    mean = 0.0
    for t in range(x.size):
        mean += x[t]
    mean /= x.size
    second = 0.0
    third = 0.0
    fourth = 0.0
    for t in range(x.size):
        d = x[t] - mean
        second += d * d
        third += d * d * d
        fourth += (d * d) * (d * d)
    return mean, second / x.size, third / x.size, fourth / x.size


def moments(series: ArrayLike) -> Moments:
    """Mean and central moments of a daily series.

    Parameters
    ----------
    series : array_like, shape (T,)
        Returns per day, as fractions; T > 1.

    Returns
    -------
    Moments
        Per day; nothing is annualised.

    Raises
    ------
    DataError
        If `series` is not a finite vector of two or more.

    Examples
    --------
    >>> m = moments([0.01, -0.01, 0.01, -0.01])
    >>> m.mean, m.skewness, round(m.kurtosis, 12)
    (0.0, 0.0, 1.0)
    """
    x = checked_series(series, name="series")
    return Moments(x.size, *_moments(x))


def skewness(series: ArrayLike) -> float:
    """Third standardised moment (division by T); 0 for a series without variation.

    Parameters
    ----------
    series : array_like, shape (T,)
        Returns per day.

    Returns
    -------
    float

    Raises
    ------
    DataError
        If `series` is not a finite vector of two or more.
    """
    return moments(series).skewness


def kurtosis(series: ArrayLike) -> float:
    """Fourth standardised moment (division by T), 3 for the normal law.

    Parameters
    ----------
    series : array_like, shape (T,)
        Returns per day.

    Returns
    -------
    float
        Not in excess of 3; 3 also for a series without variation.

    Raises
    ------
    DataError
        If `series` is not a finite vector of two or more.
    """
    return moments(series).kurtosis


def _utility(m: Moments, risk_aversion: float) -> float:
    return DAYS * (m.mean - 0.5 * risk_aversion * m.second * m.count / (m.count - 1))


def utility(excess: ArrayLike, risk_aversion: float) -> float:
    r"""Annual certainty equivalent :math:`252\,\bar x - \frac{\gamma}{2} 252\,s^2`.

    Parameters
    ----------
    excess : array_like, shape (T,)
        Daily simple returns over cash, net of costs.
    risk_aversion : float
        Gamma, positive.

    Returns
    -------
    float
        Annual fraction; the sample variance divides by T - 1.

    Raises
    ------
    DataError
        If `excess` is not a finite vector of two or more, or `risk_aversion` is not positive.

    Examples
    --------
    >>> round(utility([0.011, -0.009, 0.011, -0.009], 2.0), 6)
    0.2184
    """
    if not (math.isfinite(risk_aversion) and risk_aversion > 0.0):
        raise DataError(f"`risk_aversion` must be positive; got {risk_aversion!r}")
    return _utility(moments(excess), risk_aversion)


def sharpe_error(sharpe: float, *, observations: int, skewness: float, kurtosis: float) -> float:
    r"""Mertens' standard error of a Sharpe ratio, per period, for returns that are not normal.

    .. math:: \sqrt{\frac{1 - \gamma_3 SR + \frac{\gamma_4 - 1}{4} SR^2}{T - 1}}

    Parameters
    ----------
    sharpe : float
        Mean over deviation, per period.
    observations : int
        T, at least 2.
    skewness, kurtosis : float
        Standardised moments; 3 is the kurtosis of the normal law.

    Returns
    -------
    float
        Per period.

    Raises
    ------
    DataError
        If T < 2 or the moments are ones that no sample has (the expression is not positive).

    References
    ----------
    Mertens (2002), "Comments on variance of the IID estimator in Lo (2002)".

    Examples
    --------
    >>> sharpe_error(0.0, observations=101, skewness=0.0, kurtosis=3.0)
    0.1
    """
    spread = 1.0 - skewness * sharpe + 0.25 * (kurtosis - 1.0) * sharpe * sharpe
    if observations < 2 or not spread > 0.0:
        raise DataError(
            "no standard error of a Sharpe ratio: needs observations > 1 and moments of a sample; "
            f"got {observations}, skewness {skewness!r}, kurtosis {kurtosis!r}"
        )
    return math.sqrt(spread / (observations - 1))


def minimum_track_record_length(
    sharpe: float,
    *,
    benchmark: float = 0.0,
    skewness: float = 0.0,
    kurtosis: float = 3.0,
    confidence: float = 0.95,
) -> float | None:
    r"""Observations after which a Sharpe ratio is above a benchmark with confidence.

    .. math:: 1 + \left(1 - \gamma_3 SR + \tfrac{\gamma_4 - 1}{4} SR^2\right)
              \left(\frac{z}{SR - SR^*}\right)^2

    Parameters
    ----------
    sharpe, benchmark : float
        Per period, not annual.
    skewness, kurtosis : float
        Standardised moments of the returns; 3 is the kurtosis of the normal law.
    confidence : float
        In (0.5, 1).

    Returns
    -------
    float or None
        Observations, not rounded; None where `sharpe` does not exceed `benchmark`.

    Raises
    ------
    DataError
        If `confidence` lies outside (0.5, 1) or the moments are ones that no sample has.

    References
    ----------
    Bailey and Lopez de Prado (2012), "The Sharpe ratio efficient frontier", Journal of Risk 15(2).

    Examples
    --------
    An annual Sharpe ratio of 1 from normal daily returns: 2.71 years.

    >>> round(minimum_track_record_length(1.0 / 252**0.5) / 252, 2)
    2.71
    """
    if not 0.5 < confidence < 1.0:
        raise DataError(f"`confidence` must lie in (0.5, 1); got {confidence!r}")
    error = sharpe_error(sharpe, observations=2, skewness=skewness, kurtosis=kurtosis)
    if sharpe <= benchmark:
        return None
    ratio = error * normal_quantile(confidence) / (sharpe - benchmark)
    return 1.0 + ratio * ratio


@compiled
def _drawdowns(total: NDArray[np.float64], out: NDArray[np.float64]) -> None:
    ratio = 1.0
    for t in range(total.size):
        ratio = min(1.0, ratio * (1.0 + total[t]))
        out[t] = 1.0 - ratio


def drawdowns(total: ArrayLike) -> NDArray[np.float64]:
    """Fall of wealth from its peak at the end of each session; the start counts as a peak.

    Parameters
    ----------
    total : array_like, shape (T,)
        Daily simple returns net of costs, cash included; above -1.

    Returns
    -------
    ndarray, shape (T,)
        Fractions in [0, 1): 0.2 is 20% below the peak.

    Raises
    ------
    DataError
        If `total` is empty, not a finite vector, or holds a loss of everything.

    Examples
    --------
    >>> drawdowns([0.1, -0.5, 0.5, 1.0]).tolist()
    [0.0, 0.5, 0.25, 0.0]
    """
    returns = _checked_total(total)
    out = np.empty(returns.size)
    _drawdowns(returns, out)
    return out


def worst_drawdown(total: ArrayLike) -> Drawdown | None:
    """Deepest fall of wealth, the earliest of equals; None for a series that never fell.

    Parameters
    ----------
    total : array_like, shape (T,)
        Daily simple returns net of costs, cash included; above -1.

    Returns
    -------
    Drawdown or None

    Raises
    ------
    DataError
        If `total` is empty, not a finite vector, or holds a loss of everything.

    Examples
    --------
    >>> worst_drawdown([0.1, -0.5, 0.5, 1.0])
    Drawdown(depth=0.5, start=1, trough=1, recovery=3)
    """
    falls = drawdowns(total)
    trough = int(np.argmax(falls))
    if falls[trough] == 0.0:
        return None
    start = trough
    while start > 0 and falls[start - 1] > 0.0:
        start -= 1
    recovered = np.flatnonzero(falls[trough:] == 0.0)
    recovery = trough + int(recovered[0]) if recovered.size else None
    return Drawdown(float(falls[trough]), start, trough, recovery)


@compiled
def _growth(total: NDArray[np.float64]) -> float:
    wealth = 1.0
    for t in range(total.size):
        wealth *= 1.0 + total[t]
    return wealth - 1.0


def calendar_years(dates: ArrayLike | Sequence[date], total: ArrayLike) -> tuple[tuple[int, float], ...]:
    """Compounded return of each calendar year; the first and last may be parts of a year.

    Parameters
    ----------
    dates : array_like of datetime64 or date, shape (T,)
        Sessions in ascending order.
    total : array_like, shape (T,)
        Daily simple returns net of costs, cash included; above -1.

    Returns
    -------
    tuple of (int, float)
        Year and return, in order.

    Raises
    ------
    DataError
        If the lengths differ, dates do not ascend, or `total` breaks the rules of `drawdowns`.

    Examples
    --------
    >>> calendar_years(["2020-12-30", "2020-12-31", "2021-01-04"], [0.5, 0.5, -0.25])
    ((2020, 1.25), (2021, -0.25))
    """
    returns = _checked_total(total)
    days = np.asarray(dates, dtype="datetime64[D]")
    if days.shape != returns.shape:
        raise DataError(f"dates of shape {days.shape} do not fit `total` {returns.shape}")
    if np.isnat(days).any() or (days[1:] <= days[:-1]).any():
        raise DataError("dates must ascend without repetition")
    years = [int(y) for y in days.astype("datetime64[Y]").astype(np.int64) + 1970]
    result: list[tuple[int, float]] = []
    first = 0
    for year, sessions in groupby(years):
        last = first + len(list(sessions))
        result.append((year, _growth(returns[first:last])))
        first = last
    return tuple(result)


@compiled
def _windows(total: NDArray[np.float64], horizon: int, out: NDArray[np.float64]) -> None:
    for i in range(out.size):
        wealth = 1.0
        for t in range(i, i + horizon):
            wealth *= 1.0 + total[t]
        out[i] = wealth - 1.0


@compiled
def _tail(ordered: NDArray[np.float64], level: float) -> tuple[float, float]:
    """Loss at the boundary of the worst 1 - level of ascending returns, and the mean loss there."""
    share = (1.0 - level) * ordered.size
    whole = math.floor(share + 1e-9)
    part = max(share - whole, 0.0)
    total = 0.0
    for i in range(whole):
        total += ordered[i]
    boundary = whole if part > 1e-9 else whole - 1
    if part > 1e-9:
        total += part * ordered[whole]
    else:
        part = 0.0
    return -ordered[boundary], -total / (whole + part)


def _tail_losses(total: ArrayLike, horizon: int, level: float) -> tuple[float, float]:
    if horizon < 1:
        raise DataError(f"`horizon` must be at least 1 session; got {horizon!r}")
    if not 0.0 < level < 1.0:
        raise DataError(f"`level` must lie in (0, 1); got {level!r}")
    returns = _checked_total(total, shortest=horizon)
    windows = np.empty(returns.size - horizon + 1)
    _windows(returns, horizon, windows)
    return _tail(np.sort(windows), level)


def value_at_risk(total: ArrayLike, *, horizon: int = TAIL_HORIZON, level: float = TAIL_LEVEL) -> float:
    """Loss that overlapping windows exceed in a share ``1 - level`` of the cases at most.

    Parameters
    ----------
    total : array_like, shape (T,)
        Daily simple returns net of costs, cash included; above -1.
    horizon : int
        Sessions of a window; returns within it are compounded.
    level : float
        Confidence level in (0, 1).

    Returns
    -------
    float
        Fraction over the horizon, positive for a loss: the k-th worst window with
        k = ceil((1 - level) n), n = T - horizon + 1.

    Raises
    ------
    DataError
        If `total` is shorter than the horizon, not finite, holds a loss of everything, or an
        argument lies outside its range.

    Examples
    --------
    >>> round(value_at_risk([-0.04, -0.02, 0.01, 0.03], horizon=1, level=0.5), 6)
    0.02
    """
    return _tail_losses(total, horizon, level)[0]


def expected_shortfall(total: ArrayLike, *, horizon: int = TAIL_HORIZON, level: float = TAIL_LEVEL) -> float:
    """Mean loss in the worst ``1 - level`` share of overlapping windows.

    The tail holds k = (1 - level) n windows; where k is not whole, the boundary window counts with
    weight k - floor(k), which keeps the measure coherent and continuous in `level`.

    Parameters
    ----------
    total : array_like, shape (T,)
        Daily simple returns net of costs, cash included; above -1.
    horizon : int
        Sessions of a window; returns within it are compounded.
    level : float
        Confidence level in (0, 1).

    Returns
    -------
    float
        Fraction over the horizon, positive for a loss.

    Raises
    ------
    DataError
        As for `value_at_risk`.

    References
    ----------
    Acerbi and Tasche (2002), "On the coherence of expected shortfall", Journal of Banking &
    Finance 26(7).

    Examples
    --------
    >>> round(expected_shortfall([-0.04, -0.02, 0.01, 0.03], horizon=1, level=0.625), 6)
    0.033333
    """
    return _tail_losses(total, horizon, level)[1]


@compiled
def _regression(y: NDArray[np.float64], x: NDArray[np.float64]) -> tuple[float, float, float, float]:
    """Intercept, slope and their heteroskedasticity-robust (HC0) errors."""
    n = x.size
    mean_x = 0.0
    mean_y = 0.0
    for t in range(n):
        mean_x += x[t]
        mean_y += y[t]
    mean_x /= n
    mean_y /= n
    xx = 0.0
    xy = 0.0
    for t in range(n):
        xx += (x[t] - mean_x) * (x[t] - mean_x)
        xy += (x[t] - mean_x) * (y[t] - mean_y)
    slope = xy / xx
    intercept = mean_y - slope * mean_x
    slope_squares = 0.0
    intercept_squares = 0.0
    for t in range(n):
        residual = y[t] - intercept - slope * x[t]
        slope_part = (x[t] - mean_x) * residual / xx
        intercept_part = residual / n - mean_x * slope_part
        slope_squares += slope_part * slope_part
        intercept_squares += intercept_part * intercept_part
    return intercept, slope, math.sqrt(intercept_squares), math.sqrt(slope_squares)


def alpha_beta(excess: ArrayLike, market_excess: ArrayLike) -> AlphaBeta:
    """Least squares of a strategy's excess return on the market's.

    Parameters
    ----------
    excess, market_excess : array_like, shape (T,)
        Daily simple returns over cash, T > 2.

    Returns
    -------
    AlphaBeta
        Alpha a year (252 x the intercept) and beta, each with White's standard error (HC0).

    Raises
    ------
    DataError
        If the series differ in length, are not finite, or the market does not vary.

    References
    ----------
    White (1980), "A heteroskedasticity-consistent covariance matrix estimator and a direct test
    for heteroskedasticity", Econometrica 48(4).
    """
    y = checked_series(excess, name="excess", shortest=3)
    x = checked_series(market_excess, name="market_excess", shortest=3)
    _same_length(excess=y, market_excess=x)
    if not moments(x).varies:
        raise DataError("`market_excess` does not vary: it explains nothing")
    intercept, slope, intercept_error, slope_error = _regression(y, x)
    return AlphaBeta(
        alpha=Measured(value=DAYS * intercept, error=DAYS * intercept_error),
        beta=Measured(value=slope, error=slope_error),
    )


def tracking_error(excess: ArrayLike, benchmark_excess: ArrayLike) -> float:
    """Annual deviation of the daily difference of two strategies.

    Parameters
    ----------
    excess, benchmark_excess : array_like, shape (T,)
        Daily simple returns over cash.

    Returns
    -------
    float
        Annual fraction.

    Raises
    ------
    DataError
        If the series differ in length or are not finite vectors of two or more.
    """
    a = checked_series(excess, name="excess")
    b = checked_series(benchmark_excess, name="benchmark_excess")
    _same_length(excess=a, benchmark_excess=b)
    return math.sqrt(DAYS) * moments(a - b).deviation


def break_even_cost_bps(gross_advantage: float, traded: float, *, benchmark_traded: float = 0.0) -> float | None:
    """Cost of a trade at which an advantage over a benchmark is used up.

    Parameters
    ----------
    gross_advantage : float
        Utility a year before transaction costs, less the benchmark's; an annual fraction.
    traded, benchmark_traded : float
        Value traded a year over wealth: the sum of the absolute changes of the risky weights.

    Returns
    -------
    float or None
        Basis points of the value traded, negative for an advantage that is none even without
        costs; None where the strategy trades no more than its benchmark: costs do not decide.

    Raises
    ------
    DataError
        If an argument is not finite or a traded value is negative.

    Examples
    --------
    >>> break_even_cost_bps(0.004, 3.0, benchmark_traded=1.0)
    20.0
    """
    finite = all(math.isfinite(x) for x in (gross_advantage, traded, benchmark_traded))
    if not finite or traded < 0.0 or benchmark_traded < 0.0:
        raise DataError(
            "break-even cost needs finite numbers and traded values that are not negative; "
            f"got {gross_advantage!r}, {traded!r}, {benchmark_traded!r}"
        )
    more = traded - benchmark_traded
    return gross_advantage / more * 10_000.0 if more > 0.0 else None


@compiled
def _target_distance(total: NDArray[np.float64], target: float, window: int) -> float:
    distance = 0.0
    count = total.size - window + 1
    for i in range(count):
        mean = 0.0
        for t in range(i, i + window):
            mean += total[t]
        mean /= window
        squares = 0.0
        for t in range(i, i + window):
            squares += (total[t] - mean) * (total[t] - mean)
        distance += abs(math.sqrt(252.0 * squares / (window - 1)) - target)
    return distance / count


def volatility_target_error(total: ArrayLike, target: float, *, window: int = 60) -> TargetError:
    r"""Mean distance of rolling volatility from its target, beside what sampling alone gives.

    Parameters
    ----------
    total : array_like, shape (T,)
        Daily simple returns, T >= `window`.
    target : float
        Annual volatility aimed at, a positive fraction.
    window : int
        Sessions of each overlapping window, at least 2.

    Returns
    -------
    TargetError
        Annual fractions. The floor is :math:`\sigma^* \sqrt{1 / (\pi (n - 1))}`, the mean absolute
        error of a sample deviation of n normal returns to first order: 0.7 points at 10% and 60.

    Raises
    ------
    DataError
        If `total` is too short or not finite, or an argument lies outside its range.
    """
    if window < 2 or not (math.isfinite(target) and target > 0.0):
        raise DataError(f"needs window > 1 and target > 0; got {window!r} and {target!r}")
    returns = checked_series(total, name="total", shortest=window)
    return TargetError(
        error=_target_distance(returns, target, window),
        noise_floor=target * math.sqrt(1.0 / (math.pi * (window - 1))),
    )


@compiled
def _log_growth(total: NDArray[np.float64], out: NDArray[np.float64]) -> None:
    for t in range(total.size):
        out[t] = log(1.0 + total[t])


@compiled
def _utility_error(x: NDArray[np.float64], mean: float, second: float, gamma: float) -> float:
    """Deviation of the influence of each day on mean - gamma / 2 variance, over sqrt(T)."""
    squares = 0.0
    for t in range(x.size):
        d = x[t] - mean
        influence = d - 0.5 * gamma * (d * d - second)
        squares += influence * influence
    return math.sqrt(squares / (x.size - 1) / x.size)


@compiled
def _locked(weights: NDArray[np.float64], days: int, level: float) -> bool:
    run = 0
    for t in range(weights.size):
        run = run + 1 if weights[t] < level else 0
        if run >= days:
            return True
    return False


def _volatility(m: Moments) -> Measured:
    if not m.varies:
        return Measured(value=0.0)
    error = math.sqrt(max(m.fourth - m.second * m.second, 0.0) / m.count) / (2.0 * m.deviation)
    return Measured(value=math.sqrt(DAYS) * m.deviation, error=math.sqrt(DAYS) * error)


def _sharpe(m: Moments) -> Measured:
    if not m.varies:
        return Measured(value=0.0)
    error = sharpe_error(m.sharpe, observations=m.count, skewness=m.skewness, kurtosis=m.kurtosis)
    return Measured(value=math.sqrt(DAYS) * m.sharpe, error=math.sqrt(DAYS) * error)


def _geometric(total: NDArray[np.float64]) -> Measured:
    logs = np.empty(total.size)
    _log_growth(total, logs)
    m = moments(logs)
    growth = exp(DAYS * m.mean)
    return Measured(value=growth - 1.0, error=growth * DAYS * m.deviation / math.sqrt(m.count))


def series_metrics(
    excess: ArrayLike,
    total: ArrayLike,
    weights: ArrayLike,
    turnover: ArrayLike,
    costs: ArrayLike,
    *,
    risk_aversion: float,
    drawdown_limit: float | None,
) -> Metrics:
    """All metrics of one history.

    Standard errors treat days as independent: deviation / sqrt(T) for the mean, the delta method
    for utility, volatility and growth, Mertens (2002) for the Sharpe ratio. The others have None.
    On one path the pooled Sharpe ratio is the ratio itself, every quantile of the drawdown is the
    drawdown, and shares of paths are 0 or 1.

    Parameters
    ----------
    excess : array_like, shape (T,)
        Daily simple returns over cash, net of costs; T >= 21.
    total : array_like, shape (T,)
        Daily simple returns net of costs, cash included; above -1.
    weights : array_like, shape (T,)
        Risky weight held in each session.
    turnover : array_like, shape (T,)
        One-way turnover of each session, as a fraction of wealth.
    costs : array_like, shape (T,)
        Transaction costs and borrowing charges of each session, as a fraction of wealth.
    risk_aversion : float
        Gamma of the utility, positive.
    drawdown_limit : float or None
        The mandate's limit, positive; None for none.

    Returns
    -------
    Metrics
        Annual fractions unless the field says otherwise.

    Raises
    ------
    DataError
        If a series is too short, not finite, or differs in length, or an argument lies outside its
        range.
    """
    x = checked_series(excess, name="excess", shortest=TAIL_HORIZON)
    r = _checked_total(total, shortest=TAIL_HORIZON)
    w = checked_series(weights, name="weights")
    traded = checked_series(turnover, name="turnover")
    paid = checked_series(costs, name="costs")
    _same_length(excess=x, total=r, weights=w, turnover=traded, costs=paid)
    if drawdown_limit is not None and not 0.0 < drawdown_limit <= 1.0:
        raise DataError(f"`drawdown_limit` must lie in (0, 1] or be None; got {drawdown_limit!r}")

    m = moments(x)
    exposure = moments(w)
    sharpe = _sharpe(m)
    deepest = Measured(value=float(drawdowns(r).max()))
    at_risk, shortfall = _tail_losses(r, TAIL_HORIZON, TAIL_LEVEL)
    breached = drawdown_limit is not None and deepest.value > drawdown_limit
    return Metrics(
        utility=Measured(
            value=utility(x, risk_aversion),
            error=DAYS * _utility_error(x, m.mean, m.second, risk_aversion),
        ),
        excess_return=Measured(value=DAYS * m.mean, error=DAYS * m.deviation / math.sqrt(m.count)),
        geometric_return=_geometric(r),
        volatility=_volatility(m),
        sharpe=sharpe,
        sharpe_pooled=sharpe,
        max_drawdown=deepest,
        max_drawdown_p80=deepest,
        value_at_risk=Measured(value=at_risk),
        expected_shortfall=Measured(value=shortfall),
        turnover=Measured(value=DAYS * moments(traded).mean),
        cost=Measured(value=DAYS * moments(paid).mean),
        average_weight=Measured(value=exposure.mean),
        weight_volatility=Measured(value=exposure.deviation),
        largest_weight=Measured(value=float(w.max())),
        loss_probability=Measured(value=float(_growth(r) < 0.0)),
        drawdown_breach=Measured(value=float(breached)),
        locked_in_cash=Measured(value=float(_locked(w, LOCKED_DAYS, LOCKED_WEIGHT))),
    )
