"""A model that takes a minute to respond, in real time and with the default retry settings."""

import pytest

from agents.models.options import RetryPolicy
from tests.doubles.bedrock.calls import Received
from tests.doubles.bedrock.double import Double
from tests.doubles.bedrock.drivers import embedded
from tests.doubles.bedrock.replies import Reply, Say, Slow
from tests.graphs.bedrock_runs import ASKED, OPTIONS, RISK, answered_call, point_at, ran

pytestmark = [pytest.mark.soak, pytest.mark.anyio]

MINUTE = 60.0
TEXT = Say(("word " * 200,))
EVENTS = 60
"""Fewer than the response has, so that it takes at least a minute."""


def slowly(slow: Slow):
    """Respond slowly to the first call."""
    plain = embedded()

    def drive(received: Received) -> Reply:
        reply = plain(received)
        assert isinstance(reply, Say)
        return Slow(reply, slow.before, slow.between) if received.number == 1 else reply

    return drive


async def test_a_minute_of_silence_is_tolerated(home, monkeypatch):
    with Double(slowly(Slow(TEXT, before=MINUTE))) as double:
        point_at(monkeypatch, double.url)
        result = await ran(home, options=OPTIONS.model_copy(update={"patience": RetryPolicy()}))
    assert result.model_calls == [answered_call(agent) for agent in ASKED]
    slowest = max(event.seconds for event in result.events if event.event == "model_answered")
    assert MINUTE <= slowest < MINUTE + 30.0


@pytest.mark.parametrize("slow", [Slow(TEXT, before=MINUTE), Slow(TEXT, between=MINUTE / EVENTS)])
async def test_a_minute_exceeds_a_shorter_time_limit(slow, home, monkeypatch):
    with Double(lambda _: slow) as double:
        point_at(monkeypatch, double.url)
        result = await ran(home, options=OPTIONS.model_copy(update={"patience": RetryPolicy(time_limit=20.0)}))
    assert result.failure is not None
    assert result.failure.reason == "time_limit"
    assert result.failure.model == OPTIONS.model
    assert result.model_calls == []
    assert RISK in {event.node for event in result.events}
