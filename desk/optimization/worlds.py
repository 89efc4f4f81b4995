"""Worlds of a request: the built-in scenarios take their means and volatilities from a base case."""

from collections.abc import Sequence
from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from desk.base.text import spaced
from quant.numeric.frozen import Frozen
from quant.worlds.scenario import BUILT_IN, CYCLE, RegimeState, Scenario
from quant.worlds.shocks import BASE_SHARPE, unbounded_numbers, world_around

Worlds: TypeAlias = Literal["calibrated", "seed", "historical"]

BASIS: dict[Worlds, str] = {
    "calibrated": "calibrated to the volatility of the training days",
    "historical": "calibrated to the volatility and the mean return of the training days",
    "seed": "the same for any data",
}
"""What the numbers of the built-in scenarios follow, by the field `worlds`."""
_TABLE = {scenario.name: scenario for scenario in (*BUILT_IN, CYCLE)}
_DECIMALS = 4
_Part: TypeAlias = Scenario | RegimeState


class WorldsBase(Frozen):
    """The base case that the other worlds are relative to."""

    volatility: Annotated[float, Field(ge=0.0, description="Annual, of the risky leg on training days")]
    mean: Annotated[float, Field(description="Annual expected return of the risky leg")]


def describe_worlds(worlds: Worlds | None, base: WorldsBase | None) -> str:
    """What the numbers of the built-in scenarios follow, as part of a sentence."""
    basis = BASIS[worlds or "seed"]
    return (
        basis
        if base is None
        else f"{basis}, {base.volatility:.1%} a year; mean return of the base case {base.mean:.1%}"
    )


def base_of(worlds: Worlds | None, *, volatility: float, mean: float, cash_rate: float) -> WorldsBase | None:
    """The base case of data whose training days have this annual volatility and mean; None for the table's own.

    Both are rounded to a hundredth of a percent, so that a form or a report can return them unchanged.
    """
    match worlds:
        case "calibrated":
            sigma = round(volatility, _DECIMALS)
            return WorldsBase(volatility=sigma, mean=round(cash_rate + BASE_SHARPE * sigma, _DECIMALS))
        case "historical":
            return WorldsBase(volatility=round(volatility, _DECIMALS), mean=round(mean, _DECIMALS))
        case "seed" | None:
            return None


def with_base(
    scenarios: tuple[Scenario, ...], base: WorldsBase | None, earlier: WorldsBase | None
) -> tuple[Scenario, ...]:
    """The scenarios around `base`, or with the numbers of the table if it is None.

    Only the means and volatilities of built-in scenarios that are those of the table, or those around `earlier`,
    change, each for itself: a number that a person states stays.
    """
    return tuple(_with_base(scenario, base, earlier) for scenario in scenarios)


def base_cash_rate(scenarios: tuple[Scenario, ...]) -> float:
    """The cash rate of the base case, of the table where the request leaves it out."""
    name = BUILT_IN[0].name
    return next((scenario.cash_rate for scenario in scenarios if scenario.name == name), BUILT_IN[0].cash_rate)


def world_caveats(scenarios: tuple[Scenario, ...], base: WorldsBase | None) -> list[str]:
    """What a reader of a result has to know about worlds that follow `base`."""
    caveats: list[str] = []
    if bounded := bounded_worlds(scenarios, base):
        caveats.append(
            f"The worlds {', '.join(map(spaced, bounded))} would be beyond what can be simulated: their mean or "
            "volatility is that of the nearest bound."
        )
    caveats.extend(
        f"The mean return of the bear market, {scenario.mu:.2%} a year, is not below its cash rate of "
        f"{scenario.cash_rate:.2%}: the asset is so calm that holding it does not lose to cash there."
        for scenario in scenarios
        if base and scenario.name == "bear_market" and scenario.mu >= scenario.cash_rate
    )
    return caveats


def bounded_worlds(scenarios: tuple[Scenario, ...], base: WorldsBase | None) -> tuple[str, ...]:
    """Names of the worlds whose mean or volatility around `base` is beyond what a scenario may have."""
    if base is None:
        return ()
    return tuple(scenario.name for scenario in scenarios if scenario.name in _TABLE and _is_bounded(scenario, base))


def _is_bounded(scenario: Scenario, base: WorldsBase) -> bool:
    """Whether `scenario` has a number around `base` that a bound replaces."""
    world, table = _world(scenario.name, base), _TABLE[scenario.name]
    parts: list[tuple[_Part, _Part]] = [(scenario, world)]
    if _same_states(scenario, table):
        parts += zip(scenario.states, world.states, strict=True)
    # the numbers of a part without a partner are those of a person
    rows = zip(parts, unbounded_numbers(table, mean=base.mean, volatility=base.volatility), strict=False)
    return any(
        (part.mu == bounded.mu != mu) or (part.sigma == bounded.sigma != sigma) for (part, bounded), (mu, sigma) in rows
    )


def _with_base(scenario: Scenario, base: WorldsBase | None, earlier: WorldsBase | None) -> Scenario:
    if scenario.name not in _TABLE:
        return scenario
    world, former = _world(scenario.name, base), [_world(scenario.name, each) for each in (None, earlier)]
    resolved = scenario.model_copy(update=_resolved_numbers(scenario, world, former))
    if not _same_states(scenario, world):
        return resolved
    states = tuple(
        state.model_copy(update=_resolved_numbers(state, world.states[n], [each.states[n] for each in former]))
        for n, state in enumerate(scenario.states)
    )
    return resolved.model_copy(update={"states": states})


def _resolved_numbers(part: _Part, world: _Part, former: Sequence[_Part]) -> dict[str, float]:
    """Mean and volatility, each of `world` if it is one of `former` and of `part` otherwise."""
    return {
        "mu": world.mu if part.mu in [each.mu for each in former] else part.mu,
        "sigma": world.sigma if part.sigma in [each.sigma for each in former] else part.sigma,
    }


def _same_states(scenario: Scenario, table: Scenario) -> bool:
    return [state.name for state in scenario.states] == [state.name for state in table.states]


def _world(name: str, base: WorldsBase | None) -> Scenario:
    return _TABLE[name] if base is None else world_around(_TABLE[name], mean=base.mean, volatility=base.volatility)
