"""How every kernel of this package is compiled: cached on disk, outside the interpreter lock, and to the letter.

Neither fast-math nor fused multiply-add is allowed, so that a result has the same bits on every processor. The cache
lies in a folder named by the digest of the package's sources: numba alone would notice only a change of the file that
holds the outermost function.
"""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import numba
from numba import config

_Function = TypeVar("_Function", bound=Callable[..., Any])

_PACKAGE = Path(__file__).parent


def source_digest() -> str:
    """SHA-256 of this package's sources: the code version of every number it computes."""
    content = hashlib.sha256()
    for path in sorted(_PACKAGE.glob("*.py")):
        content.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return content.hexdigest()


def cache_folder() -> Path:
    """Where compiled kernels are kept, by default `.cache/kernels` beside the package."""
    root = os.environ.get("STRATIGOS_KERNEL_CACHE") or str(_PACKAGE.parent / ".cache" / "kernels")
    return Path(root) / f"{source_digest()[:16]}-numba-{numba.__version__}"


config.CACHE_DIR = str(cache_folder())  # pyright: ignore[reportAttributeAccessIssue]  (set when numba is imported)


def compiled(function: _Function) -> _Function:
    """Compile `function` on first use; load it from the cache afterwards."""
    decorate = numba.njit(cache=True, nogil=True, error_model="numpy")
    return cast("_Function", decorate(function))
