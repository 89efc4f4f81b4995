"""Worlds around a base case: the built-in scenarios as shifts and multiples of an asset's own volatility."""

from collections.abc import Mapping
from typing import Final, NamedTuple

from quant.worlds.scenario import Scenario

BASE_SHARPE: Final = 0.28
"""Sharpe ratio of the base case: a long mean of one asset's history is too noisy to be believed."""
MEANS: Final = (-0.5, 0.5)
VOLATILITIES: Final = (0.01, 1.0)
"""Smallest and largest annual mean and volatility of a scenario."""


class Shock(NamedTuple):
    """One world relative to the base case."""

    mean: float
    """Shift of mu, in units of the base's sigma."""
    volatility: float
    """Factor of sigma."""
    cash: float
    """Shift of the cash rate."""
    bond_correlation: float
    """Of equity and bond returns."""


SHOCKS: Final[Mapping[str, Shock]] = {
    "base_case": Shock(0.0, 1.0, 0.0, -0.3),
    "bull_market": Shock(0.389, 0.667, -0.01, 0.0),
    "bear_market": Shock(-0.722, 1.944, -0.02, -0.6),
    "high_volatility": Shock(-0.167, 2.222, 0.01, -0.5),
    "low_volatility": Shock(-0.056, 0.444, 0.0, 0.1),
}
"""By scenario. Around mu 8%, sigma 18% and cash 3% they give the built-in scenarios, to rounding."""
_STATES: Final[Mapping[str, str]] = {
    "bull": "bull_market",
    "base": "base_case",
    "bear": "bear_market",
    "high_volatility": "high_volatility",
}
"""Worlds that the cycle moves through, by its names of them."""
_DECIMALS: Final = 4


def world_around(scenario: Scenario, *, mean: float, volatility: float) -> Scenario:
    """A built-in scenario around a base case of another asset.

    Parameters
    ----------
    scenario : Scenario
        One of `SHOCKS` by name, or the cycle, whose states are.
    mean, volatility : float
        Annual, of the base case; fractions.

    Returns
    -------
    Scenario
        The same with mu = mean + shift * volatility and sigma = factor * volatility, rounded to a hundredth of a
        percent and within what a scenario may have; the cash rate stays. The cycle has base case's mean and a ninth
        more than its volatility, as among the built-in scenarios.
    """
    own, *others = [
        {"mu": _within(mu, MEANS), "sigma": _within(sigma, VOLATILITIES)}
        for mu, sigma in unbounded_numbers(scenario, mean=mean, volatility=volatility)
    ]
    states = tuple(state.model_copy(update=numbers) for state, numbers in zip(scenario.states, others, strict=True))
    return scenario.model_copy(update={**own, "states": states})


def unbounded_numbers(scenario: Scenario, *, mean: float, volatility: float) -> tuple[tuple[float, float], ...]:
    """Annual means and volatilities of `world_around` before they are held at the bounds of a scenario.

    Parameters
    ----------
    scenario : Scenario
        One of `SHOCKS` by name, or the cycle.
    mean, volatility : float
        Annual, of the base case; fractions.

    Returns
    -------
    tuple of (float, float)
        Of the scenario, then of each of its states; rounded to a hundredth of a percent.
    """
    names = [_STATES[state.name] for state in scenario.states] or [scenario.name]
    rows = [
        (mean + shock.mean * volatility, shock.volatility * volatility) for shock in (SHOCKS[name] for name in names)
    ]
    if scenario.states:
        rows.insert(0, (mean, volatility / 0.9))
    return tuple((round(mu, _DECIMALS), round(sigma, _DECIMALS)) for mu, sigma in rows)


def _within(value: float, bounds: tuple[float, float]) -> float:
    low, high = bounds
    return min(max(value, low), high)
