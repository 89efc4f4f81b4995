"""A rule is shaped with its preview beside it, saved in versions, and becomes a search."""

import re
from pathlib import Path

import httpx
import numpy as np
import pandas as pd
import pytest
from playwright.sync_api import Locator, Page, expect

from desk.optimization.request import OptimizationRequest


def comparison(page: Page) -> str:
    return page.get_by_role("row", name="This strategy").inner_text()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_preview_shows_the_numbers_of_the_evaluation(browse, service, theme):
    visit = browse(theme=theme)
    page = visit.open("/strategies/new?template=twelve_month_rule&adv=1")
    expect(page.get_by_role("row", name="This strategy")).to_be_visible()
    rule = {"weight_function": "inverse_vol", "estimator": "rolling", "lookback_days": 252, "rebalancing": "monthly"}
    evaluation = httpx.post(f"{service}/api/evaluations", json={"config": rule}, timeout=180).json()
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
    expect(page.get_by_role("button", name="Version 1 of 1")).to_be_visible()
    page.get_by_label("Scale").fill("4")
    page.get_by_role("button", name="Save as version 2").click()
    expect(page.get_by_role("button", name="Version 2 of 2")).to_be_visible()
    expect(page.get_by_role("button", name="Save as version 3")).to_have_count(0)
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


def test_a_finished_search_is_changed_and_searched_again(browse, service, job):
    page = browse().open(f"/runs/{job}/results")
    searched = httpx.get(f"{service}/api/jobs/{job}/request", timeout=60).json()
    target = f"{100 * searched['mandate']['target_volatility']:.0f}%"
    expect(page.get_by_text(f"Asked for {target} volatility")).to_be_visible()
    with page.expect_request(lambda request: request.url.endswith("/api/estimates")) as asked:
        page.get_by_role("link", name="Change and search again").click()
    again = OptimizationRequest.model_validate(asked.value.post_data_json).model_dump(mode="json")
    named = {"name": f"{searched['name']} (2)"}
    assert {name: value for name, value in again.items() if value != searched[name]} == named
    expect(page.get_by_label("Candidates")).to_have_value(str(searched["trials"]))
    with page.expect_request(lambda request: request.url.endswith("/api/estimates")) as asked:
        page.get_by_label("Candidates").fill("40")
    changed = OptimizationRequest.model_validate(asked.value.post_data_json).model_dump(mode="json")
    assert {name: value for name, value in changed.items() if value != again[name]} == {"trials": 40}


def test_a_search_is_estimated_and_started_once(browse, service):
    page = browse().open("/strategies/new?template=risk_control")
    page.get_by_label("Name").fill("Once")
    page.get_by_label("Candidates").fill("10")
    page.get_by_label("Candidates").press("Tab")
    expect(page.get_by_text("50 evaluations")).to_be_visible()
    page.get_by_role("button", name="Search and judge").dblclick()
    expect(page).to_have_url(re.compile(r"/runs/\w+$"))
    jobs = httpx.get(f"{service}/api/jobs?name=Once", timeout=180).json()["items"]
    assert len(jobs) == 1
    httpx.delete(f"{service}/api/jobs/{jobs[0]['id']}", timeout=180)


