"""Hostile and damaged price files."""

import io
import json
import time
import zipfile

import numpy as np
import openpyxl
import pyarrow
import pyarrow.parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import desk.market.files.workbooks
from desk.base.errors import InvalidInput
from desk.market.bars import Bars, extend
from desk.market.files.bars_parser import Parsed, parse_bars

GOOD = "date,A,B\n2024-01-02,1.5,10\n2024-01-03,1.6,11\n2024-01-04,1.7,12\n"


def parse_text(content: str | bytes, symbol: str = "MINE") -> Parsed:
    return parse_bars(content.encode() if isinstance(content, str) else content, symbol=symbol)


def rejection(content: str | bytes) -> str:
    with pytest.raises(InvalidInput) as error_info:
        parse_text(content)
    return str(error_info.value)


def workbook(**cells) -> bytes:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    for line in GOOD.splitlines():
        day, *closes = line.split(",")
        sheet.append([day, *(float(cell) if cell[0].isdigit() else cell for cell in closes)])
    for place, value in cells.items():
        sheet[place] = value
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def with_part(content: bytes, name: str, data: bytes) -> bytes:
    """The archive with a part added or replaced."""
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as new:
        for part in old.namelist():
            if part != name:
                new.writestr(part, old.read(part))
        new.writestr(name, data)
    return file.getvalue()


def parquet(table: pyarrow.Table) -> bytes:
    file = io.BytesIO()
    pyarrow.parquet.write_table(table, file, compression="zstd")
    return file.getvalue()


def test_a_workbook_is_read_as_its_values() -> None:
    parsed = parse_text(workbook())
    assert parsed.interpretation.format == "xlsx"
    assert parsed.bars.closes.tolist() == [[1.5, 10.0], [1.6, 11.0], [1.7, 12.0]]
    assert "Sheet" in parsed.interpretation.notes[0]


def test_a_formula_without_a_stored_value_is_no_price() -> None:
    parsed = parse_text(workbook(B3='=WEBSERVICE("http://example.org")'))
    assert np.isnan(parsed.bars.closes).tolist() == [[False, False], [True, False], [False, False]]


@pytest.mark.parametrize(
    ("part", "data", "words"),
    [
        ("xl/vbaProject.bin", b"\xd0\xcf", "holds macros"),
        ("xl/bomb.bin", bytes(3_000_000), "unpacks to"),
        ("xl/sharedStrings.xml", b'<!DOCTYPE x [<!ENTITY a "b">]><sst/>', "declares XML entities"),
        ("xl/worksheets/sheet1.xml", b"<worksheet><sheetData><row", "cannot be read as an Excel workbook"),
        ("xl/workbook.xml", b"no xml", "cannot be read as an Excel workbook"),
    ],
)
def test_hostile_workbooks_are_refused(part: str, data: bytes, words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(desk.market.files.workbooks, "MAX_UNPACKED", 2_000_000)
    assert words in rejection(with_part(workbook(), part, data))


def test_an_archive_is_no_workbook() -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("../../prices.csv", GOOD)
        archive.writestr("returns.csv", GOOD)
    assert "is an archive of 2 files, and no Excel workbook" in rejection(file.getvalue())
    assert "cannot be read as an Excel workbook" in rejection(workbook()[:-200])
    assert "is an old Excel workbook" in rejection(b"\xd0\xcf\x11\xe0" + bytes(100))


def test_a_workbook_that_claims_to_be_wide() -> None:
    """Some readers widen every row to the most distant cell."""
    assert "has" in rejection(workbook(XFD1048576=1.0))


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ('<row r="99999999999"><c r="A99999999999"/></row>', "has more than 5,000,000 cells"),
        ('<row><c r="XFD1"/></row>' * 70, "has more than 1,000,000 blank cells"),
        (
            '<row><c r="XFD1"/></row>' * 61 + ("<row>" + "<c/>" * 100 + "</row>") * 6,
            "has more than 1,000,000 blank cells",
        ),
        pytest.param(
            ("<row>" + "<c/>" * 100 + "</row>") * 10_001, "has more than 1,000,000 blank cells", marks=pytest.mark.soak
        ),
    ],
)
def test_a_small_workbook_with_many_or_distant_cells_is_refused(rows, words) -> None:
    sheet = f'<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>{rows}'
    content = with_part(workbook(), "xl/worksheets/sheet1.xml", f"{sheet}</sheetData></worksheet>".encode())
    assert words in rejection(content)


def test_a_file_of_too_many_cells_is_refused_before_it_is_split() -> None:
    content = "date,A\n" + "2024-01-02,1.5\n" * 2_500_001
    begun = time.process_time()
    assert "has more than 5,000,000 cells" in rejection(content)
    assert time.process_time() - begun < 2.0


