"""The number of worker threads of a computation."""

import os


def thread_count() -> int:
    """NUMBA_NUM_THREADS if it is set, otherwise the number of cores."""
    return int(os.environ.get("NUMBA_NUM_THREADS", "0")) or os.cpu_count() or 1
