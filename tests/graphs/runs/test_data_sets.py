"""Runs on an owner's own data."""

import pytest

from desk.base.errors import InvalidInput
from desk.market.datasets.ingestion import import_file
from desk.market.datasets.markers import all_markers, mark
from desk.market.datasets.repository import PIN
from desk.market.datasets.schemas import NewMarker, Terms
from desk.market.datasets.version_changes import read_stale
from desk.optimization.inputs.market_data import load_market
from desk.optimization.request import CURRENT_RULE
from desk.portfolios.holdings import load_assets
from desk.runs.repository import load_final_result, load_run
from desk.strategies.evaluation import evaluate_strategy, run_evaluation
from desk.strategies.templates import Rule
from graphs.jobs.execution import execute
from graphs.jobs.reproduction import reproduce
from graphs.runs.creation import create_run
from quant.strategies.mandate import Mandate
from tests.graphs.runs.price_files import price_file

pytestmark = pytest.mark.anyio
OWNER = "local"


async def done(dependencies, run):
    async for _ in execute(dependencies, OWNER, run):
        pass
    return await load_run(dependencies.store, OWNER, run)


async def test_a_run_keeps_the_version_that_it_began_with(home, opened, small):
    async with opened(home) as dependencies:
        file = await price_file(since="2010-01-01")
        first = await import_file(dependencies.store, OWNER, "mydata", file, Terms(), commit=True)
        of_all_days = small(universe="mydata:AAPL", first_day=None)
        run = await done(dependencies, await create_run(dependencies, OWNER, of_all_days))
        other = await create_run(dependencies, OWNER, small(universe="mydata:MSFT"))
        assert run.request.universe == f"mydata@{first.version.hash[:PIN]}:AAPL"

        again = await price_file(since="2010-01-01", scale=1.01)
        dry = await import_file(dependencies.store, OWNER, "mydata", again, Terms(), commit=False)
        assert dry.version.changes.stale_runs == (run.id,)
        assert await read_stale(dependencies.store, OWNER, run.id) is None
        second = await import_file(dependencies.store, OWNER, "mydata", again, Terms(), commit=True)

        stale = await read_stale(dependencies.store, OWNER, run.id)
        assert stale is not None
        assert (stale.dataset, stale.version) == ("mydata", second.version.hash)
        assert await read_stale(dependencies.store, OWNER, other) is None
        result = await load_final_result(dependencies.store, OWNER, run.id)
        assert result is not None
        assert f"data set mydata@{first.version.hash[:PIN]}" in result.manifest.data_source
        assert (await reproduce(dependencies, OWNER, run.id)).digest() == result.digest()
        later = await load_run(dependencies.store, OWNER, await create_run(dependencies, OWNER, of_all_days))
        assert later.request.universe == f"mydata@{second.version.hash[:PIN]}:AAPL"
        assert later.data_digest != run.data_digest


async def test_accepted_defects_appear_in_every_result(home, opened):
    content = (await price_file("AAPL")).replace(b"2003-03-03", b"2003-03-02")  # a Sunday
    terms = Terms(accept={"closed_days": "the source stamps it so", "missing_sessions": "see above"})
    async with opened(home) as dependencies:
        await import_file(dependencies.store, OWNER, "mydata", content, terms, commit=True)
        evaluation = await evaluate_strategy(
            dependencies.store,
            OWNER,
            dependencies.prices_of(OWNER),
            Rule(config=CURRENT_RULE, mandate=Mandate()),
            universe="mydata",
        )
    assert any(caveat.endswith("accepted: the source stamps it so") for caveat in evaluation.caveats)


async def test_tools_find_own_and_bundled_assets(home, opened):
    content = (await price_file("AAPL,MSFT")).replace(b"AAPL", b"OWN1").replace(b"MSFT", b"OWN2")
    async with opened(home) as dependencies:
        await import_file(dependencies.store, OWNER, "mydata", content, Terms(), commit=True)
        prices = dependencies.prices_of(OWNER)
        assets = await load_assets(prices, ["OWN2", "AAPL"])
        assert assets.universes == ("mydata", "stocks")
        await import_file(dependencies.store, OWNER, "a-in-euros", content, Terms(currency="EUR"), commit=True)
        with pytest.raises(InvalidInput, match="prices in EUR and USD do not mix"):
            await load_assets(prices, ["OWN1", "AAPL"])
        with pytest.raises(InvalidInput, match="there are no prices of OWN1"):
            await load_assets(dependencies.prices_of("somebody"), ["OWN1"])


