"""A cassette in vcrpy's standard format answers the models of the factory."""

from pathlib import Path

import pytest
from botocore.exceptions import ClientError
from langchain_core.messages import AIMessageChunk

from agents.models.factory import make_models
from agents.models.failures import reason_of
from agents.models.options import ModelOptions
from agents.recording.cassette import Cassette
from agents.recording.player import CassetteMiss, Player

FOLDER = Path(__file__).parent / "foreign_cassettes"
TOOL = {
    "name": "price_of",
    "description": "What an asset costs.",
    "parameters": {"type": "object", "properties": {"asset": {"type": "string"}}, "required": ["asset"]},
}


def chat(player: Player, *, streaming: bool = True):
    options = ModelOptions(model="bedrock_converse:amazon.nova-micro-v1:0", streaming=streaming)
    return make_models(options, player.attach, offline=True).common.models[0].chat


def test_throttling_and_a_streamed_tool_call() -> None:
    player = Player(Cassette.load(FOLDER / "retried_tool_call.yaml"))
    bound = chat(player).bind_tools([TOOL], tool_choice="any")
    with pytest.raises(ClientError) as caught:
        bound.invoke("What does gold cost?")
    assert reason_of(caught.value) == "throttled"
    chunks = [chunk for chunk in bound.stream("What does gold cost?") if isinstance(chunk, AIMessageChunk)]
    whole = sum(chunks[1:], chunks[0])
    assert len(chunks) > 4
    assert [(call["name"], call["args"], call["id"]) for call in whole.tool_calls] == [
        ("price_of", {"asset": "gold"}, "tooluse_gold1")
    ]
    assert whole.usage_metadata is not None
    assert whole.usage_metadata["input_tokens"] == 412
    assert chat(player, streaming=False).invoke("What does gold cost?").text == "Gold has no single price."
    assert player.unplayed == []


def test_a_request_that_was_not_recorded_is_a_miss() -> None:
    player = Player(Cassette.load(FOLDER / "retried_tool_call.yaml"))
    with pytest.raises(CassetteMiss, match="gold"):
        chat(player, streaming=False).invoke("What does silver cost?")
