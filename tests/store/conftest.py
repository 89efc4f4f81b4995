from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from store.store import Store
from tests.doubles.aws import Aws, ministack, moto, point_at
from tests.store.openers import OPENERS, Opener

# every adapter listed here must fulfil the same contract
ADAPTERS = ("embedded", "moto", "ministack")


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Aws]]:
    with moto() as one, ministack(tmp_path_factory.mktemp("ministack")) as other:
        yield {"moto": one, "ministack": other}


@pytest.fixture(params=[pytest.param(name, marks=pytest.mark.soak if name == "moto" else ()) for name in ADAPTERS])
def adapter(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "embedded":
        return "embedded"
    point_at(monkeypatch, request.getfixturevalue("servers")[request.param].url)
    return "aws"


@pytest.fixture
def opener(adapter: str) -> Opener:
    return OPENERS[adapter]


@pytest.fixture
async def store(anyio_backend: str, opener: Opener, tmp_path: Path) -> AsyncIterator[Store]:
    async with opener(tmp_path) as store_:
        yield store_
