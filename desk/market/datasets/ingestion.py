"""Imports files as versions of a data set, or reports what an import would change."""

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime

import numpy as np

from desk.base.errors import InvalidInput
from desk.market.bars import Bars, extend, reinvest_dividends
from desk.market.checks.prices import BREAKING
from desk.market.checks.report import Gate
from desk.market.datasets import version_changes as changes
from desk.market.datasets.events import MarketEvent, publish
from desk.market.datasets.import_checks import check_import
from desk.market.datasets.markers import all_markers, clear
from desk.market.datasets.repository import (
    as_prices,
    blob_key,
    common_rows,
    find_head,
    head_key,
    read_bars,
    read_version,
    version_key,
)
from desk.market.datasets.schemas import Changes, Commit, Head, ImportReport, Marker, Terms, Understood, Version
from desk.market.files.bars_parser import Parsed, parse_bars
from desk.market.prices import facts_of
from store.records import Put
from store.store import Store

MAX_COMMITS = 2_000
RESERVED = ("sp500", "stocks", "file", "cash", "history")
MAX_LISTED = 100
MAX_FLAGS_PER_WRITE = 40
"""Records of stale runs written in the transaction of the version; others are written before it."""


@dataclass(frozen=True, kw_only=True)
class _PreviousState:
    head: Head | None
    record: int
    version: Version | None
    bars: Bars | None


async def import_file(
    store: Store, owner: str, name: str, content: bytes, terms: Terms, *, commit: bool, now: datetime | None = None
) -> ImportReport:
    """Read a file, check every gate and compare with the previous version; with `commit`, store the new version.

    Raises `InvalidInput` for a file that cannot be read, and for a commit that fails a gate.
    """
    at = now or datetime.now(UTC)
    previous = await _load_previous(store, owner, name, terms)
    version, bars, parsed_bars = await asyncio.to_thread(_read_and_check, owner, name, content, terms, previous, at)
    changed = {one.symbol for one in version.changes.adjustments}
    runs = await changes.affected_runs(store, owner, name, changed, version.hash) if changed else ()
    if runs:
        update = {"stale_count": len(runs), "stale_runs": runs[:MAX_LISTED]}
        version = version.model_copy(update={"changes": version.changes.model_copy(update=update)})
    cleared_markers = await _cleared_markers(store, owner, version, bars, parsed_bars, at)
    unchanged = previous.version is not None and previous.version.hash == version.hash
    usable = all(gate.status != "FAIL" for gate in version.gates)
    if commit and not unchanged:
        _require_usable(usable, version.gates)
        flags = changes.stale_records(owner, runs, name, version.hash, at, changed)
        await _write(store, owner, previous, version, bars, flags)
        for marker in cleared_markers:
            await clear(store, owner, marker, at, version.hash)
    if commit:
        await _publish_events(store, owner, previous, version, unchanged=unchanged)
    return ImportReport(
        dataset=name,
        committed=commit and not unchanged,
        usable=usable,
        unchanged=unchanged,
        version=version,
        markers_cleared=() if unchanged or not usable else tuple(marker.id for marker in cleared_markers),
    )


async def _load_previous(store: Store, owner: str, name: str, terms: Terms) -> _PreviousState:
    if name in RESERVED:
        raise InvalidInput("dataset", name, reason=f"{name!r} is reserved", allowed="another name")
    head, record = await find_head(store, owner, name)
    if head is None:
        if terms.mode == "extend":
            raise InvalidInput("mode", terms.mode, reason=f"{name} does not exist yet", allowed="replace")
        return _PreviousState(head=None, record=0, version=None, bars=None)
    if head.kind != terms.kind:
        raise InvalidInput("kind", terms.kind, reason=f"{name} is of the kind {head.kind}", allowed=head.kind)
    if len(head.history) >= MAX_COMMITS:
        reason = f"{name} has {len(head.history)} commits"
        raise InvalidInput("dataset", name, reason=reason, allowed="a data set of another name")
    version = await read_version(store, owner, name, head.history[-1].hash)
    if terms.mode == "extend":
        _require_same_terms(version, terms)
    return _PreviousState(head=head, record=record, version=version, bars=await read_bars(store, owner, version))


