"""A new row of a table leaves recorded requests usable; any other change of a request does not."""

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest

from agents.recording.cassette import Cassette, Interaction
from agents.recording.matching import matches
from agents.recording.mismatch import explain_mismatch

Body = dict[str, Any]

PROMPT = "You are the optimizer. Choose among inverse_vol, sigmoid or constant.\nGive a reason."
SCHEMA = {
    "type": "object",
    "properties": {
        "weight_function": {"type": "string", "enum": ["inverse_vol", "sigmoid", "constant"]},
        "rebalancing": {"type": "string", "enum": ["daily", "monthly"], "description": "daily or monthly"},
        "steps": {"type": "array", "items": {"anyOf": [{"enum": ["inverse_vol", "sigmoid"]}, {"type": "null"}]}},
        "enum": {"type": "number", "maximum": 3},
    },
    "required": ["weight_function"],
}
TOOL = {"name": "SearchPlan", "description": "Takes inverse_vol, sigmoid or constant.", "inputSchema": {"json": SCHEMA}}
BODY: Body = {
    "system": [{"text": PROMPT}, {"cachePoint": {"type": "default"}}],
    "messages": [{"role": "user", "content": [{"text": "Plan with inverse_vol or sigmoid."}]}],
    "inferenceConfig": {"maxTokens": 4096},
    "toolConfig": {"tools": [{"toolSpec": TOOL}, {"cachePoint": {"type": "default"}}], "toolChoice": {"any": {}}},
    "requestMetadata": {"agent": "optimizer"},
}


def interaction(body: Body, path: str = "/model/a/converse") -> Interaction:
    return Interaction("POST", f"https://bedrock{path}", json.dumps(body).encode(), 200, {}, b"{}")


def changed(change: Callable[[Body], Any]) -> Body:
    body = copy.deepcopy(BODY)
    change(body)
    return body


def tool(body: Body) -> Body:
    return body["toolConfig"]["tools"][0]["toolSpec"]


def properties(body: Body) -> Body:
    return tool(body)["inputSchema"]["json"]["properties"]


def add_row(body: Body) -> None:
    """What a new weight function changes: enums, and lists in a description and in the prompt."""
    properties(body)["weight_function"]["enum"].insert(1, "exponential_decay")
    properties(body)["steps"]["items"]["anyOf"][0]["enum"].append("exponential_decay")
    tool(body)["description"] = "Takes inverse_vol, exponential_decay, sigmoid or constant."
    body["system"][0]["text"] = PROMPT.replace("sigmoid or constant", "sigmoid, constant or exponential_decay")


def replaced(text: str, other: str) -> Callable[[Body], Any]:
    """A new row, and another change of the prompt."""

    def change(body: Body) -> None:
        add_row(body)
        assert text in body["system"][0]["text"]
        body["system"][0]["text"] = body["system"][0]["text"].replace(text, other)

    return change


SAME: dict[str, Callable[[Body], Any]] = {
    "nothing": lambda body: None,
    "a row in enums, a description and the prompt": add_row,
    "a value of one enum": lambda body: properties(body)["rebalancing"]["enum"].append("weekly"),
    "a value of an enum and its name beside it": lambda body: properties(body)["rebalancing"].update(
        enum=["daily", "weekly", "monthly"], description="daily, weekly or monthly"
    ),
    "the order of an enum": lambda body: properties(body)["rebalancing"]["enum"].reverse(),
}
DIFFERENT: dict[str, Callable[[Body], Any]] = {
    "a value of an enum is missing": lambda body: properties(body)["rebalancing"]["enum"].pop(),
    "a value of an enum is renamed": lambda body: properties(body)["rebalancing"].update(enum=["daily", "weekly"]),
    "an enum is removed": lambda body: properties(body)["rebalancing"].pop("enum"),
    "a property is added": lambda body: properties(body).update(slope={"type": "number"}),
    "a bound is changed": lambda body: properties(body)["enum"].update(maximum=4),
    "a required property": lambda body: tool(body)["inputSchema"]["json"]["required"].append("rebalancing"),
    "a description without a new row": lambda body: tool(body).update(description="Takes inverse_vol or sigmoid."),
    "a name in a list without a new row": lambda body: body["system"][0].update(
        text=PROMPT.replace("sigmoid or", "sigmoid, exponential_decay or")
    ),
    "a new row, and a word of the prompt": replaced("Choose among", "Never choose among"),
    "a new row, and a name less in the prompt": replaced("inverse_vol, ", ""),
    "a new row, and a sentence about it": replaced("Give a reason.", "Prefer exponential_decay."),
    "a new row, and a line less": replaced("\nGive a reason.", ""),
    "a prompt": lambda body: body["system"][0].update(text=PROMPT + " Be brief."),
    "a message": lambda body: body["messages"][0]["content"][0].update(text="Plan with inverse_vol."),
    "a message that names the new row": lambda body: (
        add_row(body),
        body["messages"][0]["content"][0].update(text="Plan with inverse_vol, sigmoid or exponential_decay."),
    ),
    "a tool more": lambda body: body["toolConfig"]["tools"].append({"toolSpec": {**TOOL, "name": "launch"}}),
    "the choice of the tool": lambda body: body["toolConfig"].update(toolChoice={"auto": {}}),
    "a cache point less": lambda body: body["toolConfig"]["tools"].pop(),
    "the longest answer": lambda body: body["inferenceConfig"].update(maxTokens=1),
    "the agent": lambda body: body["requestMetadata"].update(agent="explainer"),
}


@pytest.mark.parametrize("case", SAME)
def test_a_recording_answers_a_request_with(case: str) -> None:
    assert matches(interaction(BODY), interaction(changed(SAME[case])))


@pytest.mark.parametrize("case", DIFFERENT)
def test_a_recording_does_not_answer_a_request_with(case: str) -> None:
    assert not matches(interaction(BODY), interaction(changed(DIFFERENT[case])))


def test_a_row_that_was_removed_is_a_difference() -> None:
    assert not matches(interaction(changed(add_row)), interaction(BODY))


def test_another_model_does_not_answer() -> None:
    assert not matches(interaction(BODY), interaction(BODY, "/model/b/converse"))


def test_a_changed_prompt_shows_the_agent_and_the_sentence_alone() -> None:
    cassette = Cassette([interaction(changed(DIFFERENT["the agent"])), interaction(BODY)])
    message = explain_mismatch(interaction(changed(replaced("Give a reason.", "Give two reasons."))), cassette)
    assert message.splitlines() == [
        "The prompt of the optimizer has changed:",
        "- Give a reason.",
        "+ Give two reasons.",
    ]


def test_a_changed_tool_shows_its_lines_and_no_other_part() -> None:
    message = explain_mismatch(interaction(changed(DIFFERENT["a bound is changed"])), Cassette([interaction(BODY)]))
    assert "tool SearchPlan:" in message
    assert '-    "maximum": 3' in message.replace("     ", "    ")
    assert not [part for part in ("prompt", "messages", "You are the optimizer") if part in message]
