"""Every kind of event becomes the AG-UI event that its row names, and no other."""

import pytest

from desk.runs.events.live import apply
from desk.runs.events.table import EVENTS
from desk.runs.progress import ProgressTracker
from graphs.conversations.agui import AguiTranslation
from tests.desk.runs.example_events import RUN, example

TURN = "turn-1"
TYPES = {
    None: set(),
    "step_started": {"STEP_STARTED"},
    "step_finished": {"STEP_FINISHED"},
    "subagent_started": {"SUBAGENT_STARTED"},
    "subagent_finished": {"SUBAGENT_FINISHED"},
    "tool_call": {"TOOL_CALL_START", "TOOL_CALL_ARGS", "TOOL_CALL_END"},
    "tool_result": {"TOOL_CALL_RESULT"},
    "text_message": {"TEXT_MESSAGE_START", "TEXT_MESSAGE_CONTENT"},
    "launched_run_state": {"STATE_DELTA"},
    "verdict_state": {"STATE_DELTA"},
    "run_end": {"STEP_FINISHED"},
    "custom": {"CUSTOM"},
}
"""By the name in a row; the end of a run ends its open steps."""
BEFORE = {
    "step_finished": ["node_started"],
    "subagent_finished": ["agent_started"],
    "tool_result": ["tool_called"],
    "run_end": ["node_started"],
}


@pytest.mark.parametrize("kind", EVENTS)
def test_every_kind_becomes_the_events_that_its_row_names(kind):
    row = EVENTS[kind].row
    translation = AguiTranslation(thread="t", run="r", turn=TURN, part=0, messages=[])
    tracker = ProgressTracker()
    place = {"run": TURN, "node": "release"} if row.agui == "text_message" else {}
    launch = example("run_launched", run=TURN, launched=RUN)
    for event in [launch, *(example(name) for name in BEFORE.get(row.agui or "", ()))]:
        translation.of(apply(event, tracker))
    live = apply(example(kind, 5, **place), tracker)
    types = [event.type.value for event in translation.of(live)]
    progress = types[-1:] if row.sends_progress and types[-1:] == ["STATE_DELTA"] else []
    assert set(types[: len(types) - len(progress)]) == TYPES[row.agui]


def test_a_custom_event_carries_the_line():
    translation = AguiTranslation(thread="t", run="r", turn=TURN, part=0, messages=[])
    warning = example("warned", run=TURN)
    (custom,) = translation.of(apply(warning, ProgressTracker()))
    assert custom.model_dump(include={"name", "value"}) == {
        "name": "warned",
        "value": {"run": TURN, "line": "Warning: budget nearly spent (run dollars)"},
    }
