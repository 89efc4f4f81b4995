"""The log of runs: whose lines they are, and whose words are not in it."""

import json
import logging
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
import structlog

from agents.embedded_planner import EmbeddedPlanner
from agents.models.factory import Models, single_model
from agents.models.options import RetryPolicy
from api.app import create_dependencies
from api.operations.log import capture_library_logs, log_to, record
from api.settings import Settings
from desk.optimization.request import OptimizationRequest
from graphs.jobs.execution import execute
from graphs.runs.creation import create_run
from quant.worlds.scenario import BUILT_IN
from tests.api.http.application import application, open_client
from tests.graphs.dependencies import FIRST_DAY
from tests.graphs.jobs.queued_runs import queued_dependencies, working

pytestmark = pytest.mark.anyio

SECRET = "xyzzyplugh"
SCENARIO = BUILT_IN[0].model_copy(update={"paths": 100, "years": 1})
REQUEST = OptimizationRequest(trials=10, scenarios=(SCENARIO,), seed=3, first_day=FIRST_DAY)


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
    return single_model(Talkative(lost=Counter()), RetryPolicy(attempts=3, first_delay=0.0))


async def logged(
    home: Path, monkeypatch: pytest.MonkeyPatch, runs: int, until: str = "", **variables: str
) -> list[dict[str, Any]]:
    """The lines that runs at the same time leave, with a line that belongs to no run after each event.

    Each run is left at its first event `until`, if one is named.
    """
    import structlog

    for name, value in {"STRATIGOS_HOME": str(home), "STRATIGOS_LOG_LEVEL": "debug", **variables}.items():
        monkeypatch.setenv(name, value)
    settings = Settings()
    async with create_dependencies(settings) as dependencies:
        names = [await create_run(dependencies, settings.owner, REQUEST, run_id=f"run-{n}") for n in range(runs)]
        logger: Any = structlog.get_logger()
        open_ = [execute(replace(dependencies, models=talkative()), settings.owner, name) for name in names]
        while open_:  # in one task, so that one context is shared
            for events in list(open_):
                event = await anext(events, None)
                if event is None or event.event == until:
                    await events.aclose()
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
    lines = await logged(home, monkeypatch, 1, "decision_made", STRATIGOS_LOG_PROMPTS="true")
    prompts = [line for line in lines if line["event"] == "prompt"]
    answers = [line for line in lines if line["event"] == "answer"]
    assert prompts
    assert {line["run"] for line in (*prompts, *answers)} == {"run-0"}
    assert {line["level"] for line in prompts} == {"debug"}
    assert all(line["messages"][0]["type"] == "system" for line in prompts)
    assert all(line["messages"][0]["content"] == SECRET for line in answers)
    assert {line["call"] for line in answers} < {line["call"] for line in prompts}  # those that failed have no answer


async def test_a_level_above_debug_keeps_prompts_out(home, monkeypatch):
    variables = {"STRATIGOS_LOG_PROMPTS": "true", "STRATIGOS_LOG_LEVEL": "warning"}
    lines = await logged(home, monkeypatch, 1, "decision_made", **variables)
    assert {line["event"] for line in lines} == {"model_failed"}
    assert SECRET not in json.dumps(lines)


async def test_a_full_disk_costs_the_line_and_not_what_it_tells_of(tmp_path, capsys):
    (tmp_path / "stratigos.log").symlink_to("/dev/full")
    with log_to(tmp_path, "info"):
        structlog.get_logger().warning("storage_unavailable", reason="disk full")
    assert "storage_unavailable" in capsys.readouterr().err


TOKEN = "eyJhbGciOiJSUzI1NiJ9" + ".e30" * 2
API_KEY = "stratigos_0123456789ab_" + "not-a-" * 7
ENVIRONMENT = 'wJalrXUtnFEMI/K7MDENG"bPxRfiCY'
PLANTED = (SECRET, TOKEN, API_KEY, ENVIRONMENT, json.dumps(ENVIRONMENT)[1:-1], "AKIAIOSFODNN7EXAMPLE", "of-a-ticket")


@pytest.mark.parametrize(
    "fields",
    [
        {"told": f"he sent {TOKEN} and AKIAIOSFODNN7EXAMPLE"},
        {"headers": [{"Authorization": "anything"}, {"x-api-key": SECRET, "Cookie": SECRET}]},
        {"deep": {"in": ({"ticket": "of-a-ticket", "password": SECRET},)}},
        {"told": f"{ENVIRONMENT} and key={API_KEY}"},
        {"told": {API_KEY: f"Bearer {API_KEY}"}},
        {"told": "GET /api/runs/r/events?after=1&ticket=of-a-ticket"},
        {"session_token": SECRET, "access_token_value": SECRET, "client-secret": SECRET},
    ],
)
def test_no_secret_reaches_the_log_wherever_it_stands(home, monkeypatch, fields):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", ENVIRONMENT)
    home.mkdir()
    with log_to(home, "debug"):
        structlog.get_logger().info("said", **fields)
        structlog.get_logger().error("failed", exc_info=ValueError(str(fields.get("told", ""))))
    text = (home / "stratigos.log").read_text()
    assert [json.loads(line)["event"] for line in text.splitlines()] == ["said", "failed"]
    assert not [secret for secret in (*PLANTED, "anything") if secret in text]


