"""What a deployment on AWS lacks is named, one by one."""

import gzip
import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from store.aws.resources import ACTIONS, Resources
from store.aws.store import create_tables, expire_documents
from store.aws.tables import KEYS, TABLE_KINDS, table_names
from tests.doubles.aws import Aws, point_at

SAMPLE = Path(__file__).parent / "samples" / "table.json.gz"
"""The single table of earlier versions."""


@pytest.fixture(scope="module")
def account(servers: dict[str, Aws]) -> Aws:
    aws = servers["moto"]
    create_tables(aws.dynamodb, "whole")
    aws.bucket("whole")
    expire_documents(aws.s3, "whole")
    return aws


@pytest.fixture(autouse=True)
def endpoint(account: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    point_at(monkeypatch, account.url)


@pytest.fixture
def resources() -> Iterator[Resources]:
    with Resources() as opened:
        yield opened


def queue(account: Aws, name: str, **attributes: str) -> str:
    return account.client("sqs").create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]


def test_a_whole_deployment_lacks_nothing_and_probes_change_nothing(account: Aws, resources: Resources) -> None:
    url = queue(account, "whole", MessageRetentionPeriod="1209600")
    for name, kind in zip(table_names("whole"), TABLE_KINDS, strict=True):
        for probes in ((), kind.actions):
            assert resources.lacking_table(name, KEYS, time_to_live=kind.time_to_live, probes=probes) == []
    assert account.store_items("whole") == []
    assert resources.lacking_bucket("whole") == []
    assert resources.lacking_queue(url) == []


def test_other_keys_local_indexes_and_a_missing_time_to_live_are_named(account: Aws, resources: Resources) -> None:
    account.table("bare", {"pk": "HASH", "sk": "RANGE"})
    assert resources.lacking_table("bare", KEYS) == []
    assert resources.lacking_table("bare", KEYS, time_to_live="ttl") == [
        "the time to live of the table 'bare' is not on for the attribute 'ttl'"
    ]
    account.table("other", {"PK": "HASH", "SK": "RANGE"})
    assert resources.lacking_table("other", KEYS) == ["the table 'other' has the keys PK, SK, not pk, sk"]
    assert resources.lacking_table("other", ("PK", "SK"), probes=ACTIONS) == []
    sample = json.loads(gzip.decompress(SAMPLE.read_bytes()))
    account.dynamodb.create_table(TableName="indexed", BillingMode="PAY_PER_REQUEST", **sample["table"])
    assert resources.lacking_table("indexed", KEYS) == [
        "the table 'indexed' has the local indexes by-created, by-state, by-about, by-content, "
        "which limit each partition key to 10 GB"
    ]


def test_a_missing_table_bucket_or_queue_is_named(account: Aws, resources: Resources) -> None:
    missing = "is missing (no resource has this name: ResourceNotFoundException)"
    assert resources.lacking_table("none", KEYS, time_to_live="ttl") == [f"the table 'none' {missing}"]
    assert resources.lacking_bucket("none") == ["the bucket 'none' is missing (AWS returned 404)"]
    [lack] = resources.lacking_queue(f"{account.url}/123456789012/none")
    assert lack.startswith("the queue 'none' is missing (AWS returned ")


def test_each_missing_lifecycle_rule_is_named(account: Aws, resources: Resources) -> None:
    account.bucket("rules")
    assert len(resources.lacking_bucket("rules")) == 5
    expire_documents(account.s3, "rules")
    rules = account.s3.get_bucket_lifecycle_configuration(Bucket="rules")["Rules"]
    rules[0]["Status"] = "Disabled"
    rules[1]["Expiration"]["Days"] = 9
    account.s3.put_bucket_lifecycle_configuration(Bucket="rules", LifecycleConfiguration={"Rules": rules})
    assert resources.lacking_bucket("rules") == [
        "the bucket 'rules' has no lifecycle rule that deletes _expiring/2/ after 2 days",
        "the bucket 'rules' has no lifecycle rule that deletes _expiring/8/ after 8 days",
    ]


def test_each_setting_of_a_queue_is_named(account: Aws, resources: Resources) -> None:
    dead = queue(account, "target")
    arn = account.client("sqs").get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]
    policy = f'{{"deadLetterTargetArn": "{arn["QueueArn"]}", "maxReceiveCount": 5}}'
    url = queue(account, "short", MessageRetentionPeriod="345600", RedrivePolicy=policy)
    assert resources.lacking_queue(url) == [
        "the setting MessageRetentionPeriod of the queue 'short' is 345600, not 1209600 seconds",
        "the setting maxReceiveCount of the queue 'short' is 5, not 1000",
    ]


@pytest.fixture
def denying(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A service that allows descriptions of tables only."""

    class Denying(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            described = self.headers.get("X-Amz-Target", "").endswith("DescribeTable")
            keys = b'[{"AttributeName": "pk"}, {"AttributeName": "sk"}]'
            body = b'{"Table": {"KeySchema": %s}}' % keys if described else b'{"__type": "x#AccessDeniedException"}'
            self.send_response(200 if described else 400)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_HEAD(self) -> None:
            self.send_response(403)
            self.end_headers()

        def log_message(self, format: str, *arguments: object) -> None: ...  # noqa: A002 - the name it has there

    server = HTTPServer(("127.0.0.1", 0), Denying)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    url = f"http://127.0.0.1:{server.server_port}"
    point_at(monkeypatch, url)
    yield url
    server.shutdown()
    thread.join()
    server.server_close()


def test_each_missing_permission_is_named(denying: str, resources: Resources) -> None:
    assert resources.lacking_table("desk", KEYS, time_to_live="ttl", probes=ACTIONS) == [
        f"the permission dynamodb:{action} on the table 'desk' is missing"
        for action in ("DescribeTimeToLive", *ACTIONS)
    ]
    assert resources.lacking_table("desk", KEYS, probes=("Query",)) == [
        "the permission dynamodb:Query on the table 'desk' is missing"
    ]
    assert resources.lacking_bucket("desk") == ["the permission s3:ListBucket on the bucket 'desk' is missing"]
    assert resources.lacking_queue(f"{denying}/1/jobs") == [
        "the permission sqs:GetQueueAttributes on the queue 'jobs' is missing"
    ]
