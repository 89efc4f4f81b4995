"""Imports: a file becomes a version of a data set, or a report of what it would become."""

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
from desk.market.datasets.bar_parser import Parsed, parse
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
from desk.market.datasets.schemas import Changes, Commit, Head, ImportReport, Marker, Terms, Version
from store.records import Put
from store.store import Store

MOST_COMMITS = 2_000
RESERVED = ("sp500", "stocks", "file", "cash", "history")
SHOWN = 100
BESIDE = 50
"""Records of stale runs that are written together with the version; the others come before."""


@dataclass(frozen=True, kw_only=True)
class _Before:
    head: Head | None
    record: int
    version: Version | None
    bars: Bars | None


async def import_file(
    store: Store, owner: str, name: str, content: bytes, terms: Terms, *, commit: bool, now: datetime | None = None
) -> ImportReport:
    """Read, look through every gate, compare with the version before; with `commit` store what may be stored.

    Raises `InvalidInput` for a file that cannot be read, and for a commit that a gate stands in the way of.
    """
    at = now or datetime.now(UTC)
    before = await _before(store, owner, name, terms)
    version, bars, given = await asyncio.to_thread(_looked, owner, name, content, terms, before, at)
    changed = {one.symbol for one in version.changes.adjustments}
    runs = await changes.affected_runs(store, owner, name, changed, version.hash) if changed else ()
    if runs:
        update = {"stale_count": len(runs), "stale_runs": runs[:SHOWN]}
        version = version.model_copy(update={"changes": version.changes.model_copy(update=update)})
    lifted = await _lifted(store, owner, version, bars, given, at)
    unchanged = before.version is not None and before.version.hash == version.hash
    usable = all(gate.status != "FAIL" for gate in version.gates)
    if commit and not unchanged:
        _require(usable, version.gates)
        flags = changes.stale_records(owner, runs, name, version.hash, at, changed)
        await _write(store, owner, before, version, bars, flags)
        for marker in lifted:
            await clear(store, owner, marker, at, version.hash)
    if commit:
        await _tell(store, owner, before, version, unchanged=unchanged)
    return ImportReport(
        dataset=name,
        committed=commit and not unchanged,
        usable=usable,
        unchanged=unchanged,
        version=version,
        markers_cleared=() if unchanged or not usable else tuple(marker.id for marker in lifted),
    )


async def _before(store: Store, owner: str, name: str, terms: Terms) -> _Before:
    if name in RESERVED:
        raise InvalidInput("dataset", name, reason=f"{name!r} is taken", allowed="another name")
    head, record = await find_head(store, owner, name)
    if head is None:
        if terms.mode == "extend":
            raise InvalidInput("mode", terms.mode, reason=f"there is no {name} yet", allowed="replace")
        return _Before(head=None, record=0, version=None, bars=None)
    if head.kind != terms.kind:
        raise InvalidInput("kind", terms.kind, reason=f"{name} is of the kind {head.kind}", allowed=head.kind)
    if len(head.history) >= MOST_COMMITS:
        reason = f"{name} has {len(head.history)} commits"
        raise InvalidInput("dataset", name, reason=reason, allowed="a data set of another name")
    version = await read_version(store, owner, name, head.history[-1].hash)
    if terms.mode == "extend":
        _require_same_terms(version, terms)
    return _Before(head=head, record=record, version=version, bars=await read_bars(store, owner, version))


def _require_same_terms(version: Version, terms: Terms) -> None:
    if terms.adjust != "none" or version.adjust != "none":
        reason = "total returns begin anew with each file"
        raise InvalidInput("mode", terms.mode, reason=reason, allowed="replace, where adjust is not none")
    for field in ("currency", "total_return", "calendar"):
        if getattr(version, field) != getattr(terms, field):
            allowed = f"{getattr(version, field)}, as the version that is extended"
            raise InvalidInput(field, getattr(terms, field), allowed=allowed)


def _looked(
    owner: str, name: str, content: bytes, terms: Terms, before: _Before, at: datetime
) -> tuple[Version, Bars, Bars]:
    """The version, its bars, and those of them that came with the file."""
    from desk.market.datasets.latest_regimes import asset_regimes

    parsed = parse(content, terms, symbol=name.upper())
    bars = parsed.bars
    if terms.adjust != "none":
        bars = reinvest_dividends(bars, splits=terms.adjust == "dividends_and_splits")
    given = bars
    if terms.mode == "extend" and before.bars is not None:
        bars = extend(before.bars, bars)
    gates = check_import(bars, terms, parsed.gates)
    usable = all(gate.status != "FAIL" for gate in gates)
    version = _version(owner, name, terms, parsed, bars, gates, at)
    found = {
        "changes": _changes(before, bars),
        "regimes": asset_regimes(bars) if usable and terms.kind == "prices" else (),
        "prices_digest": _digest(version, bars) if usable else None,
    }
    return version.model_copy(update=found), bars, given


def _version(
    owner: str, name: str, terms: Terms, parsed: Parsed, bars: Bars, gates: tuple[Gate, ...], at: datetime
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
        understood=parsed.understood,
        gates=gates,
        accepted=terms.accept,
        changes=Changes(previous=None, added_days=0, removed_days=0),
    )


