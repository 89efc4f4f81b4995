"""Parts of a simulation merge to the bits of the whole, in any order."""

from dataclasses import replace
from functools import cache
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quant.numeric.errors import DataError
from quant.numeric.random_numbers import LANES
from quant.strategies.rules import lay_out
from quant.strategies.simulation import GROUP, Part, Simulation, merge_parts, simulate_part
from quant.worlds.paths import path_model
from tests.quant.strategies.sample_simulations import (
    BASE,
    MANDATE,
    SEVERAL,
    WARM_UP,
    assert_equal_results,
    parameters_of,
    simulate_configs,
)

GROUP_PATHS = GROUP * LANES
PATHS, GROUPS, DAYS = 5 * GROUP_PATHS + 330, 6, 63
CONFIGS = SEVERAL[:5]


@cache
def whole() -> Simulation:
    return simulate_configs(CONFIGS, paths=PATHS, days=DAYS)


@cache
def part(first: int, last: int, workers: int = 1) -> Part:
    return simulate_part(
        lay_out(CONFIGS, MANDATE, model_parameters=parameters_of),
        path_model(BASE, seed=7),
        paths=min(PATHS, last * GROUP_PATHS) - first * GROUP_PATHS,
        days=DAYS,
        warm_up=WARM_UP,
        lag=MANDATE.decision_lag,
        risk_aversion=MANDATE.risk_aversion,
        first_block=first * GROUP,
        workers=workers,
    )


@settings(max_examples=20)
@given(st.data())
def test_any_partition_in_any_order_gives_the_bits_of_the_whole(data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.sets(st.integers(1, GROUPS - 1))))
    edges = [0, *cuts, GROUPS]
    parts = [part(first, last, data.draw(st.sampled_from((1, 3)))) for first, last in pairwise(edges)]
    assert_equal_results(merge_parts(data.draw(st.permutations(parts))), whole())


def test_sums_lie_as_those_of_a_file_do() -> None:
    """Other layouts of memory would be compiled for when they are met."""
    assert part(0, 2).means.flags.c_contiguous
    assert part(0, 2).spreads.flags.c_contiguous


def test_a_part_of_everything_is_the_whole() -> None:
    assert_equal_results(merge_parts([part(0, GROUPS)]), whole())


@pytest.mark.parametrize(
    ("parts", "reason"),
    [
        ([], "empty"),
        ([(0, 2), (3, 6)], "side by side"),
        ([(0, 3), (2, 6)], "side by side"),
        ([(0, 3), (0, 3), (3, 6)], "side by side"),
        ([(1, 6)], "side by side"),
    ],
)
def test_parts_that_are_not_a_whole_are_refused(parts: list[tuple[int, int]], reason: str) -> None:
    with pytest.raises(DataError, match=reason):
        merge_parts([part(first, last) for first, last in parts])


def test_a_part_that_begins_within_a_group_is_refused() -> None:
    rules, model = lay_out(CONFIGS, MANDATE, model_parameters=parameters_of), path_model(BASE, seed=7)
    with pytest.raises(DataError, match="multiples of 16"):
        simulate_part(rules, model, paths=64, days=DAYS, warm_up=WARM_UP, lag=1, risk_aversion=2.0, first_block=8)


def test_parts_of_other_days_configs_or_blocks_are_refused() -> None:
    first, last = part(0, 3), part(3, 6)
    for other in (
        replace(last, days=DAYS + 1),
        replace(last, means=last.means[:, 1:]),
        replace(last, means=last.means[1:]),
        replace(last, paths=last.paths - GROUP_PATHS),
    ):
        with pytest.raises(DataError, match="same configs and days"):
            merge_parts([first, other])
