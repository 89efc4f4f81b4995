"""Calls of boto3 to a loopback server are recorded, and replayed without a socket."""

import json
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError, EventStreamError, HTTPClientError
from urllib3.exceptions import ProtocolError

from agents.recording.cassette import Cassette
from agents.recording.player import CassetteMiss, Player
from agents.recording.recorder import IncompleteRecording, Recorder
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


def echo(request: dict[str, Any]) -> Reply:
    return Reply(answer_body(f"You said {text_of(request)}."))


def stream_of(body: bytes | Iterable[bytes], *, cut: bool = False):
    return lambda request: Reply(body, headers={"Content-Type": STREAM}, cut=cut)


def save_and_load(recorder: Recorder, folder: Path) -> Cassette:
    path = folder / "calls.yaml"
    recorder.cassette().save(path)
    return Cassette.load(path)


def replay(cassette: Cassette, **config: Any) -> tuple[Any, Player]:
    player, replaying = Player(cassette), client(**config)
    player.attach(replaying)
    return replaying, player


def without_headers(response: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in response.items() if name != "ResponseMetadata"}


def until_it_breaks(stream: Iterable[Any]) -> Iterator[Any]:
    with pytest.raises(ProtocolError):
        yield from stream


def test_a_recorded_answer_is_replayed_unchanged(tmp_path) -> None:
    with endpoint(echo) as url:
        recorder, live = Recorder({"made": "by a test"}), client(url)
        recorder.attach(live)
        answers = [live.converse(**ask(text)) for text in ("é", "two", "two")]
    replaying, player = replay(save_and_load(recorder, tmp_path), region="ap-southeast-2")
    replayed = [replaying.converse(**ask(text)) for text in ("two", "é", "two")]
    assert [json.dumps(without_headers(a)) for a in replayed] == [
        json.dumps(without_headers(answers[i])) for i in (1, 0, 2)
    ]
    assert (player.replayed_calls, player.unplayed, player.misses) == (3, [], [])
    assert player.cassette.metadata == {"made": "by a test"}


def test_a_stream_stays_a_stream_while_it_is_recorded(tmp_path) -> None:
    body = streamed(*(f"piece {number} " for number in range(200)))
    with endpoint(stream_of(body)) as url:
        recorder, live = Recorder({}), client(url)
        recorder.attach(live)
        events = list(live.converse_stream(**ask("go"))["stream"])
    cassette = save_and_load(recorder, tmp_path)
    assert cassette.interactions[0].answer == body
    replaying, _ = replay(cassette)
    stream = replaying.converse_stream(**ask("go"))["stream"]
    assert list(stream) == events
    stream.close()


def test_the_caller_sees_the_first_event_before_the_last_was_sent() -> None:
    first_event_read = threading.Event()

    def body() -> Iterator[bytes]:
        yield frame("messageStart", {"role": "assistant"})
        yield frame("messageStop", {"stopReason": "end_turn"}) if first_event_read.wait(5) else b"?"

    with endpoint(stream_of(body())) as url:
        recorder, live = Recorder({}), client(url)
        recorder.attach(live)
        stream = iter(live.converse_stream(**ask("go"))["stream"])
        assert next(stream) == {"messageStart": {"role": "assistant"}}
        first_event_read.set()
        assert list(stream) == [{"messageStop": {"stopReason": "end_turn"}}]


def test_a_truncated_stream_is_replayed_with_the_same_truncation(tmp_path) -> None:
    body = streamed("one ", "two ")[:-100]
    with endpoint(stream_of([body[:50], body[50:]], cut=True)) as url:
        recorder, live = Recorder({}), client(url)
        recorder.attach(live)
        live_events = list(until_it_breaks(live.converse_stream(**ask("go"))["stream"]))
    replaying, _ = replay(save_and_load(recorder, tmp_path))
    assert list(until_it_breaks(replaying.converse_stream(**ask("go"))["stream"])) == live_events
    assert len(live_events) == 5


