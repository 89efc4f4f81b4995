"""Stages of the tests, synthesised in a process of their own: `python -m tests.infra.stages FOLDER`."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from infra.checks.assembly import Stage, load
from infra.checks.run import SNAPSHOT_STAGES
from infra.config import Domain, Slack, stage_config

ROOT = Path(__file__).parents[2]
EPHEMERAL = ("pr4", "pr42")
EQUIPPED = replace(
    stage_config("pr42"),
    domain=Domain("desk.example.com", zone="Z0123456789ABCDEFGHIJ"),
    slack=Slack(workspace="T0123ABCD", channel="C0123ABCD"),
)
"""A stage with everything that no other one has."""
CONFIGS = {each: stage_config(each) for each in (*SNAPSHOT_STAGES, *EPHEMERAL)} | {EQUIPPED.name: EQUIPPED}


def synthesise(folder: Path) -> dict[str, Stage]:
    """The stages by name; cdk-nag has no open finding in them."""
    command = [sys.executable, "-m", "tests.infra.stages", str(folder)]
    process = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert process.returncode == 0, process.stdout[-5000:] + process.stderr[-5000:]
    return {name: load(folder / name, config) for name, config in CONFIGS.items()}


if __name__ == "__main__":
    from infra.app import create_app

    for config in CONFIGS.values():
        create_app(config, Path(sys.argv[1]) / config.name).synth()