def test_what_is_no_secret_stays_as_it_is(home):
    home.mkdir()
    fields = {"input_tokens": 12, "run": "r-1", "told": "bearer bonds", "tokens": [1, 2], "keys": {"a": 1}}
    with log_to(home, "info"):
        structlog.get_logger().info("said", **fields)
    line = json.loads((home / "stratigos.log").read_text())
    assert {name: line[name] for name in fields} == fields


def test_on_standard_output_libraries_speak_our_form(home, capfd):
    logging.getLogger("uvicorn.error").setLevel(logging.NOTSET)  # a server of another test may have set it
    with log_to(home, "info", place="stdout"), capture_library_logs("stdout"):
        structlog.get_logger().info("ours")
        logging.getLogger("uvicorn.error").info("Started %s", "it")
        logging.getLogger("uvicorn.error").debug("not heard")
        logging.getLogger("botocore").error("not heard either")
    lines = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    assert [line["event"] for line in lines] == ["ours", "library"]
    assert (lines[1]["library"], lines[1]["told"], lines[1]["level"]) == ("uvicorn.error", "Started it", "info")
    assert not home.exists()


def test_a_log_within_another_gives_it_back(tmp_path):
    for name in ("outer", "inner"):
        (tmp_path / name).mkdir()
    with log_to(tmp_path / "outer", "info"):
        with log_to(tmp_path / "inner", "info"):
            structlog.get_logger().info("in")
        structlog.get_logger().info("out")
    for name, event in (("outer", "out"), ("inner", "in")):
        (line,) = (tmp_path / name / "stratigos.log").read_text().splitlines()
        assert json.loads(line)["event"] == event


def test_runs_in_threads_keep_their_logs_until_each_has_ended(tmp_path):
    before = structlog.get_config()
    both_open, first_closed = threading.Barrier(2, timeout=30), threading.Event()

    def execute(name: str) -> None:
        (tmp_path / name).mkdir()
        with log_to(tmp_path / name, "info"):
            both_open.wait()
            structlog.get_logger().info(name)
            if name == "long":
                assert first_closed.wait(30)
                structlog.get_logger().info("still open")
        first_closed.set()

    with ThreadPoolExecutor(2) as pool:
        for future in [pool.submit(execute, name) for name in ("short", "long")]:
            future.result(60)
    events = {
        name: [json.loads(line)["event"] for line in (tmp_path / name / "stratigos.log").read_text().splitlines()]
        for name in ("short", "long")
    }
    assert events == {"short": ["short"], "long": ["long", "still open"]}
    assert structlog.get_config() == before


def test_a_fault_of_a_container_stands_in_its_output(home, capfd):
    home.mkdir()
    assert record(ValueError("odd"), home, "stdout") == "standard output"
    line = json.loads(capfd.readouterr().out)
    assert (line["event"], line["level"]) == ("fault", "error")
    assert "ValueError: odd" in line["exception"]


async def test_a_job_and_a_turn_leave_few_lines_with_their_ids_and_none_of_their_words(home, monkeypatch, capfd):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", ENVIRONMENT)
    headers = {"Authorization": f"Bearer {TOKEN}", "X-API-Key": API_KEY, "Cookie": f"a={SECRET}"}
    request = REQUEST.model_dump(mode="json", exclude={"prices_file"}) | {"name": SECRET}
    with log_to(home, "debug", place="stdout"):
        async with (
            open_client(application(home, queued_dependencies(home))) as client,
            queued_dependencies(home, models=talkative()) as dependencies,
            working(dependencies),
        ):
            submitted = await client.post(f"/api/jobs?ticket={SECRET}", json=request, headers=headers)
            assert submitted.status_code == 422, "there is no such parameter"
            submitted = await client.post("/api/jobs", json=request, headers={**headers, "X-Request-Id": "mine"})
            job = submitted.json()["id"]
            thread = (await client.post("/api/threads", headers=headers)).json()["id"]
            message = {"message": f"how volatile is {SECRET} {API_KEY}?"}
            turn = await client.post(f"/api/threads/{thread}/runs?stream=false", json=message, headers=headers)
            assert turn.status_code == 202

            for log in (job, turn.json()["id"]):
                last, finished = 0, False
                while not finished:
                    polled = (await client.get(f"/api/runs/{log}/events/poll?wait=20&after={last}")).json()
                    last, finished = polled["last"], polled["ended"]
    text = capfd.readouterr().out
    lines = [json.loads(line) for line in text.splitlines()]
    assert not [secret for secret in PLANTED if secret in text]
    life = [line for line in lines if line["event"].startswith("job_")]
    assert [line["event"] for line in life] == ["job_submitted", "job_begun", "job_left"]
    assert {line["run"] for line in life} == {job}
    assert life[0]["request_id"] == "mine"
    assert (life[2]["state"], life[2]["seconds"] > 0) == ("completed", True)
