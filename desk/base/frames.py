"""Results as tables of pandas, for notebooks; pandas is imported when the first table is made."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any, cast

from pydantic import BaseModel

from quant.numeric.measured import Measured

if TYPE_CHECKING:
    import pandas as pd


def frame(rows: Iterable[BaseModel | Mapping[str, Any]], *, index: str | None = None) -> "pd.DataFrame":
    """One row for each of `rows`, with the columns of `columns_of`; `index` names the column that labels the rows."""
    import pandas as pd

    table = pd.DataFrame([columns_of(row) for row in rows])
    return table if index is None or table.empty else table.set_index(index)


def columns_of(row: BaseModel | Mapping[str, Any]) -> dict[str, Any]:
    """The fields of `row` by name, those of nested types beside them; a `Measured` is two columns, NAME and NAME_error.

    The fields of a nested mapping keep its name before theirs (`assets.AAPL`), because their names are free.
    """
    columns: dict[str, Any] = {}
    fields = (
        ((name, getattr(row, name)) for name in type(row).model_fields) if isinstance(row, BaseModel) else row.items()
    )
    for name, value in fields:
        if isinstance(value, Measured):
            columns |= {name: value.value, f"{name}_error": value.error}
        elif isinstance(value, BaseModel):
            columns |= columns_of(value)
        elif isinstance(value, Mapping):
            nested = cast("Mapping[str, Any]", value)
            columns |= {f"{name}.{key}": each for key, each in nested.items()}
        else:
            columns[name] = value
    return columns


def series_frame(dates: Sequence[date], columns: Mapping[str, Sequence[float | None]]) -> "pd.DataFrame":
    """One row per date, as float64; a missing value is NaN."""
    import pandas as pd

    return pd.DataFrame(columns, index=pd.DatetimeIndex(list(dates), name="date"), dtype=float)
