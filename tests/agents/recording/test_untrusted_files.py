"""Cassettes that others send: bombs, damaged responses, and secrets that are reported."""

import gzip
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from agents.recording.cassette import Cassette
from api.recording.recorded_runs import label_of
from desk.base.errors import InvalidInput
from tests.cassette_playback import CASSETTES
from tests.doubles.bedrock.fixed_responses import answer_body, streamed

URI = "https://bedrock-runtime.us-east-1.amazonaws.com/model/m/converse"
KEY = "AKIAQWERTYUIOPASDFGH"

LAUGHS = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 10)
)
BOMBS = {
    "lists": f"{LAUGHS}interactions: *a9\n",
    "headers": f"{LAUGHS}interactions:\n- request: {{method: POST, uri: x, headers: {{A: *a9}}}}\n",
    "merged": "m0: &m0 {a: 1}\n"
    + "".join(f"m{n}: &m{n} {{<<: [{', '.join([f'*m{n - 1}'] * 9)}], b{n}: 1}}\n" for n in range(1, 10))
    + "interactions: []\n",
    "a cycle": "interactions: &a [*a]\n",
}


def call(body: Any = b"{}", answer: Any = b"{}", **headers: str) -> dict[str, Any]:
    request = {"method": "POST", "uri": URI, "body": body, "headers": {k: [v] for k, v in headers.items()}}
    response = {"status": {"code": 200, "message": "OK"}, "headers": {}, "body": {"string": answer}}
    return {"request": request, "response": response}


def load(folder: Path, text: str) -> Cassette:
    path = folder / "tape.yaml"
    path.write_text(text)
    return Cassette.load(path)


@pytest.mark.parametrize("case", BOMBS)
def test_a_file_whose_aliases_explode_is_refused_at_once(case: str, tmp_path: Path) -> None:
    start = time.process_time()
    with pytest.raises(InvalidInput, match=r"cannot be read: (its aliases repeat|the alias \*a stands for)"):
        load(tmp_path, BOMBS[case])
    assert time.process_time() - start < 1.0


def test_a_file_that_unpacks_beyond_the_limit_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "tape.yaml.gz"
    with gzip.open(path, "wb", compresslevel=1) as file:
        for _ in range(501):
            file.write(bytes(1_000_000))
    with pytest.raises(InvalidInput, match="unpacks to more than 500,000,000 bytes"):
        Cassette.load(path)


def test_aliases_of_an_honest_file_are_read(tmp_path: Path) -> None:
    same = call(answer=answer_body("Fine."))
    text = yaml.safe_dump({"interactions": [same, same], "version": 1})
    assert "*id001" in text
    assert len(load(tmp_path, text).interactions) == 2


WHOLE = streamed("So ", "it ", "is.")


@pytest.mark.parametrize(
    ("answer", "damaged"),
    [
        (answer_body("Fine."), []),
        (answer_body("Fine.")[:-3], [2]),
        (b"<html>", [2]),
        (WHOLE, []),
        (WHOLE[:-5], [2]),
        (WHOLE[:40] + b"\0" + WHOLE[41:], [2]),
    ],
)
def test_a_damaged_response_is_named(answer: bytes, damaged: list[int], tmp_path: Path) -> None:
    recorded = yaml.safe_load((CASSETTES / "expired.yaml").read_text())
    recorded["interactions"][1]["response"] = call(answer=answer)["response"]
    cassette = load(tmp_path, yaml.safe_dump(recorded))
    assert cassette.damaged == damaged
    if damaged:
        with pytest.raises(InvalidInput, match=r"is damaged: the response of call 2 is not whole"):
            label_of(cassette, tmp_path / "tape.yaml")


def test_secrets_in_headers_and_bodies_are_reported_and_masked(tmp_path: Path) -> None:
    calls = [
        call(Authorization="AWS4-HMAC-SHA256 Credential=x"),
        call(**{"X-Amz-Security-Token": "IQoJb3JpZ2luX2VjEXAMPLE"}),
        call(body=f'{{"key": "{KEY}"}}'.encode()),
        call(answer=f'{{"key": "{KEY}"}}'.encode()),
        call(Authorization="REDACTED", Accept="application/json", Cookie="****"),
    ]
    cassette = load(tmp_path, yaml.safe_dump({"interactions": calls}))
    assert cassette.secrets == (
        "header Authorization of request 1",
        "header X-Amz-Security-Token of request 2",
        "body of request 3",
        "body of response 4",
    )
    assert KEY not in str([(each.body, each.answer) for each in cassette.interactions])


def test_our_own_recordings_hold_no_secret() -> None:
    cassette = Cassette.load(CASSETTES / "expired.yaml")
    assert (cassette.secrets, cassette.damaged) == ((), [])
