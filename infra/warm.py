"""Runs every computation once, so that the image contains its compiled kernels; run it in the program's folder."""

import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

AREAS = ("/api/optimization/", "/api/monte-carlo/", "/api/evaluations")
PREDICTED = "/api/evaluations/predicted"
"""Computes nothing, and fails before the first search."""
UNREACHED = """
import asyncio
import numpy as np
from api.endpoint import warm
from quant.allocate import minimum_cvar
from desk.market.bundled import BundledPrices
minimum_cvar(np.random.default_rng(1).normal(size=(60, 3)))
asyncio.run(warm(BundledPrices(), None))
"""
"""Kernels that no example request uses, and those that an endpoint compiles before its first request."""
SEARCH = ["optimize", "--trials", "10", "--paths", "100", "--years", "1", "--json"]


def main() -> None:
    with tempfile.TemporaryDirectory() as home:
        command, environment = (
            [sys.executable, "-m", "api"],
            {
                **{name: value for name, value in os.environ.items() if not name.startswith(("MODEL", "STRATIGOS_"))},
                "STRATIGOS_HOME": home,
                "STRATIGOS_KERNEL_CACHE": str(Path(".cache/kernels").absolute()),
            },
        )
        subprocess.run([*command, *SEARCH], check=True, env=environment, stdout=subprocess.DEVNULL)
        subprocess.run([sys.executable, "-c", UNREACHED], check=True, env=environment)
        port_file = Path(home, "served")
        with port_file.open("w") as log:
            service = subprocess.Popen(
                [*command, "serve", "--port", "0"], env=environment | {"STRATIGOS_WORKERS": "0"}, stderr=log
            )
        try:
            post_examples(address(port_file))
        finally:
            service.terminate()
            service.wait()


def address(log: Path) -> str:
    """The address of the service, as soon as its log contains it."""
    end = time.monotonic() + 120
    while time.monotonic() < end:
        for word in log.read_text().split():
            if word.startswith("http://127.0.0.1:"):
                return word
        time.sleep(0.1)
    raise TimeoutError(f"the service did not start within 120 seconds: {log.read_text()}")


def post_examples(base: str) -> None:
    """Send every example of the OpenAPI document that runs a computation."""
    with urllib.request.urlopen(f"{base}/api/openapi.json", timeout=60) as answer:  # noqa: S310 - this machine's
        document = json.load(answer)
    count = 0
    for path, operations in document["paths"].items():
        if path.startswith(AREAS) and path != PREDICTED and "post" in operations:
            for body in examples(document, operations["post"]):
                post(base + path, body)
                count += 1
    if not count:
        raise LookupError("the OpenAPI document has no example of a computation")


def examples(document: dict[str, Any], operation: dict[str, Any]) -> Iterator[Any]:
    content = operation["requestBody"]["content"]["application/json"]
    yield from (example["value"] for example in content.get("examples", {}).values())
    name = content["schema"].get("$ref", "").rpartition("/")[2]
    yield from document["components"]["schemas"].get(name, {}).get("examples", [])


def post(url: str, body: Any) -> None:
    request = urllib.request.Request(url, json.dumps(body).encode(), {"content-type": "application/json"})  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=600) as answer:  # noqa: S310 - this machine's
            answer.read()
    except urllib.error.HTTPError as error:
        raise RuntimeError(f"{url} refused its own example: {error.read().decode()}") from error


if __name__ == "__main__":
    main()
