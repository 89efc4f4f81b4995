"""The constant mix of two legs that has a volatility and, of two such mixes, the higher utility."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quant.numeric.errors import DataError
from quant.strategies.own_benchmark import mix_coefficients, mix_weights

WEIGHTS = (0.0, 0.25, 0.5, 0.75, 1.0)


def volatility(weight: float, equity: float, bond: float, rho: float) -> float:
    w, v = weight, max(1.0 - weight, 0.0)
    return float(np.sqrt(w * w * equity**2 + v * v * bond**2 + 2 * w * v * rho * equity * bond))


@given(st.floats(0.0, 2.0), st.floats(0.10, 0.40), st.floats(0.02, 0.09), st.floats(-0.9, 0.9), st.floats(-0.1, 0.1))
@settings(max_examples=100, deadline=None)
def test_it_has_the_volatility_and_no_mix_of_that_volatility_is_better(
    weight: float, equity: float, bond: float, rho: float, premium: float
) -> None:
    """Against the roots of the variance as a polynomial of the weight."""

    def utility(w: float) -> float:
        return premium * min(w, 1.0) + 0.01 * max(1.0 - w, 0.0) - volatility(min(w, 1.0), equity, bond, rho) ** 2

    own = volatility(weight, equity, bond, rho)
    nodes = [volatility(w, equity, bond, rho) for w in WEIGHTS]
    (found,) = mix_weights([own], nodes, [utility(w) for w in WEIGHTS], weights=WEIGHTS, highest=2.0)
    assert volatility(float(found), equity, bond, rho) == pytest.approx(own, rel=1e-5)
    both = rho * equity * bond
    roots = np.roots([equity**2 + bond**2 - 2 * both, 2 * (both - bond**2), bond**2 - own**2])
    same = [weight, *(w.real for w in roots if abs(w.imag) < 1e-12 and 0.0 <= w.real <= 1.0)]
    assert all(utility(float(found)) >= utility(w) - 1e-5 for w in same)


def test_a_mix_at_an_end_of_a_stretch_is_found_whatever_the_rounding() -> None:
    for weight, rho in product(WEIGHTS[1:], np.linspace(-0.5, 0.9, 141)):
        nodes = [volatility(w, 0.1, 0.02, rho) for w in WEIGHTS]
        own = volatility(weight, 0.1, 0.02, rho)
        (found,) = mix_weights([own], nodes, list(WEIGHTS), weights=WEIGHTS, highest=2.0)
        assert found == pytest.approx(weight, abs=1e-6)


def test_below_and_above_the_volatility_of_every_mix() -> None:
    nodes = [volatility(w, 0.2, 0.06, -0.4) for w in WEIGHTS]
    calmest = (0.06**2 + 0.4 * 0.2 * 0.06) / (0.2**2 + 0.06**2 + 2 * 0.4 * 0.2 * 0.06)
    arguments = {"weights": WEIGHTS, "highest": 1.5}
    found = mix_weights([0.0, 0.25, 0.9], nodes, [0.0] * 5, **arguments)
    np.testing.assert_allclose(found, [calmest, 1.25, 1.5], rtol=1e-9)


def test_the_coefficients_reproduce_quadratics_on_each_stretch() -> None:
    nodes = np.array(WEIGHTS)
    kinked = np.where(nodes <= 0.5, nodes**2, 0.25 + 3.0 * (nodes - 0.5))
    coefficients = mix_coefficients(np.array([0.0, 0.1, 0.5, 0.6, 1.0]), WEIGHTS)
    np.testing.assert_allclose(coefficients @ kinked, [0.0, 0.01, 0.25, 0.55, 1.75], atol=1e-12)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"volatilities": [-0.1]}, "volatilities"),
        ({"volatilities": [np.nan]}, "volatilities"),
        ({"references": [0.1, 0.2]}, "references"),
        ({"utilities": [0.1, 0.2, np.inf, 0.0, 0.0]}, "references"),
        ({"weights": (0.1, 0.25, 0.5, 0.75, 1.0)}, "weights"),
        ({"weights": (0.0, 0.25, 0.5, 0.75, 0.9)}, "weights"),
    ],
)
def test_other_numbers_are_refused(changes: dict[str, object], field: str) -> None:
    arguments: dict[str, object] = {"volatilities": [0.1], "references": [0.1] * 5, "utilities": [0.0] * 5}
    arguments |= {"weights": WEIGHTS} | changes
    places = [arguments.pop(name) for name in ("volatilities", "references", "utilities")]
    with pytest.raises(DataError, match=f"`{field}`"):
        mix_weights(*places, highest=2.0, **arguments)  # pyright: ignore[reportArgumentType]
