"""Functions that open the store of a home with each adapter."""

import hashlib
import os
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import cache
from pathlib import Path
from typing import Any

from store.embedded import open_store
from store.store import Store

Opener = Callable[[Path], AbstractAsyncContextManager[Store]]

REGION = "eu-west-1"


@asynccontextmanager
async def open_aws(home: Path) -> AsyncIterator[Store]:
    """A table and a bucket at the AWS endpoint of the environment."""
    from store.aws.clients import open_bucket  # boto3 takes half a second to import
    from store.aws.store import aws_store, create_tables, expire_documents

    name = name_of(home)
    dynamodb, s3 = clients(os.environ["AWS_ENDPOINT_URL_DYNAMODB"])
    if not (home / ".made").exists():
        create_tables(dynamodb, name)
        s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
        expire_documents(s3, name)
        (home / ".made").touch()
    async with aws_store(dynamodb, name, open_bucket(name)) as store:
        yield store


def name_of(home: Path) -> str:
    return f"home-{hashlib.sha256(str(home).encode()).hexdigest()[:20]}"


@cache
def clients(_url: str) -> tuple[Any, Any]:
    """Created once, because a client takes about a second."""
    from store.aws.clients import connect

    dynamodb = connect("dynamodb")
    dynamodb.meta.events.register("before-call.dynamodb.Scan", _refuse_scan)
    return dynamodb, connect("s3")


def _refuse_scan(**_: object) -> None:
    raise AssertionError("the store reads a whole table with Scan")


OPENERS: dict[str, Opener] = {"embedded": open_store, "aws": open_aws}
