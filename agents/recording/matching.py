"""Decides whether a recorded request answers another one of the same conversation.

Requests are equal, apart from what a new row of a table adds: a value of an `enum` in the schema of a tool, and its
name in a list of such values in a tool's description or a prompt. Every other difference is a different request.
"""

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

from agents.recording.cassette import Interaction, canonical

_SEPARATOR = r"[`'\"]?(?:\s*,\s*(?:and|or)\s+|\s*,\s*|\s+(?:and|or)\s+|\s*\|\s*)[`'\"]?"


def conversation_key(interaction: Interaction) -> tuple[str, str, str]:
    """Method, path and body without tools and prompt, which `matches` compares."""
    body = parsed(interaction)
    rest = {name: value for name, value in body.items() if name not in ("toolConfig", "system")}
    return interaction.method, interaction.path, canonical(json.dumps(rest).encode()) if body else interaction.canonical


def matches(recorded: Interaction, requested: Interaction) -> bool:
    """Whether the response to `recorded` answers `requested`."""
    if conversation_key(recorded) != conversation_key(requested):
        return False
    if recorded.canonical == requested.canonical:
        return True
    return not differing_parts(parsed(recorded), parsed(requested))


def differing_parts(recorded: dict[str, Any], requested: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    """The parts of two Converse bodies that differ by more than rows of tables: tools, `prompt` and other fields."""
    tools, recorded_tools = _tools(requested), _tools(recorded)
    added: set[str] = set()
    narrowed = {
        name: _without_additions(recorded_tools[name], tool, added) if name in recorded_tools else tool
        for name, tool in tools.items()
    }
    names = {value for tool in tools.values() for value in _enum_values(tool)}
    if added:
        listed = _Lists(names, added)
        narrowed = {name: listed.without_additions(recorded_tools.get(name), tool) for name, tool in narrowed.items()}
        prompt = listed.without_additions(recorded.get("system"), requested.get("system"))
    else:
        prompt = requested.get("system")
    parts = {f"tool {name}": (recorded_tools.get(name), narrowed.get(name)) for name in {**recorded_tools, **tools}}
    parts["prompt"] = (recorded.get("system"), prompt)
    fields = {**recorded, **requested}.keys() - {"toolConfig", "system"}
    parts |= {name: (recorded.get(name), requested.get(name)) for name in sorted(fields)}
    parts["other tool settings"] = (_without_tools(recorded), _without_tools(requested))
    parts["order of the tools"] = ([*recorded_tools], [*tools])
    return {name: pair for name, pair in parts.items() if pair[0] != pair[1]}


def parsed(interaction: Interaction) -> dict[str, Any]:
    """The body as a JSON object; empty if it is none."""
    try:
        body = json.loads(interaction.canonical)
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def _tools(body: dict[str, Any]) -> dict[str, Any]:
    specifications = (tool.get("toolSpec") for tool in body.get("toolConfig", {}).get("tools", ()))
    return {specification["name"]: specification for specification in specifications if specification}


def _without_tools(body: dict[str, Any]) -> Any:
    config = body.get("toolConfig", {})
    return {**config, "tools": [tool for tool in config.get("tools", ()) if "toolSpec" not in tool]}


def _without_additions(recorded: Any, requested: Any, added: set[str]) -> Any:
    """`requested` with each `enum` as it was recorded, if it holds all recorded values; collects what was `added`."""
    match recorded, requested:
        case dict(), dict():
            return {
                name: _recorded_enum(recorded[name], value, added)
                if name == "enum" and isinstance(value, list) and isinstance(recorded.get(name), list)
                else _without_additions(recorded.get(name), value, added)
                for name, value in requested.items()
            }
        case list(), list() if len(recorded) == len(requested):
            return [_without_additions(one, other, added) for one, other in zip(recorded, requested, strict=True)]
        case _:
            return requested


def _recorded_enum(recorded: list[Any], requested: list[Any], added: set[str]) -> list[Any]:
    if any(value not in requested for value in recorded):
        return requested
    added |= {value for value in requested if value not in recorded and isinstance(value, str)}
    return recorded


def _enum_values(schema: Any) -> Iterator[str]:
    match schema:
        case dict():
            for name, value in schema.items():
                if name == "enum" and isinstance(value, list):
                    yield from (item for item in value if isinstance(item, str))
                else:
                    yield from _enum_values(value)
        case list():
            for item in schema:
                yield from _enum_values(item)
        case _:
            return


class _Lists:
    """Finds lists of enum values in texts, such as `daily, weekly or monthly`."""

    def __init__(self, names: set[str], added: set[str]) -> None:
        self._added = added
        name = "|".join(re.escape(each) for each in sorted(names, key=len, reverse=True))
        self._name = re.compile(rf"(?<!\w)(?:{name})(?!\w)")
        self._list = re.compile(rf"{self._name.pattern}(?:{_SEPARATOR}{self._name.pattern})+")

    def without_additions(self, recorded: Any, requested: Any) -> Any:
        """`requested` with each line as it was recorded, if only names in lists were added to it."""
        match recorded, requested:
            case str(), str() if recorded.count("\n") == requested.count("\n"):
                lines = zip(recorded.split("\n"), requested.split("\n"), strict=True)
                return "\n".join(before if self._only_listed(before, now) else now for before, now in lines)
            case dict(), dict():
                return {name: self.without_additions(recorded.get(name), value) for name, value in requested.items()}
            case list(), list() if len(recorded) == len(requested):
                return [self.without_additions(one, other) for one, other in zip(recorded, requested, strict=True)]
            case _:
                return requested

    def _only_listed(self, recorded: str, requested: str) -> bool:
        return self._unlisted(recorded, set()) == self._unlisted(requested, self._added)

    def _unlisted(self, text: str, added: set[str]) -> tuple[str, Sequence[list[str]]]:
        """The text with a mark for each list, and the names of each list."""
        lists = [
            [name for name in self._name.findall(listed) if name not in added] for listed in self._list.findall(text)
        ]
        return self._list.sub("[list]", text), lists