async def test_no_new_run_uses_what_is_marked_as_bad(home, opened, small):
    async with opened(home) as dependencies:
        await import_file(dependencies.store, OWNER, "mydata", await price_file(), Terms(), commit=True)
        earlier = await create_run(dependencies, OWNER, small(universe="mydata"))
        new = NewMarker.model_validate(
            {"symbol": "AAPL", "reason": "a wrong tick", "start": "2003-03-03", "end": "2003-03-04"}
        )
        marked_runs = await mark(dependencies.store, OWNER, new, dependencies.now())
        request = (await load_run(dependencies.store, OWNER, earlier)).request
        for universe in ("mydata", "mydata:AAPL", "stocks:AAPL,MSFT", request.universe):
            with pytest.raises(InvalidInput, match=r"AAPL from 2003-03-03 to 2003-03-04 is marked as bad data"):
                await create_run(dependencies, OWNER, small(universe=universe))
        await create_run(dependencies, OWNER, small(universe="mydata:MSFT"))
        await create_run(dependencies, "somebody", small(universe="stocks:AAPL,MSFT"))
        assert (await load_market(dependencies.prices_of(OWNER), request)).assets == ("AAPL", "MSFT")

        short = await price_file("AAPL,MSFT", since="2004-01-01")
        report = await import_file(dependencies.store, OWNER, "mydata", short, Terms(), commit=True)
        assert report.markers_cleared == ()
        report = await import_file(
            dependencies.store, OWNER, "mydata", await price_file(scale=1.001), Terms(), commit=True
        )
        assert report.markers_cleared == (marked_runs.id,)
        assert await all_markers(dependencies.store, OWNER, dependencies.now()) == []
        await create_run(dependencies, OWNER, small(universe="mydata"))


async def test_a_bad_day_outside_the_data_has_no_effect(home, opened, small):
    async with opened(home) as dependencies:
        await import_file(dependencies.store, OWNER, "mydata", await price_file(), Terms(), commit=True)
        new = NewMarker.model_validate({"symbol": "AAPL", "reason": "a wrong tick", "end": "1997-01-01"})
        await mark(dependencies.store, OWNER, new, dependencies.now())
        await create_run(dependencies, OWNER, small(universe="mydata"))


async def test_euros_need_cash_in_euros(home, opened, small):
    content = await price_file("AAPL,MSFT")
    days = [line.split(b",")[0] for line in content.splitlines()[1:]]
    rates = b"date,ESTR\n" + b"".join(day + b",%.2f\n" % (2.0 - n / 1000.0) for n, day in enumerate(days))
    async with opened(home) as dependencies:
        await import_file(dependencies.store, OWNER, "euros", content, Terms(currency="EUR"), commit=True)
        curve = Terms(kind="curve", currency="EUR", calendar="none")
        await import_file(dependencies.store, OWNER, "rates", rates, curve, commit=True)
        with pytest.raises(InvalidInput, match="the prices are in EUR, and the US Treasury bill is in USD"):
            await create_run(dependencies, OWNER, small(universe="euros"))
        run = await create_run(dependencies, OWNER, small(universe="euros", cash="rates", cash_day_count=365))
        request = (await load_run(dependencies.store, OWNER, run)).request
        assert request.cash.startswith("rates@")
        market = await load_market(dependencies.prices_of(OWNER), request)
        assert (market.currency, bool((market.cash < 0.0).any())) == ("EUR", True)
        with pytest.raises(InvalidInput, match="the prices are in EUR"):  # facts of usable prices are stored by now
            await create_run(dependencies, OWNER, small(universe="euros"))
        evaluation = await run_evaluation(
            dependencies.prices_of(OWNER), Rule(config=CURRENT_RULE, mandate=Mandate()), universe="euros", cash="0.01"
        )
        assert any("a constant 1.00% a year" in caveat for caveat in evaluation.evaluation.caveats)
