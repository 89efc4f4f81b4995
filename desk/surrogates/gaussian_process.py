"""A Gaussian process that says what an evaluation of a config would say, learned from trials of one problem.

It points a search at configs and answers at once, with an interval; no figure of a result comes from it.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from desk.surrogates.features import features
from desk.surrogates.schemas import (
    FEWEST,
    TARGETS,
    Foretold,
    HeldOut,
    PredictedValue,
    Problem,
    Target,
    TooFewTrials,
)
from quant.strategies.config import StrategyConfig
from quant.strategies.objective import scenario_weights, scores
from quant.strategies.trial import Trial

Floats = NDArray[np.float64]

HELD_OUT = 5
"""One trial of so many is not shown to the model whose error is told."""
WIDTH = 1.96
"""Deviations on either side of a 95% interval."""
LEVEL, TOLERATED = 0.95, 0.90
"""An interval that holds less than the second is widened until it holds the first."""
SCALES_FROM = 300
"""Trials at most that length scales are learned from: their gradient is what takes time. The model knows all trials."""
BPS = 1e4
_USUAL, _SPREAD = 1.5, 0.7
"""Mean and deviation of the logarithm of a length scale before anything is seen: few trials cannot tell 20 of them."""
_UNSEEN = 2.0
"""Length scale of a feature in which the trials do not differ."""


@dataclass(frozen=True)
class Process:
    """One target's process over standardised values."""

    mean: float
    scale: float
    amplitude: float
    """Variance of the process; `noise` is that of what no feature explains."""
    noise: float
    lengths: Floats
    """Length scale of each feature."""


@dataclass(frozen=True)
class Fit:
    process: Process
    held_out: HeldOut


@dataclass(frozen=True)
class Fitted:
    """Data and fits: whatever a prediction needs, and nothing that has to be learned again.

    Attributes
    ----------
    problem, code : str
        Digest of the problem; version of the code that made it.
    target_volatility : float
        The mandate's.
    configs : tuple of StrategyConfig
    values, errors : ndarray, shape (N, 4)
        By target; an error is 0 for a trial on all paths.
    """

    problem: str
    code: str
    target_volatility: float
    configs: tuple[StrategyConfig, ...]
    values: Floats
    errors: Floats
    fits: Mapping[Target, Fit]


@dataclass(frozen=True)
class Prediction:
    """Of one target, shape (K,) each."""

    value: Floats
    low: Floats
    high: Floats


def fit(problem: Problem, trials: Sequence[Trial]) -> Fitted:
    """Fit each target; the error is that of a model that has not seen every fifth trial on all paths."""
    trials = sorted(trials, key=lambda trial: trial.digest)
    whole = [k for k, trial in enumerate(trials) if not trial.screened]
    if len(whole) < FEWEST:
        raise TooFewTrials(len(whole))
    values, errors = targets_of(problem, trials)
    configs = tuple(trial.config for trial in trials)
    points = _points(configs, problem.mandate.target_volatility)
    apart = np.zeros(len(trials), dtype=np.bool_)
    apart[whole[::HELD_OUT]] = True
    return Fitted(
        problem=problem.digest(),
        code=problem.code,
        target_volatility=problem.mandate.target_volatility,
        configs=configs,
        values=values,
        errors=errors,
        fits={name: _fit(points, values[:, k], errors[:, k], apart) for k, name in enumerate(TARGETS)},
    )


def targets_of(problem: Problem, trials: Sequence[Trial]) -> tuple[Floats, Floats]:
    """Values and standard errors by target, shape (N, 4) each; on all paths there is no error."""
    weights = scenario_weights([scenario.probability for scenario in problem.scenarios])
    names = {"objective": "sharpe" if problem.goal == "sharpe" else "utility"}
    values, errors = np.empty((len(trials), len(TARGETS))), np.zeros((len(trials), len(TARGETS)))
    for column, target in enumerate(TARGETS):
        for row, trial in enumerate(trials):
            evaluations = (*(trial.evaluation(scenario.name) for scenario in problem.scenarios), trial.train)
            measured = [getattr(one.metrics, names.get(target, target)) for one in evaluations]
            found = np.array([one.value for one in measured])
            if target == "objective":
                values[row, column] = scores([found], weights, goal=problem.goal, sharpes=[found])[0]
            else:
                values[row, column] = math.fsum(weights * found)
            if trial.screened:  # history is the same whatever the paths; one scenario alone may decide a worst case
                spread = np.array([one.error or 0.0 for one in measured[:-1]])
                single = target == "objective" and problem.goal in ("worst_case", "cvar_utility")
                errors[row, column] = spread.max() if single else math.hypot(*(weights[:-1] * spread))
    return values, errors


def predict(fitted: Fitted, configs: Sequence[StrategyConfig]) -> dict[Target, Prediction]:
    """Each target of each config, with the 95% interval of what an evaluation would compute."""
    found: dict[Target, Prediction] = {}
    for target, fitting in fitted.fits.items():
        process = fitting.process
        mean, deviation = _regressor(fitted, target).predict(_wanted(fitted, target, configs), return_std=True)
        value = process.mean + process.scale * mean
        reach = WIDTH * fitting.held_out.widened * process.scale * deviation
        least = 0.0 if target in ("volatility", "max_drawdown") else -np.inf
        found[target] = Prediction(value, np.maximum(value - reach, least), value + reach)
    return found


