"""The frame of every screen: navigation, theme, search, keyboard, errors and the lost connection."""

import re

import pytest
from playwright.sync_api import expect

from tests.web.browsing import SIZES


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_desk_is_accessible_in_both_themes(browse, theme):
    visit = browse(theme=theme)
    page = visit.open("/")
    expect(page.get_by_role("heading", level=1, name="Desk")).to_be_visible()
    expect(page.locator("html")).to_have_attribute("data-mantine-color-scheme", theme)
    expect(page.get_by_role("heading", name="Nothing runs")).to_be_visible()
    visit.check_accessibility()
    page.get_by_role("button", name="You and the settings").click()
    expect(page.get_by_role("menu")).to_be_visible()
    visit.check_accessibility()


@pytest.mark.parametrize("size", SIZES)
def test_no_width_scrolls_sideways(browse, size):
    visit = browse(size=size)
    expect(visit.open("/").get_by_role("heading", level=1)).to_be_visible()
    visit.check_reflow()


def test_a_chosen_theme_is_there_before_the_first_script_of_the_next_visit(browse):
    page = browse().open("/")
    page.get_by_role("button", name="You and the settings").click()
    page.get_by_role("menuitemradio", name="Dark theme").click()
    expect(page.locator("html")).to_have_attribute("data-mantine-color-scheme", "dark")
    page.route("**/assets/*.js", lambda route: route.abort())
    page.reload()
    expect(page.locator("html")).to_have_attribute("data-mantine-color-scheme", "dark")


def test_the_keyboard_reaches_search_help_and_screens(browse):
    visit = browse()
    page = visit.open("/nowhere")
    expect(page.get_by_role("heading", level=1, name="No such page")).to_be_visible()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keyboard shortcuts")).to_be_visible()
    visit.check_accessibility()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.keyboard.press("Control+k")
    page.get_by_role("textbox", name="Search").fill("desk")
    visit.check_accessibility()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"/$"))
    expect(page.get_by_role("heading", level=1, name="Desk")).to_be_focused()
    expect(page).to_have_title("Desk - Stratigos")
    page.go_back()
    page.keyboard.press("g")
    page.keyboard.press("d")
    expect(page.get_by_role("heading", level=1, name="Desk")).to_be_focused()


def test_a_lost_connection_is_named_and_the_page_recovers(browse):
    visit = browse()
    page = visit.open("/")
    expect(page.get_by_role("heading", name="Nothing runs")).to_be_visible()
    page.route("**/api/**", lambda route: route.abort())
    page.evaluate("window.dispatchEvent(new Event('focus'))")  # which asks at once
    expect(page.get_by_role("alert")).to_contain_text("No connection")
    expect(page.get_by_role("heading", name="Nothing runs")).to_be_visible()
    visit.check_accessibility()
    page.unroute("**/api/**")
    # the page also asks by itself, which may take the button away before it is pressed
    page.get_by_role("alert").get_by_role("button", name="Try now").evaluate_all(
        "found => found.map(one => one.click())"
    )
    expect(page.get_by_role("alert")).to_have_count(0)
