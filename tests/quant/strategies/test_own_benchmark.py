"""Interpolation of the utility of a constant weight between the reference weights."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quant.numeric.errors import DataError
from quant.strategies.own_benchmark import benefits_by_path, interpolation

NODES = [0.08, 0.16]


def test_the_references_have_their_own_utility() -> None:
    np.testing.assert_allclose(interpolation([0.0, *NODES], NODES), np.eye(3)[:, 1:], atol=1e-12)


@given(st.floats(-1.0, 1.0), st.floats(-3.0, 3.0), st.floats(0.0, 0.16))
@settings(max_examples=50)
def test_a_quadratic_without_a_constant_is_exact(a: float, b: float, v: float) -> None:
    utilities = a * np.array(NODES) + b * np.square(NODES)
    assert interpolation([v], NODES)[0] @ utilities == pytest.approx(a * v + b * v * v, abs=1e-12)


def test_the_benefit_on_each_path_is_paired() -> None:
    utilities = np.array([[0.03, 0.05], [0.02, 0.04], [0.01, 0.02], [0.015, 0.035]])
    benefits = benefits_by_path(utilities, np.array([0.1, 0.2, 0.1, 0.2]), (0.5, 1.0))
    np.testing.assert_allclose(benefits, [[0.02, 0.03], [0.005, 0.005]], atol=1e-15)


@pytest.mark.parametrize(
    ("volatilities", "references", "field"),
    [
        ([-0.1], [0.1, 0.2], "volatilities"),
        ([np.nan], [0.1, 0.2], "volatilities"),
        ([[0.1]], [0.1, 0.2], "volatilities"),
        ([0.1], [0.1], "references"),
        ([0.1], [0.2, 0.1], "references"),
        ([0.1], [0.0, 0.1], "references"),
        ([0.1], [0.1, np.inf], "references"),
    ],
)
def test_refuses_what_is_no_volatility(volatilities: object, references: object, field: str) -> None:
    with pytest.raises(DataError, match=field):
        interpolation(volatilities, references)  # pyright: ignore[reportArgumentType]
