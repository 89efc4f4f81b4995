"""The type of prices, and the port that loads them.

numpy is imported inside functions, so that the type is light to import.
"""

import hashlib
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property
from typing import TYPE_CHECKING, Protocol, Self, runtime_checkable

from desk.base.errors import InvalidInput
from desk.market.price_facts import PriceFacts
from quant.numeric.units import DAYS

if TYPE_CHECKING:
    from quant.numeric.arrays import Dates, Floats

_TRAINING = 0.6
"""Share of the returns that a request uses for training, but for its warm-up."""


@dataclass(frozen=True, eq=False)
class Ranges:
    """Opens, highs and lows of the sessions of `Prices`, each of shape (T, N); NaN where an asset has none."""

    opens: "Floats"
    highs: "Floats"
    lows: "Floats"

    def part(self, rows: slice, columns: "Sequence[int] | slice") -> "Ranges":
        return Ranges(*(table[rows][:, columns] for table in (self.opens, self.highs, self.lows)))


@dataclass(frozen=True, eq=False)
class VolatilityIndex:
    """Closes of an implied volatility index, in points of percent a year, shape (M,)."""

    dates: "Dates"
    values: "Floats"
    name: str


@dataclass(frozen=True, eq=False)
class SafeLeg:
    """What is held beside the risky assets instead of cash, on the sessions of `Prices`, shape (T,)."""

    name: str
    levels: "Floats"
    """Prices with coupons in them, or yields in percent a year."""
    yields: bool


@dataclass(frozen=True, eq=False)
class RateSeries:
    """Rates of cash in percent a year, shape (M,), each known from its day on."""

    name: str
    dates: "Dates"
    percent: "Floats"
    currency: str


@dataclass(frozen=True, eq=False)
class BenchmarkLevels:
    """Levels of a benchmark at the sessions of `Prices`, shape (T,)."""

    name: str
    levels: "Floats"


@dataclass(frozen=True, kw_only=True, eq=False)
class Prices:
    """Closes of N assets over T sessions, with the facts needed to interpret them.

    Only shapes are checked here; `desk.market.checks.prices` checks the content. The arrays are read-only.
    """

    dates: "Dates"
    """datetime64[D], shape (T,)."""
    assets: tuple[str, ...]
    closes: "Floats"
    """Shape (T, N), in the currency of the source."""
    price_index: bool
    """Whether dividends are missing, so that total returns are higher by the dividend yield."""
    survivors: bool
    """Whether the assets were selected with hindsight (survivorship bias)."""
    source: str
    notes: tuple[str, ...] = ()
    calendar: str = "XNYS"
    """Exchange calendar of the sessions, or none."""
    currency: str = "USD"
    accepted: tuple[tuple[str, str], ...] = ()
    """Gates that fail but were accepted by a person, each with the reason."""
    ranges: Ranges | None = None
    """The bars that the estimator `range` needs, if the source has them; no part of the digest."""
    volatility_index: VolatilityIndex | None = None
    """The index that the estimator `implied` needs, if a request names one; no part of the digest."""
    cash: RateSeries | None = None
    """The rates of cash, if a request names a series; no part of the digest."""
    benchmark: BenchmarkLevels | None = None
    """The series that a winner is compared with, if a request names one; no part of the digest."""
    safe: SafeLeg | None = None
    """The safe leg that a request names; None for cash. No part of the digest."""

    def __post_init__(self) -> None:
        import numpy as np

        dates = np.array(self.dates, dtype="datetime64[D]")
        closes = np.array(self.closes, dtype=np.float64, order="C")
        if dates.ndim != 1 or closes.shape != (dates.size, len(self.assets)):
            raise ValueError(
                f"closes must have shape (T, N); got {closes.shape} for {dates.shape} dates "
                f"and {len(self.assets)} assets"
            )
        dates.setflags(write=False)
        closes.setflags(write=False)
        object.__setattr__(self, "dates", dates)
        object.__setattr__(self, "closes", closes)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of dates, assets and closes, independent of the file format."""
        content = hashlib.sha256(b"stratigos prices 1\n")
        content.update(struct.pack("<qq", len(self.dates), len(self.assets)))
        content.update(self.dates.astype("<i8").tobytes())
        for asset in self.assets:
            name = asset.encode()
            content.update(struct.pack("<q", len(name)) + name)
        content.update(self.closes.astype("<f8").tobytes())
        return content.hexdigest()

    def select(self, assets: Iterable[str]) -> Self:
        """The given assets in the order of this data set, so that the digest does not depend on the request's order."""
        selection = set(assets)
        columns = [i for i, asset in enumerate(self.assets) if asset in selection]
        missing = sorted(selection.difference(self.assets))
        if missing or not columns:
            raise InvalidInput(
                "universe",
                ",".join(missing),
                reason=f"{', '.join(missing) or 'nothing'} is not in {self.source}",
                allowed=", ".join(self.assets[:40]),
                code="unknown_asset",
            )
        return replace(
            self,
            assets=tuple(self.assets[i] for i in columns),
            closes=self.closes[:, columns],
            ranges=None if self.ranges is None else self.ranges.part(slice(None), columns),
        )

    def between(self, first: date | None, last: date | None) -> Self:
        """The sessions from `first` to `last`; a missing bound leaves that end as it is."""
        import numpy as np

        if first is None and last is None:
            return self
        start = 0 if first is None else int(np.searchsorted(self.dates, np.datetime64(first)))
        stop = len(self.dates) if last is None else int(np.searchsorted(self.dates, np.datetime64(last), side="right"))
        if stop - start < 2:
            raise InvalidInput(
                "first_day" if first is not None else "last_day",
                f"{first or self.dates[0]} to {last or self.dates[-1]}",
                allowed=f"days within the prices, {self.dates[0]} to {self.dates[-1]}",
            )
        rows = slice(start, stop)
        return replace(
            self,
            dates=self.dates[rows],
            closes=self.closes[rows],
            ranges=None if self.ranges is None else self.ranges.part(rows, slice(None)),
            safe=None if self.safe is None else replace(self.safe, levels=self.safe.levels[rows]),
            benchmark=None if self.benchmark is None else replace(self.benchmark, levels=self.benchmark.levels[rows]),
        )


