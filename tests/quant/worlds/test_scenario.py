"""The built-in worlds, and what a scenario may be."""

import math
from typing import Any

import pytest
from pydantic import ValidationError

from quant.worlds.scenario import BUILT_IN, CYCLE, GBM_BANNER, RegimeState, Scenario

PLAIN: dict[str, Any] = {"name": "mine", "mu": 0.08, "sigma": 0.18, "cash_rate": 0.03}


def test_the_five_worlds_are_those_of_the_specification() -> None:
    """Section 1.1: mu, sigma, cash, correlation with bonds; the method, section 2: probabilities."""
    assert {s.name: (s.mu, s.sigma, s.cash_rate, s.bond_correlation, s.probability) for s in BUILT_IN} == {
        "base_case": (0.08, 0.18, 0.03, -0.3, 0.50),
        "bull_market": (0.15, 0.12, 0.02, 0.0, 0.15),
        "bear_market": (-0.05, 0.35, 0.01, -0.6, 0.10),
        "high_volatility": (0.05, 0.40, 0.04, -0.5, 0.10),
        "low_volatility": (0.07, 0.08, 0.03, 0.1, 0.15),
    }
    assert math.fsum(s.probability for s in BUILT_IN) == 1.0
    assert all(s.engine == "heston" and s.premium_power == 1 for s in BUILT_IN)
    assert all((s.years, s.paths) == (5, 1_000) for s in BUILT_IN)


def test_the_multipliers_of_the_base_case_give_the_other_four() -> None:
    """Specification, section 5.6: shifts of mu and factors of sigma at 8% and 18%, to rounding."""
    base = BUILT_IN[0]
    for scenario, shift, factor in zip(
        BUILT_IN[1:], (0.389, -0.722, -0.167, -0.056), (0.667, 1.944, 2.222, 0.444), strict=True
    ):
        assert scenario.mu == pytest.approx(base.mu + shift * base.sigma, abs=5e-4)
        assert scenario.sigma == pytest.approx(base.sigma * factor, abs=5e-4)


def test_the_cycle_moves_through_four_of_the_worlds_and_has_no_weight() -> None:
    worlds = {(s.mu, s.sigma) for s in BUILT_IN}
    assert [s.name for s in CYCLE.states] == ["bull", "base", "bear", "high_volatility"]
    assert {(s.mu, s.sigma) for s in CYCLE.states} <= worlds
    assert CYCLE.probability == 0.0
    assert CYCLE.engine == "regime_switching"


def test_constant_volatility_is_allowed_with_a_banner() -> None:
    assert Scenario.model_validate(PLAIN | {"engine": "gbm"}).engine == "gbm"
    assert "cannot rank" in GBM_BANNER


@pytest.mark.parametrize(
    ("changes", "field", "allowed"),
    [
        ({"name": "Has Spaces"}, "name", "pattern"),
        ({"name": ""}, "name", "at least 1"),
        ({"engine": "variance_gamma"}, "engine", "'heston'"),
        ({"mu": 8.0}, "mu", "0.5"),
        ({"sigma": 0.0}, "sigma", "0.01"),
        ({"sigma": float("inf")}, "sigma", "finite"),
        ({"cash_rate": 3.0}, "cash_rate", "0.25"),
        ({"bond_correlation": -1.5}, "bond_correlation", "-1"),
        ({"probability": 1.5}, "probability", "1"),
        ({"premium_power": 3}, "premium_power", "0, 1 or 2"),
        ({"years": 0}, "years", "1"),
        ({"paths": 10}, "paths", "100"),
        ({"jumps_per_year": 6.0}, "jumps_per_year", "5"),
        ({"mean_block": 5}, "mean_block", "20"),
        ({"leverage": -2.0}, "leverage", "-1"),
        ({"drift": 0.1}, "drift", "not permitted"),
        ({"states": CYCLE.states}, "states", "expected regime_switching"),
        ({"engine": "regime_switching", "states": CYCLE.states[:1]}, "states", "expected none, or two and more"),
    ],
)
def test_a_scenario_refuses_by_name(changes: dict[str, Any], field: str, allowed: str) -> None:
    with pytest.raises(ValidationError) as error:
        Scenario.model_validate(PLAIN | changes)
    assert field in str(error.value)
    assert allowed in str(error.value)


def test_a_state_needs_volatility_and_a_week() -> None:
    for values in ({"sigma": 0.0, "mean_days": 10.0}, {"sigma": 0.1, "mean_days": 1.0}):
        with pytest.raises(ValidationError, match=r"sigma|mean_days"):
            RegimeState.model_validate({"name": "x", "mu": 0.0} | values)


def test_the_correlation_with_bonds_says_that_it_has_no_effect() -> None:
    assert "no effect with a cash leg" in str(Scenario.model_fields["bond_correlation"].description)
