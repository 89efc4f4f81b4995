"""Daily bars of several assets: dates, assets, and one table per field."""

import hashlib
import io
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, get_args

import numpy as np

from desk.base.errors import InvalidInput
from desk.market.prices import Ranges
from quant.numeric.arrays import Dates, Floats

Field: TypeAlias = Literal["open", "high", "low", "close", "volume", "unadjusted", "dividend", "split"]
FIELDS: tuple[Field, ...] = get_args(Field)


@dataclass(frozen=True, kw_only=True, eq=False)
class Bars:
    """`fields` contains the closes and any other tables, each of shape (T, N); NaN where an asset has no bar.

    Dates increase. If closes are adjusted, `unadjusted` contains the quoted closes.
    """

    dates: Dates
    assets: tuple[str, ...]
    fields: Mapping[Field, Floats]

    @property
    def closes(self) -> Floats:
        return self.fields["close"]

    def hash(self, terms: str) -> str:
        """SHA-256 of the content and of `terms`, the terms of its use."""
        content = hashlib.sha256(b"stratigos dataset 1\n")
        for text in (terms, *self.assets, *self.field_names):
            content.update(struct.pack("<q", len(text.encode())) + text.encode())
        content.update(struct.pack("<qq", *self.closes.shape))
        content.update(self.dates.astype("<i8").tobytes())
        for name in self.field_names:
            values = self.fields[name].astype("<f8")
            content.update(np.where(np.isnan(values), np.nan, values).tobytes())
        return content.hexdigest()

    @property
    def field_names(self) -> tuple[Field, ...]:
        return tuple(name for name in FIELDS if name in self.fields)

    def select(self, assets: Sequence[str]) -> "Bars":
        """The given assets, in this order, on days on which at least one has a close."""
        columns = [self.assets.index(asset) for asset in assets]
        has_close = ~np.isnan(self.closes[:, columns]).all(axis=1)
        return Bars(
            dates=self.dates[has_close],
            assets=tuple(assets),
            fields={name: values[has_close][:, columns] for name, values in self.fields.items()},
        )

    def between(self, first: np.datetime64 | None, last: np.datetime64 | None) -> "Bars":
        rows = np.full(self.dates.size, True)
        if first is not None:
            rows &= self.dates >= first
        if last is not None:
            rows &= self.dates <= last
        return Bars(
            dates=self.dates[rows],
            assets=self.assets,
            fields={name: values[rows] for name, values in self.fields.items()},
        )

    def common_rows(self) -> slice:
        """Rows from the latest first day to the earliest last day of the assets."""
        has_close = ~np.isnan(self.closes)
        if not has_close.any(axis=0).all():
            return slice(0, 0)
        start = int(has_close.argmax(axis=0).max())
        stop = int(len(self.dates) - has_close[::-1].argmax(axis=0).max())
        return slice(start, max(start, stop))

    def to_bytes(self) -> bytes:
        file = io.BytesIO()
        tables: dict[str, Any] = {f"field_{name}": values for name, values in self.fields.items()}
        np.savez_compressed(file, dates=self.dates.astype("<i8"), assets=np.array(self.assets, dtype=np.str_), **tables)
        return file.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> "Bars":
        with np.load(io.BytesIO(data), allow_pickle=False) as file:
            return cls(
                dates=file["dates"].astype("datetime64[D]"),
                assets=tuple(str(asset) for asset in file["assets"]),
                fields={name: file[f"field_{name}"] for name in FIELDS if f"field_{name}" in file.files},
            )


def ranges_of(bars: Bars) -> Ranges | None:
    """Opens, highs and lows; None unless all three are there."""
    if not {"open", "high", "low"}.issubset(bars.fields):
        return None
    return Ranges(bars.fields["open"], bars.fields["high"], bars.fields["low"])


def extend(earlier: Bars, later: Bars) -> Bars:
    """Merge two tables: days of `later` replace or follow those of `earlier`; assets and fields are united."""
    dates = np.union1d(earlier.dates, later.dates)
    assets = (*earlier.assets, *(asset for asset in later.assets if asset not in earlier.assets))
    fields: dict[Field, Floats] = {}
    for name in FIELDS:
        if name in earlier.fields or name in later.fields:
            table = np.full((dates.size, len(assets)), np.nan)
            for bars in (earlier, later):
                if name not in bars.fields:
                    continue
                rows = np.searchsorted(dates, bars.dates)
                for n, asset in enumerate(bars.assets):
                    has_close = ~np.isnan(bars.closes[:, n])
                    table[rows[has_close], assets.index(asset)] = bars.fields[name][has_close, n]
            fields[name] = table
    return Bars(dates=dates, assets=assets, fields=fields)


def reinvest_dividends(bars: Bars, *, splits: bool) -> Bars:
    """Closes with dividends reinvested on their ex-dates; other prices are scaled in proportion.

    A dividend is per share of its own day. With `splits` the closes are unadjusted, and a split of 2 doubles shares.
    """
    missing = [name for name in ("dividend", *(("split",) if splits else ())) if name not in bars.fields]
    if missing:
        raise InvalidInput(
            "adjust",
            "dividends_and_splits" if splits else "dividends",
            reason=f"the file has no column of {' and '.join(f'{name}s' for name in missing)}",
            allowed="none, or a file that has them",
        )
    closes = bars.closes
    dividends = np.nan_to_num(bars.fields["dividend"], nan=0.0)
    shares = np.ones_like(closes)
    if splits:
        factors = np.nan_to_num(bars.fields["split"], nan=0.0)
        shares = np.where(factors == 0.0, 1.0, factors)
    if (dividends < 0.0).any() or (shares <= 0.0).any():
        raise InvalidInput("adjust", "a negative dividend or split", allowed="dividends from 0, splits above 0")
    total = np.full_like(closes, np.nan)
    for n in range(len(bars.assets)):
        rows = np.flatnonzero(~np.isnan(closes[:, n]))
        if rows.size:
            own = closes[rows, n]
            growth: Floats = (own[1:] + dividends[rows[1:], n]) * shares[rows[1:], n] / own[:-1]
            total[rows, n] = own[0] * np.concatenate(([1.0], np.cumprod(growth)))
    return rescale(bars, total)


def rescale(bars: Bars, closes: Floats) -> Bars:
    """Bars with these closes; open, high and low are scaled in proportion."""
    ratio = closes / bars.closes
    fields = dict(bars.fields)
    for name in ("open", "high", "low"):
        if name in fields:
            fields[name] = fields[name] * ratio
    fields["unadjusted"] = bars.closes
    fields["close"] = closes
    return Bars(dates=bars.dates, assets=bars.assets, fields=fields)
