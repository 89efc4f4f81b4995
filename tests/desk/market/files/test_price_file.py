from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import desk.market.files.price_file
import desk.market.files.tables
from desk.base.errors import InvalidInput, UserError
from desk.market.files.price_file import PriceFile
from desk.market.prices import Prices, PriceSource

pytestmark = pytest.mark.anyio

GOOD = "date,A,B\n2024-01-02,1.5,20\n2024-01-03,1.6,21\n2024-01-04,1.7,22\n"


def write(folder: Path, content: str | bytes, name: str = "prices.csv") -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


async def load(path: Path, universe: str = "file") -> Prices:
    return await PriceFile(path).load(universe)


async def refusal(path: Path, universe: str = "file") -> InvalidInput:
    with pytest.raises(InvalidInput) as error_info:
        await load(path, universe)
    assert isinstance(error_info.value, UserError)
    assert str(error_info.value).startswith(error_info.value.field + ": ")
    assert error_info.value.allowed in str(error_info.value)
    return error_info.value


LONG = (
    "Date,Ticker,Open,Close,Volume\n"
    "2024-01-02,A,1.4,1.5,9\n2024-01-02,B,19,20,9\n"
    "2024-01-03,A,1.5,1.6,9\n2024-01-03,B,20,21,9\n"
    "2024-01-04,A,1.6,1.7,9\n2024-01-04,B,21,22,9\n"
)
BY_ASSET = "\n".join(sorted(LONG.splitlines(), key=lambda line: (line[0] != "D", line.split(",")[1])))


@pytest.mark.parametrize(
    "content",
    [
        GOOD,
        LONG,
        BY_ASSET,
        GOOD.replace(",", ";"),
        GOOD.replace(",", "\t"),
        GOOD.replace("\n", "\r\n"),
        "\n\n" + GOOD + "\n , ,\n\n",
        "\ufeff" + GOOD,
        GOOD.replace("1.5", '"1.50"').replace("20\n", "2.0e1\n").replace("21", " +21. "),
        GOOD.replace("date", "").replace("-02,", "-02 00:00:00,"),
        GOOD.replace("-03,", "-03T00:00:00Z,").replace("-04,", "-04 00:00:00-05:00,"),
        LONG.replace("Close", "Adj Close").replace("Open", "Close"),
    ],
)
async def test_one_content_has_one_digest_whatever_its_form(tmp_path: Path, content: str) -> None:
    expected = Prices(
        dates=np.array(["2024-01-02", "2024-01-03", "2024-01-04"], dtype="datetime64[D]"),
        assets=("A", "B"),
        closes=np.array([[1.5, 20.0], [1.6, 21.0], [1.7, 22.0]]),
        price_index=False,
        survivors=False,
        source="by hand",
    )
    assert (await load(write(tmp_path, content))).digest == expected.digest


@pytest.mark.parametrize("kind", ["dates", "timestamps", "text", "index", "long"])
async def test_parquet_is_the_same(tmp_path: Path, kind: str) -> None:
    expected = (await load(write(tmp_path, GOOD))).digest
    table = pd.read_csv(tmp_path / "prices.csv")
    if kind == "dates":
        table["date"] = pd.to_datetime(table["date"]).dt.date
    elif kind == "timestamps":
        table["date"] = pd.to_datetime(table["date"])
    elif kind == "index":
        table = table.set_axis(pd.to_datetime(table.pop("date")).to_numpy())
    elif kind == "long":
        table = table.melt(id_vars="date", var_name="asset", value_name="price")
    path = tmp_path / "renamed"
    table.to_parquet(path)
    assert (await load(path)).digest == expected


@st.composite
def closes_of_assets(draw: st.DrawFn) -> tuple[list[str], list[str], np.ndarray]:
    days = sorted(draw(st.sets(st.dates(), min_size=2, max_size=12)))
    days = [day.isoformat() for day in days if 1800 <= day.year < 2200]
    names = draw(st.lists(st.text("ABCXYZ.^", min_size=1, max_size=6), min_size=1, max_size=4, unique=True))
    price = st.floats(1e-6, 1e9)
    row = st.lists(price, min_size=len(names), max_size=len(names))
    values = draw(st.lists(row, min_size=len(days), max_size=len(days)))
    return days, names, np.array(values).reshape(len(days), len(names))


