"""Every disguise of an invented number, in every draft of a search."""

import pytest

from tests.graphs.test_invented_numbers import PAIRS, nothing_is_left

pytestmark = [pytest.mark.soak, pytest.mark.anyio]


@pytest.mark.parametrize("disguises", PAIRS[1:], ids="-".join)
async def test_no_agent_of_a_search_gets_it_anywhere(disguises: list[str], home, monkeypatch):
    await nothing_is_left(home, monkeypatch, disguises)
