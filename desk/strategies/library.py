"""The strategy library of an owner: strategies with their versions, differences, copies, archive and files."""

from collections.abc import Collection, Iterator
from datetime import datetime
from typing import Any

from desk.base.errors import Conflicting, InvalidInput, NotFound
from desk.base.names import clean_name, name_key
from desk.figures.labels import strategy_label
from desk.strategies.library_schemas import (
    SCHEMA,
    SCHEMA_VERSION,
    LibraryEntry,
    StrategyContent,
    StrategyDifference,
    StrategyDocument,
)
from desk.strategies.repository import ARCHIVE, CONTENT, KIND, SavedStrategy, load_versions, put_version
from store.errors import Conflict
from store.records import Key, iterate_records
from store.store import Store


class NoSuchStrategy(NotFound):
    """The owner has no strategy with this id."""

    code = "no_such_strategy"

    def __init__(self, strategy_id: str) -> None:
        super().__init__(f"strategy: there is none with the id {strategy_id!r}; expected one of your strategies")


class NameTaken(Conflicting):
    """The owner has a strategy of this name."""

    code = "name_taken"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"name: there is a strategy {name!r}; expected another name, or a new version of that strategy"
        )


class Archived(Conflicting):
    """An archived strategy gets no new versions."""

    code = "archived"

    def __init__(self, name: str) -> None:
        super().__init__(f"strategy: {name!r} is archived; restore it before saving a version")


class StrategyChanged(Exception):
    """The strategy has another latest version than the request expects."""


async def create_strategy(
    store: Store, owner: str, name: str, content: StrategyContent, *, now: datetime
) -> LibraryEntry:
    """Save version 1 under a new name."""
    strategy = _version(clean_name("name", name), 1, content, now)
    try:
        await put_version(store, owner, strategy)
    except Conflict as error:
        raise NameTaken(strategy.name) from error
    return _entry([strategy], None)


async def list_library(store: Store, owner: str, *, archived: bool) -> list[LibraryEntry]:
    """The strategies in use, or the archived ones, by name."""
    versions: dict[str, list[SavedStrategy]] = {}
    async for record in iterate_records(store.records, owner, KIND):
        versions.setdefault(record.key.id.partition(".")[0], []).append(SavedStrategy.model_validate(record.document))
    times = {
        record.key.id: datetime.fromisoformat(record.document["at"])
        async for record in iterate_records(store.records, owner, ARCHIVE)
    }
    entries = [_entry(each, times.get(id_)) for id_, each in versions.items() if (id_ in times) == archived]
    return sorted(entries, key=lambda entry: entry.latest.name.casefold())


async def load_entry(store: Store, owner: str, strategy_id: str) -> LibraryEntry:
    record = await store.records.get(Key(owner, ARCHIVE, strategy_id))
    archived_at = None if record is None else datetime.fromisoformat(record.document["at"])
    return _entry(await load_all_versions(store, owner, strategy_id), archived_at)


async def load_all_versions(store: Store, owner: str, strategy_id: str) -> list[SavedStrategy]:
    """All versions, in order; raises `NoSuchStrategy` without any."""
    versions = await load_versions(store, owner, strategy_id)
    if not versions:
        raise NoSuchStrategy(strategy_id)
    return versions


async def load_version(store: Store, owner: str, strategy_id: str, version: int | None) -> SavedStrategy:
    """One version, by default the latest."""
    return _select(await load_all_versions(store, owner, strategy_id), "version", version)


