"""Which configs a search should try first, as far as a surrogate can tell: it points, and the search computes."""

from collections.abc import Collection, Sequence
from functools import partial
from typing import Any

import numpy as np

from desk.surrogates.gaussian_process import Fitted, Floats, posterior
from quant.strategies.config import SearchSpace, StrategyConfig
from quant.strategies.search import choices, compose, sobol, stream_seed

SPREAD = 512
"""Configs of the whole space that are looked at, besides those next to the best."""
OPTIMISM = 2.0
"""Deviations above its mean at which a config is judged."""
_AS_THEY_ARE = ("weight_function", "estimator")
"""A step in these would need values for other parameters."""


def suggested(
    fitted: Fitted,
    space: SearchSpace,
    best: Sequence[StrategyConfig],
    tried: Collection[StrategyConfig],
    count: int,
    *,
    seed: int,
) -> tuple[StrategyConfig, ...]:
    """Up to `count` configs of `space` that were not tried, the most promising first.

    `best` are configs of `space` that did well. Each choice is taken for granted in the next one, so that the configs
    differ from each other (Desautels, Krause and Burdick, 2014, Journal of Machine Learning Research 15).
    """
    seen = set(tried)
    found = dict.fromkeys(near for config in best for near in beside(space, config) if near not in seen)
    spread = sobol(space, SPREAD, seed=stream_seed(seed, fitted.problem, len(fitted.configs)), avoid=seen | set(found))
    candidates = [*found, *spread]
    if not candidates or count <= 0:
        return ()
    mean, covariance, noise = posterior(fitted, candidates)
    return tuple(candidates[k] for k in _most_promising(mean, covariance, noise, min(count, len(candidates))))


def _most_promising(mean: Floats, covariance: Floats, noise: float, count: int) -> list[int]:
    covariance = covariance.copy()
    chosen: list[int] = []
    for _ in range(count):
        promise = mean + OPTIMISM * np.sqrt(np.maximum(np.diagonal(covariance), 0.0))
        promise[chosen] = -np.inf
        k = int(np.argmax(promise))
        chosen.append(k)
        column = covariance[:, k].copy()
        covariance -= np.outer(column, column) / (column[k] + noise)
    return chosen


def beside(space: SearchSpace, config: StrategyConfig) -> list[StrategyConfig]:
    """Configs of `space` that differ from `config` by one step in one parameter."""
    places = choices(space, config)
    if places is None:
        return []
    found: list[StrategyConfig] = []
    for name, place in places.items():
        if name in _AS_THEY_ARE:
            continue
        for step in (-1, 1):
            moved = compose(space, partial(_moved, places | {name: place + step}))
            if moved != config and moved not in found:
                found.append(moved)
    return found


def _moved(places: dict[str, int], name: str, values: tuple[Any, ...]) -> Any:
    """A step beyond the end of a grid stays at the end."""
    return values[min(max(places[name], 0), len(values) - 1)]
