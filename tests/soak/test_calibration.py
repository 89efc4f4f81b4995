"""The light on a few generated histories: seldom lit without an edge, and green with a large one."""

import pytest

from quant.strategies.goal import DEFAULT_GOAL
from tests.calibration.calibrate import load_rows
from tests.calibration.measurements import ROWS, Measurement, is_repeated, sample_of

pytestmark = pytest.mark.soak


def colour(family: str, seed: int) -> object:
    return Measurement(kind="history", family=family, seed=seed, goal=DEFAULT_GOAL).take()["colour"]


@pytest.mark.parametrize("name", ["no_premium", "garch_premium", "shuffled"])
def test_without_an_edge_the_light_is_seldom_green(name: str) -> None:
    colours = [colour(name, seed) for seed in range(15)]
    assert colours.count("green") <= 3, "more than three of fifteen have a probability below 0.6% at a rate of 5%"


@pytest.mark.parametrize("name", ["trend_6", "crash_6"])
def test_a_large_edge_is_green(name: str) -> None:
    colours = [colour(name, seed) for seed in range(10)]
    assert colours.count("green") >= 7, "less than seven of ten have a probability below 0.3% at a rate of 93%"


def test_the_code_judges_as_the_code_behind_the_published_rates() -> None:
    sample = sample_of(load_rows(ROWS))
    assert len(sample) >= 20
    assert [row for row in sample if not is_repeated(row)] == []
