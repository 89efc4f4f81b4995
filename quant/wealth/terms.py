"""Terms of a simulated account: its money, horizon, flows, fees and rebalancing, and the account that follows them."""

import math
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import ArrayLike

from quant.numeric.arguments import check_fields
from quant.numeric.arrays import Floats
from quant.numeric.elementary import power
from quant.numeric.errors import DataError
from quant.numeric.units import BASIS_POINTS, DAYS
from quant.wealth.kernel import MONTH, Account
from quant.worlds.joint import JointModel, check_days

Rebalancing: TypeAlias = Literal["daily", "weekly", "monthly", "quarterly", "yearly", "none"]

_PERIODS: Final[dict[Rebalancing, int]] = {
    "daily": 1,
    "weekly": 5,
    "monthly": MONTH,
    "quarterly": 3 * MONTH,
    "yearly": DAYS,
}
_RICHEST: Final = 1e100
"""Amounts above it have squares that overflow."""
_LONGEST: Final = 100
"""Years."""


@dataclass(frozen=True, eq=False, kw_only=True)
class AccountTerms:
    """Money, horizon, flows, fees and rebalancing of an account.

    Parameters
    ----------
    initial : float
        Money at the start, positive.
    years : int
        1 to 100.
    days : int
        Sessions, 1 to 25,200, instead of `years`; the horizon ends on the last one, and flows come with whole months.
    rebalancing : {"daily", "weekly", "monthly", "quarterly", "yearly", "none"}
        Every 1, 5, 21, 63 or 252 sessions.
    contributions, withdrawals : array_like, scalar or shape (M,), months begun
        Money at each month's end, not negative. A withdrawal is limited to the wealth.
    indexed : bool
        Contributions and withdrawals are in the money of the start and grow with inflation.
    fee : float
        A year, fraction of wealth, in [0, 1): every day leaves (1 - fee) ** (1 / 252).
    cost_bps : float
        Hundredths of a percent of the money traded, 0 to 1000.
    inflation : float
        A year, in (-0.5, 1].
    ruin : float
        Wealth at or below which, at any close, the account is closed: its value stays and flows stop. At 0 only
        withdrawals can cause ruin.

    Raises
    ------
    DataError
        If an argument is not finite or out of its range.
    """

    initial: float
    years: int | None = None
    days: int | None = None
    rebalancing: Rebalancing = "monthly"
    contributions: ArrayLike = 0.0
    withdrawals: ArrayLike = 0.0
    indexed: bool = True
    fee: float = 0.0
    cost_bps: float = 0.0
    inflation: float = 0.0
    ruin: float = 0.0

    def __post_init__(self) -> None:
        check_fields(self)
        if (self.years is None) == (self.days is None):
            raise DataError(f"one of `years` and `days` must be given; got {self.years} and {self.days}")
        if self.years is not None and not 1 <= self.years <= _LONGEST:
            raise DataError(f"`years` must lie in [1, {_LONGEST}]; got {self.years}")
        if not 1 <= self.sessions <= _LONGEST * DAYS:
            raise DataError(f"`days` must lie in [1, {_LONGEST * DAYS}]; got {self.days}")
        if not (self.initial > 0.0 and math.isfinite(self.initial)):
            raise DataError(f"`initial` must be positive; got {self.initial!r}")
        if self.initial > _RICHEST:
            raise DataError(f"`initial` must be at most {_RICHEST:g}; got {self.initial!r}")
        for name, low, high in (("fee", 0.0, 0.999), ("cost_bps", 0.0, 1000.0), ("inflation", -0.5, 1.0)):
            if not low <= (value := getattr(self, name)) <= high:
                raise DataError(f"`{name}` must lie in [{low:g}, {high:g}]; got {value!r}")
        if not 0.0 <= self.ruin < self.initial:
            raise DataError(f"`ruin` must lie in [0, initial = {self.initial:g}); got {self.ruin!r}")
        if self.rebalancing not in get_args(Rebalancing):
            allowed = ", ".join(get_args(Rebalancing))
            raise DataError(f"`rebalancing` must be one of {allowed}; got {self.rebalancing!r}")

    @property
    def sessions(self) -> int:
        """Of the horizon."""
        return self.years * DAYS if self.years is not None else self.days or 0


def open_account(
    model: JointModel, weights: ArrayLike, terms: AccountTerms, goal: float | None = None
) -> tuple[Account, Floats, Floats]:
    """The checked account; years since the start and price level at each month's end and at the last close.

    Parameters
    ----------
    model : JointModel
        N assets.
    weights : array_like, shape (N,)
    terms : AccountTerms
        M months begun.
    goal : float, optional
        Target wealth at the end, in the money of the start.

    Returns
    -------
    Account
    times, prices : ndarray, shape (M,)

    Raises
    ------
    DataError
        If the weights, the flows or the goal are out of their range or of the wrong shape.
    """
    if goal is not None and not (goal >= 0.0 and math.isfinite(goal)):
        raise DataError(f"`goal` must be finite and not negative; got {goal!r}")
    days = terms.sessions
    months = math.ceil(days / MONTH)
    check_days(model, days)
    times = np.minimum(np.arange(months + 1) * MONTH, days) / DAYS
    prices = np.array([power(1.0 + terms.inflation, t) for t in times])
    growth = prices[1:] if terms.indexed else np.ones(months)
    trades = np.zeros(days, dtype=np.bool_)
    if terms.rebalancing != "none":
        trades[_PERIODS[terms.rebalancing] - 1 : days - 1 : _PERIODS[terms.rebalancing]] = True
    account = Account(
        weights=_weights(weights, model.assets),
        initial=float(terms.initial),
        contributions=_flows("contributions", terms.contributions, months) * growth,
        withdrawals=_flows("withdrawals", terms.withdrawals, months) * growth,
        trades=trades,
        cash=1.0 + model.cash,
        fee=power(1.0 - terms.fee, 1.0 / DAYS),
        cost=terms.cost_bps / BASIS_POINTS,
        ruin=float(terms.ruin),
        years=days / DAYS,
        goal=-1.0 if goal is None else goal * float(prices[-1]),
    )
    return account, times, prices


def _weights(weights: ArrayLike, assets: int) -> Floats:
    array = np.array(weights, dtype=np.float64)
    if array.shape != (assets,):
        raise DataError(f"`weights` must have shape ({assets},), one for each asset; got {array.shape}")
    if not ((array >= 0.0) & (array <= 1.0 + 1e-9)).all():
        i = int((~((array >= 0.0) & (array <= 1.0 + 1e-9))).argmax())
        raise DataError(f"`weights` must lie in [0, 1]; asset {i} has {array[i]!r}")
    total = math.fsum(array)
    if total > 1.0 + 1e-9:
        raise DataError(f"`weights` must sum to at most 1, cash has the rest; got {total!r}")
    return array


def _flows(name: str, values: ArrayLike, months: int) -> Floats:
    array = np.array(values, dtype=np.float64)
    if array.ndim == 0:
        array = np.full(months, float(array))
    if array.shape != (months,):
        raise DataError(f"`{name}` must be one amount or have shape ({months},), one for each month; got {array.shape}")
    if not ((array >= 0.0) & (array < np.inf)).all():
        month = int((~((array >= 0.0) & (array < np.inf))).argmax())
        raise DataError(f"`{name}` must be finite and not negative; month {month} has {array[month]!r}")
    if array.max() > _RICHEST:
        raise DataError(f"`{name}` must be at most {_RICHEST:g}; month {int(array.argmax())} has {array.max()!r}")
    return array
