import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.aws import Aws, moto, point_at
from tests.fleet.fleet import Fleet


@pytest.fixture(scope="session")
def behind() -> Iterator[Aws]:
    with moto() as aws:
        yield aws


@pytest.fixture
def fleet(behind: Aws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Fleet]:
    """Settings of AWS reach it too: boto3's clients need no endpoint."""
    with Fleet(behind, tmp_path / "fleet") as fleet:
        point_at(monkeypatch, behind.url)
        for name, value in fleet.environment.items():
            monkeypatch.setenv(name, value)
        yield fleet


@pytest.fixture
def bucket(behind: Aws, tmp_path: Path) -> str:
    """A bucket of this test alone."""
    return behind.bucket(f"fleet-{abs(hash(tmp_path)):x}")


@pytest.fixture(scope="session")
def local(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The digest of the reference job on this machine."""

    from tests.fleet.reference import REFERENCE, asked, carried_on, digest_of
    from tests.graphs.conftest import open_desk

    async def computed(home: Path) -> str:
        async with open_desk(home) as desk:
            await asked(desk, REFERENCE)
            await carried_on(desk)
            return await digest_of(desk)

    return asyncio.run(computed(tmp_path_factory.mktemp("local")))
