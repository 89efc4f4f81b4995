"""Surrogates at the command line and over HTTP."""

import asyncio
import json
import shutil
from pathlib import Path

import pytest

from api.cli.main import run
from api.cli.request_options import request_from
from desk.optimization.jobs import SearchJob
from desk.optimization.repositories.trial_repository import load_trials
from desk.optimization.request import OptimizationRequest
from graphs.runs.creation import create_run
from graphs.runs.surrogates import fit_surrogate
from quant.worlds.scenario import BUILT_IN
from tests.api.http.application import application, open_client
from tests.graphs.dependencies import FIRST_DAY, OWNER, open_dependencies

pytestmark = pytest.mark.anyio
RULE = {"weight_function": "inverse_vol", "estimator": "rolling", "lookback_days": 63}
SCENARIOS = tuple(s.model_copy(update={"paths": 100, "years": 1}) for s in BUILT_IN[:1])
REQUEST = OptimizationRequest(
    name="Small", trials=20, scenarios=SCENARIOS, seed=3, stopping="budget", first_day=FIRST_DAY
)
AGAIN = [
    "--trials",
    "20",
    "--paths",
    "100",
    "--years",
    "1",
    "--scenarios",
    "base_case",
    "--seed",
    "3",
    "--from",
    str(FIRST_DAY),
]
"""The same problem."""


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A home with the trials of one run, and its id."""
    home = tmp_path_factory.mktemp("home")

    async def search() -> str:
        async with open_dependencies(home) as dependencies:
            name = await create_run(dependencies, OWNER, REQUEST)
            fields = {"owner": OWNER, "run": name, "plan": 0, "request": REQUEST, "space": REQUEST.space}
            job = SearchJob(**fields, candidates=(), first=0, budget=REQUEST.trials)
            status = await dependencies.jobs.submit(job)
            while status.state in ("queued", "running"):
                await asyncio.sleep(0.02)
                status = await dependencies.jobs.status(job.id())
            assert len(await load_trials(dependencies.store, OWNER, name)) == REQUEST.trials
            return name

    return home, asyncio.run(search())


@pytest.fixture(scope="module")
def fitted(searched, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The same with a surrogate."""
    home = shutil.copytree(searched[0], tmp_path_factory.mktemp("fitted") / "home")

    async def fit() -> None:
        async with open_dependencies(home) as dependencies:
            await fit_surrogate(dependencies, OWNER, searched[1])

    asyncio.run(fit())
    return home, searched[1]


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch):
    return lambda home_and_run: monkeypatch.setenv("STRATIGOS_HOME", str(home_and_run[0]))


def test_a_surrogate_is_fitted_listed_and_queried(searched, at, tmp_path, monkeypatch, capsys) -> None:
    home = shutil.copytree(searched[0], tmp_path / "home")
    monkeypatch.setenv("STRATIGOS_HOME", str(home))
    monkeypatch.setenv("COLUMNS", "160")
    assert run(["surrogate", "list"]) == 0
    assert "No surrogate yet" in capsys.readouterr().out
    assert run(["surrogate", "predict", "--config", json.dumps(RULE)]) == 2
    assert "surrogate fit" in capsys.readouterr().err
    assert run(["surrogate", "fit", "--json"]) == 0
    version = json.loads(capsys.readouterr().out)
    assert (version["version"], version["trials"], version["run"]) == (1, 20, searched[1])
    assert run(["surrogate", "fit", searched[1][:8]]) == 0
    assert "Version 1" in (out := capsys.readouterr().out)
    assert all(word in out for word in ("objective", "max drawdown", "Naive", "Widened"))
    assert run(["surrogate", "list", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == [version]
    assert run(["surrogate", "list"]) == 0
    assert version["problem"][:12] in capsys.readouterr().out
    file = tmp_path / "config.json"
    file.write_text(json.dumps(RULE), encoding="utf-8")
    outputs = []
    for config in (str(file), json.dumps(RULE)):
        assert run(["surrogate", "predict", "--config", config, "--json"]) == 0
        outputs.append(json.loads(capsys.readouterr().out))
    assert outputs[0] == outputs[1]
    assert run(["surrogate", "predict", "--config", str(file)]) == 0
    assert "PREDICTED, not computed" in capsys.readouterr().out


def test_a_suggested_request_can_be_submitted(fitted, at, tmp_path, capsys) -> None:
    at(fitted)
    assert run(["surrogate", "suggest", "--count", "6"]) == 0
    printed = capsys.readouterr()
    file = tmp_path / "request.json"
    file.write_text(printed.out, encoding="utf-8")
    request = request_from({}, str(file))
    assert len(request.start) == 6
    assert request.model_copy(update={"start": ()}) == REQUEST
    assert "6 configurations to begin with, from version 1" in printed.err
    assert run(["surrogate", "suggest", "--request", str(file), "--count", "6"]) == 0
    assert json.loads(capsys.readouterr().out)["start"] == json.loads(printed.out)["start"]


@pytest.mark.soak
def test_a_warm_search_prints_its_first_configurations(fitted, tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.setenv("STRATIGOS_HOME", str(shutil.copytree(fitted[0], tmp_path / "home")))
    assert run(["optimize", *AGAIN, "--warm", "--json"]) == 0
    printed = capsys.readouterr()
    assert "5 configurations to begin with, from version 1" in printed.err
    assert len(json.loads(printed.out)["result"]["manifest"]["request"]["start"]) == 5


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["optimize", "--warm", "--seed", "9"], ["No surrogate exists for the problem", "surrogate fit"]),
        (["optimize", "--warm", "--resume", "last"], ["--resume alone"]),
        (["optimize", "--warm", "--server", "http://127.0.0.1:1"], ["--warm", "surrogate suggest"]),
        (["surrogate", "suggest", "--count", "21"], ["count", "1 to 20"]),
        (["surrogate", "fit", "nothing"], ["there is no run 'nothing'"]),
        (["surrogate", "predict", "--config", "nowhere.json"], ["nowhere.json", "JSON"]),
        (["surrogate", "predict", "--config", "{"], ["is not JSON"]),
        (["surrogate", "predict", "--config", '{"lookback_days": 6}'], ["config"]),
        (["surrogate", "predict", "--config", json.dumps(RULE | {"lookback_days": 6})], ["config.lookback_days", "10"]),
        (["surrogate", "predict", "--config", json.dumps(RULE | {"lookback_days": 504})], ["504 sessions", "252"]),
    ],
)
def test_an_unusable_surrogate_command_names_its_cause(fitted, at, capsys, arguments, words) -> None:
    at(fitted)
    assert run(arguments) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert all(word in printed.err for word in words), printed.err


