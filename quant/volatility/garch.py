"""GJR-GARCH(1,1): variance that reacts to yesterday's return, and more strongly to a loss.

h[t] = omega + (alpha + gamma 1[e[t-1] < 0]) e[t-1]^2 + beta h[t-1] with e = r - mu, and e[t] / sqrt(h[t]) either
normal or Student's t of variance 1. Fitting, filtering and forecasting use this package's elementary functions and
loops in index order, so that they have the same bits on every machine.

Glosten, Jagannathan and Runkle (1993), "On the relation between the expected value and the volatility of the nominal
excess return on stocks", Journal of Finance 48(5); Bollerslev (1987), "A conditionally heteroskedastic time series
model for speculative prices and rates of return", Review of Economics and Statistics 69(3).
"""

import math
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from quant.numeric.arguments import check_fields, checked_arguments, refuse_overflow
from quant.numeric.arrays import Floats
from quant.numeric.compilation import compiled
from quant.numeric.elementary import log
from quant.numeric.errors import DataError
from quant.numeric.moments import checked_series
from quant.numeric.units import DAYS
from quant.volatility.garch_likelihood import log_likelihood, maximise

Innovations: TypeAlias = Literal["t", "normal"]

OBSERVATIONS: Final = 500
"""Minimum number of returns to identify six parameters."""
_STALLED: Final = 1e-5
"""Slope of the mean log-likelihood that is still a maximum where rounding ends the search."""


@dataclass(frozen=True)
class Garch:
    """GJR-GARCH(1,1) of daily returns, in units of the returns it was fitted on (fractions).

    Attributes
    ----------
    mu : float
        Mean per day.
    omega : float
        Constant of the variance, positive.
    alpha, gamma : float
        Weight of yesterday's squared shock and what a loss adds; alpha and alpha + gamma are not negative.
    beta : float
        Weight of yesterday's variance, not negative.
    nu : float
        Degrees of freedom of the innovations, above 2; infinity for normal ones.

    Raises
    ------
    DataError
        If a parameter is not finite (`nu` may be infinite) or breaks its bound, or if the persistence is not
        below 1.

    Examples
    --------
    >>> model = Garch(mu=0.0, omega=2e-6, alpha=0.02, gamma=0.12, beta=0.9, nu=7.0)
    >>> round(model.persistence, 12), round(model.long_run_volatility, 4)
    (0.98, 0.1587)
    """

    mu: float
    omega: float
    alpha: float
    gamma: float
    beta: float
    nu: float = math.inf

    def __post_init__(self) -> None:
        check_fields(self)
        for name in ("mu", "omega", "alpha", "gamma", "beta"):
            if not math.isfinite(getattr(self, name)):
                raise DataError(f"`{name}` must be finite; got {getattr(self, name)!r}")
        if not self.omega > 0.0:
            raise DataError(f"`omega` must be positive; got {self.omega!r}")
        if self.alpha < 0.0 or self.alpha + self.gamma < 0.0 or self.beta < 0.0:
            raise DataError(
                "`alpha`, `alpha` + `gamma` and `beta` must not be negative; "
                f"got {self.alpha!r}, {self.alpha + self.gamma!r} and {self.beta!r}"
            )
        if not self.nu > 2.0:
            raise DataError(f"`nu` must be above 2, or there is no variance; got {self.nu!r}")
        if not self.persistence < 1.0:
            raise DataError(f"persistence `alpha` + `gamma` / 2 + `beta` must be below 1; got {self.persistence!r}")

    @property
    def persistence(self) -> float:
        """Share of a deviation from the long-run variance that is left a day later."""
        return self.alpha + 0.5 * self.gamma + self.beta

    @property
    def long_run_variance(self) -> float:
        """Unconditional variance per day."""
        return self.omega / (1.0 - self.persistence)

    @property
    def long_run_volatility(self) -> float:
        """Unconditional volatility a year of 252 days."""
        return math.sqrt(DAYS * self.long_run_variance)

    @property
    def parameters(self) -> Floats:
        """`mu`, `omega`, `alpha`, `gamma`, `beta`, shape (5,), as `garch_signal` takes them."""
        return np.array([self.mu, self.omega, self.alpha, self.gamma, self.beta])


def _checked(returns: ArrayLike, shortest: int) -> Floats:
    series = checked_series(returns, name="returns", shortest=shortest)
    refuse_overflow(series, "returns")
    return series


