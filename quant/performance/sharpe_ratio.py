"""Sharpe ratios, and the share of luck in the best of many. Everything is per period, never annual."""

import math

import numpy as np
from numpy.typing import ArrayLike

from quant.numeric.arguments import checked_arguments
from quant.numeric.arrays import Floats
from quant.numeric.compilation import compiled
from quant.numeric.elementary import normal_cdf, normal_quantile
from quant.numeric.errors import DataError
from quant.numeric.moments import NO_VARIATION, checked_matrix, moments
from quant.numeric.returns import Returns

_EULER_GAMMA = 0.57721566490153286


def check_finite(**numbers: float) -> None:
    """Raise a DataError that names the first number that is not finite.

    Raises
    ------
    DataError
    """
    for name, value in numbers.items():
        if not math.isfinite(value):
            raise DataError(f"`{name}` must be finite; got {value!r}")


def sharpe_spread(sharpe: float, *, skewness: float, kurtosis: float) -> float:
    """Variance of a Sharpe ratio times T - 1; 0 at the edge of what a sample of two values can have.

    Mertens (2002): 1 - skewness SR + (kurtosis - 1) / 4 SR**2.
    """
    return 1.0 - skewness * sharpe + 0.25 * (kurtosis - 1.0) * sharpe * sharpe


@checked_arguments
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
    spread = sharpe_spread(sharpe, skewness=skewness, kurtosis=kurtosis)
    if observations < 2 or not 0.0 < spread < math.inf:
        raise DataError(
            "no standard error of a Sharpe ratio: needs `observations` above 1 and `sharpe`, `skewness` and "
            f"`kurtosis` of a sample; got {observations}, {sharpe!r}, {skewness!r} and {kurtosis!r}"
        )
    return math.sqrt(spread / (observations - 1))


@checked_arguments
def probabilistic_sharpe(
    sharpe: float,
    *,
    observations: int,
    skewness: float = 0.0,
    kurtosis: float = 3.0,
    benchmark: float = 0.0,
) -> float:
    r"""Probability that the true Sharpe ratio lies above a benchmark.

    .. math:: \Phi\left[\frac{(SR - SR^*) \sqrt{T - 1}}
              {\sqrt{1 - \gamma_3 SR + \frac{\gamma_4 - 1}{4} SR^2}}\right]

    Parameters
    ----------
    sharpe, benchmark : float
        Per period, not annual.
    observations : int
        T, at least 2.
    skewness, kurtosis : float
        Standardised moments of the returns; 3 is the kurtosis of the normal law.

    Returns
    -------
    float
        In [0, 1].

    Raises
    ------
    DataError
        If T < 2 or the moments are ones that no sample has.

    References
    ----------
    Bailey and Lopez de Prado (2012), "The Sharpe ratio efficient frontier", Journal of Risk 15(2).

    Examples
    --------
    >>> probabilistic_sharpe(0.05, benchmark=0.05, observations=1000)
    0.5
    """
    check_finite(sharpe=sharpe, benchmark=benchmark)
    error = sharpe_error(sharpe, observations=observations, skewness=skewness, kurtosis=kurtosis)
    return normal_cdf((sharpe - benchmark) / error)


@checked_arguments
def expected_maximum_sharpe(*, variance: float, trials: int) -> float:
    r"""Sharpe ratio that the luckiest of N trials without skill is expected to show.

    .. math:: \sqrt{V} \left[(1 - \gamma_E) \Phi^{-1}(1 - \tfrac1N)
              + \gamma_E \Phi^{-1}(1 - \tfrac1{N e})\right]

    Parameters
    ----------
    variance : float
        V, the variance of the trials' Sharpe ratios, per period.
    trials : int
        N, the raw number of trials.

    Returns
    -------
    float
        Per period, not below 0; 0 for one trial.

    Raises
    ------
    DataError
        If `variance` is negative or not finite, or `trials` < 1.

    References
    ----------
    Bailey and Lopez de Prado (2014), "The deflated Sharpe ratio", Journal of Portfolio Management
    40(5).

    Examples
    --------
    The paper's: 100 trials, an annual variance of 1/2, 250 days a year.

    >>> round(expected_maximum_sharpe(variance=0.5 / 250, trials=100), 4)
    0.1132
    """
    if not (math.isfinite(variance) and variance >= 0.0) or trials < 1:
        raise DataError(f"needs `variance` >= 0 and `trials` >= 1; got {variance!r} and {trials!r}")
    if trials == 1:
        return 0.0
    common = -normal_quantile(1.0 / trials)
    rare = -normal_quantile(1.0 / (trials * math.e))
    expected = (1.0 - _EULER_GAMMA) * common + _EULER_GAMMA * rare
    return max(0.0, math.sqrt(variance) * expected)


