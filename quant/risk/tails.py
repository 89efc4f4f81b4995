"""Value-at-risk and expected shortfall of one daily series, by six methods; losses are positive.

The historical method is that of a strategy's `series_metrics`. The filtered ones replay standardised days at today's
volatility, in logarithms, so that a simulated loss never exceeds everything.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import ArrayLike

from quant.numeric.arguments import checked_arguments
from quant.numeric.arrays import Floats
from quant.numeric.compilation import compiled
from quant.numeric.elementary import Word, exp, uniform
from quant.numeric.errors import DataError
from quant.numeric.moments import moments
from quant.numeric.random_numbers import philox
from quant.numeric.returns import Returns
from quant.performance.growth import checked_total, log_growth
from quant.performance.historical_tail import compound_windows, tail_of
from quant.risk.cornish_fisher import Expansion, coefficients_of, matched_coefficients, rises
from quant.volatility.garch import Garch, fit_garch, garch_variances, next_variance

Method: TypeAlias = Literal[
    "historical", "gaussian", "cornish_fisher", "cornish_fisher_matched", "filtered_ewma", "filtered_garch"
]

METHODS: Final[tuple[Method, ...]] = get_args(Method)
DECAY: Final = 0.94
"""Of squared daily returns in the filter `filtered_ewma` (RiskMetrics)."""
PATHS: Final = 10_000
_RUIN: Final = -1.0 + 1e-15
"""Smallest return, so that wealth stays positive."""
_START: Final = 21
"""Days whose mean square starts the exponentially weighted filter; none of them is replayed."""


@dataclass(frozen=True)
class TailLoss:
    """Losses over `horizon` sessions at one confidence level, as positive fractions.

    Attributes
    ----------
    method : str
    horizon : int
        Sessions.
    level : float
        Confidence level.
    value_at_risk, expected_shortfall : float or None
        None where the method does not apply.
    reason : str or None
        Why it does not; None where it does.
    """

    method: Method
    horizon: int
    level: float
    value_at_risk: float | None
    expected_shortfall: float | None
    reason: str | None = None


@dataclass(frozen=True)
class _Scenarios:
    """Equally likely returns over the horizon, or daily returns whose windows are equally likely."""

    returns: Floats
    horizon: int = 1

    def tail(self, level: float) -> tuple[float, float]:
        windows = self.returns.size - self.horizon + 1
        if (1.0 - level) * windows < 1.0 - 1e-9:
            raise DataError(
                f"`level` {level:g} leaves less than one of {windows} outcomes in the tail: "
                f"at least {math.ceil((1.0 - 1e-9) / (1.0 - level))} are needed"
            )
        outcomes = np.empty(windows)
        compound_windows(self.returns, self.horizon, outcomes)
        count = min(math.floor((1.0 - level) * windows + 1e-9) + 1, windows)
        return tail_of(np.sort(np.partition(outcomes, count - 1)[:count]), windows, level)


def _check_level(level: float) -> None:
    if not 0.0 < level < 1.0:
        raise DataError(f"`level` must lie in (0, 1); got {level!r}")


def _expansion(x: Floats, horizon: int, method: Method) -> Expansion:
    m = moments(x)
    mean, deviation = horizon * m.mean, math.sqrt(horizon) * m.deviation
    if method == "gaussian":
        return Expansion(mean, deviation)
    s, k = m.skewness / math.sqrt(horizon), (m.kurtosis - 3.0) / horizon
    coefficients = coefficients_of(s, k) if method == "cornish_fisher" else matched_coefficients(s, k)
    if coefficients is None or not rises(coefficients):
        raise DataError(
            f"`{method}` does not apply: skewness {s:.3g} and excess kurtosis {k:.3g} over {horizon} sessions "
            "lie outside its domain of validity (Maillard 2012), where its quantiles are not monotone"
        )
    return Expansion(mean, deviation, coefficients)


@compiled
def _average_filter(logs: Floats, decay: float) -> Floats:
    """Exponentially weighted mean square known before each day from `_START` on, and before the day after the last."""
    out = np.empty(logs.size - _START + 1)
    level = 0.0
    for t in range(_START):
        level += logs[t] * logs[t] / _START
    out[0] = level
    for t in range(_START, logs.size):
        level = decay * level + (1.0 - decay) * logs[t] * logs[t]
        out[t - _START + 1] = level
    return out


@compiled
def _replay(
    parameters: Floats, variance: float, residuals: Floats, horizon: int, paths: int, key: Word, out: Floats
) -> None:
    """Compounded returns of paths that draw residuals with equal chances; the shock of each day moves the next one.

    parameters (5,): mu, omega, alpha, gamma, beta of the recursion, which the average has too.
    """
    mu, omega, alpha, gamma, beta = parameters[0], parameters[1], parameters[2], parameters[3], parameters[4]
    zero = np.uint64(0)
    for i in range(paths):
        h = variance
        total = 0.0
        words = (zero, zero, zero, zero)
        for t in range(horizon):
            if t % 4 == 0:
                words = philox(np.uint64(t // 4), np.uint64(i), zero, zero, key)
            e = math.sqrt(h) * residuals[int(uniform(words[t % 4]) * residuals.size)]
            total += mu + e
            h = omega + (alpha + gamma if e < 0.0 else alpha) * e * e + beta * h
        out[i] = max(exp(total) - 1.0, _RUIN)


@compiled
def _rescaled(mu: float, variance: float, residuals: Floats) -> Floats:
    out = np.empty(residuals.size)
    for i in range(residuals.size):
        out[i] = max(exp(mu + math.sqrt(variance) * residuals[i]) - 1.0, _RUIN)
    return out


def _filtered_scenarios(x: Floats, horizon: int, model: Garch | None, *, paths: int, seed: int) -> _Scenarios:
    logs = log_growth(x)
    if model is None:
        if x.size < 2 * _START:
            raise DataError(f"`returns` must have shape (T,), T >= {2 * _START}, for `filtered_ewma`; got {x.shape}")
        variances = _average_filter(logs, DECAY)
        if not (variances > 0.0).all():
            raise DataError("`returns` do not vary over the first 21 sessions: there is no volatility to filter with")
        residuals, variance = logs[_START:] / np.sqrt(variances[:-1]), float(variances[-1])
        parameters = np.array([0.0, 0.0, 1.0 - DECAY, 0.0, DECAY])
    else:
        residuals = (logs - model.mu) / np.sqrt(garch_variances(model, logs))
        residuals, variance = residuals - np.mean(residuals), next_variance(model, logs)
        parameters = model.parameters
    if horizon == 1:
        return _Scenarios(_rescaled(float(parameters[0]), variance, residuals))
    out = np.empty(paths)
    _replay(parameters, variance, np.ascontiguousarray(residuals), horizon, paths, np.uint64(seed), out)
    return _Scenarios(out)


def _distribution(
    x: Floats, horizon: int, method: Method, *, paths: int, seed: int, model: Garch | None = None
) -> Expansion | _Scenarios:
    if horizon < 1:
        raise DataError(f"`horizon` must be at least 1 session; got {horizon!r}")
    if not (paths >= 1 and 0 <= seed < 2**64):
        raise DataError(f"needs `paths` >= 1 and a `seed` in [0, 2^64); got {paths!r} and {seed!r}")
    match method:
        case "historical":
            if x.size < horizon:
                raise DataError(f"`returns` has {x.size} sessions, fewer than `horizon` {horizon}")
            return _Scenarios(x, horizon)
        case "gaussian" | "cornish_fisher" | "cornish_fisher_matched":
            return _expansion(x, horizon, method)
        case "filtered_ewma":
            return _filtered_scenarios(x, horizon, None, paths=paths, seed=seed)
        case "filtered_garch":
            return _filtered_scenarios(x, horizon, model or fit_garch(log_growth(x)), paths=paths, seed=seed)
        case _:
            raise DataError(f"`method` must be one of {', '.join(METHODS)}; got {method!r}")


@checked_arguments
def value_at_risk(
    returns: ArrayLike | Returns,
    level: float = 0.95,
    horizon: int = 1,
    method: Method = "historical",
    *,
    paths: int = PATHS,
    seed: int = 0,
) -> float:
    """Loss over `horizon` sessions that is exceeded with probability ``1 - level`` at most.

    Parameters
    ----------
    returns : array_like of shape (T,), or Returns of one asset
        Daily simple returns as fractions, above -1.
    level : float
        Confidence level in (0, 1).
    horizon : int
        Sessions, at least 1.
    method : str
        - ``historical``: overlapping windows of compounded returns; the k-th worst, k = ceil((1 - level) n).
        - ``gaussian``: normal returns that are independent and add up: mean times h, deviation times sqrt(h).
        - ``cornish_fisher``: the same with the quantile expanded by sample skewness / sqrt(h) and excess kurtosis / h.
        - ``cornish_fisher_matched``: the same with the two parameters solved for, so that the expanded law has these
          moments; it applies to fatter tails, such as one day of an equity index.
        - ``filtered_ewma``: days over their exponentially weighted volatility (0.94), at today's volatility.
        - ``filtered_garch``: the same with a fitted GJR-GARCH(1,1) of Student's t; at least 500 sessions.

        The filtered methods replay each standardised day once for one session, and simulate `paths` paths beyond,
        along which the volatility moves on.
    paths : int
        Simulated paths; 10,000 give the 95% loss to about 2% of itself.
    seed : int
        Of the simulation; the same seed gives the same paths.

    Returns
    -------
    float
        Fraction over the horizon, positive for a loss.

    Raises
    ------
    DataError
        If `returns` is not a finite vector above -1 of two or more, too short for the method or to have one outcome
        in the tail, an argument lies outside its range, or the moments lie outside the domain in which Cornish and
        Fisher's quantiles rise (checked between those of chances 3e-7 and 1 - 3e-7).

    References
    ----------
    Zangari (1996), "A VaR methodology for portfolios that include options", RiskMetrics Monitor; Maillard (2012), "A
    user's guide to the Cornish Fisher expansion"; Barone-Adesi, Giannopoulos and Vosper (1999), "VaR without
    correlations for portfolios of derivative securities", Journal of Futures Markets 19(5).

    Examples
    --------
    >>> round(value_at_risk([-0.02, 0.02, -0.02, 0.02], 0.95, method="gaussian"), 6)
    0.037986
    """
    _check_level(level)
    return _distribution(
        checked_total(returns, name="returns", shortest=2), horizon, method, paths=paths, seed=seed
    ).tail(level)[0]


@checked_arguments
def expected_shortfall(
    returns: ArrayLike | Returns,
    level: float = 0.95,
    horizon: int = 1,
    method: Method = "historical",
    *,
    paths: int = PATHS,
    seed: int = 0,
) -> float:
    r"""Mean loss over `horizon` sessions in the worst ``1 - level`` share of the outcomes.

    Gaussian: :math:`\sigma \varphi(z) / (1 - level) - \mu`. Cornish-Fisher: the mean of the expanded quantile over
    the tail, in closed form. The others: mean of the worst outcomes, the boundary one with its fraction, which keeps
    the measure coherent (Acerbi and Tasche 2002, Journal of Banking & Finance 26(7)).

    Parameters
    ----------
    returns : array_like of shape (T,), or Returns of one asset
        Daily simple returns as fractions, above -1.
    level, horizon, method, paths, seed
        As for `value_at_risk`.

    Returns
    -------
    float
        Fraction over the horizon, positive for a loss; never below the value-at-risk.

    Raises
    ------
    DataError
        As for `value_at_risk`.

    Examples
    --------
    >>> round(expected_shortfall([-0.02, 0.02, -0.02, 0.02], 0.95, method="gaussian"), 6)
    0.047636
    """
    _check_level(level)
    return _distribution(
        checked_total(returns, name="returns", shortest=2), horizon, method, paths=paths, seed=seed
    ).tail(level)[1]


@checked_arguments
def tail_risk(
    returns: ArrayLike | Returns,
    *,
    levels: Sequence[float] = (0.95, 0.99),
    horizons: Sequence[int] = (1, 10, 21),
    methods: Sequence[Method] = METHODS,
    paths: int = PATHS,
    seed: int = 0,
) -> tuple[TailLoss, ...]:
    """Value-at-risk and expected shortfall at every level and horizon, by every method.

    Parameters
    ----------
    returns : array_like of shape (T,), or Returns of one asset
        Daily simple returns as fractions, above -1.
    levels, horizons, methods : sequence
        What the rows are made of, in this order within each method: horizon, then level.
    paths, seed : int
        As for `value_at_risk`; the GARCH model is fitted once, and all horizons share their first days.

    Returns
    -------
    tuple of TailLoss
        One row each. A method that does not apply to these data has a row with its reason.

    Raises
    ------
    DataError
        If `returns` is not a finite vector above -1 of two or more, or a level, horizon or method is impossible.

    Examples
    --------
    >>> days = [0.01, -0.02, 0.015, -0.005] * 25
    >>> row = tail_risk(days, levels=(0.95,), horizons=(1,), methods=("historical",))[0]
    >>> round(row.value_at_risk, 9), round(row.expected_shortfall, 9)
    (0.02, 0.02)
    """
    x = checked_total(returns, name="returns", shortest=2)
    for level in levels:
        _check_level(level)
    if wrong := [h for h in horizons if h < 1] + [m for m in methods if m not in METHODS]:
        raise DataError(f"`horizons` must be at least 1 and `methods` of {', '.join(METHODS)}; got {wrong[0]!r}")
    rows: list[TailLoss] = []
    for method in methods:
        model: Garch | None = None
        for horizon in horizons:
            try:
                if method == "filtered_garch" and model is None:
                    model = fit_garch(log_growth(x))
                outcomes = _distribution(x, horizon, method, paths=paths, seed=seed, model=model)
            except DataError as error:
                rows += [TailLoss(method, horizon, level, None, None, str(error)) for level in levels]
                continue
            for level in levels:
                try:
                    rows.append(TailLoss(method, horizon, level, *outcomes.tail(level)))
                except DataError as error:
                    rows.append(TailLoss(method, horizon, level, None, None, str(error)))
    return tuple(rows)
