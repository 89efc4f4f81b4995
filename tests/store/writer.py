"""A process that writes until it ends or is killed, and prints what was acknowledged."""

import asyncio
import hashlib
import sys
from pathlib import Path

from store.errors import Conflict
from store.records import Key
from store.store import Store
from tests.store.openers import OPENERS


def content(n: int) -> bytes:
    """300 kB that begin with their own digest, so that a partial write is detected."""
    body = str(n).encode().ljust(300_000, b".")
    return hashlib.sha256(body).digest() + body


async def write(store: Store, name: str, n: int) -> None:
    await store.events.append("ann", "run", f"{name}-{n}", {"n": n})
    await store.events.append("ann", "run", f"shared-{n}", {"by": name})
    await store.blobs.put(f"ann/{name}/{n}", content(n))
    try:
        await store.records.put(Key("ann", name, f"{n:05}"), {"n": n}, expected=0)
    except Conflict:
        return  # a killed writer has written it already


async def main(adapter: str, home: Path, name: str, first: int, last: int) -> None:
    async with OPENERS[adapter](home) as store:
        for n in range(first, last):
            await write(store, name, n)
            print(n, flush=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2]), sys.argv[3], int(sys.argv[4]), int(sys.argv[5])))
