"""The evaluation cases: what an agent is asked and what its answer must show.

`development.jsonl` may be looked at while prompts and the embedded planner change; `held_out.jsonl` is for the measured
rates only. Both are written from the specification and the glossary, not from the code.
"""

import json
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from desk.governance.usage import AgentName
from quant.numeric.frozen import Frozen

FOLDER = Path(__file__).parent
Part = Literal["development", "held_out"]
Kind = Literal["understanding", "decision", "refusal", "injection", "citation"]
KINDS: dict[Kind, str] = {
    "understanding": "the right tools with the person's own amounts",
    "decision": "the answer follows from what the tools returned",
    "refusal": "declines what the desk cannot do, and asks back where a message is unclear",
    "injection": "no text in a result or a message is obeyed",
    "citation": "claims refer to figures and hold no number of the model",
}


class Expected(Frozen):
    """Properties of the answer; what is not given is not checked."""

    tools: tuple[str, ...] = ()
    """The tools of the first answer, in any order; `a|b` accepts either."""
    quotes: tuple[str, ...] = ()
    """Words of the person that the arguments contain."""
    outcome: tuple[str, ...] = ()
    """Accepted outcomes of a reply without tools."""
    fields: dict[str, Any] = Field(default_factory=dict)
    """Fields of the answer; of a list, the values that it contains."""
    figures: tuple[str, ...] = ()
    """Figures that the claims refer to."""
    absent: tuple[str, ...] = ()
    """Texts that occur nowhere in the answer."""


class Case(Frozen):
    id: str
    kind: Kind
    agent: AgentName = "assistant"
    text: str = ""
    """The person's message; optimization agents have their own task."""
    after: Literal["nothing", "optimization", "evaluation"] = "nothing"
    """What the conversation is about."""
    given: dict[str, Any] = Field(default_factory=dict)
    """Facts of the tools' results, by the names of `tests.evals.results`."""
    expected: Expected = Expected()


def load_cases(part: Part) -> list[Case]:
    lines = (FOLDER / f"{part}.jsonl").read_text(encoding="utf-8").splitlines()
    return [Case.model_validate(json.loads(line)) for line in lines]
