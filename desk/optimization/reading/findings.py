"""Findings of a result: comparisons made by code, the input of explainer and template."""

from typing import Any, Literal, TypeAlias

from desk.figures.figures import Figure
from desk.optimization.judgement.verdict import verdict_statistics
from desk.optimization.result import OptimizationResult
from quant.numeric.frozen import Frozen
from quant.overfitting.verdict import headline_and_advice

Sign: TypeAlias = Literal["positive", "unclear", "negative"]


class Findings(Frozen):
    """The comparisons behind an explanation; the figures hold the numbers."""

    colour: Literal["green", "amber", "red", "infeasible"]
    advice: str | None = None
    """What to do, with the figure of the tries by reference; None for results of earlier versions."""
    benefit: Sign | None
    """Sign of the benefit by its interval; None without a winner."""
    shallower: bool | None
    """Whether the winner's mean drawdown is smaller than the benchmark's."""
    depends_on_premium: bool | None
    loses_in_a_scenario: bool
    survives_parameter_error: bool | None
    survives_double_costs: bool | None
    validated: bool | None
    """Whether the advantage on the validation window is positive."""
    several_indistinguishable: bool
    on_a_plateau: bool | None
    partial: tuple[str, ...] = ()
    """Reasons why the result is partial."""
    figures: tuple[Figure, ...]


def build_findings(result: OptimizationResult) -> Findings:
    benefit, luck, winner = result.benefit, result.luck, result.winner
    winner_finalist = next((f for f in result.finalists if winner and f.digest == winner.digest), None)
    return Findings(
        colour=result.verdict.colour,
        advice=_advice(result),
        benefit=_sign(benefit.low, benefit.high) if benefit else None,
        shallower=benefit.drawdown_points.value > 0.0 if benefit else None,
        depends_on_premium=result.depends_on_premium,
        loses_in_a_scenario=any(s.benefit_bps.value < 0.0 for s in result.scenarios),
        survives_parameter_error=_all_positive(result.parameter_error),
        survives_double_costs=_all_positive(result.costs),
        validated=luck.validate_advantage_bps > 0.0 if luck else None,
        several_indistinguishable=sum(f.indistinguishable for f in result.finalists) > 1,
        on_a_plateau=winner_finalist.plateau_passed if winner_finalist else None,
        partial=result.partial,
        figures=explainable_figures(result),
    )


def explainable_figures(result: OptimizationResult) -> tuple[Figure, ...]:
    """Return the figures that an agent may see; today's weights are excluded because they use locked prices."""
    return tuple(figure for figure in result.figures if not figure.source.startswith("result.next_step."))


def _advice(result: OptimizationResult) -> str | None:
    if result.luck is None or result.benefit is None or not result.verdict.advice:
        return None
    _, advice = headline_and_advice(verdict_statistics(result.luck, result.benefit.basis_points.value))
    return advice.format(tries="{{ledger_trials}}")


def _sign(low: float, high: float) -> Sign:
    return "positive" if low > 0.0 else "negative" if high < 0.0 else "unclear"


def _all_positive(cases: tuple[Any, ...]) -> bool | None:
    return all(case.benefit_bps.value > 0.0 for case in cases) if cases else None
