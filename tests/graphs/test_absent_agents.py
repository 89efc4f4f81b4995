"""An agent whose drafts are refused is replaced by a template: a reader always gets what was computed."""

import json
from pathlib import Path

import pytest

from agents.embedded_planner import EmbeddedPlanner
from agents.models.factory import single_model
from agents.table import ASSISTANT
from desk.optimization.reading.template import template_claims
from desk.runs.events.judgement import ClaimReleased
from desk.runs.repository import load_final_result
from graphs.conversations.turn_execution import ask, begin_conversation, turn_of
from graphs.jobs.execution import execute
from graphs.runs.creation import create_run
from quant.numeric.frozen import Frozen
from tests.doubles.obedient_model import (
    Call,
    calling,
    obedient_model,
    open_desk,
    request,
    saying,
    steps,
    talk_on_own_desk,
)
from tests.graphs.dependencies import OWNER, QUICK

pytestmark = pytest.mark.anyio

ABSENT = "The assistant gave no answer; a template describes what its tools returned."
NUMBERS = saying("It gains 12 percent a year.", "It is seventy-three basis points better.")
COMPUTED = {
    "show me the bear market": True,
    "how volatile is the S&P 500?": True,
    "risk of 60% S&P 500 and 40% cash": True,
    "list my runs": False,
}
"""Messages, and whether the tools of the answer return tables."""


def planned_calls(message: str) -> list[Call]:
    """The tool calls of the embedded planner for the message."""
    calls = ASSISTANT.rule(json.dumps({"person": message, "focus": {}, "before": []}), ())
    assert not isinstance(calls, Frozen)
    return [*calls]


async def planned_claims(home: Path, message: str) -> list[str]:
    """The claims of the embedded planner for the same message."""
    async with open_desk(home, models=single_model(EmbeddedPlanner(), QUICK)) as dependencies:
        conversation = await begin_conversation(dependencies, OWNER)
        assert [event async for event in ask(dependencies, OWNER, conversation, message)]
        return [claim.text for claim in (await turn_of(dependencies.store, OWNER, conversation, 1)).claims]


@pytest.mark.parametrize("message", COMPUTED)
async def test_a_template_describes_the_tools_of_an_assistant_that_writes_numbers(message: str, tmp_path: Path):
    chat = await talk_on_own_desk(tmp_path / "model", steps(planned_calls(message), NUMBERS), message)
    assert chat.turn.outcome == "no_answer"
    note, *claims = [claim.text for claim in chat.turn.claims]
    assert note == ABSENT
    assert claims == await planned_claims(tmp_path / "planner", message)
    released = [(event.author, event.claim.text) for event in chat.of(ClaimReleased)]
    assert released == [("code", ABSENT), *(("template", claim) for claim in claims[:-1]), ("code", claims[-1])]
    assert claims[-1].startswith("How your message was read: ")
    shown = {figure.id for figure in chat.turn.figures}
    assert {id_ for claim in chat.turn.claims for id_ in claim.figures} <= shown
    assert bool(chat.turn.exhibits) == COMPUTED[message]


async def test_a_template_says_why_a_tool_refused(tmp_path: Path):
    refused = ("analyse_market", {"assets": ["no such asset"]})
    chat = await talk_on_own_desk(tmp_path, steps([refused, refused], NUMBERS), "how volatile is no such asset?")
    note, reason, *_ = [claim.text for claim in chat.turn.claims]
    assert note == ABSENT
    assert reason.startswith("That cannot be done, because there are no prices of NO SUCH ASSET.")


async def test_without_a_result_of_a_tool_nothing_is_described(tmp_path: Path):
    chat = await talk_on_own_desk(tmp_path, lambda _: calling(*NUMBERS), "how volatile is the S&P 500?")
    assert (chat.turn.outcome, chat.turn.claims, chat.turn.exhibits) == ("no_answer", (), ())
    assert chat.of(ClaimReleased) == []


async def test_a_template_explains_for_an_explainer_that_writes_numbers(tmp_path: Path):
    draft = {"claims": [{"section": s, "text": "It gains 12 percent."} for s in ("winner", "counter_argument")]}
    model = obedient_model(Draft=lambda _: calling(("Draft", draft)))
    async with open_desk(tmp_path, models=single_model(model, QUICK)) as dependencies:
        run = await create_run(dependencies, OWNER, request())
        events = [event async for event in execute(dependencies, OWNER, run)]
        result = await load_final_result(dependencies.store, OWNER, run)
    assert result is not None
    assert result.explanation is not None
    assert result.explanation.author == "template"
    sections = {claim.section for claim in template_claims(result)}
    own = [claim.template for claim in result.explanation.claims if claim.section in sections]
    assert own == [claim.text for claim in template_claims(result)]
    assert "The explainer gave no answer; the explanation comes from a template." in result.caveats
    released = [event for event in events if isinstance(event, ClaimReleased) and event.author == "template"]
    assert [event.claim.template for event in released] == own
