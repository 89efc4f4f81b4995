"""Preferences of a user: defaults that a user interface shows in its forms, and how it displays values."""

from collections.abc import Collection
from typing import Annotated, Literal, TypeAlias

from pydantic import AfterValidator, Field

from quant.numeric.frozen import Frozen
from store.errors import Conflict
from store.keys import Key
from store.store import Store

KIND = "preferences"

RiskTolerance: TypeAlias = Literal["low", "medium", "high"]
Symbol: TypeAlias = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9.^=_-]{0,31}$")]


def _sorted_symbols(symbols: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(sorted({symbol.upper() for symbol in symbols}))


RISK_AVERSION: dict[RiskTolerance, float] = {"low": 5.0, "medium": 2.0, "high": 1.0}
"""The risk aversion of a mandate that a form proposes for each risk tolerance; 2 is the default of a mandate."""


class Preferences(Frozen):
    """Defaults of forms and the display of values. None of them changes a calculation or filters a list."""

    horizon_years: Annotated[
        int | None, Field(ge=1, le=30, description="Investment horizon that forms propose, in years", examples=[10])
    ] = None
    risk_tolerance: Annotated[
        RiskTolerance | None,
        Field(
            description="Risk tolerance; a form proposes a risk aversion for it: "
            + ", ".join(f"{aversion:g} for {tolerance}" for tolerance, aversion in RISK_AVERSION.items()),
            examples=["medium"],
        ),
    ] = None
    exclusions: Annotated[
        tuple[Symbol, ...],
        Field(
            max_length=200,
            description="Symbols that forms mark as excluded; stored in capitals, sorted, each once",
            examples=[["TSLA", "XOM"]],
        ),
        AfterValidator(_sorted_symbols),
    ] = ()
    number_format: Annotated[
        Literal["1,234.56", "1.234,56", "1 234,56", "1’234.56"],
        Field(description="Separators of thousands and decimals"),
    ] = "1,234.56"
    date_format: Annotated[
        Literal["YYYY-MM-DD", "DD.MM.YYYY", "DD/MM/YYYY", "MM/DD/YYYY"], Field(description="Form of dates")
    ] = "YYYY-MM-DD"
    theme: Annotated[
        Literal["system", "light", "dark"], Field(description="Colours; `system` follows the setting of the device")
    ] = "system"
    density: Annotated[Literal["comfortable", "compact"], Field(description="Spacing of tables and forms")] = (
        "comfortable"
    )


class PreferencesChanged(Exception):
    """The preferences have another version than the request expects."""


async def load_preferences(store: Store, owner: str) -> tuple[Preferences, int]:
    """The preferences and their version; the defaults with version 0 before the first change."""
    record = await store.records.get(_key(owner))
    return (Preferences(), 0) if record is None else (Preferences.model_validate(record.document), record.version)


async def replace_preferences(
    store: Store, owner: str, preferences: Preferences, *, versions: Collection[int] | None = None
) -> int:
    """Store the preferences and return their version; raises `PreferencesChanged` unless at one of `versions`."""
    expected = None
    if versions is not None:
        _, expected = await load_preferences(store, owner)
        if expected not in versions:
            raise PreferencesChanged(f"the preferences are now at version {expected}; read them again before a change")
    try:
        return await store.records.put(_key(owner), preferences.model_dump(mode="json"), expected=expected)
    except Conflict as error:
        raise PreferencesChanged("the preferences were changed at the same time; read them again") from error


def _key(owner: str) -> Key:
    return Key(owner, KIND, KIND)
