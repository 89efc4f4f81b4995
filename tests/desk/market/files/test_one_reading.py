"""`--prices` and imports read the same file alike, or both refuse it."""

from pathlib import Path

import pytest

from desk.base.errors import InvalidInput
from desk.market.datasets.ingestion import import_file
from desk.market.datasets.repository import read_bars
from desk.market.datasets.schemas import Terms
from desk.market.files.price_file import PriceFile
from store.embedded import open_store
from tests.desk.market.files.price_samples import REFUSED, SAMPLES, Expected, content_of, expected

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("name", SAMPLES)
async def test_a_price_file_and_an_import_give_the_same_closes(tmp_path: Path, home: Path, name: str) -> None:
    path = tmp_path / "mine.data"
    path.write_bytes(content_of(SAMPLES[name]))
    prices = await PriceFile(path).load("file")
    days = tuple(str(day) for day in prices.dates)
    assert Expected(prices.assets, days, prices.closes.tolist()) == expected(name, "mine")
    async with open_store(home) as store:
        report = await import_file(store, "ann", "mydata", path.read_bytes(), Terms(symbol="mine"), commit=True)
        bars = await read_bars(store, "ann", report.version)
    assert (bars.assets, tuple(str(day) for day in bars.dates)) == (prices.assets, days)
    assert bars.closes.tobytes() == prices.closes.tobytes()


@pytest.mark.parametrize("name", REFUSED)
async def test_a_price_file_and_an_import_refuse_the_same_files(tmp_path: Path, home: Path, name: str) -> None:
    sample, reasons = REFUSED[name]
    path = tmp_path / "mine.data"
    path.write_bytes(content_of(sample))
    with pytest.raises(InvalidInput) as of_file:
        await PriceFile(path).load("file")
    async with open_store(home) as store:
        with pytest.raises(InvalidInput) as of_import:
            await import_file(store, "ann", "mydata", path.read_bytes(), Terms(calendar="none"), commit=True)
    for error in (of_file.value, of_import.value):
        assert any(reason in str(error) for reason in reasons.split("|"))
        assert error.allowed


async def test_the_symbol_or_the_name_of_the_file_names_an_asset_without_a_name(tmp_path: Path) -> None:
    path = tmp_path / "ACME.csv.gz"
    path.write_bytes(content_of(SAMPLES["one asset with bars"]))
    assert (await PriceFile(path).load("file")).assets == ("ACME",)
    assert (await PriceFile(path, symbol="ACM").load("file")).assets == ("ACM",)


def test_the_samples_cover_the_formats() -> None:
    assert len(SAMPLES) >= 60
    assert len(REFUSED) >= 30
