"""Interpolation of the utility of a constant weight between the reference weights."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quant.numeric.errors import DataError
from quant.strategies.own_benchmark import benefits_by_path, interpolation, reference_weights

NODES = [0.08, 0.16, 0.25, 0.33]


def test_the_references_have_their_own_utility() -> None:
    np.testing.assert_allclose(interpolation([0.0, *NODES], NODES), np.eye(5)[:, 1:], atol=1e-12)
    np.testing.assert_allclose(interpolation([0.0, *NODES[:2]], NODES[:2]), np.eye(3)[:, 1:], atol=1e-12)


@given(st.floats(-1.0, 1.0), st.floats(-3.0, 3.0), st.floats(0.0, 0.16))
@settings(max_examples=50)
def test_a_quadratic_without_a_constant_is_exact_up_to_full_investment(a: float, b: float, v: float) -> None:
    for nodes in (NODES, NODES[:2]):
        utilities = a * np.array(nodes) + b * np.square(nodes)
        assert interpolation([v], nodes)[0] @ utilities == pytest.approx(a * v + b * v * v, abs=1e-12)


@given(st.floats(-0.1, 0.1), st.floats(-1.0, 1.0), st.floats(-3.0, 3.0), st.floats(0.161, 0.33))
@settings(max_examples=50)
def test_borrowing_has_a_quadratic_of_its_own(c: float, a: float, b: float, v: float) -> None:
    utilities = c + a * np.array(NODES) + b * np.square(NODES)
    utilities[0] = 99.0
    assert interpolation([v], NODES)[0] @ utilities == pytest.approx(c + a * v + b * v * v, abs=1e-12)
    assert interpolation([0.5], NODES)[0].tolist() == interpolation([0.33], NODES)[0].tolist()


def test_the_benefit_on_each_path_is_paired() -> None:
    utilities = np.array([[0.03, 0.05], [0.02, 0.04], [0.01, 0.02], [0.015, 0.035]])
    benefits = benefits_by_path(utilities, np.array([0.1, 0.2, 0.1, 0.2]), 2)
    np.testing.assert_allclose(benefits, [[0.02, 0.03], [0.005, 0.005]], atol=1e-15)


def test_leverage_has_references_of_its_own() -> None:
    assert [len(reference_weights(most)) for most in (0.6, 1.0, 1.01, 2.0)] == [2, 2, 4, 4]


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
