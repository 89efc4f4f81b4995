import csv
import io
import json
import os
import re
import signal
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest

from api.cli.main import run
from desk.optimization.reading.explanation import ONE_HISTORY

ROOT = Path(__file__).parents[3]
SMALL = [
    "--trials",
    "12",
    "--paths",
    "100",
    "--years",
    "1",
    "--lookback",
    "21",
    "--lookback",
    "63",
    "--from",
    "2015-01-05",
]


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    place = tmp_path / "home"
    monkeypatch.setenv("STRATIGOS_HOME", str(place))
    return place


@pytest.fixture(scope="module")
def finished_run(tmp_path_factory):
    """A finished run in a home of its own: the home, stdout and stderr."""
    place = tmp_path_factory.mktemp("home") / "home"
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as environment, redirect_stdout(out), redirect_stderr(err):
        environment.setenv("STRATIGOS_HOME", str(place))
        code = run(["optimize", *SMALL])
    assert code == 0, err.getvalue()
    return place, out.getvalue(), err.getvalue()


def command(*arguments, home, **environment):
    return subprocess.run(
        [sys.executable, "-m", "api", *arguments],
        cwd=ROOT,
        env=os.environ | {"STRATIGOS_HOME": str(home)} | environment,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=240,
    )


@pytest.fixture
def in_finished_home(finished_run, monkeypatch):
    monkeypatch.setenv("STRATIGOS_HOME", str(finished_run[0]))
    return finished_run[0]


HELP = """
import sys
from api.cli.main import run

HEAVY = {"numpy", "numba", "langgraph", "langchain_core", "pandas", "matplotlib", "scipy", "aiosqlite"}
for arguments in (["--help"], ["optimize", "--help"], ["data", "check", "--help"], []):
    code = run(arguments)
    print("exit", code, "of", arguments, "loaded", sorted(HEAVY & set(sys.modules)))
"""


def test_help_opens_without_the_heavy_libraries():
    done = subprocess.run([sys.executable, "-c", HELP], cwd=ROOT, capture_output=True, text=True, encoding="utf-8")
    assert done.returncode == 0, done.stderr
    exits = [line for line in done.stdout.splitlines() if line.startswith("exit ")]
    assert [line.partition(" of ")[0] for line in exits] == ["exit 0"] * 4
    assert all(line.endswith("loaded []") for line in exits), exits
    assert done.stdout.count("Usage: python -m api") == 4


def test_help_states_ranges_defaults_and_examples(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.setenv("TERMINAL_WIDTH", "160")
    assert run(["optimize", "--help"]) == 0
    text = capsys.readouterr().out
    assert "0.05 to 0.2; 0.1 by default" in text
    assert "10 to 5000; 100 by default" in text
    assert "Examples" in text
    assert "Mandate (fixed, not searched)" in text


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["--target-vol", "0"], ["--target-vol", "0", "0.05 to 0.2"]),
        (["--target-vol", "10"], ["10% is written 0.1"]),
        (["--target-vol", "nan"], ["--target-vol", "nan"]),
        (["--target-vol", "ten"], ["--target-vol", "'ten'", "0.05 to 0.2"]),
        (["--trials", "1e3"], ["--trials", "1e3", "10 to 5000"]),
        (["--min-weight", "0.8", "--max-weight", "0.5"], ["--min-weight 0.8", "--max-weight 0.5"]),
        (["--weight-function", "momentum"], ["--weight-function", "'momentum'", "trend_overlay"]),
        (["--var", "0.05", "--expected-shortfall", "0.02"], ["--var 0.05", "--expected-shortfall 0.02"]),
        (["--min-weight", "0.9", "--max-drawdown", "0.02", "--paths", "100"], ["--max-drawdown", "0.02", "0.9"]),
        (["--universe", "nikkei"], ["--universe", "'nikkei'", "sp500"]),
        (["--prices", "absent.csv"], ["absent.csv", "no such file"]),
        (["--request", "absent.json"], ["--request", "absent.json"]),
        (["--resume", "absent"], ["RUN", "there is no run"]),
        (["--resume", "x", "--trials", "20"], ["--resume", "expected"]),
        (["--target-volatility", "0.1"], ["--target-vol"]),
        (["--name", ""], ["--name", "1 to 120 characters"]),
        (["surplus"], ["surplus"]),
        (["--worlds", "seed", "--worlds", "calibrated"], ["--worlds has one value", "expected --worlds once"]),
        (["--max-volatility-error", "2"], ["--max-volatility-error 2", "above 0, below 1"]),
    ],
)
def test_a_user_error_exits_with_2_and_stores_nothing(capfd, home, arguments, parts):
    assert run(["optimize", *arguments]) == 2
    out, err = capfd.readouterr()
    assert out == ""
    assert len(err.strip().splitlines()) == 1
    assert "Traceback" not in err
    for part in parts:
        assert part in err
    assert stored(home) == []


