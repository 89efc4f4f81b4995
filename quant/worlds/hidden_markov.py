"""Hidden Markov models of daily returns: fitted by expectation maximisation, filtered and never smoothed."""

import math
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from quant.numeric.arguments import checked_arguments
from quant.numeric.arrays import Floats
from quant.numeric.compilation import compiled
from quant.numeric.elementary import exp, log
from quant.numeric.errors import DataError
from quant.numeric.returns import Returns

FEWEST_OBSERVATIONS: Final = 250
"""Minimum observations to fit a hidden Markov model or to resample the days of a label."""
_COLLAPSED: Final = 1e-5
"""Share of the series' variance below which a state has collapsed onto a few equal returns."""
_FIRST_STEPS: Final = 40
_LOG_SQRT_2PI: Final = 0.9189385332046727


@dataclass(frozen=True, eq=False)
class HiddenMarkov:
    """A Gaussian hidden Markov model of daily log returns; states in the order of their volatility."""

    means: Floats
    """Shape (K,), per day."""
    volatilities: Floats
    """Shape (K,), per day, increasing."""
    transition: Floats
    """Shape (K, K): row i holds the probabilities of tomorrow's states if today's is i."""
    stationary: Floats
    """Shape (K,): the share of days in each state in the long run."""
    log_likelihood: float
    """Of the returns fitted to, their first state drawn from the stationary law."""
    observations: int
    iterations: int
    converged: bool

    @property
    def expected_durations(self) -> Floats:
        """Mean length of a visit to each state in days, shape (K,); infinite for a state that is never left."""
        leaving = np.where(np.eye(self.means.size) > 0.0, 0.0, self.transition).sum(axis=1)
        with np.errstate(divide="ignore"):
            return 1.0 / leaving

    @property
    def bic(self) -> float:
        """Bayesian information criterion, to compare numbers of states; lower is better."""
        free = self.means.size * (self.means.size + 1)
        return free * log(float(self.observations)) - 2.0 * self.log_likelihood

    @property
    def parameters(self) -> Floats:
        """What `regime_signal` and `regime_probabilities` take, shape (K (K + 4),).

        For each state the logarithm of 1 / sigma, the mean, 1 / (2 sigma^2) and the stationary probability, then
        the rows of the transition matrix.
        """
        flat = [
            (-log(float(s)), float(m), 0.5 / float(s * s), float(p))
            for m, s, p in zip(self.means, self.volatilities, self.stationary, strict=True)
        ]
        return np.concatenate([np.array(flat).ravel(), self.transition.ravel()])


@checked_arguments
def fit_hidden_markov(
    returns: Returns | ArrayLike,
    *,
    states: Literal[2, 3] = 2,
    start: HiddenMarkov | None = None,
    tolerance: float = 1e-7,
    max_iterations: int = 2000,
) -> HiddenMarkov:
    """Fit a Gaussian hidden Markov model to daily log returns by expectation maximisation.

    The search starts from several fixed guesses (states that differ in volatility by a little or a lot, or in mean)
    and follows the best; the same returns always give the same model. The law of the first state is free in the fit,
    so that every step has a closed form.

    Parameters
    ----------
    returns : Returns of one asset, or array_like, shape (T,)
        Daily simple returns, at least 250: training data only, where the model is to be tested on later days.
    states : {2, 3}
    start : HiddenMarkov, optional
        Start from this model only, such as last month's.
    tolerance : float
        Gain in log-likelihood of one iteration below which the fit has converged; positive.
    max_iterations : int
        After which it is given back with `converged` false.

    Returns
    -------
    HiddenMarkov

    Raises
    ------
    DataError
        If `returns` is not one finite series above -1 of 250 days or more, does not vary, or holds so many equal
        returns that a state collapses onto them; if an option is out of its range.

    References
    ----------
    Hamilton (1989), "A new approach to the economic analysis of nonstationary time series and the business cycle",
    Econometrica 57(2); Hamilton (1990), Journal of Econometrics 45, section 3.
    """
    series = single_series(returns)
    if states not in {2, 3}:
        raise DataError(f"`states` must be 2 or 3, got {states!r}")
    if series.size < FEWEST_OBSERVATIONS:
        raise DataError(f"`returns` must have at least {FEWEST_OBSERVATIONS} days, got {series.size}")
    if not (tolerance > 0.0 and max_iterations > 0):
        raise DataError(f"`tolerance` and `max_iterations` must be positive, got {tolerance!r} and {max_iterations}")
    if start is not None and start.means.size != states:
        raise DataError(f"`start` must have {states} states, has {start.means.size}")
    logs = log_returns(series)
    mean, variance = _mean_and_variance(logs)
    if variance <= 1e-14 * (mean * mean) or variance < 1e-28:
        raise DataError(f"`returns` must vary; all are {series[0]:g} but for rounding")
    floor = _COLLAPSED * variance
    iterations = 0
    if start is None:
        guess = _best_guess(logs, states, mean, variance, min(_FIRST_STEPS, max_iterations))
        iterations = min(_FIRST_STEPS, max_iterations)
    else:
        squares = start.volatilities * start.volatilities
        guess = (start.means.copy(), squares, start.transition.copy(), start.stationary.copy())
    more, converged = _maximise(logs, *guess, floor, tolerance, max_iterations - iterations)
    return _model(logs, guess, floor, iterations + int(more), bool(converged))