@pytest.mark.parametrize(
    ("part", "inside"),
    [("worksheets/sheet1.xml", "<row>" + "<c/>" * 400_001 + "</row>"), ("styles.xml", "<xf/><row/>" * 200_001)],
)
def test_a_small_workbook_with_millions_of_tags_is_refused(part, inside) -> None:
    xml = f"<worksheet><sheetData>{inside}</sheetData></worksheet>"
    assert "400,000 XML tags in one place" in rejection(with_part(workbook(), f"xl/{part}", xml.encode()))


def test_rows_with_many_tags_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    cell = '<c t="inlineStr"><is><t>{}</t></is></c>'
    rows = "".join(
        f"<row>{cell.format(day)}<c><v>{n}</v></c></row>" + "<row/>" * 300
        for n, day in enumerate(("date", "2024-01-02", "2024-01-03"), start=1)
    )
    sheet = '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>'
    xml = f"{sheet}{rows}</sheetData></worksheet>".encode()
    monkeypatch.setitem(desk.market.files.workbooks.MAX_TAGS, "xl/worksheets/", 20)
    parsed = parse_text(with_part(workbook(), "xl/worksheets/sheet1.xml", xml))
    assert parsed.bars.closes.tolist() == [[2.0], [3.0]]


def test_json_of_millions_of_empty_records() -> None:
    assert "has more than 5,000,000 cells" in rejection(b"[" + b"{}," * 5_000_000 + b"{}]")


def test_a_parquet_cell_is_one_value() -> None:
    many = pyarrow.table({"date": ["2024-01-02"], "A": [[0.0] * 1_000_000]})
    assert 'column "A.list.element" holds lists' in rejection(parquet(many))
    fixed = pyarrow.table({"date": ["2024-01-02"], "A": pyarrow.array([b"x" * 5_000], pyarrow.binary(5_000))})
    assert "holds long texts" in rejection(parquet(fixed))


def test_parquet_that_exceeds_the_memory_limit_is_refused() -> None:
    places, texts = pyarrow.array([0] * 1000, pyarrow.int32()), pyarrow.array(["x" * 10_000_000])
    long = pyarrow.DictionaryArray.from_arrays(places, texts)
    assert "holds long texts" in rejection(parquet(pyarrow.table({"date": long, "A": [1.0] * 1000})))
    wide = pyarrow.table({f"A{n}": [1.0] for n in range(3000)} | {"date": ["2024-01-02"]})
    assert "has 3,001 columns" in rejection(parquet(wide))
    zeros = pyarrow.table({"date": ["2024-01-02"], "A": [0.0]})
    assert "cannot be read as Parquet" in rejection(parquet(zeros)[:-20])


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "is empty"),
        ("   \n", "is empty"),
        ("date,A\n", "has no price"),
        ("date,A\n2024-01-02,\n", "has no price"),
        ("date,A\n2024-01-02,1\n2024-01-03\n", "has 1 cell, the header has 2"),
        ("date,A\n2024-13-02,1\n", "is not a date"),
        ("date,A\n2024-01-02,1e99\n", "is too far from any price"),
        ('date,A\n2024-01-02,"1,500"\n', "can be 1500 or 1.5"),
        ("day,A,B,A\n2024-01-02,1,2,3\n", "two columns are named"),
        ("A,B\n1,2\n", "has no date column"),
        ("date\n2024-01-02\n", "has no close column"),
        ("date,symbol\n2024-01-02,A\n", "has no close column"),
        ("date,symbol,close\n2024-01-02,,1\n", "the name of an asset is missing"),
        ('date,symbol,close\n2024-01-02,"A,B",1\n', "is not the name of an asset"),
        ("date,close,volume\n2024-01-02,1,-5\n", "is negative"),
        ("date," + ",".join(map(str, range(100_000))) + "\n", "has 100,001 columns"),
        ("date,symbol,close\n" + "".join(f"2024-01-02,S{n},1\n" for n in range(2001)), "has more than 2,000 assets"),
        (b"datum,pris\n" + "2024-01-02,1€".encode("cp1252"), "is not UTF-8"),
        (b"\x00\x01\x02", "is not a text file"),
        ("[" * 100_000, "cannot be read as JSON"),
        ('[{"date": "2024-01-02", "A": NaN}]', "NaN is not JSON"),
        ('{"date": ["2024-01-02"], "A": [1, 2]}', "columns have 1 to 2 values"),
        ('{"A": {"close": [1.0]}}', "symbols without dates"),
        ('{"A": {"dates": ["2024-01-02"], "close": [1.0, 2.0]}}', "lists of several lengths"),
        ('[{"date": "2024-01-02", "A": {"x": 1}}]', "is not a number"),
        ("[1, 2]", "is JSON of another shape"),
        ("{}", "is JSON of another shape"),
        ('{"a": 1' + "0" * 5000 + "}", "cannot be read as JSON"),
    ],
)
def test_errors_name_the_problem(content: str | bytes, words: str) -> None:
    assert words in rejection(content)


