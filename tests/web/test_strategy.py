"""A rule is shaped with its preview beside it, saved in versions, and becomes a search."""

import re

import httpx
import pytest
from playwright.sync_api import Page, expect


def comparison(page: Page) -> str:
    return page.get_by_role("row", name="This strategy").inner_text()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_preview_shows_the_numbers_of_the_evaluation(browse, service, theme):
    visit = browse(theme=theme)
    page = visit.open("/strategies/new?template=twelve_month_rule&adv=1")
    expect(page.get_by_role("row", name="This strategy")).to_be_visible()
    rule = {"weight_function": "inverse_vol", "estimator": "rolling", "lookback_days": 252, "rebalancing": "monthly"}
    evaluation = httpx.post(f"{service}/api/evaluations", json={"config": rule}, timeout=60).json()
    metrics = evaluation["held"][0]["history"]["metrics"]
    shown = [f"{100 * metrics[name]['value']:.1f}%" for name in ("excess_return", "volatility", "max_drawdown")]
    assert all(text in comparison(page) for text in [*shown, f"{metrics['sharpe']['value']:.2f}"])
    expect(page.get_by_role("heading", name=f"Holds {100 * evaluation['today']['weight']:.0f}% today")).to_be_visible()
    visit.check_accessibility()
    visit.check_reflow()


def test_minutes_10_to_15_a_sigmoid_is_previewed_corrected_and_saved_in_versions(browse):
    visit = browse()
    page = visit.open("/strategies")
    page.get_by_role("link", name="Spreadsheet 12-month rule").click()
    before = comparison(page)
    page.get_by_role("combobox", name="Weight function").click()
    page.get_by_role("option", name="Sigmoid").click()
    expect(page.get_by_role("alert").filter(has_text="half")).to_be_visible()
    expect(page.get_by_role("row", name="This strategy")).not_to_have_text(before)
    page.get_by_label("Midpoint").fill("15")
    page.get_by_label("Midpoint").press("Tab")
    expect(page.get_by_role("alert")).to_have_count(0)
    page.get_by_label("Name").fill("Core")
    page.reload()
    expect(page.get_by_label("Midpoint")).to_have_value("15%")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page).to_have_url(re.compile(r"/strategies/\w+$"))
    expect(page.get_by_text("version 1")).to_be_visible()
    page.get_by_label("Scale").fill("4")
    page.get_by_role("button", name="Save version 2").click()
    expect(page.get_by_text("version 2", exact=True)).to_be_visible()
    page.go_back()
    page.get_by_role("link", name="Strategies").click()
    expect(page.get_by_role("row", name="Core")).to_contain_text("2")
    visit.check_accessibility()


def test_the_keyboard_reads_a_chart_and_its_table(browse):
    page = browse().open("/strategies/new")
    figure = page.get_by_role("figure", name=re.compile("^1 became"))
    chart = figure.get_by_label(re.compile("Arrow keys"))
    chart.focus()
    page.keyboard.press("End")
    expect(figure).to_contain_text(re.compile(r"\d{4}-\d\d-\d\d, This strategy: \d"))
    page.keyboard.press("ArrowDown")
    expect(figure).to_contain_text("Constant, same volatility: ")
    page.keyboard.press("t")
    expect(figure.get_by_role("table").get_by_role("row")).to_have_count(251)
    with page.expect_download() as download:
        figure.get_by_role("button", name=re.compile("^Save")).click()
        page.get_by_role("menuitem", name="Numbers (CSV)").click()
    assert len(download.value.path().read_text().splitlines()) == 251


def test_a_search_is_estimated_and_started_once(browse, service):
    page = browse().open("/strategies/new?template=risk_control")
    page.get_by_label("Name").fill("Once")
    page.get_by_label("Candidates").fill("10")
    page.get_by_label("Candidates").press("Tab")
    expect(page.get_by_text("50 evaluations")).to_be_visible()
    page.get_by_role("button", name="Search and judge").dblclick()
    expect(page).to_have_url(re.compile(r"/runs/\w+$"))
    jobs = httpx.get(f"{service}/api/jobs?name=Once", timeout=60).json()["items"]
    assert len(jobs) == 1
    httpx.delete(f"{service}/api/jobs/{jobs[0]['id']}", timeout=60)
