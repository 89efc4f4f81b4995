"""Minimum lengths of history: for a Sharpe ratio to be significant, and for luck alone to be unlikely to reach it."""

import math

from quant.numeric.arguments import checked_arguments
from quant.numeric.elementary import normal_quantile
from quant.numeric.errors import DataError
from quant.performance.sharpe_ratio import check_finite, expected_maximum_sharpe, sharpe_error


@checked_arguments
def minimum_track_record(
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

    >>> round(minimum_track_record(1.0 / 252**0.5) / 252, 2)
    2.71
    """
    if not 0.5 < confidence < 1.0:
        raise DataError(f"`confidence` must lie in (0.5, 1); got {confidence!r}")
    check_finite(sharpe=sharpe, benchmark=benchmark)
    error = sharpe_error(sharpe, observations=2, skewness=skewness, kurtosis=kurtosis)
    if sharpe <= benchmark:
        return None
    ratio = error * normal_quantile(confidence) / (sharpe - benchmark)
    return 1.0 + ratio * ratio


@checked_arguments
def minimum_backtest_length(*, trials: int, target: float) -> float:
    r"""Length of history below which the luckiest of `trials` is expected to reach a Sharpe ratio.

    .. math:: \left(\frac{E[\max_N]}{SR^*}\right)^2 < \frac{2 \ln N}{SR^{*2}}

    Parameters
    ----------
    trials : int
        Independent trials without skill.
    target : float
        Sharpe ratio, positive: an annual one gives years, one per day gives days.

    Returns
    -------
    float
        In the unit of time of `target`: the square of (expected maximum of `trials` standard
        normals / `target`).

    Raises
    ------
    DataError
        If `target` is not positive or `trials` < 1.

    References
    ----------
    Bailey, Borwein, Lopez de Prado and Zhu (2014), "Pseudo-mathematics and financial
    charlatanism", Notices of the AMS 61(5), theorem 1.

    Examples
    --------
    After five years, 45 trials are expected to show an annual Sharpe ratio of 1 by luck.

    >>> round(minimum_backtest_length(trials=45, target=1.0), 1)
    5.0
    """
    if not (math.isfinite(target) and target > 0.0):
        raise DataError(f"`target` must be positive; got {target!r}")
    length = expected_maximum_sharpe(variance=1.0, trials=trials) / target
    return length * length
