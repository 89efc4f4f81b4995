"""Whether the models can be reached, checked without a model call: endpoints, credentials, connections.

boto3 is imported by the function that needs it, because readiness is also checked without Bedrock.
"""

import asyncio
import os
import ssl
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from agents.models.lazy import AgentModels


def endpoints(models: AgentModels) -> list[str]:
    """The endpoints of Bedrock; the embedded planner has none, and other providers do not expose theirs."""
    clients: list[Any] = [
        getattr(model.chat, "client", None) for chain in models.chains for model in chain.models if model.tags
    ]
    return sorted({client.meta.endpoint_url for client in clients if client is not None})


def has_credentials(region: str | None = None) -> bool:
    """Whether there are credentials to sign with; for a role this takes one call."""
    import boto3
    from botocore.exceptions import BotoCoreError

    if os.environ.get("AWS_BEARER_TOKEN_BEDROCK"):
        return True
    try:
        credentials: Any = boto3.Session(region_name=region).get_credentials()
        return credentials is not None and bool(credentials.get_frozen_credentials().access_key)
    except BotoCoreError:
        return False


async def connect(url: str) -> None:
    """Open a connection to the host, or to its proxy, and close it; raises `OSError` if it is refused."""
    target = urlsplit(url)
    assert target.hostname is not None
    proxy = getproxies().get(target.scheme)
    if proxy is not None and not proxy_bypass(target.hostname):
        target = urlsplit(proxy)
    port = target.port or (443 if target.scheme == "https" else 80)
    tls = ssl.create_default_context() if target.scheme == "https" else None
    _, writer = await asyncio.open_connection(target.hostname, port, ssl=tls)
    writer.close()
    await writer.wait_closed()
