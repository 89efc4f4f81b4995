"""Sign-in with an API key and at the page of a pool, the way back to the address, and the end of a session."""

import re
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.doubles.cognito import CLIENT, PERSON, Pool, pool
from tests.web.browsing import ROOT, running_service


@pytest.fixture(scope="module")
def directory() -> Generator[Pool]:
    with pool() as directory:
        yield directory


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("closed") / "home"


@pytest.fixture(scope="module")
def closed_service(home: Path, chromium, directory: Pool) -> Generator[str]:
    """The address of a service that admits keys and the users of the pool."""
    signing = {"STRATIGOS_AUTH": "keys,cognito", "COGNITO_ISSUER": directory.issuer, "COGNITO_CLIENTS": CLIENT}
    with running_service(home, STRATIGOS_WORKERS="0", **signing) as address:
        directory.redirect = f"{address}/sign-in"
        yield address


@pytest.fixture(scope="module")
def key(home: Path, closed_service: str) -> str:
    command = [sys.executable, "-m", "api", "keys", "create", "--owner", "anna", "--role", "portfolio-manager"]
    created = subprocess.run(command, cwd=ROOT, env={"STRATIGOS_HOME": str(home)}, capture_output=True, text=True)
    assert created.returncode == 0, created.stderr
    return created.stdout.strip()


def sign_in(page: Page, key: str) -> None:
    page.get_by_label("API key").fill(key)
    page.get_by_role("button", name="Sign in").click()


def test_a_new_user_starts_the_demo_with_one_press(open_pages, closed_service, key):
    visit = open_pages(closed_service)
    page = visit.open("/")
    sign_in(page, key)
    expect(page.get_by_role("heading", name="A first answer in under a minute")).to_be_visible()
    visit.check_accessibility()
    page.get_by_role("button", name="Run the demo").click()
    running = page.get_by_role("region", name="Running")
    expect(running.get_by_role("link", name="Demo: S&P 500 at 10% volatility")).to_be_visible()
    expect(running).to_contain_text("In the queue")
    expect(page.get_by_role("heading", name="The demo is searching")).to_be_visible()
    expect(page.get_by_role("button", name="Run the demo")).to_have_count(0)
    visit.check_accessibility()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_sign_in_is_accessible_and_shows_nothing_else(open_pages, closed_service, theme):
    visit = open_pages(closed_service, theme=theme, size="phone")
    page = visit.open("/preferences")
    expect(page.get_by_role("heading", level=1, name="Sign in")).to_be_visible()
    expect(page.get_by_role("navigation")).to_have_count(0)
    visit.check_accessibility()
    visit.check_reflow()
    label = page.get_by_role("button", name="Use your company account").locator(".mantine-Button-label")
    assert label.evaluate("label => label.scrollWidth <= label.clientWidth"), "its words are cut"


def test_a_key_opens_the_address_that_was_asked_for_and_signing_out_closes_it(open_pages, closed_service, key):
    visit = open_pages(closed_service)
    page = visit.open("/preferences")
    sign_in(page, f"{key}x")
    expect(page.get_by_role("alert")).to_contain_text("This key is not valid.")
    sign_in(page, key)
    expect(page.get_by_role("heading", level=1, name="Preferences")).to_be_visible()
    page.reload()
    expect(page.get_by_role("heading", level=1, name="Preferences")).to_be_visible()
    page.get_by_text("Compact", exact=True).click()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Your preferences are saved.")).to_be_visible()
    expect(page.locator("html")).to_have_attribute("data-density", "compact")
    readable = page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie])")
    assert key not in readable
    assert "stratigos_session" not in readable
    page.get_by_role("button", name="You and the settings").click()
    expect(page.get_by_role("menuitem", name="anna")).to_be_visible()
    visit.check_accessibility()
    page.get_by_role("menuitem", name="Sign out").click()
    expect(page.get_by_role("heading", level=1, name="Sign in")).to_be_visible()


def test_the_pool_signs_in_and_leads_back(open_pages, closed_service):
    page = open_pages(closed_service).open("/preferences")
    page.get_by_role("button", name="Use your company account").click()
    expect(page.get_by_role("heading", level=1, name="Preferences")).to_be_visible()
    expect(page).to_have_url(re.compile("/preferences$"))
    page.get_by_role("button", name="You and the settings").click()
    expect(page.get_by_role("menuitem", name=PERSON)).to_be_visible()


def test_a_session_that_has_ended_elsewhere_leads_to_the_sign_in(open_pages, closed_service, key):
    page = open_pages(closed_service).open("/preferences")
    sign_in(page, key)
    expect(page.get_by_role("heading", level=1, name="Preferences")).to_be_visible()
    page.context.clear_cookies(name="stratigos_session")
    page.get_by_role("link", name="Desk", exact=True).click()
    expect(page.get_by_role("heading", level=1, name="Sign in")).to_be_visible()


def test_a_key_of_a_wrong_form_is_not_repeated_on_the_page(open_pages, closed_service):
    visit = open_pages(closed_service, size="phone")
    page = visit.open("/")
    sign_in(page, "k" * 300)
    expect(page.get_by_role("alert")).to_contain_text("This key is not valid")
    expect(page.get_by_role("alert")).not_to_contain_text("kkk")
    visit.check_reflow()


def test_the_address_of_the_sign_in_leads_a_user_who_is_signed_in_to_the_desk(open_pages, closed_service, key):
    page = open_pages(closed_service).open("/sign-in")
    sign_in(page, key)
    expect(page.get_by_role("heading", level=1, name="Desk")).to_be_visible()
    page.goto(f"{closed_service}/sign-in")
    expect(page.get_by_role("heading", level=1, name="Desk")).to_be_visible()
