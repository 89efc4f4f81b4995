"""Writes entries into the audit log and prints their places: `audit_writer.py ADAPTER HOME TIMES [WRITE before|after]`.

It dies by SIGKILL at its n-th write.
"""

import asyncio
import os
import signal
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from desk.base.clock import utc_now
from desk.governance.audit_anchors import anchor_chains
from desk.governance.audit_log import AuditLog
from tests.desk.governance.audit_samples import entry
from tests.store.openers import OPENERS


class Deadly:
    remaining = 0
    before = True

    def __init__(self, port: Any) -> None:
        self._port = port

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._port, name)
        if name != "put_many":
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


async def main(adapter: str, home: Path, times: int, write: int, when: str) -> None:
    Deadly.remaining, Deadly.before = write, when == "before"
    async with OPENERS[adapter](home) as opened:
        store = replace(opened, records=Deadly(opened.records))
        log = AuditLog(store)
        for n in range(times):
            print(*await asyncio.gather(*(log.append(entry(n)) for n in range(5))), flush=True)
            if n % 2:
                now = utc_now()
                await anchor_chains(store, "", now, interval=now - now)


if __name__ == "__main__":
    adapter, home, times, write, when = [*sys.argv[1:], "0", "before"][:5]
    asyncio.run(main(adapter, Path(home), int(times), int(write), when))
