"""Digests of results with the code version blanked, by which results of two versions of the code are compared.

`python -m tests.digests RESULT.json ...` prints the digest of each result as `python -m api export RUN` writes it.
"""

import sys
from pathlib import Path

from desk.optimization.result import OptimizationResult


def digest_without_code_version(result: OptimizationResult) -> str:
    """The digest of a result as if every version of the code were the same."""
    manifest = result.manifest.model_copy(update={"code_version": ""})
    return result.model_copy(update={"manifest": manifest}).digest()


def main() -> None:
    for path in map(Path, sys.argv[1:]):
        result = OptimizationResult.model_validate_json(path.read_bytes())
        print(digest_without_code_version(result), path)


if __name__ == "__main__":
    main()