def test_limits_budgets_and_cash_are_asked_of_the_search(browse):
    visit = browse(theme="dark")
    page = visit.open("/strategies/new?template=risk_control")
    for part in (
        "Goal and budgets",
        "Limits",
        "Cash, safe leg and currency",
        "Days and comparisons",
        "What is searched",
    ):
        page.get_by_role("button", name=part).click()
    visit.check_accessibility()
    visit.check_reflow()
    for label, value in (("At most minutes", "5"), ("Maximum drawdown", "25"), ("First day", "1995-01-01")):
        fill(page, label, value)
    page.get_by_role("combobox", name="Parameters of the engines").click()
    page.get_by_role("option", name="Fitted on the training days").click()
    page.get_by_role("combobox", name="Look-back, values tried").press_sequentially("21,63,")
    with page.expect_request(lambda each: "/api/estimates" in each.url and '"cash":"0.03"' in each.post_data) as asked:
        fill(page, "Cash earns", "0.03")
    body = asked.value.post_data_json
    expected = {"max_minutes": 5, "engine_parameters": "fitted", "first_day": "1995-01-01", "cash": "0.03"}
    assert {name: body[name] for name in expected} == expected
    assert body["limits"] == {"max_drawdown": {"bound": 0.25}}
    assert body["space"] == {"lookback_days": [21, 63]}
    fill(page, "Cash earns", "bundled:DE")
    expect(page.get_by_label("Cash earns")).to_have_attribute("aria-invalid", "true")
    visit.check_accessibility()


def test_a_limit_that_applies_by_default_is_shown(browse):
    page = browse().open("/strategies/new?template=risk_control")
    page.get_by_role("button", name="Goal and budgets").click()
    page.get_by_role("button", name="Limits").click()
    limit = page.get_by_label("Distance from target volatility", exact=True)
    fill(page, "Target volatility", "12")
    expect(limit).to_have_attribute("placeholder", "3.6%")
    expect(page.get_by_text("30% of the target on the training days, unless set")).to_be_visible()
    page.get_by_role("combobox", name="Goal").click()
    page.get_by_role("option", name="Robust utility").click()
    expect(limit).to_have_attribute("placeholder", "No limit")


def save_core(service: str, name: str) -> str:
    """A strategy with one version."""
    rule = {
        "config": {
            "weight_function": "sigmoid",
            "midpoint": 0.15,
            "scale": 0.03,
            "estimator": "rolling",
            "lookback_days": 63,
        }
    }
    stored = httpx.post(f"{service}/api/strategies", json={"name": name, "rule": rule}, timeout=180)
    assert stored.status_code == 201, stored.text
    return stored.json()["id"]


def fill(page: Page, label: str, value: str) -> None:
    page.get_by_label(label, exact=True).fill(value)
    page.get_by_label(label, exact=True).press("Tab")


def test_what_a_search_was_asked_is_kept_with_the_version(browse, service):
    strategy = save_core(service, "Options")
    page = browse().open(f"/strategies/{strategy}")
    page.get_by_role("button", name="Limits").click()
    page.get_by_role("button", name="Cash, safe leg and currency").click()
    for label, value in (("Maximum drawdown", "25"), ("Cash earns", "0.03"), ("Candidates", "50")):
        fill(page, label, value)
    page.get_by_role("button", name="Save as version 2").click()
    expect(page.get_by_role("button", name="Version 2 of 2")).to_be_visible()
    stored = httpx.get(f"{service}/api/strategies/{strategy}", timeout=180).json()["latest"]["search"]
    assert stored == {"trials": 50, "cash": "0.03", "limits": {"max_drawdown": {"bound": 0.25}}}
    other = browse().open(f"/strategies/{strategy}?versions=1")
    newest = other.get_by_role("dialog", name="Versions").get_by_role("listitem").first
    for text in ("Maximum drawdown: by default → 25%", "Candidates: by default → 50", "Cash earns: by default → 0.03"):
        expect(newest).to_contain_text(text)
    other.get_by_role("button", name="Close").click()
    expect(other.get_by_label("Maximum drawdown", exact=True)).to_have_value("25%")
    expect(other.get_by_label("Candidates")).to_have_value("50")


