"""Type of a plan of savings."""

from typing import Annotated

from pydantic import Field

from quant.numeric.frozen import Frozen
from quant.worlds.scenario import Scenario


class SavingsPlan(Frozen):
    """Money over time. Contributions, withdrawals and the goal are in today's money."""

    holdings: dict[str, float]
    """Shares of wealth by name, cash included."""
    amount: Annotated[float, Field(gt=0.0, le=1e12)] = 100.0
    """100 by default, so that wealth reads as a percentage of the start."""
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")] | None = None
    years: Annotated[int, Field(ge=1, le=60)] = 10
    contribution: Annotated[float, Field(ge=0.0, le=1e12, description="Paid in at each month's end")] = 0.0
    withdrawal: Annotated[float, Field(ge=0.0, le=1e12, description="Taken out at each month's end")] = 0.0
    goal: Annotated[float, Field(gt=0.0, le=1e15)] | None = None
    inflation: Annotated[float, Field(ge=-0.05, le=0.25)] = 0.02
    fee: Annotated[float, Field(ge=0.0, le=0.10, description="A year, of wealth")] = 0.0
    cost_bps: Annotated[float, Field(ge=0.0, le=50.0)] = 5.0
    scenario: Scenario | None = None
    """Scenario of the index, by default the base case. Stocks are simulated from their own history."""
    paths: Annotated[int, Field(ge=100, le=100_000)] = 5_000
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 1