FIRST = ("python -m api optimize`", "python -m api surrogate fit`")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["optimize", "--warm", *AGAIN], ["No surrogate exists for the problem", *FIRST]),
        (["surrogate", "fit"], ["RUN: there is no run yet", *FIRST]),
        (["surrogate", "suggest"], ["RUN: there is no run yet", *FIRST]),
        (["surrogate", "predict", "--config", json.dumps(RULE)], ["RUN: there is no run yet", *FIRST]),
    ],
)
def test_without_a_search_the_error_says_how_to_fit_a_surrogate(home, capsys, arguments, words) -> None:
    assert run(arguments) == 2
    error = capsys.readouterr().err
    assert all(word in error for word in words), error
    assert error.count("\n") == 1


def inner(request: OptimizationRequest) -> dict:
    return request.model_dump(mode="json", exclude_none=True)


async def test_a_prediction_over_http_has_a_label_and_an_interval(fitted) -> None:
    async with open_client(application(fitted[0])) as client:
        by_job = await client.post("/api/evaluations/predicted", json={"config": RULE, "job": fitted[1]})
        by_request = await client.post("/api/evaluations/predicted", json={"config": RULE, "request": inner(REQUEST)})
    assert by_job.status_code == 200, by_job.text
    assert by_job.json() == by_request.json()
    prediction = by_job.json()
    assert (prediction["label"], prediction["version"], prediction["tried"]) == ("predicted", 1, False)
    assert all(one["low"] < one["value"] < one["high"] for one in prediction["values"])
    assert all(one["held_out"]["trials"] == 4 for one in prediction["values"])


async def test_an_impossible_prediction_over_http_names_its_cause(searched, fitted) -> None:
    cases = [
        ({"config": RULE, "job": fitted[1]}, 200, ""),
        ({"config": RULE, "job": "0" * 32}, 404, "no run"),
        ({"config": RULE, "job": "a/b"}, 422, "id"),
        ({"config": RULE, "request": {}}, 404, "surrogate fit"),
        ({"config": RULE}, 422, "exactly one"),
        ({"config": RULE, "job": fitted[1], "request": {}}, 422, "exactly one"),
        ({"config": RULE, "request": {"prices_file": "/etc/passwd"}}, 422, "prices_file"),
        ({"config": RULE | {"inner": "equal_weight"}, "job": fitted[1]}, 422, "config.inner"),
        ({"config": RULE | {"lookback_days": 504}, "job": fitted[1]}, 422, "252 sessions"),
        ({"config": {"weight_function": "inverse_vol", "estimator": "implied"}, "job": fitted[1]}, 422, "estimator"),
        ({"config": RULE, "job": fitted[1], "x": 1}, 422, "x"),
    ]
    async with open_client(application(fitted[0])) as client:
        for body, status, word in cases:
            answer = await client.post("/api/evaluations/predicted", json=body)
            assert (answer.status_code, word in answer.text) == (status, True), (body, answer.text)
    async with open_client(application(searched[0])) as client:
        answer = await client.post("/api/evaluations/predicted", json={"config": RULE, "job": searched[1]})
        assert answer.status_code == 404
        assert answer.json()["error"]["code"] == "NOT_FOUND"


async def test_a_damaged_surrogate_file_is_a_409(fitted, tmp_path) -> None:
    home = shutil.copytree(fitted[0], tmp_path / "home")
    (file,) = [path for path in (home / "blobs").rglob("*") if "surrogates" in str(path) and path.is_file()]
    file.write_bytes(file.read_bytes()[:-1])
    async with open_client(application(home)) as client:
        answer = await client.post("/api/evaluations/predicted", json={"config": RULE, "job": fitted[1]})
    assert answer.status_code == 409
    assert "cut off" in answer.text
