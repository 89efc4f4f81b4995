"""A service with its worker, and Debian's Chromium on it; what every page of a test must obey."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import httpx
from playwright.sync_api import Browser, Page, Request, expect

from tests.doubles.aws import free_port

ROOT = Path(__file__).parents[2]
CHROMIUM = shutil.which("chromium")
START_SECONDS = 180.0
SIZES = {"phone": (390, 844), "laptop": (1280, 800), "wall": (2560, 1440)}
AXE = ROOT / "web" / "node_modules" / "axe-core" / "axe.min.js"
STANDARDS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
PATIENCE_MS = 60_000
expect.set_options(timeout=PATIENCE_MS)
_RECORD_VIOLATIONS = """
    window.violations = [];
    addEventListener('securitypolicyviolation', (event) =>
        window.violations.push(`${event.violatedDirective}: ${event.blockedURI} ${event.sourceFile}`));
"""


class Service:
    """`serve` over a home, at an address that a restart keeps."""

    def __init__(self, home: Path, **environment: str) -> None:
        self._port = free_port()
        self.address = f"http://127.0.0.1:{self._port}"
        self._output = home.parent / "serve.log"
        self._output.write_text("")
        self.variables = os.environ | {"STRATIGOS_HOME": str(home), "STRATIGOS_WORKERS": "1"} | environment
        self.start()

    def start(self) -> None:
        """Start it and wait until it answers."""
        command = [sys.executable, "-m", "api", "serve", "--port", str(self._port)]
        with self._output.open("a") as log:
            self._process = subprocess.Popen(command, cwd=ROOT, env=self.variables, stdout=log, stderr=log)
        _wait_until_ready(self.address, self._process, self._output)

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(START_SECONDS)

    def kill(self) -> None:
        """End it as a crash does."""
        self._process.kill()
        self._process.wait(60)

    @property
    def log(self) -> str:
        return self._output.read_text()


@contextmanager
def running_service(home: Path, **environment: str) -> Generator[str]:
    """The address of `serve` with one worker, over a new home."""
    service = Service(home, **environment)
    try:
        yield service.address
    finally:
        service.stop()
    assert "Traceback" not in service.log, service.log


def _wait_until_ready(address: str, process: "subprocess.Popen[bytes]", output: Path) -> None:
    """Wait for the first answer that needs the store and the document of the interface."""
    limit = time.monotonic() + START_SECONDS
    while True:
        assert process.poll() is None, output.read_text()
        assert time.monotonic() < limit, output.read_text()
        try:
            httpx.get(f"{address}/api/jobs?limit=1", timeout=START_SECONDS)
        except httpx.TransportError:
            time.sleep(0.05)
        else:
            return


@dataclass
class Visit:
    """A page of the application, with what it must not do."""

    page: Page
    address: str
    foreign: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def open(self, path: str) -> Page:
        self.page.goto(self.address + path)
        return self.page

    def note_request(self, request: Request) -> None:
        allowed = request.url.startswith((f"{self.address}/", "blob:", "data:"))
        if not allowed and not request.is_navigation_request():
            self.foreign.append(request.url)

    def check_accessibility(self) -> None:
        """No violation of WCAG 2.2 AA by axe, on the page as it stands."""
        self.page.evaluate(_axe())
        options = {"runOnly": {"type": "tag", "values": STANDARDS}}
        found: list[dict[str, Any]] = self.page.evaluate("options => axe.run(document, options)", options)["violations"]
        problems = [(each["id"], [node["html"] for node in each["nodes"]]) for each in found]
        assert not problems, problems

    def check_reflow(self) -> None:
        """Nothing makes the page scroll sideways."""
        width, content = self.page.evaluate("[innerWidth, document.documentElement.scrollWidth]")
        assert content <= width

    def check_rules(self) -> None:
        """No violation of the page's policy, no request to another host, no error in a script."""
        for problems in (self.page.evaluate("window.violations"), self.foreign, self.errors):
            assert not problems, problems


@cache
def _axe() -> str:
    return AXE.read_text(encoding="utf-8")


@contextmanager
def visit(browser: Browser, address: str, *, size: str = "laptop", theme: str = "light") -> Generator[Visit]:
    """A page in a new context; its rules are checked at the end."""
    width, height = SIZES[size]
    context = browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme="dark" if theme == "dark" else "light",
        reduced_motion="reduce",
        locale="en-GB",
        timezone_id="UTC",
    )
    context.add_init_script(_RECORD_VIOLATIONS)
    context.set_default_timeout(PATIENCE_MS)
    visited = Visit(context.new_page(), address)
    visited.page.on("request", visited.note_request)
    visited.page.on("pageerror", lambda error: visited.errors.append(str(error)))
    try:
        yield visited
        visited.check_rules()
    finally:
        for page in context.pages:
            page.unroute_all(behavior="ignoreErrors")  # an answer may be under way
        context.close()
