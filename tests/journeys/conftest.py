import asyncio
from pathlib import Path

import pytest

from tests.doubles.sagemaker.fixtures import behind, bucket, fleet

__all__ = ["behind", "bucket", "fleet"]


@pytest.fixture(scope="session")
def local(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The digest of the reference job on this machine."""

    from tests.graphs.dependencies import open_dependencies
    from tests.journeys.reference_job import REFERENCE, asked, carried_on, digest_of

    async def computed(home: Path) -> str:
        async with open_dependencies(home) as dependencies:
            await asked(dependencies, REFERENCE)
            await carried_on(dependencies)
            return await digest_of(dependencies)

    return asyncio.run(computed(tmp_path_factory.mktemp("local")))
