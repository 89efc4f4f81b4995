"""Follows a run to its end, and asks the person at the terminal where it waits for a decision."""

import json
import sys
from pathlib import Path

from api.cli.approval_prompt import ask_person, instructions
from api.cli.exit_codes import FAULT, WAITING
from api.cli.output.progress import Reporter
from api.cli.output.results import print_outcome
from api.cli.runs.port import CompletedRun, FailedRun, RecordedDecision, Runs
from api.cli.terminal import plain, stderr
from api.export.reporting import report_path, write
from api.home import prepare_home
from api.settings import Settings, read_settings
from desk.governance.approvals import ApprovalDecision
from store.errors import Unavailable


def follow_to_end(runs: Runs, run: str, *, as_json: bool, notice: str = "") -> int:
    """Show the notice and the run until it has a result or waits for a decision; returns the exit code."""
    try:
        if notice:
            print(notice, file=sys.stderr, flush=True)
        return _follow_to_end(runs, run, as_json=as_json)
    except (KeyboardInterrupt, Unavailable) as error:
        print(runs.interruption(run, error), file=sys.stderr)
        raise


def _follow_to_end(runs: Runs, run: str, *, as_json: bool) -> int:
    settings = read_settings()
    while True:
        with Reporter(stderr()) as reporter:
            outcome = runs.follow(run, reporter.show)
        if isinstance(outcome, FailedRun):
            print(outcome.message, file=sys.stderr)
            return FAULT
        if isinstance(outcome, CompletedRun):
            path = save_report(settings, runs, outcome)
            print_outcome(outcome, path, runs.elapsed(), as_json=as_json)
            return 0
        if as_json:
            print(json.dumps({"run": run, "state": "waiting", "asked": outcome.request.model_dump(mode="json")}))
            return WAITING
        decision = ask_person(settings, outcome, instructions(outcome, option=runs.option))
        if decision is None:
            return WAITING
        if not record(runs, run, decision).follow:
            return 0


def record(runs: Runs, name: str, decision: ApprovalDecision) -> RecordedDecision:
    """Record the decision about a run that waits, and print the one in force."""
    in_force = runs.decide(name, decision)
    print_decision(in_force)
    if in_force.question is not None:
        return in_force
    if decision.verdict == "rejected":
        print(f"Run {in_force.run} is rejected; nothing of it was computed", file=sys.stderr)
        return in_force._replace(follow=False)
    if not in_force.follow:
        resume = f"python -m api optimize --resume {in_force.run}"
        print(f"It was decided before; if it was cut off: {resume}", file=sys.stderr)
    return in_force


def print_decision(in_force: RecordedDecision) -> None:
    print(plain(in_force.decision.describe(in_force.subject)), file=sys.stderr, flush=True)


def save_report(settings: Settings, runs: Runs, run: CompletedRun) -> Path:
    """Write the report into the home and return its path."""
    prepare_home(settings)
    path = report_path(settings, run.run)
    write(path, runs.report(run))
    return path