@given(closes_of_assets())
async def test_every_float_comes_back(tmp_path: Path, data) -> None:
    days, names, closes = data
    if len(days) < 2:
        return
    table = pd.DataFrame(closes, columns=names)
    table.insert(0, "date", days)
    table.to_csv(tmp_path / "wide.csv", index=False)
    table.to_parquet(tmp_path / "wide.parquet")
    long = table.melt(id_vars="date", var_name="symbol", value_name="close")
    long.to_csv(tmp_path / "long.csv", index=False)
    wide = await load(tmp_path / "wide.csv")
    assert wide.closes.tobytes() == closes.tobytes()
    assert wide.assets == tuple(names)
    assert wide.digest == (await load(tmp_path / "wide.parquet")).digest
    assert wide.digest == (await load(tmp_path / "long.csv")).digest


A_PRICE = "expected a positive decimal number"
A_NUMBER = "expected a decimal number such as 1234.5, or nothing where there is none"
A_DATE = "expected a date as 2024-01-31, from 1800 to 2199"
ONE_EACH = "expected one price of every asset on every date"
IN_ORDER = "expected each date once, in increasing or decreasing order"
CELLS = "expected as many cells as the header; numbers with separators in quotes"
A_TABLE = "expected date and one column an asset, or date, symbol and close"
HEADER = "expected date and one column an asset, or date, symbol and close; or a mapping"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("1.6", "abc", f'prices.csv row 3, column "A": "abc" is not a number; {A_NUMBER}'),
        ("1.6", "1_6", f'row 3, column "A": "1_6" is not a number; {A_NUMBER}'),
        ("1.6", "0x1p3", f'row 3, column "A": "0x1p3" is not a number; {A_NUMBER}'),
        ("1.6", "\u0661", f'row 3, column "A": "\u0661" is not a number; {A_NUMBER}'),
        ("1.6", "$1.6%", f'row 3, column "A": "$1.6%" is not a number; {A_NUMBER}'),
        ("1.6", "inf", f'row 3, column "A": "inf" is not a number; {A_NUMBER}'),
        ("1.6", "a\x1b[2Jb", f'row 3, column "A": "a\\\\x1b[2Jb" is not a number; {A_NUMBER}'),
        ("1.6", "x" * 99, f'row 3, column "A": "{"x" * 37}..." is not a number; {A_NUMBER}'),
        ("1.6", "-1.6", f'row 3, column "A": -1.6 is not positive; {A_PRICE}'),
        ("1.6", "0.00", f'row 3, column "A": 0.00 is not positive; {A_PRICE}'),
        ("1.6", "1e999", 'row 3, column "A": 1e999 is too far from any price; expected a decimal number below 1e15'),
        ("1.6", "1e-300", f'row 3, column "A": 1e-300 is too far from any price; {A_PRICE}'),
        ("1.6", "", f'row 3, column "A": the price is missing: a hole; {ONE_EACH}'),
        ("1.6", "NaN", f'row 3, column "A": "NaN" is a missing price: a hole; {ONE_EACH}'),
        ("1.6", "1,6", f"prices.csv row 3: has 4 cells, the header has 3; {CELLS}"),
        ("1.6,", "", f"prices.csv row 3: has 2 cells, the header has 3; {CELLS}"),
        ("01-03", "01-02", f'row 3, column "date": 2024-01-02 stands already in row 2; {IN_ORDER}'),
        ("01-04", "01-02", f'row 4, column "date": 2024-01-02 stands already in row 2; {IN_ORDER}'),
        (
            "2024-01-04",
            "2023-12-29",
            f'row 4, column "date": 2023-12-29 comes after 2024-01-03 (row 3); {IN_ORDER}',
        ),
        ("2024-01-03", "", f'row 3, column "date": the date is missing; {A_DATE}'),
        (
            "2024-01-03",
            "03/01/2024",
            'column "date": "03/01/2024" is written differently from "2024-01-02" in row',
        ),
        ("2024-01-03", "20240132", 'column "date": "20240132" is written differently'),
        ("2024-01-03", "2024-02-30", f'column "date": "2024-02-30" is not a date; {A_DATE}'),
        ("2024-01-03", "0024-01-03", f'column "date": "0024-01-03" is not a date; {A_DATE}'),
        ("2024-01-03", "2024-01-03 4 PM", f'"2024-01-03 4 PM" is not a date; {A_DATE}'),
        ("date", "when", f'prices.csv: has no date column, but "when", "A", "B"; {HEADER}'),
        (",A,B", ",A,a", 'two columns are named "a"; expected distinct column names'),
        (",A,B", ",A,date", 'two date columns are named "date"; expected distinct column names'),
        (
            ",A,B",
            ",A,",
            'prices.csv, column "3": the name of an asset is missing; expected 1 to 64',
        ),
        (",A,B", ',A,"B:C"', 'prices.csv, column "3": "B:C" is not the name of an asset'),
        (",A,B", ",open,volume", f"prices.csv: has no close column; {HEADER}"),
        ("1.6", '"1.6', "prices.csv row 4: is not well-formed CSV: unexpected end of data"),
        ("1.6", "1" * 200_000, "prices.csv row 3: is not well-formed CSV: field larger than"),
        ("1.6", "1.6\0", "prices.csv: is not a text file; expected CSV in UTF-8 or UTF-16"),
    ],
)
async def test_errors_name_the_problem_and_its_place(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in GOOD
    assert message in str(await refusal(write(tmp_path, GOOD.replace(old, new))))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("01-03,A", "01-02,A", 'row 4, column "Date": 2024-01-02 of "A" stands already in row 2'),
        ("01-04,B", "01-01,B", '2024-01-01 of "B" comes after 2024-01-03 (row 5)'),
        ("2024-01-03,A,1.5,1.6,9\n", "", 'row 4: "A" has no price on 2024-01-03, "B" has: a hole'),
        ("2024-01-02,B,19,20,9\n", "", 'row 2: "B" has no price on 2024-01-02, "A" has: a hole'),
        ("01-03,A", "01-03,", 'row 4, column "Ticker": the name of an asset is missing'),
        ("Close", "Shut", f"prices.csv: has no close column; {HEADER}"),
    ],
)
async def test_errors_name_the_problem_of_a_long_file(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in LONG
    assert message in str(await refusal(write(tmp_path, LONG.replace(old, new))))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", f"prices.csv: is empty; {A_TABLE}"),
        (" \n\n", f"prices.csv: is empty; {A_TABLE}"),
        (",,\n,,\n", f"prices.csv: is empty; {A_TABLE}"),
        ("\x1e", f"prices.csv: is empty; {A_TABLE}"),
        ("date,A\n", "prices.csv: has no price; expected date and one column an asset"),
        ("date,symbol,close\n", "prices.csv: has no price; expected date and one column an asset"),
        ("date,A\n2024-01-02,1\n", "prices.csv: has 1 date of prices; expected at least two dates"),
        ("date\n2024-01-02\n", f"prices.csv: has no close column; {HEADER}"),
        ("2024-01-02,1\n2024-01-03,2\n", "prices.csv: has no date column"),
        (GOOD.encode("utf-16")[:-1], "prices.csv: is damaged UTF-16"),
        (GOOD.replace("B", "\xe9").encode("latin-1"), "prices.csv row 1: byte 0xe9 is not UTF-8"),
        (b"PK\x03\x04 a workbook", "prices.csv: cannot be read as an Excel workbook or a zip archive"),
        (b"\x1f\x8b\x08 squeezed", "prices.csv: cannot be read as gzip"),
        (b"PAR1 and nothing more", "prices.csv: cannot be read as Parquet: "),
    ],
)
async def test_a_file_of_another_kind_is_refused_as_no_price_file(
    tmp_path: Path, content: str | bytes, message: str
) -> None:
    assert message in str(await refusal(write(tmp_path, content)))


