"""Loads prices from a user's file of any format that imports accept."""

import asyncio
from pathlib import Path

from desk.base.errors import InvalidInput
from desk.market.bars import ranges_of
from desk.market.files.bars_parser import parse_bars
from desk.market.files.tables import MAX_BYTES, Table, count_noun, escape_unprintable
from desk.market.price_facts import PriceFacts
from desk.market.prices import Prices
from desk.market.universe import split_universe


class PriceFile:
    """A file of daily closes, read as `desk.market.files.bars_parser` does for imports, without holes.

    The universe `file` contains all assets; `file:A,B` or `A,B` contain some of them. A file of one asset without a
    name is named by `symbol`, or by the file's name. A file with `rates` may hold values that are not positive, which
    the gates find in prices.
    """

    def __init__(
        self,
        path: Path | str,
        *,
        price_index: bool = False,
        symbol: str | None = None,
        currency: str = "USD",
        rates: bool = False,
    ) -> None:
        self._path = Path(path)
        self._price_index = price_index
        self._symbol = symbol
        self._currency = currency
        self._rates = rates

    async def universes(self) -> tuple[str, ...]:
        prices = await self.load("file")
        return ("file", *prices.assets)

    async def facts(self, universe: str) -> PriceFacts | None:  # noqa: ARG002
        return None  # the file may change at any time

    async def load(self, universe: str) -> Prices:
        name, assets = split_universe(universe if ":" in universe else f"file:{universe}")
        if name != "file":
            raise InvalidInput(
                "universe",
                universe,
                allowed="file, or assets of the file, as file:A,B",
                code="unknown_universe",
            )
        prices = await asyncio.to_thread(self._read)
        return prices if assets == ("file",) else prices.select(assets)

    async def load_index(self, universe: str) -> Prices:
        return await self.load(universe)

    def _read(self) -> Prices:
        name = escape_unprintable(self._path.name or str(self._path))
        content = read_bytes(self._path, name)
        parsed = parse_bars(content, name=name, symbol=self._symbol or symbol_of(name), positive=not self._rates)
        if parsed.faults:
            raise parsed.faults[0]
        bars = parsed.bars
        if len(bars.dates) < 2:
            raise Table(name, [], ()).error(
                f"has {count_noun(len(bars.dates), 'date')} of prices",
                allowed="at least two dates: one price has no return",
                code="too_short",
            )
        dividends = "without dividends" if self._price_index else "taken as including dividends"
        return Prices(
            dates=bars.dates,
            assets=bars.assets,
            closes=bars.closes,
            price_index=self._price_index,
            survivors=False,
            source=f"file {name}",
            notes=(f"prices of the file {name}, {dividends}, as its owner states",),
            currency=self._currency,
            ranges=ranges_of(bars),
        )


def symbol_of(name: str) -> str:
    """The name of an asset from the name of its file, without extensions."""
    stem = name.partition(".")[0] if not name.startswith(".") else name.strip(".")
    return stem.replace(",", " ").replace(":", " ")[:64]


def read_bytes(path: Path, name: str) -> bytes:
    """The content of a file; raises `InvalidInput`, which names it `name`, for one that cannot be read."""
    bare = Table(name, [], ())
    allowed = "the path of a CSV, Excel, Parquet or JSON file"
    try:
        if not path.exists():
            raise bare.error("there is no such file", allowed=allowed, code="file_missing")
        if not path.is_file():
            raise bare.error("is not a regular file", allowed=allowed, code="file_unreadable")
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise bare.error(f"holds {size:,} bytes", allowed=f"at most {MAX_BYTES:,}", code="file_too_large")
        return path.read_bytes()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise bare.error(f"cannot be read: {reason}", allowed=allowed, code="file_unreadable") from error
