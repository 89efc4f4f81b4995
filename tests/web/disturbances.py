"""What happens to the page of a live run: the network is cut, the service restarts, the tab sleeps."""

import re
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from random import Random
from typing import Literal, TypeAlias

import httpx
from playwright.sync_api import Page, expect

from tests.doubles.http_servers import cut_wire
from tests.web.browsing import ROOT, Service, Visit
from tests.web.live_runs import PATIENCE_SECONDS, events_of, events_on, start

Disturbance: TypeAlias = Literal["network cut", "restart", "sleep"]
MOST_EVENTS = 12
"""Events between two disturbances, at most."""
_LISTED = "Number(document.querySelector('[aria-setsize]')?.ariaSetSize ?? 0)"
_ENDED = "document.querySelector('a[href$=\"/results\"]') !== null"
_TIMES = re.compile(r"\d\d:\d\d(:\d\d)?|\d+ (s|min|hours?|minutes?)( ago)?|just now")


@contextmanager
def served_apart(home: Path) -> Generator[Service]:
    """A service whose worker is a separate process, so that a run continues while the service restarts."""
    service = Service(home, STRATIGOS_WORKERS="0")
    worker = subprocess.Popen(
        [sys.executable, "-m", "api", "work"],
        cwd=ROOT,
        env=service.variables,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield service
    finally:
        worker.terminate()
        worker.wait(60)
        service.stop()


def follow_disturbed(
    open_pages: Callable[..., Visit], service: Service, kind: Disturbance, *, times: int, trials: int, seed: int
) -> None:
    """Follow a run through disturbances at random moments; in the end the page is that of an undisturbed one."""
    random = Random(seed)
    run = start(service.address, name=f"Disturbed by {kind}", trials=trials, seed=seed)
    with ExitStack() as stack:
        wire = stack.enter_context(cut_wire(service.address)) if kind == "network cut" else None
        address = service.address if wire is None else wire.url
        page = open_pages(address).open(f"/runs/{run}")
        seen = 0
        for _ in range(times):
            seen = _wait_for_events(page, seen + random.randint(1, MOST_EVENTS))
            if wire is not None:
                wire.cut()
            elif kind == "restart":
                service.kill()
                service.start()
            else:
                _sleep(page, service.address, run, random.randint(1, MOST_EVENTS))
        expect(page.get_by_role("link", name="Open the results")).to_be_visible(timeout=1000 * PATIENCE_SECONDS)
        undisturbed = open_pages(service.address).open(f"/runs/{run}")
        expect(undisturbed.get_by_role("link", name="Open the results")).to_be_visible()
        assert events_on(page) == events_on(undisturbed) == events_of(service.address, run)
        for each in (page, undisturbed):
            expect(each.get_by_role("heading", name=f"{trials} trials by risk and return")).to_be_visible()
            expect(each.get_by_role("heading", name="Best so far, in sample")).to_be_visible()
        assert _text(page) == _text(undisturbed)


def _wait_for_events(page: Page, count: int) -> int:
    """Wait until the page lists so many events, or the end of the run; returns how many there are."""
    limit = time.monotonic() + PATIENCE_SECONDS
    while not page.evaluate(f"{_LISTED} >= {count} || {_ENDED}"):  # `wait_for_function` needs eval, which is forbidden
        assert time.monotonic() < limit
        page.wait_for_timeout(50)
    return int(page.evaluate(_LISTED))


def _sleep(page: Page, address: str, run: str, events: int) -> None:
    """Freeze the tab, as a browser does in the background, until the run has gone on."""
    devtools = page.context.new_cdp_session(page)
    after = httpx.get(f"{address}/api/runs/{run}/events/poll", timeout=60).json()["last"]
    devtools.send("Page.setWebLifecycleState", {"state": "frozen"})
    news: list[object] = []
    ended = False
    while len(news) < events and not ended:
        query = {"after": after, "wait": 20}
        answer = httpx.get(f"{address}/api/runs/{run}/events/poll", params=query, timeout=60).json()
        news += answer["events"]
        after, ended = answer["last"], answer["ended"]
    devtools.send("Page.setWebLifecycleState", {"state": "active"})


def _text(page: Page) -> str:
    """The page without times and without the list of events, of which only those in sight are in it."""
    page.locator("[role=list]").first.evaluate("list => list.remove()")
    return _TIMES.sub("", re.sub(r"\s+", " ", page.locator("main").inner_text()))
