"""Creating runs loads the prices once, when nothing about them is cached."""

from dataclasses import dataclass, field, replace

import pytest

from desk.base.errors import InvalidInput
from desk.market.bundled import BundledPrices
from desk.market.datasets.ingestion import import_file
from desk.market.datasets.markers import mark
from desk.market.datasets.repository import PIN, OwnedPrices, blob_key
from desk.market.datasets.schemas import NewMarker, Terms
from desk.market.prices import Prices, facts_of
from graphs.runs.creation import new_run
from store.errors import Missing
from tests.graphs.runs.price_files import price_file

pytestmark = pytest.mark.anyio
OWNER = "local"
SINCE = "2010-01-01"


@dataclass
class Counted(BundledPrices):
    loaded: list[str] = field(default_factory=list[str])

    async def load(self, universe: str) -> Prices:
        self.loaded.append(universe)
        return await super().load(universe)


async def test_bundled_prices_are_loaded_once_for_a_choice_of_them_and_never_whole(home, opened, small):
    prices = Counted()
    async with opened(home) as usual:
        dependencies = replace(usual, prices=prices)
        runs = [
            await new_run(dependencies, OWNER, small(universe=universe, first_day=None))
            for universe in ("sp500", "stocks", "stocks:MSFT,AAPL", "stocks:AAPL,MSFT", "stocks:AAPL")
        ]
        assert prices.loaded == ["stocks:MSFT,AAPL", "stocks:AAPL"]
        for run in runs:
            assert run.data_digest == (await dependencies.prices.load(run.request.universe)).digest
            assert bool(run.request.space.inner) == (run.request.universe not in ("sp500", "stocks:AAPL"))
        await new_run(
            dependencies, "another", small(universe="stocks:AAPL")
        )  # cached properties are not shared between owners
        assert prices.loaded[-1] == "stocks:AAPL"


async def test_a_data_set_is_not_read_for_a_run_on_all_of_it(home, opened, small):
    async with opened(home) as dependencies:
        version = await import_file(
            dependencies.store, OWNER, "mydata", await price_file(since=SINCE), Terms(), commit=True
        )
        own = dependencies.prices_of(OWNER)
        assert await own.facts("mydata") == facts_of(await own.load("mydata"))
        part = await new_run(dependencies, OWNER, small(universe="mydata:MSFT", first_day=None))
        await dependencies.store.blobs.delete(blob_key(OWNER, version.version.hash))
        with pytest.raises(Missing):
            await own.load("mydata")
        run = await new_run(dependencies, OWNER, small(universe="mydata", first_day=None))
        again = await new_run(dependencies, OWNER, small(universe="mydata:MSFT", first_day=None))
        assert run.request.universe == f"mydata@{version.version.hash[:PIN]}"
        assert (run.data_digest, again.data_digest) == (version.version.prices_digest, part.data_digest)


async def test_a_new_version_is_checked_again_and_a_mark_still_applies(home, opened, small):
    async with opened(home) as dependencies:
        await import_file(dependencies.store, OWNER, "mydata", await price_file(since=SINCE), Terms(), commit=True)
        before = await new_run(dependencies, OWNER, small(universe="mydata:AAPL", first_day=None))
        await import_file(
            dependencies.store, OWNER, "mydata", await price_file(since=SINCE, scale=1.01), Terms(), commit=True
        )
        after = await new_run(dependencies, OWNER, small(universe="mydata:AAPL", first_day=None))
        assert after.data_digest != before.data_digest
        assert await dependencies.prices_of(OWNER).facts("mydata:AAPL") == facts_of(
            await dependencies.prices_of(OWNER).load("mydata:AAPL")
        )
        await mark(dependencies.store, OWNER, NewMarker(symbol="AAPL", reason="a wrong tick"), dependencies.now())
        for universe in ("mydata:AAPL", "mydata", "stocks:AAPL", "stocks"):
            with pytest.raises(InvalidInput, match="AAPL is marked as bad data"):
                await new_run(dependencies, OWNER, small(universe=universe, first_day=None))
        assert (await new_run(dependencies, OWNER, small(universe="mydata:MSFT", first_day=None))).data_digest


async def test_a_bond_of_a_data_set_keeps_its_version_and_its_mark(home, opened, small):
    """Facts about the universe alone are not those of the sessions that it shares with a bond."""
    async with opened(home) as dependencies:
        for name in ("mydata", "bonds"):
            await import_file(dependencies.store, OWNER, name, await price_file(since=SINCE), Terms(), commit=True)
        own = dependencies.prices_of(OWNER)
        alone = await new_run(dependencies, OWNER, small(universe="mydata:AAPL"))
        facts = await own.facts("mydata:AAPL")
        for safe in ("MSFT", "bonds:MSFT"):
            run = await new_run(
                dependencies, OWNER, small(universe="mydata:AAPL", safe=safe, goal="robust_utility")
            )  # no mix with so volatile a bond has the default target
            assert run.request.safe == (safe if safe == "MSFT" else await own.at_version(safe))
            assert run.data_digest != alone.data_digest
            assert await own.facts("mydata:AAPL") == facts
        await mark(dependencies.store, OWNER, NewMarker(symbol="MSFT", reason="a wrong tick"), dependencies.now())
        for safe in ("MSFT", "bonds:MSFT"):
            with pytest.raises(InvalidInput, match="MSFT is marked as bad data"):
                await new_run(dependencies, OWNER, small(universe="mydata:AAPL", safe=safe))


async def test_prices_that_cannot_be_used_are_refused_each_time(home, opened, small):
    async with opened(home) as dependencies:
        short = await price_file(since="2018-01-01")
        await import_file(dependencies.store, OWNER, "mydata", short, Terms(), commit=True)
        for universe in ("mydata", "mydata:AAPL"):
            reasons = set()
            for _ in range(2):
                with pytest.raises(InvalidInput) as error:
                    await new_run(dependencies, OWNER, small(universe=universe, first_day=None))
                reasons.add(str(error.value))
            assert len(reasons) == 1
        assert await OwnedPrices(dependencies.store, OWNER, BundledPrices()).facts("mydata:AAPL") is None
