"""Scenarios: the library, a copy that is changed while its paths are drawn again, and correlations that can be."""

import re

import httpx
import pytest
from playwright.sync_api import expect

from api.export.formatting import number, percent
from tests.web.browsing import SIZES


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_library_shows_what_the_service_states(browse, service, theme):
    visit = browse(theme=theme)
    page = visit.open("/scenarios")
    entries = httpx.get(f"{service}/api/scenarios", timeout=180).json()["items"]
    for entry in entries:
        scenario, name = entry["scenario"], entry["scenario"]["name"]
        sharpe = next(each["value"] for each in entry["figures"] if each["id"] == f"scenario_{name}_sharpe")
        row = page.get_by_role("row", name=name.replace("_", " ").capitalize())
        for text in (percent(scenario["mu"]), percent(scenario["sigma"]), number(sharpe, 2)):
            expect(row).to_contain_text(text)
    visit.check_accessibility()
    visit.check_reflow()


@pytest.mark.parametrize("size", SIZES)
def test_a_built_in_scenario_shows_its_paths_and_cannot_be_changed(browse, service, size):
    visit = browse(size=size)
    page = visit.open("/scenarios/bear_market")
    request = {"scenario": "bear_market", "universe": "sp500", "paths": 512, "shown": 20, "points": 120}
    preview = httpx.post(f"{service}/api/scenarios/preview", json=request, timeout=180).json()
    end = number(preview["bands"]["p50"][-1], 2)
    expect(page.get_by_role("heading", level=3, name=re.compile(rf"^1 becomes {end} in 5 years"))).to_be_visible()
    moment = preview["moments"][1]
    row = page.get_by_role("row", name="Volatility a year")
    expect(row).to_contain_text(percent(moment["simulated"]))
    expect(row).to_contain_text("as stated")
    expect(page.get_by_label("Mean return", exact=True)).not_to_be_editable()
    expect(page.get_by_role("button", name="Delete")).to_have_count(0)
    visit.check_accessibility()
    visit.check_reflow()


def test_a_copy_is_changed_saved_and_deleted(browse, service):
    visit = browse()
    page = visit.open("/scenarios")
    page.get_by_role("button", name="Copy High volatility").click()
    dialog = page.get_by_role("dialog", name="Copy High volatility")
    dialog.get_by_label("Name").fill("Mine!")
    expect(dialog.get_by_role("button", name="Copy")).to_be_disabled()
    dialog.get_by_label("Name").fill("mine")
    dialog.get_by_label("Name").press("Enter")
    expect(page.get_by_role("heading", level=1, name="Mine")).to_be_visible()
    finding = page.get_by_role("figure").get_by_role("heading", level=3)
    before = finding.inner_text()
    page.get_by_role("combobox", name="Engine").click()
    page.get_by_role("option", name="Merton").click()
    expect(page.get_by_label("Mean reversion")).to_have_count(0)
    page.get_by_label("Jumps per year").fill("2")
    page.get_by_label("Mean return", exact=True).fill("-8")
    page.get_by_label("Mean return", exact=True).press("Tab")
    expect(finding).not_to_have_text(before)
    elsewhere = httpx.get(f"{service}/api/scenarios/mine", timeout=180).json()["scenario"] | {"cash_rate": 0.07}
    httpx.put(f"{service}/api/scenarios/mine", json=elsewhere, timeout=180).raise_for_status()
    page.get_by_role("button", name="Save", exact=True).click()  # refused, and merged
    expect(page.get_by_label("Cash rate")).to_have_value("7%")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_role("button", name="Save", exact=True)).to_have_count(0)
    stored = httpx.get(f"{service}/api/scenarios/mine", timeout=180).json()["scenario"]
    changed = {"engine": "merton", "mu": -0.08, "jumps_per_year": 2, "cash_rate": 0.07}
    assert {name: stored[name] for name in changed} == changed
    visit.check_accessibility()
    page.get_by_role("button", name="Delete").click()
    visit.check_accessibility()
    page.get_by_role("button", name="Delete it").click()
    expect(page.get_by_text("Mine is deleted.")).to_be_visible()
    expect(page.get_by_role("row", name="Mine")).to_have_count(0)
    assert httpx.get(f"{service}/api/scenarios/mine", timeout=180).status_code == 404


def test_impossible_correlations_are_repaired_with_consent_only(browse, service):
    visit = browse()
    page = visit.open("/scenarios?correlations=A,B,C:0.9,-0.9,0")
    page.get_by_label("B with C").fill("0.9")
    matrix = [[1.0, 0.9, -0.9], [0.9, 1.0, 0.9], [-0.9, 0.9, 1.0]]
    check = httpx.post(f"{service}/api/scenarios/correlations", json={"matrix": matrix}, timeout=180).json()
    expect(page.get_by_text(f"lies at a distance of {number(check['distance'], 3)}")).to_be_visible()
    expect(page).to_have_url(re.compile("A%2CB%2CC%3A0.9%2C-0.9%2C0.9$"))
    expect(page.get_by_label("A with B")).to_have_value("0.9")
    visit.check_accessibility()
    page.get_by_role("button", name="Use the nearest matrix").click()
    expect(page.get_by_text("Returns can have these correlations")).to_be_visible()
    expect(page.get_by_label("A with B")).to_have_value(f"{check['nearest'][0][1]:.3g}")
    page.go_back()
    expect(page.get_by_label("A with B")).to_have_value("0.9")
