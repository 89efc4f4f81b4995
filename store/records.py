"""Typed documents, one per key, each with a version."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Protocol, TypeAlias, runtime_checkable

from store.errors import Invalid
from store.keys import Key, check_label
from store.serialization import Document

__all__ = ["Document", "Key", "LabelName", "Labels", "Page", "Put", "Record", "Records", "iterate_records"]

MAX_BATCH = 100  # what one DynamoDB transaction takes
MAX_PAGE = 1000

LabelName: TypeAlias = Literal["state", "about", "content"]
"""What records can be listed by, besides id and creation; DynamoDB has one local index for each."""
Labels: TypeAlias = Mapping[LabelName, str]


@dataclass(frozen=True, slots=True)
class Record:
    key: Key
    document: Document
    version: int
    """1 after the first put, one more after each."""


@dataclass(frozen=True, slots=True)
class Put:
    """One write; `expected` is the version it replaces: 0 creates only, None replaces any."""

    key: Key
    document: Document
    expected: int | None = None
    labels: Labels = field(default_factory=dict[LabelName, str])
    """Replace those that the record had."""
    expires: datetime | None = None
    """From then on nobody finds the record, and some time later it is gone."""

    def __post_init__(self) -> None:
        for name, value in self.labels.items():
            check_label(name, value)
        if self.expires is not None and self.expires.tzinfo is None:
            raise Invalid(f"`expires` is {self.expires}; allowed is a time with its zone")


@dataclass(frozen=True, slots=True)
class Page:
    records: tuple[Record, ...]
    after: str | None
    """The cursor of the next page, good for the same order only; None at the end."""


@runtime_checkable
class Records(Protocol):
    """Port. Adapters: `store.sqlite.database.SqliteRecords`, `store.aws.records.DynamoRecords`."""

    async def put(
        self,
        key: Key,
        document: Document,
        *,
        expected: int | None = None,
        labels: Labels | None = None,
        expires: datetime | None = None,
    ) -> int:
        """Write and return the new version; `Conflict` unless `expected` fits (see `Put`)."""
        ...

    async def put_many(self, puts: Sequence[Put]) -> tuple[int, ...]:
        """All or none, in one transaction: at most 100 puts, each key once."""
        ...

    async def get(self, key: Key) -> Record | None: ...

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
        """One page, ordered by id (as UTF-8 bytes), or by creation with the newest first; with `label` those only.

        Records that stand through the whole walk appear exactly once, whatever others do.
        """
        ...

    async def delete(self, key: Key, *, expected: int | None = None) -> bool:
        """True if there was something to delete; `Conflict` unless `expected` fits."""
        ...

    async def sweep(self) -> int:
        """Delete what has expired, of all owners; how many there were."""
        ...


def check_batch(puts: Sequence[Put]) -> None:
    if len(puts) > MAX_BATCH:
        raise Invalid(f"`puts` has {len(puts)} entries; allowed are {MAX_BATCH}")
    if len({put.key for put in puts}) < len(puts):
        raise Invalid("`puts` has a key twice; allowed is once")


async def iterate_records(
    records: Records,
    owner: str,
    kind: str,
    *,
    prefix: str = "",
    label: tuple[LabelName, str] | None = None,
    newest_first: bool = False,
) -> AsyncGenerator[Record]:
    """Walk all pages."""
    after = None
    while True:
        page = await records.list(
            owner, kind, prefix=prefix, label=label, after=after, limit=MAX_PAGE, newest_first=newest_first
        )
        for record in page.records:
            yield record
        if page.after is None:
            return
        after = page.after
