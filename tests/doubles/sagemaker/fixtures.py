"""Fixtures: a SageMaker fleet, and the AWS services behind it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.doubles.aws import Aws, moto, point_at
from tests.doubles.sagemaker.fleet import Fleet


@pytest.fixture(scope="session")
def behind() -> Iterator[Aws]:
    with moto() as aws:
        yield aws


@pytest.fixture
def fleet(behind: Aws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Fleet]:
    """The environment points to the fleet, so that boto3's clients need no endpoint."""
    with Fleet(behind, tmp_path / "fleet") as fleet:
        point_at(monkeypatch, behind.url)
        for name, value in fleet.environment.items():
            monkeypatch.setenv(name, value)
        yield fleet


@pytest.fixture
def bucket(behind: Aws, tmp_path: Path) -> str:
    """A bucket for one test."""
    return behind.bucket(f"fleet-{abs(hash(tmp_path)):x}")
