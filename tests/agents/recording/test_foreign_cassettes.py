"""Cassettes in the formats of public test suites that record Amazon Bedrock."""

import gzip
import shutil
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError, EventStreamError
from vcr.persisters.filesystem import FilesystemPersister
from vcr.serializers import yamlserializer

from agents.recording.cassette import Cassette
from agents.recording.player import Player
from desk.base.errors import InvalidInput
from tests.doubles.bedrock.fixed_responses import client

FOLDER = Path(__file__).parent / "foreign_cassettes"
NOVA = "amazon.nova-micro-v1:0"


def replaying(name: str) -> tuple[Any, Player]:
    player, bedrock = Player(Cassette.load(FOLDER / name)), client()
    player.attach(bedrock)
    return bedrock, player


def question(text: str, **more: Any) -> dict[str, Any]:
    return {"modelId": NOVA, "messages": [{"role": "user", "content": [{"text": text}]}]} | more


def test_bodies_that_are_text() -> None:
    bedrock, player = replaying("strings.yaml")
    answer = bedrock.converse(**question("Name a bond index.", inferenceConfig={"temperature": 0, "maxTokens": 50}))
    assert answer["output"]["message"]["content"] == [{"text": "The Aggregate."}]
    assert answer["usage"]["totalTokens"] == 13
    assert player.unplayed == []


def test_bodies_that_are_pretty_json_with_a_tool_call() -> None:
    bedrock, player = replaying("pretty.yaml")
    tool = {"toolSpec": {"name": "price_of", "inputSchema": {"json": {"type": "object"}}}}
    answer = bedrock.converse(**question("What does gold cost?", toolConfig={"tools": [tool]}))
    [block] = answer["output"]["message"]["content"]
    assert block["toolUse"] == {"toolUseId": "tooluse_1", "name": "price_of", "input": {"asset": "gold"}}
    assert player.unplayed == []


def test_a_binary_stream_with_a_tool_call() -> None:
    bedrock, player = replaying("binary_stream.yaml")
    events = list(bedrock.converse_stream(**question("What does gold cost?"))["stream"])
    deltas = [event["contentBlockDelta"]["delta"] for event in events if "contentBlockDelta" in event]
    assert "".join(delta["text"] for delta in deltas[:2]) == "Let me look."
    assert "".join(delta["toolUse"]["input"] for delta in deltas[2:]) == '{"asset": "gold"}'
    assert [next(iter(event)) for event in events[-2:]] == ["messageStop", "metadata"]
    assert player.unplayed == []


def test_base64_text_of_an_old_version_with_an_error_in_the_stream() -> None:
    bedrock, player = replaying("base64.yaml")
    stream = iter(bedrock.converse_stream(**question("Old?"))["stream"])
    assert next(stream) == {"messageStart": {"role": "assistant"}}
    with pytest.raises(EventStreamError, match=r"modelStreamErrorException.*gave up"):
        next(stream)
    assert player.unplayed == [f"2: POST /model/{NOVA}/converse "]  # its request had no body


def test_parsed_bodies_and_the_account_number_of_another_user() -> None:
    bedrock, player = replaying("parsed_body.yaml")
    profile = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc123"
    hello = question("hello", modelId=profile, system=[], inferenceConfig={})
    with pytest.raises(ClientError, match="Rate exceeded") as caught:
        bedrock.converse(**hello)
    assert caught.value.response["Error"]["Code"] == "ThrottlingException"
    assert bedrock.converse(**hello)["output"]["message"]["content"] == [{"text": "Hello"}]
    assert player.unplayed == []


def test_errors_named_by_a_header_in_any_case() -> None:
    bedrock, player = replaying("errors.yaml")
    with pytest.raises(ClientError, match="model identifier is invalid") as first:
        bedrock.converse(**question("first", modelId="does-not-exist"))
    with pytest.raises(ClientError, match="is expired") as second:
        bedrock.converse_stream(**question("second", modelId="does-not-exist"))
    assert first.value.response["Error"]["Code"] == "ValidationException"
    assert second.value.response["Error"]["Code"] == "ExpiredTokenException"
    assert player.unplayed == []


