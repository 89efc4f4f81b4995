"""The test suite itself: no test reaches the network, and each has a home of its own."""

import asyncio
import os
import socket
import threading
import urllib.error
import urllib.request
from pathlib import Path

import pytest

OUTSIDE = "192.0.2.1"
"""TEST-NET-1 of RFC 5737, an address that is never assigned."""


def connect(host: str, port: int) -> None:
    with socket.socket() as connection:
        connection.settimeout(1)
        connection.connect((host, port))


def send(host: str, port: int) -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as connection:
        connection.sendto(b"x", (host, port))


@pytest.mark.parametrize("reach", [connect, send])
def test_a_socket_to_the_outside_is_stopped(reach) -> None:
    with pytest.raises(RuntimeError, match="fakes and loopback only"):
        reach(OUTSIDE, 80)


@pytest.mark.parametrize("ask", [socket.gethostbyname, lambda host: socket.getaddrinfo(host, 443)])
def test_name_servers_are_not_reached(ask) -> None:
    with pytest.raises(RuntimeError, match="fakes and loopback only"):
        ask("example.com")


def test_a_thread_is_stopped_too() -> None:
    errors: list[BaseException] = []

    def work() -> None:
        try:
            connect(OUTSIDE, 80)
        except RuntimeError as error:
            errors.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert len(errors) == 1


@pytest.mark.anyio
async def test_asyncio_is_stopped_outside_and_works_on_loopback() -> None:
    with pytest.raises(RuntimeError, match="fakes and loopback only"):
        await asyncio.open_connection(OUTSIDE, 80)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await reader.readline())
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        writer.write(b"hello\n")
        assert await reader.readline() == b"hello\n"
        writer.close()
        await writer.wait_closed()


def test_unix_sockets_work(tmp_path: Path) -> None:
    address = os.path.relpath(tmp_path / "s")  # the kernel takes no long path
    with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as client:
        server.bind(address)
        server.listen()
        client.connect(address)


def test_connections_through_a_proxy_fail() -> None:
    """The proxy blocks clients outside Python; here Python's own client shows it."""
    with pytest.raises(urllib.error.URLError, match="refused"):
        urllib.request.urlopen("http://example.com", timeout=5)


def test_each_test_has_its_own_home(home: Path, tmp_path: Path) -> None:
    assert os.environ["STRATIGOS_HOME"] == str(home)
    assert home.is_relative_to(tmp_path)
    assert not home.exists()
