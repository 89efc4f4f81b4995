import numpy as np
import pytest

from quant.numeric.errors import DataError
from quant.performance.held_weights import held_returns

RNG = np.random.default_rng(8)
ASSETS = RNG.normal(0.0005, 0.02, (60, 3))
TARGETS = np.array([[0.5, 0.5, 0.0], [0.2, 0.3, 0.5], [1.4, -0.4, 0.0]])
SESSIONS = [3, 20, 45]


def test_returns_are_those_of_units_that_are_bought_and_left_alone() -> None:
    held = held_returns(ASSETS, TARGETS, SESSIONS)
    prices = np.vstack([np.ones(3), np.cumprod(1.0 + ASSETS, axis=0)])
    wealth, expected = 1.0, []
    for target, first, last in zip(TARGETS, SESSIONS, [*SESSIONS[1:], 60], strict=True):
        units = wealth * target / prices[first]
        values = prices[first : last + 1] @ units
        expected += (values[1:] / values[:-1] - 1.0).tolist()
        wealth = values[-1]
    np.testing.assert_allclose(held.returns, expected, rtol=1e-10, atol=1e-14)


def test_weights_at_the_start_of_a_session_explain_its_return() -> None:
    held = held_returns(ASSETS, TARGETS, SESSIONS)
    np.testing.assert_allclose((held.weights * ASSETS[3:]).sum(axis=1), held.returns, atol=1e-14)
    np.testing.assert_allclose(held.weights.sum(axis=1), 1.0)
    np.testing.assert_array_equal(held.weights[[0, 17, 42]], TARGETS)


@pytest.mark.parametrize(
    ("returns", "targets", "sessions", "text"),
    [
        (ASSETS, TARGETS[:, :2], SESSIONS, "do not fit"),
        (ASSETS, TARGETS, [3, 20], "do not fit"),
        (ASSETS, TARGETS, [3, 3, 45], "increase"),
        (ASSETS, TARGETS, [3, 20, 60], "increase"),
        (ASSETS, 2 * TARGETS, SESSIONS, "sum to 1"),
        ([[-1.0]], [[1.0]], [0], "above -1"),
        ([[1.0, 0.0]], [[-2.0, 3.0]], [0], "lose everything"),
    ],
)
def test_bad_arguments_are_named(returns, targets, sessions, text: str) -> None:
    with pytest.raises(DataError, match=text):
        held_returns(returns, targets, sessions)


def test_weights_rounded_to_a_millionth_are_accepted_as_over_http() -> None:
    rounded = TARGETS + [[1e-7, 0.0, 0.0]] * 3
    expected = held_returns(ASSETS, TARGETS, SESSIONS)
    np.testing.assert_allclose(held_returns(ASSETS, rounded, SESSIONS).returns, expected.returns, atol=1e-6)
