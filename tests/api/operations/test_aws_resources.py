"""`doctor` and `/api/ready` name what a deployment on AWS lacks: one planted fault of each kind, on each resource."""

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cache

import pytest

from api.doctor import services
from api.operations import readiness
from api.settings import Settings
from store.aws.store import create_tables, expire_documents
from tests.doubles.aws import Aws, moto, point_at
from tests.doubles.faulty_aws import Fault, Proxy, start_proxy

TABLES = ("desk-records", "desk-events", "desk-audit", "checkpoints")
BUCKETS = ("documents", "large")
KEPT = {"MessageRetentionPeriod": "1209600"}
DENIED, S3_DENIED = Fault(400, "AccessDeniedException"), Fault(403, "AccessDenied")
ITEM_ACTIONS = {
    "GetItem": ("desk-records", "desk-audit", "checkpoints"),
    "BatchGetItem": TABLES,
    "Query": TABLES,
    "PutItem": TABLES,
    "DeleteItem": ("desk-records", "desk-events"),
}
"""Probed on these tables: those that the store and the checkpoints use."""
OBJECT_ACTIONS = {"PUT": "s3:PutObject", "DELETE": "s3:DeleteObject", "HEAD": "s3:ListBucket"}
MESSAGE_ACTIONS = {
    "SendMessageBatch": ("SendMessage", ("jobs", "dead")),
    "ReceiveMessage": ("ReceiveMessage", ("jobs",)),
    "ChangeMessageVisibility": ("ChangeMessageVisibility", ("jobs",)),
    "DeleteMessage": ("DeleteMessage", ("jobs",)),
    "GetQueueAttributes": ("GetQueueAttributes", ("jobs", "dead")),
}


@pytest.fixture(scope="module")
def account() -> Iterator[tuple[Aws, Proxy]]:
    with moto() as aws, start_proxy(aws.url) as proxy:
        create_tables(aws.dynamodb, "desk")
        aws.table("checkpoints", {"PK": "HASH", "SK": "RANGE"})
        for bucket in BUCKETS:
            aws.bucket(bucket)
        expire_documents(aws.s3, "documents")
        for queue in ("jobs", "dead"):
            aws.client("sqs").create_queue(QueueName=queue, Attributes=KEPT)
        yield aws, proxy


@pytest.fixture
def aws(account: tuple[Aws, Proxy], monkeypatch: pytest.MonkeyPatch) -> Aws:
    point_at(monkeypatch, account[1].url)
    return account[0]


@pytest.fixture
def proxy(account: tuple[Aws, Proxy]) -> Iterator[Proxy]:
    yield account[1]
    account[1].heal()


@cache
def settings(aws: Aws) -> Settings:
    return Settings.model_validate(
        {
            "STRATIGOS_STORE": "dynamodb:desk,s3:documents",
            "STRATIGOS_CHECKPOINTS": "dynamodb:checkpoints,s3:large",
            "STRATIGOS_QUEUE": f"sqs:{queue_url(aws, 'jobs')},dead:{queue_url(aws, 'dead')}",
        }
    )


@cache
def queue_url(aws: Aws, name: str) -> str:
    return aws.client("sqs").get_queue_url(QueueName=name)["QueueUrl"]


def doctor(aws: Aws) -> list[str]:
    finding = asyncio.run(services.check_resources(settings(aws)))
    assert finding.state == "failed"
    return finding.found.split("; ")


def ready(aws: Aws) -> list[str]:
    result = asyncio.run(readiness.check_resources(settings(aws)))
    assert result.status == "failed"
    assert result.public_reason is not None
    return result.public_reason.split("; ")


def test_a_whole_deployment_lacks_nothing_and_checks_change_nothing(aws: Aws) -> None:
    assert asyncio.run(services.check_resources(settings(aws))).state == "ok"
    assert asyncio.run(readiness.check_resources(settings(aws))).status == "ok"
    assert [item for table in TABLES for item in aws.items(table)] == []
    assert [name for bucket in BUCKETS for name in aws.objects(bucket)] == []
    for queue in ("jobs", "dead"):
        assert "Messages" not in aws.client("sqs").receive_message(QueueUrl=queue_url(aws, queue))


@contextmanager
def without_table(aws: Aws, name: str) -> Iterator[None]:
    """The table is deleted, and is made again afterwards."""
    description = aws.dynamodb.describe_table(TableName=name)["Table"]
    aws.dynamodb.delete_table(TableName=name)
    try:
        yield
    finally:
        keys = {key["AttributeName"]: key["KeyType"] for key in description["KeySchema"]}
        aws.table(name, keys)
        if name == "desk-records":
            live = {"Enabled": True, "AttributeName": "ttl"}
            aws.dynamodb.update_time_to_live(TableName=name, TimeToLiveSpecification=live)


def test_each_missing_table_is_named(aws: Aws) -> None:
    with ExitStack() as missing:
        for name in TABLES:
            missing.enter_context(without_table(aws, name))
        reason = "is missing (no resource has this name: ResourceNotFoundException)"
        lacks = [f"the table '{name}' {reason}" for name in TABLES]
        assert (doctor(aws), ready(aws)) == (lacks, lacks)


def test_a_table_that_is_missing_alone_is_named_alone(aws: Aws) -> None:
    with without_table(aws, "desk-events"):
        lack = "the table 'desk-events' is missing (no resource has this name: ResourceNotFoundException)"
        assert (doctor(aws), ready(aws)) == ([lack], [lack])


