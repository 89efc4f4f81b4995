"""The scenario catalog of an owner: built-in scenarios and stored ones."""

import math
from collections.abc import Sequence
from typing import Any

from pydantic import ValidationError

from desk.base.errors import InvalidInput, reason_and_allowed
from desk.base.names import identifier
from desk.base.text import number, plural, spaced
from desk.figures.figures import Figure
from desk.figures.sheet import Sheet
from desk.scenarios.schemas import HISTORY, ScenarioShown
from quant.numeric.errors import DataError
from quant.numeric.frozen import Frozen
from quant.worlds.scenario import BUILT_IN, CYCLE, GBM_BANNER, Engine, Scenario
from store.errors import Conflict
from store.records import Key, iterate_records
from store.store import Store

KIND = "scenario"
TOOL = "show_scenarios"
BUILT_IN_SCENARIOS: tuple[Scenario, ...] = (*BUILT_IN, CYCLE)
OWN_PROBABILITY = 0.10
"""Default probability of an own scenario, as of the bear market; 0 would exclude it from every objective."""
TOLERANCE = 1e-9
"""Distance from one at which probabilities are a whole."""
MAX_SCENARIOS = 50
"""Limit on the stored scenarios of one owner."""
_FROM_HISTORY = ("bootstrap", "conditional_bootstrap", "replay")


class ScenarioValues(Frozen):
    """Values of an own scenario; None keeps the value of `like`. Ranges are those of a scenario."""

    name: str
    like: str = "base_case"
    mu: float | None = None
    sigma: float | None = None
    cash_rate: float | None = None
    bond_correlation: float | None = None
    engine: Engine | None = None


class ScenarioEntry(Frozen):
    scenario: Scenario
    own: bool
    losing: bool
    """Whether its mean return is below its cash rate."""
    banner: str | None
    """Notice required beside every result of the scenario."""


class ScenarioCatalog(Frozen):
    entries: tuple[ScenarioEntry, ...]
    figures: tuple[Figure, ...]

    @property
    def scenarios(self) -> tuple[Scenario, ...]:
        return tuple(entry.scenario for entry in self.entries)


async def list_scenarios(store: Store, owner: str) -> tuple[ScenarioShown, ...]:
    """List the scenarios of `owner`, each with its own figures."""
    book = await load_catalog(store, owner)
    return tuple(show_scenario(entry.scenario) for entry in book.entries)


def show_scenario(scenario: Scenario) -> ScenarioShown:
    """The scenario with its own figures."""
    book = _build_catalog((scenario,))
    (entry,) = book.entries
    return ScenarioShown(
        scenario=scenario,
        own=entry.own,
        losing=entry.losing,
        banner=entry.banner,
        figures=book.figures[1:-1],  # the first and the last are about the list
    )


async def load_catalog(store: Store, owner: str) -> ScenarioCatalog:
    """Load the built-in scenarios, then those of `owner` by name."""
    own = [Scenario.model_validate(record.document) async for record in iterate_records(store.records, owner, KIND)]
    scenarios = (*BUILT_IN_SCENARIOS, *sorted(own, key=lambda scenario: scenario.name))
    return _build_catalog(scenarios, math.fsum(scenario.probability for scenario in scenarios))


def built_in_catalog() -> ScenarioCatalog:
    """Return the catalog without own scenarios."""
    return _build_catalog(BUILT_IN_SCENARIOS)


def select_scenarios(book: ScenarioCatalog, names: Sequence[str]) -> ScenarioCatalog:
    """Return the catalog of the named scenarios, in that order."""
    total = math.fsum(scenario.probability for scenario in book.scenarios)
    return _build_catalog(tuple(find_scenario(book, name) for name in dict.fromkeys(names)), total)


def find_scenario(book: ScenarioCatalog, name: str) -> Scenario:
    """Find a scenario by its identifier or its spoken name."""
    identifier_ = identifier("scenario", name)
    for scenario in book.scenarios:
        if scenario.name == identifier_:
            return scenario
    allowed = ", ".join(scenario.name for scenario in book.scenarios)
    raise InvalidInput("scenario", name, reason=f"there is no scenario {identifier_}", allowed=allowed)


def with_probabilities(scenarios: Sequence[Scenario]) -> tuple[Scenario, ...]:
    """Return `scenarios` for a request: equally likely if none has a probability."""
    if any(scenario.probability > 0.0 for scenario in scenarios):
        return tuple(scenarios)
    return tuple(scenario.model_copy(update={"probability": 1.0 / len(scenarios)}) for scenario in scenarios)


async def add_scenario(store: Store, owner: str, values: ScenarioValues) -> Scenario:
    """Store an own scenario; adding the same one again changes nothing."""
    book = await load_catalog(store, owner)
    scenario = _build_scenario(values, find_scenario(book, values.like))
    existing = next((known for known in book.scenarios if known.name == scenario.name), None)
    if existing == scenario:
        return scenario
    if existing is not None or scenario.name == HISTORY:
        raise _name_taken(scenario.name)
    if len(book.entries) - len(BUILT_IN_SCENARIOS) >= MAX_SCENARIOS:
        raise InvalidInput("scenario", scenario.name, allowed=f"at most {MAX_SCENARIOS} scenarios of your own")
    try:
        await store.records.put(Key(owner, KIND, scenario.name), scenario.model_dump(mode="json"), expected=0)
    except Conflict:
        record = await store.records.get(Key(owner, KIND, scenario.name))
        if record is None or Scenario.model_validate(record.document) != scenario:
            raise _name_taken(scenario.name) from None
    return scenario


