"""Proposals of a search lie inside its space, never repeat a config, are deterministic and improve."""

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quant.strategies.choices import REBALANCING
from quant.strategies.config import SHAPES, SearchSpace, StrategyConfig
from quant.strategies.family import ACTIVE, FAMILY
from quant.strategies.search import choices, compose, contains, neighbours, propose, size, sobol, stream_seed
from tests.quant.strategies.sample_objective import merit

WHOLE = SearchSpace()
WITH_ALL = SearchSpace(inner=("equal_weight", "inverse_volatility"), target_volatility=(0.08, 0.10, 0.12))
GRIDS = {name: getattr(WITH_ALL, name) for name in SearchSpace.model_fields}
DROPPED = ("inner", "target_volatility")
NUMERIC = {name for name, grid in GRIDS.items() if not isinstance(grid[0], str)}


@st.composite
def spaces(draw: st.DrawFn, largest: int = 2) -> SearchSpace:
    """Some values of each grid, in any order."""
    names: dict[str, Any] = {}
    for name, grid in GRIDS.items():
        most = 3 if name in ("weight_functions", "estimators") else largest
        least = 0 if name in DROPPED else 1
        names[name] = tuple(draw(st.lists(st.sampled_from(grid), unique=True, min_size=least, max_size=most)))
    return SearchSpace(**names)


def every(space: SearchSpace) -> set[StrategyConfig]:
    """Brute force: every valid combination of every grid, with inactive values dropped."""
    axes = {
        "weight_function": space.weight_functions,
        "estimator": space.estimators,
        "rebalancing": space.rebalancing,
        "no_trade_band": space.no_trade_band,
        "inner": space.inner or (None,),
        "target_volatility": space.target_volatility or (None,),
    }
    configs = set()
    for combination in itertools.product(*axes.values()):
        picked = dict(zip(axes, combination, strict=True))
        active = list(ACTIVE[picked["weight_function"]])
        if not FAMILY[picked["weight_function"]].volatility:
            picked["estimator"] = "rolling"
        else:
            active.append("lookback_days" if picked["estimator"] in ("rolling", "downside") else "decay")
        for values in itertools.product(*(getattr(space, name) for name in active)):
            configs.add(StrategyConfig(**picked, **dict(zip(active, values, strict=True))))
    return configs


@given(spaces())
@settings(max_examples=40, deadline=None)
def test_the_size_is_the_number_of_configs(space: SearchSpace) -> None:
    assert size(space) == len(every(space))


