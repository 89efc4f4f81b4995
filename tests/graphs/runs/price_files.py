"""Bundled prices as uploaded files."""

import io

import numpy as np

from desk.market.bundled import BundledPrices


async def price_file(assets="AAPL,MSFT", *, since="1998-01-01", scale=1.0) -> bytes:
    """Bundled prices as a file; `scale` changes AAPL on the first thousand days."""
    prices = await BundledPrices().load(f"stocks:{assets}")
    rows = prices.dates >= np.datetime64(since)
    closes = prices.closes[rows].copy()
    closes[:1000, 0] *= scale
    file = io.StringIO()
    file.write("date," + ",".join(prices.assets) + "\n")
    for day, row in zip(prices.dates[rows], closes.tolist(), strict=True):
        file.write(f"{day}," + ",".join(map(repr, row)) + "\n")
    return file.getvalue().encode()
