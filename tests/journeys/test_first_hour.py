"""Minutes 5 to 45 of a portfolio manager's first hour, typed into `python -m api chat` with the embedded planner.

The sizes are those of a test; docs/assistant.md has the same messages in full.
"""

import io
import re
import shutil
from contextlib import redirect_stdout
from pathlib import Path

import pytest

from api.cli.main import run

SMALL = "20 trials, 100 paths, 1 year"
SEARCH = (
    "What would 100 trials take with all six scenarios?",
    f"optimize the S&P 500 with 10% volatility and at most 20% drawdown, {SMALL}",
    "risk report of 100% S&P 500 worth USD 1m",
)


def answers_in(output: str, *messages: str) -> list[str]:
    out = " ".join(output.split())
    _, *answers = re.split("|".join(re.escape(f"› {' '.join(m.split())}") for m in messages), out)
    assert len(answers) == len(messages)
    return [answer.strip() for answer in answers]


def options(*messages: str) -> list[str]:
    return [word for message in messages for word in ("--say", message)]


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str], home: Path):
    """Sends messages in the conversation of this test and returns the answer to each."""

    def say(*messages: str, code: int = 0) -> list[str]:
        capsys.readouterr()
        conversation = ["--conversation", "last"] if home.exists() else []
        assert run(["chat", *conversation, *options(*messages)]) == code
        return answers_in(capsys.readouterr().out, *messages)

    return say


@pytest.fixture(scope="module")
def searched_home(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """A home whose conversation launched a search, and the answers in it."""
    home = tmp_path_factory.mktemp("searched") / "home"
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(io.StringIO()) as output:
        patch.setenv("STRATIGOS_HOME", str(home))
        assert run(["chat", *options(*SEARCH)]) == 0
    return home, answers_in(output.getvalue(), *SEARCH)


@pytest.fixture
def search_answers(searched_home: tuple[Path, list[str]], home: Path) -> list[str]:
    """The answers to `SEARCH`, which the conversation in the home of this test continues."""
    shutil.copytree(searched_home[0], home)
    return searched_home[1]


def holds(answer: str, *parts: str) -> None:
    assert "could be checked" not in answer
    for part in parts:
        assert part in answer, f"{part!r} is not in {answer!r}"


def test_minutes_5_to_20_a_rule_is_evaluated_changed_and_saved_and_scenarios_are_shown(say) -> None:
    spreadsheet, sigmoid, wider, save, bear, clone = say(
        "Does my spreadsheet still hold? Take the 12-month rule.",
        "What about sigmoid instead?",
        "midpoint at 15% and a scale of 4%",
        "save it as Core",
        "show me the bear market",
        "clone the bear market as Like2022 with a bond correlation of +0.4",
    )
    holds(spreadsheet, "inverse volatility on 252-day volatility", "60/40", "Volatility", "bps")
    holds(sigmoid, "sigmoid", "only 50%")  # the warning that it holds half at its target
    holds(wider, "sigmoid", "60/40")
    holds(save, "Core")
    holds(bear, "−5.0%", "35.0%", "−0.17")  # drift, volatility and (-0.05 - 0.01) / 0.35
    holds(clone, "0.40")


def test_minutes_20_to_45_a_search_is_estimated_launched_and_explained(search_answers, say) -> None:
    estimate, result, risk = search_answers
    holds(estimate, "600")  # 100 trials in six scenarios
    holds(result, "constant weight", "bps a year", "verdict")
    holds(risk, "VaR", "USD", "maximum drawdown")
    ranking, limits, luck, why, against, plateau, benchmark, costs = say(
        "show the ranking",
        "which limits bind?",
        "how likely is it that this is just luck?",
        "why did it win?",
        "what speaks against it?",
        "is the winner on a plateau or a peak?",
        "how does it compare with the benchmarks?",
        "and with double the costs?",
    )
    holds(ranking, "finalist")
    holds(limits, "drawdown limit", "20%")
    holds(luck, "chance alone ends with so good a winner", "overfitting")
    holds(why, "mattered most")
    holds(against, "constant weight")
    holds(plateau, "eighbour")
    holds(benchmark, "60/40", "Fully invested")
    holds(costs, "doubled", "bps")


@pytest.mark.usefixtures("search_answers")
def test_minute_45_opening_the_holdout_is_requested_and_rejected(say, capsys) -> None:
    say("open the holdout", code=3)
    assert run(["reject", "last", "--holdout", "--reason", "not yet"]) == 0
    capsys.readouterr()
    assert run(["chat", "--conversation", "last", "--say", "list my runs"]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "rejected" in out
    assert "completed" in out
    assert run(["trace", "last"]) == 0
    assert "holdout" in capsys.readouterr().out


def test_an_unsupported_message_is_declined_with_what_can_be_asked(say) -> None:
    memo, weather = say("what did our 2018 memo say about vol targeting?", "will it rain tomorrow?")
    holds(memo, "nothing this desk can do", "“")
    holds(weather, "no forecast", "“")
