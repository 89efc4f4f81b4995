"""Risk of a portfolio: tail losses, what each asset contributes to them, drawdowns, backtests and stress.

Losses are positive fractions of wealth throughout.
"""

import math
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from quant.covariance.semidefinite import checked_covariance
from quant.numeric.arguments import checked_arguments
from quant.numeric.arrays import Floats
from quant.numeric.compilation import compiled
from quant.numeric.elementary import exp, normal_quantile
from quant.numeric.errors import DataError
from quant.numeric.returns import Returns
from quant.risk.correlation_stress import (
    checked_weights,
    finite_array,
)

Measure: TypeAlias = Literal["volatility", "value_at_risk", "expected_shortfall"]


@dataclass(frozen=True)
class Contributions:
    """Parts of a risk measure, one for each asset, that add up to `total`."""

    total: float
    components: tuple[float, ...]

    @property
    def shares(self) -> tuple[float, ...]:
        """Fractions of the total.

        Raises
        ------
        DataError
            If the total is zero.
        """
        if self.total == 0.0:
            raise DataError("a risk of zero has no shares")
        return tuple(component / self.total for component in self.components)


@compiled
def _weighted(values: Floats, weights: Floats, out: Floats) -> None:
    for t in range(values.shape[0]):
        total = 0.0
        for i in range(weights.size):
            total += weights[i] * values[t, i]
        out[t] = total


@checked_arguments
def portfolio_returns(returns: ArrayLike | Returns, weights: ArrayLike) -> Floats:
    """Daily returns of weights that are rebalanced every day; the remainder to 1 earns nothing.

    Parameters
    ----------
    returns : array_like of shape (T, N), or Returns
        Daily simple returns as fractions.
    weights : array_like, shape (N,)
        Fractions of wealth, of either sign.

    Returns
    -------
    ndarray, shape (T,)

    Raises
    ------
    DataError
        If the shapes do not fit or a number is not finite.

    Examples
    --------
    >>> portfolio_returns([[0.01, 0.02], [0.0, -0.01]], [0.5, 0.5]).tolist()
    [0.015, -0.005]
    """
    values = finite_array(returns, "returns", 2)
    w = checked_weights(weights, values.shape[1])
    out = np.empty(values.shape[0])
    _weighted(values, w, out)
    return out


def _parts(w: Floats, direction: Floats, tail: float) -> Contributions:
    """`tail` times w (Sigma w) / sigma."""
    variance = max(math.fsum(w * direction), 0.0)
    deviation = math.sqrt(variance)
    parts = tail * w * direction / deviation if deviation > 0.0 else np.zeros(w.size)
    return Contributions(math.fsum(parts), tuple(float(p) for p in parts))


def _historical_parts(w: Floats, values: Floats, measure: Measure, level: float) -> Contributions:
    outcomes = portfolio_returns(values, w)
    share = (1.0 - level) * outcomes.size
    if share < 1.0 - 1e-9:
        raise DataError(f"`level` {level:g} leaves less than one of {outcomes.size} sessions in the tail")
    order = np.argsort(outcomes, kind="stable")
    whole = math.floor(share + 1e-9)
    part = share - whole if share - whole > 1e-9 else 0.0
    boundary = whole if part > 0.0 else whole - 1
    if measure == "value_at_risk":
        parts = -w * values[order[boundary]]
    else:
        tail = values[order[:whole]]
        sums = np.array([math.fsum(column) for column in tail.T])
        if part > 0.0:
            sums = sums + part * values[order[whole]]
        parts = -w * sums / (whole + part)
    return Contributions(math.fsum(parts), tuple(float(p) for p in parts))


@checked_arguments
def component_contributions(
    weights: ArrayLike, data: Returns | ArrayLike, *, measure: Measure = "volatility", level: float = 0.95
) -> Contributions:
    r"""What each asset contributes to the risk of a portfolio, by Euler's theorem: the parts add up to the total.

    Each measure is homogeneous in the weights, so that it equals the sum of weight times derivative. Volatility:
    :math:`w_i (\Sigma w)_i / \sigma`. Historical expected shortfall: the asset's mean loss in the sessions of the
    portfolio's tail. Historical value-at-risk: its loss in the one session at the boundary, which is a noisy part.

    Parameters
    ----------
    weights : array_like, shape (N,)
        Fractions of wealth, of either sign.
    data : Returns or array_like, shape (N, N)
        Returns, for the historical measures and the sample covariance; or a covariance of one session, for which
        value-at-risk and expected shortfall are the Gaussian ones of mean zero.
    measure : {"volatility", "value_at_risk", "expected_shortfall"}
    level : float
        Confidence level in (0, 1) of the last two.

    Returns
    -------
    Contributions
        Over one session, not annualised.

    Raises
    ------
    DataError
        If the shapes do not fit, the covariance is none, a number is not finite, there are fewer than two sessions or
        less than one in the tail, or an argument lies outside its range.

    References
    ----------
    Tasche (1999), "Risk contributions and performance measurement".

    Examples
    --------
    >>> contributions = component_contributions([0.5, 0.5], [[0.04, 0.0], [0.0, 0.01]])
    >>> round(contributions.total, 6), [round(s, 6) for s in contributions.shares]
    (0.111803, [0.8, 0.2])
    """
    if measure not in ("volatility", "value_at_risk", "expected_shortfall"):
        raise DataError(f"`measure` must be volatility, value_at_risk or expected_shortfall; got {measure!r}")
    if not 0.0 < level < 1.0:
        raise DataError(f"`level` must lie in (0, 1); got {level!r}")
    if isinstance(data, Returns):
        w = checked_weights(weights, len(data.assets))
        if measure != "volatility":
            return _historical_parts(w, data.values, measure, level)
        if len(data) < 2:
            raise DataError("`data` must have at least 2 sessions for a volatility; got 1")
        centred = data.values - np.mean(data.values, axis=0)
        outcomes = portfolio_returns(centred, w)
        direction = np.array([math.fsum(column * outcomes) for column in centred.T]) / (len(data) - 1)
        return _parts(w, direction, 1.0)
    sigma = checked_covariance(data, name="data", allow_zero_variance=True)
    w = checked_weights(weights, sigma.shape[0])
    direction = np.array([math.fsum(row * w) for row in sigma])
    z = normal_quantile(level)
    tails: dict[Measure, float] = {
        "volatility": 1.0,
        "value_at_risk": z,
        "expected_shortfall": exp(-0.5 * z * z) / math.sqrt(2.0 * math.pi) / (1.0 - level),
    }
    return _parts(w, direction, tails[measure])
