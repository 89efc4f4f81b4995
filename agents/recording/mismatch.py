"""Explains which recorded request is nearest to one that a cassette does not contain, and where they differ."""

import difflib
import json
import re
from collections.abc import Sequence
from typing import Any

from agents.recording.cassette import Cassette, Interaction
from agents.recording.matching import differing_parts, matches, parsed

DIFF_LINES = 40
DIFF_WIDTH = 160
COMPARED = 2000
"""Characters that are compared; the cost of the ratio is quadratic."""


def explain_mismatch(requested: Interaction, cassette: Cassette) -> str:
    """A message with the nearest recorded request and the difference of the bodies."""
    recorded = cassette.interactions
    message = f"The cassette has no answer to {requested.method} {requested.path}"
    if equal := [str(number) for number, each in enumerate(recorded, 1) if matches(each, requested)]:
        return f"{message}: all {len(equal)} equal requests were played already (number {', '.join(equal)})."
    if not recorded:
        return f"{message}: it is empty."
    place = max((_place(each) for each in recorded), key=lambda place: _likeness(place, _place(requested)))
    candidates = [(number, each) for number, each in enumerate(recorded, 1) if _place(each) == place]
    number, nearest = max(candidates, key=lambda pair: _nearness(pair[1], requested))
    same = place == _place(requested)
    reason = (
        f"none of the {len(candidates)} requests recorded there has this body"
        if same
        else "no request was recorded there"
    )
    if same and (change := explain_prompt_change(nearest, requested)):
        return change
    return f"{message}: {reason}.\nNearest is number {number}, {place}:\n{_difference(nearest, requested)}"


def explain_prompt_change(recorded: Interaction, requested: Interaction) -> str:
    """The sentences of the prompt that have changed, with the agent; empty if the requests differ elsewhere."""
    parts = differing_parts(parsed(recorded), parsed(requested))
    if parts.keys() != {"prompt"}:
        return ""
    before, now = (_sentences(prompt) for prompt in parts["prompt"])
    changes = [line for line in difflib.ndiff(before, now) if line.startswith(("- ", "+ "))]
    return "\n".join([f"The prompt of the {_agent(requested)} has changed:", *_shortened(changes)])


def _agent(interaction: Interaction) -> str:
    return str(parsed(interaction).get("requestMetadata", {}).get("agent", "agent")).replace("_", " ")


def _sentences(prompt: Any) -> list[str]:
    """The prompt's texts by lines and sentences, so that a change shows alone."""
    texts = [str(block["text"]) for block in prompt or () if isinstance(block, dict) and "text" in block]
    return [sentence for text in texts for line in text.splitlines() for sentence in re.split(r"(?<=[.:;]) ", line)]


def _place(interaction: Interaction) -> str:
    return f"{interaction.method} {interaction.path}"


def _nearness(recorded: Interaction, requested: Interaction) -> tuple[bool, bool, float]:
    """Requests of the same agent and with the same messages come first."""
    one, other = parsed(recorded), parsed(requested)
    same_messages = bool(one) and one.get("messages") == other.get("messages")
    likeness = 1.0 if same_messages else _likeness(recorded.canonical, requested.canonical)
    return one.get("requestMetadata") == other.get("requestMetadata"), same_messages, likeness


def _likeness(one: str, other: str) -> float:
    """The share of common text: common ends, and the beginning of the middle parts."""
    start = _in_common(one, other)
    end = _in_common(one[start:][::-1], other[start:][::-1])
    middles = one[start : len(one) - end], other[start : len(other) - end]
    ratio = difflib.SequenceMatcher(None, middles[0][:COMPARED], middles[1][:COMPARED]).ratio()
    whole = len(one) + len(other)
    return (2 * (start + end) + ratio * (len(middles[0]) + len(middles[1]))) / whole if whole else 1.0


def _in_common(one: str, other: str) -> int:
    return next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def _difference(recorded: Interaction, requested: Interaction) -> str:
    """The parts of the bodies that differ, each with its lines; the whole bodies if they are no JSON objects."""
    one, other = parsed(recorded), parsed(requested)
    if not (one and other):
        return _diff(_lines(recorded.canonical), _lines(requested.canonical)) or "(the bodies are equal)"
    sections = [
        f"{name}:\n{_diff(_lines(_json(before)), _lines(_json(now)))}"
        for name, (before, now) in differing_parts(one, other).items()
    ]
    lines = "\n".join(sections).splitlines()
    return "\n".join(_shortened(lines)) or "(the bodies are equal)"


def _diff(before: Sequence[str], now: Sequence[str]) -> str:
    return "\n".join(_shortened([*difflib.unified_diff(before, now, "recorded", "asked", n=2, lineterm="")]))


def _shortened(lines: Sequence[str]) -> list[str]:
    if len(lines) <= DIFF_LINES:
        return [*lines]
    return [*lines[:DIFF_LINES], f"({len(lines) - DIFF_LINES} more lines)"]


def _json(value: Any) -> str:
    return json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False)


def _lines(text: str) -> list[str]:
    """The text with long lines broken, first at the line ends of JSON texts."""
    lines = [piece for line in text.splitlines() for piece in line.split("\\n")]
    width = DIFF_WIDTH - 1  # the diff prefixes each line with a sign
    return [line[at : at + width] for line in lines for at in range(0, max(1, len(line)), width)]
