"""Peak memory of a simulation in a process of its own."""

import os
import subprocess
import sys
from pathlib import Path

from tests.peak_memory import PEAK

ROOT = Path(__file__).parents[2]
PROGRAM = (
    PEAK
    + """
import sys
from quant.worlds.paths import path_model
from quant.strategies.rules import lay_out
from quant.worlds.scenario import BUILT_IN
from quant.strategies.search import sobol
from quant.strategies.simulation import simulate
from quant.strategies.config import SearchSpace
from quant.strategies.mandate import Mandate

paths, days, count = map(int, sys.argv[1:])
space = SearchSpace(variance_constant=("target",))
configs = sobol(space, count, seed=1)
found = simulate(
    lay_out(configs, Mandate()), path_model(BUILT_IN[0], seed=1), paths=paths, days=days,
    warm_up=space.longest_lookback() + 2, lag=2, risk_aversion=2.0,
)
assert found.mean.shape[0] == count
print(peak_megabytes())
"""
)


def peak_megabytes(paths: int, days: int, configs: int) -> float:
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(paths), str(days), str(configs)],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    return float(run.stdout)
