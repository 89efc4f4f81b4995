"""What Ray's processes print when a node dies never mixes with the output of a command."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
SCRIPT = """
import os, subprocess, sys, threading
from desk.compute.ray_cluster import keep_standard_output
print("{")
for _ in range(2):
    keep_standard_output()
os.write(1, b"a library reports a dead node\\n")
reporting = threading.Thread(target=print, args=["Ray reports a dead raylet"], name="ray_listen_error_messages")
reporting.start()
reporting.join()
subprocess.run([sys.executable, "-c", "print('a raylet dies')"], check=True)
print('"run": "1"}')
"""


def test_standard_output_holds_only_what_this_program_prints() -> None:
    process = subprocess.run([sys.executable, "-c", SCRIPT], cwd=ROOT, capture_output=True, text=True, check=True)
    assert json.loads(process.stdout) == {"run": "1"}
    assert process.stderr.splitlines() == [
        "a library reports a dead node",
        "Ray reports a dead raylet",
        "a raylet dies",
    ]
