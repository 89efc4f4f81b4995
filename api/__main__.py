"""`python -m api`: the command line."""

import gc
import os
import sys
import threading
from contextlib import suppress

RARE_COLLECTIONS = (50_000, 10, 10)
"""Most objects of a command live as long as it does: looking through them often takes a tenth of its time."""


def main() -> int:
    gc.set_threshold(*RARE_COLLECTIONS)
    from api.cli.main import run

    code = run(sys.argv[1:])
    gc.freeze()  # the system frees faster what the interpreter would search for cycles once more
    return code


if __name__ == "__main__":
    code = main()
    if any(not thread.daemon for thread in threading.enumerate() if thread is not threading.main_thread()):
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError):
                stream.flush()
        os._exit(code)  # a call that hangs would be waited for
    sys.exit(code)