def test_an_abandoned_stream_makes_the_recording_incomplete() -> None:
    with endpoint(stream_of(streamed("one"))) as url:
        recorder, live = Recorder({}), client(url)
        recorder.attach(live)
        live.converse_stream(**ask("go"))["stream"].close()
    assert recorder.unanswered == 1
    with pytest.raises(IncompleteRecording, match="1 of 1 calls have no complete response"):
        recorder.cassette()


def test_http_errors_and_errors_in_a_stream_are_replayed(tmp_path) -> None:
    refusal = {"Content-Type": "application/json", "X-Amzn-ErrorType": "ThrottlingException:http://internal/"}
    interrupted = streamed("one") + frame("throttlingException", {"message": "slow down"}, "exception")
    replies = iter([Reply(b'{"message":"too many"}', 429, refusal), stream_of(interrupted)({})])

    def errors(bedrock: Any) -> list[str]:
        with pytest.raises(ClientError) as first:
            bedrock.converse(**ask("go"))
        with pytest.raises(EventStreamError) as second:
            list(bedrock.converse_stream(**ask("go"))["stream"])
        return [str(first.value), str(second.value), first.value.response["Error"]["Code"]]

    with endpoint(lambda request: next(replies)) as url:
        recorder, live = Recorder({}), client(url)
        recorder.attach(live)
        live_events = errors(live)
    assert live_events[2] == "ThrottlingException"
    assert errors(replay(save_and_load(recorder, tmp_path))[0]) == live_events


def test_every_attempt_of_botocore_is_recorded_as_a_call(tmp_path) -> None:
    refusal = {"Content-Type": "application/json", "x-amzn-errortype": "ServiceUnavailableException"}
    replies = iter([Reply(b"{}", 503, refusal), Reply(answer_body("at last"))])
    retries: dict[str, Any] = {"retries": {"total_max_attempts": 2, "mode": "standard"}}
    with endpoint(lambda request: next(replies)) as url:
        recorder, live = Recorder({}), client(url, **retries)
        recorder.attach(live)
        live.converse(**ask("go"))
    replaying, player = replay(save_and_load(recorder, tmp_path), **retries)
    assert replaying.converse(**ask("go"))["ResponseMetadata"]["RetryAttempts"] == 1
    assert player.unplayed == []


def test_a_failed_connection_makes_the_recording_incomplete() -> None:
    replies = iter([Reply(answer_body("well")), None])
    with endpoint(lambda request: next(replies)) as url:
        recorder, live = Recorder({}), client(url)
        recorder.attach(live)
        live.converse(**ask("one"))
        with pytest.raises(HTTPClientError):
            live.converse(**ask("two"))
    assert recorder.unanswered == 1
    with pytest.raises(IncompleteRecording, match=r"1 of 2 calls have no complete response.*record again"):
        recorder.cassette()


@pytest.mark.parametrize("attempt", range(3))
def test_sixteen_parallel_calls_are_all_recorded_and_replayed(attempt: int, tmp_path) -> None:
    together = threading.Barrier(16)

    def answer(request: dict[str, Any]) -> Reply:
        together.wait(20)
        return echo(request)

    def converse(bedrock: Any) -> list[str]:
        def one(number: int) -> str:
            tags = {"requestMetadata": {"call": f"{number:02}"}}
            answer = bedrock.converse(**ask(f"number {number}", **tags))
            return answer["output"]["message"]["content"][0]["text"]

        with ThreadPoolExecutor(16) as threads:
            return list(threads.map(one, range(16)))

    with endpoint(answer) as url:
        recorder, live = Recorder({}), client(url)
        recorder.attach(live)
        answers = converse(live)
    assert answers == [f"You said number {number}." for number in range(16)]
    cassette = save_and_load(recorder, tmp_path)
    tags = [json.loads(each.body)["requestMetadata"]["call"] for each in cassette.interactions]
    assert tags == sorted(tags)
    replaying, player = replay(cassette)
    assert converse(replaying) == answers
    assert (player.replayed_calls, player.unplayed) == (16, [])


