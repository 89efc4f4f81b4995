"""Roles of columns by their names, in English, German, French and Spanish."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from desk.base.errors import InvalidInput
from desk.market.files.dates import looks_like_date
from desk.market.files.tables import A_HEADER, Cell, Table, is_blank, quote

Role: TypeAlias = Literal["date", "symbol", "open", "high", "low", "close", "adjusted", "volume", "dividend", "split"]
Layout: TypeAlias = Literal["wide", "long", "one asset"]

ALIASES: dict[Role, tuple[str, ...]] = {
    "date": (
        *("date", "dates", "datetime", "timestamp", "day", "session", "trade date", "trading date", "trading day"),
        *("price date", "business date", "as of date", "date time", "time", "datum", "handelstag", "fecha"),
    ),
    "symbol": ("symbol", "ticker", "asset", "instrument", "security", "ric", "isin"),
    "open": ("open", "open price", "opening price", "erster", "eröffnung", "eroeffnung", "ouverture", "apertura"),
    "high": ("high", "high price", "hoch", "tageshoch", "haut", "plus haut", "máximo"),
    "low": ("low", "low price", "tief", "tagestief", "bas", "plus bas", "mínimo"),
    "close": (
        *("close", "close price", "closing price", "close/last", "px last", "settle", "settlement price"),
        *("schlusskurs", "schluss", "clôture", "cloture", "cierre"),
        *("price", "last", "last price", "value", "nav", "kurs"),
    ),
    "adjusted": ("adj close", "adjclose", "adjusted close", "adjusted", "adj close price", "adj price"),
    "volume": ("volume", "vol", "volumen", "umsatz", "stücke", "stuecke"),
    "dividend": ("dividends", "dividend", "dividend amount"),
    "split": ("stock splits", "splits", "split", "split ratio", "split coefficient"),
}
_WEAK_DATES = ("", "index", "level 0", "data", "period")
"""Names of date columns whose content must be dates, as of a nameless index."""
_WEAK_CLOSES = ("price", "last", "last price", "value", "nav", "kurs")
"""Names of closes that can as well be names of assets beside other assets."""
_INDEX_NAMES = ("", "index", "level 0")
_BARS: tuple[Role, ...] = ("open", "high", "low")
_ROLES: dict[str, Role] = {alias: role for role, aliases in ALIASES.items() for alias in aliases}
_DATE_NAME = re.compile(r"(?:.* )?date(?:[ (/].*)?")
_LEVEL = re.compile(r"index level \d+")
_UNNAMED = re.compile(r"unnamed: \d+(?: level \d+)?")
_TUPLE = re.compile(r"""\(\s*(['"])(.*?)\1\s*,\s*(['"])(.*?)\3\s*\)""")
_SUFFIX = re.compile(r"(.+?)[ ._]((?:adj[ ._]?)?close|open|high|low|volume|adjusted)", re.IGNORECASE)


@dataclass(frozen=True)
class Series:
    """A column of numbers; `asset` is None if the symbol column or the caller names it."""

    column: int
    role: Role
    asset: str | None = None


@dataclass(frozen=True)
class Plan:
    """What each column of a table is."""

    layout: Layout
    date: int
    symbol: int | None
    series: tuple[Series, ...]
    ignored: tuple[int, ...] = ()

    def names(self, table: Table) -> dict[str, str]:
        """Column names by role; in a wide file only the date has one."""
        names = {"date": table.header[self.date]}
        if self.symbol is not None:
            names["symbol"] = table.header[self.symbol]
        if self.layout != "wide":
            names |= {series.role: table.header[series.column] for series in reversed(self.series)}
        return names


def fold(name: str) -> str:
    """A name in lower case, without underscores, brackets (<CLOSE>), notes (Close*) and numbers (4. close)."""
    text = re.sub(r"^\d+\.\s+", "", name.strip().strip("<>").casefold()).rstrip("*")
    return re.sub(r"[\s_]+", " ", text).replace("adj. ", "adj ").strip(" .")


def role_of(name: str) -> Role | None:
    return _ROLES.get(fold(name))


def is_date_name(name: str) -> bool:
    return role_of(name) == "date" or bool(_DATE_NAME.fullmatch(fold(name)))


def plan_columns(table: Table, mapping: Mapping[Role, str]) -> Plan:
    """The role of each column; raises `InvalidInput` if no date or no price can be recognised without a doubt."""
    names = [name.strip() for name in table.header]
    _check_distinct(table, names)
    roles = _mapped(mapping, names)
    if "date" not in roles:
        roles["date"] = _date_column(table, names, set(roles.values()))
    ignored = _row_numbers(table, names, roles)
    others = [i for i in range(len(names)) if i != roles["date"] and i not in ignored]
    fields = {} if mapping else _asset_fields(names, others)
    if fields:
        series = tuple(Series(i, role, asset) for i, (asset, role) in fields.items())
        dropped = (*ignored, *(i for i in others if i not in fields))
        return Plan("long", roles["date"], None, _checked(table, series), dropped)
    for role, aliases in ALIASES.items():
        if role not in roles:
            places = [i for alias in aliases for i in others if fold(names[i]) == alias and i not in roles.values()]
            if places:
                roles[role] = places[0]
    if "symbol" not in roles:
        level = next((i for i in others if _LEVEL.fullmatch(fold(names[i])) and i not in roles.values()), None)
        if level is not None:
            roles["symbol"] = level
    if _is_wide(table, roles, others, mapping):
        return Plan("wide", roles["date"], None, tuple(Series(i, "close", names[i]) for i in others), ignored)
    series = tuple(Series(i, role) for role, i in roles.items() if role not in ("date", "symbol"))
    unused = tuple(i for i in range(len(names)) if i not in roles.values())
    layout: Layout = "long" if "symbol" in roles else "one asset"
    return Plan(layout, roles["date"], roles.get("symbol"), series, unused)


def _check_distinct(table: Table, names: Sequence[str]) -> None:
    folded = [name.casefold() for name in names]
    for index, name in enumerate(folded):
        if name in folded[:index]:
            noun = "date columns are named" if is_date_name(name) else "columns are named"
            reason = f"two {noun} {quote(names[index])}"
            raise table.error(reason, allowed="distinct column names", code="duplicate_column", value=names[index])


def _mapped(mapping: Mapping[Role, str], names: Sequence[str]) -> dict[Role, int]:
    roles: dict[Role, int] = {}
    folded = [name.casefold() for name in names]
    for role, name in mapping.items():
        if name.strip().casefold() not in folded:
            examples = ", ".join(map(quote, names[:20]))
            raise InvalidInput(
                f"mapping.{role}", name, reason=f"the file has no column {quote(name)}", allowed=examples
            )
        roles[role] = folded.index(name.strip().casefold())
    if len(set(roles.values())) < len(roles):
        raise InvalidInput("mapping", dict(mapping), allowed="each column in one role")
    return roles


def _date_column(table: Table, names: Sequence[str], taken: set[int]) -> int:
    free = [i for i in range(len(names)) if i not in taken]
    for alias in ALIASES["date"]:
        for i in free:
            if fold(names[i]) == alias:
                return i
    for i in free:
        if is_date_name(names[i]):
            return i
    for i in free:
        if _is_index_name(names[i]) or fold(names[i]) in _WEAK_DATES:
            first = next((cell for cell in _cells(table, i) if not is_blank(cell)), "")
            if looks_like_date(first):
                return i
    typed = [i for i in free if all(not isinstance(c, str | int | float) or is_blank(c) for c in _cells(table, i))]
    if len(typed) == 1 and any(not is_blank(cell) for cell in _cells(table, typed[0])):
        return typed[0]
    reason = f"has no date column, but {', '.join(map(quote, names[:8]))}"
    raise table.error(reason, allowed=f"{A_HEADER}; or a mapping of date", code="no_date_column")


def _cells(table: Table, column: int) -> list[Cell]:
    return [cells[column] for _, cells in table.rows]


def _is_index_name(name: str) -> bool:
    text = fold(name)
    return text in _INDEX_NAMES or bool(_UNNAMED.fullmatch(text) or _LEVEL.fullmatch(text))


def _row_numbers(table: Table, names: Sequence[str], roles: Mapping[Role, int]) -> tuple[int, ...]:
    """Columns of consecutive row numbers, which pandas writes for an index without a name."""
    places: list[int] = []
    for i, name in enumerate(names):
        if i in roles.values() or not _is_index_name(name):
            continue
        cells = [str(cell).strip() for cell in _cells(table, i)]
        if any(cells == [str(n) for n in range(first, first + len(cells))] for first in (0, 1)):
            places.append(i)
    return tuple(places)


def _asset_fields(names: Sequence[str], others: Sequence[int]) -> dict[int, tuple[str, Role]]:
    """Asset and role of each column, if every column names both: ('Close', 'A') or A.Close; else nothing."""
    fields: dict[int, tuple[str, Role]] = {}
    for i in others:
        match = _TUPLE.fullmatch(names[i])
        if match:
            one, two = match[2].strip(), match[4].strip()
            role = role_of(one)
            asset, role = (two, role) if role else (one, role_of(two))
        elif suffix := _SUFFIX.fullmatch(names[i]):
            asset, role = suffix[1].strip(), role_of(suffix[2].replace(".", " "))
        elif fold(names[i]).split(" ")[0] == "('capital":
            continue
        else:
            return {}
        if role in (None, "date", "symbol"):
            continue
        fields[i] = (asset, role)
    by_suffix = not any(_TUPLE.fullmatch(names[i]) for i in others)
    if by_suffix and not any(role in _BARS for _, role in fields.values()):
        return {}  # A Close and B Close are names of assets
    return fields


def _checked(table: Table, series: tuple[Series, ...]) -> tuple[Series, ...]:
    closes = {one.asset for one in series if one.role in ("close", "adjusted")}
    for one in series:
        if one.asset not in closes:
            reason = f"has no close of {quote(one.asset or '')}"
            raise table.error(reason, allowed="a close of every asset", code="no_price_column")
    places = [(one.asset, one.role) for one in series]
    for n, place in enumerate(places):
        if place in places[:n]:
            reason = f"has two columns of {place[1]} of {quote(place[0] or '')}"
            raise table.error(reason, allowed="distinct column names", code="duplicate_column")
    return series


def _is_wide(table: Table, roles: dict[Role, int], others: Sequence[int], mapping: Mapping[Role, str]) -> bool:
    """Whether every column besides the date is an asset; removes from `roles` what is an asset by its place."""
    unknown = [i for i in others if i not in roles.values()]
    recognised = {role for role in roles if role not in ("date", "symbol")}
    if "symbol" not in roles and unknown and not set(mapping) - {"date"}:
        (only,) = recognised if len(recognised) == 1 else (None,)
        numeric = [i for i in unknown if _has_numbers(table, i)]
        if only in _BARS or (only == "close" and fold(table.header[roles["close"]]) in _WEAK_CLOSES and numeric):
            del roles[only]
            return True
        if only in ("close", "adjusted") and numeric:
            extra = ", ".join(quote(table.header[i]) for i in numeric[:5])
            reason = f"has the close {quote(table.header[roles[only]])} beside other numbers: {extra}"
            allowed = "one column an asset, or bars of one asset; or a mapping of close"
            raise table.error(reason, allowed=allowed, code="no_price_column")
    if "symbol" in roles or "close" in roles or "adjusted" in roles:
        if "close" not in roles and "adjusted" not in roles:
            raise table.error("has no close column", allowed=f"{A_HEADER}; or a mapping", code="no_price_column")
        return False
    if recognised or not others:
        raise table.error("has no close column", allowed=f"{A_HEADER}; or a mapping", code="no_price_column")
    return True


def _has_numbers(table: Table, column: int) -> bool:
    first = next((cell for cell in _cells(table, column) if not is_blank(cell)), "")
    return not isinstance(first, str) or any(c.isdigit() for c in first)