def test_own_prices_are_imported_where_a_strategy_takes_them(browse, tmp_path):
    days = pd.bdate_range("2004-01-02", "2018-12-31")
    levels = 100.0 * np.exp(np.cumsum(np.random.default_rng(7).normal(0.0003, 0.01, days.size)))
    text = pd.Series(levels, index=days, name="FUND").to_csv(index_label="date")
    (tmp_path / "My Fund.csv").write_text(text)
    (tmp_path / "Notes.csv").write_text("nothing to see here")
    visit = browse(size="phone")
    page = visit.open("/strategies/new")
    page.get_by_role("button", name="Use your own").click()
    dialog = page.get_by_role("dialog", name="Use your own prices")
    visit.check_accessibility()
    visit.check_reflow()
    choose(dialog, tmp_path / "Notes.csv")
    dialog.get_by_role("button", name="Import").click()
    expect(dialog.get_by_role("alert")).to_contain_text("date")
    visit.check_accessibility()
    choose(dialog, tmp_path / "My Fund.csv")
    dialog.get_by_label("Name").fill("my_fund")
    dialog.get_by_role("button", name="Import").click()
    expect(dialog.get_by_role("alert")).to_contain_text("weekends or holidays of XNYS")
    visit.check_accessibility()
    dialog.get_by_role("button", name="Take the days of the file").click()
    expect(dialog.get_by_role("combobox", name="Days")).to_have_value("Whatever days the file has")
    dialog.get_by_role("button", name="Import").click()
    expect(page.get_by_text("my_fund: FUND from")).to_be_visible()
    expect(page.get_by_role("combobox", name="Prices")).to_have_value("my_fund")
    expect(page.get_by_text("Computed on 20")).to_be_visible()
    expect(page.get_by_role("row", name="This strategy")).to_be_visible()


def choose(dialog: Locator, file: Path) -> None:
    with dialog.page.expect_file_chooser() as chooser:
        dialog.get_by_label("File").click()
    chooser.value.set_files(file)


def test_two_people_who_change_one_strategy_merge_their_changes(browse, service):
    strategy = save_core(service, "Shared")
    mine, theirs = browse(), browse(theme="dark")
    pages = [visit.open(f"/strategies/{strategy}") for visit in (mine, theirs)]
    for page in pages:
        expect(page.get_by_label("Scale", exact=True)).to_have_value("3%")
    fill(pages[1], "Scale", "5")
    fill(pages[1], "Look-back", "126")
    pages[1].get_by_role("button", name="Save as version 2").click()
    expect(pages[1].get_by_role("button", name="Version 2 of 2")).to_be_visible()
    page = pages[0]
    fill(page, "Scale", "4")
    fill(page, "Midpoint", "12")
    page.get_by_role("button", name="Save as version 2").click()
    dialog = page.get_by_role("dialog", name="A newer version was saved meanwhile")
    expect(dialog.get_by_role("row", name="Scale")).to_contain_text("4%")
    expect(dialog.get_by_role("row")).to_have_count(2)
    expect(page.locator("[aria-busy=true]")).to_have_count(0)
    mine.check_accessibility()
    dialog.get_by_role("button", name="Take theirs").click()
    expect(page.get_by_label("Scale", exact=True)).to_have_value("5%")
    expect(page.get_by_label("Look-back", exact=True)).to_have_value("126 sessions")
    expect(page.get_by_label("Midpoint", exact=True)).to_have_value("12%")
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_label("Scale", exact=True)).to_have_value("4%")
    page.get_by_role("button", name="Redo").click()
    page.get_by_role("button", name="Save as version 3").click()
    page.get_by_role("button", name="Version 3 of 3").click()
    drawer = page.get_by_role("dialog", name="Versions")
    expect(drawer.get_by_role("listitem").first).to_contain_text("Midpoint: 15% → 12%")
    expect(page.locator("[aria-busy=true]")).to_have_count(0)
    mine.check_accessibility()
    drawer.get_by_text("Against the newest").click()
    expect(drawer.get_by_role("listitem").last).to_contain_text("Scale: 5% → 3%")
    drawer.get_by_role("link", name="Version 1").click()
    expect(page).to_have_url(re.compile(r"\?v=1$"))
    expect(page.get_by_label("Midpoint", exact=True)).to_have_value("15%")
    expect(page.get_by_role("button", name="Save as version 4")).to_be_visible()