def _name_taken(name: str) -> InvalidInput:
    return InvalidInput("name", name, reason=f"the name {name} is taken", allowed="another name", code="name_taken")


def _build_scenario(values: ScenarioValues, like: Scenario) -> Scenario:
    changes: dict[str, Any] = values.model_dump(exclude_none=True, exclude={"name", "like"})
    if like.states and changes.keys() & {"mu", "sigma", "engine"}:
        allowed = "base_case or another scenario without states"
        raise InvalidInput("like", like.name, reason=f"{like.name} moves through states of its own", allowed=allowed)
    identity = {"name": identifier("name", values.name), "probability": OWN_PROBABILITY}
    try:
        scenario = Scenario.model_validate(like.model_dump() | changes | identity)
    except ValidationError as error:
        details = error.errors(include_url=False)[0]
        allowed = details["msg"].removeprefix("Input should be ")
        raise InvalidInput(str(details["loc"][-1]), details["input"], allowed=allowed) from error
    check_engine(scenario, ", ".join(f"{name} {value}" for name, value in changes.items()))
    return scenario


def check_engine(scenario: Scenario, value: object) -> None:
    """Raise `InvalidInput` with `value` if the engine cannot draw paths with these parameters."""
    from quant.worlds.paths import path_model  # imports numpy and numba, which reading the catalog does not need

    if scenario.engine in _FROM_HISTORY:
        return
    try:
        path_model(scenario, seed=0)
    except DataError as error:
        reason, allowed = reason_and_allowed(str(error))
        raise InvalidInput("scenario", value, reason=reason, allowed=allowed or "other values") from error


def _build_catalog(scenarios: tuple[Scenario, ...], total: float = 1.0) -> ScenarioCatalog:
    """The catalog with figures, whose probabilities are divided by the `total` of all scenarios of a person."""
    built_in_names = {scenario.name for scenario in BUILT_IN_SCENARIOS}
    sheet = Sheet(TOOL, "scenario")
    sheet.add("count", "scenarios shown", len(scenarios), "count")
    for scenario in scenarios:
        _add_figures(sheet, scenario, total)
    names = ", ".join(spaced(scenario.name) for scenario in scenarios)
    scaled = abs(total - 1.0) > TOLERANCE
    scaling = (
        f" Their probabilities add to {number(100.0 * total)}%, and a search scales those of its scenarios to 100%, as "
        "the table shows."
    )
    own = [spaced(scenario.name) for scenario in scenarios if scenario.name not in built_in_names]
    yours = f"; your own among them: {', '.join(own)}" if own else "; none of them is your own"
    listed = f"There are {plural(len(scenarios), 'scenario')}: {names}{yours}."
    sheet.say("list_sentence", listed + (scaling if scaled else ""))
    return ScenarioCatalog(
        entries=tuple(
            ScenarioEntry(
                scenario=scenario,
                own=scenario.name not in built_in_names,
                losing=scenario.mu < scenario.cash_rate,
                banner=GBM_BANNER if scenario.engine == "gbm" else None,
            )
            for scenario in scenarios
        ),
        figures=sheet.figures,
    )


def _add_figures(sheet: Sheet, scenario: Scenario, total: float) -> None:
    # the name is an identifier: letters, digits and underscores
    name = scenario.name
    inside = f'in the scenario "{spaced(name)}"'
    sheet.add(f"{name}_name", "a scenario by name", spaced(name), "text")
    sheet.add(f"{name}_engine", "way in which its paths are drawn", spaced(scenario.engine), "text")
    sheet.add(f"{name}_mu", f"expected yearly return of the risky asset {inside}", scenario.mu, "percent")
    sheet.add(f"{name}_sigma", f"yearly volatility of the risky asset {inside}", scenario.sigma, "percent")
    sheet.add(f"{name}_cash", f"yearly cash rate {inside}", scenario.cash_rate, "percent")
    ratio = (scenario.mu - scenario.cash_rate) / scenario.sigma
    sheet.add(f"{name}_sharpe", f"Sharpe ratio of the risky asset {inside}", ratio, "ratio")
    sheet.add(f"{name}_bonds", f"correlation of equity and bonds {inside}", scenario.bond_correlation, "ratio")
    given, scaled = (number(100.0 * value) for value in (scenario.probability, scenario.probability / total))
    share = "" if given == scaled else f"; beside your own scenarios a search scales it to {scaled}%"
    sheet.say(f"{name}_p_sentence", f"The probability of the scenario {spaced(name)} is {given}% by default{share}.")
    sheet.add(f"{name}_p", f"default probability {inside}", scenario.probability / total, "probability")
