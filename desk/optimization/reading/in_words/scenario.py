"""The winner in each scenario, in sentences."""

from collections.abc import Sequence

from desk.base.text import join_words, number, spaced
from desk.figures.figures import Figure, format_measured
from desk.figures.sheet import Sheet
from desk.optimization.result import OptimizationResult, ScenarioOutcome
from desk.scenarios.schemas import HISTORY
from quant.numeric.measured import Measured

NOUNS = ("case", "market", "cycle")
"""Last words of the names that are nouns and take an article."""


def scenario_phrase(name: str) -> str:
    """Where something holds: `in the bear market`, `in the scenario high volatility`, `on the training history`."""
    if name == HISTORY:
        return "on the training history"
    noun = name.rpartition("_")[2] in NOUNS
    return f"in the {'' if noun else 'scenario '}{spaced(name)}"


def describe_scenario(result: OptimizationResult, name: str | None) -> tuple[Figure, ...]:
    """How the winner does in the scenario `name`; nothing for a scenario that the result lacks."""
    sheet = Sheet("explain_result", "scenario")
    for outcome in result.scenarios:
        if outcome.scenario != name:
            continue
        place, metrics = scenario_phrase(outcome.scenario), outcome.winner.metrics
        sheet.say("benefit_sentence", f"{_capital(place)} the winner {_beside(outcome)}.")
        sheet.say(
            "growth_sentence",
            f"It {_grows(metrics.geometric_return.value)} a year there, with a volatility of "
            f"{_percent(metrics.volatility.value)} and a maximum drawdown of {_percent(metrics.max_drawdown.value)}"
            f"{'' if name == HISTORY else ' on average'}.",
        )
        if round(outcome.regret_bps):
            sheet.say(
                "best_sentence",
                f"The configuration that does best there earns {number(outcome.regret_bps)} bps a year more than the "
                f"winner.",
            )
    return sheet.figures


def describe_extremes(result: OptimizationResult) -> tuple[Figure, ...]:
    """The simulated scenarios in which the winner does worst and best."""
    sheet = Sheet("explain_result", "extremes")
    simulated = [o for o in result.scenarios if o.scenario != HISTORY]
    if simulated:
        worst = min(simulated, key=lambda o: o.benefit_bps.value)
        best = max(simulated, key=lambda o: o.benefit_bps.value)
        sheet.say("worst_sentence", f"The winner does worst {_world(result, worst)}, where it {_beside(worst)}.")
        sheet.say("best_sentence", f"The winner does best {_world(result, best)}, where it {_beside(best)}.")
        sheet.say("losing_sentence", _losing(simulated))
        behind = [scenario_phrase(o.scenario) for o in simulated if o.benefit_bps.value < 0.0]
        if not behind:
            sheet.say("behind_sentence", "In no scenario is it behind a constant weight of the same volatility.")
    return sheet.figures


def _losing(simulated: Sequence[ScenarioOutcome]) -> str:
    """Where the wealth of the winner shrinks."""
    growth = {o.scenario: o.winner.metrics.geometric_return.value for o in simulated}
    losses = {name: value for name, value in growth.items() if round(value, 3) < 0.0}
    if not losses:
        least = min(growth, key=growth.__getitem__)
        return (
            f"In no scenario does the winner lose money on average over the years; it grows least "
            f"{scenario_phrase(least)}, by {_percent(growth[least])} a year."
        )
    places = join_words([f"{scenario_phrase(name)} ({_percent(-value)} a year)" for name, value in losses.items()])
    return f"On average over the years the winner loses money {places}, and in no other scenario."


def _world(result: OptimizationResult, outcome: ScenarioOutcome) -> str:
    """The scenario with its mean return and volatility, where the result holds them."""
    found = next((world for world in result.worlds if world.scenario == outcome.scenario), None)
    numbers = (
        ""
        if found is None
        else f" (a return of {_percent(found.mean)} a year at a volatility of {_percent(found.volatility)})"
    )
    return scenario_phrase(outcome.scenario) + numbers


def _beside(outcome: ScenarioOutcome) -> str:
    benefit = outcome.benefit_bps
    size = format_measured(Measured(value=abs(benefit.value), error=benefit.error), "bps")
    if abs(benefit.value) <= 2.0 * (benefit.error or 0.0) or not round(benefit.value):
        return f"cannot be told from a constant weight of the same volatility: the difference is {size}"
    verb = "beats" if benefit.value > 0.0 else "is behind"
    return f"{verb} a constant weight of the same volatility by {size}"


def _grows(growth: float) -> str:
    return f"{'loses' if growth < 0.0 else 'grows'} {_percent(abs(growth))}"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _percent(value: float) -> str:
    return f"{number(100.0 * value, 1)}%"
