from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from store.store import Store, open_store

Opener = Callable[[Path], AbstractAsyncContextManager[Store]]

# the contract below holds for every adapter that stands here
ADAPTERS: dict[str, Opener] = {"embedded": open_store}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(params=list(ADAPTERS.values()), ids=list(ADAPTERS))
def opener(request: pytest.FixtureRequest) -> Opener:
    return request.param


@pytest.fixture
async def store(anyio_backend: str, opener: Opener, tmp_path: Path) -> AsyncIterator[Store]:
    async with opener(tmp_path) as opened:
        yield opened