def stored(home):
    """Files of runs; an empty database may be there."""
    import sqlite3

    if not (home / "store.sqlite").exists():
        return []
    with sqlite3.connect(home / "store.sqlite") as database:
        tables = [name for (name,) in database.execute("select name from sqlite_master where type = 'table'")]
        rows = {name: database.execute(f"select count(*) from {name}").fetchone()[0] for name in tables}
    database.close()
    return [name for name in ("record", "records", "event", "events") if rows.get(name)]


PRICES = {
    "duplicate date": ("date,A\n2020-01-02,1\n2020-01-02,2\n2020-01-03,3\n", "2020-01-02"),
    "negative price": ("date,A\n2020-01-02,1\n2020-01-03,-2\n", "-2"),
    "hole": ("date,A\n2020-01-02,1\n2020-01-03,\n2020-01-06,2\n", "row 3"),
    "text": ("date,A\n2020-01-02,1\n2020-01-03,abc\n", "abc"),
    "empty": ("", "empty"),
    "one row": ("date,A\n2020-01-02,1\n", "two dates"),
}


@pytest.mark.parametrize("kind", PRICES)
@pytest.mark.parametrize("command_name", ["check", "optimize"])
def test_a_price_file_that_cannot_be_used_is_refused(capfd, tmp_path, home, kind, command_name):
    content, named = PRICES[kind]
    path = tmp_path / "prices.csv"
    path.write_text(content)
    arguments = ["data", "check", str(path)] if command_name == "check" else ["optimize", "--prices", str(path)]
    assert run(arguments) == 2
    out, err = capfd.readouterr()
    assert out == ""
    assert named in err
    assert "prices.csv" in err
    assert "expected" in err
    assert len(err.strip().splitlines()) == 1
    assert stored(home) == []


def test_an_error_text_cannot_move_the_cursor(capfd, tmp_path):
    path = tmp_path / "request.json"
    path.write_text(json.dumps({"universe": "stocks:AA\x1b[2JX"}))
    assert run(["optimize", "--request", str(path)]) == 2
    error = capfd.readouterr().err
    assert "AA·[2JX is not in" in error
    assert "\x1b" not in error


def test_a_lookback_longer_than_the_data_allow_is_refused(capfd, tmp_path, home):
    import exchange_calendars
    import pandas as pd

    days = exchange_calendars.get_calendar("XNYS").sessions_in_range(
        pd.Timestamp("2018-01-02"), pd.Timestamp("2022-06-30")
    )
    rows = [f"{day:%Y-%m-%d},{100 + n % 7 + n / 10:.4f}" for n, day in enumerate(days)]
    path = tmp_path / "prices.csv"
    path.write_text("date,A\n" + "\n".join(rows))
    assert run(["data", "check", str(path)]) == 0
    assert "✔ PASS" in capfd.readouterr().out
    assert run(["optimize", "--prices", str(path), "--lookback", "504"]) == 2
    err = capfd.readouterr().err
    assert "--lookback" in err
    assert "506" in err  # 504 and the decision lag of 2
    assert stored(home) == []


@pytest.mark.parametrize("place", ["/proc/nowhere", "/dev/null", "/dev/null/home"])
def test_an_unwritable_home_is_named(capfd, monkeypatch, place):
    monkeypatch.setenv("STRATIGOS_HOME", place)
    assert run(["runs"]) == 2
    assert "STRATIGOS_HOME" in capfd.readouterr().err


@pytest.mark.parametrize(("variable", "value"), [("STRATIGOS_LOG_LEVEL", "loud"), ("STRATIGOS_OWNER", "a/../b")])
def test_an_invalid_setting_is_named(capfd, monkeypatch, variable, value):
    monkeypatch.setenv(variable, value)
    assert run(["runs"]) == 2
    assert variable in capfd.readouterr().err