async def add_version(
    store: Store,
    owner: str,
    strategy_id: str,
    content: StrategyContent,
    *,
    now: datetime,
    versions: Collection[int] | None = None,
) -> LibraryEntry:
    """Save the next version; the content of the latest one changes nothing.

    Raises `StrategyChanged` unless the latest version is one of `versions`.
    """
    while True:
        entry = await load_entry(store, owner, strategy_id)
        if versions is not None and entry.latest.version not in versions:
            raise StrategyChanged(
                f"the strategy is now at version {entry.latest.version}; read it again before saving a version"
            )
        if entry.archived_at is not None:
            raise Archived(entry.latest.name)
        if all(getattr(entry.latest, field) == getattr(content, field) for field in CONTENT):
            return entry
        strategy = _version(entry.latest.name, entry.latest.version + 1, content, now)
        try:
            await put_version(store, owner, strategy)
        except Conflict:  # saved at the same time: the check of `versions` decides
            continue
        return entry.model_copy(
            update={"latest": strategy, "versions": strategy.version, "label": strategy_label(strategy.rule.config)}
        )


async def differences(
    store: Store, owner: str, strategy_id: str, first: int, second: int
) -> tuple[StrategyDifference, ...]:
    """The fields of rule, universe and search in which two versions differ."""
    versions = await load_all_versions(store, owner, strategy_id)
    before, after = (
        dict(_leaves(_select(versions, field, number).model_dump(mode="json", include=set(CONTENT))))
        for field, number in (("first", first), ("second", second))
    )
    return tuple(
        StrategyDifference(field=field, before=before.get(field), after=after.get(field))
        for field in dict.fromkeys((*before, *after))
        if before.get(field) != after.get(field)
    )


async def clone_strategy(
    store: Store, owner: str, strategy_id: str, name: str, version: int | None, *, now: datetime
) -> LibraryEntry:
    """Save a version as version 1 of a new name."""
    source = await load_version(store, owner, strategy_id, version)
    note = f"copy of {source.name}, version {source.version}"
    content = StrategyContent(rule=source.rule, universe=source.universe, search=source.search, note=note)
    return await create_strategy(store, owner, name, content, now=now)


async def archive_strategy(store: Store, owner: str, strategy_id: str, *, now: datetime) -> LibraryEntry:
    """Take the strategy out of the list; an archived one keeps its time."""
    entry = await load_entry(store, owner, strategy_id)
    if entry.archived_at is not None:
        return entry
    await store.records.put(Key(owner, ARCHIVE, strategy_id), {"at": now.isoformat()})
    return entry.model_copy(update={"archived_at": now})


async def restore_strategy(store: Store, owner: str, strategy_id: str) -> LibraryEntry:
    """Return an archived strategy to the list."""
    entry = await load_entry(store, owner, strategy_id)
    await store.records.delete(Key(owner, ARCHIVE, strategy_id))
    return entry.model_copy(update={"archived_at": None})


def to_document(strategy: SavedStrategy) -> StrategyDocument:
    content = strategy.model_dump(include={"name", *CONTENT, "note"})
    return StrategyDocument.model_validate(content | {"schema": SCHEMA, "schema_version": SCHEMA_VERSION})


def _version(name: str, number: int, content: StrategyContent, now: datetime) -> SavedStrategy:
    return SavedStrategy(
        name=name,
        version=number,
        universe=content.universe,
        rule=content.rule,
        search=content.search,
        note=content.note,
        saved_at=now,
    )


def _entry(versions: list[SavedStrategy], archived_at: datetime | None) -> LibraryEntry:
    latest = versions[-1]
    return LibraryEntry(
        id=name_key(latest.name),
        label=strategy_label(latest.rule.config),
        latest=latest,
        versions=len(versions),
        archived_at=archived_at,
    )


def _select(versions: list[SavedStrategy], field: str, number: int | None) -> SavedStrategy:
    if number is not None and not 1 <= number <= len(versions):
        raise InvalidInput(field, number, allowed=f"1 to {len(versions)}")
    return versions[(number or len(versions)) - 1]


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """The values of a JSON document by their paths."""
    if isinstance(value, dict):
        for name, part in value.items():  # pyright: ignore[reportUnknownVariableType]
            yield from _leaves(part, f"{path}.{name}" if path else str(name))  # pyright: ignore[reportUnknownArgumentType]
    elif value is not None:
        yield path, value
