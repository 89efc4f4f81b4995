"""`python -m api`: the command line."""

import os
import sys
import threading
from contextlib import suppress

from api.cli.main import run

if __name__ == "__main__":
    code = run(sys.argv[1:])
    if any(not thread.daemon for thread in threading.enumerate() if thread is not threading.main_thread()):
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError):
                stream.flush()
        os._exit(code)  # a call that hangs would be waited for
    sys.exit(code)
