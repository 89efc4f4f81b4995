"""Which configs a search tries: a Sobol start, then rounds of proposals by a tree-structured Parzen estimator.

A proposal is a choice from the grids of a `SearchSpace`, never a computed number: the last bits in which processors
differ reach no result unless they tip a choice, which takes a tie to some fifteen digits. Each round depends on its
seed and all trials so far, so a resumed search continues exactly as an uninterrupted one.
"""

import hashlib
import math
from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

from quant.strategies.choices import ESTIMATORS, REBALANCING
from quant.strategies.config import LENGTHS, SearchSpace, StrategyConfig
from quant.strategies.family import ACTIVE, FAMILY

if TYPE_CHECKING:
    import numpy as np

    from quant.strategies.tree_parzen import ParzenDensity

Choose: TypeAlias = Callable[[str, tuple[Any, ...]], Any]

SOBOL_SHARE = 0.4
"""Share of a broad plan's budget for the Sobol start."""
ROUND = 20
"""Trials that the sampler proposes at a time; the objective is judged for convergence once a round."""
_TAUGHT = 500
"""Trials that a round learns from: more of them cost time and hardly improve its proposals."""
_LEADING = 100
"""Of these, the best ones; the others are spread over the rest."""
_GOOD = 0.7
"""Good trials are the best of all, this times the square root of their number."""
_MOST_GOOD = 25
_CANDIDATES = 24
"""Configs drawn for each proposal: the one with the highest ratio of the densities of good and other trials."""
_ATTEMPTS = 8
"""Draws of candidates per missing trial before a round is filled from the Sobol sequence."""


def compose(space: SearchSpace, choose: Choose) -> StrategyConfig:
    """The config that `choose` picks; it is called only for parameters that have an effect."""
    function = choose("weight_function", space.weight_functions)
    values: dict[str, Any] = {"weight_function": function}
    if FAMILY[function].volatility:
        estimator = choose("estimator", space.estimators)
        values["estimator"] = estimator
        name = ESTIMATORS[estimator].length
        if name is not None:
            values[name] = choose(name, getattr(space, name))
    values["rebalancing"] = choose("rebalancing", space.rebalancing)
    values["no_trade_band"] = choose("no_trade_band", space.no_trade_band)
    for name in ACTIVE[function]:
        values[name] = choose(name, getattr(space, name))
    for name in ("inner", "target_volatility"):
        if getattr(space, name):
            values[name] = choose(name, getattr(space, name))
    return StrategyConfig(**values)


def size(space: SearchSpace) -> int:
    """Number of distinct configs in `space`."""
    common = len(space.rebalancing) * len(space.no_trade_band)
    common *= max(1, len(space.inner)) * max(1, len(space.target_volatility))
    lengths = [ESTIMATORS[estimator].length for estimator in space.estimators]
    signals = lengths.count(None) + sum(len(getattr(space, name)) for name in lengths if name is not None)
    total = 0
    for function in space.weight_functions:
        shapes = math.prod(len(getattr(space, name)) for name in ACTIVE[function])
        total += shapes * common * (signals if FAMILY[function].volatility else 1)
    return total


def contains(space: SearchSpace, config: StrategyConfig) -> bool:
    """Whether every active value of `config` is one of the space's."""
    return choices(space, config) is not None


def choices(space: SearchSpace, config: StrategyConfig) -> dict[str, int] | None:
    """Position of each active value of `config` in its grid; None if a value is not in its grid."""
    places: dict[str, int] = {}

    def choose(name: str, values: tuple[Any, ...]) -> Any:
        value = getattr(config, name)
        if value not in values:
            raise LookupError
        places[name] = values.index(value)
        return value

    try:
        same = compose(space, choose) == config
    except LookupError:
        return None
    return places if same else None


def off_grid(space: SearchSpace, config: StrategyConfig) -> list[tuple[str, Any, tuple[Any, ...]]]:
    """The active values of `config` outside the space, each as name, value and allowed values."""
    if config.weight_function not in space.weight_functions:
        return [("weight_function", config.weight_function, space.weight_functions)]
    names = ["rebalancing", "no_trade_band", "inner", "target_volatility", *ACTIVE[config.weight_function]]
    if FAMILY[config.weight_function].volatility:
        names += ["estimator", *filter(None, (ESTIMATORS[config.estimator].length,))]
    grid_of = {axis: grid for grid, axis in _AXIS_OF.items()}
    values = ((name, getattr(config, name), getattr(space, grid_of.get(name, name)) or (None,)) for name in names)
    return [(name, value, allowed) for name, value, allowed in values if value not in allowed]


def sobol(space: SearchSpace, count: int, *, seed: int, avoid: Collection[StrategyConfig] = ()) -> list[StrategyConfig]:
    """Up to `count` distinct configs of `space`, none in `avoid`, spread by a scrambled Sobol sequence.

    Parameters
    ----------
    space : SearchSpace
    count : int
        Number of configs; fewer are returned if the space has fewer.
    seed : int
        Of the scrambling.
    avoid : collection of StrategyConfig
        Configs not to be returned.

    Returns
    -------
    list of StrategyConfig

    References
    ----------
    Joe and Kuo (2008), SIAM Journal on Scientific Computing 30(5).
    """
    import numpy as np

    from quant.numeric.sobol_sequence import scrambled_sobol

    axes = [name for name in SearchSpace.model_fields if getattr(space, name)]
    column = {_AXIS_OF.get(name, name): i for i, name in enumerate(axes)}
    excluded = set(avoid)
    configs: list[StrategyConfig] = []
    limit = min(count, size(space) - len([c for c in excluded if contains(space, c)]))
    position, following = 0, 2 ** max(3, math.ceil(math.log2(max(count, 1))))
    while len(configs) < limit:
        points = scrambled_sobol(len(axes), following, np.random.default_rng(seed))[position:]
        position, following = following, 2 * following
        for point in points:
            config = compose(space, lambda name, values, u=point: values[int(u[column[name]] * len(values))])
            if config not in excluded and len(configs) < limit:
                excluded.add(config)
                configs.append(config)
        if position > 64 * size(space) + 4096:
            break
    return configs


