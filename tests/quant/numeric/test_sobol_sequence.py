"""The points of the Sobol sequence, against scipy's."""

import numpy as np
import pytest

from quant.numeric.errors import DataError
from quant.numeric.sobol_sequence import AXES, BITS, scrambled_sobol
from quant.strategies.config import SearchSpace


@pytest.mark.parametrize("axes", [1, 2, 7, len(SearchSpace.model_fields), AXES])
@pytest.mark.parametrize("seed", [0, 3])
def test_each_point_has_the_bits_of_scipys(axes: int, seed: int) -> None:
    from scipy.stats import qmc  # pyright: ignore[reportMissingTypeStubs]

    engine = qmc.Sobol(d=axes, scramble=True, rng=np.random.default_rng(seed))
    expected = np.concatenate([engine.random_base2(m) for m in (5, 5, 6, 7)])
    for count in (1, 8, 256):
        points = scrambled_sobol(axes, count, np.random.default_rng(seed))
        assert points.tobytes() == expected[:count].tobytes()


def test_every_space_of_a_search_has_enough_axes() -> None:
    assert len(SearchSpace.model_fields) <= AXES


@pytest.mark.parametrize(("axes", "count"), [(0, 8), (AXES + 1, 8), (2, 0), (2, 2**BITS + 1)])
def test_what_the_table_does_not_cover_is_refused(axes: int, count: int) -> None:
    with pytest.raises(DataError, match=f"1 to {AXES} axes"):
        scrambled_sobol(axes, count, np.random.default_rng(0))
