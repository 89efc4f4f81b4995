"""A container that writes the prepared output of a step: FOLDER worker --step NAME."""

import os
import shutil
import sys
import time
from pathlib import Path

NAMES = {
    "data_validation": "work",
    "scenario_generation": "scenarios",
    "distributed_optimization": "result",
    "training": "surrogate",
    "aggregation": "answer",
}

if __name__ == "__main__":
    folder, step, tree = Path(sys.argv[1]), sys.argv[-1], Path(os.environ["STRATIGOS_CONTAINER_ROOT"])
    while (folder / f"{step}.waits").exists():
        time.sleep(0.01)
    wrong = folder / f"{step}.wrong"
    if wrong.exists():
        (tree / "output").mkdir(exist_ok=True)
        (tree / "output" / "message").write_text(wrong.read_text())
        sys.exit(2)
    hold = folder / f"{step}.held"
    shutil.copytree(folder / step, tree / "processing" / "output" / NAMES[step], dirs_exist_ok=True)
    while hold.exists():
        time.sleep(0.01)
