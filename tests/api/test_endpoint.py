"""The real-time endpoint, asked as SageMaker asks it."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from api.cli.main import run
from api.endpoint import LARGEST, create_endpoint
from desk.compute.endpoint import FILE, load_artifact
from desk.market.bundled import BundledPrices
from desk.market.prices import Prices
from desk.optimization.evaluation import World
from desk.optimization.inputs.market_data import build_market
from desk.optimization.request import OptimizationRequest
from desk.surrogates.file_format import encode
from desk.surrogates.gaussian_process import fit
from desk.surrogates.problem import complete, problem_of
from quant.strategies.search import sobol
from quant.strategies.trial import Trial
from quant.worlds.scenario import BUILT_IN
from tests.api.http.application import application, open_client, run_server, settings_of
from tests.doubles.aws import free_port

ROOT = Path(__file__).parents[2]
RULE = {"weight_function": "inverse_vol", "estimator": "rolling", "lookback_days": 63, "rebalancing": "monthly"}
BEAR = {"config": RULE, "scenario": "bear_market", "mandate": {"target_volatility": 0.12}, "points": 7}
MIXED = {"config": RULE | {"inner": "equal_weight"}, "universe": "stocks:AAPL,MSFT", "points": 5}
FITTED = OptimizationRequest(
    trials=20, seed=3, scenarios=tuple(s.model_copy(update={"paths": 100, "years": 1}) for s in BUILT_IN[:1])
)
PROBLEM = FITTED.model_dump(mode="json", exclude_none=True)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as SageMaker unpacks it, with a surrogate of twenty trials."""
    folder = tmp_path_factory.mktemp("ml") / "model"
    folder.mkdir()

    async def content() -> bytes:
        prices = await BundledPrices().load("sp500")
        completed = await complete(BundledPrices(), FITTED)
        request = completed.request
        world = World(build_market(prices, request), request)
        configs = sobol(request.space, 20, seed=1, avoid=())
        (evaluations,) = (world.evaluate(configs, scenario) for scenario in request.scenarios)
        train = world.replay(configs, end=world.market.train.stop)
        trials = [
            Trial(
                number=k,
                round=0,
                origin="sampler",
                config=config,
                digest=config.digest(),
                screened=False,
                evaluations=(evaluations[k],),
                train=world.on_history(config, train.series[k], world.market.train),
                series="0" * 64,
            )
            for k, config in enumerate(configs)
        ]
        return encode(fit(await problem_of(request, completed.data), trials))

    (folder / FILE).write_bytes(asyncio.run(content()))
    return folder


def ready(client: httpx.Client) -> None:
    until = time.monotonic() + 240
    while client.get("/ping").status_code != 200:
        assert time.monotonic() < until
        time.sleep(0.05)


