"""Price files in many formats, made from two series of closes, and damaged ones that must be refused."""

import gzip
import io
import json
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

HOLIDAY = pd.Timestamp("2019-02-18")
DAYS = pd.DatetimeIndex([day for day in pd.bdate_range("2019-01-22", periods=41) if day != HOLIDAY], name="Date")
"""Forty sessions of the New York Stock Exchange."""
ASSETS = ("AAA", "BBB")
_GENERATOR = np.random.default_rng(7)
_STEPS = _GENERATOR.normal(0.0, 0.01, (len(DAYS), 2))
CLOSES = pd.DataFrame(np.round([90.0, 2500.0] * np.exp(_STEPS.cumsum(axis=0)), 2), index=DAYS, columns=list(ASSETS))
WITHOUT_NAME = CLOSES.rename_axis(None)
NOTES = pd.DataFrame({"about": ["a note"]})
RETURNS = CLOSES.pct_change()
LONG = CLOSES.reset_index().melt(id_vars="Date", var_name="Symbol", value_name="Close")


@dataclass(frozen=True)
class Expected:
    assets: tuple[str, ...]
    days: tuple[str, ...]
    closes: list[list[float]]


def expected(name: str, symbol: str) -> Expected:
    """The answer to a sample; `symbol` names the asset of a file that does not."""
    days = tuple(str(day.date()) for day in DAYS)
    if name.startswith("one asset"):
        return Expected((symbol,), days, CLOSES[["AAA"]].to_numpy().tolist())
    return Expected(("AAA", "BBB"), days, CLOSES.to_numpy().tolist())


def bars(asset: str = "AAA") -> pd.DataFrame:
    close = CLOSES[asset]
    return pd.DataFrame(
        {
            "Open": close.round(1),
            "High": (close * 1.02).round(2),
            "Low": (close * 0.98).round(2),
            "Close": close,
            "Volume": np.arange(len(DAYS)) * 1000 + 1_500_000,
        }
    )


FIELDS_OF_ASSETS = pd.concat({asset: bars(asset) for asset in ASSETS}, axis=1).swaplevel(axis=1).sort_index(axis=1)
FIELDS_OF_ASSETS.columns.names = ["Price", "Ticker"]


def dated(form: str, **options: Any) -> str:
    return CLOSES.set_axis(DAYS.strftime(form)).rename_axis("Date").to_csv(**options)


def written(thousands: str, mark: str, before: str = "", after: str = "", **options: Any) -> str:
    """Numbers as a locale writes them, quoted where the delimiter needs it."""

    def text(value: float) -> str:
        return before + f"{value:,.2f}".replace(",", "|").replace(".", mark).replace("|", thousands) + after

    return CLOSES.map(text).to_csv(**options)


def workbook(write: Callable[[pd.ExcelWriter], object]) -> bytes:
    file = io.BytesIO()
    with pd.ExcelWriter(file) as writer:
        write(writer)
    return file.getvalue()


def workbook_of_1904() -> bytes:
    def write(writer: pd.ExcelWriter) -> None:
        CLOSES.to_excel(writer)
        writer.book.epoch = pd.Timestamp("1904-01-01").to_pydatetime()

    return workbook(write)


def parquet(table: pd.DataFrame) -> bytes:
    file = io.BytesIO()
    table.to_parquet(file)
    return file.getvalue()


