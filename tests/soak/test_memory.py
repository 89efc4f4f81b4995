"""Peak memory of the reference job, and with ten times the paths."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.peak_memory import PEAK
from tests.quant import simulation_memory

ROOT = Path(__file__).parents[2]
MEASURED = (
    PEAK
    + """
import runpy, sys
sys.argv = ["api", *sys.argv[1:]]
try:
    runpy.run_module("api", run_name="__main__")
except SystemExit as ended:
    assert not ended.code, ended.code
print("peak MB:", peak_megabytes())
"""
)

pytestmark = pytest.mark.soak


def peak_megabytes(home: Path, paths: int) -> float:
    process = subprocess.run(
        [sys.executable, "-c", MEASURED, "optimize", "--trials", "100", "--paths", str(paths), "--stopping", "budget"],
        cwd=ROOT,
        env={**os.environ, "STRATIGOS_HOME": str(home)},
        capture_output=True,
        text=True,
        check=True,
    )
    return float(process.stdout.rsplit("peak MB:", 1)[1])


def test_the_reference_job_stays_below_800_megabytes_and_paths_add_less_than_20(tmp_path: Path) -> None:
    peak_megabytes(tmp_path / "warm", 100)
    reference = peak_megabytes(tmp_path / "reference", 1_000)
    tenfold = peak_megabytes(tmp_path / "tenfold", 10_000)
    print(f"reference job {reference:.0f} MB, ten times the paths {tenfold - reference:+.1f} MB")
    assert reference < 800.0
    assert tenfold - reference < 20.0


def test_a_hundred_thousand_paths_of_ten_years_under_fifty_configs_stay_below_800_megabytes() -> None:
    peak = simulation_memory.peak_megabytes(100_000, 2_520, 50)
    print(f"100,000 paths x 2,520 days x 50 configs: {peak:.0f} MB")
    assert peak < 800.0
