"""The ledger: every configuration that was tried on the same prices.

A trial of a search counts, and an evaluation of one configuration, from any caller. The same configuration under
the same mandate counts once. Benchmarks, the current rule and the neighbours of finalists do not count, since no search
may choose them. Trials are counted from their own records (`desk.runs.earlier_trials`), evaluations from records here.

`scope` is whose trials count together: an owner, and the place of a team. The ledger of a run is a stored file, fixed
when the run is created; the manifest of its result refers to the part that its own trials do not cover.
"""

import hashlib
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from desk.optimization.repositories.trial_repository import KIND as TRIAL
from desk.optimization.repositories.trial_repository import save_series
from desk.optimization.result import LedgerReference, OptimizationResult
from quant.numeric.frozen import digest_of
from quant.strategies.mandate import Mandate
from store.errors import Conflict
from store.records import Key, iterate_records
from store.store import Store

if TYPE_CHECKING:
    from quant.numeric.arrays import Floats
    from quant.strategies.config import StrategyConfig

Entries: TypeAlias = dict[str, str | None]
"""Configurations, each with the address of its historical series; None where none is stored."""

PIPELINE = "pipeline"
"""Record kind of finished pipelines, which are not runs."""
EVALUATED = "evaluated"
"""Record kind of evaluated configurations."""
DIGEST_LENGTH = 16
"""Hexadecimal digits per digest; enough to distinguish a million strategies."""
MAX_STORED_SERIES = 500
"""Evaluated configurations whose series is stored, for each owner and data set: 0.1 MB each."""
MAX_JUDGED_SERIES = 500
"""Earlier series that enter one judgement, whose memory grows by 0.4 MB with each."""


def ledger_entry(mandate: Mandate, digest: str) -> str:
    """Return the ledger entry of a configuration under `mandate`."""
    return f"{digest_of(mandate)[:DIGEST_LENGTH]}.{digest[:DIGEST_LENGTH]}"


def add_entries(entries: Entries, more: Mapping[str, str | None]) -> None:
    """Add `more` to `entries`, with the same outcome in any order: of several series, the first by address remains."""
    for entry, series in more.items():
        entries[entry] = min(filter(None, (series, entries.get(entry))), default=None)


@dataclass(frozen=True)
class EarlierTrials:
    """The configurations that were tried on the same prices before a run, apart from its own trials."""

    entries: Entries
    series: tuple[str, ...]
    """Addresses for `load_series(..., rows=2)`, at most `MAX_JUDGED_SERIES`, chosen without regard to their content.

    Configurations whose series are equal have one address each.

    A series is float64 (2, T): excess return and risky weight. Its last day is the last of validation; its first one
    depends on the warm-up of its request, so that T differs between requests.
    """

    @property
    def uncovered(self) -> int:
        """Number of configurations without one of `series`."""
        return len(self.entries) - len(self.series)


def earlier_trials(entries: Mapping[str, str | None], mandate: Mandate, digests: Iterable[str]) -> EarlierTrials:
    """The earlier trials of a run with the trials `digests` under `mandate`; `entries` is its whole ledger."""
    own = {ledger_entry(mandate, digest) for digest in digests}
    others = {entry: entries[entry] for entry in sorted(entries.keys() - own)}
    # an address is a digest of its content, so that its order is as good as random
    series = sorted(address for address in others.values() if address is not None)[:MAX_JUDGED_SERIES]
    return EarlierTrials(others, tuple(series))


async def load_earlier_trials(
    store: Store, scope: str, address: str, mandate: Mandate, digests: Iterable[str]
) -> EarlierTrials:
    """The earlier trials of a run whose ledger is stored at `address`; see `earlier_trials`."""
    return earlier_trials(await load_ledger(store, scope, address), mandate, digests)


def with_ledger(result: OptimizationResult, earlier: EarlierTrials) -> OptimizationResult:
    """The result whose manifest refers to the earlier trials; unchanged if there are none."""
    if not earlier.entries:
        return result
    reference = LedgerReference(address=_address(format_entries(earlier.entries)), configurations=len(earlier.entries))
    return result.model_copy(update={"manifest": result.manifest.model_copy(update={"ledger": reference})})


async def count_evaluation(
    store: Store, scope: str, data_digest: str, mandate: Mandate, config: "StrategyConfig", series: "Floats"
) -> None:
    """Count an evaluated configuration, once for all concurrent and repeated evaluations.

    `series` has the form of a trial's, see `EarlierTrials.series`; it is stored up to `MAX_STORED_SERIES`.
    """
    key = Key(scope, EVALUATED, f"{data_digest}.{ledger_entry(mandate, config.digest())}")
    if await store.records.get(key) is not None:
        return
    address = None
    stored = await store.records.list(scope, EVALUATED, prefix=f"{data_digest}.", limit=MAX_STORED_SERIES)
    if len(stored.records) < MAX_STORED_SERIES:
        address = await save_series(store, scope, series)
    with suppress(Conflict):  # counted by another process
        await store.records.put(key, {"series": address}, expected=0)


async def evaluation_entries(store: Store, scope: str, data_digest: str) -> Entries:
    """Entries of the evaluated configurations."""
    records = iterate_records(store.records, scope, EVALUATED, prefix=f"{data_digest}.")
    return {record.key.id.partition(".")[2]: record.document["series"] async for record in records}


async def run_entries(store: Store, scope: str, run: str, mandate: Mandate) -> Entries:
    """Entries of the trials of a run so far."""
    records = iterate_records(store.records, scope, TRIAL, prefix=f"{run}.")
    return {
        ledger_entry(mandate, record.key.id.rpartition(".")[2]): record.document["series"] async for record in records
    }


async def save_pipeline_entries(store: Store, scope: str, name: str, data_digest: str, entries: Entries) -> None:
    """Store the entries of a pipeline, which count in later ledgers."""
    document = {"tried": await save_ledger(store, scope, entries)}
    await store.records.put(Key(scope, PIPELINE, name), document, labels={"about": data_digest})


async def pipeline_entries(store: Store, scope: str, data_digest: str) -> Entries:
    entries: Entries = {}
    async for record in iterate_records(store.records, scope, PIPELINE, label=("about", data_digest)):
        add_entries(entries, await load_ledger(store, scope, str(record.document["tried"])))
    return entries


async def save_ledger(store: Store, scope: str, entries: Mapping[str, str | None]) -> str:
    """Store entries and return their content address."""
    content = format_entries(entries)
    address = _address(content)
    await store.blobs.put(_blob(scope, address), content)
    return address


async def load_ledger(store: Store, scope: str, address: str) -> Entries:
    return parse_entries(await store.blobs.get(_blob(scope, address)))


def format_entries(entries: Mapping[str, str | None]) -> bytes:
    """One line per entry, sorted: the entry, and the address of its series if one is stored."""
    lines = (entry if series is None else f"{entry} {series}" for entry, series in sorted(entries.items()))
    return "\n".join(lines).encode()


def parse_entries(content: bytes) -> Entries:
    return {
        entry: series or None for entry, _, series in (line.partition(" ") for line in content.decode().splitlines())
    }


def _address(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _blob(scope: str, address: str) -> str:
    return f"{scope}/ledger/{address}"
