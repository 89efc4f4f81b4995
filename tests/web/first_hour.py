"""Minutes 5 to 40 of a portfolio manager's first hour, from the spreadsheet's rule to a judged result."""

import re
from typing import Any

import httpx
from playwright.sync_api import Page, Route, expect

from api.export.formatting import number, percent
from tests.doubles.http_servers import cut_wire
from tests.web.browsing import Visit
from tests.web.hands import Hand
from tests.web.live_runs import events_of, events_on

LONGEST_MS = 600_000


def shape_a_rule(page: Page, hand: Hand) -> None:
    """Minutes 5 to 15: the template with its curves, then a sigmoid that a warning corrects, saved."""
    hand.press(page, "link", "Strategies")
    expect(page.get_by_role("link", name="Spreadsheet 12-month rule")).to_be_visible()
    hand.press(page, "link", "Spreadsheet 12-month rule Inverse volatility, rebalanced monthly")
    table = page.get_by_role("table", name="The strategy and its benchmarks on history")
    expect(table.get_by_role("row", name="60/40")).to_be_visible()
    expect(page.get_by_role("heading", name=re.compile(r"^Holds \d+% today$"))).to_be_visible()
    expect(page.get_by_role("figure", name=re.compile(r"^1 became ")).get_by_text("60/40 in cash")).to_be_visible()
    hand.choose(page, "Weight function", "Sigmoid")
    expect(page.get_by_role("alert").filter(has_text="half")).to_be_visible()
    hand.fill(page, "Midpoint", "14")
    hand.fill(page, "Scale", "4")
    expect(page.get_by_role("alert")).to_have_count(0)
    hand.fill(page, "Name", "Core")
    hand.press(page, "button", "Save")
    expect(page.get_by_role("button", name="Version 1 of 1")).to_be_visible()


def state_a_world(page: Page, hand: Hand) -> None:
    """Minutes 15 to 20: a copy of the bear market whose bonds fall with equities, and correlations that can be."""
    hand.press(page, "link", "Scenarios")
    hand.press(page, "link", "Bear market")
    statistics = page.get_by_role("table", name="Statistics of the paths")
    expect(statistics.get_by_role("row", name="Volatility a year")).to_contain_text("as stated")
    hand.press(page, "button", "Copy")
    dialog = page.get_by_role("dialog", name="Copy Bear market")
    expect(dialog.get_by_label("Name")).to_be_focused()
    page.keyboard.press("Control+a")
    page.keyboard.type("like_2022")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1, name="Like 2022")).to_be_visible()
    expect(page.get_by_role("dialog")).to_have_count(0)
    hand.fill(page, "Bond correlation", "0.5")
    hand.press(page, "button", "Save")
    expect(page.get_by_text("Like 2022 is saved.")).to_be_visible()
    hand.press(page, "link", "Scenarios")
    for pair, value in (("Equity with Bonds", "0.6"), ("Equity with Gold", "-0.8"), ("Bonds with Gold", "0.7")):
        hand.fill(page, pair, value)
    hand.press(page, "button", "Use the nearest matrix")
    expect(page.get_by_text("Returns can have these correlations")).to_be_visible()


def search(page: Page, hand: Hand, **request: Any) -> str:
    """Minutes 20 to 25: the estimate, then the launch of a search; returns its name."""
    hand.press(page, "link", "Strategies")
    hand.press(page, "link", "Core")
    expect(page.get_by_label("Midpoint", exact=True)).to_have_value("14%")
    hand.choose(page, "Scenarios", "Like 2022")
    expect(page.get_by_text("600 evaluations")).to_be_visible()

    def change(route: Route) -> None:
        stated: dict[str, Any] = route.request.post_data_json or {}
        route.continue_(post_data=stated | request)

    page.route("**/api/jobs", change)
    hand.press(page, "button", "Search and judge")
    expect(page).to_have_url(re.compile(r"/runs/\w+$"))
    return page.url.rpartition("/")[2]


def read_the_answer(visit: Visit, page: Page, hand: Hand, api: str, run: str) -> None:
    """Minutes 25 to 40: risk and limits, the light, what speaks against the winner, the ranking, the robust middle."""
    with httpx.Client(base_url=f"{api}/api/jobs/{run}", timeout=180) as client:
        result, explanation = client.get("/result").json(), client.get("/explanation").json()
        trials = client.get("/trials", params={"sort": "objective", "order": "desc", "limit": 1}).json()["items"]
    hand.press(page, "link", "Open the results")
    verdict = page.get_by_role("region", name="Verdict")
    expect(verdict).to_contain_text(f"The light is {result['verdict']['colour']}")
    expect(verdict).to_contain_text(explanation["advice"])
    words = page.get_by_role("region", name="In words")
    against = next(each for each in explanation["sections"] if each["heading"] == "The case against it")
    expect(words.get_by_role("heading", name="The case against it")).to_be_visible()
    for claim in against["claims"]:
        expect(words).to_contain_text("".join(piece["text"] for piece in claim))
    hand.press(page, "link", "Scenarios and risk")
    own = page.get_by_role("table", name="The strategy in each scenario").get_by_role("row", name="Like 2022")
    metrics = next(each for each in result["scenarios"] if each["scenario"] == "like_2022")["winner"]["metrics"]
    for metric in ("value_at_risk", "max_drawdown"):
        expect(own).to_contain_text(percent(metrics[metric]["value"]))
    expect(page.get_by_role("table", name="The limits of the mandate").get_by_role("row")).not_to_have_count(0)
    hand.press(page, "link", "Trials")
    first = page.get_by_role("table", name="Trials").get_by_role("row").nth(1)
    expect(first).to_contain_text(f"{trials[0]['number']}: ")
    hand.press(page, "link", "Search and luck")
    finalists = page.get_by_role("table", name="Finalists, scored again on fresh paths")
    chosen = finalists.get_by_role("row", name="(chosen)")
    finalist = next(each for each in result["finalists"] if each["digest"] == result["winner"]["digest"])
    expect(chosen.get_by_role("cell").first).to_have_text(number(10_000 * finalist["objective"], 0))
    expect(chosen).to_contain_text("passed" if finalist["plateau_passed"] else "failed")
    visit.check_accessibility()


def play(open_pages: Any, address: str, hand: Hand, **request: Any) -> None:
    """All of it, over a network that is cut while the search runs."""
    with cut_wire(address) as wire:
        visit = open_pages(wire.url)
        page = visit.open("/")
        expect(page.get_by_role("heading", level=1, name="Desk")).to_be_visible()
        shape_a_rule(page, hand)
        state_a_world(page, hand)
        run = search(page, hand, **request)
        expect(page.get_by_role("button", name="Live by WebSocket")).to_be_visible()
        page.context.set_offline(True)
        wire.cut()
        page.context.set_offline(False)
        expect(page.get_by_role("link", name="Open the results")).to_be_visible(timeout=LONGEST_MS)
        assert events_on(page) == events_of(address, run)
        read_the_answer(visit, page, hand, wire.url, run)
