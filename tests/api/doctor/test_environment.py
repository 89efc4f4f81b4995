"""The checks of this machine: Python, disk space, database file, port and kernels."""

import socket
import sqlite3
from contextlib import closing

import pytest

from api.doctor import environment
from tests.api.http.application import settings_of


def test_a_damaged_database_file_fails(home):
    home.mkdir()
    path = home / "store.sqlite"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE a (b TEXT)")
        connection.executemany("INSERT INTO a VALUES (?)", [("x" * 500,)] * 100)
        connection.commit()
    assert environment.check_database(settings_of(home)).state == "warning", "the file has no write-ahead log"
    content = bytearray(path.read_bytes())
    content[4096:4200] = bytes(104)
    path.write_bytes(content)
    finding = environment.check_database(settings_of(home))
    assert (finding.state, "is damaged" in finding.found or "cannot be read" in finding.found) == ("failed", True)


@pytest.mark.parametrize(
    ("version", "state"), [((3, 10), "failed"), ((3, 11), "ok"), ((3, 13), "ok"), ((3, 99), "warning")]
)
def test_old_python_versions_fail_and_untested_ones_warn(version, state):
    assert environment.check_python(version).state == state


@pytest.mark.parametrize(("free", "state"), [(10**7, "failed"), (10**9, "warning"), (10**11, "ok")])
def test_low_disk_space_warns_or_fails(home, free, state):
    finding = environment.check_home(settings_of(home), lambda _: free)
    assert (finding.state, bool(finding.todo)) == (state, state != "ok")


def test_a_port_in_use_warns(home):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        settings = settings_of(home).model_copy(update={"port": listener.getsockname()[1]})
        finding = environment.check_port(settings)
    assert finding.state == "warning"
    assert "STRATIGOS_PORT" in finding.todo


def test_uncompiled_kernels_warn(tmp_path, monkeypatch):
    from quant.numeric.compilation import cache_folder

    monkeypatch.setenv("STRATIGOS_KERNEL_CACHE", str(tmp_path))
    cache_folder.cache_clear()
    try:
        finding = environment.check_kernels(settings_of(tmp_path))
    finally:
        cache_folder.cache_clear()
    assert finding.state == "warning"
    assert "are not compiled" in finding.found
