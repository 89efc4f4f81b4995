"""Runs that a page follows: their start, their events at the service, and those that the page lists."""

import re
from typing import Any

import httpx
from playwright.sync_api import Page, expect

from quant.worlds.scenario import BUILT_IN

SCENARIOS = [each.model_dump(mode="json") | {"paths": 100, "years": 1} for each in BUILT_IN]
REDUCED = {"scenarios": SCENARIOS, "stopping": "budget"}
PATIENCE_SECONDS = 120.0
MOST_WAIT_SECONDS = 20.0


def start(service: str, **request: Any) -> str:
    return httpx.post(f"{service}/api/jobs", json=REDUCED | request, timeout=60).raise_for_status().json()["id"]


def events_of(service: str, run: str) -> list[str]:
    """The lines of a run's events as the page writes them, waiting until it has ended."""
    lines: list[str] = []
    after, ended = 0, False
    while not ended:
        parameters = {"after": after, "wait": MOST_WAIT_SECONDS}
        page = httpx.get(f"{service}/api/runs/{run}/events/poll", params=parameters, timeout=60).json()
        spaced = [re.sub("(?<=[a-z])_(?=[a-z])", " ", event["line"]) for event in page["events"] if event["line"]]
        lines += [line[0].upper() + line[1:] for line in spaced]
        after, ended = page["last"], page["ended"]
    return lines


def events_on(page: Page) -> list[str]:
    """The lines that the page lists, which keeps only those in sight."""
    region = page.get_by_role("group", name="Events")
    page.get_by_role("switch", name="Scroll to the newest").uncheck()
    lines: dict[int, str] = {}
    top, count = 0, 1
    while len(lines) < count:
        region.evaluate("(region, top) => region.scrollTo(0, top)", top)
        first = region.locator(f"[aria-posinset='{len(lines) + 1}']")
        expect(first).to_be_visible()
        for place, size, line in region.evaluate(
            "region => [...region.querySelectorAll('[role=listitem]')].map((row) =>"
            " [Number(row.ariaPosInSet), Number(row.ariaSetSize), row.lastChild.textContent])"
        ):
            assert lines.setdefault(place, line) == line
            count = size
        top += 200
    return [lines[place] for place in sorted(lines)]
