"""The templates of stages, synthesised in a process of their own."""

import subprocess
import sys
from pathlib import Path

from infra.checks.assembly import Stage, load
from infra.config import stage_config

ROOT = Path(__file__).parents[2]


def synthesise(folder: Path, *stages: str, without: str = "") -> dict[str, Stage]:
    """The stages by name; cdk-nag has no open finding in them."""
    command = [sys.executable, "-m", "infra.app", "--stage", *stages, "--out", str(folder), "--without", without]
    process = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert process.returncode == 0, process.stdout[-5000:] + process.stderr[-5000:]
    return {name: load(folder / name, stage_config(name)) for name in stages}
