"""The strategy family: every name and parameter has its row, and each formula compiles as it reads."""

import math
from typing import get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quant.strategies.family import ACTIVE, CODES, FAMILY, PARAMETERS, Grids, PathState, Shape, WeightFunction
from quant.strategies.kernel import raw_weight


def test_every_name_has_a_row_and_every_parameter_a_field() -> None:
    assert tuple(FAMILY) == get_args(WeightFunction)
    names = {parameter for row in FAMILY.values() for parameter in row.parameters}
    assert names == set(Shape.model_fields) == set(PARAMETERS) == set(Grids.model_fields) | {"constant_weight"}
    assert all(len(parameters) <= 2 for parameters in ACTIVE.values())


@pytest.mark.parametrize("function", list(FAMILY))
@given(
    volatility=st.floats(0.01, 1.0),
    signal=st.floats(0.0, 1.0),
    first=st.floats(0.05, 2.0),
    second=st.floats(0.01, 5.0),
)
@settings(max_examples=20, deadline=None)
def test_a_formula_means_the_same_compiled_and_read(
    function: WeightFunction, volatility: float, signal: float, first: float, second: float
) -> None:
    target, highest = 0.10, 1.5
    start = PathState(
        volatility, signal, 1.0, first, 1.0, target, target / volatility, target, highest, first, second, math.exp
    )
    weight = raw_weight(CODES[function], volatility, signal, target, highest, first, second)
    assert weight == pytest.approx(FAMILY[function].weigh(start), rel=1e-12)
    assert np.isfinite(weight)
