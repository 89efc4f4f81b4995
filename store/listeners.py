"""Wakes tasks of this process that wait for a log; events of other processes are found by polling."""

import threading
from collections import defaultdict
from collections.abc import Generator
from concurrent.futures import Future
from contextlib import contextmanager


class Listeners:
    """Safe across threads and event loops: each waiting task gets a `concurrent.futures.Future`."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: defaultdict[tuple[str, str], set[Future[None]]] = defaultdict(set)

    def notify(self, owner: str, run_id: str) -> None:
        """Complete the futures of all tasks that listen to the log."""
        with self._lock:
            listeners = self._waiting.pop((owner, run_id), set[Future[None]]())
        for future in listeners:
            if future.set_running_or_notify_cancel():
                future.set_result(None)

    @contextmanager
    def listen(self, owner: str, run_id: str) -> Generator[Future[None]]:
        """A future that the next `notify` of the log completes."""
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
