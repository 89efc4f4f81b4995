"""Blobs as local files, durable across a killed process and a power failure."""

import os
import re
import uuid
from pathlib import Path

import obstore
from obstore.store import LocalStore

from store.object_storage import ObjectBlobs, translate_errors

STAGING = ".staging"
"""Folder of incomplete files; no key starts with a dot, so no reader opens one that a killed writer left."""


class FileBlobs(ObjectBlobs):
    """Adapter of `store.blobs.Blobs`."""

    def __init__(self, root: Path) -> None:
        super().__init__(LocalStore(root, mkdir=True))
        self._root = root

    def _path(self, key: str) -> str:
        """Folders end with a comma, so that `a/b` and `a/b/c` can both exist.

        Capital letters get a comma and become small, because some file systems ignore case in names.
        """
        *folders, name = re.sub("[A-Z]", _lower, super()._path(key)).split("/")
        return "/".join([*(f"{folder}," for folder in folders), name])

    def _put(self, path: str, data: bytes) -> None:
        """Write, sync, rename: obstore does not sync, so the file could be empty after a power failure."""
        draft = f"{STAGING}/{uuid.uuid4().hex}"
        with translate_errors(path, exists=True):
            obstore.put(self._objects, draft, data)
            _sync(self._root / draft)
            obstore.rename(self._objects, draft, path)
            for folder in (self._root / path).parents:
                _sync(folder)
                if folder == self._root:
                    break


def _lower(capital: re.Match[str]) -> str:
    return f",{capital[0].lower()}"


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
