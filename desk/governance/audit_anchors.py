"""Anchors of the audit log: a global chain whose entries hold the ends of the writers' chains.

From time to time one process adds an anchor with the chains that have grown. What is anchored cannot be set back
without the anchors after it.
"""

import json
from collections.abc import AsyncGenerator, Container
from datetime import datetime, timedelta

from pydantic import AwareDatetime, Field

from desk.governance import audit_single_chain
from desk.governance.audit_chains import NO_LINK, Link, heads_of, iterate_days, next_hash, parse_head
from desk.governance.audit_faults import Mismatch
from quant.numeric.frozen import Frozen
from store.errors import Conflict, Corrupted
from store.keys import SYSTEM
from store.records import Key, Put, Record, iterate_records
from store.store import Store

NAME = "anchors"
HEAD = Key(SYSTEM, "audit", NAME)
"""Number and hash of the last anchor, its month and that of the first one."""
PROGRESS = Key(SYSTEM, "audit", "anchored")
"""When chains were anchored last, and how far; it only tells where to look, so the verification does not read it."""
INTERVAL = timedelta(minutes=1)
CHAINS_PER_ANCHOR = 500
ANCHORS_AT_ONCE = 20


class _Progress(Frozen):
    at: AwareDatetime | None = None
    day: str = ""
    """No chain of an earlier day is left."""
    numbers: dict[str, int] = Field(default_factory=dict)
    """The last anchored entry of each chain from that day on."""


async def anchor_chains(store: Store, key: str, now: datetime, *, interval: timedelta = INTERVAL) -> int:
    """Anchor the chains that have grown, unless that was done within the interval; returns their number."""
    record = await store.records.get(PROGRESS)
    progress = _Progress() if record is None else _Progress.model_validate(record.document)
    if progress.at is not None and now - progress.at < interval:
        return 0
    ends = await _ends(store, progress.day)
    grown = {name: link for name, link in ends.items() if link.number > progress.numbers.get(name, 0)}
    if not grown:
        return 0
    grown = dict(list(grown.items())[: CHAINS_PER_ANCHOR * ANCHORS_AT_ONCE])
    numbers = progress.numbers | {name: link.number for name, link in grown.items()}
    day = progress.day
    if len(grown) < CHAINS_PER_ANCHOR * ANCHORS_AT_ONCE:  # a day on which no clock of a writer is any more is done
        day = min(f"{now - timedelta(days=1):%Y%m%d}", max(name.partition(".")[0] for name in ends))
    numbers = {name: number for name, number in numbers.items() if not name or name >= day}
    progress = _Progress(at=now, day=day, numbers=numbers)
    progress_put = Put(PROGRESS, progress.model_dump(mode="json"), 0 if record is None else record.version)
    try:
        await _append(store, key, grown, now, progress_put)
    except Conflict:  # another process anchors
        return 0
    return len(grown)


async def _ends(store: Store, since: str) -> dict[str, Link]:
    """The ends of all chains from a day on; the verification names a head that is malformed."""
    ends: dict[str, Link] = {}
    async for day in iterate_days(store, since):
        for name, record in (await heads_of(store, day)).items():
            try:
                ends[name] = parse_head(record)
            except Corrupted:
                continue
    try:
        single = await audit_single_chain.read_head(store)
    except Corrupted:
        return ends
    return ends | ({audit_single_chain.NAME: single} if single.number else {})


