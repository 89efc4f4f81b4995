"""The store on AWS: a DynamoDB table and an S3 bucket; boto3's own variables say where they are and for whom."""

import asyncio
import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, closing
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import boto3  # pyright: ignore[reportMissingTypeStubs]
from botocore.config import Config  # pyright: ignore[reportMissingTypeStubs]
from botocore.exceptions import BotoCoreError, ClientError  # pyright: ignore[reportMissingTypeStubs]
from obstore.auth.boto3 import Boto3CredentialProvider
from obstore.store import S3Store

from store.aws.events import DynamoEvents
from store.aws.item_documents import ItemDocuments
from store.aws.records import CREATION, DynamoRecords
from store.aws.table import CALLS_AT_ONCE, RETRY_SECONDS, Table, check_length, reason
from store.blobs import Blobs
from store.errors import Unavailable
from store.keys import LABELS
from store.object_storage import ObjectBlobs
from store.store import Store

CONNECT_SECONDS = 3.0
READ_SECONDS = 10.0
INDEXES = {f"by-{name}": name for name in (CREATION, *LABELS)}
LOOPBACK = {"127.0.0.1", "localhost", "::1"}


@asynccontextmanager
async def open_aws_store(
    table: str, bucket: str, *, retry_seconds: float = RETRY_SECONDS, checked: bool = True
) -> AsyncGenerator[Store]:
    """`Unavailable` where there is no such table or bucket; what passes is waited for, `patience` seconds long."""
    blobs = await asyncio.to_thread(open_bucket, bucket, retry_seconds=retry_seconds)
    with closing(await asyncio.to_thread(connect, "dynamodb")) as client:
        async with aws_store(client, table, blobs, retry_seconds=retry_seconds) as store:
            if checked:
                await asyncio.to_thread(check, client, table, bucket)
            yield store


@asynccontextmanager
async def aws_store(
    client: Any, table: str, blobs: Blobs, *, retry_seconds: float = RETRY_SECONDS
) -> AsyncGenerator[Store]:
    with closing(Table(client, table, retry_seconds=retry_seconds)) as dynamodb:
        bodies = ItemDocuments(blobs)
        yield Store(DynamoRecords(dynamodb, bodies), DynamoEvents(dynamodb, bodies), blobs)


def create_table(client: Any, name: str) -> None:
    """A table that is paid by the request; it deletes by itself what has expired."""
    client.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[
            {"AttributeName": each, "AttributeType": "S"} for each in ("pk", "sk", *INDEXES.values())
        ],
        KeySchema=_keys("sk"),
        LocalSecondaryIndexes=[
            {"IndexName": index, "KeySchema": _keys(attribute), "Projection": {"ProjectionType": "ALL"}}
            for index, attribute in INDEXES.items()
        ],
    )
    client.get_waiter("table_exists").wait(TableName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 60})
    client.update_time_to_live(TableName=name, TimeToLiveSpecification={"Enabled": True, "AttributeName": "ttl"})


def open_bucket(name: str, *, retry_seconds: float = RETRY_SECONDS) -> ObjectBlobs:
    session = boto3.Session()
    try:
        credentials = Boto3CredentialProvider(session, ttl=timedelta(minutes=5))  # boto3 renews those that end in ten
    except ValueError as error:
        raise Unavailable(f"the bucket {name!r} is unavailable (there are no credentials)") from error
    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    options: dict[str, Any] = {"endpoint": endpoint, "virtual_hosted_style_request": False} if endpoint else {}
    return ObjectBlobs(
        S3Store(
            name,
            **options,
            credential_provider=credentials,
            client_options={
                "allow_http": endpoint is not None and urlsplit(endpoint).hostname in LOOPBACK,
                "connect_timeout": timedelta(seconds=CONNECT_SECONDS),
                "timeout": timedelta(seconds=3 * READ_SECONDS),
            },
            retry_config={
                "max_retries": 10,
                "backoff": {"init_backoff": timedelta(seconds=0.05), "max_backoff": timedelta(seconds=2), "base": 2},
                "retry_timeout": timedelta(seconds=retry_seconds),
            },
        )
    )


def connect(service: str, endpoint: str | None = None, *, attempts: int = 1) -> Any:
    """By default one try a call: who calls knows what may be tried again."""
    config = Config(
        retries={"total_max_attempts": attempts, "mode": "standard"},
        connect_timeout=CONNECT_SECONDS,
        read_timeout=READ_SECONDS,
        max_pool_connections=CALLS_AT_ONCE,
    )
    session: Any = boto3.Session()
    try:
        region = session.region_name or os.environ.get("AWS_REGION")
        client = session.client(service, region_name=region, endpoint_url=endpoint, config=config)
    except BotoCoreError as error:
        raise Unavailable(f"{service} is unavailable ({reason(error)})") from error
    client.meta.events.register("before-parse", check_length)
    return client


def check(client: Any, table: str, bucket: str) -> None:
    """Refuse a table or a bucket that cannot be the store."""
    named = f"the table {table!r}"
    try:
        found = client.describe_table(TableName=table)["Table"]
        named = f"the bucket {bucket!r}"
        with closing(connect("s3")) as s3:
            s3.head_bucket(Bucket=bucket)
    except (ClientError, BotoCoreError) as error:
        raise Unavailable(f"{named} is unavailable ({reason(error)})") from error
    indexes = {index["IndexName"]: index["KeySchema"] for index in found.get("LocalSecondaryIndexes", ())}
    expected = {index: _keys(attribute) for index, attribute in INDEXES.items()}
    if found["KeySchema"] != _keys("sk") or expected != {name: indexes.get(name) for name in expected}:
        raise Unavailable(f"the table {table!r} has other keys or indexes than store.aws.session.create_table gives it")


def _keys(sort: str) -> list[dict[str, str]]:
    return [{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": sort, "KeyType": "RANGE"}]
