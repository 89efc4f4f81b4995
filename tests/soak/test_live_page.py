"""The page of a live run through network cuts, restarts of the service and a sleeping tab, ten of each."""

import pytest

from tests.web.disturbances import follow_disturbed, served_apart

pytestmark = pytest.mark.soak


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("kind", ["network cut", "restart", "sleep"])
def test_the_final_page_is_that_of_an_undisturbed_run(open_pages, tmp_path, kind, seed):
    with served_apart(tmp_path / "home") as service:
        follow_disturbed(open_pages, service, kind, times=5, trials=150, seed=seed)