@compiled
def _mean_and_deviation(x: Floats) -> tuple[float, float]:
    mean = 0.0
    for t in range(x.size):
        mean += x[t]
    mean /= x.size
    squares = 0.0
    for t in range(x.size):
        squares += (x[t] - mean) * (x[t] - mean)
    return mean, math.sqrt(squares / x.size)


@checked_arguments
def fit_garch(returns: ArrayLike, *, innovations: Innovations = "t", asymmetric: bool = True) -> Garch:
    """Maximum-likelihood GJR-GARCH(1,1).

    Quasi-Newton descent with analytic gradients from three fixed starts whose long-run variance is the sample's, on
    returns less their mean over their deviation: the fit does not depend on the unit. The variance before the first
    day is the mean of the first 75 squared deviations with weights 0.94^t, as in `arch`.

    Parameters
    ----------
    returns : array_like, shape (T,)
        Daily returns, simple or logarithmic, as fractions; T >= 500.
    innovations : {"t", "normal"}
        Law of the standardised shocks. Normal gives the quasi-maximum-likelihood estimate.
    asymmetric : bool
        Whether losses weigh differently; False is Bollerslev's GARCH(1,1), gamma = 0.

    Returns
    -------
    Garch
        Persistence at most 0.9999 and degrees of freedom within [2.05, 500], which hold as constraints: where the
        likelihood grows towards such a bound, the fit lies at it.

    Raises
    ------
    DataError
        If there are fewer than 500 returns, one is not finite, they do not vary, more than half of them are one
        and the same number (the likelihood is then unbounded), or no start leads to a maximum.
    """
    if innovations not in ("t", "normal"):
        raise DataError(f"`innovations` must be 't' or 'normal'; got {innovations!r}")
    x = _checked(returns, OBSERVATIONS)
    mean, deviation = _mean_and_deviation(x)
    if not deviation * deviation > max(1e-12 * (deviation * deviation + mean * mean), 1e-28):
        raise DataError(f"`returns` do not vary: their deviation is {deviation!r}")
    same = int(np.unique(x, return_counts=True)[1].max())
    if 2 * same > x.size:
        raise DataError(f"`returns` hold one number {same} times in {x.size}; no variance can be fitted to that")
    natural, slope = maximise((x - mean) / deviation, student=innovations == "t", asymmetric=asymmetric)
    if not slope < _STALLED:
        raise DataError(f"`returns` have no maximum of the likelihood: its slope is still {slope:.3g} a day")
    mu, omega, gain, loss, beta, nu = (float(v) for v in natural)
    return Garch(
        mu=mean + deviation * mu,
        omega=deviation * deviation * omega,
        alpha=gain,
        gamma=loss - gain if asymmetric else 0.0,
        beta=beta,
        nu=nu if innovations == "t" else math.inf,
    )


@checked_arguments
def garch_log_likelihood(model: Garch, returns: ArrayLike) -> float:
    """Log-likelihood of returns, with the variance before the first day that `fit_garch` uses.

    Parameters
    ----------
    model : Garch
    returns : array_like, shape (T,)
        Daily returns in the unit of the model, which vary.

    Returns
    -------
    float
        Sum of the log densities of the days.

    Raises
    ------
    DataError
        If one is not finite, or there are fewer than two.
    """
    x = _checked(returns, 2)
    mean, deviation = _mean_and_deviation(x)
    student = math.isfinite(model.nu)
    natural = np.array(
        [
            (model.mu - mean) / deviation,
            model.omega / (deviation * deviation),
            model.alpha,
            model.alpha + model.gamma,
            model.beta,
            model.nu if student else 3.0,
        ]
    )
    return log_likelihood((x - mean) / deviation, natural, student=student) - x.size * log(deviation)


@compiled
def _variances(parameters: Floats, returns: Floats, start: float, out: Floats) -> None:
    mu, omega, alpha, gamma, beta = parameters[0], parameters[1], parameters[2], parameters[3], parameters[4]
    out[0] = start
    for t in range(returns.size):
        e = returns[t] - mu
        out[t + 1] = omega + (alpha + gamma if e < 0.0 else alpha) * e * e + beta * out[t]


def _filter_variances(model: Garch, returns: ArrayLike) -> Floats:
    x = _checked(returns, 1)
    out = np.empty(x.size + 1)
    _variances(model.parameters, x, model.long_run_variance, out)
    return out


