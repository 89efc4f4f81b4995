"""Chains of the audit log: one per writer and day, each with a head, their places, kinds and hashes.

Entries lie in partitions by day and shard, ordered by time, so that all chains of a day are read in one pass and no
partition grows or is written without bound.
"""

import asyncio
import hashlib
import hmac
import re
import secrets
from collections.abc import AsyncGenerator
from datetime import UTC, datetime
from typing import NamedTuple

from store.errors import Corrupted
from store.keys import SYSTEM
from store.records import Key, Put, Record, iterate_records
from store.store import Store

SHARDS = 8
CHAIN = "audit_chain"
"""Kind of the register: one record per chain, written with its first entry."""
PLACE = re.compile(r"([0-9]{16})\.([0-9a-f]{8})\.([1-9][0-9]{0,8})", re.ASCII)
SINGLE_PLACE = re.compile("[0-9]{1,15}", re.ASCII)
AFTER_EVERY_CHAIN = "~"
MICROSECONDS = 1_000_000


class Link(NamedTuple):
    number: int
    hash: str


NO_LINK = Link(0, "")


class Place(NamedTuple):
    """The place of an entry: time in microseconds since 1970, suffix of its chain, number in its chain."""

    stamp: int
    suffix: str
    number: int

    def __str__(self) -> str:
        return f"{self.stamp:016d}.{self.suffix}.{self.number}"

    @property
    def chain(self) -> str:
        return f"{day_of(self.stamp)}.{self.suffix}"


def parse_place(text: str) -> Place | None:
    match = PLACE.fullmatch(text)
    return None if match is None else Place(int(match[1]), match[2], int(match[3]))


def is_place(text: str) -> bool:
    """Whether it is the place of an entry; those of the single chain of earlier versions are their numbers."""
    return SINGLE_PLACE.fullmatch(text) is not None or parse_place(text) is not None


def day_of(stamp: int) -> str:
    return datetime.fromtimestamp(stamp // MICROSECONDS, UTC).strftime("%Y%m%d")


def entries_kind(day: str, shard: int) -> str:
    return f"audit-{day}-{shard}"


def heads_kind(day: str, shard: int) -> str:
    return f"audit-heads-{day}-{shard}"


def shard_of(chain: str) -> int:
    return int(chain[-2:], 16) % SHARDS


def entry_key(place: Place) -> Key:
    return Key(SYSTEM, entries_kind(day_of(place.stamp), shard_of(place.suffix)), str(place))


def head_key(chain: str) -> Key:
    return Key(SYSTEM, heads_kind(chain.partition(".")[0], shard_of(chain)), chain)


def next_hash(key: str, chain: str, place: str, previous: str, text: str) -> str:
    """The hash of an entry or anchor; HMAC-SHA256 with a key, else SHA-256."""
    content = f"stratigos audit 2\n{chain}\n{place}\n{previous}\n{text}".encode()
    return (hmac.new(key.encode(), content, hashlib.sha256) if key else hashlib.sha256(content)).hexdigest()


class Chain(NamedTuple):
    """The end of a chain that this process alone writes."""

    suffix: str
    day: str
    end: Link = NO_LINK
    version: int = 0
    """Version of its head record."""

    @property
    def name(self) -> str:
        return f"{self.day}.{self.suffix}"


def open_chain(stamp: int) -> Chain:
    return Chain(secrets.token_hex(4), day_of(stamp))


def chain_puts(chain: Chain, key: str, stamps: range, texts: list[str]) -> tuple[list[Put], list[str], Chain]:
    """The writes that append the texts, their places, and the chain after them."""
    name, link, puts, places = chain.name, chain.end, list[Put](), list[str]()
    for stamp, text in zip(stamps, texts, strict=True):
        place = Place(stamp, chain.suffix, link.number + 1)
        link = Link(place.number, next_hash(key, name, str(place), link.hash, text))
        puts.append(Put(entry_key(place), {"entry": text, "hash": link.hash}, 0))
        places.append(str(place))
    puts.append(Put(head_key(name), link._asdict(), chain.version))
    if not chain.version:
        puts.append(Put(Key(SYSTEM, CHAIN, name), {}, 0))
    return puts, places, chain._replace(end=link, version=chain.version + 1)


def parse_head(record: Record) -> Link:
    try:
        return Link(int(record.document["number"]), str(record.document["hash"]))
    except (LookupError, ValueError, TypeError) as error:
        raise Corrupted(f"the head of chain {record.key.id} is malformed") from error


async def iterate_days(store: Store, since: str = "") -> AsyncGenerator[str]:
    """The days that have chains, from `since` on."""
    after = since or None
    while True:
        page = await store.records.list(SYSTEM, CHAIN, after=after, limit=1)
        if not page.records:
            return
        day = page.records[0].key.id.partition(".")[0]
        yield day
        after = f"{day}{AFTER_EVERY_CHAIN}"


async def heads_of(store: Store, day: str) -> dict[str, Record]:
    """The heads of the day's chains, by the name of the chain."""

    async def of_shard(shard: int) -> list[Record]:
        return [record async for record in iterate_records(store.records, SYSTEM, heads_kind(day, shard))]

    shards = await asyncio.gather(*(of_shard(shard) for shard in range(SHARDS)))
    return {record.key.id: record for records in shards for record in records}