def test_a_fault_is_one_line_and_a_log(capfd, home):
    home.mkdir()
    (home / "store.sqlite").write_bytes(b"this is no database" * 100)
    assert run(["runs"]) == 1
    err = capfd.readouterr().err
    assert len(err.strip().splitlines()) == 1
    assert "stratigos.log" in err
    assert "Traceback" in (home / "stratigos.log").read_text()


def test_no_run_yet(capfd):
    assert run(["runs"]) == 0
    assert "optimize makes one" in capfd.readouterr().out
    assert run(["show", "last"]) == 2
    assert "there is no run yet" in capfd.readouterr().err


def test_optimize_prints_what_to_do_first_and_the_digest_last(finished_run):
    home, out, err = finished_run
    lines = out.strip().splitlines()
    assert re.match(". (GREEN: Consider switching|AMBER: Do not switch yet|RED: Keep your current rule): ", lines[1])
    words = " ".join(out.split())
    assert words.index("Why:") < words.index("How sure:") < words.index(ONE_HISTORY) < words.index("after costs the")
    assert "12 configurations x 5 scenarios x 100 paths x 1 year = 60 evaluations" in " ".join(out.split())
    assert re.search(r"^Took [\d.]+ s, imports and report included; kernels", out, re.MULTILINE)
    assert re.fullmatch(r"result digest: [0-9a-f]{64}", lines[-1])
    report = Path(next(line for line in lines if line.startswith("Report ")).removeprefix("Report "))
    assert report.parent == home / "reports"
    assert report.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert "embedded planner (rule-based): fixed rules, no language model" in " ".join(err.split())
    assert "Estimate, plan 1" in err
    assert "the best within the limits, in sample" in err
    assert "trials/s" in err
    assert "\x1b" not in out + err


def test_show_runs_trace_and_reproduce_agree(capfd, in_finished_home, finished_run):
    digest = finished_run[1].strip().splitlines()[-1].removeprefix("result digest: ")
    assert run(["runs", "--json"]) == 0
    (listed,) = json.loads(capfd.readouterr().out)
    assert listed["result_digest"] == digest
    assert run(["show", listed["id"][:6]]) == 0
    assert f"result digest: {digest}" in capfd.readouterr().out
    assert run(["trace", "last"]) == 0
    drawn = capfd.readouterr().out
    assert 'assess_risk(subject="asset"): ' in drawn
    assert "12 trials" in drawn.splitlines()[-1]
    assert run(["trace", "last", "--json"]) == 0
    events = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    assert (events[0]["event"], events[-1]["event"]) == ("run_started", "run_finished")
    assert run(["reproduce", "last"]) == 0
    out = capfd.readouterr().out
    assert out.count(digest) == 2


def test_reproduce_exits_with_1_when_the_digests_differ(capfd, in_finished_home, monkeypatch):
    import graphs.jobs.reproduction
    from desk.runs.repository import load_final_result

    async def otherwise(dependencies, owner, run_id):
        result = await load_final_result(dependencies.store, owner, run_id)
        assert result is not None
        return result.model_copy(update={"caveats": ("another",)})

    monkeypatch.setattr(graphs.jobs.reproduction, "reproduce", otherwise)
    assert run(["reproduce", "last"]) == 1
    assert "DIFFERS" in capfd.readouterr().out


def test_export_writes_each_format(capfd, in_finished_home, tmp_path):
    for format_ in ("json", "csv", "html"):
        path = tmp_path / f"out.{format_}"
        assert run(["export", "last", "--format", format_, "--output", str(path)]) == 0
        assert run(["export", "last", "--format", format_, "--output", str(path)]) == 2
        assert "exists already" in capfd.readouterr().err
    assert len(json.loads((tmp_path / "out.json").read_text())["trials"]) == 12
    rows = list(csv.DictReader(io.StringIO((tmp_path / "out.csv").read_text())))
    assert len(rows) == 12
    assert all(row["estimator"] for row in rows)
    assert "</html>" in (tmp_path / "out.html").read_text()
    assert run(["export", "last", "--output", str(tmp_path / "named.csv")]) == 0
    assert (tmp_path / "named.csv").read_text() == (tmp_path / "out.csv").read_text()
    assert run(["export", "last", "--output", str(tmp_path / "named.doc")]) == 2
    assert "ends with .json, .csv, .xlsx, .html, or --format" in capfd.readouterr().err
    assert run(["export", "last", "--output", str(tmp_path)]) == 2
    assert run(["export", "last", "--output", str(tmp_path / "out.json" / "below")]) == 2
    assert run(["export", "last", "--format", "pdf"]) == 2


