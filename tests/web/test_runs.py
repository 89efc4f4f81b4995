"""The list of runs and a live run: its events once each whatever is cut, its approval, its end."""

import re

import pytest
from playwright.sync_api import Route, expect

from tests.doubles.http_servers import cut_wire
from tests.web.browsing import SIZES
from tests.web.live_runs import PATIENCE_SECONDS, REDUCED, events_of, events_on, start


@pytest.fixture(scope="module")
def ended_run(service: str) -> str:
    run = start(service, name="Short search", trials=10)
    events_of(service, run)
    return run


def test_the_demo_is_followed_to_its_verdict_over_a_network_that_is_cut(open_pages, service):
    sockets: list[str] = []
    with cut_wire(service) as wire:
        visit = open_pages(wire.url)
        visit.page.on("websocket", lambda socket: sockets.append(socket.url))
        page = visit.open("/")
        fewer = REDUCED | {"trials": 40}
        page.route("**/api/jobs", lambda route: route.continue_(post_data=route.request.post_data_json | fewer))
        page.get_by_role("button", name="Run the demo").first.click()
        page.get_by_role("link", name="Demo: S&P 500").first.click()
        expect(page.get_by_role("heading", level=1, name="Demo: S&P 500")).to_be_focused()
        expect(page.get_by_role("button", name="Live by WebSocket")).to_be_visible()
        visit.check_accessibility()
        expect(page.get_by_text(re.compile(r"^Trial \d+ ")).first).to_be_visible(timeout=1000 * PATIENCE_SECONDS)
        wire.cut()
        expect(page.get_by_role("link", name="Why, and how sure")).to_be_visible(timeout=1000 * PATIENCE_SECONDS)
        run = page.url.rpartition("/")[2]
        assert events_on(page) == events_of(service, run)
        assert len(sockets) >= 2
        expect(page.get_by_role("link", name="Open the results")).to_be_visible()
        expect(page.get_by_role("heading", name="Best so far, in sample")).to_be_visible()
        visit.check_accessibility()


def test_what_failed_without_a_connection_is_asked_again_with_one(browse, service):
    run = start(service, name="Without charts", trials=10)
    visit = browse()
    for asked in ("**/charts?*", "**/api/health"):
        visit.page.route(asked, lambda route: route.abort("connectionrefused"))
    page = visit.open(f"/runs/{run}")
    expect(page.get_by_role("link", name="Open the results")).to_be_visible(timeout=1000 * PATIENCE_SECONDS)
    expect(page.get_by_role("button", name="No connection")).to_be_visible()
    expect(page.get_by_text("appears here with the first trials")).to_have_count(2)
    page.unroute_all()
    expect(page.get_by_role("heading", name="Best so far, in sample")).to_be_visible()
    expect(page.get_by_role("heading", name="10 trials by risk and return")).to_be_visible()
    expect(page.get_by_role("img", name="Connected")).to_be_visible()


def test_other_ways_bring_the_same_events_where_one_is_blocked(browse, service, ended_run):
    visit = browse()
    visit.page.route_web_socket("**", lambda socket: socket.close(code=1011))
    asked: list[str] = []
    visit.page.on("request", lambda request: asked.append(request.url))
    page = visit.open(f"/runs/{ended_run}")
    expect(page.get_by_role("group", name="Events")).to_be_visible()
    assert events_on(page) == events_of(service, ended_run)
    assert any(address.endswith("/events?after=0") for address in asked)
    page.evaluate("localStorage.setItem('stratigos-live-by', JSON.stringify('poll'))")
    page.reload()
    expect(page.get_by_role("group", name="Events")).to_be_visible()
    assert events_on(page) == events_of(service, ended_run)
    assert any("/events/poll?after=0" in address for address in asked)


@pytest.mark.parametrize("size", SIZES)
def test_no_width_scrolls_sideways(browse, ended_run, size):
    visit = browse(size=size, theme="dark")
    page = visit.open("/runs")
    expect(page.get_by_role("link", name="Short search")).to_be_visible()
    visit.check_reflow()
    visit.check_accessibility()
    page.goto(f"{visit.address}/runs/{ended_run}")
    expect(page.get_by_role("group", name="Events")).to_be_visible()
    visit.check_reflow()


def test_a_run_is_rejected_where_it_waits_and_appears_in_the_list_of_its_state(browse, service):
    run = start(service, name="Huge search", trials=5000)
    visit = browse()
    page = visit.open(f"/runs/{run}")
    page.get_by_role("button", name="Reject").click(timeout=1000 * PATIENCE_SECONDS)
    expect(page.get_by_role("button", name="Reject it")).to_be_disabled()
    page.get_by_role("textbox", name="Reason").fill("too many trials")
    visit.check_accessibility()
    page.get_by_role("button", name="Reject it").click()
    expect(page.get_by_text("Rejected", exact=True)).to_be_visible()
    expect(page.get_by_role("button", name="Cancel")).to_have_count(0)
    page.get_by_role("link", name="Runs").click()
    page.get_by_role("combobox", name="State").click()
    page.get_by_role("option", name="Rejected").click()
    expect(page).to_have_url(re.compile(r"\?state=rejected$"))
    page.get_by_role("textbox", name="Name contains").fill("huge")
    expect(page.get_by_role("link", name="Huge search")).to_be_visible()
    page.get_by_role("textbox", name="Name contains").fill("no such name")
    page.get_by_role("button", name="Reset the filters").click()
    expect(page).to_have_url(f"{service}/runs")


def test_a_run_is_cancelled_with_a_second_press(browse, service):
    run = start(service, name="Long search", trials=2000)
    page = browse().open(f"/runs/{run}")
    page.get_by_role("button", name="Cancel").click()
    page.get_by_role("button", name="Cancel Long search for good").click()
    expect(page.get_by_text("Cancelled", exact=True)).to_be_visible(timeout=1000 * PATIENCE_SECONDS)
    events_of(service, run)


def test_a_filter_keeps_the_focus_while_its_text_reaches_the_address(browse):
    page = browse().open("/runs")
    page.get_by_label("Name contains").press_sequentially("sma")
    expect(page).to_have_url(re.compile(r"q=sma$"))
    page.keyboard.type("ller than any")
    expect(page).to_have_url(re.compile(r"q=smaller"))
    page.get_by_role("button", name="Reset the filters").click()
    expect(page.get_by_label("Name contains")).to_have_value("")


def test_a_run_that_failed_says_why(browse, service):
    run = start(service, name="To fail", trials=10)
    visit = browse()
    reason = "prices: the file was removed; import it again"

    def fail(route: Route) -> None:
        job = route.fetch().json()
        entry = {"state": "failed", "at": job["updated_at"], "by": "worker", "reason": reason}
        route.fulfill(json=job | {"state": "failed", "result": None, "history": [*job["history"], entry]})

    visit.page.route(re.compile(rf"/api/jobs/{run}$"), fail)
    page = visit.open(f"/runs/{run}")
    alert = page.get_by_role("alert").filter(has_text="The run failed")
    expect(alert).to_contain_text("Prices: the file was removed; import it again")
    visit.check_accessibility()
