"""The build of the web application on a machine without node."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_npm_of_the_wheel_runs_where_the_machine_has_no_node(tmp_path):
    command = [sys.executable, str(ROOT / "web" / "npm.py"), "--version"]
    answer = subprocess.run(command, env={"PATH": str(tmp_path)}, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr
    assert re.fullmatch(r"\d+\.\d+\.\d+", answer.stdout.strip())
