"""`approve` and `reject`: decide about a run that waits."""

import json
from typing import TYPE_CHECKING, Annotated

import typer

from api.cli.approval_prompt import make_decision
from api.cli.exit_codes import DONE
from api.cli.following import follow_to_end, print_decision, record
from api.cli.options import AsJson, Server
from api.cli.runs.opening import open_runs
from api.settings import read_settings
from desk.base.errors import InvalidInput
from desk.figures.figures import format_figure

if TYPE_CHECKING:
    from desk.governance.approvals import ApprovalDecision

Decidable = Annotated[
    str,
    typer.Argument(
        metavar="RUN",
        help="The id of a run, its unique beginning, or `last`; with --server also the id of a question that "
        "`approvals` lists, 8 letters or more.",
    ),
]
Trials = Annotated[str | None, typer.Option("--trials", metavar="N", help="Approve with that many trials; 10 to 5000.")]
Paths = Annotated[str | None, typer.Option("--paths", metavar="N", help="Approve with that many paths; 100 to 100000.")]
Holdout = Annotated[bool, typer.Option("--holdout", help="Decide on opening the locked holdout of a completed run.")]
Reason = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; the trace shows it.")]


def register(app: typer.Typer) -> None:
    app.command()(approve)
    app.command()(reject)


def approve(
    run: Decidable,
    *,
    trials: Trials = None,
    paths: Paths = None,
    reason: Reason = "",
    holdout: Holdout = False,
    server: Server = None,
    json_: AsJson = False,
) -> int:
    """Approve a run that waits, as it is or with other numbers of trials and paths, and continue it."""
    changes = {name: value for name, value in (("trials", trials), ("paths", paths)) if value is not None}
    if holdout:
        if changes:
            raise InvalidInput("--holdout", changes, reason="changes no run", allowed="without --trials and --paths")
        return _open_holdout(run, make_decision(read_settings(), "approved", reason=reason), server, as_json=json_)
    decision = make_decision(read_settings(), "edited" if changes else "approved", reason=reason, **changes)
    with open_runs(server) as runs:
        in_force = record(runs, run, decision)
        if in_force.question is not None and json_:
            print(in_force.question.model_dump_json())
        return follow_to_end(runs, in_force.run, as_json=json_) if in_force.follow else 0


def reject(run: Decidable, *, reason: Reason, holdout: Holdout = False, server: Server = None) -> int:
    """Reject a run that waits; nothing of it is computed."""
    decision = make_decision(read_settings(), "rejected", reason=reason)
    with open_runs(server) as runs:
        if holdout:
            print_decision(runs.decide_holdout(run, decision))
        else:
            record(runs, run, decision)
    return DONE


def _open_holdout(name: str, decision: "ApprovalDecision", server: str | None, *, as_json: bool) -> int:
    with open_runs(server) as runs:
        in_force = runs.decide_holdout(name, decision)
        print_decision(in_force)
        evaluation = runs.open_holdout(in_force.run)
    if as_json:
        print(json.dumps({"run": in_force.run, "holdout": evaluation.model_dump(mode="json")}))
        return DONE
    print(evaluation.watermark)
    for figure in evaluation.figures:
        print(f"  {figure.quantity}: {format_figure(figure)}")
    return DONE
