"""Returns freed memory to the operating system."""

import ctypes
import gc
import sys


def release_memory() -> None:
    """Return what was freed since the last call; glibc keeps it otherwise, after millions of small objects."""
    gc.collect()
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # other C libraries have none
        if trim is not None:
            trim(0)