_Guess: TypeAlias = tuple[Floats, Floats, Floats, Floats]
"""Means, variances, transition matrix, probabilities of the first state."""


def _best_guess(logs: Floats, states: int, mean: float, variance: float, steps: int) -> _Guess:
    best, highest = None, -math.inf
    place = np.linspace(-1.0, 1.0, states)
    # variances that differ by the square of the ratio, means by the shift in deviations
    for ratio, shift, stay in ((2.0, 0.0, 0.98), (4.0, 0.0, 0.95), (1.3, 0.0, 0.98), (1.1, 1.0, 0.9)):
        spread = np.array([exp(log(ratio) * p) for p in place.tolist()])
        leave = (1.0 - stay) / (states - 1)
        transition = np.full((states, states), leave) + (stay - leave) * np.eye(states)
        guess = (
            mean - shift * math.sqrt(variance) * place,
            variance * spread,
            transition,
            np.full(states, 1.0 / states),
        )
        _maximise(logs, *guess, _COLLAPSED * variance, -math.inf, steps)
        likelihood = float(_filter(logs, *guess, np.empty((logs.size, states)), np.empty((logs.size, states))))
        if likelihood > highest:
            best, highest = guess, likelihood
    assert best is not None
    return best


def _model(logs: Floats, guess: _Guess, floor: float, iterations: int, converged: bool) -> HiddenMarkov:  # noqa: FBT001
    means, variances, transition, _ = guess
    order = np.argsort(variances, kind="stable")
    means, variances = means[order], variances[order]
    transition = np.ascontiguousarray(transition[np.ix_(order, order)])
    if variances[0] <= floor:
        raise DataError(
            f"`returns` let a state collapse onto equal returns near {means[0]:g}; look for stale prices, or fit "
            "fewer states"
        )
    stationary = _stationary(transition)
    shape = (logs.size, means.size)
    likelihood = float(_filter(logs, means, variances, transition, stationary, np.empty(shape), np.empty(shape)))
    return HiddenMarkov(means, np.sqrt(variances), transition, stationary, likelihood, logs.size, iterations, converged)


@checked_arguments
def filtered_probabilities(model: HiddenMarkov, returns: Returns | ArrayLike) -> Floats:
    """Probability of each state given the returns through each day; never smoothed.

    Parameters
    ----------
    model : HiddenMarkov
    returns : Returns of one asset, or array_like, shape (T,)
        Daily simple returns; the state before the first is drawn from the stationary law.

    Returns
    -------
    ndarray, shape (T, K)
        Row t uses returns through t only; rows sum to 1.

    Raises
    ------
    DataError
        If `returns` is not one finite series above -1.
    """
    logs = log_returns(single_series(returns))
    out = np.empty((logs.size, model.means.size, 1))
    regime_probabilities(model.parameters, logs[:, None], out)
    return out[:, :, 0]


@compiled
def regime_probabilities(parameters: Floats, logs: Floats, out: Floats) -> None:
    """Filtered probabilities of each lane through each day.

    `parameters` of a `HiddenMarkov`; `logs`, shape (T, B), daily log returns; `out`, shape (T, K, B).
    """
    days, lanes = logs.shape
    predicted = _first_prediction(parameters, lanes)
    scratch = np.empty((2, lanes))
    for t in range(days):
        _filter_day(parameters, logs[t], predicted, scratch, out[t])


