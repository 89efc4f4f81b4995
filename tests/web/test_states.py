"""Every screen is accessible while it loads, with nothing to show, after an error and filled, in both themes."""

import re
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

SCREENS = {
    "desk": "/",
    "strategies": "/strategies",
    "strategy": "/strategies/new?adv=1",
    "runs": "/runs",
    "run": "/runs/{job}",
    "results": "/runs/{job}/results",
    "trials": "/runs/{job}/results?tab=trials",
    "manifest": "/runs/{job}/results?tab=manifest",
    "scenarios": "/scenarios",
    "scenario": "/scenarios/bear_market",
    "comparison": "/compare?ids={job},{other_job}",
    "preferences": "/preferences",
}
LISTS = re.compile(r"/api/(strategies|jobs|scenarios)(\?|$)")
SIGNED_IN = re.compile(r"/api/(session|me|health)([/?]|$)")
ERROR = {"error": {"code": "unavailable", "message": "the storage is unavailable", "details": [], "request_id": "1"}}
LIST_SCREENS = ("strategies", "runs", "scenarios")
REDUCED = [
    ("loading", "light", ("desk", "results")),
    ("loading", "dark", ("strategy", "trials")),
    ("error", "light", ("run", "comparison")),
    ("error", "dark", ("desk", "scenario")),
    ("empty", "light", ("runs",)),
    ("empty", "dark", ("strategies",)),
]
NO_RUNS = {"job": "some_run", "other_job": "another_run"}
"""Ids for states in which no answer about a run comes from the service."""
THEMES = ("light", "dark")
FULL = [
    (state, theme, LIST_SCREENS if state == "empty" else tuple(SCREENS))
    for state in ("loading", "error", "empty", "full")
    for theme in THEMES
]


def answer_late(route: Route) -> None:
    """No answer comes while the page is looked at."""


def answer_error(route: Route) -> None:
    route.fulfill(status=503, json=ERROR)


def answer_nothing(route: Route) -> None:
    if LISTS.search(route.request.url):
        route.fulfill(json={"items": [], "next": None})
    else:
        route.continue_()


ANSWERS: dict[str, Callable[[Route], None]] = {
    "loading": answer_late,
    "error": answer_error,
    "empty": answer_nothing,
    "full": Route.continue_,
}


def respond(answer: Callable[[Route], None], route: Route) -> None:
    """Answer as the state wants, except about the session."""
    if SIGNED_IN.search(route.request.url):
        route.continue_()
    else:
        answer(route)


def is_shown(page: Page, state: str) -> None:
    main = page.get_by_role("main")  # the frame has a status of its own, the connection
    if state == "loading":
        expect(main.get_by_role("status").first).to_be_visible()
    elif state == "error":
        expect(main.get_by_role("alert").first).to_contain_text("The service is busy")
    else:
        expect(main.get_by_role("heading", level=1).first).to_be_visible()
        expect(main.get_by_role("status")).to_have_count(0)
        expect(main.locator("[aria-busy=true]")).to_have_count(0)


def check_screens(
    browse: Callable[..., Any], ids: dict[str, str], state: str, theme: str, screens: tuple[str, ...]
) -> None:
    for screen in screens:
        visit = browse(theme=theme)
        visit.page.route(re.compile("/api/"), partial(respond, ANSWERS[state]))
        page = visit.open(SCREENS[screen].format(**ids))
        if screen != "preferences":  # of the session alone
            is_shown(page, state)
        visit.check_accessibility()
        visit.check_reflow()


@pytest.mark.parametrize(("state", "theme", "screens"), REDUCED, ids=[f"{each[0]}-{each[1]}" for each in REDUCED])
def test_some_screens_are_accessible_in_each_state(browse, state, theme, screens):
    check_screens(browse, NO_RUNS, state, theme, screens)


@pytest.mark.soak
@pytest.mark.parametrize(("state", "theme", "screens"), FULL, ids=[f"{each[0]}-{each[1]}" for each in FULL])
def test_every_screen_is_accessible_in_each_state(browse, job, other_job, state, theme, screens):
    check_screens(browse, {"job": job, "other_job": other_job}, state, theme, screens)


MISSING = {
    "run": "/runs/none",
    "results": "/runs/none/results",
    "trial": "/runs/none/trials/none",
    "strategy": "/strategies/none",
    "scenario": "/scenarios/none",
    "page": "/none",
}


@pytest.mark.parametrize("path", MISSING.values(), ids=list(MISSING))
def test_an_address_with_nothing_says_so_and_leads_on(browse, path):
    visit = browse(size="phone")
    page = visit.open(path)
    expect(page.get_by_role("heading", level=1, name="No such page")).to_be_visible()
    expect(page.get_by_role("button", name="Try again")).to_have_count(0)
    visit.check_accessibility()
    page.get_by_role("link", name="Go to the desk").click()
    expect(page.get_by_role("heading", level=1, name="Desk")).to_be_visible()


@pytest.mark.parametrize("query", ["state=none", "after=none"])
def test_a_view_that_the_address_mistypes_is_left_for_all(browse, query):
    page = browse().open(f"/runs?{query}")
    expect(page.get_by_role("alert")).to_contain_text("The link may be cut off.")
    page.get_by_role("link", name="Show all").click()
    expect(page).to_have_url(re.compile(r"/runs\??$"))
    expect(page.get_by_role("alert")).to_have_count(0)
