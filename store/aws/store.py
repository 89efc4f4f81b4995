"""The store on AWS: a DynamoDB table and an S3 bucket."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, closing
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError  # pyright: ignore[reportMissingTypeStubs]

from store.aws.backoff import RETRY_SECONDS
from store.aws.client_errors import reason
from store.aws.clients import connect, open_bucket
from store.aws.events import DynamoEvents
from store.aws.item_documents import EXPIRY_DAYS, ItemDocuments, expiring_folder
from store.aws.records import CREATION, DynamoRecords
from store.aws.table import Table
from store.blobs import Blobs
from store.errors import Unavailable
from store.keys import LABELS
from store.store import Store

INDEXES = {f"by-{name}": name for name in (CREATION, *LABELS)}


@asynccontextmanager
async def open_aws_store(
    table: str, bucket: str, *, retry_seconds: float = RETRY_SECONDS, checked: bool = True
) -> AsyncGenerator[Store]:
    """The store in an existing table and bucket; transient errors are retried for `retry_seconds`.

    With `checked`, raises `Unavailable` if the table or the bucket is missing or has another schema.
    """
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
    """The store on a given client and blob storage, without any check."""
    with closing(Table(client, table, retry_seconds=retry_seconds)) as dynamodb:
        documents = ItemDocuments(blobs)
        yield Store(DynamoRecords(dynamodb, documents), DynamoEvents(dynamodb, documents), blobs)


def create_table(client: Any, name: str) -> None:
    """Create a table with pay-per-request billing and a time to live."""
    client.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[
            {"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk", *INDEXES.values())
        ],
        KeySchema=_keys("sk"),
        LocalSecondaryIndexes=[
            {"IndexName": index, "KeySchema": _keys(attribute), "Projection": {"ProjectionType": "ALL"}}
            for index, attribute in INDEXES.items()
        ],
    )
    client.get_waiter("table_exists").wait(TableName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 60})
    client.update_time_to_live(TableName=name, TimeToLiveSpecification={"Enabled": True, "AttributeName": "ttl"})


def expire_documents(client: Any, bucket: str) -> None:
    """Replace the lifecycle rules of a bucket by those that delete the documents of expired records."""
    rules = [
        {
            "ID": f"expiring-{days}",
            "Filter": {"Prefix": expiring_folder(days)},
            "Status": "Enabled",
            "Expiration": {"Days": days},
            "NoncurrentVersionExpiration": {"NoncurrentDays": 1},
        }
        for days in EXPIRY_DAYS
    ]
    client.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": rules})


def check(client: Any, table: str, bucket: str) -> None:
    """Raise `Unavailable` if the table or the bucket is missing, or the table has another schema."""
    resource = f"the table {table!r}"
    try:
        description = client.describe_table(TableName=table)["Table"]
        resource = f"the bucket {bucket!r}"
        with closing(connect("s3")) as s3:
            s3.head_bucket(Bucket=bucket)
    except (ClientError, BotoCoreError) as error:
        raise Unavailable(f"{resource} is unavailable ({reason(error)})") from error
    indexes = {index["IndexName"]: index["KeySchema"] for index in description.get("LocalSecondaryIndexes", ())}
    required = {index: _keys(attribute) for index, attribute in INDEXES.items()}
    if description["KeySchema"] != _keys("sk") or required != {name: indexes.get(name) for name in required}:
        raise Unavailable(
            f"the table {table!r} has other keys or indexes than a store needs; "
            "create another one with store.aws.store.create_table"
        )


def _keys(sort: str) -> list[dict[str, str]]:
    return [{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": sort, "KeyType": "RANGE"}]
