"""From the desk to a judged result with the keyboard alone; the focus is always in sight."""

import re

from playwright.sync_api import expect

from tests.web.hands import tab_to
from tests.web.live_runs import PATIENCE_SECONDS, REDUCED


def test_a_search_is_shaped_started_followed_and_read(browse):
    visit = browse()
    page = visit.open("/")
    expect(page.get_by_role("heading", level=1, name="Desk")).to_be_visible()
    fewer = REDUCED | {"trials": 10}
    page.route("**/api/jobs", lambda route: route.continue_(post_data=route.request.post_data_json | fewer))
    page.keyboard.press("g")
    page.keyboard.press("s")
    expect(page.get_by_role("heading", level=1, name="Strategies")).to_be_focused()
    expect(page.get_by_role("link", name="Spreadsheet 12-month rule")).to_be_visible()
    tab_to(page, "Spreadsheet 12-month rule.*")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1, name="New strategy")).to_be_focused()
    expect(page.get_by_role("button", name="Search and judge")).to_be_enabled()
    tab_to(page, "Name")
    page.keyboard.press("Control+a")
    page.keyboard.type("By keyboard")
    tab_to(page, "Search and judge")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"/runs/\w+$"))
    expect(page.get_by_role("link", name="Open the results")).to_be_visible(timeout=1000 * PATIENCE_SECONDS)
    tab_to(page, "Open the results")
    page.keyboard.press("Enter")
    expect(page.get_by_role("region", name="Verdict")).to_be_visible()
    tab_to(page, "Trials")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("tab=trials"))
    page.keyboard.press("g")
    page.keyboard.press("c")
    expect(page.get_by_role("heading", level=1, name="Scenarios")).to_be_focused()
    expect(page.get_by_role("button", name="Copy Base case")).to_be_visible()
    tab_to(page, "Copy Base case")
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog", name="Copy Base case")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