@compiled
def regime_signal(parameters: Floats, weights: Floats, logs: Floats, out: Floats) -> None:
    """Weight of each lane through each day: the states' `weights`, shape (K,), by their filtered probabilities.

    `parameters` of a `HiddenMarkov`; `logs` and `out`, shapes (T, B).
    """
    days, lanes = logs.shape
    predicted = _first_prediction(parameters, lanes)
    scratch = np.empty((2, lanes))
    probabilities = np.empty_like(predicted)
    for t in range(days):
        _filter_day(parameters, logs[t], predicted, scratch, probabilities)
        row = out[t]
        row[:] = 0.0
        for k in range(len(predicted)):
            weight = weights[k]
            own = probabilities[k]
            for j in range(lanes):
                row[j] += weight * own[j]


@compiled
def _first_prediction(parameters: Floats, lanes: int) -> Floats:
    states = int(math.sqrt(parameters.size + 4.0) + 0.5) - 2
    predicted = np.empty((states, lanes))
    for k in range(states):
        predicted[k] = parameters[4 * k + 3]
    return predicted


@compiled
def _filter_day(parameters: Floats, x: Floats, predicted: Floats, scratch: Floats, out: Floats) -> None:
    """From the prediction of a day to its filtered probabilities in `out`, and to the prediction of the next."""
    states, lanes = predicted.shape
    base, total = scratch[0], scratch[1]
    # densities over that of the most volatile state, whose tail is the fattest: the ratios are bounded above, and
    # what exp() makes of the others is never zero, so that the total is not
    last = 4 * (states - 1)
    constant, mean, steepness = parameters[last], parameters[last + 1], parameters[last + 2]
    own, prior = out[states - 1], predicted[states - 1]
    for j in range(lanes):
        away = x[j] - mean
        base[j] = constant - steepness * (away * away)
        own[j] = prior[j]
        total[j] = prior[j]
    for k in range(states - 1):
        constant, mean, steepness = parameters[4 * k], parameters[4 * k + 1], parameters[4 * k + 2]
        own, prior = out[k], predicted[k]
        for j in range(lanes):
            away = x[j] - mean
            own[j] = prior[j] * exp(constant - steepness * (away * away) - base[j])
            total[j] += own[j]
    for j in range(lanes):
        total[j] = 1.0 / total[j]
    for k in range(states):
        own = out[k]
        for j in range(lanes):
            own[j] *= total[j]
    _predict(parameters, out, predicted)


@compiled
def _predict(parameters: Floats, filtered: Floats, out: Floats) -> None:
    states, lanes = out.shape
    for k in range(states):
        following = out[k]
        following[:] = 0.0
        for i in range(states):
            chance = parameters[4 * states + states * i + k]
            row = filtered[i]
            for j in range(lanes):
                following[j] += chance * row[j]


@compiled
def _filter(
    logs: Floats,
    means: Floats,
    variances: Floats,
    transition: Floats,
    first: Floats,
    predicted: Floats,
    filtered: Floats,
) -> float:
    """Log-likelihood; predictions and filtered probabilities of every day, shapes (T, K)."""
    states = means.size
    constant = np.empty(states)
    for k in range(states):
        constant[k] = -0.5 * log(variances[k]) - _LOG_SQRT_2PI
    likelihood = 0.0
    for t in range(logs.size):
        top = -np.inf
        for k in range(states):
            away = logs[t] - means[k]
            filtered[t, k] = constant[k] - 0.5 * away * away / variances[k]
            top = max(top, filtered[t, k])
        total = 0.0
        for k in range(states):
            if t == 0:
                predicted[t, k] = first[k]
            else:
                predicted[t, k] = 0.0
                for i in range(states):
                    predicted[t, k] += filtered[t - 1, i] * transition[i, k]
            filtered[t, k] = predicted[t, k] * exp(filtered[t, k] - top)
            total += filtered[t, k]
        for k in range(states):
            filtered[t, k] /= total
        likelihood += top + log(total)
    return likelihood


