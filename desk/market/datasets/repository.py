"""Repository of an owner's data sets: immutable versions by name, and their prices.

`Bars` is imported inside functions, because it loads numpy.
"""

import asyncio
import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from desk.base.clock import utc_now
from desk.base.errors import InvalidInput, NotFound
from desk.market.datasets.markers import all_markers, require_unmarked
from desk.market.datasets.schemas import Commit, Head, Version
from desk.market.price_facts import PriceFacts
from desk.market.prices import Prices, PriceSource, facts_of
from desk.market.universe import split_universe
from store.records import Key, iterate_records
from store.store import Store

if TYPE_CHECKING:
    from desk.market.bars import Bars


HEAD, VERSION, FACTS = "dataset", "dataset-version", "price-facts"
PIN = 16
"""Characters of a hash that permanently identify a version."""
_NAME = re.compile(r"[a-z][a-z0-9_-]{0,39}")
_PREFIX = re.compile(r"[0-9a-f]{6,64}")
_BAR_GATES = ("high_low", "date_order")


class NoSuchDataset(NotFound):
    """The owner has no data set with this name."""

    code = "no_such_dataset"

    def __init__(self, name: str) -> None:
        super().__init__(f"Data set {name!r} does not exist; expected the name of one of your data sets.")


def head_key(owner: str, name: str) -> Key:
    return Key(owner, HEAD, name)


def version_key(owner: str, name: str, hash_: str) -> Key:
    return Key(owner, VERSION, f"{name}@{hash_}")


def blob_key(owner: str, hash_: str) -> str:
    return f"{owner}/datasets/{hash_}"


async def find_head(store: Store, owner: str, name: str) -> tuple[Head | None, int]:
    """The data set and its record version; None and 0 if it does not exist."""
    if not _NAME.fullmatch(name):
        return None, 0
    record = await store.records.get(head_key(owner, name))
    return (None, 0) if record is None else (Head.model_validate(record.document), record.version)


async def read_head(store: Store, owner: str, name: str) -> Head:
    head, _ = await find_head(store, owner, name)
    if head is None:
        raise NoSuchDataset(name)
    return head


async def read_version(store: Store, owner: str, name: str, hash_: str) -> Version:
    """Load a version by its hash or a prefix of it."""
    commit = resolve_commit(await read_head(store, owner, name), hash_)
    record = await store.records.get(version_key(owner, name, commit.hash))
    assert record is not None, "a version is written together with the head that names it"
    return Version.model_validate(record.document)


async def read_bars(store: Store, owner: str, version: Version) -> "Bars":
    from desk.market.bars import Bars

    return await asyncio.to_thread(Bars.from_bytes, await store.blobs.get(blob_key(owner, version.hash)))


def resolve_commit(head: Head, hash_: str | None = None, as_of: datetime | None = None) -> Commit:
    """The commit with this hash prefix, the latest at `as_of`, or the latest of all."""
    if hash_:
        matches = {commit.hash: commit for commit in head.history if commit.hash.startswith(hash_)}
        if not _PREFIX.fullmatch(hash_) or len(matches) != 1:
            raise NotFound(
                f"version: {len(matches) if _PREFIX.fullmatch(hash_) else 0} versions of {head.name} begin with "
                f"{hash_[:64]!r}; expected the first {PIN} characters of a version's hash, such as "
                f"{head.history[-1].hash[:PIN]}"
            )
        return next(iter(matches.values()))
    commits = [commit for commit in head.history if as_of is None or commit.at <= as_of]
    if not commits:
        first = head.history[0].at
        reason = f"{head.name} did not exist then"
        raise InvalidInput("asOf", str(as_of), reason=reason, allowed=f"from {first.isoformat()} on")
    return commits[-1]


