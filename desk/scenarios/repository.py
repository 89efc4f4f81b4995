"""The scenarios that a person can choose from: those that are built in, and those of their own, kept in the store."""

from collections.abc import Sequence
from typing import Any

from pydantic import ValidationError

from desk.base.errors import InvalidInput, reason_and_allowed
from desk.base.names import identifier
from desk.figures import labels
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
GIVEN: tuple[Scenario, ...] = (*BUILT_IN, CYCLE)
OWN_PROBABILITY = 0.10
"""Of a scenario of one's own beside others, as of the bear market; 0 would leave it out of every objective."""
MOST = 50
"""Scenarios of one owner."""
_FROM_HISTORY = ("bootstrap", "conditional_bootstrap", "replay")


class ScenarioValues(Frozen):
    """A scenario of one's own, as values; what is None stays as in `like`. Ranges are those of a scenario."""

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
    """What must stand beside every result of it."""


class ScenarioBook(Frozen):
    entries: tuple[ScenarioEntry, ...]
    figures: tuple[Figure, ...]

    @property
    def scenarios(self) -> tuple[Scenario, ...]:
        return tuple(entry.scenario for entry in self.entries)


async def shown_scenarios(store: Store, owner: str) -> tuple[ScenarioShown, ...]:
    """Each with the figures that are its own."""
    book = await scenario_book(store, owner)
    return tuple(
        ScenarioShown(
            scenario=entry.scenario,
            own=entry.own,
            losing=entry.losing,
            banner=entry.banner,
            figures=_book((entry.scenario,)).figures[1:],  # the first counts them
        )
        for entry in book.entries
    )


async def scenario_book(store: Store, owner: str) -> ScenarioBook:
    """The built-in scenarios, then those of `owner` by name."""
    own = [Scenario.model_validate(record.document) async for record in iterate_records(store.records, owner, KIND)]
    return _book((*GIVEN, *sorted(own, key=lambda scenario: scenario.name)))


def built_in() -> ScenarioBook:
    """Those that everybody has."""
    return _book(GIVEN)


def chosen(book: ScenarioBook, names: Sequence[str]) -> ScenarioBook:
    """Those that `names` name, in that order."""
    return _book(tuple(named(book, name) for name in dict.fromkeys(names)))


def named(book: ScenarioBook, name: str) -> Scenario:
    """The scenario of that name, as it is written or as a person would say it."""
    wanted = identifier("scenario", name)
    for scenario in book.scenarios:
        if scenario.name == wanted:
            return scenario
    allowed = ", ".join(scenario.name for scenario in book.scenarios)
    raise InvalidInput("scenario", name, reason=f"there is no scenario {wanted}", allowed=allowed)


def weighted(scenarios: Sequence[Scenario]) -> tuple[Scenario, ...]:
    """`scenarios` for a request: equally likely where none of them has a probability."""
    if any(scenario.probability > 0.0 for scenario in scenarios):
        return tuple(scenarios)
    return tuple(scenario.model_copy(update={"probability": 1.0 / len(scenarios)}) for scenario in scenarios)


async def add_scenario(store: Store, owner: str, values: ScenarioValues) -> Scenario:
    """Keep a scenario of one's own; adding the same one again changes nothing."""
    book = await scenario_book(store, owner)
    made = _made(values, named(book, values.like))
    taken = next((scenario for scenario in book.scenarios if scenario.name == made.name), None)
    if taken == made:
        return made
    if taken is not None or made.name == HISTORY:
        raise _taken(made.name)
    if len(book.entries) - len(GIVEN) >= MOST:
        raise InvalidInput("scenario", made.name, allowed=f"at most {MOST} scenarios of your own")
    try:
        await store.records.put(Key(owner, KIND, made.name), made.model_dump(mode="json"), expected=0)
    except Conflict:
        record = await store.records.get(Key(owner, KIND, made.name))
        if record is None or Scenario.model_validate(record.document) != made:
            raise _taken(made.name) from None
    return made


def _taken(name: str) -> InvalidInput:
    return InvalidInput("name", name, reason=f"the name {name} is taken", allowed="another name", code="name_taken")


def _made(values: ScenarioValues, like: Scenario) -> Scenario:
    from quant.worlds.paths import path_model

    changes: dict[str, Any] = values.model_dump(exclude_none=True, exclude={"name", "like"})
    if like.states and changes.keys() & {"mu", "sigma", "engine"}:
        allowed = "base_case or another scenario without states"
        raise InvalidInput("like", like.name, reason=f"{like.name} moves through states of its own", allowed=allowed)
    identity = {"name": identifier("name", values.name), "probability": OWN_PROBABILITY}
    try:
        made = Scenario.model_validate(like.model_dump() | changes | identity)
        if made.engine not in _FROM_HISTORY:
            path_model(made, seed=0)
    except ValidationError as error:
        details = error.errors(include_url=False)[0]
        allowed = details["msg"].removeprefix("Input should be ")
        raise InvalidInput(str(details["loc"][-1]), details["input"], allowed=allowed) from error
    except DataError as error:
        reason, allowed = reason_and_allowed(str(error))
        given = ", ".join(f"{name} {value}" for name, value in changes.items())
        raise InvalidInput("scenario", given, reason=reason, allowed=allowed or "other values") from error
    return made


def _book(scenarios: tuple[Scenario, ...]) -> ScenarioBook:
    given = {scenario.name for scenario in GIVEN}
    sheet = Sheet(TOOL, "scenario")
    sheet.add("count", "scenarios shown", len(scenarios), "count")
    for scenario in scenarios:
        _say(sheet, scenario)
    return ScenarioBook(
        entries=tuple(
            ScenarioEntry(
                scenario=scenario,
                own=scenario.name not in given,
                losing=scenario.mu < scenario.cash_rate,
                banner=GBM_BANNER if scenario.engine == "gbm" else None,
            )
            for scenario in scenarios
        ),
        figures=sheet.figures,
    )


def _say(sheet: Sheet, scenario: Scenario) -> None:
    # its name is an identifier that this program wrote: letters, digits and underscores
    name = scenario.name
    inside = f'in the scenario "{labels.plain_label(name)}"'
    sheet.add(f"{name}_name", "a scenario by name", labels.plain_label(name), "text")
    sheet.add(f"{name}_engine", "way in which its paths are drawn", labels.plain_label(scenario.engine), "text")
    sheet.add(f"{name}_mu", f"expected yearly return of the risky asset {inside}", scenario.mu, "percent")
    sheet.add(f"{name}_sigma", f"yearly volatility of the risky asset {inside}", scenario.sigma, "percent")
    sheet.add(f"{name}_cash", f"yearly cash rate {inside}", scenario.cash_rate, "percent")
    ratio = (scenario.mu - scenario.cash_rate) / scenario.sigma
    sheet.add(f"{name}_sharpe", f"Sharpe ratio of the risky asset {inside}", ratio, "ratio")
    sheet.add(f"{name}_bonds", f"correlation of equity and bonds {inside}", scenario.bond_correlation, "ratio")
    sheet.add(f"{name}_p", f"default probability {inside}", scenario.probability, "probability")
