"""Scenarios of a request, compared with the training history."""

from typing import TYPE_CHECKING

from desk.figures.figures import Figure, Unit
from desk.market.regimes import volatility
from quant.numeric.frozen import Frozen
from quant.worlds.scenario import Scenario

if TYPE_CHECKING:
    from desk.optimization.inputs.market_data import Market


class ScenarioCard(Frozen):
    """One scenario, compared with the training history by code."""

    name: str
    rougher_than_history: bool
    losing: bool
    """Whether its mean return is below its cash rate."""
    weighted: bool
    """Whether its probability is above 0."""
    figures: tuple[Figure, ...]


class ScenarioList(Frozen):
    scenarios: tuple[ScenarioCard, ...]


def scenario_list(market: "Market", scenarios: tuple[Scenario, ...]) -> ScenarioList:
    history = volatility(market.asset[market.train])
    return ScenarioList(scenarios=tuple(_card(s, history) for s in scenarios))


def scenario_figures(scenarios: tuple[Scenario, ...]) -> tuple[Figure, ...]:
    """Every figure of the scenarios that a claim may refer to."""
    return tuple(figure for s in scenarios for figure in _figures(s))


def _card(scenario: Scenario, history: float) -> ScenarioCard:
    return ScenarioCard(
        name=scenario.name,
        rougher_than_history=scenario.sigma > history,
        losing=scenario.mu < scenario.cash_rate,
        weighted=scenario.probability > 0.0,
        figures=_figures(scenario),
    )


def _figures(scenario: Scenario) -> tuple[Figure, ...]:
    rows: tuple[tuple[str, str, float, Unit], ...] = (
        ("mu", "expected yearly return of the risky asset", scenario.mu, "percent"),
        ("sigma", "yearly volatility of the risky asset", scenario.sigma, "percent"),
        ("p", "default probability", scenario.probability, "probability"),
    )
    return tuple(
        Figure(
            id=f"given_{scenario.name}_{name}",
            quantity=f'{quantity} in the scenario "{scenario.name}"',
            value=value,
            unit=unit,
            source=f"list_scenarios.{scenario.name}.{name}",
        )
        for name, quantity, value, unit in rows
    )