def _changes(before: _Before, bars: Bars) -> Changes:
    if before.bars is None or before.version is None:
        return Changes(previous=None, added_days=len(bars.dates), removed_days=0, added_assets=bars.assets)
    earlier = before.bars
    return Changes(
        previous=before.version.hash,
        added_days=int(np.setdiff1d(bars.dates, earlier.dates).size),
        removed_days=int(np.setdiff1d(earlier.dates, bars.dates).size),
        added_assets=tuple(asset for asset in bars.assets if asset not in earlier.assets),
        removed_assets=tuple(asset for asset in earlier.assets if asset not in bars.assets),
        adjustments=changes.find_adjustments(earlier, bars),
    )


def _digest(version: Version, bars: Bars) -> str | None:
    """None for histories that are not used whole, and for what nobody can invest in."""
    whole = common_rows(bars, bars.assets)
    if version.kind != "prices" or whole != slice(0, len(bars.dates)):
        return None
    return as_prices(version, bars).digest


async def _lifted(store: Store, owner: str, version: Version, bars: Bars, given: Bars, now: datetime) -> list[Marker]:
    """Markers whose symbol and days the file covers, where every gate passes without anybody's acceptance."""
    if version.accepted or any(gate.status == "FAIL" for gate in version.gates):
        return []
    return [
        marker
        for marker in await all_markers(store, owner, now)
        if marker.state == "active" and marker.dataset in (None, version.dataset) and _covers(bars, given, marker)
    ]


def _covers(bars: Bars, given: Bars, marker: Marker) -> bool:
    """Whether each marked day was given anew: what was kept from the version before is still what was marked."""
    if marker.symbol not in given.assets:
        return False
    own = bars.select([marker.symbol])
    first, last = _day(own.dates[0]), _day(own.dates[-1])
    start, end = marker.start or first, marker.end or last
    marked = own.between(np.datetime64(start), np.datetime64(end)).dates
    return start >= first and end <= last and bool(np.isin(marked, given.select([marker.symbol]).dates).all())


def _require(usable: bool, gates: tuple[Gate, ...]) -> None:  # noqa: FBT001
    if usable:
        return
    failed = [gate for gate in gates if gate.status == "FAIL"]
    reasons = "; ".join(
        gate.detail + (f" ({', '.join(gate.rows[:5])}{', ...' if len(gate.rows) > 5 else ''})" if gate.rows else "")
        for gate in failed
    )
    raise InvalidInput(
        "file",
        [gate.name for gate in failed],
        reason=reasons,
        allowed=f"a file that passes every gate{_accepting(failed)}",
        code=f"gate_{failed[0].name}",
    )


def _accepting(failed: Sequence[Gate]) -> str:
    """How to pass them all the same, unless one of them cannot be passed."""
    if any(gate.name in BREAKING for gate in failed):
        return ""
    return "; or a reason to pass them: " + ", ".join(f"accept={gate.name}:REASON" for gate in failed)


async def _write(store: Store, owner: str, before: _Before, version: Version, bars: Bars, flags: Sequence[Put]) -> None:
    """The bytes first; then version, head and flags in one transaction, so that nothing is half there.

    Flags that have no room in it come before: the import that is repeated after a crash writes them again, and would
    find nothing to flag once the version stands.
    """
    await store.blobs.put(blob_key(owner, version.hash), await asyncio.to_thread(bars.to_bytes))
    commit = Commit(hash=version.hash, at=version.at, by=owner)
    history = before.head.history if before.head else ()
    head = Head(name=version.dataset, kind=version.kind, history=(*history, commit))
    puts = [Put(head_key(owner, version.dataset), head.model_dump(mode="json"), before.record)]
    if version.hash not in {earlier.hash for earlier in history}:  # what came back is the version that it was
        puts.append(Put(version_key(owner, version.dataset, version.hash), version.model_dump(mode="json")))
    for n in range(BESIDE, len(flags), BESIDE):
        await store.records.put_many(flags[n : n + BESIDE])
    await store.records.put_many([*puts, *flags[:BESIDE]])


async def _tell(store: Store, owner: str, before: _Before, version: Version, *, unchanged: bool) -> None:
    """An import that is repeated tells what a process that died has left untold, and nothing twice."""
    commits = len(before.head.history) if before.head else 0
    key = hashlib.sha256(f"{version.dataset}@{commits if unchanged else commits + 1}".encode()).hexdigest()[:32]
    found = {one.asset: one for one in version.regimes}
    regime = "".join(f"; {one.asset}: volatility {one.volatility_band}, {one.trend}" for one in version.regimes[:3])
    text = f"{version.dataset} has {version.days} days of {len(version.assets)} assets to {version.last}{regime}"
    told = MarketEvent(
        event="imported",
        at=version.at,
        text=text + (", ..." if len(found) > 3 else ""),
        dataset=version.dataset,
        version=version.hash,
        regimes=version.regimes,
    )
    await publish(store, owner, f"imported-{key}", told)
    runs = version.changes.stale_count
    if runs and not unchanged:
        text = f"closes of {version.dataset} were changed after the fact; {runs} runs on earlier versions are stale"
        event = MarketEvent(
            event="runs_stale", at=version.at, text=text, dataset=version.dataset, version=version.hash, runs=runs
        )
        await publish(store, owner, f"stale-{key}", event)


def _day(value: object) -> date:
    return date.fromisoformat(str(value))
