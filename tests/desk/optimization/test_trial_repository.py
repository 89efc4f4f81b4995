import numpy as np
import pytest

from desk.optimization.repositories.trial_repository import (
    load_all_series,
    load_series,
    load_trials,
    save_series,
    save_trials,
    series_address,
)
from store.embedded import open_store
from store.errors import Corrupted

pytestmark = pytest.mark.anyio


async def test_trials_come_back_whole_and_in_the_order_of_proposal(finished_search, tmp_path) -> None:
    async with open_store(tmp_path) as store:
        await save_trials(store, "anne", "r1", list(reversed(finished_search.saved)))
        assert await load_trials(store, "anne", "r1") == finished_search.trials
        for trial, series in finished_search.saved:
            np.testing.assert_array_equal(await load_series(store, "anne", trial.series, rows=2), series)


async def test_series_that_are_saved_together_share_a_file(finished_search, tmp_path) -> None:
    async with open_store(tmp_path) as store:
        await save_trials(store, "anne", "r1", finished_search.saved[:7])
        await save_trials(store, "anne", "r1", finished_search.saved[5:9])
        files = [path for path in (tmp_path / "blobs").rglob("*") if path.is_file()]
        assert len(files) == 2
        saved = {trial.series: series for trial, series in finished_search.saved[:9]}
        loaded = await load_all_series(store, "anne", saved, rows=2)
        assert {address: series.tobytes() for address, series in loaded.items()} == {
            address: series.tobytes() for address, series in saved.items()
        }


async def test_a_series_of_an_earlier_version_is_read(tmp_path) -> None:
    series = np.arange(10.0).reshape(2, 5)
    async with open_store(tmp_path) as store:
        await store.blobs.put(f"anne/series/{series_address(series)}", series.tobytes())
        np.testing.assert_array_equal(await load_series(store, "anne", series_address(series), rows=2), series)


async def test_a_series_that_is_not_the_one_of_its_address_is_refused(tmp_path) -> None:
    async with open_store(tmp_path) as store:
        await store.blobs.put(f"anne/series/{'0' * 64}", np.arange(4.0).tobytes())
        with pytest.raises(Corrupted, match="does not hold"):
            await load_series(store, "anne", "0" * 64, rows=2)


async def test_trials_of_another_owner_or_run_are_hidden(finished_search, tmp_path) -> None:
    async with open_store(tmp_path) as store:
        await save_trials(store, "anne", "r1", finished_search.saved[:3])
        await save_trials(store, "anne", "r11", finished_search.saved[3:5])
        await save_trials(store, "ben", "r1", finished_search.saved[5:6])
        assert await load_trials(store, "anne", "r1") == finished_search.trials[:3]
        assert await load_trials(store, "anne", "r11") == finished_search.trials[3:5]
        assert await load_trials(store, "ben", "r1") == finished_search.trials[5:6]
        assert await load_trials(store, "ben", "r11") == ()


async def test_more_trials_than_a_transaction_holds_are_all_stored(finished_search, tmp_path) -> None:
    trial, series = finished_search.saved[0]
    many = [(trial.model_copy(update={"number": n, "digest": f"{n:064d}"}), series) for n in range(205)]
    async with open_store(tmp_path) as store:
        await save_trials(store, "anne", "r1", many)
        assert [t.number for t in await load_trials(store, "anne", "r1")] == list(range(205))


async def test_the_address_of_a_series_is_its_content(tmp_path) -> None:
    series = np.arange(10.0).reshape(2, 5)
    async with open_store(tmp_path) as store:
        address = await save_series(store, "anne", series.T.copy().T)
    assert address == series_address(series)
    assert address != series_address(np.nextafter(series, 1e3))
