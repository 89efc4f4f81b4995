"""The first hour of a portfolio manager by mouse, with a small search."""

from tests.web.browsing import running_service
from tests.web.first_hour import play
from tests.web.hands import Mouse


def test_a_manager_gets_from_a_template_to_a_judged_result(open_pages, tmp_path):
    with running_service(tmp_path / "home") as address:
        play(open_pages, address, Mouse(), trials=10, stopping="budget")
