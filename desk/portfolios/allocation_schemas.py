"""Type of the weights of one allocation method."""

from desk.portfolios.schemas import Method
from quant.numeric.frozen import Frozen


class Allocation(Frozen):
    """The allocation of one method, or the reason why it has none."""

    method: Method
    weights: tuple[float, ...] = ()
    risk_shares: tuple[float, ...] = ()
    volatility: float | None = None
    """Per year."""
    expected_return: float | None = None
    """Per year, assuming that the past mean recurs."""
    diversification: float | None = None
    """Diversification ratio: mean volatility of the assets over that of the portfolio, at least 1."""
    later_volatility: float | None = None
    later_sharpe: float | None = None
    """On validation days, with weights fitted on training days only."""
    reason: str | None = None
