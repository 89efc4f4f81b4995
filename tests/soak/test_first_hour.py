"""The first hour of a portfolio manager in full, by mouse and with the keyboard alone."""

import pytest

from tests.web.browsing import running_service
from tests.web.first_hour import play
from tests.web.hands import Hand, Keyboard, Mouse

pytestmark = pytest.mark.soak


@pytest.mark.parametrize("hand", [Mouse(), Keyboard()], ids=["mouse", "keyboard"])
def test_a_manager_gets_from_a_template_to_a_judged_result(open_pages, tmp_path, hand: Hand):
    with running_service(tmp_path / "home") as address:
        play(open_pages, address, hand)
