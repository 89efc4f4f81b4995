"""Results side by side at an address that can be shared, a trial's own page, and the holdout."""

import re

import httpx
import pytest
from playwright.sync_api import expect

from api.export.formatting import number, percent
from tests.web.browsing import SIZES


@pytest.fixture(scope="module")
def compared(service: str, job: str, other_job: str) -> dict[str, object]:
    answer = httpx.get(f"{service}/api/jobs/compare?ids={job},{other_job}", timeout=180)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_two_runs_of_the_list_are_compared_with_the_first_as_baseline(browse, job, other_job, compared):
    visit = browse()
    page = visit.open("/runs")
    page.get_by_role("checkbox", name="Compare A small search").click()
    expect(page.get_by_role("link", name="Compare 1 of 5")).to_be_visible()
    page.get_by_role("checkbox", name="Compare A smaller search").click()
    page.get_by_role("link", name="Compare 2 of 5").click()
    expect(page).to_have_url(re.compile(rf"/compare\?ids={job},{other_job}$"))
    pair = compared["pairs"][0]
    figures = {figure["id"]: figure["value"] for figure in pair["comparison"]["figures"]}
    row = page.get_by_role("row", name="Benefit over the volatility-matched constant weight")
    expect(row.get_by_role("cell").nth(0)).to_contain_text(number(figures["compare_benefit_first"], 0))
    expect(row.get_by_role("cell").nth(1)).to_contain_text(number(figures["compare_benefit_second"], 0))
    expect(row.get_by_role("cell").nth(1)).to_contain_text(number(figures["compare_benefit_change"], 0, signed=True))
    test = page.get_by_role("row", name=re.compile("utility on common days"))
    expect(test).to_contain_text(f"{number(pair['difference']['utility_bps'], 0, signed=True)} bps a year")
    expect(page.get_by_role("table", name="Settings that differ")).to_contain_text("10")
    visit.check_accessibility()
    page.get_by_role("button", name="As baseline: A smaller search").click()
    expect(page).to_have_url(re.compile(rf"/compare\?ids={other_job}%2C{job}$"))
    page.reload()
    expect(page.get_by_role("button", name="As baseline: A small search")).to_be_visible()
    page.get_by_role("button", name="Remove A small search").click()
    expect(page.get_by_role("heading", name="Choose one more run")).to_be_visible()
    visit.check_accessibility()


def test_the_tests_of_the_verdicts_stand_side_by_side_with_what_the_colours_need(browse, job, other_job, compared):
    page = browse().open(f"/compare?ids={job},{other_job}")
    table = page.get_by_role("table", name="The tests of the verdict")
    for place, side in enumerate(compared["jobs"]):
        for item in side["evidence"]:
            if item["decides"]:
                row = table.get_by_role("row", name=re.compile(f"^{item['label']}"))
                expect(row).to_contain_text(item["requirement"].replace("-", "\N{MINUS SIGN}"))
                expect(row).to_contain_text(item["amber_requirement"].replace("-", "\N{MINUS SIGN}"))
                expect(row.get_by_role("cell").nth(place)).to_contain_text("passes" if item["passed"] else "fails")


def test_runs_of_one_name_are_told_apart_and_choices_are_words(browse, job, other_job, compared):
    first, second = compared["jobs"]
    second = second | {"name": first["name"], "ended_at": "2026-03-04T12:00:01Z"}
    goal = {"field": "goal", "words": "goal", "first": "benefit", "second": "robust_utility"}
    [pair] = compared["pairs"]
    pair = pair | {"comparison": pair["comparison"] | {"changes": [goal]}}
    visit = browse()
    visit.page.route(
        "**/api/jobs/compare?*", lambda route: route.fulfill(json={"jobs": [first, second], "pairs": [pair]})
    )
    page = visit.open(f"/compare?ids={job},{other_job}")
    expect(
        page.get_by_role("button", name=re.compile(r"^Remove A small search, 2026-03-04 \d\d:00:01, "))
    ).to_be_visible()
    removes = page.get_by_role("button", name=re.compile("^Remove")).all()
    names = [button.get_attribute("aria-label") for button in removes]
    assert len({*names}) == len(names) == 2
    for name in ("Outcomes", "Settings that differ", "The tests of the verdict"):
        expect(page.get_by_role("table", name=name)).to_contain_text("A small search, 2026-03-04")
    expect(page.get_by_role("row", name=re.compile("^Goal"))).to_contain_text("Robust utility")
    visit.check_accessibility()


