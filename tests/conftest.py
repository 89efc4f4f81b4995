"""Fixtures and protections of all tests. Fixtures import heavy modules inside, so that light tests start at once."""

import functools
import gc
import itertools
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import botocore.loaders
import pytest
import structlog
from hypothesis import HealthCheck, settings

from tests.session_folder import SETTING

if TYPE_CHECKING:
    from desk.optimization.request import OptimizationRequest
    from graphs.dependencies import Dependencies
    from tests.cassette_playback import PlayedCassette

LOOPBACK = {"127.0.0.1", "::1", "localhost"}
ANY_ADDRESS = {None, "", "0.0.0.0", "::", b""}
"""Addresses that servers bind to, which need no name server."""
HOST_OF_EVENT = {
    "socket.connect": lambda arguments: arguments[1],
    "socket.sendto": lambda arguments: arguments[1],
    "socket.sendmsg": lambda arguments: arguments[1],
    "socket.getaddrinfo": lambda arguments: (arguments[0],),
    "socket.gethostbyname": lambda arguments: (arguments[0],),
}
ORDER = (("api/client",), ("store", "agents", "doubles"), ("journeys", "web", "docs", "faults", "graphs", "api"))
"""Folders in the order in which they are tested; the others come last."""
RARE_COLLECTIONS = (50_000, 10, 10)
MEMORY = "/dev/shm"
ROOM = 4 << 30
HOMES = itertools.count()


class NetworkBlocked(RuntimeError):
    """Not an `OSError`, so that no retry handles it."""


def guard(event: str, arguments: tuple[Any, ...]) -> None:
    """Block every socket of this process that would leave the machine."""
    host_of = HOST_OF_EVENT.get(event) if HOST_OF_EVENT else None  # the interpreter clears it when it ends
    if host_of is None:
        return
    address = host_of(arguments)
    if not isinstance(address, tuple):  # a path of a Unix socket, or a socket that is connected
        return
    host = address[0].decode() if isinstance(address[0], bytes) else address[0]
    names = event in {"socket.getaddrinfo", "socket.gethostbyname"}
    if host not in LOOPBACK and not (names and host in ANY_ADDRESS):
        raise NetworkBlocked(f"{event} to {address} in a test; fakes and loopback only")


# each of the many clients would otherwise read and parse the files that describe its service
botocore.loaders.create_loader = functools.cache(botocore.loaders.create_loader)

# An audit hook applies to every thread and cannot be removed. Code in other languages and child processes raise no
# audit events here; a proxy address without a listener blocks those.
sys.addaudithook(guard)
for scheme in ("HTTP", "HTTPS", "ALL"):
    os.environ[f"{scheme}_PROXY"] = os.environ[f"{scheme.lower()}_proxy"] = "http://127.0.0.1:9"
os.environ["NO_PROXY"] = os.environ["no_proxy"] = ",".join(sorted(LOOPBACK))

# No test reaches a public authority: each HTTP client would otherwise read the certificates of all, once per proxy.
os.environ["SSL_CERT_FILE"] = str(Path(__file__).with_name("authority.pem"))

# Otherwise each process compiles the program and each worker all tests; workers and commands inherit the environment.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# More workers than cores compute at once: threads of BLAS that wait for one another would keep the cores busy.
os.environ["OPENBLAS_NUM_THREADS"] = "1"

# Tests write to memory if there is room: waiting for a disk would be a fifth of their time.
if os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > ROOM:
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", MEMORY)

# Without a log file, log lines would go to standard output, between the output of commands. The default processors
# would render the local variables of each frame of a traceback, which takes a minute.
structlog.configure(processors=[], logger_factory=structlog.ReturnLoggerFactory())

# The home of each test is a function-scoped fixture; no example of hypothesis depends on it.
settings.register_profile("default", deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
settings.register_profile("ci", parent=settings.get_profile("default"), derandomize=True, database=None)
settings.load_profile("ci" if os.environ.get("CI") else "default")


def pytest_configure(config: pytest.Config) -> None:
    """Make the folder that all processes of this session share."""
    if not hasattr(config, "workerinput"):
        os.environ[SETTING] = tempfile.mkdtemp(prefix="pytest-session-", dir=os.environ.get("PYTEST_DEBUG_TEMPROOT"))


def pytest_unconfigure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        shutil.rmtree(os.environ.pop(SETTING))


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Without garbage collection, which would visit every imported module and collected test again and again.

    What exists afterwards lives as long as the process: the collections during tests leave it out, and they are rarer
    than the interpreter's own, which take a twentieth of the time.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.set_threshold(*RARE_COLLECTIONS)
        gc.enable()


@pytest.hookimpl(wrapper=True)
def pytest_collect_file() -> Generator[None, list[pytest.Collector], list[pytest.Collector]]:
    """Tests only: the doctests of `--doctest-modules` are those of `quant`, and no file here has any."""
    return [collector for collector in (yield) if type(collector) is pytest.Module]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Slow folders first, so that no worker of `make test` ends with a long file while the others are idle.

    Before them come a file that needs most kernels, and folders that need none: with a cold cache one worker compiles
    them while the others have work.
    """
    folders = [tuple(f"tests/{name}/" for name in names) for names in ORDER]

    def rank(item: pytest.Item) -> int:
        return next((n for n, names in enumerate(folders) if item.nodeid.startswith(names)), len(folders))

    items.sort(key=rank)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def cassette(request: pytest.FixtureRequest) -> "Iterator[PlayedCassette]":
    """The recording that `@pytest.mark.cassette("name")` names, in tests/cassettes/name.yaml."""
    from tests.cassette_playback import play_cassette

    marker = request.node.get_closest_marker("cassette")
    assert marker is not None, 'name the recording: @pytest.mark.cassette("name")'
    with play_cassette(*marker.args) as playing:
        yield playing


@pytest.fixture(autouse=True)
def own_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A folder of this test in `STRATIGOS_HOME`; nothing creates it for the thousands of tests that need none."""
    folder = tmp_path_factory.getbasetemp() / f"home-{next(HOMES)}"
    monkeypatch.setenv("STRATIGOS_HOME", str(folder))
    yield
    shutil.rmtree(folder, ignore_errors=True)  # it rarely exists


@pytest.fixture
def home(own_home: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The home of this test, also in `STRATIGOS_HOME`."""
    folder = tmp_path / "stratigos"
    monkeypatch.setenv("STRATIGOS_HOME", str(folder))
    return folder


@pytest.fixture
def opened() -> "Callable[..., AbstractAsyncContextManager[Dependencies]]":
    """Opens the dependencies of runs over a home folder."""
    from tests.graphs.dependencies import open_dependencies

    return open_dependencies


@pytest.fixture
def small() -> "Callable[..., OptimizationRequest]":
    """Makes requests of ten trials, a hundred paths of a year, one scenario, a short history."""
    from tests.graphs.dependencies import small_request

    return small_request