@checked_arguments
def deflated_sharpe(
    sharpe: float,
    *,
    observations: int,
    variance: float,
    trials: int,
    skewness: float = 0.0,
    kurtosis: float = 3.0,
) -> float:
    """Probability that a Sharpe ratio is skill, given that it is the best of `trials`.

    Parameters
    ----------
    sharpe : float
        The winner's, per period, not annual.
    observations : int
        T, at least 2.
    variance : float
        Variance of the trials' Sharpe ratios per period. It already holds their correlation.
    trials : int
        Raw number of trials; 1 gives the probabilistic Sharpe ratio.
    skewness, kurtosis : float
        Standardised moments of the winner's returns; 3 is the kurtosis of the normal law.

    Returns
    -------
    float
        In [0, 1].

    Raises
    ------
    DataError
        If an argument lies outside its range.

    References
    ----------
    Bailey and Lopez de Prado (2014), "The deflated Sharpe ratio", Journal of Portfolio Management
    40(5).

    Examples
    --------
    The paper's: an annual 2.5 over 1,250 days of 250, the best of 100 trials.

    >>> round(deflated_sharpe(2.5 / 250**0.5, observations=1250, variance=0.5 / 250, trials=100,
    ...                       skewness=-3.0, kurtosis=10.0), 4)
    0.9004
    """
    return probabilistic_sharpe(
        sharpe,
        benchmark=expected_maximum_sharpe(variance=variance, trials=trials),
        observations=observations,
        skewness=skewness,
        kurtosis=kurtosis,
    )


@checked_arguments
def deflated_sharpe_of_series(series: ArrayLike | Returns, *, variance: float, trials: int) -> float:
    """Probability that a series has skill, given that it is the best of `trials`.

    Parameters
    ----------
    series : array_like, shape (T,)
        The winner's daily historical excess (or active) returns, never pooled simulated days. A
        series without variation counts as a Sharpe ratio of 0.
    variance : float
        Variance of the trials' per-day Sharpe ratios. It already holds their correlation.
    trials : int
        Raw number of trials, this run's and the ledger's; 1 gives the probabilistic Sharpe ratio.

    Returns
    -------
    float
        In [0, 1].

    Raises
    ------
    DataError
        If `series` is not a finite vector of two or more, or another argument lies outside its
        range.

    References
    ----------
    Bailey and Lopez de Prado (2014), "The deflated Sharpe ratio", Journal of Portfolio Management
    40(5).
    """
    m = moments(series)
    return deflated_sharpe(
        m.sharpe,
        observations=m.count,
        variance=variance,
        trials=trials,
        skewness=m.skewness,
        kurtosis=m.kurtosis,
    )


@checked_arguments
def sharpe_variance(series: ArrayLike | Returns) -> float:
    """Variance of the trials' per-day Sharpe ratios, the V of `deflated_sharpe`.

    Parameters
    ----------
    series : array_like, shape (T, K)
        Daily excess (or active) returns of the K trials of the Sobol start, which no result
        steered. A trial without variation counts as a Sharpe ratio of 0.

    Returns
    -------
    float
        Sample variance (K - 1), per day; 0 for one trial.

    Raises
    ------
    DataError
        If `series` is not finite or T < 2.
    """
    returns = checked_matrix(series, name="series", shortest=2)
    if returns.shape[1] == 1:
        return 0.0
    ratios = moments([moments(column).sharpe for column in returns.T])
    return ratios.deviation * ratios.deviation


@compiled
def _standardised(series: Floats, negligible: float, out: Floats) -> int:
    """Write the columns that vary into `out`, centred and of length 1; their number."""
    days, trials = series.shape
    count = 0
    for k in range(trials):
        mean = 0.0
        for t in range(days):
            mean += series[t, k]
        mean /= days
        squares = 0.0
        for t in range(days):
            squares += (series[t, k] - mean) * (series[t, k] - mean)
        if squares > negligible * (squares + days * mean * mean):
            scale = math.sqrt(squares)
            for t in range(days):
                out[t, count] = (series[t, k] - mean) / scale
            count += 1
    return count


@compiled
def _participation(standard: Floats) -> float:
    days, trials = standard.shape
    correlation = np.zeros((trials, trials))
    for t in range(days):
        for i in range(trials):
            z = standard[t, i]
            for j in range(trials):
                correlation[i, j] += z * standard[t, j]
    squared = 0.0
    for i in range(trials):
        for j in range(trials):
            squared += correlation[i, j] * correlation[i, j]
    return trials * trials / squared


@checked_arguments
def effective_trials(series: ArrayLike | Returns) -> float:
    r"""How many independent trials K correlated ones amount to; for information only.

    The participation ratio :math:`(\sum \lambda)^2 / \sum \lambda^2` of the eigenvalues of the
    correlation matrix C, computed as :math:`K^2 / \mathrm{tr}(C^2)` without eigenvalues. It never
    takes the raw number's place in `deflated_sharpe`.

    Parameters
    ----------
    series : array_like, shape (T, K)
        Daily excess returns; those without variation are left out.

    Returns
    -------
    float
        Between 1 and K; 1 if none varies.

    Raises
    ------
    DataError
        If `series` is not finite or T < 2.
    """
    returns = checked_matrix(series, name="series", shortest=2)
    standard = np.empty(returns.shape)
    count = _standardised(returns, NO_VARIATION, standard)
    return _participation(np.ascontiguousarray(standard[:, :count])) if count else 1.0