async def test_a_file_that_does_not_exist_is_named(tmp_path: Path) -> None:
    missing, folder = tmp_path / "no.csv", tmp_path / "prices.csv"
    folder.mkdir()
    assert "no.csv: there is no such file; expected the path" in str(await refusal(missing))
    assert "prices.csv: is not a regular file" in str(await refusal(folder))
    for name in ("x" * 5000, "a\0b"):  # which of the two is said depends on Python's version
        assert (await refusal(tmp_path / name)).code in {"file_missing", "file_unreadable"}
    assert "is not a regular file" in str(await refusal(Path("/dev/zero")))


async def test_broken_parquet(tmp_path: Path) -> None:
    pd.DataFrame({"date": ["2024-01-02"], "A": [1.0]}).to_parquet(tmp_path / "a.parquet")
    whole = (tmp_path / "a.parquet").read_bytes()
    for content in (whole[:-20], whole[:40]):
        error = await refusal(write(tmp_path, content, "b.parquet"))
        assert str(error).startswith("b.parquet: cannot be read as Parquet: ")
    assert "has no date column" in str(await refusal(write(tmp_path, b"not parquet at all", "b.parquet")))
    nothing = await refusal(write(tmp_path, whole, "c.parquet"))
    assert "c.parquet: has 1 date of prices" in str(nothing)


