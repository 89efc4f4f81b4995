"""No key, token or account number reaches the file of a cassette."""

import json
from pathlib import Path
from typing import Any

import pytest
from botocore.eventstream import EventStreamBuffer
from hypothesis import given
from hypothesis import strategies as st

from agents.recording.cassette import Cassette, Interaction
from agents.recording.player import Player
from agents.recording.recorder import Recorder
from agents.recording.scrubbing import scrub_body, scrub_uri
from tests.doubles.bedrock.fixed_responses import (
    MODEL,
    STREAM,
    Reply,
    answer_body,
    ask,
    client,
    endpoint,
    frame,
    streamed,
    text_of,
)

KEY = "AKIAQWERTYUIOPASDFGH"
TEMPORARY = "ASIAZXCVBNMASDFGHJKL"
TOKEN = "Bearer eyJhbGciOiJIUzI1NiJ9.e30.c2lnbmF0dXJl"
SHORT_TERM = "bedrock-api-key-YmVkcm9jay5hbWF6b25hd3MuY29tLw=="
LONG_TERM = "ABSKQmVkcm9ja0FQSUtleS1leGFtcGxl"
ACCOUNT = "998877665544"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/desk"
PLANTED = [KEY, TEMPORARY, TOKEN, SHORT_TERM, LONG_TERM, ROLE]
SECRET = [KEY, TEMPORARY, TOKEN.split()[1], SHORT_TERM[16:], LONG_TERM[4:], ACCOUNT]
PROFILE = f"arn:aws:bedrock:eu-central-1:{ACCOUNT}:application-inference-profile/abc"


def contents(cassette: Cassette) -> str:
    """The whole content, with base64 of YAML and frames of streams decoded."""
    parts: list[Any] = [cassette.metadata]
    for each in cassette.interactions:
        parts += [each.uri, each.path, each.headers, each.body, json.loads(each.body or b"{}"), each.answer]
        if each.headers.get("Content-Type") != STREAM:
            parts.append(json.loads(each.answer or b"{}"))
    return "".join(map(str, parts))


def record(reply: Reply, folder: Path, *, stream: bool = False, question: str = "go") -> Cassette:
    with endpoint(lambda request: reply) as url:
        recorder, live = Recorder({"arguments": ["--token", TOKEN], "role": ROLE}), client(url)
        recorder.attach(live)
        live.meta.events.register("request-created", lambda request, **_: request.headers.add_header("X-Key", KEY))
        request = ask(question) | {"modelId": PROFILE}
        if stream:
            list(live.converse_stream(**request)["stream"])
        else:
            live.converse(**request)
    path = folder / "calls.yaml"
    recorder.cassette().save(path)
    text = path.read_text()
    assert not [secret for secret in (*SECRET, "session-token-of-a-test", "AKIAIOSFODNN7EXAMPLE") if secret in text]
    return Cassette.load(path)


def hidden(cassette: Cassette) -> bool:
    everything = contents(cassette)
    return not [secret for secret in SECRET if secret in everything]


def test_no_secret_of_a_call_is_stored(tmp_path) -> None:
    text = " and ".join(PLANTED)
    headers = {"Content-Type": "application/json", "X-Echo": KEY, "x-amzn-errortype": f"none {KEY}"}
    cassette = record(Reply(answer_body(text), headers=headers), tmp_path, question=text)
    assert hidden(cassette)
    [only] = cassette.interactions
    assert set(only.headers) == {"Content-Type", "x-amzn-ErrorType"}
    assert only.path == f"/model/{PROFILE.replace(ACCOUNT, '0' * 12)}/converse"
    assert only.uri.startswith("https://bedrock-runtime.us-east-1.amazonaws.com/model/arn%3Aaws%3Abedrock")


def test_no_secret_of_a_stream_is_stored_and_the_stream_stays_readable(tmp_path) -> None:
    body = streamed("first ", *(f"{each} " for each in PLANTED)) + frame(
        "x", {}, **{":error-message": f"{ROLE} may not", KEY: "x"}
    )
    cassette = record(Reply(body, headers={"Content-Type": STREAM}), tmp_path, stream=True)
    assert hidden(cassette)
    player, bedrock = Player(cassette), client()
    player.attach(bedrock)
    events = list(bedrock.converse_stream(**ask("go") | {"modelId": PROFILE})["stream"])
    texts = [event["contentBlockDelta"]["delta"]["text"] for event in events if "contentBlockDelta" in event]
    assert texts[0] == "first "
    assert texts[1] == "AKIA**************** "
    assert texts[-1] == "arn:aws:iam::000000000000:role/desk "
    assert len(events) == 4 + len(PLANTED) + 1