@pytest.fixture(scope="module")
def client(model, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    settings = settings_of(tmp_path_factory.mktemp("home"))
    with (
        run_server(create_endpoint(settings, BundledPrices(), load_artifact(model))) as address,
        httpx.Client(base_url=address, timeout=60) as asking,
    ):
        ready(asking)
        yield asking


def invoke(client: httpx.Client, body: object) -> Any:
    answer = client.post("/invocations", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_an_evaluation_equals_that_of_the_service_alone_or_in_a_batch(client, home) -> None:
    async def expected_answers() -> list[Any]:
        async with open_client(application(home)) as service:
            return [(await service.post("/api/evaluations", json=body)).json() for body in (BEAR, MIXED)]

    expected = asyncio.run(expected_answers())
    assert invoke(client, BEAR) == expected[0]
    assert expected[0]["scenario"] == "bear_market"
    assert invoke(client, {"requests": [BEAR, MIXED]}) == {"answers": expected}


def test_a_response_has_a_request_id_and_security_headers(client) -> None:
    answer = client.post("/invocations", json=BEAR, headers={"Accept": "text/csv, application/json;q=0.5"})
    assert answer.headers["X-Amzn-SageMaker-Custom-Attributes"] == answer.headers["X-Request-Id"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Cache-Control"] == "no-store"


def test_a_prediction_is_labelled_and_names_its_file(client, model) -> None:
    answer = invoke(client, {"predicted": True, "config": RULE, "request": PROBLEM})
    held = load_artifact(model)
    assert held is not None
    assert (answer["label"], answer["artifact"]) == ("predicted", held.sha256)
    assert (answer["trials"], answer["tried"]) == (20, False)
    assert answer["problem"] == held.surrogate.problem
    assert [one["target"] for one in answer["values"]] == [
        "objective",
        "excess_return",
        "volatility",
        "max_drawdown",
    ]
    assert all(one["low"] < one["value"] < one["high"] for one in answer["values"])
    assert all(one["held_out"]["trials"] == 4 for one in answer["values"])
    tried = held.surrogate.configs[3].model_dump(mode="json", exclude_none=True)
    both = invoke(
        client, {"requests": [{"predicted": True, "config": one, "request": PROBLEM} for one in (RULE, tried)]}
    )
    assert both["answers"][0] == answer
    assert both["answers"][1]["tried"]


HEAVY = BUILT_IN[0].model_copy(update={"paths": 100_000, "years": 30}).model_dump(mode="json")
PREDICTED = {"predicted": True, "config": RULE, "request": PROBLEM}
BAD: dict[str, tuple[Any, int, str]] = {
    "no object": ([], 422, "an object with config"),
    "a text": ("config", 422, "body"),
    "nothing": ({}, 422, "body.config: it is missing"),
    "a misspelled field": ({"confg": RULE}, 422, "config (did you mean it?)"),
    "a parameter out of its range": ({"config": RULE | {"lookback_days": 1}}, 422, "a whole number, 10 to 504"),
    "a number that is none": ({"config": RULE, "mandate": {"target_volatility": float("nan")}}, 422, "nan"),
    "an unknown universe": ({"config": RULE, "universe": "mars"}, 422, "sp500, stocks, or some of the stocks"),
    "an unknown asset": ({"config": RULE, "universe": "stocks:MARS"}, 422, "AAPL"),
    "an unknown scenario": ({"config": RULE, "scenario": "atlantis"}, 422, "bear_market"),
    "a heavy scenario": ({"config": RULE, "scenario": HEAVY}, 422, "at most 50000 paths"),
    "no request of several": ({"requests": []}, 422, "expected 1 to 10"),
    "too many requests": ({"requests": [BEAR] * 11}, 422, "expected 1 to 10"),
    "requests that are none": ({"requests": 1}, 422, "body.requests"),
    "more beside several": ({"requests": [BEAR], "points": 3}, 422, "body.points"),
    "the second of several": ({"requests": [BEAR, {"config": 1}]}, 422, "body.requests.1.config"),
    "the universe of the second": ({"requests": [BEAR, BEAR | {"universe": "mars"}]}, 422, "requests.1.universe"),
    "a label for an evaluation": (BEAR | {"predicted": False}, 422, "one of True"),
    "a prediction for another problem": (PREDICTED | {"request": {"seed": 4}}, 409, "its problem is"),
    "the problem of a job": (PREDICTED | {"job": "a"}, 422, "body.job: there is no such field"),
    "a prediction with a file": (PREDICTED | {"request": {"prices_file": "/etc/passwd"}}, 422, "prices_file"),
    "a prediction of what cannot be": (PREDICTED | {"config": RULE | {"lookback_days": 504}}, 422, "504 sessions"),
    "a prediction for no universe": (PREDICTED | {"request": {"universe": "mars"}}, 422, "sp500, stocks"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_rejected_field_is_named(client, name) -> None:
    body, status, words = BAD[name]
    answer = client.post("/invocations", content=json.dumps(body), headers={"Content-Type": "application/json"})
    assert (answer.status_code, words in answer.json()["error"]["message"]) == (status, True), answer.text


def test_errors_in_a_batch_are_reported_field_by_field(client) -> None:
    answer = client.post("/invocations", json={"requests": [BEAR, BEAR | {"universe": "mars"}]}).json()["error"]
    assert [one["field"] for one in answer["details"]] == ["requests.1.universe"]


@pytest.mark.parametrize(
    ("content", "headers", "status", "word"),
    [
        (b"{", {}, 400, "is not JSON"),
        (b"", {}, 400, "is not JSON"),
        (b"\xff\xfe{", {}, 400, "is not JSON"),
        (b"[" * 15_000, {}, 400, "JSON"),
        (b"[" * 30_000, {}, 413, "parts"),
        (b'{"config": 1' + b"0" * 5_000 + b"}", {}, 400, "is not JSON"),
        (b" " * (LARGEST + 1), {}, 413, "expected at most 6 MB"),
        (b"1,2,3", {"Content-Type": "text/csv"}, 415, "expected application/json"),
        (json.dumps(BEAR).encode(), {"Content-Type": "application/octet-stream"}, 415, "application/octet-stream"),
        (json.dumps(BEAR).encode(), {"Accept": "text/csv"}, 406, "expected application/json"),
    ],
)
def test_an_unreadable_body_is_a_client_error(client, content, headers, status, word) -> None:
    answer = client.post("/invocations", content=content, headers={"Content-Type": "application/json"} | headers)
    assert (answer.status_code, word in answer.json()["error"]["message"]) == (status, True), answer.text


def test_there_is_no_other_route(client) -> None:
    assert client.get("/ping").content == b""
    parameters = client.get("/execution-parameters").json()
    assert parameters == {"MaxConcurrentTransforms": 2, "BatchStrategy": "SINGLE_RECORD", "MaxPayloadInMB": 6}
    for place in ("/", "/docs", "/redoc", "/openapi.json", "/api/health", "/api/evaluations"):
        answer = client.get(place)
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "NOT_FOUND")
    assert client.get("/invocations").status_code == 405


class HeldBack(BundledPrices):
    """Prices that come when the test lets them."""

    def __init__(self) -> None:
        self.let = threading.Event()
        self.loading = 0
        self.most = 0

    async def load(self, universe: str) -> Prices:
        self.loading += 1
        self.most = max(self.most, self.loading)
        await asyncio.to_thread(self.let.wait, 60)
        self.loading -= 1
        return await super().load(universe)


def until(condition: Any) -> None:
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_requests_wait_for_warm_up_and_are_limited_in_number_and_time(home) -> None:
    prices = HeldBack()
    app = create_endpoint(settings_of(home), prices, None, time_limit=5.0)
    with run_server(app) as address, httpx.Client(base_url=address, timeout=60) as client:
        until(lambda: prices.loading)  # the first answer, which nobody has asked for
        for answer in (client.get("/ping"), client.post("/invocations", json=BEAR)):
            assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
        prices.let.set()
        ready(client)

        prices.let.clear()
        prices.most = 0
        with ThreadPoolExecutor(3) as pool:
            begun = [pool.submit(client.post, "/invocations", json=BEAR) for _ in range(3)]
            until(lambda: prices.loading == 2)
            assert client.get("/ping").status_code == 200
            prices.let.set()
            answers = [each.result() for each in begun]
        assert prices.most == 2
        assert [answer.status_code for answer in answers] == [200] * 3
        assert answers[0].content == answers[1].content == answers[2].content

        missing = client.post("/invocations", json=PREDICTED)
        assert (missing.status_code, "surrogate.bin" in missing.text) == (404, True)


def test_a_request_that_would_wait_too_long_is_rejected(home) -> None:
    prices = HeldBack()
    app = create_endpoint(settings_of(home), prices, None, time_limit=0.05)
    with run_server(app) as address, httpx.Client(base_url=address, timeout=60) as client:
        prices.let.set()
        ready(client)
        prices.let.clear()
        answer = client.post("/invocations", json=BEAR)
        prices.let.set()
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert "0.05 seconds" in answer.json()["error"]["message"]


def test_an_unusable_model_is_reported_at_the_start(model, tmp_path, monkeypatch, capfd) -> None:
    before = signal.getsignal(signal.SIGTERM)
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / FILE).write_bytes((model / FILE).read_bytes()[:-1])
    for name, value in {
        "STRATIGOS_SERVES": "endpoint",
        "STRATIGOS_HOST": "127.0.0.1",
        "SAGEMAKER_BIND_TO_PORT": str(free_port()),
        "STRATIGOS_CONTAINER_ROOT": str(tmp_path),
    }.items():
        monkeypatch.setenv(name, value)
    assert run(["serve"]) == 2
    assert "the file is cut off" in capfd.readouterr().err
    monkeypatch.setenv("STRATIGOS_AUTH", "keys")
    assert run(["serve"]) == 2
    assert "IAM" in capfd.readouterr().err
    signal.signal(signal.SIGTERM, before)


@pytest.mark.soak
def test_the_command_of_a_container_serves_until_sigterm(client, model, home, tmp_path) -> None:
    port = free_port()
    environment = {
        name: value for name, value in os.environ.items() if name.startswith(("NUMBA", "STRATIGOS_KERNEL", "PATH"))
    }
    given = {
        "STRATIGOS_SERVES": "endpoint",
        "STRATIGOS_HOST": "127.0.0.1",
        "STRATIGOS_PORT": "1",  # the service's, which is not asked
        "SAGEMAKER_BIND_TO_PORT": str(port),
        "STRATIGOS_CONTAINER_ROOT": str(model.parent),
        "STRATIGOS_HOME": str(home / "none"),
    }
    command = [sys.executable, "-m", "api", "serve"]
    large = BEAR | {"scenario": BUILT_IN[0].model_copy(update={"paths": 10_000}).model_dump(mode="json")}
    seen: set[int] = set()
    with (
        (tmp_path / "out").open("w") as out,
        subprocess.Popen(command, cwd=ROOT, env=environment | given, stdout=out) as process,
        ExitStack() as stack,
    ):
        stack.callback(process.kill)
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as asking, ThreadPoolExecutor(1) as pool:
            end = time.monotonic() + 240
            while 200 not in seen:
                assert time.monotonic() < end
                with suppress(httpx.ConnectError):
                    seen.add(asking.get("/ping").status_code)
                time.sleep(0.02)
            assert seen == {503, 200}
            for body in (BEAR, PREDICTED):
                assert invoke(asking, body) == invoke(client, body)
            begun = pool.submit(asking.post, "/invocations", json=large)
            time.sleep(0.3)
            process.send_signal(signal.SIGTERM)
            stop_time = time.monotonic()
            assert begun.result().json() == invoke(client, large)
        process.wait(30)
        assert time.monotonic() - stop_time < 30
    assert process.returncode == 0
    lines = [json.loads(line) for line in (tmp_path / "out").read_text().splitlines()]
    assert [line["status"] for line in lines if line.get("route") == "/invocations"] == [200, 200, 200]
    assert not (home / "none").exists(), "it needs no home"
