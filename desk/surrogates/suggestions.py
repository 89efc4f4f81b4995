"""Suggests configs that a search should evaluate first, by upper confidence bounds of a surrogate."""

from collections.abc import Collection, Sequence
from functools import partial
from typing import Any

import numpy as np

from desk.surrogates.gaussian_process import FittedSurrogate, posterior
from quant.numeric.arrays import Floats
from quant.strategies.config import SearchSpace, StrategyConfig
from quant.strategies.search import choices, compose, sobol, stream_seed

SPREAD = 512
"""Candidates from the whole space, besides the neighbours of the best configs."""
OPTIMISM = 2.0
"""Standard deviations above the mean in the upper confidence bound."""
_FIXED = ("weight_function", "estimator")
"""Parameters whose change would require values for other parameters."""


def suggest(
    surrogate: FittedSurrogate,
    space: SearchSpace,
    best: Sequence[StrategyConfig],
    tried: Collection[StrategyConfig],
    count: int,
    *,
    seed: int,
) -> tuple[StrategyConfig, ...]:
    """Up to `count` configs of `space` that were not tried, the most promising first.

    `best` are good configs of `space`. Each choice reduces the variance for the next one, so that the configs
    differ from each other (Desautels, Krause and Burdick, 2014, Journal of Machine Learning Research 15).
    """
    tried_configs = set(tried)
    nearby = dict.fromkeys(near for config in best for near in neighbours(space, config) if near not in tried_configs)
    spread = sobol(
        space,
        SPREAD,
        seed=stream_seed(seed, surrogate.problem, len(surrogate.configs)),
        avoid=tried_configs | set(nearby),
    )
    candidates = [*nearby, *spread]
    if not candidates or count <= 0:
        return ()
    mean, covariance, noise = posterior(surrogate, candidates)
    return tuple(candidates[k] for k in _most_promising(mean, covariance, noise, min(count, len(candidates))))


def _most_promising(mean: Floats, covariance: Floats, noise: float, count: int) -> list[int]:
    covariance = covariance.copy()
    indices: list[int] = []
    for _ in range(count):
        promise = mean + OPTIMISM * np.sqrt(np.maximum(np.diagonal(covariance), 0.0))
        promise[indices] = -np.inf
        k = int(np.argmax(promise))
        indices.append(k)
        column = covariance[:, k].copy()
        covariance -= np.outer(column, column) / (column[k] + noise)
    return indices


def neighbours(space: SearchSpace, config: StrategyConfig) -> list[StrategyConfig]:
    """Configs of `space` that differ from `config` by one step in one parameter."""
    places = choices(space, config)
    if places is None:
        return []
    configs: list[StrategyConfig] = []
    for name, place in places.items():
        if name in _FIXED:
            continue
        for step in (-1, 1):
            neighbour = compose(space, partial(_step_value, places | {name: place + step}))
            if neighbour != config and neighbour not in configs:
                configs.append(neighbour)
    return configs


def _step_value(places: dict[str, int], name: str, values: tuple[Any, ...]) -> Any:
    """The value one step away, limited to the ends of the grid."""
    return values[min(max(places[name], 0), len(values) - 1)]
