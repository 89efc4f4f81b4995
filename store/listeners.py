"""Wakes those in this process who wait for a log; what other processes append is polled for."""

import threading
from collections import defaultdict
from collections.abc import Generator
from concurrent.futures import Future
from contextlib import contextmanager


class Listeners:
    """Safe across threads and event loops: a future wakes whichever loop waits for it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: defaultdict[tuple[str, str], set[Future[None]]] = defaultdict(set)

    def notify(self, owner: str, run_id: str) -> None:
        with self._lock:
            rung = self._waiting.pop((owner, run_id), set[Future[None]]())
        for future in rung:
            if future.set_running_or_notify_cancel():
                future.set_result(None)

    @contextmanager
    def listen(self, owner: str, run_id: str) -> Generator[Future[None]]:
        future: Future[None] = Future()
        with self._lock:
            self._waiting[owner, run_id].add(future)
        try:
            yield future
        finally:
            with self._lock:
                listeners = self._waiting[owner, run_id]
                listeners.discard(future)
                if not listeners:
                    del self._waiting[owner, run_id]
