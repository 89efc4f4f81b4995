"""Known weaknesses of what `uv.lock` names: `python .ci/audit.py [--service URL]`.

Advisories come from OSV through `uv audit`, for the locked versions of every group. Without a network
that part cannot be done: the rest is, it is said, and the exit code is 3. The rest: whether every
archive has its hash and comes from PyPI, under which licence the product's libraries stand, and of
which of them the locked release is old. uv also names projects that PyPI marks as withdrawn or
archived, but does not say when PyPI could not be asked for it: that line of its answer proves nothing.

Exit codes: 0 nothing found, 1 something found, 3 nothing found in the part that could be looked at.
"""

import argparse
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import bootstrap  # noqa: E402 - it stands beside this folder

FOUND, UNSEEN = 1, 3
OSV = "https://api.osv.dev/"
PYPI = "https://pypi.org/simple"
OLD = timedelta(days=2 * 365)

PERMISSIVE = {
    "0BSD", "3-Clause BSD License", "Apache License", "Apache Software License", "Apache-2.0", "BSD License",
    "BSD-2-Clause", "BSD-3-Clause", "CC0-1.0", "ISC License (ISCL)", "LLVM-exception", "MIT", "MIT License",
    "MIT-0", "MIT-CMU", "NCSA", "PSF-2.0", "Python Software Foundation License", "Version 2.0", "Zlib",
}  # fmt: skip
WEAK_COPYLEFT = {
    "certifi": "MPL 2.0, a list of certificates that is used as it is",
    "orjson": "MPL 2.0 for its build tool",
    "tqdm": "MPL 2.0, used as it is",
}
"""Used unchanged: their own files stay under their licence, and ours are not touched by it."""


def main() -> int:
    options = argparse.ArgumentParser(description="Known weaknesses of the locked dependencies.")
    options.add_argument("--service", default=OSV, help="a server with the interface of OSV")
    service = options.parse_args().service
    lock = tomllib.loads((ROOT / "uv.lock").read_text())
    found = [*untrusted_archives(lock), *unknown_licences(lock)]
    for line in found:
        print(line)
    print(
        f"{len(archives(lock))} archives, {len(product(lock))} libraries of the product: {len(found)} not as allowed",
        flush=True,
    )
    for line in old_releases(lock):
        print(line, flush=True)
    advisories = known_weaknesses(service)
    return FOUND if found else advisories


def known_weaknesses(service: str) -> int:
    """What `uv audit` answers: 0, FOUND, or UNSEEN where the service could not be asked."""
    command = [str(bootstrap.uv()), "audit", "--locked", "--service-url", service]
    ran = subprocess.run([*command, "--preview-features", "audit-command"], cwd=ROOT)
    if ran.returncode in (0, FOUND):
        return ran.returncode
    print(
        f"NOT AUDITED: {service} could not be asked (uv's message stands above), so nothing is known about published\n"
        "weaknesses of the locked versions. Run it again where there is a network."
    )
    return UNSEEN


def archives(lock: dict[str, Any]) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Each archive that may be installed, with its package."""
    return [
        (package, archive)
        for package in lock["package"]
        for archive in (*package.get("wheels", ()), *filter(None, (package.get("sdist"),)))
    ]


def untrusted_archives(lock: dict[str, Any]) -> Iterator[str]:
    for package in lock["package"]:
        if package["source"] not in ({"registry": PYPI}, {"virtual": "."}):
            yield f"{package['name']}: comes from {package['source']}; expected {PYPI}"
    for package, archive in archives(lock):
        if not re.fullmatch("sha256:[0-9a-f]{64}", archive.get("hash", "")):
            yield f"{package['name']}: {archive['url']} has no SHA-256 in uv.lock"


def product(lock: dict[str, Any]) -> set[str]:
    """The libraries that the product itself needs, with all that they need."""
    needs: dict[str, set[str]] = {}
    for package in lock["package"]:
        for wanted in (package.get("dependencies", ()), *package.get("optional-dependencies", {}).values()):
            needs.setdefault(package["name"], set()).update(one["name"] for one in wanted)
    known, open_ = set[str](), needs["stratigos"]
    while open_:
        known |= open_
        open_ = set[str]().union(*(needs.get(name, ()) for name in open_)) - known
    return known


def unknown_licences(lock: dict[str, Any]) -> Iterator[str]:
    for name in sorted(product(lock) - WEAK_COPYLEFT.keys()):
        try:
            metadata = distribution(name).metadata
        except PackageNotFoundError:  # for another platform
            continue
        classified = [one.rpartition(":: ")[2] for one in metadata.get_all("Classifier", []) if one[:7] == "License"]
        told = metadata["License-Expression"] or ", ".join(classified) or metadata["License"] or "no licence"
        words = {*re.split(r" (?:AND|OR|WITH) |, |; ", told)}
        if words - PERMISSIVE:
            yield f"{name}: stands under {told[:80]!r}, which is not among the licences that are allowed"


def old_releases(lock: dict[str, Any]) -> Iterator[str]:
    """To be looked at now and then: no weakness by itself."""
    newest: dict[str, datetime] = {}
    for package, archive in archives(lock):
        if uploaded := archive.get("upload-time"):
            at = datetime.fromisoformat(uploaded)
            newest[package["name"]] = max(at, newest.get(package["name"], at))
    border = datetime.now(UTC) - OLD
    old = sorted((at, name) for name, at in newest.items() if at < border and name in product(lock))
    yield from (f"{name}: the locked release is of {at.date()}" for at, name in old)


if __name__ == "__main__":
    sys.exit(main())
