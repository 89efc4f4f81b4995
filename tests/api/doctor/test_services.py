"""The checks of services that the settings name: the clock against AWS, and sign-in."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from api.doctor import services
from api.settings import Settings, read_settings
from tests.api.sagemaker_settings import SAGEMAKER
from tests.doubles.aws import free_port, point_at

pytestmark = pytest.mark.anyio


@contextmanager
def aws_with_clock_offset(hours: float) -> Iterator[str]:
    """A server that rejects every request and whose clock is `hours` ahead."""

    class RejectingHandler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            body = b'{"__type": "com.amazon.coral.service#InvalidSignatureException", "message": "expired"}'
            self.send_response_only(400)
            self.send_header("Date", format_datetime(datetime.now(UTC) + timedelta(hours=hours), usegmt=True))
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_GET(self) -> None:
            self.do_POST()

    server = HTTPServer(("127.0.0.1", 0), RejectingHandler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize(("hours", "state"), [(0.0, "ok"), (0.05, "warning"), (-1.0, "failed")])
async def test_a_rejected_request_to_aws_still_shows_the_clock_difference(home, monkeypatch, hours, state):
    with aws_with_clock_offset(hours) as url:
        point_at(monkeypatch, url)
        monkeypatch.setenv("STRATIGOS_STORE", "dynamodb:stratigos,s3:documents")
        assert (await services.check_clock(read_settings())).state == state


@pytest.mark.parametrize(
    ("service", "variables"),
    [
        ("SAGEMAKER", SAGEMAKER),
        ("BEDROCK_RUNTIME", {"MODEL": "bedrock_converse:anthropic.claude-sonnet-4-5-20250929-v1:0"}),
        ("SQS", {"STRATIGOS_QUEUE": "sqs:{url}/1/jobs,dead:{url}/1/dead"}),
        ("DYNAMODB", {"STRATIGOS_CHECKPOINTS": "dynamodb:stratigos"}),
    ],
)
async def test_the_clock_check_uses_any_configured_aws_service(home, monkeypatch, service, variables):
    with aws_with_clock_offset(-1.0) as url:
        point_at(monkeypatch, "http://127.0.0.1:9")
        monkeypatch.setenv(f"AWS_ENDPOINT_URL_{service}", url)
        for name, value in variables.items():
            monkeypatch.setenv(name, value.replace("{url}", url))
        finding = await services.check_clock(read_settings())
    assert (finding.state, finding.found[:12]) == ("failed", "the clock di")
    assert "NTP" in finding.todo


async def test_an_unreachable_user_pool_fails(home, monkeypatch):
    monkeypatch.setenv("STRATIGOS_AUTH", "cognito")
    monkeypatch.setenv("COGNITO_CLIENTS", "client")
    assert "COGNITO_ISSUER" in (await services.check_sign_in(Settings())).todo
    monkeypatch.setenv("COGNITO_ISSUER", f"http://127.0.0.1:{free_port()}/pool")
    finding = await services.check_sign_in(Settings())
    assert (finding.state, "cannot be read" in finding.found) == ("failed", True)