@checked_arguments
def garch_variances(model: Garch, returns: ArrayLike) -> Floats:
    """Variance of each day as it was known before it; the long-run variance on the first.

    Parameters
    ----------
    model : Garch
    returns : array_like, shape (T,)
        Daily returns in the unit of the model.

    Returns
    -------
    ndarray, shape (T,)
        Per day; entry t uses returns before t only.

    Raises
    ------
    DataError
        If `returns` is empty, not a vector or not finite.

    Examples
    --------
    >>> model = Garch(mu=0.0, omega=1e-5, alpha=0.1, gamma=0.1, beta=0.75)
    >>> garch_variances(model, [0.01, -0.02, 0.0]).round(8).tolist()
    [0.0001, 9.5e-05, 0.00016125]
    """
    return _filter_variances(model, returns)[:-1]


@checked_arguments
def next_variance(model: Garch, returns: ArrayLike) -> float:
    """Variance of the day after the last of `returns`, known at its close.

    Parameters
    ----------
    model : Garch
    returns : array_like, shape (T,)
        Daily returns in the unit of the model.

    Returns
    -------
    float
        Per day.

    Raises
    ------
    DataError
        If `returns` is empty, not a vector or not finite.
    """
    return float(_filter_variances(model, returns)[-1])


@compiled
def _decay(persistence: float, days: int) -> float:
    """Mean over `days` days of a deviation of 1 from the long-run variance on the first of them."""
    remaining = 1.0
    total = 0.0
    for _ in range(days):
        total += remaining
        remaining *= persistence
    return total / days


@checked_arguments
def forecast(model: Garch, variance: float, days: int) -> float:
    """Mean variance expected over the next `days` days.

    Parameters
    ----------
    model : Garch
    variance : float
        Of the next day, as `next_variance` gives it; positive.
    days : int
        At least 1.

    Returns
    -------
    float
        Per day. With `days` = 1 it is `variance`; it tends to the long-run variance.

    Raises
    ------
    DataError
        If `variance` is not positive and finite, or `days` is below 1.

    Examples
    --------
    >>> model = Garch(mu=0.0, omega=1e-5, alpha=0.1, gamma=0.0, beta=0.8)
    >>> round(forecast(model, 3e-4, 2), 6)
    0.00029
    """
    if not (math.isfinite(variance) and variance > 0.0):
        raise DataError(f"`variance` must be positive; got {variance!r}")
    if days < 1:
        raise DataError(f"`days` must be at least 1; got {days!r}")
    long_run = model.long_run_variance
    return long_run + (variance - long_run) * _decay(model.persistence, days)


@compiled
def garch_signal(parameters: Floats, logs: Floats, horizon: int, out: Floats) -> None:
    """Annual volatility expected over the next `horizon` days, made with the returns through each day.

    parameters (5,): mu, omega, alpha, gamma, beta (`Garch.parameters`); logs, out (T, B). The filter starts from the
    long-run variance, so that no day waits for a window to fill.
    """
    days, lanes = logs.shape
    mu, omega, alpha, gamma, beta = parameters[0], parameters[1], parameters[2], parameters[3], parameters[4]
    persistence = alpha + 0.5 * gamma + beta
    long_run = omega / (1.0 - persistence)
    near = _decay(persistence, horizon)
    far = (1.0 - near) * long_run
    variance = np.full(lanes, long_run)
    for t in range(days):
        for j in range(lanes):
            e = logs[t, j] - mu
            low = min(e, 0.0)
            h = omega + alpha * (e * e) + gamma * (low * low) + beta * variance[j]
            variance[j] = h
            out[t, j] = math.sqrt(DAYS * (far + near * h))


@checked_arguments
def garch_volatility(model: Garch, logs: ArrayLike, *, horizon: int = 21) -> Floats:
    """Annual volatility expected over the next `horizon` days, made with the returns through each day.

    Parameters
    ----------
    model : Garch
    logs : array_like, shape (T,)
        Daily returns in the unit of the model.
    horizon : int
        Days of the forecast, at least 1.

    Returns
    -------
    ndarray, shape (T,)
        Annual fractions.

    Raises
    ------
    DataError
        If `logs` is empty, not a vector or not finite, or `horizon` is below 1.
    """
    if horizon < 1:
        raise DataError(f"`horizon` must be at least 1; got {horizon!r}")
    x = _checked(logs, 1)
    out = np.empty((x.size, 1))
    garch_signal(model.parameters, x[:, None], horizon, out)
    return out[:, 0]
