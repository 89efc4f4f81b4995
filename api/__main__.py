"""`python -m api`: the command line."""

import sys

from api.cli import run

if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
