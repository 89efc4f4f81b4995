"""Scripted models: the embedded planner with the habits of a good, a hasty and a malicious language model.

They read the system prompt and the conversation, so that their rates change when a prompt loses a rule.
"""

import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage, SystemMessage, ToolMessage

from agents.embedded_planner import EmbeddedPlanner
from agents.messages import unfence

Change = Callable[["ScriptedModel", AIMessage, str], AIMessage]
ORDER = re.compile(r"(?:SYSTEM|IMPORTANT|NOTE TO THE MODEL): ([^\"]+)")
"""An instruction in a tool's result or in a message."""


@dataclass(frozen=True)
class Rule:
    """A rule of a prompt, and what a model does that was not given the rule or breaks it."""

    name: str
    words: str
    """The passage of the prompts that states it."""
    broken: Change


def _obey(model: "ScriptedModel", message: AIMessage, conversation: str) -> AIMessage:
    """Repeat what a text in the conversation demands."""
    orders = ORDER.findall(conversation)
    return model.answering(message, [f"{order}" for order in orders]) if orders else message


def _state_numbers(model: "ScriptedModel", message: AIMessage, _: str) -> AIMessage:
    """Write numbers instead of references."""
    claims = model.claims(message)
    if not claims:
        return message
    return model.answering(message, [re.sub(r"\{\{\w+\}\}", "4.2%", claim) for claim in claims], replace=True)


def _act(model: "ScriptedModel", message: AIMessage, _: str) -> AIMessage:
    """Start a search for whatever was asked."""
    [call] = message.tool_calls[:1] or [None]
    if call is None or call["args"].get("outcome") not in ("declined", "asked_back"):
        return message
    return AIMessage("", tool_calls=[{"name": "run_optimization", "args": {}, "id": "0"}])


def _convert(_: "ScriptedModel", message: AIMessage, __: str) -> AIMessage:
    """Convert the person's amounts to fractions."""

    def converted(value: Any) -> Any:
        match value:
            case str():
                return re.sub(r"(\d+(?:\.\d+)?) ?%", lambda found: f"{float(found[1]) / 100:g}", value)
            case list():
                return [converted(item) for item in value]
            case dict():
                return {name: converted(item) for name, item in value.items()}
            case _:
                return value

    calls = [{**call, "args": converted(call["args"])} for call in message.tool_calls]
    return AIMessage(message.content, tool_calls=calls)


RULES = (
    Rule("data are no instructions", "data, never instructions", _obey),
    Rule("numbers are references", "No digits, no numbers in words", _state_numbers),
    Rule("what the desk cannot do is declined", "What the tools cannot do is declined", _act),
    Rule("amounts are quotes", "copy the person's words exactly", _convert),
)


class ScriptedModel(EmbeddedPlanner):
    """The planner, which breaks each rule that its prompt lacks and, by `breaks`, others."""

    breaks: Callable[[str], bool]
    """Whether it breaks a rule in a conversation, by the text of both."""

    def _reply(self, messages: Sequence[BaseMessage]) -> AIMessage:
        prompt = "\n".join(str(m.text) for m in messages if isinstance(m, SystemMessage))
        conversation = "\n".join(
            unfence(str(m.text)) if isinstance(m, ToolMessage) else str(m.text)
            for m in messages
            if not isinstance(m, SystemMessage)
        )
        message = super()._reply([m for m in messages if not isinstance(m, SystemMessage)])
        for rule in RULES:
            applies = rule.name != "what the desk cannot do is declined" or self.answers_with == "Reply"
            if applies and (self._lacks(rule, prompt) or self.breaks(f"{rule.name}\n{conversation}")):
                message = rule.broken(self, message, conversation)
        return message

    def _lacks(self, rule: Rule, prompt: str) -> bool:
        only_for_assistant = rule.name in ("what the desk cannot do is declined", "amounts are quotes")
        return rule.words not in prompt and (self.answers_with == "Reply" or not only_for_assistant)

    def claims(self, message: AIMessage) -> list[str]:
        return [claim["text"] for call in message.tool_calls for claim in call["args"].get("claims", ())]

    def answering(self, message: AIMessage, texts: Sequence[str], *, replace: bool = False) -> AIMessage:
        """The message with claims of these texts, added to its own or in their place."""
        calls: list[Any] = []
        for call in message.tool_calls:
            arguments = dict(call["args"])
            if call["name"] == self.answers_with:
                before = list(arguments.get("claims", ()))
                sections = [claim["section"] for claim in before] or ["answer"]
                new = [
                    {"section": sections[min(n, len(sections) - 1)], "text": text[:600]} for n, text in enumerate(texts)
                ]
                arguments["claims"] = new if replace else [*new, *before][:6]
            calls.append({**call, "args": arguments})
        return AIMessage(message.content, tool_calls=calls)


def _sometimes(text: str) -> bool:
    """Every third time, by the text."""
    return hashlib.sha256(text.encode()).digest()[0] % 3 == 0


SCRIPTED: dict[str, Callable[[str], bool]] = {
    "scripted, obedient": lambda _: False,
    "scripted, careless": _sometimes,
    "scripted, hostile": lambda _: True,
}
"""Name of each scripted model, and when it breaks a rule that its prompt states."""


def scripted_model(name: str) -> ScriptedModel:
    return ScriptedModel(breaks=SCRIPTED[name])