def test_threads_share_equal_answers_and_each_is_replayed_once() -> None:
    with endpoint(echo) as url:
        recorder, live = Recorder({}), client(url)
        recorder.attach(live)
        for _ in range(48):
            live.converse(**ask("same"))
    replaying, player = replay(recorder.cassette())
    with ThreadPoolExecutor(16) as threads:
        list(threads.map(lambda _: replaying.converse(**ask("same")), range(48)))
    assert player.replayed_calls == 48
    with pytest.raises(CassetteMiss, match=r"all 48 equal requests were played already \(number 1, 2, "):
        replaying.converse(**ask("same"))


@pytest.mark.parametrize("name", ["calls.yaml", "calls.yaml.gz"])
def test_equal_recordings_are_equal_files_and_nothing_else_is_left(name, tmp_path) -> None:
    for folder in ("one", "two"):
        with endpoint(echo) as url:
            recorder, live = Recorder({"seed": 1, "arguments": ["a"]}), client(url)
            recorder.attach(live)
            live.converse(**ask("go"))
        recorder.cassette().save(tmp_path / folder / name)
    assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    assert [path.name for path in (tmp_path / "one").iterdir()] == [name]
    assert len(Cassette.load(tmp_path / "one" / name).interactions) == 1


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"retries": {"total_max_attempts": 3, "mode": "legacy"}},
        {"retries": {"total_max_attempts": 3, "mode": "standard"}},
        {"retries": {"total_max_attempts": 3, "mode": "adaptive"}},
    ],
)
def test_a_miss_reaches_the_caller_unwrapped_and_is_listed(config) -> None:
    replaying, player = replay(Cassette([]), **config)
    with pytest.raises(CassetteMiss, match=r"POST /model/vendor.model-v1:0/converse: it is empty"):
        replaying.converse(**ask("go"))
    with pytest.raises(CassetteMiss, match="converse-stream"):
        replaying.converse_stream(**ask("go"))
    assert len(player.misses) == 2


def test_a_miss_shows_the_nearest_request_and_the_difference() -> None:
    long = "a" * 3000
    with endpoint(echo) as url:
        recorder, live = Recorder({}), client(url)
        recorder.attach(live)
        for text in ("weather in Rome", "price of gold\nin euros\n" + long, "unrelated"):
            live.converse(**ask(text))
    replaying, player = replay(recorder.cassette())
    with pytest.raises(CassetteMiss) as caught:
        replaying.converse(**ask("price of gold\nin dollars\n" + long))
    message = str(caught.value)
    assert "none of the 3 requests recorded there has this body" in message
    assert f"Nearest is number 2, POST /model/{MODEL}/converse" in message
    assert "-in euros" in message
    assert "+in dollars" in message
    assert max(map(len, message.splitlines())) <= 160
    assert player.replayed_calls == 0
    assert [line.split(" ")[0] for line in player.unplayed] == ["1:", "2:", "3:"]


def test_a_miss_on_another_path_shows_the_nearest_path() -> None:
    with endpoint(echo) as url:
        recorder, live = Recorder({}), client(url)
        recorder.attach(live)
        for model in ("other", MODEL):
            live.converse(**ask("go") | {"modelId": model})
    replaying, _ = replay(recorder.cassette())
    nearest = (
        f"no request was recorded there.\\nNearest is number 2, POST /model/{MODEL}/converse:\\n.*bodies are equal"
    )
    with pytest.raises(CassetteMiss, match=nearest):
        replaying.converse_stream(**ask("go"))


def test_a_long_difference_is_truncated() -> None:
    with endpoint(echo) as url:
        recorder, live = Recorder({}), client(url)
        recorder.attach(live)
        live.converse(**ask("\n".join(f"old {i}" for i in range(300))))
    replaying, _ = replay(recorder.cassette())
    with pytest.raises(CassetteMiss, match=r"\(\d+ more lines\)$") as caught:
        replaying.converse(**ask("\n".join(f"new {i}" for i in range(300))))
    assert len(str(caught.value).splitlines()) < 50


def test_only_attached_clients_are_answered() -> None:
    player = Player(Cassette([]))
    player.attach(client())
    with endpoint(echo) as url:
        assert client(url).converse(**ask("go"))["stopReason"] == "end_turn"
    assert player.misses == []
