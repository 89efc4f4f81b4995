"""Configurations that were tried on the same prices, each counted once."""

import asyncio
import hashlib
import json

import numpy as np
import pytest

from desk.optimization.repositories.ledger import (
    MAX_JUDGED_SERIES,
    MAX_STORED_SERIES,
    add_entries,
    count_evaluation,
    earlier_trials,
    evaluation_entries,
    ledger_entry,
    load_earlier_trials,
    load_ledger,
    save_ledger,
)
from desk.optimization.repositories.trial_repository import load_series
from desk.optimization.result import OptimizationResult
from quant.strategies.config import StrategyConfig
from quant.strategies.mandate import Mandate
from store.embedded import open_store
from tests.sample_result import sample_result

pytestmark = pytest.mark.anyio
DATA, OTHER_DATA = "d" * 64, "e" * 64
MANDATE = Mandate()
SERIES = np.arange(6.0).reshape(2, 3)


def config(days: int) -> StrategyConfig:
    return StrategyConfig(weight_function="inverse_vol", lookback_days=days)


def entry(days: int) -> str:
    return ledger_entry(MANDATE, config(days).digest())


async def test_a_configuration_counts_once_for_its_owner_mandate_and_prices(tmp_path):
    async with open_store(tmp_path) as store:
        for days in (20, 63, 20):
            await count_evaluation(store, "anne", DATA, MANDATE, config(days), SERIES)
        await count_evaluation(store, "ben", DATA, MANDATE, config(30), SERIES)
        await count_evaluation(store, "anne", OTHER_DATA, MANDATE, config(40), SERIES)
        tried = await evaluation_entries(store, "anne", DATA)
        assert tried.keys() == {entry(20), entry(63)}
        for address in tried.values():
            assert address is not None
            np.testing.assert_array_equal(await load_series(store, "anne", address, rows=2), SERIES)
        dear = MANDATE.model_copy(update={"transaction_cost_bps": 50.0})
        await count_evaluation(store, "anne", DATA, dear, config(20), SERIES)
        assert len(await evaluation_entries(store, "anne", DATA)) == 3


async def test_workers_that_count_at_once_lose_nothing(tmp_path):
    async with open_store(tmp_path) as one, open_store(tmp_path) as two:
        await asyncio.gather(
            *(count_evaluation(one, "anne", DATA, MANDATE, config(days), SERIES) for days in range(20, 35)),
            *(count_evaluation(two, "anne", DATA, MANDATE, config(days), SERIES) for days in range(25, 40)),
        )
        expected = {entry(days) for days in range(20, 40)}
        for store in (one, two):
            assert (await evaluation_entries(store, "anne", DATA)).keys() == expected


async def test_series_of_evaluations_are_bounded_and_their_count_is_not(tmp_path):
    async with open_store(tmp_path) as store:
        for n in range(MAX_STORED_SERIES + 2):
            band = StrategyConfig(weight_function="inverse_vol", lookback_days=63, no_trade_band=n / 10_000)
            await count_evaluation(store, "anne", DATA, MANDATE, band, SERIES)
        tried = await evaluation_entries(store, "anne", DATA)
    assert len(tried) == MAX_STORED_SERIES + 2
    assert sum(address is None for address in tried.values()) == 2


def test_entries_are_the_same_in_any_order_of_their_sources():
    sources = [{"a": None, "b": "2"}, {"a": "1"}, {"b": "1", "c": None}]
    unions = []
    for order in (sources, sources[::-1]):
        entries = {}
        for source in order:
            add_entries(entries, source)
        unions.append(entries)
    assert unions[0] == unions[1] == {"a": "1", "b": "1", "c": None}


def test_own_trials_are_not_earlier_ones():
    entries = {entry(20): "1", entry(30): "2", entry(40): None}
    earlier = earlier_trials(entries, MANDATE, [config(20).digest(), config(50).digest()])
    assert earlier.entries == {entry(30): "2", entry(40): None}
    assert (earlier.series, earlier.uncovered) == (("2",), 1)
    assert earlier_trials(earlier.entries, MANDATE, [config(20).digest(), config(50).digest()]) == earlier


def test_a_judgement_reads_a_bounded_number_of_series():
    entries = {f"m.{n:016x}": f"{n // 2:064x}" for n in range(MAX_JUDGED_SERIES + 100)}  # pairs with equal series
    earlier = earlier_trials(entries, MANDATE, ())
    assert (len(earlier.entries), len(earlier.series), earlier.uncovered) == (len(entries), MAX_JUDGED_SERIES, 100)
    few = earlier_trials(dict(list(entries.items())[:4]), MANDATE, ())
    assert (len(few.series), few.uncovered) == (4, 0)


async def test_a_stored_ledger_reads_back_and_one_without_series_does_too(tmp_path):
    entries = {entry(20): "1" * 64, entry(30): None}
    async with open_store(tmp_path) as store:
        assert await load_ledger(store, "anne", await save_ledger(store, "anne", entries)) == entries
        assert await load_ledger(store, "anne", await save_ledger(store, "anne", {})) == {}
        content = "\n".join(sorted(entries)).encode()  # as versions without series stored it
        address = hashlib.sha256(content).hexdigest()
        await store.blobs.put(f"anne/ledger/{address}", content)
        earlier = await load_earlier_trials(store, "anne", address, MANDATE, [config(20).digest()])
        assert (earlier.entries, earlier.series, earlier.uncovered) == ({entry(30): None}, (), 1)


def test_a_result_of_an_earlier_version_opens_and_keeps_its_digest():
    document = json.loads(sample_result().model_dump_json())
    assert "ledger" not in document["manifest"]
    digested = document | {"usage": []}
    digested["manifest"] = document["manifest"] | {"request": document["manifest"]["request"] | {"prices_file": None}}
    canonical = json.dumps(digested, sort_keys=True, separators=(",", ":"))
    opened = OptimizationResult.model_validate(document)
    assert opened.manifest.ledger is None
    assert opened.digest() == hashlib.sha256(canonical.encode()).hexdigest()
