"""How every kernel of this package is compiled: cached on disk, outside the interpreter lock, and to the letter.

Neither fast-math nor fused multiply-add is allowed, so that a result has the same bits on every processor. The kernels
of a module are cached in a folder named by the digest of that module and of all that it imports from this package:
numba alone would notice only a change of the file that holds the outermost function.

numba takes no folder that it cannot write to. Where the kernels were compiled beforehand into a read-only folder, as in
a container, each module gets a folder of links to them below the temporary one, so that a processor for which none was
compiled can add its own.
"""

import hashlib
import os
import re
import tempfile
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar, cast

import numba
from numba import config

_Function = TypeVar("_Function", bound=Callable[..., Any])

_PACKAGE = Path(__file__).parents[1]
_ONE_FOLDER = Lock()
"""numba reads the folder from one setting for all modules, and modules are imported on any thread."""
_IMPORT = re.compile(rb"^from quant\.([\w.]+) import", re.MULTILINE)


@cache
def _imports(path: Path) -> tuple[bytes, frozenset[Path]]:
    source = path.read_bytes()
    return source, frozenset(_PACKAGE / f"{name.decode().replace('.', '/')}.py" for name in _IMPORT.findall(source))


@cache
def cache_folder(module: Path) -> Path:
    """Where the compiled kernels of `module` are kept, by default below `.cache/kernels` beside the package."""
    known: set[Path] = set()
    open_ = {module}
    while open_:
        path = open_.pop()
        known.add(path)
        open_ |= _imports(path)[1] - known
    content = hashlib.sha256()
    for path in sorted(known):
        content.update(path.name.encode() + b"\0" + _imports(path)[0] + b"\0")
    root = os.environ.get("STRATIGOS_KERNEL_CACHE") or str(_PACKAGE.parent / ".cache" / "kernels")
    return Path(root) / f"{module.stem}-{content.hexdigest()[:16]}-numba-{numba.__version__}"


@cache
def writable(folder: Path) -> Path:
    """`folder` itself, or where it is read-only one of this user alone with links to what is in it."""
    standing = next(path for path in (folder, *folder.parents) if path.exists())
    if os.access(standing, os.W_OK):
        return folder
    private = Path(tempfile.gettempdir()) / f"stratigos-kernels-{os.getuid()}"
    private.mkdir(mode=0o700, exist_ok=True)
    found = private.lstat()
    if found.st_uid != os.getuid() or found.st_mode & 0o022:  # whoever can write here runs code as this user
        raise PermissionError(f"{private} can be written to by others; remove it, or set STRATIGOS_KERNEL_CACHE")
    for file in folder.rglob("*.nb?"):
        link = private / folder.name / file.relative_to(folder)
        link.parent.mkdir(parents=True, exist_ok=True)
        with suppress(FileExistsError):
            link.symlink_to(file)
    return private / folder.name


def compiled(function: _Function) -> _Function:
    """Compile `function` on first use; load it from the cache afterwards."""
    return _decorated(function, forceinline=False)


def inlined(function: _Function) -> _Function:
    """As `compiled`, and put in the place of every call: a loop over lanes with a call in it has no vectors."""
    return _decorated(function, forceinline=True)


def pasted(function: _Function) -> _Function:
    """As `inlined`, but before types are known: for small functions that take functions, or are used once."""
    return cast("_Function", numba.njit(inline="always", error_model="numpy")(function))


def _decorated(function: _Function, *, forceinline: bool) -> _Function:
    folder = str(writable(cache_folder(Path(function.__code__.co_filename))))
    decorate = numba.njit(cache=True, nogil=True, error_model="numpy", forceinline=forceinline)
    with _ONE_FOLDER:
        config.CACHE_DIR = folder  # pyright: ignore[reportAttributeAccessIssue]
        return cast("_Function", decorate(function))
