"""Runs `optimize` and exports its result: `python -m tests.journeys.optimize_process RESULT.json OPTION ...`.

Prints the files of the modules that are imported when the result is computed, one a line.
"""

import sys
from contextlib import redirect_stdout

from api.cli.main import app


def main() -> None:
    result, *options = sys.argv[1:]
    with redirect_stdout(sys.stderr):
        app(["optimize", *options], standalone_mode=False)
        files = [file for module in list(sys.modules.values()) if (file := getattr(module, "__file__", None))]
        app(["export", "last", "--format", "json", "--output", result], standalone_mode=False)
    print(*files, sep="\n")


if __name__ == "__main__":
    main()