@compiled
def _maximise(
    logs: Floats,
    means: Floats,
    variances: Floats,
    transition: Floats,
    first: Floats,
    floor: float,
    tolerance: float,
    max_iterations: int,
) -> tuple[int, bool]:
    """Iterations taken, whether they converged; the four arrays of parameters are improved in place."""
    shape = (logs.size, means.size)
    predicted, filtered = np.empty(shape), np.empty(shape)
    before = -np.inf
    for iteration in range(max_iterations):
        likelihood = _filter(logs, means, variances, transition, first, predicted, filtered)
        if likelihood - before < tolerance:
            return iteration, True
        before = likelihood
        _smooth(transition, predicted, filtered)
        _estimate(logs, filtered, means, variances, first, floor)
    return max_iterations, False


@compiled
def _smooth(transition: Floats, predicted: Floats, filtered: Floats) -> None:
    """Filtered probabilities become smoothed ones, and the transition matrix their expected frequencies."""
    days, states = filtered.shape
    moves = np.zeros((states, states))
    ratio = np.empty(states)
    for t in range(days - 2, -1, -1):
        for j in range(states):
            ratio[j] = filtered[t + 1, j] / predicted[t + 1, j] if predicted[t + 1, j] > 0.0 else 0.0
        for i in range(states):
            smoothed = 0.0
            for j in range(states):
                move = filtered[t, i] * transition[i, j] * ratio[j]
                moves[i, j] += move
                smoothed += move
            filtered[t, i] = smoothed
    for i in range(states):
        total = 0.0
        for j in range(states):
            total += moves[i, j]
        if total > 0.0:
            for j in range(states):
                transition[i, j] = moves[i, j] / total


@compiled
def _estimate(logs: Floats, smoothed: Floats, means: Floats, variances: Floats, first: Floats, floor: float) -> None:
    for k in range(means.size):
        days = 0.0
        total = 0.0
        for t in range(logs.size):
            days += smoothed[t, k]
            total += smoothed[t, k] * logs[t]
        first[k] = smoothed[0, k]
        if days > 0.0:
            means[k] = total / days
            square = 0.0
            for t in range(logs.size):
                away = logs[t] - means[k]
                square += smoothed[t, k] * (away * away)
            variances[k] = max(square / days, floor)


@compiled
def _stationary(transition: Floats) -> Floats:
    """Grassmann, Taksar and Heyman (1985): without a subtraction. A state that is never left holds all days."""
    states = len(transition)
    p = transition.copy()
    for n in range(states - 1, 0, -1):
        out = 0.0
        for j in range(n):
            out += p[n, j]
        for i in range(n):
            p[i, n] /= max(out, 1e-100)
            for j in range(n):
                p[i, j] += p[i, n] * p[n, j]
    law = np.empty(states)
    law[0] = 1.0
    total = 1.0
    for n in range(1, states):
        law[n] = 0.0
        for i in range(n):
            law[n] += law[i] * p[i, n]
        total += law[n]
    return law / total


@compiled
def log_returns(series: Floats) -> Floats:
    """Logarithmic returns of simple ones, shape (T,)."""
    out = np.empty(series.size)
    for t in range(series.size):
        out[t] = log(1.0 + series[t])
    return out


@compiled
def _mean_and_variance(x: Floats) -> tuple[float, float]:
    mean = 0.0
    for t in range(x.size):
        mean += x[t]
    mean /= x.size
    square = 0.0
    for t in range(x.size):
        square += (x[t] - mean) * (x[t] - mean)
    return mean, square / x.size


def single_series(returns: Returns | ArrayLike) -> Floats:
    """The returns of one asset as a vector; a DataError if they are invalid."""
    if isinstance(returns, Returns):
        if len(returns.assets) != 1:
            raise DataError(f"`returns` must be of one asset, has {len(returns.assets)}")
        return np.ascontiguousarray(returns.values[:, 0])
    try:
        series = np.asarray(returns, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise DataError(f"`returns` must be numbers: {error}") from None
    if series.ndim != 1 or series.size == 0:
        raise DataError(f"`returns` must have shape (T,), T > 0; got {series.shape}")
    good = np.isfinite(series) & (series > -1.0)
    if not good.all():
        t = int(good.argmin())
        raise DataError(f"`returns` must be finite and above -1, row {t} is {series[t]}")
    return np.ascontiguousarray(series)
