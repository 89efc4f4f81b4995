"""Runs, results and digests on standard output."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.table import Table

from api.cli.output.summary import show
from api.cli.terminal import plain, stdout

if TYPE_CHECKING:
    from api.cli.runs.port import CompletedRun, Digests, Elapsed, Questions
    from desk.optimization.result import OptimizationResult
    from graphs.runs.job_status import JobSummary


def print_summaries(summaries: "Sequence[JobSummary]", *, as_json: bool) -> None:
    if as_json:
        fields = {"id", "state", "created_at", "result_digest", "name", "interrupted"}
        lines = [run.model_dump(mode="json", include=fields) | {"data_digest": run.data_version} for run in summaries]
        print(json.dumps(lines))
        return
    if not summaries:
        print("No run yet: python -m api optimize makes one.")
        return
    table = Table(box=None, pad_edge=False)
    for heading in ("Run", "State", "Made (UTC)", "Trials", "Name", "Result digest"):
        table.add_column(heading, no_wrap=heading in ("Run", "State"))
    for run in summaries:
        created = run.created_at.strftime("%Y-%m-%d %H:%M")
        state = "archived" if run.archived_at else "interrupted" if run.interrupted else run.state
        table.add_row(run.id[:12], state, created, str(run.trials), plain(run.name), (run.result_digest or "")[:12])
    stdout().print(table)
    if waiting_ids := [run.id[:12] for run in summaries if run.state == "waiting"]:
        print(f"Waiting for your decision: {', '.join(waiting_ids)} (python -m api approve RUN, or reject)")
    if interrupted_ids := [run.id[:12] for run in summaries if run.interrupted]:
        print(f"Interrupted: {', '.join(interrupted_ids)} (python -m api optimize --resume RUN)")


def print_outcome(run: "CompletedRun", report: Path, elapsed: "Elapsed", *, as_json: bool) -> None:
    """The result of a run that has just ended."""
    result = run.result
    if as_json:
        partial = {"partial": result.partial} if result.partial else {}
        fields = {"run": run.run, "report": str(report), "seconds": elapsed.seconds, "result_digest": result.digest()}
        sys.stdout.write(json.dumps(partial | fields | {"result": result.model_dump(mode="json")}) + "\n")
        return
    show(stdout(), result)
    print(f"Took {elapsed.seconds['wall']:.1f} s, {elapsed.scope}")
    print(f"Run {run.run}")
    _print_source(result, report)


def print_result(result: "OptimizationResult", report: Path, *, watermark: str | None = None) -> None:
    """A stored result."""
    show(stdout(), result, watermark=watermark)
    _print_source(result, report)


def _print_source(result: "OptimizationResult", report: Path) -> None:
    print(f"Report {report}")
    print(f"result digest: {result.digest()}")


def print_digests(digests: "Digests") -> bool:
    """Whether the two are equal."""
    print(f"stored digest:     {digests.stored}")
    print(f"reproduced digest: {digests.reproduced}")
    same = digests.stored == digests.reproduced
    print("The result is the same." if same else "THE RESULT DIFFERS.")
    if not digests.same_code:
        print("The numeric core has changed since the run.", file=sys.stderr)
    return same


def print_questions(questions: "Questions", *, as_json: bool) -> None:
    if as_json:
        print(json.dumps([row.question.model_dump(mode="json") for row in questions.rows]))
        return
    if not questions.rows:
        print("Nothing waits for your decision.")
        return
    table = Table(box=None, pad_edge=False)
    for heading in (questions.heading, "Asked (UTC)", "By", "Name", "What"):
        table.add_column(heading, no_wrap=heading == questions.heading)
    for name, question in questions.rows:
        at = question.asked.at.strftime("%Y-%m-%d %H:%M")
        table.add_row(name, at, question.owner, plain(question.name), question.asked.describe())
    stdout().print(table)
    print(f"Decide: {questions.instruction}, or reject with --reason TEXT")
