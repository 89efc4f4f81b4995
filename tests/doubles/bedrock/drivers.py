"""Drivers, which choose the double's reply to each call."""

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage, ToolMessage

from agents.embedded_planner import AGENT_OF_ANSWER, PLANNER, EmbeddedPlanner
from tests.doubles.bedrock.calls import Received
from tests.doubles.bedrock.replies import Call, Reply, Say, say
from tests.doubles.bedrock.wire import encode

Driver = Callable[[Received], Reply]
Fault = Callable[[Received], Reply | None]
"""A fault, or None to leave the call to the driver."""

INTRODUCTION = (
    f"This is the {PLANNER}: fixed rules, no language model. "
    "It answers only as one of the agents of Stratigos, with their tools."
)


def scripted(*replies: Reply) -> Driver:
    """One reply per call, in the order of arrival; further calls are an error of the test."""
    remaining = list(reversed(replies))
    lock = threading.Lock()

    def drive(received: Received) -> Reply:
        with lock:
            if not remaining:
                raise LookupError(f"call {received.number} came, and the script has {len(replies)} replies")
            return remaining.pop()

    return drive


def by_model(model: BaseChatModel) -> Driver:
    """A chat model answers."""

    def drive(received: Received) -> Reply:
        conversation = heard_of(received.body)
        if not received.tools:
            return reply_of(model.invoke(conversation))
        choice = received.body["toolConfig"].get("toolChoice", {})
        tool_choice = choice["tool"]["name"] if "tool" in choice else next(iter(choice), None)
        bound = model.bind_tools([_function(spec) for spec in received.tools], tool_choice=tool_choice)
        return reply_of(bound.invoke(conversation))

    return drive


def embedded() -> Driver:
    """The embedded planner answers the agents; other calls get a description of the double."""
    drive = by_model(EmbeddedPlanner())
    ours = AGENT_OF_ANSWER.keys()
    return lambda received: drive(received) if any(t["name"] in ours for t in received.tools) else say(INTRODUCTION)


def faulty(driver: Driver, *faults: Mapping[int, Reply] | Fault) -> Driver:
    """Calls with given numbers, or that match a rule, get a fault; the driver answers the others."""

    def drive(received: Received) -> Reply:
        for fault in faults:
            reply = fault.get(received.number) if isinstance(fault, Mapping) else fault(received)
            if reply is not None:
                return reply
        return driver(received)

    return drive


def dead(model: str, reply: Reply) -> Fault:
    """Every call to this model gets the fault."""
    return lambda received: reply if received.model == model else None


def at_first(times: int, reply: Reply, *, when: Callable[[Received], bool] = lambda _: True) -> Fault:
    """Each distinct request fails `times` times before the driver answers it."""
    counts = Counter[bytes]()
    lock = threading.Lock()

    def fault(received: Received) -> Reply | None:
        if not when(received):
            return None
        with lock:
            counts[received.digest] += 1
            return reply if counts[received.digest] <= times else None

    return fault


def heard_of(body: dict[str, Any]) -> list[BaseMessage]:
    """The conversation of a Converse request as LangChain messages."""
    system = _text(body.get("system", []))
    conversation: list[BaseMessage] = [SystemMessage(system)] if system else []
    names: dict[str, str] = {}
    for message in body.get("messages", []):
        content = message["content"]
        if message["role"] == "assistant":
            uses = [block["toolUse"] for block in content if "toolUse" in block]
            names |= {use["toolUseId"]: use["name"] for use in uses}
            calls = [{"name": use["name"], "args": use["input"], "id": use["toolUseId"]} for use in uses]
            conversation.append(AIMessage(_text(content), tool_calls=calls))
            continue
        conversation += [_result(block["toolResult"], names) for block in content if "toolResult" in block]
        if text := _text(content):
            conversation.append(HumanMessage(text))
    return conversation


def reply_of(message: AIMessage) -> Say:
    calls = [Call(call["name"], call["args"]) for call in message.tool_calls]
    calls += [Call(c["name"] or "", raw=(c["args"] or "",)) for c in message.invalid_tool_calls]
    return Say((message.text,) if message.text else (), tuple(calls))


def _result(result: dict[str, Any], names: Mapping[str, str]) -> ToolMessage:
    id_ = result["toolUseId"]
    text = _text(result["content"])
    return ToolMessage(text, tool_call_id=id_, name=names[id_], status=result.get("status", "success"))


def _text(blocks: Iterable[dict[str, Any]]) -> str:
    """The texts of blocks, including guarded ones and JSON."""
    texts: list[str] = []
    for block in blocks:
        if "text" in block:
            texts.append(block["text"])
        elif "json" in block:
            texts.append(encode(block["json"]).decode())
        elif "text" in block.get("guardContent", {}):
            texts.append(block["guardContent"]["text"]["text"])
    return "\n".join(texts)


def _function(spec: dict[str, Any]) -> dict[str, Any]:
    function = {"name": spec["name"], "description": spec.get("description", spec["name"])}
    return {"type": "function", "function": {**function, "parameters": spec["inputSchema"]["json"]}}