@pytest.mark.parametrize("secret", PLANTED)
@pytest.mark.parametrize("size", [1, 3, 7])
def test_a_secret_in_several_pieces_is_masked(secret: str, size: int) -> None:
    pieces = [secret[at : at + size] for at in range(0, len(secret), size)]
    texts = [frame("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": piece}}) for piece in pieces]
    inputs = [
        frame("contentBlockDelta", {"contentBlockIndex": 1, "delta": {"toolUse": {"input": piece}}}) for piece in pieces
    ]
    mixed = [each for pair in zip(texts, inputs, strict=True) for each in pair]
    deltas = [json.loads(message.payload)["delta"] for message in read(scrub_body(b"".join(mixed)))]
    whole = "".join(delta.get("text", "") for delta in deltas)
    assert whole == "".join(delta["toolUse"]["input"] for delta in deltas if "toolUse" in delta)
    assert len(whole) == len(secret)
    assert not [each for each in SECRET if each in whole]


def test_an_escaped_key_is_found() -> None:
    escaped = "".join(f"\\u{ord(character):04x}" for character in KEY)
    assert json.loads(scrub_body(f'{{"{escaped}": ["{escaped}"]}}'.encode())) == {
        "AKIA" + "*" * 16: ["AKIA" + "*" * 16]
    }


def test_a_key_in_text_that_is_not_json_is_found() -> None:
    assert scrub_body(b"\xff key=" + KEY.encode()) == b"\xff key=AKIA****************"


def test_the_undecodable_end_of_a_stream_keeps_its_length_without_its_content() -> None:
    whole, last = streamed("one"), frame("contentBlockDelta", {"delta": {"text": TOKEN}})
    for end in (last[:-10], last[:-1] + b"?", last[:5]):
        clean = scrub_body(whole + end)
        assert len(clean) == len(whole + end)
        assert clean.startswith(whole + end[:12])
        assert b"eyJ" not in clean


@pytest.mark.parametrize(
    "text",
    [
        "Bearer bonds and bearer shares; the bearer certificates.",
        "The bearer of bad news",
        "An account of 123456789012 dollars, arn:aws:s3:::bucket, AKIA and ABSK",
        "é 🙂 \u2028 \x85",
    ],
)
def test_text_without_a_secret_is_unchanged(text: str) -> None:
    for body in (
        answer_body(text),
        json.dumps({"b": text, "a": 1.0}, ensure_ascii=False).encode(),
        streamed(text, f" {text}"),
    ):
        assert scrub_body(body) == body


@pytest.mark.parametrize(
    ("path", "clean"),
    [
        ("/model/123456789012/converse", "/model/000000000000/converse"),
        ("/model/1234567890123/converse", "/model/1234567890123/converse"),
        ("/model/a%20123456789012%3A0/converse?X-Amz-Credential=AKIA#x", "/model/a%20000000000000%3A0/converse"),
        ("/model/us.vendor.model-20250101-v1%3A0/converse", "/model/us.vendor.model-20250101-v1%3A0/converse"),
    ],
)
def test_a_whole_number_of_twelve_digits_in_a_path_is_an_account(path: str, clean: str) -> None:
    scrubbed = scrub_uri(f"https://user:pass@localhost:8080{path}")
    assert scrubbed == f"https://bedrock-runtime.us-east-1.amazonaws.com{clean}"


def test_requests_of_two_accounts_are_equal() -> None:
    def answer(request: dict[str, Any]) -> Reply:
        return Reply(answer_body(text_of(request)))

    mine, theirs = "arn:aws:iam::111111111111:role/a with", "arn:aws:iam::222222222222:role/a with"
    with endpoint(answer) as url:
        recorder, live = Recorder({}), client(url)
        recorder.attach(live)
        live.converse(**ask(f"{mine} {KEY}"))
    player, bedrock = Player(recorder.cassette()), client()
    player.attach(bedrock)
    bedrock.converse(**ask(f"{theirs} AKIAAAAABBBBCCCCDDDD"))
    assert (player.replayed_calls, player.misses) == (1, [])


@given(st.binary(max_size=300))
def test_scrubbing_twice_is_scrubbing_once(noise: bytes) -> None:
    for body in (noise, streamed("one", TOKEN) + noise, json.dumps({"a": noise.decode("latin-1") + KEY}).encode()):
        once = scrub_body(body)
        assert scrub_body(once) == once
        assert KEY.encode() not in once


@given(st.binary(max_size=200), st.binary(max_size=200), st.integers(100, 599), st.booleans())
def test_any_bodies_survive_the_file(tmp_path_factory, body: bytes, answer: bytes, status: int, cut: bool) -> None:
    path = tmp_path_factory.mktemp("any") / "calls.yaml"
    uri = f"https://localhost/model/{MODEL}/converse"
    cassette = Cassette(
        [Interaction.scrubbed("POST", uri, body, status, [], answer, truncated=cut)], {"a": [1, None, "é"]}
    )
    cassette.save(path)
    again = Cassette.load(path)
    assert (again.interactions, again.metadata) == (cassette.interactions, cassette.metadata)


def read(stream: bytes) -> list[Any]:
    buffer = EventStreamBuffer()
    buffer.add_data(stream)
    return list(buffer)