@pytest.mark.parametrize("size", SIZES)
def test_a_comparison_fits_every_width_in_the_dark(browse, size, job, other_job, compared):
    visit = browse(size=size, theme="dark")
    page = visit.open(f"/compare?ids={job},{other_job}&all=1")
    expect(page.get_by_role("table", name="Outcomes").get_by_role("row")).not_to_have_count(0)
    assert page.get_by_role("table", name="Outcomes").get_by_role("row").count() > 5
    visit.check_accessibility()
    visit.check_reflow()


def test_a_trial_has_its_own_address_and_becomes_a_strategy(browse, service, job):
    trial = httpx.get(f"{service}/api/jobs/{job}/trials?sort=objective&limit=1", timeout=180).json()["items"][0]
    whole = httpx.get(f"{service}/api/jobs/{job}/trials/{trial['digest']}", timeout=180).json()
    visit = browse()
    page = visit.open(f"/runs/{job}/results?tab=trials&trial={trial['digest']}")
    page.get_by_role("link", name="All of its numbers").click()
    expect(page).to_have_url(re.compile(rf"/runs/{job}/trials/{trial['digest']}$"))
    expect(page.get_by_role("heading", level=1, name=f"Trial {whole['number']}")).to_be_visible()
    row = page.get_by_role("row", name=re.compile("^Volatility "))
    for evaluation in [*whole["evaluations"], whole["train"]]:
        expect(row).to_contain_text(percent(evaluation["metrics"]["volatility"]["value"]))
    limits = page.get_by_role("table", name="Its limits").get_by_role("row")
    expect(limits).to_have_count(1 + len(whole["limits"]))
    expect(limits.nth(1)).to_contain_text("holds" if whole["limits"][0]["passed"] else "broken")
    visit.check_accessibility()
    page.get_by_role("button", name="Save as a strategy").click()
    page.get_by_label("Name").fill("From a trial")
    page.get_by_label("Name").press("Enter")
    expect(page.get_by_role("heading", level=1, name="From a trial")).to_be_visible()
    saved = httpx.get(page.url.replace("/strategies", "/api/strategies"), timeout=180).json()
    assert saved["latest"]["rule"]["config"] == whole["config"]


def test_the_holdout_is_opened_once_after_a_confirmation(browse, service, other_job):
    visit = browse()
    page = visit.open(f"/runs/{other_job}/results")
    holdout = page.get_by_role("region", name="The locked holdout")
    holdout.get_by_role("button", name="Open the holdout").click()
    dialog = page.get_by_role("dialog", name="Open the holdout?")
    expect(dialog).to_contain_text("only once")
    visit.check_accessibility()
    dialog.get_by_role("button", name="Keep it locked").click()
    assert httpx.get(f"{service}/api/jobs/{other_job}/holdout", timeout=180).json()["state"] == "locked"
    holdout.get_by_role("button", name="Open the holdout").click()
    dialog.get_by_role("button", name="Open it, once").click()
    expect(holdout).to_contain_text("was opened on", timeout=180_000)
    status = httpx.get(f"{service}/api/jobs/{other_job}/holdout", timeout=180).json()
    figures = {figure["id"]: figure["value"] for figure in status["opened"]["figures"]}
    expect(holdout).to_contain_text(number(figures["holdout_advantage_bps"], 0, signed=True))
    expect(holdout).to_contain_text(percent(figures["holdout_winner_volatility"]))
    expect(holdout.get_by_role("button", name="Open the holdout")).to_have_count(0)
    visit.check_accessibility()
