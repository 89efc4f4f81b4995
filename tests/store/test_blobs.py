import asyncio
import os
from pathlib import Path

import pytest

from store.blobs import Blobs
from store.errors import Invalid, Missing, Unavailable
from store.local_files import FileBlobs
from store.store import Store

pytestmark = pytest.mark.anyio


def below(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*"))


@pytest.mark.parametrize("data", [b"", b"\x00\xff", os.urandom(3_000_000)], ids=len)
async def test_bytes_come_back(store: Store, data: bytes) -> None:
    assert isinstance(store.blobs, Blobs)
    assert not await store.blobs.exists("ann/x")
    await store.blobs.put("ann/x", data)
    content = await store.blobs.get("ann/x")
    assert type(content) is bytes
    assert content == data
    assert await store.blobs.exists("ann/x")


async def test_a_blob_is_replaced_and_deleted(store: Store) -> None:
    await store.blobs.put("ann/x", b"a longer first")
    await store.blobs.put("ann/x", b"second")
    assert await store.blobs.get("ann/x") == b"second"
    await store.blobs.delete("ann/x")
    await store.blobs.delete("ann/x")
    with pytest.raises(Missing, match="there is no blob 'ann/x'"):
        await store.blobs.get("ann/x")


async def test_a_key_may_continue_another(store: Store) -> None:
    keys = ["ann/a", "ann/a/b", "ann/a/b/c", "ann/a.b"]
    for key in [*keys, *reversed(keys)]:
        await store.blobs.put(key, key.encode())
    assert [await store.blobs.get(key) for key in keys] == [key.encode() for key in keys]
    assert not await store.blobs.exists("ann/a/b/c/d")
    with pytest.raises(Missing):
        await store.blobs.get("ann/a/b/c/d")


async def test_another_owner_finds_nothing(store: Store) -> None:
    await store.blobs.put("ann/x", b"secret")
    for key in ("bob/x", "Ann/x", "ann/X", "ann_/x", "ann/x/x"):
        with pytest.raises(Missing):
            await store.blobs.get(key)


async def test_files_of_owners_stay_apart_where_case_does_not_count(tmp_path: Path) -> None:
    blobs = FileBlobs(tmp_path)
    keys = ["ann/x", "Ann/x", "ANN/x", "ann/X", "a.nn/x"]
    for key in keys:
        await blobs.put(key, key.encode())
    files = {str(path).lower() for path in below(tmp_path) if path.is_file()}
    assert len(files) == len(keys)
    assert [await blobs.get(key) for key in keys] == [key.encode() for key in keys]


NO_KEYS = [
    "", "ann", "/", "/ann/x", "ann/", "ann//x", "ann/../bob/x", "../ann/x", "ann/..", "ann/.",
    "ann/.hidden", ".staging/x", "ann\\x", "ann/a\\..\\b", "ann/\x00", "ann/x\n", "ann/ x",
    "ann/é", "ann/%2e%2e", "ann/a,b", "ann/" + "x" * 101, "ann/" + "/".join(["x" * 99] * 6),
    "C:/x", "~/x", "ann/x#1",
]  # fmt: skip


async def test_a_key_that_could_leave_its_owner_is_refused(store: Store, tmp_path: Path) -> None:
    before = below(tmp_path)
    for key in NO_KEYS:
        for call in (store.blobs.get, store.blobs.exists, store.blobs.delete):
            with pytest.raises(Invalid, match=r"blob `key` is .*; allowed"):
                await call(key)
        with pytest.raises(Invalid, match=r"blob `key` is .*; allowed"):
            await store.blobs.put(key, b"x")
    assert below(tmp_path) == before


async def test_the_longest_key_is_taken(store: Store) -> None:
    key = "A" * 100 + "/" + "B" * 100
    await store.blobs.put(key, b"x")
    assert await store.blobs.get(key) == b"x"


async def test_readers_never_see_a_part(store: Store) -> None:
    versions = [bytes([n]) * 500_000 for n in range(6)]
    await store.blobs.put("ann/x", versions[0])

    async def read() -> None:
        for _ in range(30):
            assert await store.blobs.get("ann/x") in versions

    await asyncio.gather(read(), read(), *(store.blobs.put("ann/x", data) for data in versions))


async def test_a_missing_folder_is_unavailable(tmp_path: Path) -> None:
    blobs = FileBlobs(tmp_path / "blobs")
    (tmp_path / "blobs").rmdir()
    (tmp_path / "blobs").write_text("a file in its place")
    with pytest.raises(Unavailable, match=r"blob storage failed at 'ann,/x': .*Not a directory"):
        await blobs.put("ann/x", b"x")
