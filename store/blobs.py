"""Large immutable bytes under a path that starts with the owner."""

from typing import Protocol, runtime_checkable


@runtime_checkable
class Blobs(Protocol):
    """Port. Adapters: `store.object_storage.ObjectBlobs`, `store.local_files.FileBlobs`."""

    async def put(self, key: str, data: bytes) -> None:
        """Store or replace; a reader sees the old bytes or the new, never a part."""
        ...

    async def get(self, key: str) -> bytes:
        """The bytes, or `Missing`."""
        ...

    async def exists(self, key: str) -> bool: ...

    async def delete(self, key: str) -> None:
        """Deleting what is not there is no error."""
        ...
