"""What lists of jobs show of a result."""

from typing import Annotated, Literal

from pydantic import Field

from desk.figures.labels import strategy_label
from desk.optimization.result import OptimizationResult
from quant.numeric.frozen import Frozen


class ResultSummary(Frozen):
    """Verdict, benefit and winner of a result; stored with the run, so that lists read no results."""

    verdict: Annotated[
        Literal["green", "amber", "red", "infeasible"],
        Field(description="Colour of the verdict; only `green` says that luck does not explain the benefit"),
    ]
    headline: Annotated[str, Field(description="The verdict in a sentence", examples=["The evidence is weak"])]
    advice: Annotated[str, Field(description="What to do, in a sentence; empty without a winner")] = ""
    benefit_bps: Annotated[
        float | None,
        Field(
            description="Benefit of the winner over a constant weight of the same volatility, basis points a year; "
            "null without a winner",
            examples=[12.5],
        ),
    ] = None
    benefit_low_bps: Annotated[float | None, Field(description="Lower end of its 95% interval", examples=[-20.1])] = (
        None
    )
    benefit_high_bps: Annotated[float | None, Field(description="Upper end of its 95% interval", examples=[45.0])] = (
        None
    )
    winner: Annotated[
        str | None,
        Field(
            description="The winning configuration in words; null without one",
            examples=["inverse volatility on 63-day volatility, rebalanced monthly"],
        ),
    ] = None
    winner_digest: Annotated[str | None, Field(description="Digest of the winning trial; null without one")] = None


def summarize(result: OptimizationResult) -> ResultSummary:
    benefit, winner = result.benefit, result.winner
    return ResultSummary(
        verdict=result.verdict.colour,
        headline=result.verdict.headline,
        advice=result.verdict.advice,
        benefit_bps=None if benefit is None else benefit.basis_points.value,
        benefit_low_bps=None if benefit is None else benefit.low,
        benefit_high_bps=None if benefit is None else benefit.high,
        winner=None if winner is None else strategy_label(winner.config),
        winner_digest=None if winner is None else winner.digest,
    )
