"""Explains which recorded request is nearest to one that a cassette does not contain, and where they differ."""

import difflib
import json

from agents.recording.cassette import Cassette, Interaction

DIFF_LINES = 40
DIFF_WIDTH = 160
COMPARED = 2000
"""Characters that are compared; the cost of the ratio is quadratic."""


def explain_mismatch(requested: Interaction, cassette: Cassette) -> str:
    """A message with the nearest recorded request and the difference of the bodies."""
    recorded = cassette.interactions
    message = f"The cassette has no answer to {requested.method} {requested.path}"
    if equal := [str(number) for number, each in enumerate(recorded, 1) if each.key == requested.key]:
        return f"{message}: all {len(equal)} equal requests were played already (number {', '.join(equal)})."
    if not recorded:
        return f"{message}: it is empty."
    place = max((_place(each) for each in recorded), key=lambda place: _likeness(place, _place(requested)))
    candidates = [(number, each) for number, each in enumerate(recorded, 1) if _place(each) == place]
    number, nearest = max(candidates, key=lambda pair: _likeness(pair[1].canonical, requested.canonical))
    same = place == _place(requested)
    reason = (
        f"none of the {len(candidates)} requests recorded there has this body"
        if same
        else "no request was recorded there"
    )
    return f"{message}: {reason}.\nNearest is number {number}, {place}:\n{_difference(nearest, requested)}"


def _place(interaction: Interaction) -> str:
    return f"{interaction.method} {interaction.path}"


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
    lines = list(difflib.unified_diff(_lines(recorded), _lines(requested), "recorded", "asked", n=2, lineterm=""))
    if len(lines) > DIFF_LINES:
        lines[DIFF_LINES:] = [f"({len(lines) - DIFF_LINES} more lines)"]
    return "\n".join(lines) or "(the bodies are equal)"


def _lines(interaction: Interaction) -> list[str]:
    """Indented JSON with long texts broken into lines, first at their own line ends."""
    try:
        text = json.dumps(json.loads(interaction.canonical), indent=1, sort_keys=True, ensure_ascii=False)
    except ValueError:
        text = interaction.canonical
    lines = [piece for line in text.splitlines() for piece in line.split("\\n")]
    width = DIFF_WIDTH - 1  # the diff prefixes each line with a sign
    return [line[at : at + width] for line in lines for at in range(0, max(1, len(line)), width)]
