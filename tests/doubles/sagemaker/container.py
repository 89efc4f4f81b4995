"""Commands for containers in the fleet's own tests, with the standard library only."""

import json
import os
import shutil
import signal
import socket
import sys
import time
from pathlib import Path

ROOT = Path(os.environ.get("STRATIGOS_CONTAINER_ROOT", "/opt/ml"))
OUTPUT = ROOT / "processing/output"
PORT = 8471
"""Port on every instance, each of which has its own address."""


def main(what: str, *arguments: str) -> None:
    host = json.loads((ROOT / "config/resourceconfig.json").read_text())["current_host"]
    {"copy": copy, "fail": fail, "wait": wait, "deaf": deaf, "seen": seen}[what](host, *arguments)


def copy(host: str) -> None:
    """Copy every input to the output, and write a file named by the host's number."""
    for path in sorted((ROOT / "processing/input").rglob("*")):
        if path.is_file():
            target = OUTPUT / "result" / path.relative_to(ROOT / "processing/input")
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, target)
    (OUTPUT / "result" / f"host-{host.rpartition('.')[2]}").write_text(host)


def seen(host: str) -> None:
    """Write the container's hosts, environment and job name."""
    facts = {
        "host": host,
        "resources": json.loads((ROOT / "config/resourceconfig.json").read_text()),
        "job": json.loads((ROOT / "config/processingjobconfig.json").read_text())["ProcessingJobName"],
        "environment": dict(os.environ),
    }
    (OUTPUT / "result/seen.json").write_text(json.dumps(facts))


def fail(host: str, code: str, which: str) -> None:
    """Fail on the instance with this number once the others listen; the others wait."""
    (OUTPUT / "result" / f"before-{host.rpartition('.')[2]}").write_text("kept")
    (OUTPUT / "last" / "whole").write_text("only with the rest")
    if host.rpartition(".")[2] != which:
        wait(host)
    for peer in json.loads((ROOT / "config/resourceconfig.json").read_text())["hosts"]:
        while peer != host and not listens(peer):
            time.sleep(0.01)
    (ROOT / "output/message").write_text("the prices have no Tuesday")
    sys.exit(int(code))


def wait(host: str) -> None:
    signal.signal(signal.SIGTERM, lambda *_: save_and_exit(host))
    listening = socket.create_server((host, PORT))
    number = host.rpartition(".")[2]
    for n in range(1000):
        part = ROOT / "line"
        part.write_text(str(n))
        part.replace(OUTPUT / "result" / f"line-{number}")  # uploads may otherwise take a partial file
        (OUTPUT / "result" / f"step-{number}-{n}").write_text("done")
        time.sleep(0.05)
    listening.close()


def listens(peer: str) -> bool:
    with socket.socket() as asking:
        return asking.connect_ex((peer, PORT)) == 0


def save_and_exit(host: str) -> None:
    (OUTPUT / "result" / f"saved-{host.rpartition('.')[2]}").write_text("in time")
    sys.exit(143)


def deaf(host: str) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    (OUTPUT / "result" / f"deaf-{host.rpartition('.')[2]}").write_text("here")
    time.sleep(60)


if __name__ == "__main__":
    main(*sys.argv[1:])
