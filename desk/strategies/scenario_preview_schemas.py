"""Request and response types of the preview of a scenario."""

from datetime import date
from typing import Annotated, Self

from pydantic import ConfigDict, Field, model_validator

from desk.optimization.scenario_check_schemas import Moment
from quant.numeric.frozen import Frozen
from quant.worlds.scenario import BUILT_IN, Scenario

MAX_PATH_YEARS = 8_000
"""Limit on paths times years of a preview."""
PERCENTILES = (5, 25, 50, 75, 95)


class ScenarioPreviewRequest(Frozen):
    """A scenario, stored or not, and how much of it to draw."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"scenario": "bear_market", "universe": "sp500", "shown": 10, "points": 60}]}
    )

    scenario: Annotated[
        str | Scenario,
        Field(description="The name of a built-in or own scenario, or a whole one that is not stored"),
    ] = BUILT_IN[0].name
    universe: Annotated[
        str,
        Field(
            min_length=1,
            max_length=400,
            description="Prices whose training days engines and built-in scenarios use",
            examples=["sp500"],
        ),
    ] = "sp500"
    paths: Annotated[int, Field(ge=100, le=2_000, description="Simulated paths, in place of the scenario's")] = 512
    shown: Annotated[int, Field(ge=1, le=50, description="Paths to return")] = 20
    points: Annotated[int, Field(ge=2, le=500, description="Days to return, evenly spaced")] = 120

    @model_validator(mode="after")
    def _is_quick(self) -> Self:
        scenario = self.scenario
        if isinstance(scenario, Scenario):
            check_size(self.paths, scenario)
        return self


def check_size(paths: int, scenario: Scenario) -> None:
    """Raise `ValueError` for a preview that takes long."""
    if paths * scenario.years > MAX_PATH_YEARS:
        msg = (
            f"paths {paths:,} of {scenario.years} years take too long at once; expected at most {MAX_PATH_YEARS:,} "
            "paths times years"
        )
        raise ValueError(msg)


class ScenarioPreview(Frozen):
    """Sample paths of a scenario and the moments of many."""

    scenario: Annotated[
        Scenario, Field(description="The scenario as it is simulated; a built-in one follows the training days")
    ]
    first_day: Annotated[date, Field(description="First day of the prices that engines and built-in scenarios use")]
    last_day: Annotated[date, Field(description="Last training day; later days are not used")]
    simulated: Annotated[int, Field(description="Paths behind bands and moments", examples=[512])]
    sessions: Annotated[
        tuple[int, ...], Field(description="Sessions of the points; 0 is the start", examples=[[0, 21, 42]])
    ]
    paths: Annotated[
        tuple[tuple[float, ...], ...], Field(description="Wealth of the risky leg from 1 at each session, by path")
    ]
    bands: Annotated[
        dict[str, tuple[float, ...]],
        Field(description="Percentiles of wealth over all paths at each session: p5, p25, p50, p75, p95"),
    ]
    moments: Annotated[
        tuple[Moment, ...],
        Field(description="Statistics of the paths beside what the scenario states, with standard errors"),
    ]
    drawdowns: Annotated[
        dict[str, float],
        Field(description="Quantiles of the deepest fall over all days", examples=[{"0.50": 0.21, "0.95": 0.48}]),
    ]
