"""Verification of the audit log: every link of every chain, its end against its head and against the anchors."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from datetime import datetime

from desk.governance import audit_anchors, audit_single_chain
from desk.governance.audit_anchors import AnchorWalk
from desk.governance.audit_chains import (
    CHAIN,
    MICROSECONDS,
    NO_LINK,
    SHARDS,
    Link,
    Place,
    entries_kind,
    head_key,
    heads_of,
    iterate_days,
    next_hash,
    parse_head,
    parse_place,
    shard_of,
)
from desk.governance.audit_entries import entry_time
from desk.governance.audit_faults import Fault, Mismatch, Unanchored
from desk.governance.audit_single_chain import SingleChainWalk
from quant.numeric.frozen import Frozen
from store.errors import Corrupted
from store.keys import SYSTEM
from store.records import MAX_PAGE, Record, iterate_records
from store.store import Store


class Verification(Frozen):
    entries: int
    """Number of verified entries."""
    chains: int
    """Number of verified chains; that of earlier versions is one."""
    anchors: int
    hash: str
    """Hash of the last verified anchor; noted elsewhere, it later reveals a rewritten log."""
    at: str | None
    """Time of the newest verified entry."""
    unanchored: tuple[Unanchored, ...] = ()
    fault: Fault | None = None


class _Chain:
    """A chain as far as it is verified."""

    def __init__(self, name: str, key: str, head: Link, anchored: Mapping[int, str]) -> None:
        self.name = name
        self.key = key
        self.head = head
        self.number = 0
        self.hash = ""
        self.known = {number: ("an anchor", hash_) for number, hash_ in anchored.items()}
        if head.number:
            self.known.setdefault(head.number, ("the head", head.hash))
            if self.known[head.number][1] != head.hash:
                raise Mismatch(name, 0, f"the head's hash of entry {head.number} is not that of an anchor")

    def step(self, place: Place, record: Record, keyed: str) -> str:
        """Check the next entry; returns its text."""
        number = self.number + 1
        if place.number > number:
            raise self.mismatch(number, f"it is missing, and the chain continues with entry {place.number}")
        if place.number < number:
            raise self.mismatch(number, f"entry {place.number} stands in its place")
        try:
            text, stored = record.document["entry"], record.document["hash"]
        except (LookupError, TypeError) as error:
            raise self.mismatch(number, "it is not what the log writes") from error
        if not isinstance(text, str) or len(record.document) != 2:
            raise self.mismatch(number, "it is not what the log writes")
        hash_ = next_hash(self.key, self.name, record.key.id, self.hash, text)
        if hash_ != stored:
            raise self.mismatch(number, self._reason(record.key.id, text, stored, keyed), text)
        origin, known = self.known.get(number, ("", hash_))
        if known != hash_:
            raise self.mismatch(number, f"its hash is not that of {origin}: it was written anew", text)
        self.number, self.hash = number, hash_
        return text

    def mismatch(self, number: int, reason: str, text: str = "") -> Mismatch:
        return Mismatch(self.name, number, reason, text, max(0, max(self.head.number, *self.known, 0) - number))

    def _reason(self, place: str, text: str, stored: object, keyed: str) -> str:
        if self.key and next_hash("", self.name, place, self.hash, text) == stored:
            return "its hash was made without STRATIGOS_AUDIT_KEY (--keyed-since TIME says since when there is one)"
        hint = "" if keyed else " (or STRATIGOS_AUDIT_KEY, which it was made with, is not set)"
        return f"its hash is not that of what it says and of the entry before it{hint}"


class _Walk:
    """Verifies the anchors, the single chain of earlier versions, and the chains of every day."""

    def __init__(
        self, store: Store, key: str, keyed_after: int, keyed_since: datetime | None, expected: Sequence[Link]
    ) -> None:
        self._store = store
        self._key = key
        self._keyed_after = keyed_after
        self._keyed_since = keyed_since
        self._expected = dict(expected)
        self._single: SingleChainWalk | None = None
        self.anchors = AnchorWalk(store, key, keyed_since, self._expected)
        self.entries = 0
        self.chains = 0
        self.newest: tuple[str, str] = ("", "")
        """Place and text of the newest entry."""
        self.unanchored: list[Unanchored] = []

    async def run(self) -> None:
        await self.anchors.run()  # first: what is anchored is older than the heads, and these than the entries
        anchored_days = {name.partition(".")[0] for name in self.anchors.ends if name}
        await self._verify_single_chain()
        async for day in iterate_days(self._store):
            anchored_days.discard(day)
            await self._verify_day(day)
        for day in sorted(anchored_days):  # its chains are not even in the register
            await self._verify_day(day)
        self._check_expected()

    async def _verify_single_chain(self) -> None:
        known = self.anchors.ends.get(audit_single_chain.NAME, {})
        walk = self._single = SingleChainWalk(self._store, self._key, self._keyed_after, known, self._expected)
        try:
            await walk.run()
        except Mismatch as mismatch:
            mismatch.following = await walk.following(mismatch.number) if mismatch.number else 0
            raise
        finally:
            self.entries += walk.link.number
            self.newest = ("", walk.text)
        self._count(audit_single_chain.NAME, walk.link.number)

    async def _verify_day(self, day: str) -> None:
        records = await heads_of(self._store, day)
        chains: dict[str, _Chain] = {}
        for shard in range(SHARDS):
            await self._verify_shard(day, shard, records, chains)
        prefix = f"{day}."
        registered = {
            record.key.id async for record in iterate_records(self._store.records, SYSTEM, CHAIN, prefix=prefix)
        }
        anchored = {name for name in self.anchors.ends if name.startswith(prefix)}
        for name in sorted(chains.keys() | records.keys() | registered | anchored):
            chain = chains.get(name) or self._chain(name, records, None)
            await self._check_end(chain)
            if name not in registered:
                raise Mismatch(name, 0, "it is missing from the register of chains")
            self._count(name, chain.number)

    async def _verify_shard(self, day: str, shard: int, heads: Mapping[str, Record], chains: dict[str, _Chain]) -> None:
        last = ""
        try:
            async for record in self._entries(day, shard):
                last = record.key.id
                place = parse_place(last)
                if place is None or place.chain[:8] != day or shard_of(place.suffix) != shard:
                    raise Mismatch(day, 0, f"the entry at {last} does not belong to this day and shard")
                chain = chains.get(place.chain)
                if chain is None:
                    chain = chains[place.chain] = self._chain(place.chain, heads, place)
                text = chain.step(place, record, self._key)
                self.entries += 1
                if last > self.newest[0]:
                    self.newest = (last, text)
        except (Corrupted, LookupError) as error:
            raise self._unreadable(day, shard, heads, chains, last, error) from error

    def _unreadable(
        self,
        day: str,
        shard: int,
        heads: Mapping[str, Record],
        chains: Mapping[str, _Chain],
        last: str,
        error: Exception,
    ) -> Mismatch:
        """The fault of an entry that cannot be read: it is of a chain of the shard that has not reached its head."""
        incomplete = [
            chain
            for name in sorted(heads)
            if shard_of(name) == shard
            and (chain := chains.get(name) or self._chain(name, heads, None)).number < chain.head.number
        ]
        where = f"after {last}" if last else f"of {day}"
        if len(incomplete) == 1:
            return incomplete[0].mismatch(incomplete[0].number + 1, f"it cannot be read: {error}")
        names = ", ".join(chain.name for chain in incomplete) or "no chain"
        return Mismatch(day, 0, f"the entry {where}, of {names}, cannot be read: {error}")

    def _chain(self, name: str, heads: Mapping[str, Record], first: Place | None) -> _Chain:
        record = heads.get(name)
        try:
            head = NO_LINK if record is None else parse_head(record)
        except Corrupted as error:
            raise Mismatch(name, 0, str(error)) from error
        since = self._keyed_since
        unkeyed = first is not None and since is not None and first.stamp < since.timestamp() * MICROSECONDS
        return _Chain(name, "" if unkeyed else self._key, head, self.anchors.ends.get(name, {}))

    async def _check_end(self, chain: _Chain) -> None:
        end = max(chain.known, default=0)
        if chain.number < end:
            reason = f"it is missing at the end, and {chain.known[end][0]} states that of {end}"
            raise chain.mismatch(chain.number + 1, reason)
        if chain.number > chain.head.number or not chain.number:
            record = await self._store.records.get(head_key(chain.name))  # the chain may have grown meanwhile
            if record is None:
                raise Mismatch(chain.name, 0, "its head is missing")
            if (number := parse_head(record).number) < chain.number:
                raise Mismatch(chain.name, 0, f"the head remembers entry {number} of {chain.number}")

    def _count(self, name: str, number: int) -> None:
        if not number:
            return
        self.chains += 1
        anchored = max(self.anchors.ends.get(name, {}), default=0)
        if number > anchored:
            self.unanchored.append(Unanchored(chain=name, first=anchored + 1, last=number))

    def _check_expected(self) -> None:
        single = self._single
        assert single is not None
        for number, hash_ in self._expected.items():
            if hash_ in (self.anchors.hashes.get(number), single.hashes.get(number)):
                continue
            if number > max(self.anchors.link.number, single.link.number):
                end = self.anchors.link.number
                reason = f"it is missing at the end, and the one that was expected is {number}"
                raise Mismatch(audit_anchors.NAME, end + 1, reason)
            reason = "its hash is not the one that was expected: it was written anew, with all that follow"
            following = max(0, self.anchors.link.number - number)
            raise Mismatch(audit_anchors.NAME, number, reason, following=following)

    async def _entries(self, day: str, shard: int) -> AsyncGenerator[Record]:
        kind, after, limit = entries_kind(day, shard), None, MAX_PAGE
        while True:
            try:
                page = await self._store.records.list(SYSTEM, kind, after=after, limit=limit)
            except (Corrupted, LookupError):
                if limit == 1:
                    raise
                limit = 1  # find the unreadable entry by reading one at a time
                continue
            for record in page.records:
                yield record
            if page.after is None:
                return
            after = page.after


async def verify(
    store: Store,
    key: str = "",
    *,
    keyed_after: int = 0,
    keyed_since: datetime | None = None,
    expected_links: Sequence[Link] = (),
) -> Verification:
    """Verify the whole log.

    Entries of the single chain up to `keyed_after`, and chains and anchors from before `keyed_since`, were hashed
    without the key. `expected_links` are anchors, or entries of the single chain, that were noted elsewhere.
    """
    walk = _Walk(store, key, keyed_after, keyed_since, expected_links)
    fault = None
    try:
        await walk.run()
    except Mismatch as mismatch:
        fault = Fault(
            chain=mismatch.chain,
            number=mismatch.number,
            at=entry_time(mismatch.text),
            wrong=str(mismatch),
            following=mismatch.following,
        )
    except Corrupted as error:  # a head, or a record of the register
        fault = Fault(chain="", number=0, at=None, wrong=f"a record of the log cannot be read: {error}", following=0)
    return Verification(
        entries=walk.entries,
        chains=walk.chains,
        anchors=walk.anchors.link.number,
        hash=walk.anchors.link.hash,
        at=entry_time(walk.newest[1]),
        unanchored=tuple(walk.unanchored),
        fault=fault,
    )
