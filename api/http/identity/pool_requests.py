"""HTTP requests to the identity provider, limited in time and size."""

import asyncio
from collections.abc import Mapping

TIMEOUT = 5.0
"""Seconds for the whole exchange."""


async def fetch(url: str, max_bytes: int, *, form: Mapping[str, str] | None = None) -> tuple[int, bytes]:
    """Send GET, or POST with a form; return status and body. Redirects are not followed."""
    import httpx

    content = bytearray()
    async with (
        asyncio.timeout(TIMEOUT),
        httpx.AsyncClient(timeout=TIMEOUT, headers={"Accept-Encoding": "identity"}) as client,
        client.stream("GET" if form is None else "POST", url, data=form) as response,
    ):
        async for chunk in response.aiter_raw():
            content += chunk
            if len(content) > max_bytes:
                raise ValueError(f"its answer is larger than {max_bytes} bytes")
    return response.status_code, bytes(content)