def archive(**files: str | bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as parts:
        for name, content in files.items():
            parts.writestr(f"{name}.csv", content)
    return file.getvalue()


def in_utc(zone: str) -> str:
    return CLOSES.set_axis(DAYS.tz_localize(zone).tz_convert("UTC")).rename_axis("Date").to_csv()


MILLISECONDS = DAYS.as_unit("ms").astype(np.int64)
PLAIN = CLOSES.to_csv()
LINES = PLAIN.splitlines()


def bracketed() -> str:
    """A long file whose column names stand in angle brackets, as Stooq writes it."""
    lines = [
        f"{a},{day:%Y%m%d},{close}"
        for day, row in zip(DAYS, CLOSES.to_numpy(), strict=True)
        for a, close in zip(ASSETS, row, strict=True)
    ]
    return "\n".join(["<TICKER>,<DATE>,<CLOSE>", *lines])


SAMPLES: dict[str, str | bytes] = {
    "wide": PLAIN,
    "nameless index": WITHOUT_NAME.to_csv(),
    "row numbers before the date": CLOSES.reset_index().to_csv(),
    "date in the last column": CLOSES.reset_index()[["AAA", "BBB", "Date"]].to_csv(index=False),
    "tabs": CLOSES.to_csv(sep="\t"),
    "pipes": CLOSES.to_csv(sep="|"),
    "separator named for Excel": "sep=;\r\n" + CLOSES.to_csv(sep=";"),
    "quotes": CLOSES.to_csv(quoting=1),
    "spaces around cells": PLAIN.replace(",", " , "),
    "lines of an old Mac": CLOSES.to_csv(lineterminator="\r"),
    "byte order mark": b"\xef\xbb\xbf" + PLAIN.encode(),
    "UTF-16": PLAIN.encode("utf-16"),
    "empty lines and columns at the end": PLAIN.replace("\n", ",,\n") + ",,,,\n\n",
    "names in angle brackets": bracketed(),
    "comment lines": "# prices of a vendor\n# in EUR, at the close\n" + PLAIN,
    "title rows": "Prices of the portfolio\nPrinted,2019-04-01\n\n" + PLAIN,
    "footer": PLAIN + "\nSource: a vendor, at the close\n",
    "newest first": CLOSES[::-1].to_csv(),
    "in no order": CLOSES.sample(frac=1.0, random_state=3).to_csv(),
    "dates of the US": dated("%m/%d/%Y"),
    "dates of the US with a time": dated("%-m/%-d/%Y 4:00:00 PM"),
    "day first": dated("%d/%m/%Y"),
    "German dates of two digits": dated("%d.%m.%y"),
    "dates without separators": dated("%Y%m%d"),
    "dates with slashes": dated("%Y/%m/%d"),
    "names of months": dated("%d-%b-%Y"),
    "names of months first": dated("%b %d, %Y"),
    "time zone": CLOSES.set_axis(DAYS.tz_localize("Europe/Berlin")).rename_axis("Date").to_csv(),
    "New York's midnight in UTC": in_utc("America/New_York"),
    "Berlin's midnight in UTC": in_utc("Europe/Berlin"),
    "timestamps of milliseconds": CLOSES.set_axis(DAYS.as_unit("ms").astype(np.int64))
    .rename_axis("timestamp")
    .to_csv(),
    "serial numbers of Excel": CLOSES.set_axis((DAYS - pd.Timestamp("1899-12-30")).days).rename_axis("Date").to_csv(),
    "European decimals": written("", ",", sep=";"),
    "European thousands": written(".", ",", sep=";"),
    "American thousands": written(",", "."),
    "Swiss thousands": written("'", ".", sep=";"),
    "French thousands": written("\u202f", ",", after="\u00a0€", sep=";"),
    "dollars": written(",", ".", before="$"),
    "scientific": CLOSES.to_csv(float_format="%.6E"),
    "long": LONG.to_csv(index=False),
    "long by date": LONG.sort_values("Date", kind="stable").to_csv(index=False),
    "long with other columns": LONG.assign(currency="EUR", Volume="-").to_csv(index=False),
    "one asset with bars": bars().to_csv(),
    "one asset, nameless index": bars().rename_axis(None).to_csv(),
    "one asset, German names": bars()
    .set_axis(["Eröffnung", "Hoch", "Tief", "Schlusskurs", "Volumen"], axis=1)
    .rename_axis("Datum")
    .to_csv(sep=";", decimal=","),
    "one asset with unadjusted closes": bars().assign(Close=50.0, **{"Adj Close": CLOSES["AAA"]}).to_csv(),
    "one asset in JSON": bars().set_axis(MILLISECONDS).to_json(),
    "two header rows": FIELDS_OF_ASSETS.rename_axis(None).to_csv(),
    "three header rows": FIELDS_OF_ASSETS.to_csv(),
    "fields behind the asset": FIELDS_OF_ASSETS.set_axis(
        [f"{b}.{a}" for a, b in FIELDS_OF_ASSETS.columns.tolist()], axis=1
    ).to_csv(),
    "xlsx": workbook(CLOSES.to_excel),
    "xlsx below a title": workbook(lambda book: CLOSES.to_excel(book, startrow=3, startcol=2)),
    "xlsx with a sheet before": workbook(
        lambda book: (
            pd.DataFrame({"about": ["a note"]}).to_excel(book, sheet_name="Notes"),
            CLOSES.to_excel(book, sheet_name="P"),
        )
    ),
    "xlsx with a sheet of returns": workbook(
        lambda book: (
            CLOSES.pct_change().to_excel(book, sheet_name="Returns"),
            CLOSES.to_excel(book, sheet_name="Prices"),
        )
    ),
    "xlsx of texts": workbook(CLOSES.astype(str).set_axis(DAYS.strftime("%d.%m.%Y")).rename_axis("Datum").to_excel),
    "xlsx of 1904": workbook_of_1904(),
    "one asset in xlsx": workbook(bars().to_excel),
    "parquet": parquet(CLOSES),
    "parquet with a nameless index": parquet(WITHOUT_NAME),
    "parquet with a date column": parquet(CLOSES.reset_index()),
    "parquet with a time zone": parquet(CLOSES.tz_localize("America/New_York")),
    "parquet of texts": parquet(CLOSES.set_axis(DAYS.strftime("%Y-%m-%d")).rename_axis("date").reset_index()),
    "parquet, long": parquet(LONG.astype({"Symbol": "category"})),
    "parquet, two levels": parquet(FIELDS_OF_ASSETS),
    **{f"JSON, {form}": CLOSES.set_axis(MILLISECONDS).to_json(orient=form) for form in ("columns", "split", "index")},
    "JSON, table": CLOSES.to_json(orient="table", date_format="iso"),
    "JSON, records": CLOSES.set_axis(MILLISECONDS).rename_axis("date").reset_index().to_json(orient="records"),
    "JSON, lines": CLOSES.reset_index().to_json(orient="records", lines=True, date_format="iso"),
    "JSON, long": LONG.to_json(orient="records", date_format="iso"),
    "gzip": gzip.compress(PLAIN.encode()),
    "zip": archive(prices=PLAIN),
}


def changed(row: int, column: int, text: str) -> str:
    """The plain file with another text in one cell; row 0 is the header."""
    lines = [line.split(",") for line in LINES]
    lines[row][column] = text
    return "\n".join(",".join(cells) for cells in lines)


REFUSED: dict[str, tuple[str | bytes, str]] = {
    "empty": ("", "is empty"),
    "blank lines": ("\n \n", "is empty"),
    "header only": (LINES[0], "has no price"),
    "no date": (CLOSES.to_csv(index=False), "has no date column"),
    "no header": ("\n".join(LINES[1:]), "has no date column"),
    "day and month can be exchanged": (
        "Date,AAA\n01/02/2019,1\n04/02/2019,2\n05/02/2019,3\n",
        'row 2, column "Date": "01/02/2019" can be 2019-02-01 or 2019-01-02',
    ),
    "day and month in two orders": (
        dated("%d/%m/%Y") + dated("%m/%d/%Y").split("\n", 1)[1],
        "put day and month in different orders",
    ),
    "a day that does not exist": (changed(9, 0, "2019-02-30"), 'row 10, column "Date": "2019-02-30" is not a date'),
    "a date is missing": (changed(9, 0, ""), 'row 10, column "Date": the date is missing'),
    "the same date twice": ("\n".join([*LINES, LINES[3]]), "2019-01-24"),
    "one date out of order": (changed(9, 0, "2018-12-31"), "2018-12-31 after|2018-12-31 comes after"),
    "two columns of one name": (CLOSES.set_axis(["AAA", "AAA"], axis=1).to_csv(), 'two columns are named "AAA"'),
    "text": (changed(9, 1, "halted"), 'row 10, column "AAA": "halted" is not a number'),
    "two points": (changed(9, 1, "1.2.3"), '"1.2.3" is not a number'),
    "an error of Excel": (changed(9, 1, "#DIV/0!"), "#DIV/0!"),
    "percent": (changed(9, 1, "1.5%"), '"1.5%" is not a number'),
    "thousands or decimals": ('Date,AAA\n2019-01-22,"1,234"\n2019-01-23,"1,235"\n', "can be 1234 or 1.234"),
    "two currencies": (changed(8, 1, "$91").replace(LINES[9], "2019-02-01,€92,1"), "is in another currency"),
    "negative": (changed(9, 1, "-5"), "-5"),
    "brackets": (changed(9, 1, "(5.00)"), "-5|(5.00)"),
    "zero": (changed(9, 1, "0"), "0"),
    "a hole": (changed(9, 1, "N/A"), "2019-02-01 AAA|row 10"),
    "a hole of a long file": (LONG.drop(index=5).to_csv(index=False), "2019-01-29"),
    "no price at all": ("Date,AAA\n2019-01-22,N/A\n2019-01-23,-\n", "has no price"),
    "returns": (RETURNS.to_csv(), "returns, not prices"),
    "gross returns": ((1.0 + RETURNS.iloc[1:]).to_csv(), "1 + return, not prices"),
    "a row is short": ("\n".join([*LINES, "2019-03-20,1"]), "row 42: has 2 cells, the header has 3"),
    "a web page": ("<html><body>Sign in</body></html>", "is a web page"),
    "damaged gzip": (gzip.compress(PLAIN.encode())[:200], "cannot be read as gzip"),
    "damaged parquet": (parquet(CLOSES)[:-20], "cannot be read as Parquet"),
    "damaged workbook": (workbook(CLOSES.to_excel)[:-200], "cannot be read as an Excel workbook"),
    "damaged JSON": (CLOSES.to_json(date_format="iso")[:-10], "cannot be read as JSON"),
    "a name twice in JSON": (json.dumps([{"date": "2019-01-22", "AAA": 1}]).replace("date", "AAA", 1), "stands twice"),
    "two files in a zip": (archive(prices=PLAIN, others=LINES[0]), "is an archive of 2 files"),
    "two sheets of prices": (
        workbook(lambda book: [CLOSES[[name]].to_excel(book, sheet_name=name) for name in ASSETS]),
        "holds several tables with dates",
    ),
    "old workbook": (b"\xd0\xcf\x11\xe0" + bytes(50), "is an old Excel workbook"),
    "Latin 1": (PLAIN.replace("AAA", "Ä").encode("latin-1"), "is not UTF-8"),
}


def content_of(sample: str | bytes) -> bytes:
    return sample if isinstance(sample, bytes) else sample.encode()
