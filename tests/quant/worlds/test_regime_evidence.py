"""A second state of volatility is reported where there is one, and neither for fat tails nor for clusters alone."""

import math
from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import pytest

from quant.numeric.errors import DataError
from quant.worlds.regime_evidence import WHY_ONE_STATE, examine_regimes

Law: TypeAlias = Callable[[np.random.Generator, int], np.ndarray]


def gaussian(rng: np.random.Generator, days: int) -> np.ndarray:
    return 3e-4 + 0.01 * rng.standard_normal(days)


def student(rng: np.random.Generator, days: int) -> np.ndarray:
    """Four degrees of freedom, as daily returns have."""
    return 3e-4 + 0.01 * rng.standard_t(4, days) / math.sqrt(2.0)


def garch(rng: np.random.Generator, days: int) -> np.ndarray:
    """GJR-GARCH(1,1) with Student's t shocks and a persistence of 0.98, after 300 days of warm-up."""
    shocks = rng.standard_t(8, days + 300) * math.sqrt(6.0 / 8.0)
    variance, out = 1e-4, np.empty(shocks.size)
    for t, z in enumerate(shocks):
        out[t] = math.sqrt(variance) * z
        variance = 2e-6 + (0.05 + 0.10 * (z < 0.0)) * out[t] ** 2 + 0.88 * variance
    return np.maximum(out[300:], -0.9)


def two_states(rng: np.random.Generator, days: int) -> np.ndarray:
    """Calm and turbulent for 120 and 60 days on average; the turbulent volatility is twice the calm one."""
    state, states = 0, np.empty(days)
    for t, u in enumerate(rng.random(days)):
        state = 1 - state if u < 1.0 / (120.0, 60.0)[state] else state
        states[t] = state
    return 3e-4 + 0.008 * (1.0 + states) * rng.standard_normal(days)


def share_of_two_states(law: Law, days: int, series: int) -> float:
    found = [examine_regimes(law(np.random.default_rng([days, k]), days)).model is not None for k in range(series)]
    return float(np.mean(found))


ONE_STATE = [gaussian, student, garch]


@pytest.mark.parametrize("law", ONE_STATE)
def test_one_state_is_not_called_two(law: Law) -> None:
    assert share_of_two_states(law, 1_000, 12) == 0.0
    assert share_of_two_states(law, 8_000, 1) == 0.0


def test_twice_the_volatility_is_detected() -> None:
    assert share_of_two_states(two_states, 1_000, 12) > 0.9
    assert share_of_two_states(two_states, 8_000, 1) == 1.0


@pytest.mark.soak
@pytest.mark.parametrize("days", [1_000, 8_000])
@pytest.mark.parametrize("law", ONE_STATE)
def test_one_state_is_seldom_called_two(law: Law, days: int) -> None:
    assert share_of_two_states(law, days, 200) < 0.05


@pytest.mark.soak
@pytest.mark.parametrize("days", [1_000, 8_000])
def test_twice_the_volatility_is_detected_in_nine_of_ten(days: int) -> None:
    assert share_of_two_states(two_states, days, 200) > 0.9


def test_the_model_has_the_states_of_the_returns() -> None:
    model = examine_regimes(two_states(np.random.default_rng(1), 8_000)).model
    assert model is not None
    np.testing.assert_allclose(model.volatilities, [0.008, 0.016], rtol=0.05)


@pytest.mark.parametrize(
    ("returns", "reason"),
    [
        (gaussian(np.random.default_rng(1), 499), "short_history"),
        (np.full(600, 0.001), "equal_returns"),
        (student(np.random.default_rng(2), 1_000), "steady"),
        (garch(np.random.default_rng(3), 4_000), "clusters"),
    ],
)
def test_the_reason_says_what_speaks_against_two_states(returns: np.ndarray, reason: str) -> None:
    evidence = examine_regimes(returns)
    assert (evidence.model, evidence.reason) == (None, reason)


def test_states_that_hardly_differ_are_one() -> None:
    """A ratio of volatilities of 1.3 is significant in forty thousand days, and too small to be called a state."""
    rng = np.random.default_rng(4)
    turbulent = np.arange(40_000) // 500 % 2 == 1
    returns = np.where(turbulent, 0.013, 0.01) * rng.standard_normal(turbulent.size)
    assert examine_regimes(returns).reason == "similar_states"


def test_reasons_hold_no_numbers_for_agents_to_repeat() -> None:
    assert not any(character.isdigit() for text in WHY_ONE_STATE.values() for character in text)


def test_returns_that_are_no_series_are_refused() -> None:
    with pytest.raises(DataError, match="returns"):
        examine_regimes(np.full((3, 3), 0.01))
