"""Make `.venv/` from `uv.lock`, on a machine that has nothing but Python 3.11 or later.

`make` runs it whenever `uv.lock` or `pyproject.toml` is newer than the environment. It needs
neither uv nor a compiler nor root: it puts a pinned uv into `.tools/` with pip, and uv does the
rest with the Python that runs this script. Where pip comes from depends on the machine:

- usually from a virtual environment (`python3 -m venv`), which brings its own pip;
- Debian's bare python3 has no `ensurepip`, hence no such environment: there the pip wheel is
  fetched from PyPI, compared with the hash below, and run as it is.

pip reads the user's own configuration (index, certificates, proxy). Arguments are handed on to
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
        found = "{}.{}".format(*sys.version_info[:2])
        sys.exit(
            "Stratigos needs Python 3.11 or later; {} is {}.\nName a newer one: make PYTHON=python3.12 ...".format(
                sys.executable, found
            )
        )


def pip():
    """The command of a pip that runs without touching the machine's own packages."""
    if importlib.util.find_spec("ensurepip") is not None:
        home = TOOLS / "pip"
        subprocess.run([sys.executable, "-m", "venv", "--clear", home], check=True)
        scripts = "Scripts" if os.name == "nt" else "bin"
        return [str(home / scripts / "python"), "-m", "pip"]
    wheel = TOOLS / PIP_URL.rpartition("/")[2]
    TOOLS.mkdir(exist_ok=True)
    try:
        with urllib.request.urlopen(PIP_URL, timeout=60) as response:
            content = response.read()
    except urllib.error.URLError as error:
        sys.exit(
            "This Python has no ensurepip, and {} cannot be fetched: {}.\n"
            "Install it (Debian: apt-get install python3-venv) or mend the connection.".format(PIP_URL, error.reason)
        )
    if hashlib.sha256(content).hexdigest() != PIP_SHA256:
        sys.exit("{} is not the file that was pinned; nothing was run.".format(PIP_URL))
    wheel.write_bytes(content)
    return [sys.executable, str(wheel / "pip")]


def uv():
    """The path of the pinned uv, installed if it is not there yet."""
    home = TOOLS / ("uv-" + UV_VERSION)
    program = home / "bin" / ("uv.exe" if os.name == "nt" else "uv")
    if not program.exists():
        print("fetching uv {} into {}".format(UV_VERSION, TOOLS.name), flush=True)
        shutil.rmtree(home, ignore_errors=True)
        install = ["install", "--quiet", "--disable-pip-version-check", "--no-compile"]
        install += ["--root-user-action", "ignore"]
        install += ["--only-binary", ":all:", "--target", str(home), "uv==" + UV_VERSION]
        if subprocess.run(pip() + install).returncode != 0:
            sys.exit("pip could not install uv {}; its message stands above.".format(UV_VERSION))
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
        sync.append("--no-build")  # one peer of the benchmarks comes as C++ source; the product never does
    print("installing what uv.lock names into .venv", flush=True)
    if subprocess.run(sync + sys.argv[1:], cwd=str(ROOT), env=environment).returncode != 0:
        sys.exit("The environment could not be made; uv's message stands above.")
    STAMP.touch()


if __name__ == "__main__":
    main()