def foretell(fitted: Fitted, config: StrategyConfig) -> Foretold:
    """The prediction of one config in words."""
    found = predict(fitted, (config,))
    return Foretold(
        config=config,
        digest=config.digest(),
        tried=config in fitted.configs,
        problem=fitted.problem,
        trials=len(fitted.configs),
        values=tuple(
            PredictedValue(
                target=target,
                value=float(found[target].value[0]),
                low=float(found[target].low[0]),
                high=float(found[target].high[0]),
                held_out=fitted.fits[target].held_out,
            )
            for target in TARGETS
        ),
    )


def posterior(fitted: Fitted, configs: Sequence[StrategyConfig]) -> tuple[Floats, Floats, float]:
    """Mean (K,) and covariance (K, K) of the standardised objective without its noise, and the noise."""
    mean, covariance = _regressor(fitted, "objective").predict(_wanted(fitted, "objective", configs), return_cov=True)
    noise = fitted.fits["objective"].process.noise
    return mean, covariance - noise * np.eye(len(configs)), noise


def _regressor(fitted: Fitted, target: Target) -> Any:
    column = TARGETS.index(target)
    points = _points(fitted.configs, fitted.target_volatility)
    return _conditioned(fitted.fits[target].process, points, fitted.values[:, column], fitted.errors[:, column])


def _wanted(fitted: Fitted, target: Target, configs: Sequence[StrategyConfig]) -> Floats:
    return _points(configs, fitted.target_volatility) / fitted.fits[target].process.lengths


def _points(configs: Sequence[StrategyConfig], target_volatility: float) -> Floats:
    return np.array([features(config, target_volatility) for config in configs])


def _fit(points: Floats, values: Floats, errors: Floats, apart: NDArray[np.bool_]) -> Fit:
    shown = ~apart
    process = _learned(points[shown], values[shown], errors[shown])
    model = _conditioned(process, points[shown], values[shown], errors[shown])
    mean, deviation = model.predict(points[apart] / process.lengths, return_std=True)
    missed = process.mean + process.scale * mean - values[apart]
    return Fit(process, _judged(missed, process.scale * deviation, values[apart], process.mean))


def _learned(points: Floats, values: Floats, errors: Floats) -> Process:
    """The most probable scales, rounded: their last digits are of no use, and change with the processor."""
    minimize: Any = import_module("scipy.optimize").minimize
    kernels, process = import_module("sklearn.gaussian_process.kernels"), import_module("sklearn.gaussian_process")
    mean, scale = float(values.mean()), float(values.std()) or 1.0
    rows = slice(None, None, -(-len(values) // SCALES_FROM))
    differ = np.flatnonzero(points[rows].std(axis=0) > 0.0)
    kernel: Any = kernels.ConstantKernel(1.0, (1e-2, 1e3)) * kernels.Matern(
        np.full(max(differ.size, 1), _UNSEEN), (0.1, 100.0), nu=2.5
    ) + kernels.WhiteKernel(1e-2, (1e-6, 1.0))
    given = points[rows][:, differ] if differ.size else np.zeros((len(points[rows]), 1))
    model: Any = process.GaussianProcessRegressor(kernel, alpha=np.square(errors[rows] / scale) + 1e-10, optimizer=None)
    model.fit(given, (values[rows] - mean) / scale)

    def unlikely(theta: Floats) -> tuple[float, Floats]:
        likelihood, gradient = model.log_marginal_likelihood(theta, eval_gradient=True, clone_kernel=False)
        unusual = np.zeros_like(theta)
        unusual[1:-1] = (theta[1:-1] - _USUAL) / _SPREAD
        return 0.5 * float(unusual @ unusual) - likelihood, unusual / _SPREAD - gradient

    best: Any = minimize(
        unlikely, kernel.theta.copy(), jac=True, method="L-BFGS-B", bounds=kernel.bounds, options={"maxiter": 60}
    )
    found: Floats = best.x
    amplitude, *scales, noise = (float(x) for x in np.exp(np.round(found, 3)))
    lengths = np.full(points.shape[1], _UNSEEN)
    lengths[differ] = scales[: differ.size]
    return Process(mean, scale, amplitude, noise, lengths)


def _conditioned(given: Process, points: Floats, values: Floats, errors: Floats) -> Any:
    """The process of these scales over all that was tried; nothing is learned."""
    kernels, process = import_module("sklearn.gaussian_process.kernels"), import_module("sklearn.gaussian_process")
    kernel: Any = kernels.ConstantKernel(given.amplitude, "fixed") * kernels.Matern(
        1.0, "fixed", nu=2.5
    ) + kernels.WhiteKernel(given.noise, "fixed")
    model: Any = process.GaussianProcessRegressor(kernel, alpha=np.square(errors / given.scale) + 1e-10, optimizer=None)
    return model.fit(points / given.lengths, (values - given.mean) / given.scale)


def _judged(missed: Floats, deviations: Floats, truth: Floats, naive: float) -> HeldOut:
    far = np.abs(missed) / (WIDTH * deviations)
    coverage = float((far <= 1.0).mean())
    widened = 1.0
    if coverage < TOLERATED:
        widened = max(1.0, float(np.sort(far)[math.ceil(LEVEL * far.size) - 1]))
    squared, spread = float((np.square(missed)).mean()), float(truth.var())
    return HeldOut(
        trials=truth.size,
        rmse_bps=round(BPS * math.sqrt(squared), 4),
        naive_bps=round(BPS * math.sqrt(float((np.square(truth - naive)).mean())), 4),
        r_squared=round(1.0 - squared / spread, 4) if spread > 0.0 else 0.0,
        coverage=coverage,
        widened=math.ceil(1e3 * widened) / 1e3,
    )
