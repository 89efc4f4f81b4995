import os
import subprocess
import sys
from pathlib import Path

import pytest

from quant.numeric.compilation import writable

ROOT = Path(__file__).parents[3]
PROGRAM = "from quant.numeric.elementary import exp; print(exp(1.0))"
CANNOT_OVERRIDE = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"] if os.getuid() == 0 else []
"""The superuser writes to what is read-only, unless it gives up to."""


def run(kernels: Path, scratch: Path, **more: str) -> tuple[str, str]:
    scratch.mkdir(exist_ok=True)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("NUMBA", "STRATIGOS"))}
    told = {
        "STRATIGOS_KERNEL_CACHE": str(kernels),
        "TMPDIR": str(scratch),
        "NUMBA_DEBUG_CACHE": "1",
        "HOME": "/nowhere",
    }
    command = [*CANNOT_OVERRIDE, sys.executable, "-c", PROGRAM]
    ran = subprocess.run(command, cwd=ROOT, env=kept | told | more, capture_output=True, text=True, timeout=120)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.splitlines()[-1], ran.stdout


def test_kernels_of_a_read_only_folder_are_used_and_those_of_another_processor_are_added_elsewhere(
    tmp_path: Path,
) -> None:
    kernels, scratch = tmp_path / "kernels", tmp_path / "scratch"
    expected, told = run(kernels, scratch)
    assert "data saved to" in told
    assert not list(scratch.glob("stratigos-kernels-*"))
    before = {path: path.stat().st_mtime_ns for path in kernels.rglob("*")}
    for path in (kernels, *before):
        path.chmod(path.stat().st_mode & ~0o222)
    try:
        found, told = run(kernels, scratch)
        assert found == expected
        assert "data loaded from" in told
        assert "data saved to" not in told

        found, told = run(kernels, scratch, NUMBA_CPU_NAME="generic", NUMBA_CPU_FEATURES="")
        assert found == expected
        assert "data saved to" in told
        assert {path: path.stat().st_mtime_ns for path in kernels.rglob("*")} == before
    finally:
        for path in (kernels, *before):
            path.chmod(path.stat().st_mode | 0o200)


def test_a_folder_that_others_may_write_to_is_refused(tmp_path: Path) -> None:
    kernels, scratch = tmp_path / "kernels", tmp_path / "scratch"
    planted = scratch / f"stratigos-kernels-{os.getuid()}"
    planted.mkdir(parents=True)
    planted.chmod(0o777)
    kernels.mkdir()
    kernels.chmod(0o555)
    told = {"STRATIGOS_KERNEL_CACHE": str(kernels), "TMPDIR": str(scratch)}
    command = [*CANNOT_OVERRIDE, sys.executable, "-c", PROGRAM]
    ran = subprocess.run(command, cwd=ROOT, env=os.environ | told, capture_output=True, text=True, timeout=60)
    assert ran.returncode != 0
    assert "can be written to by others" in ran.stderr


@pytest.mark.parametrize("folder", ["here", "not/yet/here"])
def test_a_folder_that_can_be_written_to_is_taken_as_it_is(tmp_path: Path, folder: str) -> None:
    assert writable(tmp_path / folder) == tmp_path / folder
