"""Checks of this machine: Python, home folder, database file, port and compiled kernels."""

import shutil
import socket
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from api.doctor.findings import Finding, failed, invalid_setting, ok, skipped, warning
from api.home import prepare_home
from api.settings import ROOT, Settings
from desk.base.errors import InvalidInput
from quant.numeric.compilation import cache_folder, writable
from store.errors import StoreError
from store.sqlite.migrations import check_schema

MIN_PYTHON, MAX_TESTED_PYTHON = (3, 11), (3, 13)
MIN_SQLITE = (3, 38)
"""The first version with strict tables and `->>`."""
LOW_DISK_BYTES, MIN_DISK_BYTES = 2_000_000_000, 200_000_000


def check_python(version: tuple[int, int]) -> Finding:
    version_text = f"Python {version[0]}.{version[1]}"
    if version < MIN_PYTHON:
        return failed("python", f"{version_text} is too old", "install Python 3.11 or later, then `make`")
    if version > MAX_TESTED_PYTHON:
        return warning("python", f"{version_text} is untested", "run `make test`, or use Python 3.11 to 3.13")
    return ok("python", version_text)


def check_home(
    settings: Settings, free_bytes: Callable[[Path], int] = lambda path: shutil.disk_usage(path).free
) -> Finding:
    try:
        prepare_home(settings)
    except InvalidInput as error:
        return invalid_setting("home", error)
    free = free_bytes(settings.home)
    space = f"{settings.home} is writable, {free / 1e9:.1f} GB are free"
    if free < LOW_DISK_BYTES:
        finding = failed if free < MIN_DISK_BYTES else warning
        return finding("home", space, "free disk space, or set STRATIGOS_HOME to a folder on another disk")
    return ok("home", space)


def check_database(settings: Settings) -> Finding:
    path, name = settings.home / "store.sqlite", "database"
    if settings.store:
        return skipped(name, "STRATIGOS_STORE is set, so there is no database file")
    if sqlite3.sqlite_version_info < MIN_SQLITE:
        return failed(name, f"SQLite {sqlite3.sqlite_version} is too old", "use a Python with SQLite 3.38 or later")
    if not path.exists():
        return ok(name, f"SQLite {sqlite3.sqlite_version}; the first command creates the file")
    repair = f"stop every process, then replace {path} with the last backup, or move it away to start with no data"
    try:
        check_schema(path)
        with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as connection:
            (mode,) = connection.execute("PRAGMA journal_mode").fetchone()
            results = [line for (line,) in connection.execute("PRAGMA quick_check(5)")]
    except StoreError as error:
        return failed(name, str(error), "update the program, or set STRATIGOS_HOME to another folder")
    except sqlite3.Error as error:
        return failed(name, f"{path} cannot be read: {error}", repair)
    if results != ["ok"]:
        return failed(name, f"{path} is damaged: {results[0]}", repair)
    if mode != "wal":
        return warning(name, f"its journal mode is {mode}, so readers block on writers", "open it once on a local disk")
    return ok(name, f"SQLite {sqlite3.sqlite_version}, journal mode {mode}, no damage found")


def check_port(settings: Settings) -> Finding:
    address = f"{settings.host}:{settings.port}"
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except OSError as error:
            todo = "the service may be running already; otherwise set another STRATIGOS_HOST or STRATIGOS_PORT"
            return warning("port", f"cannot listen on {address}: {error.strerror or error}", todo)
    return ok("port", f"{address} is free")


def check_kernels(settings: Settings) -> Finding:  # noqa: ARG001
    """Compiled kernels are cached per module; a missing one delays the first job by seconds."""
    sources = sorted((ROOT / "quant").rglob("*.py"))
    folders = [cache_folder(path) for path in sources if "\n@compiled" in path.read_text(encoding="utf-8")]
    root = folders[0].parent
    missing = [folder for folder in folders if not any(folder.rglob("*.nbc"))]
    if not missing:
        return ok("kernels", f"{len(folders)} modules are compiled in {root}")
    try:
        cache = writable(missing[0]).parent
    except OSError as error:
        todo = "set STRATIGOS_KERNEL_CACHE to a writable folder"
        return failed("kernels", f"cannot write to {root}: {error}", todo)
    missing_text = f"{len(missing)} of {len(folders)} modules are not compiled in {cache}"
    return warning("kernels", missing_text, "nothing to do: the first job compiles them, which takes up to two minutes")
