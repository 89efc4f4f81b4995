"""A real socket through MiniStack's WebSocket API, whose function forwards each event to ours."""

import asyncio
import io
import json
import threading
import zipfile
from collections.abc import Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from agents.embedded_planner import EmbeddedPlanner
from agents.models.factory import single_model
from api.app import create_dependencies
from api.settings import Settings
from graphs.streaming.websocket_connections import KIND
from store.aws.store import create_tables
from store.keys import SYSTEM
from tests.api.http.live_run import OWNER, RUN, RunLogWriter
from tests.api.lambda_.function import Driven, driven
from tests.doubles.aws import Aws, ministack, point_at
from tests.graphs.dependencies import QUICK
from tests.graphs.jobs.queued_runs import eventually

pytestmark = [pytest.mark.anyio, pytest.mark.soak]

FORWARDER = """
import os, urllib.request, json

def handler(event, context):
    with urllib.request.urlopen(urllib.request.Request(os.environ["PLACE"], json.dumps(event).encode())) as answer:
        return json.load(answer)
"""


class Bridge:
    """Receives the events of MiniStack's function; our function is set later."""

    def __init__(self) -> None:
        self.function: Driven | None = None
        self.url = ""

    def answer(self, event: bytes) -> bytes:
        assert self.function is not None
        return self.function.lambda_.invoke(json.loads(event)).wait().body


@contextmanager
def bridge() -> Generator[Bridge]:
    bridge_server = Bridge()

    class Answers(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            content = bridge_server.answer(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_request(self, code: Any = "-", size: Any = "-") -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        bridge_server.url = f"http://127.0.0.1:{server.server_port}/"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield bridge_server
        finally:
            server.shutdown()
            thread.join()


def websocket_api(aws: Aws, place: str) -> str:
    """The id of a WebSocket API whose three routes invoke a function that forwards to `place`."""
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w") as archive:
        archive.writestr("forwarder.py", FORWARDER)
    function: Any = aws.client("lambda").create_function(
        FunctionName="forwarder",
        Runtime="python3.11",
        Role="arn:aws:iam::000000000000:role/of-a-test",
        Handler="forwarder.handler",
        Code={"ZipFile": package.getvalue()},
        Timeout=60,
        Environment={"Variables": {"PLACE": place}},
    )
    gateway: Any = aws.client("apigatewayv2")
    api = gateway.create_api(Name="sockets", ProtocolType="WEBSOCKET", RouteSelectionExpression="$request.body.action")
    uri = f"arn:aws:apigateway:eu-west-1:lambda:path/2015-03-31/functions/{function['FunctionArn']}/invocations"
    integration = gateway.create_integration(ApiId=api["ApiId"], IntegrationType="AWS_PROXY", IntegrationUri=uri)
    for route in ("$connect", "$default", "$disconnect"):
        target = f"integrations/{integration['IntegrationId']}"
        gateway.create_route(ApiId=api["ApiId"], RouteKey=route, Target=target)
    gateway.create_stage(ApiId=api["ApiId"], StageName="prod")
    return api["ApiId"]


@pytest.fixture
def aws(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[Aws]:
    (tmp_path / "ministack").mkdir()
    with ministack(tmp_path / "ministack", "apigateway,lambda,iam,logs,dynamodb,s3") as server:
        point_at(monkeypatch, server.url)
        yield server


async def test_a_run_is_followed_over_a_real_socket(home: Path, aws: Aws):
    with bridge() as forwarder:
        place = f"{aws.url}/_aws/execute-api/{await asyncio.to_thread(websocket_api, aws, forwarder.url)}/prod"
        create_tables(aws.dynamodb, "desk")
        options = {"STRATIGOS_SOCKETS": place, "STRATIGOS_STORE": f"dynamodb:desk,s3:{aws.bucket('desk')}"}
        settings = Settings.model_validate({"STRATIGOS_HOME": home, **options})
        dependencies = create_dependencies(settings, single_model(EmbeddedPlanner(), QUICK), queued=True)
        async with driven(home, dependencies, **options) as function:
            forwarder.function = function
            store = function.app.state.service.dependencies.store
            log = RunLogWriter(store)
            await log.begin()
            address = place.replace("http://", "ws://")
            with pytest.raises(InvalidStatus):
                await connect(address, origin="https://elsewhere.example")  # type: ignore[arg-type]
            async with connect(address) as socket, asyncio.timeout(60):
                await socket.send(json.dumps({"action": "follow", "run": RUN}))
                numbers = [event["sequence"] for event in json.loads(await socket.recv())["events"]]
                assert numbers == [1, 2, 3]
                await socket.send(b"\xff\xfe")
                assert json.loads(await socket.recv())["error"]["code"] == "VALIDATION_ERROR"
                await log.append(*log.trials(0, 20))
                await log.finish()
                has_ended = False
                while not has_ended:
                    message = json.loads(await socket.recv())
                    numbers += [event["sequence"] for event in message["events"]]
                    has_ended = message["ended"]
                assert numbers == [*range(1, 45)]

            async def no_connections() -> bool:
                pages = [await store.records.list(owner, KIND) for owner in (SYSTEM, OWNER)]
                return not any(page.records for page in pages)

            await eventually(no_connections, seconds=30)
