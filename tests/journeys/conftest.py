import asyncio
from pathlib import Path

import pytest

from tests.doubles.sagemaker.fixtures import behind, bucket, fleet

__all__ = ["behind", "bucket", "fleet"]


@pytest.fixture(scope="session")
def local_digest(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The digest of the reference job on this machine."""

    from tests.graphs.dependencies import open_dependencies
    from tests.journeys.reference_job import REFERENCE, create_reference_run, digest_of, run_to_end

    async def computed(home: Path) -> str:
        async with open_dependencies(home) as dependencies:
            await create_reference_run(dependencies, REFERENCE)
            await run_to_end(dependencies)
            return await digest_of(dependencies)

    return asyncio.run(computed(tmp_path_factory.mktemp("local")))
