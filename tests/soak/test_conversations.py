"""A turn of a conversation, killed at every event and every write, and resumed."""

import re
import signal

import pytest

from tests.api.cli.chat_terminal import CTRL_C, CTRL_D, JOKE, LUCK
from tests.graphs.conversations.interrupted_turns import SEARCH, begin_talk, count_questions, run_process, stored_traces

pytestmark = [pytest.mark.anyio, pytest.mark.soak]


def repeated_calls(place, home_with_result):
    """Model calls that were made more often than in an undisturbed turn."""
    assert not count_questions(home_with_result) - count_questions(place)
    return (count_questions(place) - count_questions(home_with_result)).total()


@pytest.mark.parametrize("before", [True, False])
async def test_a_turn_killed_at_each_event_comes_to_the_same(before: bool, home, home_with_result):
    expected = await stored_traces(home_with_result)
    for log in expected["logs"].values():
        for event in log:
            place = home / event["id"]
            await begin_talk(place)
            assert run_process(place, SEARCH, [event["id"]], before=before) == -signal.SIGKILL
            assert run_process(place, SEARCH, []) == 0
            assert await stored_traces(place) == expected
            assert repeated_calls(place, home_with_result) <= 2  # calls in flight at the kill
            print(f"{event['node']} {event['event']}", flush=True)


async def test_a_turn_killed_at_each_write_comes_to_the_same(home, home_with_result):
    expected = await stored_traces(home_with_result)
    writes, code = 0, None
    while code != 0:
        writes += 1
        place = home / str(writes)
        await begin_talk(place)
        code = run_process(place, SEARCH, [], writes=writes)
        assert code in (0, -signal.SIGKILL)
        assert code == 0 or run_process(place, SEARCH, []) == 0
        assert await stored_traces(place) == expected
        assert repeated_calls(place, home_with_result) <= 2
        print(f"write {writes}", flush=True)
    assert writes > 50


def test_the_next_start_resumes_after_ctrl_c(terminal):
    for moment in ("Assistant calls", "Risk manager: limits", "Estimate, plan 1", "Judging", "Checking every claim"):
        chat = terminal()
        chat.until("› ")
        chat.type(SEARCH)
        chat.until(moment)
        chat.press(CTRL_C)
        chat.until("Interrupted; finished work is kept.")
        chat.until("› ")
        chat.press(CTRL_C)
        assert chat.ended() == 0
        again = terminal("--conversation", "last")
        again.until(f"Continuing: {SEARCH}")
        again.until("The verdict is ")
        again.until("› ")
        again.press(CTRL_D)
        assert again.ended() == 0


LONG = "optimize the S&P 500 with 10% volatility, 200 trials, 500 paths"
"""Runs until it is interrupted."""


def test_a_terminal_chat_with_interrupts_figures_and_branches(terminal):
    chat = terminal()
    assert "answered by embedded planner" in chat.until("/quit ends.")
    chat.until("› ")
    chat.type("/figures")
    chat.until("Commands: /help, /figures, /turns, /branch N, /quit.")
    chat.until("› ")
    chat.type("/branch 1")
    chat.until("turn: 1 is not allowed; expected a turn of a conversation with turns")
    chat.until("› ")
    chat.type("/help")
    assert "optimize the S&P 500 with 10% volatility" in chat.until("open the holdout")
    chat.until("› ")
    chat.type("")
    chat.type(LONG)
    chat.until("Assistant calls run_optimization(")
    chat.until("Risk manager: limits")
    chat.press(CTRL_C)
    chat.until("Interrupted; finished work is kept.")
    chat.until("› ")
    chat.type(LUCK)
    chat.until(f"Continuing: {LONG}")
    chat.until("The verdict is ")
    chat.until("Assistant calls explain_result(topic=luck")
    chat.until("the verdict is ")
    chat.until("› ")
    chat.type("/figures")
    assert "result.luck" in chat.until("› ")
    chat.type("/turns")
    assert [line.split(maxsplit=1)[1] for line in chat.until("› ").splitlines() if re.match(r" +\d", line)] == [
        LONG,
        LUCK,
    ]
    chat.type("/branch 1")
    chat.until("continues after turn 1.")
    chat.until("› ")
    chat.type(JOKE)
    chat.until("nothing this desk can do")
    chat.until("› ")
    chat.type("/turns")
    assert LUCK not in chat.until("› ")
    chat.press(CTRL_C)
    assert chat.ended() == 0


def test_an_approval_is_answered_in_place(terminal):
    chat = terminal(APPROVE_EVALUATIONS="5")
    chat.until("› ")
    chat.type(SEARCH)
    chat.until("a = approve, e = edit the trials, r = reject, Enter = leave it waiting: ")
    chat.type("x")
    chat.until("answer: 'x' is not allowed; expected a, e, r, or Enter")
    chat.until("waiting: ")
    chat.press(CTRL_C)
    chat.until("Interrupted; finished work is kept.")
    chat.until("› ")
    chat.type(LUCK)
    chat.until("Continuing: ")
    chat.until("waiting: ")
    chat.type("")
    chat.until("Approve it: python -m api approve ")
    chat.until("Your message was not sent")
    chat.until("› ")
    chat.type("/quit")
    assert chat.ended() == 3
    again = terminal("--conversation", "last", APPROVE_EVALUATIONS="5")
    again.until("waiting: ")
    again.type("e")
    again.until("Trials: ")
    again.type("12")
    again.until("Of the 12 configurations")
    again.until("› ")
    again.type("open the holdout")
    assert "e = edit" not in again.until("a = approve, r = reject, Enter = leave it waiting: ")
    again.type("e")
    again.until("expected a, r, or Enter")
    again.until("waiting: ")
    again.type("a")
    again.until("The locked holdout was opened")
    again.until("› ")
    again.type("another one with 15 trials, the same otherwise")
    again.until("waiting: ")
    again.type("r")
    again.until("Reason: ")
    again.type("too dear")
    again.until("too dear")
    again.until("› ")
    again.press(CTRL_D)
    assert again.ended() == 0
