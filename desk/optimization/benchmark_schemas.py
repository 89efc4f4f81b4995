"""Type of the comparison with a benchmark series of the request."""

from typing import Annotated

from pydantic import Field

from quant.numeric.frozen import Frozen
from quant.numeric.measured import Measured


class SeriesBenchmark(Frozen):
    """A series that the winner is compared with on train and validate; annual fractions, without costs."""

    name: str
    excess_return: Annotated[float, Field(description="Mean daily return over cash times 252")]
    volatility: float
    sharpe: float
    """Of its excess returns, a year."""
    max_drawdown: Annotated[float, Field(description="Deepest fall, a positive fraction")]
    winner_minus_bps: Annotated[
        Measured, Field(description="Utility of the winner less that of the series, with the error of one history")
    ]
    tracking_error: Annotated[float, Field(description="Volatility of the difference of their returns")]