@pytest.mark.parametrize("packed", [False, True])
def test_requests_and_responses_in_two_lists(packed: bool, tmp_path) -> None:
    source = FOLDER / "two_lists.yaml"
    path = tmp_path / ("calls.yaml.gz" if packed else "calls.yaml")
    if packed:
        path.write_bytes(gzip.compress(source.read_bytes()))
    else:
        shutil.copy(source, path)
    player, bedrock = Player(Cassette.load(path)), client()
    player.attach(bedrock)
    assert bedrock.converse(**question("hi"))["output"]["message"]["content"] == [{"text": "hey"}]


@pytest.mark.parametrize("path", sorted(FOLDER.iterdir()), ids=lambda path: path.name)
def test_a_resaved_cassette_is_equal_and_readable_by_vcrpy(path: Path, tmp_path) -> None:
    cassette = Cassette.load(path)
    cassette.save(tmp_path / "again.yaml")
    assert Cassette.load(tmp_path / "again.yaml").interactions == cassette.interactions
    requests, responses, *_ = FilesystemPersister.load_cassette(tmp_path / "again.yaml", yamlserializer)
    assert [request.path for request in requests] == [each.uri.partition(".com")[2] for each in cassette.interactions]
    assert [response["body"]["string"] for response in responses] == [each.answer for each in cassette.interactions]


PAIR = "interactions: [{{request: {request}, response: {response}}}]"
REQUEST = "{method: POST, uri: 'https://x/model/m/converse', body: '{}'}"
RESPONSE = "{status: {code: 200}, headers: {}, body: {string: ''}}"


@pytest.mark.parametrize(
    ("content", "wrong"),
    [
        ("", "it is empty"),
        ("hello", "it holds no interactions"),
        ("[{request: {}, response: {}}]", "it holds no interactions"),
        ("{version: 1}", "interactions: Field required"),
        ("interactions: {", "line "),
        ("interactions: !!python/object/apply:os.system ['true']", "could not determine a constructor"),
        ("interactions: 2026-13-45", "month must be in"),
        (PAIR.format(request="{}", response=RESPONSE), "interactions.0.request.method: Field required"),
        (PAIR.format(request=REQUEST, response="{headers: {}}"), "interactions.0.response.status: Field required"),
        (PAIR.format(request=REQUEST, response="{status: {code: no}}"), "interactions.0.response.status.code"),
        (
            PAIR.format(request=REQUEST, response="{status: {code: 200}, body: [1]}"),
            "a body is text",
        ),
        (PAIR.format(request=REQUEST, response="{status: {code: 200}, headers: 7}"), "headers are a mapping"),
        (PAIR.format(request=REQUEST, response="{status: {code: 200}, body: {base64_string: a}}"), "Invalid base64"),
        (PAIR.format(request="{method: POST, uri: 'https://['}", response=RESPONSE), "Invalid IPv6 URL"),
        (PAIR.format(request=REQUEST.replace("{}", "[" * 9999), response=RESPONSE), "recursion"),
        ("{requests: [], responses: [1]}", "0 requests have 1 responses"),
        (b"\xff\xfe", "it is not text"),
    ],
)
def test_a_file_that_is_not_a_cassette_is_refused_with_its_name(content: str | bytes, wrong: str, tmp_path) -> None:
    path = tmp_path / "calls.yaml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(InvalidInput, match=wrong) as caught:
        Cassette.load(path)
    assert str(path) in str(caught.value)


def test_a_missing_or_uncompressed_file_is_refused(tmp_path) -> None:
    with pytest.raises(InvalidInput, match="No such file"):
        Cassette.load(tmp_path / "none.yaml")
    path = tmp_path / "calls.yaml.gz"
    for content in (b"interactions: []", gzip.compress(b"interactions: []")[:-5]):
        path.write_bytes(content)
        with pytest.raises(InvalidInput, match="cannot be read"):
            Cassette.load(path)
