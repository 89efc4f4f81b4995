"""The chat through the client that AG-UI publishes, with a network that is cut."""

import hashlib
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.api.http.application import application, run_server

FOLDER = Path(__file__).parent
CACHE = FOLDER.parents[2] / ".cache"
UNREACHABLE = ("ENOTFOUND", "EAI_AGAIN", "ECONNREFUSED", "ETIMEDOUT", "ENETUNREACH")


@pytest.fixture(scope="session")
def client() -> Path:
    """The client with its packages, which are fetched once for each lock file."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("node and npm are not on the path: nothing here executes the client of AG-UI")
    lock = (FOLDER / "package-lock.json").read_bytes()
    installed = CACHE / f"agui-{hashlib.sha256(lock).hexdigest()[:12]}"
    if not installed.exists():
        _install(installed)
    for script in FOLDER.glob("*.mjs"):
        shutil.copy(script, installed)
    return installed / "client.mjs"


def _install(folder: Path) -> None:
    making = folder.with_name(f"{folder.name}.{os.getpid()}")
    making.mkdir(parents=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copy(FOLDER / name, making)
    environment = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    process = subprocess.run(
        ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"],
        cwd=making,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    if process.returncode and any(word in process.stderr for word in UNREACHABLE):
        shutil.rmtree(making)
        pytest.skip("the packages of AG-UI's client are not here and npm's registry cannot be reached")
    assert process.returncode == 0, process.stderr
    making.rename(folder)


@pytest.fixture(scope="module")
def rounds(client: Path, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, dict[str, Any]]]:
    """What each of three clients ended with: after a search, a question that waits for a person, and its approval."""
    with run_server(application(tmp_path_factory.mktemp("home"))) as address:
        process = subprocess.run(
            ["node", str(client), address, "thread-1"], capture_output=True, text=True, check=False, timeout=240
        )
    assert process.returncode == 0, process.stderr
    output = json.loads(process.stdout)
    assert output["warnings"] == []
    return [{each["name"]: each for each in clients} for clients in output["rounds"]]


@pytest.mark.soak
def test_clients_that_reconnect_end_with_the_state_of_one_that_does_not(rounds) -> None:
    for clients in rounds:
        uncut = clients["uncut"]
        assert {name: each["cuts"] for name, each in clients.items()} == {"uncut": 0, "resuming": 2, "repeating": 2}
        for name in ("resuming", "repeating"):
            assert clients[name]["messages"] == uncut["messages"]
            assert clients[name]["state"] == uncut["state"]
            assert clients[name]["interrupts"] == uncut["interrupts"]
        assert clients["resuming"]["types"] == uncut["types"]


@pytest.mark.soak
def test_a_chat_has_tool_calls_steps_state_and_text(rounds) -> None:
    search = rounds[0]["uncut"]
    assert search["types"][0] == "RUN_STARTED"
    assert search["types"][-1] == "RUN_FINISHED"
    assert {
        "STEP_STARTED",
        "TOOL_CALL_START",
        "TOOL_CALL_RESULT",
        "SUBAGENT_STARTED",
        "STATE_DELTA",
        "TEXT_MESSAGE_CONTENT",
    } <= set(search["types"])
    assert search["result"] == {"turn": 1, "outcome": "answered"}
    state = search["state"]
    assert state["progress"]["share"] == 1.0
    assert [(run["progress"]["stage"], run["progress"]["done"]) for run in state["runs"].values()] == [("finished", 10)]
    assert state["figures"]
    assert state["exhibits"]
    user, *_, answer = search["messages"]
    assert user == {"id": "message-1", "role": "user", "content": "run a search with 10 trials, 100 paths, 1 year"}
    assert "verdict" in answer["content"]
    call_ids = [call["id"] for message in search["messages"] for call in message.get("toolCalls", ())]
    assert call_ids == list(dict.fromkeys(call_ids))
    assert {message["toolCallId"] for message in search["messages"] if message["role"] == "tool"} == set(call_ids)


@pytest.mark.soak
def test_an_approval_is_an_interrupt_that_can_be_resumed(rounds) -> None:
    waiting, approved = rounds[1]["uncut"], rounds[2]["uncut"]
    (interrupt,) = waiting["interrupts"]
    assert interrupt["reason"] == "approval"
    assert interrupt["metadata"]["subject"] == "holdout"
    assert waiting["state"]["waiting"]["run"] == interrupt["metadata"]["run"]
    assert approved["interrupts"] == []
    assert approved["state"]["waiting"] is None
    assert approved["result"]["outcome"] == "answered"
    assert len(approved["messages"]) > len(waiting["messages"])