_AXIS_OF = {"weight_functions": "weight_function", "estimators": "estimator"}
_UNORDERED = ("weight_function", "estimator", "variance_constant", "inner")


def propose(
    space: SearchSpace,
    scores: Mapping[StrategyConfig, float],
    count: int,
    *,
    seed: int,
    avoid: Collection[StrategyConfig] = (),
) -> list[StrategyConfig]:
    """Up to `count` new configs in regions where earlier ones scored well.

    Parameters
    ----------
    space : SearchSpace
    scores : mapping from StrategyConfig to float
        Objectives, higher is better; configs outside `space` are ignored. Of more than 500 a round learns from
        the best 100 and from an even selection of the others, in the order of their objectives.
    count : int
    seed : int
        Of this round.
    avoid : collection of StrategyConfig
        Configs not to be proposed again.

    Returns
    -------
    list of StrategyConfig

    References
    ----------
    Bergstra, Bardenet, Bengio and Kegl (2011), "Algorithms for hyper-parameter optimization", NeurIPS 24: the
    tree-structured Parzen estimator, here over discrete choices with joint kernels.
    """
    import numpy as np

    from quant.strategies.tree_parzen import ParzenDensity

    sizes = {_AXIS_OF.get(n, n): len(getattr(space, n)) for n in SearchSpace.model_fields if getattr(space, n)}
    taught = sorted(_teaching(space, scores), key=lambda observation: -observation[0])
    points = [places for _, places in taught]
    leading = min(math.ceil(_GOOD * math.sqrt(len(points))), _MOST_GOOD)
    good, others = ParzenDensity(sizes, _UNORDERED, points[:leading]), points[leading:]
    generator = np.random.default_rng(seed)
    excluded = set(avoid)
    configs: list[StrategyConfig] = []
    for _ in range(_ATTEMPTS * count):
        if len(configs) == count:
            break
        candidates = dict(_draw(space, good, generator) for _ in range(_CANDIDATES))
        new = [config for config in candidates if config not in excluded]
        if new:
            table = good.table([candidates[config] for config in new])
            ratios = good.log_density(table) - ParzenDensity(sizes, _UNORDERED, others).log_density(table)
            config = new[int(np.argmax(ratios))]
            configs.append(config)
            excluded.add(config)
            others.append(candidates[config])  # so that a round spreads before any of it is scored
    return configs


def _draw(
    space: SearchSpace, density: "ParzenDensity", generator: "np.random.Generator"
) -> tuple[StrategyConfig, dict[str, int]]:
    """A config near a good trial, and its places."""
    centre = density.draw_point(generator)
    places: dict[str, int] = {}

    def choose(name: str, values: tuple[Any, ...]) -> Any:
        places[name] = density.draw_place(name, centre, generator)
        return values[places[name]]

    return compose(space, choose), places


def _teaching(space: SearchSpace, scores: Mapping[StrategyConfig, float]) -> list[tuple[float, dict[str, int]]]:
    """The trials that a round learns from, in their order."""
    observations = [
        (value, places) for config, value in scores.items() if (places := choices(space, config)) is not None
    ]
    if len(observations) <= _TAUGHT:
        return observations
    order = sorted(range(len(observations)), key=lambda k: -observations[k][0])
    others, number = order[_LEADING:], _TAUGHT - _LEADING
    spread = [others[k * len(others) // number] for k in range(number)]
    return [observations[k] for k in sorted(order[:_LEADING] + spread)]


def stream_seed(*parts: object) -> int:
    """A 32-bit seed named by `parts`: independent streams from readable names."""
    return int.from_bytes(hashlib.sha256(repr(parts).encode()).digest()[:4], "little")


def neighbours(space: SearchSpace, config: StrategyConfig) -> list[StrategyConfig]:
    """Configs beside `config`: numbers moved by 10% of their range either way, ordinals by one step, all else fixed.

    Values are kept within the range of the space and of the field; a neighbour equal to `config` is dropped.
    """
    configs: list[StrategyConfig] = []

    def add(name: str, value: Any) -> None:
        neighbour = config.model_copy(update={name: value})
        if neighbour != config and neighbour not in configs:
            configs.append(neighbour)

    for name in (*LENGTHS, "no_trade_band", *ACTIVE[config.weight_function], "target_volatility"):
        value, grid = getattr(config, name), getattr(space, name, ())
        if not isinstance(value, int | float) or not grid:
            continue
        low, high = min(*grid, value), max(*grid, value)
        step = 0.1 * (high - low)
        for shift in (value - step, value + step):
            clipped = min(max(shift, low), high)
            add(name, max(round(clipped), 10) if name == "lookback_days" else round(clipped, 12))
    frequencies = sorted(space.rebalancing, key=lambda name: REBALANCING[name].days)
    if config.rebalancing in frequencies:
        place = frequencies.index(config.rebalancing)
        for other in frequencies[max(place - 1, 0) : place + 2]:
            add("rebalancing", other)
    return configs
