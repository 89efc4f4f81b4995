"""Blobs in any object store that obstore supports."""

import asyncio
import re
from collections.abc import Generator
from contextlib import contextmanager

import obstore
from obstore.exceptions import BaseError
from obstore.store import ObjectStore

from store.errors import Missing, Unavailable
from store.keys import check_blob_key

STATUS = re.compile(r"status code: (\d{3})")
CODE = re.compile(r"<Code>(\w{1,100})</Code>")


class ObjectBlobs:
    """Adapter of `store.blobs.Blobs`.

    It runs obstore's blocking calls in threads, because the asynchronous ones may abort the process at exit: their
    runtime wakes the event loop while the interpreter shuts down (pyo3-async-runtimes #40).
    """

    def __init__(self, objects: ObjectStore) -> None:
        self._objects = objects

    async def put(self, key: str, data: bytes) -> None:
        await asyncio.to_thread(self._put, self._path(key), data)

    async def get(self, key: str) -> bytes:
        try:
            return await asyncio.to_thread(self._get, self._path(key))
        except FileNotFoundError as error:
            raise Missing(f"there is no blob {key!r}") from error

    async def exists(self, key: str) -> bool:
        try:
            await asyncio.to_thread(self._head, self._path(key))
        except FileNotFoundError:
            return False
        return True

    async def delete(self, key: str) -> None:
        try:
            await asyncio.to_thread(self._delete, self._path(key))
        except FileNotFoundError:
            return

    def _path(self, key: str) -> str:
        check_blob_key(key)
        return key

    def _put(self, path: str, data: bytes) -> None:
        with translate_errors(path, exists=True):
            obstore.put(self._objects, path, data)

    def _get(self, path: str) -> bytes:
        with translate_errors(path):
            return obstore.get(self._objects, path).bytes().to_bytes()

    def _head(self, path: str) -> None:
        with translate_errors(path):
            obstore.head(self._objects, path)

    def _delete(self, path: str) -> None:
        with translate_errors(path):
            obstore.delete(self._objects, path)


@contextmanager
def translate_errors(path: str, *, exists: bool = False) -> Generator[None]:
    """Raise `Unavailable` for errors of obstore; with `exists` a missing file is one too, else it passes through."""
    try:
        yield
    except (BaseError, OSError) as error:
        text = str(error)
        if isinstance(error, FileNotFoundError) and not exists and "NoSuchBucket" not in text:
            raise
        status, code = STATUS.search(text), CODE.search(text)
        if status is None:
            reason = text.partition("\n")[0]  # obstore appends long debug text
            raise Unavailable(f"the blob storage failed at {path!r}: {reason}") from error
        reason = f"status {status[1]}{f' {code[1]}' if code else ''}"
        # the rest of an S3 response contains key ids and tokens
        raise Unavailable(f"the blob storage failed at {path!r}: {reason}") from None