def test_assets_without_a_day_in_common_take_no_memory() -> None:
    days = np.arange("1800-01-01", "2199-01-01", dtype="datetime64[D]")[:25_000]
    text = "date,symbol,close\n" + "".join(f"{day},S{n % 2000},1\n" for n, day in enumerate(days))
    assert "hardly a day in common" in rejection(text)


def test_rows_show_duplicates_and_disorder() -> None:
    gates = {gate.name: gate for gate in parse_text(GOOD + "2024-01-03,1.6,11\n").gates}
    assert gates["duplicate_dates"].rows == ("2024-01-03",)
    assert gates["date_order"].rows == ("2024-01-03 after 2024-01-04",)
    long = "date,symbol,close\n2024-01-02,A,1\n2024-01-02,B,1\n2024-01-03,A,1\n2024-01-03,A,2\n"
    gates = {gate.name: gate for gate in parse_text(long).gates}
    assert (gates["duplicate_dates"].rows, gates["date_order"].status) == (("2024-01-03 A",), "PASS")


def test_adjusted_closes_are_the_closes() -> None:
    text = "Date,Open,High,Low,Close,Adj Close,Volume\n2024-01-02,9,11,8,10,5,100\n2024-01-03,11,12,10,11,5.5,200\n"
    parsed = parse_text(text, symbol="SPX")
    fields = {name: values[:, 0].tolist() for name, values in parsed.bars.fields.items()}
    assert fields == {
        "open": [4.5, 5.5],
        "high": [5.5, 6.0],
        "low": [4.0, 5.0],
        "close": [5.0, 5.5],
        "volume": [100.0, 200.0],
        "unadjusted": [10.0, 11.0],
    }
    assert parsed.bars.assets == ("SPX",)
    assert parsed.interpretation.columns["adjusted"] == "Adj Close"


@given(
    st.lists(st.tuples(st.integers(0, 30), st.sampled_from("AB"), st.floats(0.01, 1e6)), min_size=1, max_size=40),
    st.lists(st.tuples(st.integers(0, 30), st.sampled_from("BC"), st.floats(0.01, 1e6)), min_size=1, max_size=40),
)
@settings(max_examples=30)
def test_bars_come_back_and_extend_like_a_dictionary(first, second) -> None:
    day = np.datetime64("2024-01-01")

    def bars(rows) -> tuple[dict, Bars]:
        table = {(str(day + n), asset): value for n, asset, value in rows}
        text = "date,symbol,close\n" + "".join(f"{d},{a},{v!r}\n" for (d, a), v in table.items())
        return table, parse_text(text).bars

    def cells(table: Bars) -> dict:
        return {
            (str(table.dates[t]), table.assets[n]): table.closes[t, n]
            for t, n in np.argwhere(~np.isnan(table.closes)).tolist()
        }

    (one, earlier), (two, later) = bars(first), bars(second)
    assert cells(Bars.from_bytes(earlier.to_bytes())) == cells(earlier) == one
    assert cells(extend(earlier, later)) == one | two


@given(st.data())
@settings(max_examples=60)
def test_a_damaged_table_is_read_or_refused(data: st.DataObject) -> None:
    rows = [dict(zip(("date", "A", "B"), line.split(","), strict=True)) for line in GOOD.splitlines()[1:]]
    table = pyarrow.table({name: [row[name] for row in rows] for name in rows[0]})
    files = [GOOD.encode(), WORKBOOK, parquet(table), json.dumps(rows).encode()]
    content = bytearray(data.draw(st.sampled_from(files)))
    for _ in range(data.draw(st.integers(1, 5))):
        place = data.draw(st.integers(0, len(content) - 1))
        if data.draw(st.booleans()):
            content[place] = data.draw(st.integers(0, 255))
        else:
            del content[place + 1 : place + data.draw(st.integers(2, 50))]
    try:
        parsed = parse_text(bytes(content))
    except InvalidInput:
        return
    assert parsed.bars.closes.shape == (len(parsed.bars.dates), len(parsed.bars.assets))


WORKBOOK = workbook()
