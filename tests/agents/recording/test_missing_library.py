import sys
from pathlib import Path

import pytest

from agents.recording.cassette import Cassette
from desk.base.errors import UserError


def test_without_the_library_of_cassettes_the_error_says_how_to_install_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "vcr", None)
    for use in (Cassette.load, Cassette(()).save):
        with pytest.raises(UserError, match="uv sync --group recording"):
            use(tmp_path / "one.yaml")
