"""Saved strategies: named, in immutable versions."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pydantic import Field

from desk.base.errors import InvalidInput
from desk.base.names import clean_name, name_key
from desk.figures import labels
from desk.figures.figures import Figure
from desk.figures.sheet import Sheet
from desk.strategies.search_options import OTHER_PRICES, SearchOptions
from desk.strategies.templates import Rule
from quant.numeric.frozen import Frozen
from store.errors import Conflict
from store.records import Key, iterate_records
from store.store import Store

KIND = "strategy"
ARCHIVE = "archived-strategy"
"""Kind of the records that mark archived strategies."""
CONTENT = ("universe", "rule", "search")
"""Fields in which versions differ."""
TOOL = "save_strategy"


class SavedStrategy(Frozen):
    """One version of a saved strategy; names are case-insensitive and keep their first spelling."""

    name: str = Field(description="Name, unique among your strategies whatever the case", examples=["Core"])
    version: int = Field(description="1, 2, 3, ...; a version never changes", examples=[2])
    universe: str = Field(description="Prices on which it is meant to hold", examples=["sp500"])
    rule: Rule = Field(description="The configuration and its mandate")
    search: SearchOptions
    note: str = Field(default="", description="Why the version was saved", examples=["slower estimator"])
    saved_at: datetime | None = Field(default=None, description="When it was saved; null for older versions")


async def save_strategy(
    store: Store,
    owner: str,
    name: str,
    rule: Rule,
    *,
    universe: str = "sp500",
    beside: Mapping[str, Any] | None = None,
    note: str = "",
    now: datetime | None = None,
) -> SavedStrategy:
    """Store version 1 of a new name, or the next version; saving the latest one again changes nothing.

    An archived strategy is in use again. The options of its searches stay those of the latest version, but for those
    of `beside` (see `OTHER_PRICES`), None for none.
    """
    text = clean_name("name", name)
    await store.records.delete(Key(owner, ARCHIVE, name_key(text)))
    while True:
        versions = await load_versions(store, owner, name_key(text))
        search = versions[-1].search if versions else {}
        if beside is not None:
            search = {**{name: value for name, value in search.items() if name not in OTHER_PRICES}, **beside}
        if versions and (versions[-1].rule, versions[-1].universe, versions[-1].search) == (rule, universe, search):
            return versions[-1]
        strategy = SavedStrategy(
            name=versions[0].name if versions else text,
            version=len(versions) + 1,
            universe=universe,
            rule=rule,
            search=search,
            note=note,
            saved_at=now,
        )
        try:
            await put_version(store, owner, strategy)
        except Conflict:  # a concurrent save of the same name
            continue
        return strategy


async def put_version(store: Store, owner: str, strategy: SavedStrategy) -> None:
    """Store a version; raises `Conflict` if the name has it already."""
    key = Key(owner, KIND, f"{name_key(strategy.name)}.{strategy.version:06d}")
    await store.records.put(key, strategy.model_dump(mode="json"), expected=0)


async def load_strategy(store: Store, owner: str, name: str, version: int | None = None) -> SavedStrategy:
    """Load a version, by default the latest."""
    versions = await load_versions(store, owner, name_key(clean_name("name", name)))
    if not versions:
        names = ", ".join(strategy.name for strategy in await list_strategies(store, owner))
        raise InvalidInput("name", name, reason="no strategy has that name", allowed=names or "one that you save first")
    if version is not None and not 1 <= version <= len(versions):
        raise InvalidInput("version", version, allowed=f"1 to {len(versions)}")
    return versions[(version or len(versions)) - 1]


async def list_strategies(store: Store, owner: str) -> tuple[SavedStrategy, ...]:
    """Return the latest version of each strategy, by name."""
    latest: dict[str, SavedStrategy] = {}
    async for record in iterate_records(store.records, owner, KIND):
        strategy = SavedStrategy.model_validate(record.document)
        latest[name_key(strategy.name)] = strategy
    return tuple(sorted(latest.values(), key=lambda saved: saved.name.casefold()))


def saved_strategy_figures(saved: SavedStrategy) -> tuple[Figure, ...]:
    sheet = Sheet(TOOL, "saved")
    sheet.add("name", "name under which the strategy was saved", saved.name, "text")
    sheet.add("version", "version of the saved strategy", saved.version, "count")
    sheet.add("configuration", "the configuration that was saved", labels.strategy_label(saved.rule.config), "text")
    target = saved.rule.mandate.target_volatility
    sheet.add("target_volatility", "target volatility of the saved strategy", target, "percent")
    return sheet.figures


async def load_versions(store: Store, owner: str, strategy_id: str) -> list[SavedStrategy]:
    """Load all versions of the strategy with this id, the key of its name, in order."""
    records = iterate_records(store.records, owner, KIND, prefix=f"{strategy_id}.")
    return [SavedStrategy.model_validate(record.document) async for record in records]