def facts_of(prices: Prices) -> PriceFacts:
    """Facts of prices that `desk.optimization.inputs.market_data.build_market` accepts."""
    return PriceFacts(
        digest=prices.digest,
        assets=prices.assets,
        first=date.fromisoformat(str(prices.dates[0])),
        last=date.fromisoformat(str(prices.dates[-1])),
        sessions=len(prices.dates),
        training_volatility=_training_volatility(prices),
        currency=prices.currency,
    )


def _training_volatility(prices: Prices) -> float:
    import numpy as np

    returns = (prices.closes[1:] / prices.closes[:-1] - 1.0).mean(axis=1)
    return round(float(np.std(returns[: round(_TRAINING * returns.size)]) * DAYS**0.5), 4)


@dataclass(frozen=True, kw_only=True, eq=False)
class CashRates:
    """Return of a one-month Treasury bill over each month, known at its beginning."""

    months: "Dates"
    """datetime64[M], shape (M,)."""
    rates: "Floats"
    """Simple return over the month, as a fraction; shape (M,)."""
    source: str

    @cached_property
    def digest(self) -> str:
        content = hashlib.sha256(b"stratigos cash rates 1\n")
        content.update(struct.pack("<q", len(self.months)))
        content.update(self.months.astype("<i8").tobytes())
        content.update(self.rates.astype("<f8").tobytes())
        return content.hexdigest()


@runtime_checkable
class PriceSource(Protocol):
    """Port that loads prices.

    Adapters: `desk.market.bundled.BundledPrices`, `desk.market.files.price_file.PriceFile`,
    `desk.market.datasets.repository.OwnedPrices`.
    """

    async def universes(self) -> tuple[str, ...]:
        """The names that `load` accepts; `name:A,B` loads only the assets A and B."""
        ...

    async def facts(self, universe: str) -> PriceFacts | None:
        """Facts about an immutable universe without loading it; None if unknown."""
        ...

    async def load(self, universe: str) -> Prices:
        """Load a universe; raises `InvalidInput` if it does not exist or cannot be read."""
        ...

    async def load_index(self, universe: str) -> Prices:
        """Load a series of levels that need not be investable, such as a volatility index."""
        ...
