import os

import pytest


@pytest.fixture(autouse=True)
def no_files_of_aws(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hide the developer's own AWS credentials and settings."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
