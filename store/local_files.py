"""Blobs as local files that survive a kill and a power cut."""

import os
import re
import uuid
from pathlib import Path

import obstore
from obstore.store import LocalStore

from store.object_storage import ObjectBlobs, faults

STAGING = ".staging"  # no key starts with a dot, so nobody reads what a killed writer left here


class FileBlobs(ObjectBlobs):
    def __init__(self, root: Path) -> None:
        super().__init__(LocalStore(root, mkdir=True))
        self._root = root

    def _path(self, key: str) -> str:
        """Folders get a comma, so that `a/b` and `a/b/c` can both stand.

        Capitals get one too, since some file systems take `Ann` and `ann` for the same owner.
        """
        *folders, name = re.sub("[A-Z]", _small, super()._path(key)).split("/")
        return "/".join([*(f"{folder}," for folder in folders), name])

    def _put(self, path: str, data: bytes) -> None:
        """obstore renames but never syncs: after a power cut the name could hold zeros."""
        staged = f"{STAGING}/{uuid.uuid4().hex}"
        with faults(path, exists=True):
            obstore.put(self._objects, staged, data)
            _sync(self._root / staged)
            obstore.rename(self._objects, staged, path)
            for folder in (self._root / path).parents:
                _sync(folder)
                if folder == self._root:
                    break


def _small(capital: re.Match[str]) -> str:
    return f",{capital[0].lower()}"


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