@dataclass(frozen=True)
class OwnedPrices:
    """Adapter of `desk.market.prices.PriceSource`: an owner's data sets and the shared prices.

    `mydata` is the latest version, `mydata@HASH` the version with this hash prefix, `mydata:A,B` some of its assets.
    """

    store: Store
    owner: str
    shared: PriceSource
    now: Callable[[], datetime] = utc_now

    async def universes(self) -> tuple[str, ...]:
        """For assets in several data sets, the last one counts; the owner's are sorted by descending name."""
        return (*await self.shared.universes(), *reversed(await self._own()))

    async def load(self, universe: str) -> Prices:
        name, assets = split_universe(universe)
        version = await self._version(name)
        if version is not None:
            return as_prices(version, await read_bars(self.store, self.owner, version), assets)
        try:
            return await self.shared.load(universe)
        except InvalidInput as error:
            own = await self._own()
            if error.code != "unknown_universe" or not own:
                raise
            allowed = f"{error.allowed}; or one of your data sets: {', '.join(own[:20])}"
            raise InvalidInput(error.field, error.value, allowed=allowed, code=error.code) from error

    async def load_index(self, universe: str) -> Prices:
        name, assets = split_universe(universe)
        version = await self._version(name)
        if version is None or version.kind == "prices":
            return await self.load(universe)
        bars = await read_bars(self.store, self.owner, version)
        return as_prices(version.model_copy(update={"kind": "prices"}), bars, assets)

    async def facts(self, universe: str) -> PriceFacts | None:
        name, assets = split_universe(universe)
        version = await self._version(name)
        all_prices = await self.shared.facts(name) if version is None else _facts_in(version)
        if all_prices is not None and not assets:
            return all_prices
        key = self._facts_key(version, all_prices, assets)
        record = None if key is None else await self.store.records.get(key)
        return None if record is None else PriceFacts.model_validate(record.document)

    async def save_facts(self, universe: str, facts: PriceFacts) -> None:
        """Store facts about usable prices; `universe` names a version or shared prices."""
        name, assets = split_universe(universe)
        version = await self._version(name)
        all_prices = await self.shared.facts(name) if version is None else None
        key = self._facts_key(version, all_prices, assets)
        if key is not None:
            await self.store.records.put(key, facts.model_dump(mode="json"))

    async def at_version(self, universe: str) -> str:
        """The universe with its current version."""
        return _at(universe, await self._version(split_universe(universe)[0]))

    async def pin(self, universe: str) -> str:
        """Like `at_version`, but raises `InvalidInput` for data marked as bad."""
        name, _ = split_universe(universe)
        version = await self._version(name)
        markers = await all_markers(self.store, self.owner, self.now())
        if markers:
            facts = await self.facts(universe) or facts_of(await self.load(universe))
            dataset = name if version is None else version.dataset
            require_unmarked(markers, dataset, facts.assets, facts.first, facts.last)
        return _at(universe, version)

    def _facts_key(self, version: Version | None, all_prices: PriceFacts | None, assets: tuple[str, ...]) -> Key | None:
        content = version.hash if version else all_prices.digest if all_prices else None
        if content is None:
            return None
        text = "\n".join([content, *sorted(assets)])
        return Key(self.owner, FACTS, hashlib.sha256(text.encode()).hexdigest())

    async def _own(self) -> tuple[str, ...]:
        heads = [Head.model_validate(r.document) async for r in iterate_records(self.store.records, self.owner, HEAD)]
        return tuple(head.name for head in heads if head.kind == "prices")

    async def _version(self, name: str) -> Version | None:
        base, at, hash_ = name.partition("@")
        head, _ = await find_head(self.store, self.owner, base)
        if head is None:
            return None
        if at and not hash_:
            raise InvalidInput("universe", name, allowed=f"{base}, or {base}@ and a hash", code="unknown_universe")
        try:
            commit = resolve_commit(head, hash_ or None)
        except NotFound as error:
            allowed = f"{base}@{head.history[-1].hash[:PIN]}, or another version of it"
            raise InvalidInput("universe", name, allowed=allowed, code="unknown_universe") from error
        return await read_version(self.store, self.owner, base, commit.hash)


def as_prices(version: Version, bars: "Bars", assets: tuple[str, ...] = ()) -> Prices:
    """Closes on the days common to the assets."""
    from desk.market.bars import ranges_of

    name = f"{version.dataset}@{version.hash[:PIN]}"
    if version.kind != "prices":
        reason = f"{version.dataset} is of the kind {version.kind}, which is not investable"
        raise InvalidInput("universe", name, reason=reason, allowed="a data set of prices", code="not_prices")
    dividends = "taken as including dividends" if version.total_return else "without dividends"
    all_prices = Prices(
        dates=bars.dates,
        assets=bars.assets,
        closes=bars.closes,
        price_index=not version.total_return,
        survivors=False,
        source=f"data set {name}",
        notes=(
            f"prices of the data set {name}, {dividends}, as its owner states",
            *(gate.detail for gate in version.gates if gate.name in _BAR_GATES and gate.status == "WARN"),
        ),
        calendar=version.calendar,
        currency=version.currency,
        accepted=tuple(sorted(version.accepted.items())),
        ranges=ranges_of(bars),
    )
    selection = all_prices.select(assets) if assets else all_prices
    rows = common_rows(bars, selection.assets)
    if rows.stop - rows.start < 2:
        reason = f"{', '.join(selection.assets[:10])} share no two days"
        raise InvalidInput("universe", name, reason=reason, allowed="assets whose days overlap", code="too_short")
    ranges = None if selection.ranges is None else selection.ranges.part(rows, slice(None))
    return replace(selection, dates=selection.dates[rows], closes=selection.closes[rows], ranges=ranges)


def common_rows(bars: "Bars", assets: tuple[str, ...]) -> slice:
    from desk.market.bars import Bars

    columns = [bars.assets.index(asset) for asset in assets]
    return Bars(dates=bars.dates, assets=assets, fields={"close": bars.closes[:, columns]}).common_rows()


def _facts_in(version: Version) -> PriceFacts | None:
    """None for data other than prices, and for assets with different first or last days."""
    if version.prices_digest is None:
        return None
    return PriceFacts(
        digest=version.prices_digest,
        assets=version.assets,
        first=version.first,
        last=version.last,
        sessions=version.days,
        training_volatility=version.training_volatility,
        currency=version.currency,
    )


def _at(universe: str, version: Version | None) -> str:
    if version is None:
        return universe
    _, colon, assets = universe.strip().partition(":")
    return f"{version.dataset}@{version.hash[:PIN]}{colon}{assets}"
