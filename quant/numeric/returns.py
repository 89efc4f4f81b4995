"""Returns of one or more assets, validated once at construction."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import ArrayLike

from quant.numeric.arrays import Dates, Floats
from quant.numeric.errors import DataError


@dataclass(frozen=True, slots=True, eq=False)
class Returns:
    """Simple returns per session of `N` assets over `T` sessions.

    The arrays are copied and made read-only: what was checked cannot change.

    Parameters
    ----------
    dates : ndarray of datetime64[D], shape (T,)
        The session at whose close each return is known; strictly increasing.
    assets : tuple of str, length N
        Unique, non-empty names.
    values : ndarray of float64, shape (T, N)
        Simple returns since the session before, as fractions (0.01 is one percent); above -1.

    Raises
    ------
    DataError
        If a shape does not fit, T or N is zero, a date is missing or out of order, a name is empty
        or not unique, or a return is not finite or not above -1.

    Examples
    --------
    >>> returns = Returns.from_prices(
    ...     ["2024-01-02", "2024-01-03", "2024-01-04"], ["SPX"], [[100.0], [110.0], [99.0]]
    ... )
    >>> returns.values[:, 0].round(6).tolist()
    [0.1, -0.1]
    >>> str(returns.dates[0])
    '2024-01-03'
    """

    dates: Dates
    assets: tuple[str, ...]
    values: Floats

    def __post_init__(self) -> None:
        dates = np.array(self.dates, dtype="datetime64[D]")
        values = np.array(self.values, dtype=np.float64, order="C")
        assets = tuple(self.assets)
        _check_axes(dates, assets, values)
        if not (np.isfinite(values).all() and (values > -1.0).all()):
            row, column = np.argwhere(~(np.isfinite(values) & (values > -1.0)))[0]
            raise DataError(
                f"returns must be finite and above -1; {assets[column]} on {dates[row]} is {values[row, column]}"
            )
        dates.setflags(write=False)
        values.setflags(write=False)
        object.__setattr__(self, "dates", dates)
        object.__setattr__(self, "assets", assets)
        object.__setattr__(self, "values", values)

    @classmethod
    def from_prices(cls, dates: ArrayLike, assets: ArrayLike, closes: ArrayLike) -> Self:
        """Make the returns between consecutive closes: ``closes[t + 1] / closes[t] - 1``.

        Parameters
        ----------
        dates : array_like of datetime64[D], shape (T + 1,)
            The sessions of `closes`; the first has no return and is dropped.
        assets : sequence of str, length N
            The names of the columns.
        closes : array_like, shape (T + 1, N)
            Positive, finite prices.

        Raises
        ------
        DataError
            If there are fewer than two closes, one is not positive and finite, or the shapes,
            dates or names do not satisfy the conditions of `Returns`.
        """
        days = np.asarray(dates, dtype="datetime64[D]")
        names = tuple(str(name) for name in np.atleast_1d(np.asarray(assets)))
        prices = np.asarray(closes, dtype=np.float64)
        _check_axes(days, names, prices)
        if days.size < 2:
            raise DataError("one close has no return; at least two sessions are needed")
        if not (np.isfinite(prices).all() and (prices > 0.0).all()):
            row, column = np.argwhere(~(np.isfinite(prices) & (prices > 0.0)))[0]
            raise DataError(
                f"closes must be positive and finite; {names[column]} on {days[row]} is {prices[row, column]}"
            )
        return cls(days[1:], names, prices[1:] / prices[:-1] - 1.0)

    def until(self, n_rows: int) -> Self:
        """The first `n_rows` sessions: all that is known at the close of the last of them.

        Parameters
        ----------
        n_rows : int
            In [1, T].

        Raises
        ------
        DataError
            If `n_rows` is outside [1, T].
        """
        return self.rows(0, n_rows)

    def rows(self, start: int, stop: int) -> Self:
        """The sessions `start` to `stop - 1`, counted from 0, for splits in time order.

        Raises
        ------
        DataError
            Unless ``0 <= start < stop <= T``.
        """
        if not 0 <= start < stop <= len(self.dates):
            raise DataError(f"rows must satisfy 0 <= start < stop <= {len(self.dates)}, got {start} and {stop}")
        return type(self)(self.dates[start:stop], self.assets, self.values[start:stop])

    def __len__(self) -> int:
        """The number of sessions T."""
        return len(self.dates)


def _check_axes(dates: Dates, assets: tuple[str, ...], values: Floats) -> None:
    if dates.ndim != 1 or dates.size == 0:
        raise DataError(f"dates must have shape (T,), T > 0; got {dates.shape}")
    if values.shape != (dates.size, len(assets)) or not assets:
        raise DataError(
            f"values must have shape (T, N), N > 0; got {values.shape} for {dates.size} dates and {len(assets)} assets"
        )
    if not all(assets) or len(set(assets)) != len(assets):
        raise DataError(f"asset names must be unique and not empty; got {assets}")
    if np.isnat(dates).any():
        raise DataError(f"dates must not be missing; row {int(np.isnat(dates).argmax())} is")
    if (dates[1:] <= dates[:-1]).any():
        row = int((dates[1:] <= dates[:-1]).argmax()) + 1
        raise DataError(f"dates must strictly increase; {dates[row]} follows {dates[row - 1]} at row {row}")
