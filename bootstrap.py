"""Create `.venv/` from `uv.lock` on a machine that only has Python 3.11 or later.

`make` runs it whenever `uv.lock` or `pyproject.toml` is newer than the environment. It needs
no uv, no compiler and no root: it installs a pinned uv into `.tools/` with pip, and uv creates
the environment for the Python that runs this script. The source of pip depends on the machine:

- usually a virtual environment (`python3 -m venv`), which contains pip;
- Debian's python3 without `ensurepip` cannot create one: the pip wheel is downloaded from PyPI,
  compared with the hash below, and run directly.

pip reads the user's own configuration (index, certificates, proxy). Arguments are passed to
`uv sync`, for example `python3 bootstrap.py --group bench --inexact`.
"""

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parent
TOOLS = ROOT / ".tools"
STAMP = ROOT / ".venv" / ".synced"

UV_VERSION = "0.13.8"
PIP_URL = (
    "https://files.pythonhosted.org/packages/07/25/ee8c38ae72d66b844ce8eb9711ba905dba21ca1a8a0c960057c41cd23337/"
    "pip-26.3-py3-none-any.whl"
)
PIP_SHA256 = "f3b60b20ffaadd4415ed7957212a38ac63fa4c5fa375bd0f4a797777940fad13"


def require_python():
    if sys.version_info < (3, 11):
        version = "{}.{}".format(*sys.version_info[:2])
        sys.exit(
            "Stratigos needs Python 3.11 or later; {} is {}.\nChoose a newer one: make PYTHON=python3.12 ...".format(
                sys.executable, version
            )
        )


def pip():
    """The command of a pip that leaves the machine's own packages unchanged."""
    if importlib.util.find_spec("ensurepip") is not None:
        folder = TOOLS / "pip"
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
        scripts = "Scripts" if os.name == "nt" else "bin"
        return [str(folder / scripts / "python"), "-m", "pip"]
    wheel = TOOLS / PIP_URL.rpartition("/")[2]
    TOOLS.mkdir(exist_ok=True)
    try:
        with urllib.request.urlopen(PIP_URL, timeout=60) as response:
            content = response.read()
    except urllib.error.URLError as error:
        sys.exit(
            "This Python has no ensurepip, and {} cannot be downloaded: {}.\n"
            "Install ensurepip (Debian: apt-get install python3-venv) or check the network.".format(
                PIP_URL, error.reason
            )
        )
    if hashlib.sha256(content).hexdigest() != PIP_SHA256:
        sys.exit("{} does not have the pinned SHA-256 hash; it was not run.".format(PIP_URL))
    wheel.write_bytes(content)
    return [sys.executable, str(wheel / "pip")]


def uv():
    """The path of the pinned uv, which is installed if it is absent."""
    folder = TOOLS / ("uv-" + UV_VERSION)
    program = folder / "bin" / ("uv.exe" if os.name == "nt" else "uv")
    if not program.exists():
        print("installing uv {} into {}".format(UV_VERSION, TOOLS.name), flush=True)
        shutil.rmtree(folder, ignore_errors=True)
        install = ["install", "--quiet", "--disable-pip-version-check", "--no-compile"]
        install += ["--root-user-action", "ignore"]
        install += ["--only-binary", ":all:", "--target", str(folder), "uv==" + UV_VERSION]
        if subprocess.run(pip() + install).returncode != 0:
            sys.exit("pip could not install uv {}; see its message above.".format(UV_VERSION))
        shutil.rmtree(TOOLS / "pip", ignore_errors=True)
    return program


def main():
    require_python()
    environment = dict(os.environ, UV_PYTHON_DOWNLOADS="never")
    for name in ("VIRTUAL_ENV", "UV_PROJECT_ENVIRONMENT", "UV_PYTHON"):
        environment.pop(name, None)
    if not os.access(str(Path.home()), os.W_OK):
        environment.setdefault("UV_CACHE_DIR", str(TOOLS / "cache"))
    sync = [str(uv()), "sync", "--quiet", "--locked", "--python", sys.executable]
    if "bench" not in sys.argv:
        sync.append("--no-build")  # only a library of the benchmarks is built from source
    print("installing the dependencies of uv.lock into .venv", flush=True)
    if subprocess.run(sync + sys.argv[1:], cwd=str(ROOT), env=environment).returncode != 0:
        sys.exit("uv could not create the environment; see its message above.")
    STAMP.touch()


if __name__ == "__main__":
    main()
