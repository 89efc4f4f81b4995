"""The folder of STRATIGOS_HOME, which processes share."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from api.home import prepare_home
from tests.api.http.application import settings_of


def test_processes_that_start_together_all_find_that_they_can_write(tmp_path: Path) -> None:
    settings = settings_of(tmp_path / "home")
    with ThreadPoolExecutor(4) as threads:
        for done in [threads.submit(prepare_home, settings) for _ in range(2_000)]:
            done.result()
    assert list(settings.home.iterdir()) == []