async def _append(store: Store, key: str, grown: dict[str, Link], now: datetime, progress: Put) -> None:
    record = await store.records.get(HEAD)
    month = f"{now:%Y%m}"
    if record is None:
        link, first, version = NO_LINK, month, 0
    else:
        link, first, version = parse_head(record), str(record.document["first"]), record.version
        month = max(month, str(record.document["month"]))  # a clock that is behind does not go back
    puts, names = [progress], sorted(grown)
    for start in range(0, len(names), CHAINS_PER_ANCHOR):
        ends = {name: list(grown[name]) for name in names[start : start + CHAINS_PER_ANCHOR]}
        text = json.dumps({"at": now.isoformat(), "ends": ends}, sort_keys=True, separators=(",", ":"))
        number = link.number + 1
        link = Link(number, next_hash(key, NAME, str(number), link.hash, text))
        anchor_key = Key(SYSTEM, _kind(month), f"{number:012d}")
        puts.append(Put(anchor_key, {"anchor": text, "hash": link.hash}, 0))
    puts.append(Put(HEAD, link._asdict() | {"first": first, "month": month}, version))
    await store.records.put_many(puts)


class AnchorWalk:
    """Checks the anchors in order, and collects the ends that they hold."""

    def __init__(self, store: Store, key: str, keyed_since: datetime | None, wanted: Container[int]) -> None:
        self.link = NO_LINK
        self.ends: dict[str, dict[int, str]] = {}
        """The anchored hashes of each chain by number."""
        self.hashes: dict[int, str] = {}
        """The hashes of the anchors with the wanted numbers."""
        self._store = store
        self._key = key
        self._keyed_since = keyed_since
        self._wanted = wanted

    async def run(self) -> None:
        head = await self._store.records.get(HEAD)
        if head is None:
            return
        try:
            end, first, last = parse_head(head), str(head.document["first"]), str(head.document["month"])
        except (Corrupted, LookupError) as error:
            raise Mismatch(NAME, 0, "the head of the anchors is malformed") from error
        following = end.number
        async for record in self._records(first, last):
            number = self.link.number + 1
            following = max(0, end.number - number)
            if record.key.id != f"{number:012d}":
                reason = f"it is missing, and the anchors continue with {record.key.id.lstrip('0')}"
                raise Mismatch(NAME, number, reason, following=following)
            self._step(record, number, following)
            if number == end.number and self.link.hash != end.hash:
                raise Mismatch(NAME, number, "its hash is not that of the head", following=0)
        if self.link.number < end.number:
            reason = f"it is missing at the end, and the head states that of {end.number}"
            raise Mismatch(NAME, self.link.number + 1, reason, following=end.number - self.link.number - 1)
        if self.link.number > end.number:
            again = await self._store.records.get(HEAD)  # anchors may have been added since
            if again is None or parse_head(again).number < self.link.number:
                raise Mismatch(NAME, 0, f"the head remembers anchor {end.number} of {self.link.number}")

    def _step(self, record: Record, number: int, following: int) -> None:
        try:
            text, stored = record.document["anchor"], record.document["hash"]
        except (LookupError, TypeError) as error:
            raise Mismatch(NAME, number, "it is not what the log writes", following=following) from error
        try:
            content = json.loads(text)
            at, ends = datetime.fromisoformat(content["at"]), {n: Link(*end) for n, end in content["ends"].items()}
        except (ValueError, LookupError, TypeError) as error:
            raise Mismatch(NAME, number, "it is not what the log writes", following=following) from error
        key = "" if self._keyed_since is not None and at < self._keyed_since else self._key
        hash_ = next_hash(key, NAME, str(number), self.link.hash, text)
        if hash_ != stored:
            reason = "its hash is not that of what it says and of the anchor before it"
            raise Mismatch(NAME, number, reason, text, following)
        self.link = Link(number, hash_)
        if number in self._wanted:
            self.hashes[number] = hash_
        for name, end in ends.items():
            self.ends.setdefault(name, {})[end.number] = end.hash

    async def _records(self, first: str, last: str) -> AsyncGenerator[Record]:
        month = first
        while month <= last:
            async for record in iterate_records(self._store.records, SYSTEM, _kind(month)):
                yield record
            month = _next_month(month)


def _kind(month: str) -> str:
    return f"audit-anchors-{month}"


def _next_month(month: str) -> str:
    year, number = int(month[:4]), int(month[4:])
    return f"{year + number // 12:04d}{number % 12 + 1:02d}"
