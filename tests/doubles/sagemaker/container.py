"""What runs in the containers of the fleet's own tests; it needs the standard library only."""

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
"""The same on every instance: each has an address of its own."""


def main(what: str, *arguments: str) -> None:
    host = json.loads((ROOT / "config/resourceconfig.json").read_text())["current_host"]
    {"copy": copy, "fail": fail, "wait": wait, "deaf": deaf, "seen": seen}[what](host, *arguments)


def copy(host: str) -> None:
    """Every input to the outputs: by the host's last number where each has a share."""
    for path in sorted((ROOT / "processing/input").rglob("*")):
        if path.is_file():
            target = OUTPUT / "result" / path.relative_to(ROOT / "processing/input")
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, target)
    (OUTPUT / "result" / f"host-{host.rpartition('.')[2]}").write_text(host)


def seen(host: str) -> None:
    """What the container knows: its hosts, its environment and its job."""
    known = {
        "host": host,
        "resources": json.loads((ROOT / "config/resourceconfig.json").read_text()),
        "job": json.loads((ROOT / "config/processingjobconfig.json").read_text())["ProcessingJobName"],
        "environment": dict(os.environ),
    }
    (OUTPUT / "result/seen.json").write_text(json.dumps(known))


def fail(host: str, code: str, which: str) -> None:
    """The instance with this number fails once the others hear it, and they wait."""
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
    signal.signal(signal.SIGTERM, lambda *_: ended(host))
    listening = socket.create_server((host, PORT))
    number = host.rpartition(".")[2]
    for n in range(1000):
        written = ROOT / "line"
        written.write_text(str(n))
        written.replace(OUTPUT / "result" / f"line-{number}")  # an upload takes what is there, half a file too
        (OUTPUT / "result" / f"step-{number}-{n}").write_text("done")
        time.sleep(0.05)
    listening.close()


def listens(peer: str) -> bool:
    with socket.socket() as asking:
        return asking.connect_ex((peer, PORT)) == 0


def ended(host: str) -> None:
    (OUTPUT / "result" / f"saved-{host.rpartition('.')[2]}").write_text("in time")
    sys.exit(143)


def deaf(host: str) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    (OUTPUT / "result" / f"deaf-{host.rpartition('.')[2]}").write_text("here")
    time.sleep(60)


if __name__ == "__main__":
    main(*sys.argv[1:])
