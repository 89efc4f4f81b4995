"""A container that writes prepared results; it needs the standard library only.

`python fixed_results.py FOLDER worker`: FOLDER/JOB holds the result of a job, and says what each attempt does with it.
"""

import json
import os
import shutil
import signal
import sys
import time
from pathlib import Path

ROOT = Path(os.environ.get("STRATIGOS_CONTAINER_ROOT", "/opt/ml"))
RESULT, SHARDS = ROOT / "processing/output/result", ROOT / "processing/output/shards"


def main(folder: Path) -> None:
    name = json.loads((ROOT / "config/processingjobconfig.json").read_text())["ProcessingJobName"]
    job, _, number = name.rpartition("-")
    behaviour = json.loads((folder / job / "attempts.json").read_text()).get(number, {})
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    (SHARDS / "some.shard").write_text("computed")
    for path in sorted((folder / job / "result").iterdir()):
        if path.name not in behaviour.get("without", ()):
            place(path.name, path.read_bytes()[: behaviour.get("cut", {}).get(path.name)])
    for name, content in behaviour.get("besides", {}).items():
        place(name, content.encode())
    if behaviour.get("waits"):
        time.sleep(60)
    if behaviour.get("dies"):
        os.kill(os.getpid(), signal.SIGKILL)
    (ROOT / "output/message").write_text(behaviour.get("message", ""))
    sys.exit(behaviour.get("code", 0))


def place(name: str, content: bytes) -> None:
    part = RESULT.parent / name
    part.write_bytes(content)
    shutil.move(part, RESULT / name)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
