"""`python -m infra.checks`: synthesis with cdk-nag, cfn-lint, the rules, and the differences to the snapshots."""

import argparse
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from infra.app import create_app
from infra.checks.assembly import Stage, load
from infra.checks.finding import findings
from infra.checks.run import LINT_EXCEPTIONS, RULES, SNAPSHOT_STAGES, STAGES
from infra.checks.snapshot import differences, write
from infra.config import stage_config

ROOT = Path(__file__).parents[2]
REDUCTIONS = {
    "dev": [(leaf,) for leaf in stage_config("dev").leaves],
    "prod": [stage_config("prod").leaves],
}
"""Stacks that no other one needs, left out one by one and together."""


def synthesise(folder: Path) -> None:
    """Write the templates of the stages, whole and without each leaf; a finding of cdk-nag ends the program."""
    for name in STAGES:
        create_app(stage_config(name), folder / "whole" / name).synth()
    for name, reductions in REDUCTIONS.items():
        for number, leaves in enumerate(reductions):
            create_app(stage_config(name), folder / "reduced" / f"{name}-{number}", frozenset(leaves)).synth()


def lint(folder: Path) -> str:
    """What cfn-lint finds in the templates."""
    templates = sorted(map(str, folder.rglob("*.template.json")))
    ignored = [argument for rule in LINT_EXCEPTIONS for argument in ("--ignore-checks", rule)]
    command = [str(Path(sys.executable).with_name("cfn-lint")), *ignored, "--format", "parseable", "--", *templates]
    process = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    return process.stdout + process.stderr if process.returncode else ""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m infra.checks", description=__doc__)
    parser.add_argument("--update", action="store_true", help="write the snapshots instead of comparing with them")
    arguments = parser.parse_args()
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        synthesise(folder)
        seconds = round(time.monotonic() - start)
        print(f"{len(STAGES)} stages synthesised, two also without each stack that no other needs ({seconds} s)")
        with ThreadPoolExecutor(1) as pool:  # cfn-lint is a process, so the rules run beside it
            linting = pool.submit(lint, folder / "whole")
            reports = [
                report(load(folder / "whole" / name, stage_config(name)), update=arguments.update) for name in STAGES
            ]
            reports.append(linting.result())
    problems = "\n".join(filter(None, reports))
    print(problems or f"{len(RULES)} rules, cfn-lint and the snapshots agree ({time.monotonic() - start:.0f} s)")
    return 1 if problems else 0


def report(stage: Stage, *, update: bool) -> str:
    """The violated rules of a stage and the differences to its snapshot."""
    lines = [f"{stage.config.name}: {each}" for each in findings(RULES, stage)]
    if stage.config.name not in SNAPSHOT_STAGES:
        return "\n".join(lines)
    if update:
        write(stage)
    elif changes := differences(stage):
        lines += [changes, "run `make infra-snapshots` if these changes are intended"]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
