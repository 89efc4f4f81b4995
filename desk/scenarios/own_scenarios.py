"""Own scenarios of a user: create, copy, replace and delete."""

from collections.abc import Collection

from desk.base.errors import Conflicting, InvalidInput, NotFound
from desk.scenarios.repository import (
    BUILT_IN_SCENARIOS,
    KIND,
    MAX_SCENARIOS,
    check_engine,
    load_catalog,
)
from desk.scenarios.schemas import HISTORY
from quant.worlds.scenario import Scenario
from store.errors import Conflict
from store.records import Key, Record
from store.store import Store

BUILT_IN_VERSION = 0
"""Version of the built-in scenarios, which never change."""


class NoSuchScenario(NotFound):
    """The owner has no scenario of this name."""

    code = "no_such_scenario"

    def __init__(self, name: str) -> None:
        super().__init__(f"scenario: there is none with the name {name!r}; expected one that GET /api/scenarios lists")


class NameTaken(Conflicting):
    """The owner has a scenario of this name, or the name has another meaning."""

    code = "name_taken"

    def __init__(self, name: str) -> None:
        super().__init__(f"name: the name {name} is taken; expected another name")


class BuiltIn(Conflicting):
    """A built-in scenario cannot be changed."""

    code = "built_in"

    def __init__(self, name: str) -> None:
        super().__init__(f"scenario: {name} is built in and cannot be changed; expected a copy of it, which can")


class ScenarioChanged(Exception):
    """The scenario has another version than the request expects."""

    def __init__(self, name: str, version: int) -> None:
        super().__init__(f"the scenario {name} is now at version {version}; read it again before changing it")


async def load_scenario(store: Store, owner: str, name: str) -> tuple[Scenario, int]:
    """A built-in or own scenario with its version."""
    built_in = next((scenario for scenario in BUILT_IN_SCENARIOS if scenario.name == name), None)
    if built_in is not None:
        return built_in, BUILT_IN_VERSION
    record = await _load(store, owner, name)
    return Scenario.model_validate(record.document), record.version


async def create_scenario(store: Store, owner: str, scenario: Scenario) -> int:
    """Store a new scenario and return its version."""
    book = await load_catalog(store, owner)
    if scenario.name == HISTORY or any(scenario.name == known.name for known in book.scenarios):
        raise NameTaken(scenario.name)
    if len(book.entries) - len(BUILT_IN_SCENARIOS) >= MAX_SCENARIOS:
        raise InvalidInput("scenario", scenario.name, allowed=f"at most {MAX_SCENARIOS} scenarios of your own")
    check_engine(scenario, scenario.engine)
    try:
        return await store.records.put(_key(owner, scenario.name), scenario.model_dump(mode="json"), expected=0)
    except Conflict as error:
        raise NameTaken(scenario.name) from error


async def clone_scenario(store: Store, owner: str, source: str, name: str) -> tuple[Scenario, int]:
    """Store a copy of a built-in or own scenario under a new name."""
    copy = (await load_scenario(store, owner, source))[0].model_copy(update={"name": name})
    return copy, await create_scenario(store, owner, copy)


async def replace_scenario(
    store: Store, owner: str, scenario: Scenario, *, versions: Collection[int] | None = None
) -> int:
    """Replace an own scenario and return its version; raises `ScenarioChanged` unless at one of `versions`.

    Stored jobs and results hold the scenario that they used.
    """
    record = await _load_own(store, owner, scenario.name, versions)
    check_engine(scenario, scenario.engine)
    try:
        return await store.records.put(record.key, scenario.model_dump(mode="json"), expected=record.version)
    except Conflict as error:
        raise ScenarioChanged(scenario.name, record.version + 1) from error


async def delete_scenario(store: Store, owner: str, name: str, *, versions: Collection[int] | None = None) -> None:
    record = await _load_own(store, owner, name, versions)
    try:
        await store.records.delete(record.key, expected=record.version)
    except Conflict as error:
        raise ScenarioChanged(name, record.version + 1) from error


async def _load_own(store: Store, owner: str, name: str, versions: Collection[int] | None) -> Record:
    if any(name == scenario.name for scenario in BUILT_IN_SCENARIOS):
        raise BuiltIn(name)
    record = await _load(store, owner, name)
    if versions is not None and record.version not in versions:
        raise ScenarioChanged(name, record.version)
    return record


async def _load(store: Store, owner: str, name: str) -> Record:
    record = await store.records.get(_key(owner, name))
    if record is None:
        raise NoSuchScenario(name)
    return record


def _key(owner: str, name: str) -> Key:
    return Key(owner, KIND, name)
