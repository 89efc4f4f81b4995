"""Port of the blob storage: large immutable bytes under a path that starts with the owner."""

from typing import Protocol, runtime_checkable


@runtime_checkable
class Blobs(Protocol):
    """Adapters: `store.object_storage.ObjectBlobs` (S3) and `store.local_files.FileBlobs`."""

    async def put(self, key: str, data: bytes) -> None:
        """Store or replace atomically: a reader sees the old bytes or the new ones, never a part."""
        ...

    async def get(self, key: str) -> bytes:
        """The bytes; raises `Missing` if there is no such blob."""
        ...

    async def exists(self, key: str) -> bool: ...

    async def delete(self, key: str) -> None:
        """Delete the blob if it exists."""
        ...
