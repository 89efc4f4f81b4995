"""Appends entries, five at once, and prints their numbers: `audit_writer.py ADAPTER HOME TIMES [WRITE before|after]`.

It dies by SIGKILL at its n-th write.
"""

import asyncio
import os
import signal
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from desk.governance.audit_log import AuditLog, Entry
from tests.store.openers import OPENERS


class Deadly:
    remaining = 0
    before = True

    def __init__(self, port: Any) -> None:
        self._port = port

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._port, name)
        if name not in ("append_many", "put"):
            return method

        async def write(*arguments: Any, **options: Any) -> Any:
            Deadly.remaining -= 1
            if Deadly.remaining == 0 and Deadly.before:
                os.kill(os.getpid(), signal.SIGKILL)
            answer = await method(*arguments, **options)
            if Deadly.remaining == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return answer

        return write


def entry() -> Entry:
    defaults = {"owner": "ann", "via": "local", "roles": (), "action": "x", "object": "", "request": "", "address": ""}
    return Entry(at=datetime.now(UTC), **defaults)


async def main(adapter: str, home: Path, times: int, write: int, when: str) -> None:
    Deadly.remaining, Deadly.before = write, when == "before"
    async with OPENERS[adapter](home) as store:
        log = AuditLog(replace(store, events=Deadly(store.events), records=Deadly(store.records)))
        for _ in range(times):
            print(*await asyncio.gather(*(log.append(entry()) for _ in range(5))), flush=True)


if __name__ == "__main__":
    adapter, home, times, write, when = [*sys.argv[1:], "0", "before"][:5]
    asyncio.run(main(adapter, Path(home), int(times), int(write), when))
