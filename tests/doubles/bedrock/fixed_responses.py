"""A loopback endpoint for boto3 with fixed responses."""

import json
import struct
import threading
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from zlib import crc32

import boto3
from botocore.config import Config

MODEL = "vendor.model-v1:0"
USAGE = {"inputTokens": 1, "outputTokens": 2, "totalTokens": 3}
STREAM = "application/vnd.amazon.eventstream"


@dataclass
class Reply:
    """A response; an iterable body is sent chunk by chunk, and `cut` omits the final chunk."""

    body: bytes | Iterable[bytes]
    status: int = 200
    headers: dict[str, str] = field(default_factory=lambda: {"Content-Type": "application/json"})
    cut: bool = False


@contextmanager
def endpoint(answer: Callable[[dict[str, Any]], Reply | None]) -> Generator[str]:
    """`None` closes the connection without a response."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # an answer is sent in two parts, of which the second would wait

        def do_POST(self) -> None:
            self.close_connection = True
            reply = answer(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            if reply is None:
                return
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.send_header("Connection", "close")
            self.send_header("x-amzn-RequestId", "11112222-3333-4444-5555-666677778888")
            if isinstance(reply.body, bytes):
                self.send_header("Content-Length", str(len(reply.body)))
                self.end_headers()
                self.wfile.write(reply.body)
                return
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for chunk in reply.body:
                self.wfile.write(b"%x\r\n%s\r\n" % (len(chunk), chunk))
            self.wfile.write(b"" if reply.cut else b"0\r\n\r\n")

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    class Server(ThreadingHTTPServer):
        request_queue_size = 64

    server = Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def client(url: str | None = None, *, region: str = "eu-central-1", **config: Any) -> Any:
    return boto3.client(
        "bedrock-runtime",
        region_name=region,
        endpoint_url=url,
        aws_access_key_id="AKIAIOSFODNN7EXAMPLE",
        aws_secret_access_key="not-a-real-secret",
        aws_session_token="session-token-of-a-test",
        config=Config(max_pool_connections=32, **{"retries": {"total_max_attempts": 1}} | config),
    )


def frame(event: str, payload: dict[str, Any], kind: str = "event", **headers: str) -> bytes:
    names = {f":{kind}-type": event, ":content-type": "application/json", ":message-type": kind} | headers
    head = b"".join(
        bytes([len(name)]) + name.encode() + b"\x07" + struct.pack("!H", len(value)) + value.encode()
        for name, value in names.items()
    )
    body = json.dumps(payload).encode()
    lengths = struct.pack("!II", 16 + len(head) + len(body), len(head))
    message = lengths + struct.pack("!I", crc32(lengths)) + head + body
    return message + struct.pack("!I", crc32(message))


def streamed(*pieces: str) -> bytes:
    return b"".join(
        [
            frame("messageStart", {"role": "assistant"}),
            *(frame("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": piece}}) for piece in pieces),
            frame("contentBlockStop", {"contentBlockIndex": 0}),
            frame("messageStop", {"stopReason": "end_turn"}),
            frame(
                "metadata",
                {"usage": {"inputTokens": 1, "outputTokens": 2, "totalTokens": 3}, "metrics": {"latencyMs": 4}},
            ),
        ]
    )


def answer_body(text: str) -> bytes:
    message = {"role": "assistant", "content": [{"text": text}]}
    usage = {"inputTokens": 1, "outputTokens": 2, "totalTokens": 3}
    return json.dumps(
        {"output": {"message": message}, "stopReason": "end_turn", "usage": usage, "metrics": {}}
    ).encode()


def ask(text: str, **more: Any) -> dict[str, Any]:
    return {"modelId": MODEL, "messages": [{"role": "user", "content": [{"text": text}]}]} | more


def text_of(request: dict[str, Any]) -> str:
    return request["messages"][0]["content"][0]["text"]
