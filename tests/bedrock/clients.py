"""The real clients, pointed at a double."""

from typing import Any

import boto3
from botocore.config import Config
from langchain_aws import ChatBedrockConverse

MODEL = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
REGION = "us-east-1"
CREDENTIALS = {"aws_access_key_id": "AKIDEXAMPLE", "aws_secret_access_key": "wJalrXUtnFEMI"}


def connect(url: str, *, attempts: int = 1, read_timeout: float = 20.0, **changes: Any) -> Any:
    config = Config(
        retries={"total_max_attempts": attempts, "mode": "standard"},
        connect_timeout=2.0,
        read_timeout=read_timeout,
        max_pool_connections=64,
    )
    options = {**CREDENTIALS, "region_name": REGION, "endpoint_url": url, "config": config}
    return boto3.client("bedrock-runtime", **options | changes)


def chat(client: Any, **settings: Any) -> ChatBedrockConverse:
    options = {"model": MODEL, "disable_streaming": False, "client": client, "bedrock_client": client}
    return ChatBedrockConverse(**options | settings)
