"""A Gaussian process that predicts evaluations of configs, fitted to the trials of one problem.

It suggests configs to a search and gives fast predictions with intervals; no figure of a result comes from it.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np

from desk.surrogates.features import features
from desk.surrogates.schemas import (
    MIN_TRIALS,
    TARGETS,
    HeldOut,
    PredictedValue,
    PredictionBase,
    Problem,
    Target,
    TooFewTrials,
)
from quant.numeric.arrays import Flags, Floats
from quant.numeric.units import BASIS_POINTS
from quant.strategies.config import StrategyConfig
from quant.strategies.goal import GOAL_METRIC
from quant.strategies.objective import scenario_weights, scores
from quant.strategies.trial import Trial

HOLDOUT_STRIDE = 5
"""Every fifth complete trial is held out to estimate the model's errors."""
Z_95 = 1.96
"""Half-width of a 95% interval in standard deviations."""
LEVEL, MIN_COVERAGE = 0.95, 0.90
"""Nominal coverage; intervals with a held-out coverage below `MIN_COVERAGE` are widened to reach it."""
MAX_SCALE_TRIALS = 300
"""Maximum number of trials for fitting length scales, whose gradient dominates the time; predictions use all trials."""
_LOG_SCALE_MEAN, _LOG_SCALE_DEVIATION = 1.5, 0.7
"""Prior mean and deviation of the logarithm of a length scale, since few trials cannot determine 20 scales."""
_DEFAULT_SCALE = 2.0
"""Length scale of a feature that is equal in all trials."""


@dataclass(frozen=True)
class Process:
    """Parameters of the process of one target over standardised values."""

    mean: float
    scale: float
    amplitude: float
    """Variance of the process; `noise` is the unexplained variance."""
    noise: float
    lengths: Floats
    """Length scale of each feature."""


@dataclass(frozen=True)
class Fit:
    process: Process
    held_out: HeldOut


