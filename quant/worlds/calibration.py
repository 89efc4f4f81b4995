"""Calibration: scenarios fitted to training returns, and the shocks that derive five scenarios from one."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike
from pydantic import ValidationError

from quant.numeric.arguments import checked_arguments, refuse_overflow
from quant.numeric.arrays import Flags, Floats
from quant.numeric.compilation import compiled
from quant.numeric.elementary import exp, log
from quant.numeric.errors import DataError
from quant.numeric.random_numbers import LANES
from quant.numeric.returns import Returns
from quant.numeric.units import DAYS
from quant.volatility.garch import fit_garch
from quant.worlds.diagnostics import LAGS, implied_shape
from quant.worlds.hidden_markov import fit_hidden_markov
from quant.worlds.paths import PathModel, implied_moments, path_model, sample_paths
from quant.worlds.regimes import labels
from quant.worlds.scenario import BUILT_IN, JUMP, PERSISTENCE, Engine, Label, RegimeState, Scenario
from quant.worlds.shocks import SHOCKS

FEWEST: Final[Mapping[Engine, int]] = {"heston": 1260, "bates": 1260, "garch": 500, "regime_switching": 500}
"""Minimum sessions of an engine with parameters of its own; the others need 250 for a mean and a volatility."""
_MONTH: Final = 21


@dataclass(frozen=True)
class Fit:
    """A statistic of the history, and what the calibrated scenario implies; None without a closed form."""

    name: str
    sample: float
    implied: float | None


@dataclass(frozen=True)
class Calibration:
    """A scenario fitted to a history.

    Attributes
    ----------
    scenario : Scenario
    observations : int
    fits : tuple of Fit
        `mean` and `volatility` (annual), `skewness`, `kurtosis` (daily), `memory_1`, `memory_5`, `memory_21`
        (autocorrelation of absolute returns).
    feller : float or None
        2 kappa theta / xi**2 of Heston and Bates: below 1 the variance touches 0.
    at_bounds : tuple of str
        Parameters whose estimate lay outside what a scenario may have and were set to the nearest allowed value.
    """

    scenario: Scenario
    observations: int
    fits: tuple[Fit, ...]
    feller: float | None
    at_bounds: tuple[str, ...]


@dataclass(frozen=True)
class ImpliedStatistics:
    """Statistics of the risky leg that a scenario implies.

    Attributes
    ----------
    mu, sigma, sharpe : float
        Annual; the ratio is over the scenario's cash rate.
    worst_day, worst_month : float
        Median over paths of the lowest return of a day and of 21 consecutive days within the scenario's years.
    """

    mu: float
    sigma: float
    sharpe: float
    worst_day: float
    worst_month: float


@checked_arguments
def calibrate(
    returns: Returns | ArrayLike,
    engine: Engine = "heston",
    *,
    name: str = "calibrated",
    cash_rate: float = 0.03,
    premium_power: int = 1,
    label: Label = "base",
) -> Calibration:
    """A scenario whose engine is fitted to `returns`: training data only.

    mu and sigma are the sample's. Beyond them

    - heston: the autocovariances at 1 to 4 months of the variance realised over 21 days fall by exp(-kappa / 12) a
      month and give kappa and the variance of the variance, hence xi; the mean product of a return and the squares of
      the 21 days after it gives the correlation (generalised method of moments; Bollerslev and Zhou 2002, Journal of
      Econometrics 109, with daily in place of intraday squares);
    - merton: the excess kurtosis gives the rate of jumps, whose size is a fixed share of sigma;
    - bates: Heston's moments, and the rate of jumps by the kurtosis that they leave;
    - garch: maximum likelihood of GJR-GARCH-t (`quant.volatility.garch.fit_garch`);
    - regime_switching: two states of a hidden Markov model (`quant.worlds.hidden_markov.fit_hidden_markov`);
    - bootstrap, conditional_bootstrap: the mean block that is best for the mean of absolute returns (Politis and
      White 2004, Econometric Reviews 23(1), corrected 2009), within 20 and 60; conditional_bootstrap takes mu and
      sigma from the days with `label`;
    - replay, gbm: nothing else.

    Parameters
    ----------
    returns : Returns of one asset, or array_like, shape (T,)
        Daily simple returns. At least 250; 500 for `garch` and `regime_switching`, 1260 for `heston` and `bates`.
    engine : str
    name : str
        Of the scenario.
    cash_rate : float
        Annual.
    premium_power : {0, 1, 2}
    label : str
        For the conditional bootstrap.

    Returns
    -------
    Calibration

    Raises
    ------
    DataError
        If there are fewer returns, one is not finite or not above -1, or they do not vary; if they show no lasting
        variance (heston, bates); or if mu, sigma or a state lies outside what a scenario may have.

    Examples
    --------
    >>> shocks = np.random.default_rng(1).normal(0.0004, 0.01, 600)
    >>> scenario = calibrate(shocks, "gbm").scenario
    >>> abs(scenario.mu - 252 * float(shocks.mean())) < 1e-12
    True
    """
    series = _series(returns, FEWEST.get(engine, 250))
    mask = labels(series).days(label) if engine == "conditional_bootstrap" else np.ones(series.size, dtype=np.bool_)
    moments = _moments(series[mask])
    fields: dict[str, Any] = {
        "label": label,
        "mu": DAYS * moments.mean,
        "sigma": math.sqrt(DAYS * moments.variance),
    }
    at_bounds: list[str] = []
    match engine:
        case "heston" | "bates":
            fields |= _stochastic(series, moments, jumps=engine == "bates", at_bounds=at_bounds)
        case "merton":
            fields["jumps_per_year"] = _clip("jumps_per_year", _rate(moments.kurtosis - 3.0), 0.0, 5.0, at_bounds)
        case "garch":
            fields |= _garch(series, at_bounds)
        case "regime_switching":
            fields["states"] = _states(series)
        case "bootstrap" | "conditional_bootstrap":
            fields["mean_block"] = round(_clip("mean_block", _block(series), 20.0, 60.0, at_bounds))
        case _:
            pass
    scenario = _scenario(
        {"name": name, "engine": engine, "cash_rate": cash_rate, "premium_power": premium_power} | fields
    )
    feller = None
    if engine in {"heston", "bates"}:
        feller = 2.0 * scenario.mean_reversion / (scenario.vol_of_vol * scenario.vol_of_vol)
    model = path_model(scenario, seed=0, history=series, labelled=mask)
    return Calibration(scenario, series.size, _fits(scenario, model, series[mask], moments), feller, tuple(at_bounds))


@checked_arguments
def shocked_scenarios(base: Scenario) -> tuple[Scenario, ...]:
    """Five scenarios around a base case: mu shifts by multiples of sigma, sigma scales by a factor.

    Parameters
    ----------
    base : Scenario
        Usually of `calibrate`; its engine and the engine's parameters hold in all five. For mu 8%, sigma 18% and cash
        3% they are the built-in five, to rounding.

    Returns
    -------
    tuple of Scenario
        `base_case`, `bull_market`, `bear_market`, `high_volatility`, `low_volatility`, with the default
        probabilities. A cash rate of 0 or more stays so.

    Raises
    ------
    DataError
        If the base has states of its own, or a world would lie outside what a scenario may be: sigma above 100%, or
        mu beyond 50% either way.

    Examples
    --------
    >>> [(s.name, round(s.mu, 3), round(s.sigma, 3)) for s in shocked_scenarios(BUILT_IN[0])][1:3]
    [('bull_market', 0.15, 0.12), ('bear_market', -0.05, 0.35)]
    """
    if base.states:
        raise DataError("`base` has states, which carry their own means; expected a scenario without states")
    probabilities = {s.name: s.probability for s in BUILT_IN}
    worlds: list[Scenario] = []
    for name, (shift, factor, cash_shift, correlation) in SHOCKS.items():
        cash = base.cash_rate + cash_shift
        changes = {
            "name": name,
            "mu": base.mu + shift * base.sigma,
            "sigma": base.sigma * factor,
            "cash_rate": max(cash, 0.0) if base.cash_rate >= 0.0 else cash,
            "bond_correlation": correlation,
            "probability": probabilities[name],
        }
        worlds.append(_scenario(base.model_dump() | changes))
    return tuple(worlds)


@checked_arguments
def empirical_scenario(base: Scenario, returns: Returns | ArrayLike, label: Label) -> Scenario:
    """The base scenario with mu and sigma of the historical days that carry a label.

    Parameters
    ----------
    base : Scenario
        Gives everything else.
    returns : Returns of one asset, or array_like, shape (T,)
        Daily simple returns: training data only.
    label : {"base", "bull", "bear", "high_volatility", "low_volatility"}
        As known at the close of each day (`quant.worlds.regimes.labels`).

    Returns
    -------
    Scenario
        Named for the label, `empirical_bear` for instance, with the label, and without a probability.

    Raises
    ------
    DataError
        If fewer than 250 days, in runs of five and more, carry the label, or their mu or sigma lies outside what a
        scenario may have.
    """
    series = _series(returns, 250)
    moments = _moments(series[labels(series).days(label)])
    changes = {
        "name": f"empirical_{label}",
        "mu": DAYS * moments.mean,
        "sigma": math.sqrt(DAYS * moments.variance),
        "label": label,
        "probability": 0.0,
    }
    return _scenario(base.model_dump() | changes)


@checked_arguments
def implied_statistics(
    scenario: Scenario, *, paths: int = 1_024, history: Floats | None = None, labelled: Flags | None = None
) -> ImpliedStatistics:
    """Moments of `scenario` in closed form, and the median over its paths of the worst day and month.

    Parameters
    ----------
    scenario : Scenario
    paths : int
        In [64, 100000], in steps of 64 upwards.
    history, labelled : ndarray, shape (H,), optional
        As in `quant.worlds.paths.path_model`.

    Returns
    -------
    ImpliedStatistics

    Raises
    ------
    DataError
        If `paths` is out of its range, or the engine cannot be simulated (`path_model`).
    """
    if not LANES <= paths <= 100_000:
        raise DataError(f"`paths` is {paths}; expected {LANES} to 100000")
    if history is not None:
        refuse_overflow(history, "history")
    model = path_model(scenario, seed=0, history=history, labelled=labelled)
    mu, sigma = implied_moments(scenario)
    blocks = math.ceil(paths / LANES)
    worst = np.empty((2, blocks * LANES))
    for b in range(blocks):
        days = sample_paths(model, days=scenario.years * DAYS, first_block=b)
        _worst(days, worst[:, b * LANES : (b + 1) * LANES])
    day, month = (float(np.median(row)) for row in worst)
    return ImpliedStatistics(mu, sigma, (mu - scenario.cash_rate) / sigma, day, month)


@dataclass(frozen=True)
class _Moments:
    mean: float
    variance: float
    skewness: float
    kurtosis: float


def _series(returns: Returns | ArrayLike, fewest: int) -> Floats:
    if isinstance(returns, Returns):
        if len(returns.assets) != 1:
            raise DataError(f"`returns` has {len(returns.assets)} assets; expected one")
        values = returns.values[:, 0]
    else:
        values = np.asarray(returns, dtype=np.float64)
    if values.ndim != 1 or values.size < fewest:
        raise DataError(f"`returns` has shape {values.shape}; expected one series of at least {fewest} days")
    good = np.isfinite(values) & (values > -1.0)
    if not good.all():
        day = int(good.argmin())
        raise DataError(f"`returns` has {values[day]} on day {day}; expected finite returns above -1")
    return np.ascontiguousarray(values)


def _moments(x: Floats) -> _Moments:
    central = np.empty(4)
    _central(x, central)
    mean, second, third, fourth = (float(v) for v in central)
    if not second > 1e-16:
        raise DataError(f"`returns` has a deviation of {math.sqrt(max(second, 0.0)):.3g}; expected returns that vary")
    return _Moments(mean, second, third / (second * math.sqrt(second)), fourth / (second * second))


@compiled
def _central(x: Floats, out: Floats) -> None:
    n = float(x.size)
    mean = 0.0
    for t in range(x.size):
        mean += x[t]
    mean /= n
    out[0] = mean
    out[1] = out[2] = out[3] = 0.0
    for t in range(x.size):
        d = x[t] - mean
        out[1] += d * d / n
        out[2] += d * d * d / n
        out[3] += d * d * d * d / n


@compiled
def _covariance(x: Floats, y: Floats, lag: int) -> float:
    """Of x today with y `lag` days later, over their common days, both about their own mean."""
    n = x.size - lag
    mean_x, mean_y = 0.0, 0.0
    for t in range(n):
        mean_x += x[t] / n
        mean_y += y[t + lag] / n
    total = 0.0
    for t in range(n):
        total += (x[t] - mean_x) * (y[t + lag] - mean_y) / n
    return total


@compiled
def _realised_variance(squares: Floats, out: Floats) -> None:
    """Annual variance realised over the 21 days that end at each."""
    for t in range(out.size):
        total = 0.0
        for k in range(_MONTH):
            total += squares[t + k]
        out[t] = total * DAYS / _MONTH


@compiled
def _worst(returns: Floats, out: Floats) -> None:
    """Lowest return of a day and of 21 consecutive days on each path, shape (2, B)."""
    days, lanes = returns.shape
    for j in range(lanes):
        lowest_day, lowest_month = np.inf, np.inf
        for t in range(days):
            lowest_day = min(lowest_day, returns[t, j])
        for t in range(days - _MONTH + 1):
            wealth = 1.0
            for k in range(_MONTH):
                wealth *= 1.0 + returns[t + k, j]
            lowest_month = min(lowest_month, wealth - 1.0)
        out[0, j], out[1, j] = lowest_day, lowest_month


def _clip(name: str, value: float, low: float, high: float, at_bounds: list[str]) -> float:
    if low <= value <= high:
        return value
    at_bounds.append(name)
    return min(max(value, low), high)


def _rate(excess_kurtosis: float) -> float:
    """Jumps a year: a compound Poisson sum adds the rate times E[J**4] to the fourth cumulant of a day."""
    fourth = 10.0 * JUMP * JUMP * JUMP * JUMP  # E[J**4] / sigma**4 with mean and deviation alike: 1 + 6 + 3
    return excess_kurtosis / (DAYS * fourth)


def _stochastic(series: Floats, moments: _Moments, *, jumps: bool, at_bounds: list[str]) -> dict[str, Any]:
    centred = series - moments.mean
    squares = centred * centred
    realised = np.empty(series.size - _MONTH + 1)
    _realised_variance(squares, realised)
    memory = [_covariance(realised, realised, _MONTH * k) for k in (1, 2, 3, 4)]
    early, late = math.fsum(memory[:3]), math.fsum(memory[1:])
    if memory[0] <= 0.0 or early <= 0.0:
        raise DataError(
            f"`returns` has variances of neighbouring months with a covariance of {memory[0]:.3g}: there is no "
            "lasting variance to fit; expected an engine without one, such as merton"
        )
    share = late / early
    kappa = _clip("mean_reversion", -12.0 * log(share) if share > 0.0 else math.inf, 0.1, 20.0, at_bounds)
    overlap = math.fsum((_MONTH - abs(k)) * exp(-kappa * (_MONTH + k) / DAYS) for k in range(1 - _MONTH, _MONTH)) / (
        _MONTH * _MONTH
    )
    spread = memory[0] / overlap  # variance of the annual variance
    theta, rate = DAYS * moments.variance, 0.0
    if jumps:
        # what neither a normal day nor the spread of the variance explains
        rest = moments.kurtosis - 3.0 - 3.0 * spread / (theta * theta)
        rate = _clip("jumps_per_year", _rate(rest), 0.0, 5.0, at_bounds)
        theta *= 1.0 - 2.0 * JUMP * JUMP * rate
    xi = math.sqrt(2.0 * kappa * spread / theta)
    # Cov(x[t], x[t + k]**2) = rho xi theta exp(-kappa k / A) / A**2
    answers = math.fsum(_covariance(series, squares, k) for k in range(1, _MONTH + 1))
    weights = math.fsum(exp(-kappa * k / DAYS) for k in range(1, _MONTH + 1))
    leverage = answers * DAYS * DAYS / (xi * theta * weights)
    parameters = {
        "mean_reversion": kappa,
        "vol_of_vol": _clip("vol_of_vol", xi / math.sqrt(theta), 0.01, 10.0, at_bounds),
        "leverage": _clip("leverage", leverage, -1.0, 1.0, at_bounds),
    }
    return parameters | {"jumps_per_year": rate} if jumps else parameters


def _garch(series: Floats, at_bounds: list[str]) -> dict[str, Any]:
    fit = fit_garch(series)
    if fit.gamma < 0.0:  # gains that weigh more than losses: a scenario has no such engine
        at_bounds.append("garch_gamma")
        fit = fit_garch(series, asymmetric=False)
    beta = fit.beta
    if fit.persistence > PERSISTENCE:
        at_bounds.append("garch_beta")
        beta = max(beta - (fit.persistence - PERSISTENCE) - 1e-12, 0.0)
    return {
        "garch_alpha": max(fit.alpha, 0.0),
        "garch_gamma": max(fit.gamma, 0.0),
        "garch_beta": beta,
        "garch_nu": _clip("garch_nu", fit.nu, 2.5, 500.0, at_bounds),
    }


def _block(series: Floats) -> float:
    from arch.bootstrap import optimal_block_length

    return float(optimal_block_length(np.abs(series))["stationary"].iloc[0])


def _states(series: Floats) -> tuple[RegimeState, ...]:
    model = fit_hidden_markov(series, states=2)
    states: list[RegimeState] = []
    for k, name in enumerate(("calm", "turbulent")):
        mean, deviation = float(model.means[k]), float(model.volatilities[k])
        days = float(model.expected_durations[k])
        variance = deviation * deviation
        gross = exp(mean + 0.5 * variance)  # of the simple return of a log-normal day
        if not 5.0 <= days < math.inf:
            raise DataError(
                f"`returns` has a {name} state that lasts {days:.3g} days on average; expected at least 5, an end"
            )
        sigma = gross * math.sqrt(DAYS * (exp(variance) - 1.0))
        states.append(RegimeState(name=name, mu=DAYS * (gross - 1.0), sigma=sigma, mean_days=days))
    return tuple(states)


def _scenario(fields: dict[str, Any]) -> Scenario:
    try:
        return Scenario.model_validate(fields)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "scenario"
        raise DataError(f"`{where}` of {fields['name']!r} is {first['input']!r}; expected {first['msg']}") from error


def _fits(scenario: Scenario, model: PathModel, sample: Floats, moments: _Moments) -> tuple[Fit, ...]:
    mu, sigma = implied_moments(scenario)
    shape = implied_shape(scenario, model)
    sizes = np.abs(sample)
    spread = _covariance(sizes, sizes, 0)
    return (
        Fit("mean", DAYS * moments.mean, mu),
        Fit("volatility", math.sqrt(DAYS * moments.variance), sigma),
        Fit("skewness", moments.skewness, shape.skewness),
        Fit("kurtosis", moments.kurtosis, shape.kurtosis),
        *(
            Fit(f"memory_{lag}", _covariance(sizes, sizes, lag) / spread, shape.memory[k] if shape.memory else None)
            for k, lag in enumerate(LAGS)
        ),
    )
