import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
ADVISORY = {
    "id": "PYSEC-2099-1",
    "modified": "2026-01-01T00:00:00Z",
    "summary": "a weakness made for this test",
    "affected": [
        {
            "package": {"name": "jinja2", "ecosystem": "PyPI"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}]}],
        }
    ],
}


@contextmanager
def advisories(weak: str) -> Iterator[str]:
    """A server with the interface of OSV and an advisory for one package."""

    class Database(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            queries = json.loads(self.rfile.read(int(self.headers["content-length"])))["queries"]
            advisory = {"vulns": [{"id": ADVISORY["id"], "modified": ADVISORY["modified"]}]}
            self._answer({"results": [advisory if one["package"]["name"] == weak else {} for one in queries]})

        def do_GET(self) -> None:
            self._answer(ADVISORY)

        def _answer(self, document: object) -> None:
            body = json.dumps(document).encode()
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None: ...  # noqa: A002 - the name it has there

    with ThreadingHTTPServer(("127.0.0.1", 0), Database) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()
            thread.join()


def audit(service: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, ".ci/audit.py", "--service", service]
    loopback = {"HTTPS_PROXY": "http://127.0.0.1:9", "NO_PROXY": "127.0.0.1", "UV_HTTP_RETRIES": "0"}
    return subprocess.run(command, cwd=ROOT, env=os.environ | loopback, capture_output=True, text=True, timeout=120)


def test_an_advisory_for_a_locked_version_is_listed_and_fails_the_audit() -> None:
    with advisories("jinja2") as service:
        process = audit(service)
    assert process.returncode == 1
    assert "jinja2" in process.stdout
    assert "PYSEC-2099-1: a weakness made for this test" in process.stdout


def test_an_audit_without_problems_passes() -> None:
    with advisories("nothing") as service:
        process = audit(service)
    assert process.returncode == 0, process.stdout + process.stderr
    assert "no known vulnerabilities" in process.stderr


def test_an_audit_without_advisories_reports_it_and_does_not_pass() -> None:
    process = audit("http://127.0.0.1:9/")
    assert process.returncode == 3
    assert "NOT AUDITED" in process.stdout
    assert "0 not as allowed" in process.stdout