def _require_same_terms(version: Version, terms: Terms) -> None:
    if terms.adjust != "none" or version.adjust != "none":
        reason = "total returns restart with each file"
        raise InvalidInput("mode", terms.mode, reason=reason, allowed="replace if adjust is not none")
    for field in ("currency", "total_return", "calendar"):
        if getattr(version, field) != getattr(terms, field):
            allowed = f"{getattr(version, field)}, as the version that is extended"
            raise InvalidInput(field, getattr(terms, field), allowed=allowed)


def _read_and_check(
    owner: str, name: str, content: bytes, terms: Terms, previous: _PreviousState, at: datetime
) -> tuple[Version, Bars, Bars]:
    """The version, all its bars, and the bars of the file."""
    from desk.market.datasets.latest_regimes import asset_regimes  # compiles kernels

    parsed_file = parse_bars(
        content, symbol=terms.symbol or name.upper(), mapping=terms.mapping, positive=terms.kind != "curve"
    )
    bars = parsed_file.bars
    if terms.adjust != "none":
        bars = reinvest_dividends(bars, splits=terms.adjust == "dividends_and_splits")
    parsed_bars = bars
    if terms.mode == "extend" and previous.bars is not None:
        bars = extend(previous.bars, bars)
    gates = check_import(bars, terms, parsed_file.gates)
    usable = all(gate.status != "FAIL" for gate in gates)
    version = _version(owner, name, terms, parsed_file, bars, gates, at)
    results = {
        "changes": _changes(previous, bars),
        "regimes": asset_regimes(bars) if usable and terms.kind == "prices" else (),
        **(_facts(version, bars) if usable else {}),
    }
    return version.model_copy(update=results), bars, parsed_bars


def _version(
    owner: str, name: str, terms: Terms, parsed_file: Parsed, bars: Bars, gates: tuple[Gate, ...], at: datetime
) -> Version:
    binding = terms.model_copy(update={"mapping": {}, "symbol": None, "mode": "replace"})
    return Version(
        dataset=name,
        hash=bars.hash(binding.model_dump_json()),
        prices_digest=None,
        at=at,
        by=owner,
        kind=terms.kind,
        total_return=terms.total_return,
        currency=terms.currency,
        calendar=terms.calendar,
        adjust=terms.adjust,
        first=_day(bars.dates[0]),
        last=_day(bars.dates[-1]),
        days=len(bars.dates),
        assets=bars.assets,
        fields=bars.field_names,
        understood=Understood.model_validate(vars(parsed_file.interpretation)),
        gates=gates,
        accepted=terms.accept,
        changes=Changes(previous=None, added_days=0, removed_days=0),
    )


def _changes(previous: _PreviousState, bars: Bars) -> Changes:
    if previous.bars is None or previous.version is None:
        return Changes(previous=None, added_days=len(bars.dates), removed_days=0, added_assets=bars.assets)
    earlier = previous.bars
    return Changes(
        previous=previous.version.hash,
        added_days=int(np.setdiff1d(bars.dates, earlier.dates).size),
        removed_days=int(np.setdiff1d(earlier.dates, bars.dates).size),
        added_assets=tuple(asset for asset in bars.assets if asset not in earlier.assets),
        removed_assets=tuple(asset for asset in earlier.assets if asset not in bars.assets),
        adjustments=changes.find_adjustments(earlier, bars),
    )


def _facts(version: Version, bars: Bars) -> dict[str, object]:
    """Facts about the closes; none for data other than prices, and for assets with different first or last days."""
    whole = common_rows(bars, bars.assets)
    if version.kind != "prices" or whole != slice(0, len(bars.dates)):
        return {}
    facts = facts_of(as_prices(version, bars))
    return {"prices_digest": facts.digest, "training_volatility": facts.training_volatility}


async def _cleared_markers(
    store: Store, owner: str, version: Version, bars: Bars, parsed_bars: Bars, now: datetime
) -> list[Marker]:
    """Markers whose symbol and days the file covers, if every gate passes without acceptances."""
    if version.accepted or any(gate.status == "FAIL" for gate in version.gates):
        return []
    return [
        marker
        for marker in await all_markers(store, owner, now)
        if marker.state == "active" and marker.dataset in (None, version.dataset) and _covers(bars, parsed_bars, marker)
    ]


