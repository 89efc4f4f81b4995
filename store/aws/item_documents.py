"""Documents within items: as text, packed, or in a blob of their own where they are too large."""

import asyncio
import uuid
import zlib
from contextlib import suppress
from typing import Any, TypeAlias

from store.blobs import Blobs
from store.errors import Corrupted, Unavailable
from store.serialization import Document, decode

Body: TypeAlias = dict[str, Any]
"""The attribute of an item that holds its document."""

LARGEST_PLAIN = 1_000
LARGEST_PACKED = 32_000
"""Bytes. An item takes 400 KB with its copy in each of four indexes, a transaction of 100 items takes 4 MB."""


class ItemDocuments:
    def __init__(self, blobs: Blobs) -> None:
        self._blobs = blobs

    async def write(self, owner: str, text: str) -> Body:
        """A blob is there before the item that names it, and never changes."""
        if len(text) <= LARGEST_PLAIN:
            return {"text": {"S": text}}
        packed = await asyncio.to_thread(zlib.compress, text.encode())
        if len(packed) <= LARGEST_PACKED:
            return {"packed": {"B": packed}}
        key = f"{owner}/_documents/{uuid.uuid4().hex}"
        await self._blobs.put(key, packed)
        return {"blob": {"S": key}}

    async def read(self, body: Body) -> Document:
        """The document; `Missing` if the item has been replaced or deleted since it was read."""
        if "text" in body:
            return decode(body["text"]["S"])
        packed = body["packed"]["B"] if "packed" in body else await self._blobs.get(body["blob"]["S"])
        try:
            text = zlib.decompress(packed).decode()
        except (zlib.error, UnicodeDecodeError) as error:
            raise Corrupted(f"what is stored cannot be unpacked: {error}") from error
        return decode(text)

    async def discard(self, *bodies: Body) -> None:
        """Delete the blobs of items that are not there; one that cannot be deleted stays, and nothing names it."""
        for body in bodies:
            if "blob" in body:
                with suppress(Unavailable):
                    await self._blobs.delete(body["blob"]["S"])
