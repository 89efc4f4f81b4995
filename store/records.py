"""Port of the record storage: one versioned JSON document per key, listed by id, creation or label."""

from collections.abc import AsyncGenerator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Protocol, TypeAlias, runtime_checkable

from store.errors import Invalid
from store.keys import Key, check_kind, check_label, check_owner, check_prefix, check_range, is_audit_kind
from store.serialization import Document

__all__ = [
    "Document",
    "Key",
    "LabelName",
    "Labels",
    "Page",
    "PageQuery",
    "Put",
    "Record",
    "Records",
    "batches",
    "iterate_records",
]

MAX_WRITES = 100  # the limit of a DynamoDB transaction
MAX_PAGE = 1000

LabelName: TypeAlias = Literal["state", "about", "content"]
"""Attributes by which records can be listed, besides id and creation."""
Labels: TypeAlias = Mapping[LabelName, str]


@dataclass(frozen=True, slots=True)
class Record:
    key: Key
    document: Document
    version: int
    """1 after the first put, incremented by each further one."""


@dataclass(frozen=True, slots=True)
class Put:
    """One write; `expected` is the version that it replaces: 0 only creates, None replaces any version."""

    key: Key
    document: Document
    expected: int | None = None
    labels: Labels = field(default_factory=dict[LabelName, str])
    """Replace all labels of the record."""
    expires: datetime | None = None
    """From this time the record is not found; it is deleted some time later."""

    def __post_init__(self) -> None:
        for name, value in self.labels.items():
            check_label(name, value)
        if self.labels and is_audit_kind(self.key.kind):
            raise Invalid(f"{self.key} has labels; allowed are none for kinds of the audit log")
        if self.expires is not None and self.expires.tzinfo is None:
            raise Invalid(f"`expires` is {self.expires}; allowed is a time with a time zone")

    @property
    def writes(self) -> int:
        """The most items that it writes: its record, its place by creation, and a new and an old one of each label."""
        return 1 if is_audit_kind(self.key.kind) else 2 + 2 * len(self.labels)


@dataclass(frozen=True, slots=True)
class PageQuery:
    """The arguments of `Records.list`, checked."""

    owner: str
    kind: str
    prefix: str
    label: tuple[LabelName, str] | None
    after: str | None
    limit: int
    newest_first: bool

    def __post_init__(self) -> None:
        check_owner(self.owner)
        check_kind(self.kind)
        check_prefix(self.prefix)
        check_range("limit", self.limit, 1, MAX_PAGE)
        if self.label is not None:
            check_label(*self.label)
        if is_audit_kind(self.kind) and (self.newest_first or self.label is not None):
            raise Invalid(f"`kind` is {self.kind!r}, which is listed by id only, as all kinds of the audit log")


@dataclass(frozen=True, slots=True)
class Page:
    records: tuple[Record, ...]
    after: str | None
    """The cursor of the next page in the same order; None on the last page."""


@runtime_checkable
class Records(Protocol):
    """Adapters, which inherit `put` and `list`: `SqliteRecords` in `store.sqlite`, `DynamoRecords` in `store.aws`."""

    async def put(
        self,
        key: Key,
        document: Document,
        *,
        expected: int | None = None,
        labels: Labels | None = None,
        expires: datetime | None = None,
    ) -> int:
        """Write and return the new version; raises `Conflict` if the record is not at `expected` (see `Put`)."""
        (version,) = await self.put_many([Put(key, document, expected, labels or {}, expires)])
        return version

    async def put_many(self, puts: Sequence[Put]) -> tuple[int, ...]:
        """Write records in one transaction, each key once, and return their versions.

        The `writes` of all puts are at most 100, which are 50 records without labels; `batches` divides more.
        """
        ...

    async def get(self, key: Key) -> Record | None: ...

    async def get_many(self, keys: Sequence[Key]) -> tuple[Record | None, ...]:
        """The record of each key, in few requests where the storage can."""
        return tuple([await self.get(key) for key in keys])

    async def list(
        self,
        owner: str,
        kind: str,
        *,
        prefix: str = "",
        label: tuple[LabelName, str] | None = None,
        after: str | None = None,
        limit: int = 100,
        newest_first: bool = False,
    ) -> Page:
        """One page, ordered by id (as UTF-8 bytes), or by creation with the newest first; `label` filters.

        A walk over all pages returns each record that exists throughout exactly once, despite concurrent writes.
        """
        return await self.read_page(PageQuery(owner, kind, prefix, label, after, limit, newest_first))

    async def read_page(self, query: PageQuery) -> Page: ...

    async def delete(self, key: Key, *, expected: int | None = None) -> bool:
        """Whether the record existed; raises `Conflict` if it is not at version `expected`."""
        ...

    async def sweep(self) -> int:
        """Delete the expired records of all owners and return their number; 0 where the storage does it by itself."""
        ...


def check_batch(puts: Sequence[Put]) -> None:
    check_writes(sum(put.writes for put in puts))
    if len({put.key for put in puts}) < len(puts):
        raise Invalid("`puts` contains a key twice; each key may occur once")


def check_writes(count: int) -> None:
    if count > MAX_WRITES:
        raise Invalid(f"`puts` needs {count} writes; allowed are {MAX_WRITES} in one transaction")


def batches(puts: Iterable[Put]) -> Iterator[list[Put]]:
    """The puts in order, in as few transactions as `put_many` allows."""
    batch: list[Put] = []
    writes = 0
    for put in puts:
        if writes + put.writes > MAX_WRITES:
            yield batch
            batch, writes = [], 0
        batch.append(put)
        writes += put.writes
    if batch:
        yield batch


async def iterate_records(
    records: Records,
    owner: str,
    kind: str,
    *,
    prefix: str = "",
    label: tuple[LabelName, str] | None = None,
    newest_first: bool = False,
    limit: int = MAX_PAGE,
) -> AsyncGenerator[Record]:
    """Yield the records of all pages, which have at most `limit` records."""
    after = None
    while True:
        page = await records.list(
            owner, kind, prefix=prefix, label=label, after=after, limit=limit, newest_first=newest_first
        )
        for record in page.records:
            yield record
        if page.after is None:
            return
        after = page.after
