"""boto3 clients and the S3 bucket; boto3's own environment variables set region, endpoints and credentials."""

import os
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import boto3  # pyright: ignore[reportMissingTypeStubs]
from botocore.config import Config  # pyright: ignore[reportMissingTypeStubs]
from botocore.exceptions import BotoCoreError  # pyright: ignore[reportMissingTypeStubs]
from obstore.auth.boto3 import Boto3CredentialProvider
from obstore.store import S3Store

from store.aws.backoff import RETRY_SECONDS
from store.aws.client_errors import check_length, reason
from store.errors import Unavailable
from store.object_storage import ObjectBlobs

CONNECT_SECONDS = 3.0
READ_SECONDS = 10.0
MAX_CONNECTIONS = 32
LOOPBACK = {"127.0.0.1", "localhost", "::1"}


def open_bucket(name: str, *, retry_seconds: float = RETRY_SECONDS) -> ObjectBlobs:
    """Blob storage in an S3 bucket; the credentials are boto3's."""
    session = boto3.Session()
    try:
        # boto3 refreshes credentials that expire within ten minutes
        credentials = Boto3CredentialProvider(session, ttl=timedelta(minutes=5))
    except ValueError as error:
        raise Unavailable(f"the bucket {name!r} is unavailable (no AWS credentials were found)") from error
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
    """A boto3 client; by default it makes one attempt per call, because the callers decide what may be retried."""
    config = Config(
        retries={"total_max_attempts": attempts, "mode": "standard"},
        connect_timeout=CONNECT_SECONDS,
        read_timeout=READ_SECONDS,
        max_pool_connections=MAX_CONNECTIONS,
    )
    session: Any = boto3.Session()
    try:
        region = session.region_name or os.environ.get("AWS_REGION")
        client = session.client(service, region_name=region, endpoint_url=endpoint, config=config)
    except BotoCoreError as error:
        raise Unavailable(f"{service} is unavailable ({reason(error)})") from error
    client.meta.events.register("before-parse", check_length)
    return client