@contextmanager
def with_local_index(aws: Aws, name: str) -> Iterator[None]:
    """The table has an index of an earlier layout."""
    with without_table(aws, name):
        hash_key, range_key = ("PK", "SK") if name == "checkpoints" else ("pk", "sk")
        schema = [{"AttributeName": hash_key, "KeyType": "HASH"}, {"AttributeName": range_key, "KeyType": "RANGE"}]
        other = {"AttributeName": "created", "KeyType": "RANGE"}
        index = {"IndexName": "by-created", "KeySchema": [schema[0], other], "Projection": {"ProjectionType": "ALL"}}
        aws.dynamodb.create_table(
            TableName=name,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[
                {"AttributeName": key, "AttributeType": "S"} for key in (hash_key, range_key, "created")
            ],
            KeySchema=schema,
            LocalSecondaryIndexes=[index],
        )
        try:
            yield
        finally:
            aws.dynamodb.delete_table(TableName=name)


def test_a_local_index_of_an_earlier_layout_is_named_for_each_table(aws: Aws) -> None:
    with ExitStack() as changed:
        for name in TABLES:
            changed.enter_context(with_local_index(aws, name))
        reason = "has the local indexes by-created, which limit each partition key to 10 GB"
        lacks = {f"the table '{name}' {reason}" for name in TABLES}
        assert lacks.issubset(doctor(aws))
        assert lacks.issubset(ready(aws))


def test_a_missing_time_to_live_is_named(aws: Aws) -> None:
    with without_table(aws, "desk-records"):
        aws.table("desk-records", {"pk": "HASH", "sk": "RANGE"})
        lack = "the time to live of the table 'desk-records' is not on for the attribute 'ttl'"
        assert (doctor(aws), ready(aws)) == ([lack], [lack])
        aws.dynamodb.delete_table(TableName="desk-records")


def test_each_missing_bucket_is_named(aws: Aws) -> None:
    try:
        for name in BUCKETS:
            aws.s3.delete_bucket(Bucket=name)
        lacks = [f"the bucket '{name}' is missing (AWS returned 404)" for name in BUCKETS]
        assert (doctor(aws), ready(aws)) == (lacks, lacks)
    finally:
        for name in BUCKETS:
            aws.bucket(name)
        expire_documents(aws.s3, "documents")


def test_a_missing_lifecycle_rule_is_named(aws: Aws) -> None:
    rules = aws.s3.get_bucket_lifecycle_configuration(Bucket="documents")["Rules"]
    aws.s3.put_bucket_lifecycle_configuration(Bucket="documents", LifecycleConfiguration={"Rules": rules[1:]})
    try:
        lack = "the bucket 'documents' has no lifecycle rule that deletes _expiring/2/ after 2 days"
        assert (doctor(aws), ready(aws)) == ([lack], [lack])
    finally:
        expire_documents(aws.s3, "documents")


def test_a_setting_is_named_for_each_queue(aws: Aws) -> None:
    names, sqs = ("jobs", "dead"), aws.client("sqs")
    for name in names:
        sqs.set_queue_attributes(QueueUrl=queue_url(aws, name), Attributes={"MessageRetentionPeriod": "345600"})
    try:
        reason = "is 345600, not 1209600 seconds"
        lacks = [f"the setting MessageRetentionPeriod of the queue '{name}' {reason}" for name in names]
        assert (doctor(aws), ready(aws)) == (lacks, lacks)
    finally:
        for name in names:
            sqs.set_queue_attributes(QueueUrl=queue_url(aws, name), Attributes=KEPT)


@pytest.mark.parametrize("action", ITEM_ACTIONS)
def test_a_missing_permission_on_items_is_named_for_each_table(aws: Aws, proxy: Proxy, action: str) -> None:
    proxy.fail(action, DENIED)
    lacks = [f"the permission dynamodb:{action} on the table '{table}' is missing" for table in ITEM_ACTIONS[action]]
    assert (doctor(aws), ready(aws)) == (lacks, lacks)


@pytest.mark.parametrize("action", ["DescribeTable", "DescribeTimeToLive"])
def test_a_missing_permission_to_describe_is_named_for_each_table(aws: Aws, proxy: Proxy, action: str) -> None:
    proxy.fail(action, DENIED)
    tables = TABLES if action == "DescribeTable" else ["desk-records"]
    lacks = [f"the permission dynamodb:{action} on the table '{table}' is missing" for table in tables]
    assert (doctor(aws), ready(aws)) == (lacks, lacks)


@pytest.mark.parametrize("method", OBJECT_ACTIONS)
def test_a_missing_permission_on_objects_is_named_for_each_bucket(aws: Aws, proxy: Proxy, method: str) -> None:
    proxy.fail(method, S3_DENIED)
    lacks = [f"the permission {OBJECT_ACTIONS[method]} on the bucket '{bucket}' is missing" for bucket in BUCKETS]
    assert (doctor(aws), ready(aws)) == (lacks, lacks)


def test_missing_permissions_to_read_a_bucket_are_named(aws: Aws, proxy: Proxy) -> None:
    proxy.fail("GET", S3_DENIED)
    lacks = [
        "the permission s3:GetObject on the bucket 'documents' is missing",
        "the permission s3:GetLifecycleConfiguration on the bucket 'documents' is missing",
        "the permission s3:GetObject on the bucket 'large' is missing",
    ]
    assert (doctor(aws), ready(aws)) == (lacks, lacks)


@pytest.mark.parametrize("operation", MESSAGE_ACTIONS)
def test_a_missing_permission_on_messages_is_named_for_the_queues(aws: Aws, proxy: Proxy, operation: str) -> None:
    action, queues = MESSAGE_ACTIONS[operation]
    proxy.fail(operation, DENIED)
    assert doctor(aws) == [f"the permission sqs:{action} on the queue '{queue}' is missing" for queue in queues]
    if operation == "SendMessageBatch":  # an interface sends jobs only
        assert ready(aws) == ["the permission sqs:SendMessage on the queue 'jobs' is missing"]
