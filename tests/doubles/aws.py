"""Local AWS servers, moto and MiniStack, with access to their tables and buckets."""

import copy
import itertools
import logging
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
import pytest

from store.aws.tables import table_names
from tests.doubles.aws_calls import AwsCall, calls_of, measure, request_body
from tests.doubles.aws_meter import Meter

REGION = "eu-west-1"
CREDENTIALS = {"aws_access_key_id": "AKIDEXAMPLE", "aws_secret_access_key": "not-a-secret"}
SERVICES = ("DYNAMODB", "S3", "SQS")
_ACCOUNTS = itertools.count(123456789012)
_MOTO = threading.Lock()


class Aws:
    """Creates and reads tables and buckets."""

    def __init__(self, url: str, calls: list[AwsCall] | None = None) -> None:
        self.url = url
        self.calls = [] if calls is None else calls
        """The calls that moto has received."""
        self.dynamodb = self.client("dynamodb")
        self.s3 = self.client("s3")

    def client(self, service: str) -> Any:
        return boto3.client(service, endpoint_url=self.url, region_name=REGION, **CREDENTIALS)

    def table(self, name: str, keys: dict[str, str]) -> str:
        self.dynamodb.create_table(
            TableName=name,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in keys],
            KeySchema=[{"AttributeName": key, "KeyType": kind} for key, kind in keys.items()],
        )
        return name

    def bucket(self, name: str) -> str:
        self.s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
        return name

    def items(self, table: str) -> list[dict[str, Any]]:
        pages = self.dynamodb.get_paginator("scan").paginate(TableName=table)
        return [item for page in pages for item in page["Items"]]

    def store_items(self, prefix: str) -> list[dict[str, Any]]:
        return [item for name in table_names(prefix) for item in self.items(name)]

    def objects(self, bucket: str) -> list[str]:
        return [each["Key"] for each in self.s3.list_objects_v2(Bucket=bucket).get("Contents", [])]


def point_at(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """AWS settings for this endpoint, without those of the developer."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name.upper(), value)
    for service in SERVICES:
        monkeypatch.setenv(f"AWS_ENDPOINT_URL_{service}", url)


@contextmanager
def moto(meter: Meter | None = None) -> Iterator[Aws]:
    """A server of moto; `meter` counts its requests to DynamoDB and S3."""
    from moto.dynamodb.models.table import Table
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
    from moto.s3.models import s3_backends
    from werkzeug.serving import make_server

    application = DomainDispatcherApplication(create_backend_app)
    calls: list[AwsCall] = []
    # moto keeps its state for the whole process: an account each separates the servers, except for names of buckets
    account, buckets = f"{next(_ACCOUNTS)}", type(s3_backends.bucket_accounts)()

    def one_at_a_time(environ: Any, start: Callable[..., Any]) -> list[bytes]:
        """Serialize transactions: a failed one of moto also reverts concurrent writes."""
        calls.extend(calls_of(environ))
        with _MOTO:
            s3_backends.bucket_accounts = buckets
            body = request_body(environ)
            answer = list(application(environ | {"HTTP_X_MOTO_ACCOUNT_ID": account}, start))
        if meter is not None:
            measure(meter, environ, body, b"".join(answer))
        return answer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    # moto copies the whole table for each item of a transaction
    Table.__deepcopy__ = _copy  # type: ignore[attr-defined]
    server = make_server("127.0.0.1", 0, one_at_a_time, threaded=True, request_handler=MotoRequestHandler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    yield Aws(f"http://127.0.0.1:{server.server_port}", calls)
    server.shutdown()
    thread.join()
    server.server_close()


def _copy(table: Any, memo: Any) -> Any:
    copied = copy.copy(table)
    copied.items = type(table.items)(table.items.default_factory)
    copied.items.update({key: copy.copy(items) for key, items in table.items.items()})
    return copied


@contextmanager
def ministack(folder: Path, services: str = "dynamodb,s3,sqs") -> Iterator[Aws]:
    port = free_port()
    quiet = {"IOT_MTLS_ENABLED": "0", "SFTP_ENABLED": "0", "LOG_LEVEL": "WARNING", "TMPDIR": str(folder)}
    where = {"BIND_HOST": "127.0.0.1", "GATEWAY_PORT": str(port), "SERVICES": services}
    with (folder / "ministack.log").open("wb") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "ministack"], env=os.environ | quiet | where, stdout=log, stderr=log
        )
        try:
            await_port(server, port, folder / "ministack.log")
            yield Aws(f"http://127.0.0.1:{port}")
        finally:
            server.terminate()
            server.wait()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def await_port(server: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + 120
    while True:
        assert server.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