def _covers(bars: Bars, parsed_bars: Bars, marker: Marker) -> bool:
    """Whether the file contains every marked day; days taken from the previous version remain marked."""
    if marker.symbol not in parsed_bars.assets:
        return False
    own = bars.select([marker.symbol])
    first, last = _day(own.dates[0]), _day(own.dates[-1])
    start, end = marker.start or first, marker.end or last
    marked_days = own.between(np.datetime64(start), np.datetime64(end)).dates
    return (
        start >= first and end <= last and bool(np.isin(marked_days, parsed_bars.select([marker.symbol]).dates).all())
    )


def _require_usable(usable: bool, gates: tuple[Gate, ...]) -> None:  # noqa: FBT001
    if usable:
        return
    failed_gates = [gate for gate in gates if gate.status == "FAIL"]
    reasons = "; ".join(
        gate.detail + (f" ({', '.join(gate.rows[:5])}{', ...' if len(gate.rows) > 5 else ''})" if gate.rows else "")
        for gate in failed_gates
    )
    raise InvalidInput(
        "file",
        [gate.name for gate in failed_gates],
        reason=reasons,
        allowed=f"a file that passes every gate{_acceptance_hint(failed_gates)}",
        code=f"gate_{failed_gates[0].name}",
    )


def _acceptance_hint(failed_gates: Sequence[Gate]) -> str:
    """How to accept the failed gates; empty if one of them cannot be accepted."""
    if any(gate.name in BREAKING for gate in failed_gates):
        return ""
    return "; or a reason to pass them: " + ", ".join(f"accept={gate.name}:REASON" for gate in failed_gates)


async def _write(
    store: Store, owner: str, previous: _PreviousState, version: Version, bars: Bars, flags: Sequence[Put]
) -> None:
    """Write the blob, then version, head and flags in one transaction, so that a crash leaves no partial version.

    Flags that exceed the transaction are written before it: a repeated import writes them again, but would find no
    changes once the version exists.
    """
    await store.blobs.put(blob_key(owner, version.hash), await asyncio.to_thread(bars.to_bytes))
    commit = Commit(hash=version.hash, at=version.at, by=owner)
    history = previous.head.history if previous.head else ()
    head = Head(name=version.dataset, kind=version.kind, history=(*history, commit))
    puts = [Put(head_key(owner, version.dataset), head.model_dump(mode="json"), previous.record)]
    if version.hash not in {earlier.hash for earlier in history}:  # restored content is an existing version
        puts.append(Put(version_key(owner, version.dataset, version.hash), version.model_dump(mode="json")))
    for n in range(MAX_FLAGS_PER_WRITE, len(flags), MAX_FLAGS_PER_WRITE):
        await store.records.put_many(flags[n : n + MAX_FLAGS_PER_WRITE])
    await store.records.put_many([*puts, *flags[:MAX_FLAGS_PER_WRITE]])


async def _publish_events(
    store: Store, owner: str, previous: _PreviousState, version: Version, *, unchanged: bool
) -> None:
    """Publish the events; repeating an interrupted import publishes missing events and no duplicates."""
    commits = len(previous.head.history) if previous.head else 0
    key = hashlib.sha256(f"{version.dataset}@{commits if unchanged else commits + 1}".encode()).hexdigest()[:32]
    regimes = {one.asset: one for one in version.regimes}
    regime = "".join(f"; {one.asset}: volatility {one.volatility_band}, {one.trend}" for one in version.regimes[:3])
    text = f"{version.dataset} has {version.days} days of {len(version.assets)} assets to {version.last}{regime}"
    imported_event = MarketEvent(
        event="imported",
        at=version.at,
        text=text + (", ..." if len(regimes) > 3 else ""),
        dataset=version.dataset,
        version=version.hash,
        regimes=version.regimes,
    )
    await publish(store, owner, f"imported-{key}", imported_event)
    runs = version.changes.stale_count
    if runs and not unchanged:
        text = f"closes of {version.dataset} were changed after the fact; {runs} runs on earlier versions are stale"
        event = MarketEvent(
            event="runs_stale", at=version.at, text=text, dataset=version.dataset, version=version.hash, runs=runs
        )
        await publish(store, owner, f"stale-{key}", event)


def _day(value: object) -> date:
    return date.fromisoformat(str(value))
