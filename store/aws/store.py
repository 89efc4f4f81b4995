"""The store on AWS: three DynamoDB tables and an S3 bucket."""

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
from store.aws.records import DynamoRecords
from store.aws.tables import KEYS, TABLE_KINDS, Tables, table_names
from store.blobs import Blobs
from store.errors import Unavailable
from store.store import Store


@asynccontextmanager
async def open_aws_store(
    prefix: str, bucket: str, *, retry_seconds: float = RETRY_SECONDS, checked: bool = True
) -> AsyncGenerator[Store]:
    """The store in existing tables and a bucket; transient errors are retried for `retry_seconds`.

    With `checked`, raises `Unavailable` if a table or the bucket is missing or has other keys.
    """
    blobs = await asyncio.to_thread(open_bucket, bucket, retry_seconds=retry_seconds)
    with closing(await asyncio.to_thread(connect, "dynamodb")) as client:
        async with aws_store(client, prefix, blobs, retry_seconds=retry_seconds) as store:
            if checked:
                await asyncio.to_thread(check, client, prefix, bucket)
            yield store


@asynccontextmanager
async def aws_store(
    client: Any, prefix: str, blobs: Blobs, *, retry_seconds: float = RETRY_SECONDS
) -> AsyncGenerator[Store]:
    """The store on a given client and blob storage, without any check."""
    with closing(Tables(client, prefix, retry_seconds=retry_seconds)) as tables:
        documents = ItemDocuments(blobs)
        yield Store(DynamoRecords(tables, documents), DynamoEvents(tables, documents), blobs)


def create_tables(client: Any, prefix: str) -> None:
    """Create the tables of a store, with pay-per-request billing and their time to live."""
    names = table_names(prefix)
    for name in names:
        client.create_table(
            TableName=name,
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in KEYS],
            KeySchema=_KEY_SCHEMA,
        )
    for name, kind in zip(names, TABLE_KINDS, strict=True):
        client.get_waiter("table_exists").wait(TableName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 60})
        if kind.time_to_live is not None:
            specification = {"Enabled": True, "AttributeName": kind.time_to_live}
            client.update_time_to_live(TableName=name, TimeToLiveSpecification=specification)


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


def check(client: Any, prefix: str, bucket: str) -> None:
    """Raise `Unavailable` if a table or the bucket is missing, or a table has other keys."""
    resource = ""
    try:
        for name in table_names(prefix):
            resource = f"the table {name!r}"
            if client.describe_table(TableName=name)["Table"]["KeySchema"] != _KEY_SCHEMA:
                raise Unavailable(
                    f"{resource} has other keys than a store needs; create others with store.aws.store.create_tables"
                )
        resource = f"the bucket {bucket!r}"
        with closing(connect("s3")) as s3:
            s3.head_bucket(Bucket=bucket)
    except (ClientError, BotoCoreError) as error:
        raise Unavailable(f"{resource} is unavailable ({reason(error)})") from error


_KEY_SCHEMA = [{"AttributeName": key, "KeyType": kind} for key, kind in zip(KEYS, ("HASH", "RANGE"), strict=True)]