@dataclass(frozen=True)
class FittedSurrogate:
    """Data and fitted parameters, sufficient for predictions without another fit.

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
    """Predictions of one target with 95% intervals, shape (K,) each."""

    value: Floats
    low: Floats
    high: Floats


def fit(problem: Problem, trials: Sequence[Trial]) -> FittedSurrogate:
    """Fit each target; errors are those of a model fitted without every fifth complete trial."""
    trials = sorted(trials, key=lambda trial: trial.digest)
    complete_rows = [k for k, trial in enumerate(trials) if not trial.screened]
    if len(complete_rows) < MIN_TRIALS:
        raise TooFewTrials(len(complete_rows))
    values, errors = targets_of(problem, trials)
    configs = tuple(trial.config for trial in trials)
    points = _points(configs, problem.mandate.target_volatility)
    is_held_out = np.zeros(len(trials), dtype=np.bool_)
    is_held_out[complete_rows[::HOLDOUT_STRIDE]] = True
    return FittedSurrogate(
        problem=problem.digest(),
        code=problem.code,
        target_volatility=problem.mandate.target_volatility,
        configs=configs,
        values=values,
        errors=errors,
        fits={name: _fit(points, values[:, k], errors[:, k], is_held_out) for k, name in enumerate(TARGETS)},
    )


def targets_of(problem: Problem, trials: Sequence[Trial]) -> tuple[Floats, Floats]:
    """Values and standard errors by target, shape (N, 4) each; errors are 0 for trials on all paths."""
    weights = scenario_weights([scenario.probability for scenario in problem.scenarios])
    names = {"objective": GOAL_METRIC[problem.goal]}
    values, errors = np.empty((len(trials), len(TARGETS))), np.zeros((len(trials), len(TARGETS)))
    for column, target in enumerate(TARGETS):
        for row, trial in enumerate(trials):
            evaluations = (*(trial.evaluation(scenario.name) for scenario in problem.scenarios), trial.train)
            estimates = [getattr(one.metrics, names.get(target, target)) for one in evaluations]
            values_found = np.array([one.value for one in estimates])
            if target == "objective":
                values_found = np.array([one.metrics.gain(names[target]) for one in evaluations])
                values[row, column] = scores([values_found], weights, goal=problem.goal, sharpes=[values_found])[0]
            else:
                values[row, column] = math.fsum(weights * values_found)
            if trial.screened:  # history does not depend on the paths; a single scenario may decide a worst case
                spread = np.array([one.error or 0.0 for one in estimates[:-1]])
                single = target == "objective" and problem.goal in ("worst_case", "cvar_utility")
                errors[row, column] = spread.max() if single else math.hypot(*(weights[:-1] * spread))
    return values, errors


def predict(surrogate: FittedSurrogate, configs: Sequence[StrategyConfig]) -> dict[Target, Prediction]:
    """Each target of each config, with the 95% interval of what an evaluation would compute."""
    predictions: dict[Target, Prediction] = {}
    for target, target_fit in surrogate.fits.items():
        process = target_fit.process
        mean, deviation = _regressor(surrogate, target).predict(
            _scaled_points(surrogate, target, configs), return_std=True
        )
        value = process.mean + process.scale * mean
        half_width = Z_95 * target_fit.held_out.widened * process.scale * deviation
        lower_bound = 0.0 if target in ("volatility", "max_drawdown") else -np.inf
        predictions[target] = Prediction(value, np.maximum(value - half_width, lower_bound), value + half_width)
    return predictions


def predict_one(surrogate: FittedSurrogate, config: StrategyConfig) -> PredictionBase:
    """The prediction of one config for all targets."""
    predictions = predict(surrogate, (config,))
    return PredictionBase(
        config=config,
        digest=config.digest(),
        tried=config in surrogate.configs,
        problem=surrogate.problem,
        trials=len(surrogate.configs),
        values=tuple(
            PredictedValue(
                target=target,
                value=float(predictions[target].value[0]),
                low=float(predictions[target].low[0]),
                high=float(predictions[target].high[0]),
                held_out=surrogate.fits[target].held_out,
            )
            for target in TARGETS
        ),
    )


def posterior(surrogate: FittedSurrogate, configs: Sequence[StrategyConfig]) -> tuple[Floats, Floats, float]:
    """Mean (K,) and covariance (K, K) of the standardised objective without its noise, and the noise."""
    mean, covariance = _regressor(surrogate, "objective").predict(
        _scaled_points(surrogate, "objective", configs), return_cov=True
    )
    noise = surrogate.fits["objective"].process.noise
    return mean, covariance - noise * np.eye(len(configs)), noise


def _regressor(surrogate: FittedSurrogate, target: Target) -> Any:
    column = TARGETS.index(target)
    points = _points(surrogate.configs, surrogate.target_volatility)
    return _condition(surrogate.fits[target].process, points, surrogate.values[:, column], surrogate.errors[:, column])


def _scaled_points(surrogate: FittedSurrogate, target: Target, configs: Sequence[StrategyConfig]) -> Floats:
    return _points(configs, surrogate.target_volatility) / surrogate.fits[target].process.lengths


def _points(configs: Sequence[StrategyConfig], target_volatility: float) -> Floats:
    return np.array([features(config, target_volatility) for config in configs])


def _fit(points: Floats, values: Floats, errors: Floats, is_held_out: Flags) -> Fit:
    training = ~is_held_out
    process = _fit_process(points[training], values[training], errors[training])
    model = _condition(process, points[training], values[training], errors[training])
    mean, deviation = model.predict(points[is_held_out] / process.lengths, return_std=True)
    residuals = process.mean + process.scale * mean - values[is_held_out]
    return Fit(process, _holdout_errors(residuals, process.scale * deviation, values[is_held_out], process.mean))


def _fit_process(points: Floats, values: Floats, errors: Floats) -> Process:
    """Maximum a posteriori scales, rounded because their last digits depend on the processor."""
    minimize: Any = import_module("scipy.optimize").minimize
    kernels, process = import_module("sklearn.gaussian_process.kernels"), import_module("sklearn.gaussian_process")
    mean, scale = float(values.mean()), float(values.std()) or 1.0
    rows = slice(None, None, -(-len(values) // MAX_SCALE_TRIALS))
    varying = np.flatnonzero(points[rows].std(axis=0) > 0.0)
    kernel: Any = kernels.ConstantKernel(1.0, (1e-2, 1e3)) * kernels.Matern(
        np.full(max(varying.size, 1), _DEFAULT_SCALE), (0.1, 100.0), nu=2.5
    ) + kernels.WhiteKernel(1e-2, (1e-6, 1.0))
    inputs = points[rows][:, varying] if varying.size else np.zeros((len(points[rows]), 1))
    model: Any = process.GaussianProcessRegressor(kernel, alpha=np.square(errors[rows] / scale) + 1e-10, optimizer=None)
    model.fit(inputs, (values[rows] - mean) / scale)

    def negative_log_posterior(theta: Floats) -> tuple[float, Floats]:
        likelihood, gradient = model.log_marginal_likelihood(theta, eval_gradient=True, clone_kernel=False)
        deviation = np.zeros_like(theta)
        deviation[1:-1] = (theta[1:-1] - _LOG_SCALE_MEAN) / _LOG_SCALE_DEVIATION
        return 0.5 * float(deviation @ deviation) - likelihood, deviation / _LOG_SCALE_DEVIATION - gradient

    best: Any = minimize(
        negative_log_posterior,
        kernel.theta.copy(),
        jac=True,
        method="L-BFGS-B",
        bounds=kernel.bounds,
        options={"maxiter": 60},
    )
    optimum: Floats = best.x
    amplitude, *scales, noise = (float(x) for x in np.exp(np.round(optimum, 3)))
    lengths = np.full(points.shape[1], _DEFAULT_SCALE)
    lengths[varying] = scales[: varying.size]
    return Process(mean, scale, amplitude, noise, lengths)


def _condition(parameters: Process, points: Floats, values: Floats, errors: Floats) -> Any:
    """The process with fixed parameters, conditioned on the trials."""
    kernels, process = import_module("sklearn.gaussian_process.kernels"), import_module("sklearn.gaussian_process")
    kernel: Any = kernels.ConstantKernel(parameters.amplitude, "fixed") * kernels.Matern(
        1.0, "fixed", nu=2.5
    ) + kernels.WhiteKernel(parameters.noise, "fixed")
    model: Any = process.GaussianProcessRegressor(
        kernel, alpha=np.square(errors / parameters.scale) + 1e-10, optimizer=None
    )
    return model.fit(points / parameters.lengths, (values - parameters.mean) / parameters.scale)


def _holdout_errors(residuals: Floats, deviations: Floats, truth: Floats, naive: float) -> HeldOut:
    standardized = np.abs(residuals) / (Z_95 * deviations)
    coverage = float((standardized <= 1.0).mean())
    widened = 1.0
    if coverage < MIN_COVERAGE:
        widened = max(1.0, float(np.sort(standardized)[math.ceil(LEVEL * standardized.size) - 1]))
    squared, spread = float((np.square(residuals)).mean()), float(truth.var())
    return HeldOut(
        trials=truth.size,
        rmse_bps=round(BASIS_POINTS * math.sqrt(squared), 4),
        naive_bps=round(BASIS_POINTS * math.sqrt(float((np.square(truth - naive)).mean())), 4),
        r_squared=round(1.0 - squared / spread, 4) if spread > 0.0 else 0.0,
        coverage=coverage,
        widened=math.ceil(1e3 * widened) / 1e3,
    )
