"""Documents within items: as text, compressed, or in a blob if they are too large."""

import asyncio
import uuid
import zlib
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias

from store.blobs import Blobs
from store.errors import Corrupted, Unavailable
from store.serialization import Document, decode

Body: TypeAlias = dict[str, Any]
"""The attribute of an item that holds its document: `text`, `packed` or `blob`."""

LARGEST_PLAIN = 1_000
LARGEST_PACKED = 32_000
"""In bytes. An item is limited to 400 KB, a transaction of 100 items to 4 MB."""


EXPIRING = "_expiring"
EXPIRY_DAYS = (2, 8, 32, 100, 400)
"""Days after which lifecycle rules of the bucket delete the blobs below `_expiring/DAYS/`."""


class ItemDocuments:
    """Chooses how a document is stored, and reads it back."""

    def __init__(self, blobs: Blobs) -> None:
        self._blobs = blobs

    async def write(self, owner: str, text: str, expires: datetime | None = None) -> Body:
        """The attribute for an item; a blob is written before the item that names it, and never changes."""
        if len(text) <= LARGEST_PLAIN:
            return {"text": {"S": text}}
        packed = await asyncio.to_thread(zlib.compress, text.encode())
        if len(packed) <= LARGEST_PACKED:
            return {"packed": {"B": packed}}
        key = f"{_folder(owner, expires)}/{uuid.uuid4().hex}"
        await self._blobs.put(key, packed)
        return {"blob": {"S": key}}

    async def read(self, body: Body) -> Document:
        """The document; raises `Missing` if the item has been replaced or deleted since it was read."""
        if "text" in body:
            return decode(body["text"]["S"])
        packed = body["packed"]["B"] if "packed" in body else await self._blobs.get(body["blob"]["S"])
        try:
            text = zlib.decompress(packed).decode()
        except (zlib.error, UnicodeDecodeError) as error:
            raise Corrupted(f"a stored document cannot be decompressed: {error}") from error
        return decode(text)

    async def discard(self, *bodies: Body) -> None:
        """Delete the blobs of removed items; a blob that cannot be deleted remains unreferenced."""
        for body in bodies:
            if "blob" in body:
                with suppress(Unavailable):
                    await self._blobs.delete(body["blob"]["S"])


def expiring_folder(days: int) -> str:
    """The prefix of the blobs that the bucket deletes after these days."""
    return f"{EXPIRING}/{days}/"


def _folder(owner: str, expires: datetime | None) -> str:
    """The folder of a document; one that expires later than any rule of the bucket allows is not deleted by it."""
    left = timedelta.max if expires is None else expires - datetime.now(UTC)
    days = next((days for days in EXPIRY_DAYS if left <= timedelta(days=days)), None)
    return f"{owner}/_documents" if days is None else f"{expiring_folder(days)}{owner}"