@given(spaces(largest=1))
@settings(max_examples=30, deadline=None)
def test_a_small_space_is_exhausted_exactly(space: SearchSpace) -> None:
    configs = every(space)
    start = sobol(space, len(configs) + 7, seed=1)
    assert len(start) == len(configs)
    assert set(start) == configs
    half = start[: len(start) // 2]
    assert set(sobol(space, len(configs), seed=2, avoid=half)) == configs - set(half)
    assert sobol(space, 5, seed=3, avoid=start) == []
    assert sobol(space, 5, seed=3, avoid=[*start[1:], outside(space)]) == start[:1]


def outside(space: SearchSpace) -> StrategyConfig:
    return StrategyConfig(weight_function="constant", constant_weight=0.5)


@given(spaces(largest=4), st.integers(0, 2**32 - 1))
@settings(max_examples=30, deadline=None)
def test_sobol_is_deterministic_distinct_and_inside(space: SearchSpace, seed: int) -> None:
    first = sobol(space, 12, seed=seed)
    assert first == sobol(space, 12, seed=seed)
    assert len(set(first)) == len(first) == min(12, size(space))
    assert all(contains(space, c) for c in first)
    again = sobol(space, 12, seed=seed, avoid=first)
    assert not set(first) & set(again)


def test_another_seed_is_another_start() -> None:
    assert sobol(WHOLE, 50, seed=1) != sobol(WHOLE, 50, seed=2)


def test_a_sobol_start_is_spread_evenly_over_functions() -> None:
    """64 points of a net: each of eight functions exactly eight times, before doublets are dropped."""
    configs = sobol(WHOLE, 64, seed=4)
    counts = [sum(c.weight_function == f for c in configs) for f in WHOLE.weight_functions]
    assert min(counts) >= 6
    assert max(counts) <= 10


def test_choices_are_the_places_of_active_values() -> None:
    for config in sobol(WITH_ALL, 60, seed=5):
        places = choices(WITH_ALL, config)
        assert places is not None
        assert compose(WITH_ALL, lambda name, values, at=places: values[at[name]]) == config
        inactive = set(SHAPES) - set(ACTIVE[config.weight_function]) - {"constant_weight"}
        assert not inactive & set(places)
    assert choices(WHOLE, outside(WHOLE)) is None
    strange = StrategyConfig(weight_function="inverse_vol", lookback_days=100)
    assert not contains(WHOLE, strange)


# the sampler


def scored_trials(seed: int, count: int = 40) -> dict[StrategyConfig, float]:
    return {c: merit(c) for c in sobol(WHOLE, count, seed=seed)}


def test_proposals_are_deterministic_distinct_new_and_inside() -> None:
    trials = scored_trials(1)
    proposals = propose(WHOLE, trials, 20, seed=9, avoid=list(trials))
    assert proposals == propose(WHOLE, trials, 20, seed=9, avoid=list(trials))
    assert proposals != propose(WHOLE, trials, 20, seed=10, avoid=list(trials))
    assert len(set(proposals)) == len(proposals) == 20
    assert all(contains(WHOLE, c) for c in proposals)
    assert not set(proposals) & set(trials)


def test_proposals_stay_inside_a_narrowed_space_and_learn_nothing_from_outside_it() -> None:
    narrow = WHOLE.model_copy(update={"weight_functions": ("sigmoid", "cppi"), "rebalancing": ("monthly",)})
    trials = scored_trials(1)
    inside = {c: v for c, v in trials.items() if contains(narrow, c)}
    proposals = propose(narrow, trials, 10, seed=9, avoid=list(trials))
    assert all(contains(narrow, c) for c in proposals)
    assert proposals == propose(narrow, inside, 10, seed=9, avoid=list(trials))


def test_a_resumed_search_proposes_as_an_uninterrupted_one() -> None:
    """Trials loaded from a store equal the originals, in the same order."""
    trials = scored_trials(2)
    records = [(c.model_dump_json(), v) for c, v in trials.items()]
    restored = {StrategyConfig.model_validate_json(text): v for text, v in records}
    assert propose(WHOLE, trials, 20, seed=3, avoid=list(trials)) == propose(
        WHOLE, restored, 20, seed=3, avoid=set(restored)
    )


@pytest.mark.soak
def test_proposals_do_better_than_an_even_spread() -> None:
    """Three rounds of 20 after a start of 40, against 60 more points of the sequence, for five fixed seeds."""
    gains = []
    for seed in range(5):
        trials = scored_trials(seed)
        for round_ in range(3):
            proposals = propose(WHOLE, trials, 20, seed=stream_seed(seed, round_), avoid=list(trials))
            trials |= {c: merit(c) for c in proposals}
        later_scores = list(trials.values())[40:]
        spread = [merit(c) for c in sobol(WHOLE, 60, seed=seed + 100)]
        gains.append((np.mean(later_scores) - np.mean(spread), max(later_scores) - max(spread)))
    assert min(mean for mean, _ in gains) > 0.5
    assert np.mean([best for _, best in gains]) > 0.0


@pytest.mark.soak
def test_what_thousands_of_trials_say_is_still_learned() -> None:
    trials = {config: merit(config) for config in sobol(WHOLE, 1_500, seed=5)}

    proposals = propose(WHOLE, trials, 20, seed=6, avoid=set(trials))

    assert proposals
    assert not set(proposals) & trials.keys()
    leading = np.quantile(list(trials.values()), 0.95)
    assert sum(merit(c) > leading for c in proposals) >= 15, "the others explore"


def test_a_space_that_is_nearly_used_up_gives_what_is_left() -> None:
    small = WHOLE.model_copy(
        update={"weight_functions": ("inverse_vol",), "estimators": ("rolling",), "lookback_days": (21, 63)}
    )
    configs = sorted(every(small), key=StrategyConfig.digest)
    trials = {c: float(k) for k, c in enumerate(configs[:-2])}
    proposals = propose(small, trials, 10, seed=1, avoid=list(trials))
    assert set(proposals) <= set(configs[-2:])


def test_streams_are_named_by_their_parts() -> None:
    assert stream_seed(1, 2, 3) == stream_seed(1, 2, 3)
    assert len({stream_seed(a, b) for a in range(30) for b in range(30)}) == 900
    assert 0 <= stream_seed("a") < 2**32


# neighbours


def changed_fields(a: StrategyConfig, b: StrategyConfig) -> list[str]:
    return [name for name in StrategyConfig.model_fields if getattr(a, name) != getattr(b, name)]


@pytest.mark.parametrize("seed", range(4))
def test_a_neighbour_is_one_step_away_in_one_parameter(seed: int) -> None:
    """10% of the range of a number, or the next frequency; within the range, and a config like any other."""
    for config in sobol(WITH_ALL, 40, seed=seed):
        around = neighbours(WITH_ALL, config)
        assert len(set(around)) == len(around)
        for one in around:
            (name,) = changed_fields(config, one)
            assert StrategyConfig.model_validate(one.model_dump()) == one
            if name == "rebalancing":
                order = list(REBALANCING)
                assert abs(order.index(one.rebalancing) - order.index(config.rebalancing)) == 1
                continue
            assert name in NUMERIC
            grid, old, new = GRIDS[name], getattr(config, name), getattr(one, name)
            step = 0.1 * (max(grid) - min(grid))
            assert min(grid) <= new <= max(grid)
            at_the_edge = new in (min(grid), max(grid))
            rounding = 0.5 if name == "lookback_days" else 1e-9
            assert abs(abs(new - old) - step) <= rounding or (at_the_edge and abs(new - old) < step)


def test_every_active_parameter_has_a_neighbour_on_each_side_that_exists() -> None:
    for config in sobol(WITH_ALL, 40, seed=8):
        names = [changed_fields(config, one)[0] for one in neighbours(WITH_ALL, config)]
        places = choices(WITH_ALL, config)
        assert places is not None
        for name in places:
            if name not in NUMERIC:
                continue
            inner = min(GRIDS[name]) < getattr(config, name) < max(GRIDS[name])
            assert names.count(name) == (2 if inner else 1), name


def test_frequencies_are_neighbours_by_their_length_in_whatever_order_they_were_given() -> None:
    space = SearchSpace(rebalancing=("monthly", "daily", "quarterly", "weekly"))
    config = StrategyConfig(weight_function="inverse_vol", lookback_days=63, rebalancing="monthly")
    others = {one.rebalancing for one in neighbours(space, config)} - {"monthly"}
    assert others == {"weekly", "quarterly"}


def test_what_a_search_does_not_vary_has_no_neighbours() -> None:
    fixed = SearchSpace(
        lookback_days=(63,), no_trade_band=(0.0,), rebalancing=("monthly",), weight_functions=("inverse_vol",)
    )
    assert neighbours(fixed, StrategyConfig(weight_function="inverse_vol", lookback_days=63)) == []
    assert neighbours(WHOLE, outside(WHOLE).model_copy(update={"rebalancing": "daily"})) != []
