"""Runs on an owner's own data."""

import io

import numpy as np
import pytest

from graphs.run_book import result_of, run_of
from graphs.runs import create_run, execute, reproduce
from quant.strategy import Mandate
from tools.arrivals import import_file
from tools.bundled import BundledPrices
from tools.changes import stale
from tools.dataset_words import NewMarker, Terms
from tools.datasets import PIN
from tools.errors import InvalidInput
from tools.holdings import load_assets
from tools.markers import mark, markers
from tools.market import load_market
from tools.optimization import CURRENT_RULE
from tools.quick import evaluate_strategy
from tools.strategies import Rule

pytestmark = pytest.mark.anyio
OWNER = "local"


async def file_of(assets="AAPL,MSFT", *, since="1998-01-01", scale=1.0) -> bytes:
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


async def done(desk, run):
    async for _ in execute(desk, OWNER, run):
        pass
    return await run_of(desk.store, OWNER, run)


async def test_a_run_keeps_the_version_that_it_began_with(home, opened, small):
    async with opened(home) as desk:
        first = await import_file(desk.store, OWNER, "mydata", await file_of(), Terms(), commit=True)
        run = await done(desk, await create_run(desk, OWNER, small(universe="mydata:AAPL")))
        other = await create_run(desk, OWNER, small(universe="mydata:MSFT"))
        assert run.request.universe == f"mydata@{first.version.hash[:PIN]}:AAPL"

        again = await file_of(scale=1.01)
        dry = await import_file(desk.store, OWNER, "mydata", again, Terms(), commit=False)
        assert dry.version.changes.stale_runs == (run.id,)
        assert await stale(desk.store, OWNER, run.id) is None
        second = await import_file(desk.store, OWNER, "mydata", again, Terms(), commit=True)

        found = await stale(desk.store, OWNER, run.id)
        assert found is not None
        assert (found.dataset, found.version) == ("mydata", second.version.hash)
        assert await stale(desk.store, OWNER, other) is None
        result = await result_of(desk.store, OWNER, run.id)
        assert result is not None
        assert f"data set mydata@{first.version.hash[:PIN]}" in result.manifest.data_source
        assert (await reproduce(desk, OWNER, run.id)).digest() == result.digest()
        later = await run_of(desk.store, OWNER, await create_run(desk, OWNER, small(universe="mydata:AAPL")))
        assert later.request.universe == f"mydata@{second.version.hash[:PIN]}:AAPL"
        assert later.data_digest != run.data_digest


async def test_what_was_accepted_is_said_with_every_result(home, opened):
    content = (await file_of("AAPL")).replace(b"2003-03-03", b"2003-03-02")  # a Sunday
    terms = Terms(accept={"closed_days": "the source stamps it so", "missing_sessions": "see above"})
    async with opened(home) as desk:
        await import_file(desk.store, OWNER, "mydata", content, terms, commit=True)
        found = await evaluate_strategy(
            desk.prices_of(OWNER), Rule(config=CURRENT_RULE, mandate=Mandate()), universe="mydata"
        )
    assert any(caveat.endswith("accepted: the source stamps it so") for caveat in found.caveats)


async def test_tools_find_own_assets_beside_the_bundled_ones(home, opened):
    content = (await file_of("AAPL,MSFT")).replace(b"AAPL", b"OWN1").replace(b"MSFT", b"OWN2")
    async with opened(home) as desk:
        await import_file(desk.store, OWNER, "mydata", content, Terms(), commit=True)
        prices = desk.prices_of(OWNER)
        assets = await load_assets(prices, ["OWN2", "AAPL"])
        assert assets.universes == ("mydata", "stocks")
        await import_file(desk.store, OWNER, "a-in-euros", content, Terms(currency="EUR"), commit=True)
        with pytest.raises(InvalidInput, match="prices in EUR and USD do not mix"):
            await load_assets(prices, ["OWN1", "AAPL"])
        with pytest.raises(InvalidInput, match="there are no prices of OWN1"):
            await load_assets(desk.prices_of("somebody"), ["OWN1"])


async def test_no_new_run_uses_what_is_marked_as_bad(home, opened, small):
    async with opened(home) as desk:
        await import_file(desk.store, OWNER, "mydata", await file_of(), Terms(), commit=True)
        earlier = await create_run(desk, OWNER, small(universe="mydata"))
        new = NewMarker.model_validate(
            {"symbol": "AAPL", "reason": "a wrong tick", "start": "2003-03-03", "end": "2003-03-04"}
        )
        made = await mark(desk.store, OWNER, new, desk.now())
        begun = (await run_of(desk.store, OWNER, earlier)).request
        for universe in ("mydata", "mydata:AAPL", "stocks:AAPL,MSFT", begun.universe):
            with pytest.raises(InvalidInput, match=r"AAPL from 2003-03-03 to 2003-03-04 is marked as bad data"):
                await create_run(desk, OWNER, small(universe=universe))
        await create_run(desk, OWNER, small(universe="mydata:MSFT"))
        await create_run(desk, "somebody", small(universe="stocks:AAPL,MSFT"))
        assert (await load_market(desk.prices_of(OWNER), begun)).assets == ("AAPL", "MSFT")

        short = await file_of("AAPL,MSFT", since="2004-01-01")
        report = await import_file(desk.store, OWNER, "mydata", short, Terms(), commit=True)
        assert report.markers_cleared == ()
        report = await import_file(desk.store, OWNER, "mydata", await file_of(scale=1.001), Terms(), commit=True)
        assert report.markers_cleared == (made.id,)
        assert await markers(desk.store, OWNER, desk.now()) == []
        await create_run(desk, OWNER, small(universe="mydata"))


async def test_a_bad_day_outside_of_the_data_stops_nothing(home, opened, small):
    async with opened(home) as desk:
        await import_file(desk.store, OWNER, "mydata", await file_of(), Terms(), commit=True)
        new = NewMarker.model_validate({"symbol": "AAPL", "reason": "a wrong tick", "end": "1997-01-01"})
        await mark(desk.store, OWNER, new, desk.now())
        await create_run(desk, OWNER, small(universe="mydata"))
