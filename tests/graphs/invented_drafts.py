"""Drafts with invented numbers in every disguise, and the check that none is stored or shown."""

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from agents.models.factory import single_model
from agents.table import OPTIMIZATION_AGENTS
from api.app import create_dependencies
from api.export.report.page import render
from api.settings import Settings
from desk.runs.events.agents import DecisionMade, DraftRejected
from desk.runs.repository import load_final_result
from graphs.jobs.execution import execute
from graphs.runs.creation import create_run
from tests.doubles.obedient_model import Call, ObedientModel, calling, obedient_model, request
from tests.graphs.dependencies import OWNER, QUICK

INVENTED = {
    "digits": "734219 bps",
    "decimals": "73.4219%",
    "words": "seventy-three percent",
    "words_run_together": "seventythreepercent",
    "other_digits": "٧٣٤٢١٩",
    "full_width": "７３４２１９",
    "letters_for_digits": "l2O34%",
    "spelled_out": "s e v e n t y three",
    "hidden_joint": "seven\u200bty",
    "roman": "MDCCLXXVI",
    "another_language": "dreiundsiebzig Prozent",
    "exponent": "7e34219",
    "fraction": "⅞ of it all",
    "chinese": "七十三",
    "glued": "x734219y",
}
"""Invented numbers by disguise; tests search the stored bytes for these texts."""


RAW = "I believe"


def draft_scripts(texts: Sequence[str]) -> dict[str, Any]:
    """Each search agent uses one of `texts` per draft, in its claims and in its free field, if any."""

    def draft(role: str, text: str) -> Call:
        claims = [{"section": s, "text": f"The benefit is {text} here."} for s in ("winner", "counter_argument")]
        rest: dict[str, Any] = {
            "RiskAssessment": {"concerns": ["none"]},
            "MarketView": {"regime": "calm", "trend": "flat", "tilts": [{"scenario": text, "lean": "more"}]},
            "SearchPlan": {"action": "search", "weight_functions": [text]},
            "Draft": {},
        }[role]
        return role, {**rest, "claims": claims}

    roles = ("RiskAssessment", "MarketView", "SearchPlan", "Draft")
    tools = {"RiskAssessment": "assess_risk", "MarketView": "list_scenarios", "SearchPlan": "search_status"}
    rounds: dict[str, int] = {}

    def script(role: str) -> Any:
        def reply(messages: Sequence[Any]) -> Any:
            if len(messages) <= 2 and role in tools:  # first a tool, whose arguments hold a number too
                text = texts[rounds.get(role, 0) % len(texts)]
                return calling((tools[role], {"subject": text, "which": text, text: text}))
            rounds[role] = rounds.get(role, 0) + 1
            return calling(draft(role, texts[(rounds[role] - 1) % len(texts)]))

        return reply

    return {role: script(role) for role in roles}


def disguises_in(home: Path, *texts: str) -> set[str]:
    """The disguises in `texts` or in any file of the home."""
    files = [file for file in home.rglob("*") if file.is_file()]
    assert {"store.sqlite", "stratigos.log"} <= {file.name for file in files}
    content = [*(file.read_bytes() for file in files), *(text.encode() for text in texts)]
    forms = {text: {text, json.dumps(text)[1:-1]} for text in (*INVENTED.values(), RAW)}
    return {t for t, spellings in forms.items() if any(w.encode() in c for w in spellings for c in content)}


PAIRS = [["digits", "words"], *(list(INVENTED)[n : n + 2] for n in range(0, len(INVENTED), 2))]
"""Pairs, one per draft of a run; all but the first run in the soak tests."""


async def run_with(home: Path, monkeypatch: pytest.MonkeyPatch, model: ObedientModel) -> tuple[list[Any], Any, str]:
    """The events, the result, and the report with the log of a run as the command line executes it."""
    for name, value in {"STRATIGOS_HOME": str(home), "STRATIGOS_LOG_LEVEL": "debug"}.items():
        monkeypatch.setenv(name, value)
    async with create_dependencies(Settings()) as base:
        dependencies = replace(base, models=single_model(model, QUICK))
        run = await create_run(dependencies, OWNER, request())
        events = [event async for event in execute(dependencies, OWNER, run)]
        result = await load_final_result(dependencies.store, OWNER, run)
    assert result is not None
    return events, result, render(result, run=run, created_at=datetime(2026, 1, 1, tzinfo=UTC))


async def assert_none_is_released(home: Path, monkeypatch: pytest.MonkeyPatch, disguises: Sequence[str]) -> None:
    texts = [INVENTED[name] for name in disguises]
    events, result, report = await run_with(home, monkeypatch, obedient_model(**draft_scripts(texts)))
    outputs = [report, result.model_dump_json(), *(event.model_dump_json() for event in events)]
    assert disguises_in(home, *outputs) == set()
    rejections = [event for event in events if isinstance(event, DraftRejected)]
    assert len(rejections) == 2 * len(OPTIMIZATION_AGENTS), "two drafts of each agent"
    assert all(len(event.digest) == 64 for event in rejections)
    decisions = [event for event in events if isinstance(event, DecisionMade)]
    assert all(event.refused_calls for event in decisions[:2]), "whose tools have arguments"
    assert [len(event.decision.rejected) for event in decisions] == [2] * len(OPTIMIZATION_AGENTS)
    assert all(event.decision.answer.get("claims", []) == [] for event in decisions)
    assert result.explanation is not None
    assert result.explanation.author == "template"
