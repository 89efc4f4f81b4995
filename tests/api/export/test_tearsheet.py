import asyncio
import csv
import io
import json
import re
from html.parser import HTMLParser

import pytest
from openpyxl import load_workbook

from api.export.formatting import percent, series_statistic
from api.export.tearsheet.files import as_file
from api.export.tearsheet.page import heat_map, render
from desk.market.bundled import BundledPrices
from desk.tearsheets.document import make_tearsheet
from desk.tearsheets.schemas import MonthRow, TearsheetDocument, TearsheetRequest
from tests.soak_variants import a_few

VOID = {"meta", "br"}
SCRIPT = "</text><script>x()</script>"


class Outline(HTMLParser):
    """Balanced tags, ids, links and visible text of a page."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.text = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        self.tags.add(tag)
        if tag not in VOID:
            self.open.append(tag)
        if attributes.get("id"):
            self.ids.append(attributes["id"] or "")
        if tag == "a":
            self.links.append(attributes["href"] or "")

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" not in self.open:
            self.text += data


@pytest.fixture(scope="module")
def document() -> TearsheetDocument:
    request = TearsheetRequest(asset="AAPL", first_day="2006-06-01", last_day="2010-03-31")  # pyright: ignore[reportArgumentType]
    return asyncio.run(make_tearsheet(None, BundledPrices(), "owner", request))  # pyright: ignore[reportArgumentType]


@pytest.fixture(scope="module")
def page(document) -> str:
    return render(document)


def test_the_page_is_well_formed_and_self_contained(page):
    outline = Outline(page)
    assert outline.open == []
    assert len(outline.ids) == len(set(outline.ids))
    assert {link.removeprefix("#") for link in outline.links} <= set(outline.ids)
    assert outline.tags.isdisjoint({"script", "iframe", "link", "img", "object"})
    assert "http:" not in page
    assert "https:" not in page
    assert "default-src 'none'" in page


def test_equal_documents_have_equal_bytes(document, page):
    assert render(document) == page
    assert as_file(document, "xlsx") == as_file(document, "xlsx")


def test_every_statistic_is_shown_with_its_value_and_definition(document, page):
    text = Outline(page).text
    for row in document.statistics:
        if row.value is not None:
            assert row.label in text
            assert row.definition in text
            assert series_statistic(row.value, row.unit) in text


def test_drawdowns_and_crises_are_shown(document, page):
    text = Outline(page).text
    assert len(document.falls) == 5
    for fall in document.falls:
        assert percent(-fall.depth) in text
        assert str(fall.trough) in text
    assert [crisis.name for crisis in document.crises] == ["Global financial crisis", "Lehman"]
    assert all(percent(crisis.value, signed=True) in text for crisis in document.crises)


def test_every_chart_says_its_finding_in_words(page):
    drawings = re.findall(r'<svg viewBox="[^"]+" role="img" aria-labelledby="(\S+)-title', page)
    assert drawings == ["growth", "drawdown", "years", "volatility", "sharpe", "beta", "distribution"]
    for name in drawings:
        assert re.search(rf'<desc id="{name}-desc">[^<]+\.</desc>', page)


def test_a_series_without_benchmark_has_a_page_without_one():
    days = ["2020-01-31", "2020-02-28", "2020-03-31"]
    fund = TearsheetRequest.model_validate(
        {"series": {"name": "<b>Fund</b>", "dates": days, "returns": [0.1, 0.0, 0.2]}, "benchmark": "none"}
    )
    page = render(asyncio.run(make_tearsheet(None, BundledPrices(), "owner", fund)))  # pyright: ignore[reportArgumentType]
    assert "&lt;b&gt;Fund" in page
    assert "<b>Fund" not in page
    assert "never fell below its peak" in page
    assert "Against the benchmark" not in page


@pytest.mark.parametrize(
    "name", a_few(["$\\bad$", "a $5 note and a $10 note", "_fund", "日本株", SCRIPT], "$\\bad$", SCRIPT)
)
def test_the_name_of_a_series_is_text_in_page_and_charts(name):
    days = [f"2020-{month:02}-15" for month in range(1, 13)]
    series = {"name": name, "dates": days, "returns": [0.01 * (-1) ** n for n in range(12)]}
    fund = TearsheetRequest.model_validate({"series": series, "benchmark": "none"})
    page = render(asyncio.run(make_tearsheet(None, BundledPrices(), "owner", fund)))  # pyright: ignore[reportArgumentType]
    outline = Outline(page)
    assert "script" not in outline.tags
    growth = page[page.index('id="growth-title"') : page.index('id="drawdown-title"')]
    assert name in Outline(growth[growth.index("<g") : growth.index("</svg>")]).text


def test_the_shade_of_a_month_grows_with_its_return():
    values = [0.0, 0.01, -0.02, 0.05, 0.1, -0.1]
    (row,) = heat_map([MonthRow(year=2020, month=n + 1, value=value) for n, value in enumerate(values)]).values()
    assert [cell.shade for cell in row[:6]] == ["zero", "gain-1", "loss-1", "gain-3", "gain-4", "loss-4"]
    assert row[6:] == row[6:7] * 6
    assert row[6].text == ""
    assert row[5].text == "−10.0"


def test_csv_and_workbook_hold_the_values_of_the_document(document):
    rows = list(csv.DictReader(io.StringIO(as_file(document, "csv").decode())))
    assert [row["name"] for row in rows] == [row.name for row in document.statistics]
    assert float(rows[1]["value"]) == document.statistics[1].value
    series = list(csv.DictReader(io.StringIO(as_file(document, "csv", "series").decode())))
    assert [float(row["wealth"]) for row in series] == list(document.series.wealth)
    book = load_workbook(io.BytesIO(as_file(document, "xlsx")), read_only=True)
    assert book.sheetnames == ["Tear sheet", "Statistics", "Series", "Drawdowns", "Months", "Years", "Crises"]
    assert [row[0] for row in book["Years"].iter_rows(min_row=2, values_only=True)] == [2006, 2007, 2008, 2009, 2010]


def test_json_is_the_whole_document(document):
    assert TearsheetDocument.model_validate(json.loads(as_file(document, "json"))) == document
