"""Compilation of the numeric core's kernels: cached on disk, without the interpreter lock, in strict IEEE arithmetic.

Fast-math and fused multiply-add are off, so that a result has the same bits on every processor. The kernels of a module
are cached in a folder named by the digest of that module and of every module of this package that it imports, directly
or not: numba alone notices only a change of the file that holds the outermost function.

numba rejects a cache folder that it cannot write to. Where kernels were compiled beforehand into a read-only folder, as
in a container, each module gets a folder of links to them below the temporary one, so that kernels for a processor that
the image does not cover can be added.

Processes that need the same kernel at once compile it once: the first locks a file beside the cache, the others wait
and load the result. numba alone lets each compile it, and may lose one of two signatures that are stored at once.
"""

import fcntl
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
from numba.core.compiler_lock import global_compiler_lock

_Function = TypeVar("_Function", bound=Callable[..., Any])

_ROOT = Path(__file__).parents[2]
_CACHE_SETTING = Lock()
"""numba reads the cache folder from one global setting, and modules are imported on any thread."""
_IMPORT = re.compile(
    rb"""^[ \t]*(?:
        from[ \t]+(\.*[\w.]*)[ \t]+import[ \t]+(
            \((?:[^)#]|\#[^\n]*)*\)     # names in parentheses, with comments
            |(?:[^\n#\\]|\\\n)*        # names on one line, or with its continuations
        )
        |import[ \t]+([^\n#]*)
    )""",
    re.MULTILINE | re.VERBOSE,
)
"""Every form of import statement; to parse all sources instead takes tenths of a second at each start."""
_NAME = re.compile(rb"#[^\n]*|(\w+)(?:[ \t]+as[ \t]+\w+)?")


@cache
def _imports(path: Path, root: Path) -> tuple[bytes, frozenset[Path]]:
    """The source of `path`, and the files of the modules below `root` that it imports itself."""
    source = path.read_bytes()
    files: set[Path] = set()
    for origin, names, modules in _IMPORT.findall(source):
        if modules:
            files.update(_file(root, module.split()[0].decode()) for module in modules.split(b",") if module.strip())
            continue
        level = len(origin) - len(origin.lstrip(b"."))
        folder = path.parents[level - 1] if level else root
        module = _file(folder, origin[level:].decode())
        submodules = [_file(module.parent, name.decode()) for name in _NAME.findall(names) if name]
        package = module.name == "__init__.py"
        files.update(file if package and file.exists() else module for file in submodules)
    return source, frozenset(file for file in files if file.exists())


def _file(folder: Path, module: str) -> Path:
    """The file of the dotted `module` below `folder`; it need not exist."""
    path = folder.joinpath(*module.split(".")) if module else folder
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def imported_files(module: Path, root: Path = _ROOT) -> list[Path]:
    """The file of `module` and of every module below `root` that it imports, directly or not, sorted.

    The `__init__` of a package counts only where a name is imported from the package itself.
    """
    files: set[Path] = set()
    pending = {module}
    while pending:
        path = pending.pop()
        files.add(path)
        pending |= _imports(path, root)[1] - files
    return sorted(files)


@cache
def cache_folder(module: Path, root: Path = _ROOT) -> Path:
    """Folder of the compiled kernels of `module`, a file below `root`; by default in `.cache/kernels` of `root`."""
    content = hashlib.sha256()
    for path in imported_files(module, root):
        content.update(path.relative_to(root).as_posix().encode() + b"\0" + _imports(path, root)[0] + b"\0")
    kernels = os.environ.get("STRATIGOS_KERNEL_CACHE") or str(root / ".cache" / "kernels")
    name = ".".join(module.relative_to(root).with_suffix("").parts)
    return Path(kernels) / f"{name}-{content.hexdigest()[:16]}-numba-{numba.__version__}"


@cache
def writable(folder: Path) -> Path:
    """`folder` if it can be written to, otherwise a folder of this user alone with links to its files.

    Raises
    ------
    PermissionError
        If other users can write to that folder: its code would run as this user.
    """
    ancestor = next(path for path in (folder, *folder.parents) if path.exists())
    if os.access(ancestor, os.W_OK):
        return folder
    private = Path(tempfile.gettempdir()) / f"stratigos-kernels-{os.getuid()}"
    private.mkdir(mode=0o700, exist_ok=True)
    status = private.lstat()
    if status.st_uid != os.getuid() or status.st_mode & 0o022:  # a user who can write here runs code as this user
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
    """Compile `function` and inline every call of it: a loop over lanes that contains a call is not vectorised."""
    return _decorated(function, forceinline=True)


def pasted(function: _Function) -> _Function:
    """Inline `function` before types are known: for small functions that take functions, or are used once."""
    return cast("_Function", numba.njit(inline="always", error_model="numpy")(function))


def _decorated(function: _Function, *, forceinline: bool) -> _Function:
    folder = writable(cache_folder(Path(function.__code__.co_filename)))
    decorate = numba.njit(cache=True, nogil=True, error_model="numpy", forceinline=forceinline)
    with _CACHE_SETTING:
        config.CACHE_DIR = str(folder)  # pyright: ignore[reportAttributeAccessIssue]
        dispatcher: Any = decorate(function)
    dispatcher.compile = _locked(dispatcher.compile, folder / f"{function.__qualname__}.lock")
    return cast("_Function", dispatcher)


def _locked(compile_or_load: Callable[[Any], Any], file: Path) -> Callable[[Any], Any]:
    """`compile_or_load`, one process at a time.

    The lock between the threads comes first: the other way round, two threads could wait for each other.
    """

    def locked(signature: Any) -> Any:
        with global_compiler_lock:
            file.parent.mkdir(parents=True, exist_ok=True)
            with file.open("a") as lock:
                fcntl.lockf(lock, fcntl.LOCK_EX)  # released when the file is closed
                return compile_or_load(signature)

    return locked
