"""Whether the models can be asked, as far as that can be seen without asking them."""

import asyncio
import ssl
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from agents.models.lazy import AgentModels


def endpoints(models: AgentModels) -> list[str]:
    """Those of Bedrock; the embedded planner has none, and other providers keep theirs to themselves."""
    clients: list[Any] = [
        getattr(each.chat, "client", None) for chain in models.chains for each in chain.models if each.tags
    ]
    return sorted({client.meta.endpoint_url for client in clients if client is not None})


def signs(region: str | None = None) -> bool:
    """Whether there is something to sign with; who holds a role is asked for it, which takes a call."""
    import os

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
    """Open a connection and close it; `OSError` where nobody takes it. Where a proxy is set, that far."""
    aim = urlsplit(url)
    assert aim.hostname is not None
    proxy = getproxies().get(aim.scheme)
    if proxy is not None and not proxy_bypass(aim.hostname):
        aim = urlsplit(proxy)
    port = aim.port or (443 if aim.scheme == "https" else 80)
    secured = ssl.create_default_context() if aim.scheme == "https" else None
    _, writer = await asyncio.open_connection(aim.hostname, port, ssl=secured)
    writer.close()
    await writer.wait_closed()
