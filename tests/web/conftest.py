"""One service and one browser for all tests of a process."""

import os
import time
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.web.browsing import AXE, CHROMIUM, Visit, running_service, visit

SMALL_SEARCH: dict[str, Any] = {
    "name": "A small search",
    "trials": 30,
    "stopping": "budget",
    "seed": 7,
    "scenarios": [
        {
            "name": "base_case",
            "mu": 0.08,
            "sigma": 0.18,
            "cash_rate": 0.03,
            "probability": 0.7,
            "paths": 200,
            "years": 3,
        },
        {
            "name": "bear_market",
            "mu": -0.05,
            "sigma": 0.35,
            "cash_rate": 0.01,
            "probability": 0.3,
            "paths": 200,
            "years": 3,
        },
    ],
}
LONGEST_SECONDS = 240.0

THREAD = ThreadPoolExecutor(1, thread_name_prefix="browser")
"""Playwright runs an event loop while a browser is open; in the main thread no asynchronous test could follow."""


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run the tests that browse in the thread of the browser."""
    if "open_pages" not in pyfuncitem.fixturenames:
        return None
    names = pyfuncitem._fixtureinfo.argnames
    THREAD.submit(pyfuncitem.obj, **{name: pyfuncitem.funcargs[name] for name in names}).result()
    return True


@pytest.fixture(scope="session")
def chromium() -> Generator[Browser]:
    """Debian's Chromium; without it the tests are skipped, except in .ci/run."""
    missing = [name for name, there in (("chromium", CHROMIUM), ("web/node_modules", AXE.exists())) if not there]
    if missing and not os.environ.get("CI"):
        pytest.skip(f"{' and '.join(missing)} missing: apt-get install chromium, make check")
    assert missing == []
    playwright = THREAD.submit(lambda: sync_playwright().start()).result()
    browser = THREAD.submit(playwright.chromium.launch, executable_path=CHROMIUM).result()
    yield browser
    THREAD.submit(browser.close).result()
    THREAD.submit(playwright.stop).result()


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory, chromium: Browser) -> Generator[str]:
    """The address of a service whose only user is this machine's."""
    with running_service(tmp_path_factory.mktemp("web") / "home") as address:
        yield address


@pytest.fixture(scope="session")
def job(service: str) -> str:
    """A finished run."""
    return _searched(service, SMALL_SEARCH)


@pytest.fixture(scope="session")
def other_job(service: str) -> str:
    """A finished run of fewer trials."""
    return _searched(service, SMALL_SEARCH | {"name": "A smaller search", "trials": 10, "seed": 8})


def _searched(service: str, request: dict[str, Any]) -> str:
    with httpx.Client(base_url=f"{service}/api", timeout=60.0) as client:
        submitted = client.post("/jobs", json=request)
        assert submitted.status_code == 202, submitted.text
        name: str = submitted.json()["id"]
        limit = time.monotonic() + LONGEST_SECONDS
        while (state := client.get(f"/jobs/{name}").json()["state"]) != "completed":
            assert state in ("queued", "validating", "running", "aggregating"), state
            assert time.monotonic() < limit
            time.sleep(0.25)
        client.get(f"/jobs/{name}/charts", params={"points": 1500}, timeout=LONGEST_SECONDS)  # drawn once, then cached
    return name


@pytest.fixture
def open_pages(chromium: Browser) -> Generator[Callable[..., Visit]]:
    """Opens pages of the service at an address, with `size` and `theme`; at the end each has kept the rules."""
    stack = ExitStack()

    def open_page(address: str, **options: str) -> Visit:
        return stack.enter_context(visit(chromium, address, **options))

    yield open_page
    THREAD.submit(stack.close).result()


@pytest.fixture
def browse(open_pages: Callable[..., Visit], service: str) -> Callable[..., Visit]:
    """Opens pages of the service whose only user is this machine's."""
    return partial(open_pages, service)
