"""Every disguise of an invented number in every draft of a search is rejected."""

import pytest

from tests.graphs.invented_drafts import PAIRS, assert_none_is_released

pytestmark = [pytest.mark.soak, pytest.mark.anyio]


@pytest.mark.parametrize("disguises", PAIRS[1:], ids="-".join)
async def test_no_agent_of_a_search_can_publish_an_invented_number(disguises: list[str], home, monkeypatch):
    await assert_none_is_released(home, monkeypatch, disguises)