def test_two_tabs_with_one_draft_do_not_overwrite_each_other(browse, service):
    strategy = save_core(service, "Tabs")
    visit = browse()
    first = visit.open(f"/strategies/{strategy}")
    expect(first.get_by_label("Scale", exact=True)).to_have_value("3%")
    second = first.context.new_page()
    second.goto(first.url)
    fill(second, "Scale", "4")
    expect(first.get_by_label("Scale", exact=True)).to_have_value("4%")
    fill(first, "Midpoint", "11")
    expect(second.get_by_label("Midpoint", exact=True)).to_have_value("11%")
    expect(second.get_by_label("Scale", exact=True)).to_have_value("4%")
    second.get_by_role("button", name="Reset").click()
    expect(first.get_by_role("button", name="Reset")).to_be_disabled()


def test_a_strategy_is_copied_under_a_free_name(browse, service):
    strategy = save_core(service, "Origin")
    visit = browse(size="phone")
    page = visit.open(f"/strategies/{strategy}")
    page.get_by_role("button", name="Copy").click()
    dialog = page.get_by_role("dialog", name="Copy Origin")
    dialog.get_by_label("Name").fill("origin")
    dialog.get_by_role("button", name="Copy").click()
    expect(dialog.get_by_label("Name")).to_have_accessible_description(re.compile("another name"))
    visit.check_accessibility()
    visit.check_reflow()
    dialog.get_by_label("Name").fill("Origin 2")
    dialog.get_by_label("Name").press("Enter")
    expect(page.get_by_role("heading", level=1, name="Origin 2")).to_be_visible()


def test_a_mistake_is_named_in_the_unit_of_its_field_and_an_emptied_field_is_restored(browse):
    page = browse().open("/strategies/new?template=risk_control")
    launch = page.get_by_role("button", name="Search and judge")
    expect(launch).to_be_enabled()
    target = page.get_by_label("Target volatility", exact=True)
    target.fill("999")
    expect(page.get_by_text("Target volatility: 999% is not possible: 5% to 20%")).to_be_visible()
    expect(launch).to_be_disabled()
    target.blur()
    expect(target).to_have_value("20%")
    expect(launch).to_be_enabled()
    candidates = page.get_by_label("Candidates", exact=True)
    candidates.fill("")
    candidates.blur()
    expect(candidates).to_have_value("100")
    page.get_by_role("button", name="Limits", exact=True).click()
    drawdown = page.get_by_label("Maximum drawdown", exact=True)
    drawdown.press_sequentially("-15")
    expect(drawdown).to_have_value("15%")


def test_a_long_word_as_a_name_does_not_widen_a_page(browse, service):
    name = "Pneumonoultramicroscopicsilicovolcanoconiosis-and-more-of-the-sa"
    strategy = save_core(service, name)
    visit = browse(size="phone")
    for path in (f"/strategies/{strategy}", "/strategies"):
        page = visit.open(path)
        expect(page.get_by_text(name).first).to_be_visible()
        visit.check_reflow()


def test_a_new_strategy_begins_with_the_preferred_risk_aversion(browse, service):
    def prefer(tolerance: str | None) -> None:
        kept = httpx.get(f"{service}/api/me/preferences", timeout=60)
        body = kept.json() | {"risk_tolerance": tolerance}
        headers = {"If-Match": kept.headers["ETag"]}
        answer = httpx.put(f"{service}/api/me/preferences", json=body, headers=headers, timeout=60)
        assert answer.status_code == 200, answer.text

    prefer("low")
    try:
        page = browse().open("/strategies/new?template=risk_control")
        expect(page.get_by_label("Risk aversion", exact=True)).to_have_value("5")
        page.goto(f"{service}/strategies/new?template=merton")
        expect(page.get_by_label("Risk aversion", exact=True)).to_have_value("3")
    finally:
        prefer(None)
