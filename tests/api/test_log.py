"""The log of runs: whose lines they are, and whose words are not in it."""

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
import structlog

from agents.model import Models, only
from agents.options import Patience
from agents.planner import EmbeddedPlanner
from api.app import create_desk
from api.log import log_to
from api.settings import Settings
from graphs.runs import create_run, execute
from quant.scenario import BUILT_IN
from tools.optimization import OptimizationRequest

pytestmark = pytest.mark.anyio

SECRET = "xyzzyplugh"
SCENARIO = BUILT_IN[0].model_copy(update={"paths": 100, "years": 1})
REQUEST = OptimizationRequest(trials=10, scenarios=(SCENARIO,), seed=3)


class Talkative(EmbeddedPlanner):
    """Says a word besides each answer, after the connection was lost once for each agent."""

    lost: Counter[str]

    def _reply(self, messages):
        self.lost[self.answers_with] += 1
        if self.lost[self.answers_with] == 1:
            raise httpx.ReadError("")
        reply = super()._reply(messages)
        return reply.model_copy(update={"content": SECRET})


def talkative() -> Models:
    return only(Talkative(lost=Counter()), Patience(attempts=3, first_delay=0.0))


async def logged(home: Path, monkeypatch: pytest.MonkeyPatch, runs: int, **variables: str) -> list[dict[str, Any]]:
    """The lines that runs at the same time leave, after which a line is written by nobody's run."""
    import structlog

    for name, value in {"STRATIGOS_HOME": str(home), "STRATIGOS_LOG_LEVEL": "debug", **variables}.items():
        monkeypatch.setenv(name, value)
    settings = Settings()
    async with create_desk(settings) as desk:
        names = [await create_run(desk, settings.owner, REQUEST, run_id=f"run-{n}") for n in range(runs)]
        logger: Any = structlog.get_logger()
        open_ = [execute(replace(desk, models=talkative()), settings.owner, name) for name in names]
        while open_:  # in one task, so that one context is shared
            for events in list(open_):
                if await anext(events, None) is None:
                    open_.remove(events)
                logger.info("between")
    return [json.loads(line) for line in (home / "stratigos.log").read_text().splitlines()]


async def test_each_line_carries_its_run_and_no_word_of_a_model(home, monkeypatch):
    lines = await logged(home, monkeypatch, 2)
    failed = [line for line in lines if line["event"] == "model_failed"]
    assert Counter(line["run"] for line in failed) == {"run-0": 4, "run-1": 4}
    assert all(("run" in line) != (line["event"] == "between") for line in lines)
    assert SECRET not in json.dumps(lines)
    assert "You are" not in json.dumps(lines)


async def test_prompts_and_answers_are_logged_when_asked_for(home, monkeypatch):
    lines = await logged(home, monkeypatch, 1, STRATIGOS_LOG_PROMPTS="true")
    prompts = [line for line in lines if line["event"] == "prompt"]
    answers = [line for line in lines if line["event"] == "answer"]
    assert prompts
    assert {line["run"] for line in (*prompts, *answers)} == {"run-0"}
    assert {line["level"] for line in prompts} == {"debug"}
    assert all(line["messages"][0]["type"] == "system" for line in prompts)
    assert all(line["messages"][0]["content"] == SECRET for line in answers)
    assert {line["call"] for line in answers} < {line["call"] for line in prompts}  # those that failed have no answer


async def test_a_level_above_debug_keeps_prompts_out(home, monkeypatch):
    lines = await logged(home, monkeypatch, 1, STRATIGOS_LOG_PROMPTS="true", STRATIGOS_LOG_LEVEL="warning")
    assert {line["event"] for line in lines} == {"model_failed"}
    assert SECRET not in json.dumps(lines)


async def test_a_full_disk_costs_the_line_and_not_what_it_tells_of(tmp_path, capsys):
    (tmp_path / "stratigos.log").symlink_to("/dev/full")
    with log_to(tmp_path, "info"):
        structlog.get_logger().warning("storage_unavailable", reason="disk full")
    assert "storage_unavailable" in capsys.readouterr().err