@pytest.mark.soak
def test_an_exported_request_gives_the_same_digest(capfd, in_finished_home, finished_run, tmp_path):
    assert run(["show", "last", "--json"]) == 0
    result = json.loads(capfd.readouterr().out)
    path = tmp_path / "request.json"
    path.write_text(json.dumps(result["manifest"]["request"]))
    done = command("optimize", "--request", str(path), "--json", home=tmp_path / "other")
    assert done.returncode == 0, done.stderr
    again = json.loads(done.stdout)
    assert again["result_digest"] == finished_run[1].strip().splitlines()[-1].removeprefix("result digest: ")
    assert again["result"]["verdict"] == result["verdict"]
    assert again["seconds"]["wall"] > 0


@pytest.mark.soak
def test_limits_that_nothing_meets_are_a_result(tmp_path):
    done = command(
        "optimize", *SMALL, "--max-turnover", "0.001", "--weight-function", "inverse_vol", home=tmp_path / "h"
    )
    assert done.returncode == 0, done.stderr
    assert "INFEASIBLE" in done.stdout
    assert "turnover" in done.stdout
    assert "result digest: " in done.stdout


def _listens_to_interrupts() -> None:
    """A shell's background job, and all that it starts, would ignore them."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.mark.parametrize("moment", [pytest.param("Market analyst", marks=pytest.mark.soak), "Estimate, plan 1"])
@pytest.mark.soak
def test_an_interrupted_run_says_how_to_continue(capfd, home, finished_run, moment):
    running = subprocess.Popen(
        [sys.executable, "-m", "api", "optimize", *SMALL],
        cwd=ROOT,
        env=os.environ | {"STRATIGOS_HOME": str(home)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=_listens_to_interrupts,  # noqa: PLW1509  (it calls nothing that threads could hold)
    )
    assert running.stderr is not None
    seen = ""
    for line in running.stderr:
        seen += line
        if moment in line:
            running.send_signal(signal.SIGINT)
            break
    _, rest = running.communicate(timeout=120)
    assert running.returncode == 130
    assert "Traceback" not in rest
    resume = re.search(r"python -m api (optimize --resume [0-9a-f]+)", rest)
    assert resume is not None
    assert run(resume[1].split()) == 0
    out, err = capfd.readouterr()
    assert "agents driven by embedded planner (rule-based)" in err
    assert out.splitlines()[-1] == finished_run[1].splitlines()[-1]


@pytest.mark.soak
def test_a_closed_pipe_is_no_fault(in_finished_home):
    piped = f"{sys.executable} -m api trace last --json | head -1; exit ${{PIPESTATUS[0]}}"
    for _ in range(2):
        done = subprocess.run(["bash", "-c", piped], cwd=ROOT, capture_output=True, text=True)
        assert done.returncode in (0, 141)
        assert done.stderr == ""


@pytest.mark.parametrize(
    "environment",
    [
        {"PYTHONIOENCODING": "ascii", "COLUMNS": "20"},
        pytest.param({"PYTHONIOENCODING": "latin-1", "NO_COLOR": "1", "TERM": "dumb"}, marks=pytest.mark.soak),
    ],
)
@pytest.mark.soak
def test_output_works_on_any_terminal(finished_run, environment):
    done = command("show", "last", home=finished_run[0], **environment)
    assert done.returncode == 0, done.stderr
    assert finished_run[1].strip().splitlines()[-1] in done.stdout
    assert "\x1b" not in done.stdout


@pytest.mark.soak
def test_text_of_a_user_cannot_move_the_cursor(tmp_path):
    done = command("optimize", *SMALL, "--name", "a\x1b[31m[bold]b\nc", home=tmp_path / "h")
    assert done.returncode == 0, done.stderr
    assert "\x1b" not in done.stdout
    assert "a·[31m[bold]b·c" in done.stdout


def test_serve_explains_a_damaged_database_without_a_traceback(home, capsys):
    home.mkdir()
    (home / "store.sqlite").write_bytes(b"no database " * 1_000)
    assert run(["serve", "--port", "0"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("the database is damaged")
    assert "doctor" in line
