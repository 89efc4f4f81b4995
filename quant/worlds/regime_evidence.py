"""Whether returns show two states of volatility: a hidden Markov model against models with one state."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from quant.numeric.arguments import checked_arguments
from quant.numeric.arrays import Floats
from quant.numeric.compilation import compiled
from quant.numeric.elementary import log, log_gamma
from quant.numeric.errors import DataError
from quant.numeric.returns import Returns
from quant.volatility.garch import OBSERVATIONS, fit_garch, garch_log_likelihood
from quant.worlds.hidden_markov import HiddenMarkov, fit_hidden_markov, log_returns, single_series

SMALLEST_RATIO: Final = 1.5
"""Volatility of the turbulent state over that of the calm one, below which they count as one."""

OneState: TypeAlias = Literal["short_history", "equal_returns", "similar_states", "steady", "clusters", "not_compared"]
"""Why there is no second state; `WHY_ONE_STATE` explains each."""

WHY_ONE_STATE: Final[Mapping[OneState, str]] = {
    "short_history": "the history is too short to tell a lasting state of volatility from several",
    "equal_returns": "too many returns are equal to fit separate states of volatility",
    "similar_states": "the volatilities of the fitted states hardly differ",
    "steady": "steady volatility, with large moves now and then, describes the returns as well as separate states",
    "clusters": "a volatility that changes gradually describes the returns as well as separate states",
    "not_compared": "no model of gradually changing volatility could be fitted to compare separate states with",
}
_FREEDOMS: Final = (2.2, 2.5, 3.0, 3.5, 4.0, 5.0, 6.0, 8.0, 11.0, 16.0, 30.0, 100.0)
_STEPS: Final = 50
_TOLERANCE: Final = 1e-3
"""Gain in log-likelihood that is small enough for the comparison; without a second state a fit converges slowly."""
_GARCH_PARAMETERS: Final = 6


@dataclass(frozen=True, eq=False)
class RegimeEvidence:
    """The model of a calm and a turbulent state, or why there is none.

    Attributes
    ----------
    model : HiddenMarkov or None
        Of two states.
    reason : str or None
        Key of `WHY_ONE_STATE`, where there is no model.
    """

    model: HiddenMarkov | None
    reason: OneState | None


@checked_arguments
def examine_regimes(returns: Returns | ArrayLike) -> RegimeEvidence:
    """Fit two states of volatility, and keep them only if one state describes the returns worse.

    The turbulent state must have at least 1.5 times the volatility of the calm one, and the two-state model the lowest
    Bayesian information criterion among itself, independent normal and Student's t returns, and GJR-GARCH with
    Student's t shocks. Fat tails alone and gradually changing volatility alone are thus no second state.

    Parameters
    ----------
    returns : Returns of one asset, or array_like, shape (T,)
        Daily simple returns; fewer than 500 show no second state.

    Returns
    -------
    RegimeEvidence

    Raises
    ------
    DataError
        If `returns` is not one finite series above -1.

    References
    ----------
    Schwarz (1978), "Estimating the dimension of a model", Annals of Statistics 6(2).

    Examples
    --------
    >>> examine_regimes([0.01, -0.01] * 100).reason
    'short_history'
    """
    series = single_series(returns)
    if series.size < OBSERVATIONS:
        return RegimeEvidence(None, "short_history")
    try:
        model = fit_hidden_markov(series, tolerance=_TOLERANCE)
    except DataError:  # the series is checked: it does not vary, or a state collapses onto equal returns
        return RegimeEvidence(None, "equal_returns")
    reason = _one_state(model, log_returns(series))
    if reason is not None:
        return RegimeEvidence(None, reason)
    return RegimeEvidence(fit_hidden_markov(series, start=model), None)


def _one_state(model: HiddenMarkov, logs: Floats) -> OneState | None:
    if model.volatilities[1] < SMALLEST_RATIO * model.volatilities[0]:
        return "similar_states"
    a_parameter = log(float(logs.size))
    normal, student = _independent(logs, np.array(_FREEDOMS))
    if min(2.0 * a_parameter - 2.0 * normal, 3.0 * a_parameter - 2.0 * student) <= model.bic:
        return "steady"
    try:
        garch = fit_garch(logs)
    except DataError:
        return "not_compared"
    if _GARCH_PARAMETERS * a_parameter - 2.0 * garch_log_likelihood(garch, logs) <= model.bic:
        return "clusters"
    return None


@compiled
def _independent(x: Floats, freedoms: Floats) -> tuple[float, float]:
    """Largest log-likelihoods of independent days: normal, and Student's t over the given degrees of freedom.

    Expectation maximisation with each day weighted by (nu + 1) / (nu + z**2): Lange, Little and Taylor (1989), Journal
    of the American Statistical Association 84(408).
    """
    n = float(x.size)
    mean, square = 0.0, 0.0
    for t in range(x.size):
        mean += x[t] / n
    for t in range(x.size):
        square += (x[t] - mean) * (x[t] - mean) / n
    normal = -0.5 * n * (log(2.0 * math.pi * square) + 1.0)
    best = -np.inf
    for nu in freedoms:
        centre, scale = mean, square * (nu - 2.0) / nu
        for _ in range(_STEPS):
            weights, first, second = 0.0, 0.0, 0.0
            for t in range(x.size):
                d = x[t] - centre
                weight = (nu + 1.0) / (nu + d * d / scale)
                weights += weight
                first += weight * x[t]
                second += weight * d * d
            centre, scale = first / weights, second / n
        tails = 0.0
        for t in range(x.size):
            d = x[t] - centre
            tails += log(1.0 + d * d / (nu * scale))
        constant = log_gamma(0.5 * (nu + 1.0)) - log_gamma(0.5 * nu) - 0.5 * log(math.pi * nu * scale)
        best = max(best, n * constant - 0.5 * (nu + 1.0) * tails)
    return normal, best
