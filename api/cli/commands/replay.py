"""`record` and `replay`: runs with their model calls in a cassette, for tests without a network."""

import asyncio
import shlex
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from api.cli.commands.chat import parse_messages
from api.cli.commands.optimize import parse_request
from api.cli.exit_codes import DONE, FAULT
from api.cli.output.progress import Reporter
from api.cli.terminal import stderr
from api.settings import read_model_options, read_settings
from desk.base.errors import InvalidInput

if TYPE_CHECKING:
    from api.recording.recorded_runs import Script

_RECORD = """
Examples:

    python -m api record -- optimize --trials 20 --paths 200 --years 1

    python -m api record --output tests/cassettes/mine.yaml -- optimize --seed 7

    python -m api record -- chat --say "does the 12-month rule still hold?" --say "save it as Core"

    python -m api record --again tests/cassettes/mine.yaml

MODEL and the AWS variables choose the models; `make serve-bedrock-double` serves one for a trial.
"""

Output = Annotated[
    Path, typer.Option("--output", "-o", metavar="PATH", help="The cassette; .yaml, or .yaml.gz to compress it.")
]
Again = Annotated[bool, typer.Option("--again", help="Record the runs of the named cassettes again, in place.")]
Arguments = Annotated[
    list[str], typer.Argument(metavar="-- optimize|chat ...", help="The command to record, or cassettes with --again.")
]
Tape = Annotated[Path, typer.Argument(metavar="CASSETTE", help="A cassette that `record` made.")]


def register(app: typer.Typer) -> None:
    app.command(epilog=_RECORD)(record)
    app.command()(replay)


def record(arguments: Arguments, *, output: Output = Path("cassette.yaml"), again: Again = False) -> int:
    """Execute a run and write its calls to Amazon Bedrock into a cassette (a YAML file of vcrpy)."""
    if again:
        return max(_again(Path(argument)) for argument in arguments)
    if arguments[0] not in ("optimize", "chat"):
        reason, allowed = f"{arguments[0]!r} calls no model", "optimize ..., or chat --say ..."
        raise InvalidInput("command", arguments[0], reason=reason, allowed=allowed)
    if output.suffixes[-1:] != [".yaml"] and output.suffixes[-2:] != [".yaml", ".gz"]:
        raise InvalidInput("--output", str(output), allowed="a path that ends in .yaml or .yaml.gz")
    return _record([_script(arguments)], f"python -m api record -- {shlex.join(arguments)}", output)


def _script(arguments: list[str]) -> "Script":
    if arguments[0] == "optimize":
        return parse_request(arguments[1:])
    return parse_messages(arguments[1:])


def replay(cassette: Tape) -> int:
    """Execute the runs of a cassette again without the network (exit code 1 if their traces differ)."""
    from agents.recording.cassette import Cassette
    from agents.recording.player import Player
    from api.recording import recorded_runs

    content = Cassette.load(cassette)
    label = recorded_runs.label_of(content, cassette)
    for secret in content.secrets:
        print(f"{cassette} contains a secret, which was masked when it was read: {secret}", file=sys.stderr)
    comparison = asyncio.run(recorded_runs.replay(Player(content), label))
    runs = "1 run" if comparison.runs == 1 else f"{comparison.runs} runs"
    print(
        f"{runs}, {comparison.events} events; {comparison.calls} of {len(content.interactions)} recorded calls played"
    )
    print(f"Attempts to reach the network: {comparison.attempts}")
    if not comparison.same_code:
        print("The code has changed since the recording; result digests contain its version and were not compared")
    for difference in comparison.differences:
        print(f"\n{difference}")
    print("DIFFERENT from the recording" if comparison.differences else "The trace is the same as recorded")
    return FAULT if comparison.differences else DONE


def _again(path: Path) -> int:
    from agents.recording.cassette import Cassette
    from api.recording import recorded_runs

    label = recorded_runs.label_of(Cassette.load(path), path)
    if label.scripted:
        print(f"{path} is unchanged: its faults need a scripted model; make cassettes records it", file=sys.stderr)
        return DONE
    return _record([run.request or run.messages for run in label.runs], f"python -m api record --again {path}", path)


def _check_place(path: Path) -> None:
    """Refuse a path that cannot be written, before a recording that may cost money."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path.parent):
            reason = "is a folder" if path.is_dir() else None
    except OSError as error:
        reason = f"cannot be written: {error.strerror}"
    if reason:
        raise InvalidInput(
            "cassette", str(path), reason=f"{str(path)!r} {reason}", allowed="a file in a folder of yours"
        )


def _record(scripts: "list[Script]", made_by: str, path: Path) -> int:
    from agents.recording.cassette import check_library
    from api.recording import recorded_runs

    options = read_model_options()
    check_library()
    _check_place(path)
    try:
        with Reporter(stderr()) as reporter:
            cassette = asyncio.run(
                recorded_runs.record(scripts, options, made_by=made_by, settings=read_settings(), show=reporter.show)
            )
    except KeyboardInterrupt:
        print("Interrupted; nothing was recorded", file=sys.stderr)
        raise
    cassette.save(path)
    failures = [run.trace[-1]["kind"] for run in recorded_runs.label_of(cassette, path).runs if "kind" in run.trace[-1]]
    print(f"Recorded {len(cassette.interactions)} calls into {path}")
    for kind in failures:
        print(f"A run failed ({kind}); the cassette contains the failure")
    print(f"Replay it: python -m api replay {path}")
    return DONE
