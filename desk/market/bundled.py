"""The bundled prices and cash rate; see data/PROVENANCE.md.

numpy and pyarrow are imported when prices are loaded, so that routes that need only facts start fast.
"""

import asyncio
import csv
import json
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

from desk.base.errors import InvalidInput
from desk.market.price_facts import PriceFacts
from desk.market.prices import CashRates, Prices
from desk.market.universe import split_universe

DATA = Path(__file__).parent / "data"

_INDEX_NOTES = ("S&P 500, 1990-01-02 to 2022-12-28: two falls of more than 45 percent, and no great inflation",)
_STOCK_NOTES = (
    "twenty S&P 500 stocks, adjusted for splits and dividends by the source, with hindsight",
    "rounded to a tenth of a cent: up to half a percent of the early prices of AAPL and BBY",
    "RRC before 1994 is hardly a market price: 69 equal closes, then exactly a third",
)


class BundledPrices:
    """Universes `sp500` (the index) and `stocks` (twenty stocks), daily, 1990 to 2022."""

    async def universes(self) -> tuple[str, ...]:
        return ("sp500", "stocks")

    async def facts(self, universe: str) -> PriceFacts | None:
        return _facts().get(universe.strip())

    async def load(self, universe: str) -> Prices:
        name, assets = split_universe(universe)
        if name not in await self.universes():
            raise InvalidInput(
                "universe",
                universe,
                allowed="sp500, stocks, or some of the stocks, as stocks:AAPL,MSFT",
                code="unknown_universe",
            )
        prices = await asyncio.to_thread(_read, name)
        return prices.select(assets) if assets else prices

    async def load_index(self, universe: str) -> Prices:
        return await self.load(universe)


@cache
def _facts() -> dict[str, PriceFacts]:
    document = json.loads((DATA / "price_facts.json").read_text(encoding="utf-8"))
    return {universe: PriceFacts.model_validate(facts | {"currency": "USD"}) for universe, facts in document.items()}


def _read(name: str) -> Prices:
    import numpy as np

    parquet: Any = import_module("pyarrow.parquet")  # without type hints
    stocks = name == "stocks"
    # `read_table` would import pyarrow.dataset, which a single file does not need
    with parquet.ParquetFile(DATA / f"sp500_{'stocks' if stocks else 'index'}.parquet") as file:
        table: Any = file.read()
    names: list[str] = table.column_names
    assets = tuple(name for name in names if name != "date")
    return Prices(
        dates=table["date"].to_numpy().astype("datetime64[D]"),
        assets=assets,
        closes=np.column_stack([table[asset].to_numpy() for asset in assets]),
        price_index=not stocks,
        survivors=stocks,
        source="twenty S&P 500 stocks, bundled (skfolio 1.12.0)"
        if stocks
        else "S&P 500 index, bundled (skfolio 1.12.0)",
        notes=_STOCK_NOTES if stocks else _INDEX_NOTES,
    )


@cache
def cash_rates() -> CashRates:
    """The one-month Treasury bill, July 1926 to November 2018, from Kenneth French's factors."""
    import numpy as np

    with (DATA / "cash_rate.csv").open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    return CashRates(
        months=np.array([row["month"] for row in rows], dtype="datetime64[M]"),
        rates=np.array([float(row["rate_percent"]) for row in rows]) / 100.0,
        source="one-month Treasury bill, Kenneth French's data library, bundled (arch 8.0.0)",
    )