async def test_parquet_names_the_record(tmp_path: Path) -> None:
    days = pd.to_datetime(["2024-01-02", "2024-01-03"])
    path = tmp_path / "prices.parquet"
    pd.DataFrame({"date": days, "A": [1.0, np.nan]}).to_parquet(path)
    assert 'prices.parquet record 2, column "A": the price is missing' in str(await refusal(path))
    pd.DataFrame({"date": days, "A": [1.0, np.inf]}).to_parquet(path)
    assert 'prices.parquet record 2, column "A": "inf" is not' in str(await refusal(path))
    pd.DataFrame({"date": days[[0, 0]] + pd.to_timedelta(["1h", "2h"]), "A": [1.0, 2.0]}).to_parquet(path)
    assert 'record 2, column "date": 2024-01-02 stands already in record 1' in str(await refusal(path))
    pd.DataFrame({"date": days, "A": [True, False]}).to_parquet(path)
    assert 'record 1, column "A": "True" is not a number' in str(await refusal(path))


async def test_huge_files_are_refused_before_they_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with (tmp_path / "huge.csv").open("wb") as file:
        file.truncate(desk.market.files.price_file.MAX_BYTES + 1)
    assert "holds 100,000,001 bytes; expected at most 100,000,000" in str(await refusal(tmp_path / "huge.csv"))
    monkeypatch.setattr(desk.market.files.tables, "MAX_CELLS", 8)
    assert "has more than 8 cells" in str(await refusal(write(tmp_path, GOOD)))
    pd.read_csv(tmp_path / "prices.csv").to_parquet(tmp_path / "prices.parquet")
    assert "has more than 8 cells" in str(await refusal(tmp_path / "prices.parquet"))


async def test_universes_of_a_file(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD)
    source = PriceFile(path)
    assert isinstance(source, PriceSource)
    assert await source.universes() == ("file", "A", "B")
    assert (await source.load("B")).assets == ("B",)
    assert (await source.load("file:B,A")).digest == (await source.load("file")).digest
    assert "universe: C is not in file prices.csv; expected A, B" in str(await refusal(path, "C"))
    assert "expected file, or assets of the file" in str(await refusal(path, "stocks:A"))


async def test_dividends_are_as_the_owner_states(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD)
    assert not (await PriceFile(path).load("file")).price_index
    prices = await PriceFile(path, price_index=True).load("file")
    assert prices.price_index
    assert "without dividends" in prices.notes[0]


@given(st.binary(max_size=300))
async def test_arbitrary_bytes_are_refused(tmp_path: Path, content: bytes) -> None:
    await refusal(write(tmp_path, content))


@given(st.data())
async def test_a_damaged_file_is_read_or_refused(tmp_path: Path, data: st.DataObject) -> None:
    position = data.draw(st.integers(0, len(LONG) - 1))
    damage = data.draw(st.text(max_size=3))
    path = write(tmp_path, (LONG[:position] + damage + LONG[position + 1 :]).encode("utf-8", "replace"))
    try:
        prices = await load(path)
    except InvalidInput:
        return
    assert (prices.closes > 0).all()
    assert (np.diff(prices.dates).astype(int) > 0).all()
