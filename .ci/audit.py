"""Audit the dependencies in `uv.lock`: `python .ci/audit.py [--service URL]`.

It checks that every archive has a hash and comes from PyPI, checks the licences of the product's libraries, lists
old releases, and queries the OSV advisories for the locked versions of every group through `uv audit`. Without a
network the last step is skipped with a message and exit code 3. uv also lists projects that PyPI marks as withdrawn
or archived, but reports no error when PyPI is unreachable, so an empty list proves nothing.

Exit codes: 0 no problem, 1 problems, 3 no problem in the checks that could run.
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

import bootstrap  # noqa: E402 - it is in the root of the repository

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
"""Used unchanged, so that their licence applies to their own files only."""


def main() -> int:
    options = argparse.ArgumentParser(description="Audits the locked dependencies.")
    options.add_argument("--service", default=OSV, help="a server with the interface of OSV")
    service = options.parse_args().service
    lock = tomllib.loads((ROOT / "uv.lock").read_text())
    problems = [*untrusted_archives(lock), *unknown_licences(lock)]
    for line in problems:
        print(line)
    counts = f"{len(archives(lock))} archives, {len(product(lock))} libraries of the product"
    print(f"{counts}: {len(problems)} not as allowed", flush=True)
    for line in old_releases(lock):
        print(line, flush=True)
    advisories = known_weaknesses(service)
    return FOUND if problems else advisories


def known_weaknesses(service: str) -> int:
    """Run `uv audit` and return 0, FOUND, or UNSEEN if the service is unreachable."""
    command = [str(bootstrap.uv()), "audit", "--locked", "--service-url", service]
    audit = subprocess.run([*command, "--preview-features", "audit-command"], cwd=ROOT)
    if audit.returncode in (0, FOUND):
        return audit.returncode
    print(
        f"NOT AUDITED: {service} is unreachable (see uv's message above), so the advisories for the locked versions\n"
        "were not checked. Run the audit again with a network connection."
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
    """The libraries that the product needs, with their dependencies."""
    needs: dict[str, set[str]] = {}
    for package in lock["package"]:
        for dependencies in (package.get("dependencies", ()), *package.get("optional-dependencies", {}).values()):
            needs.setdefault(package["name"], set()).update(one["name"] for one in dependencies)
    names, unresolved = set[str](), needs["stratigos"]
    while unresolved:
        names |= unresolved
        unresolved = set[str]().union(*(needs.get(name, ()) for name in unresolved)) - names
    return names


def unknown_licences(lock: dict[str, Any]) -> Iterator[str]:
    for name in sorted(product(lock) - WEAK_COPYLEFT.keys()):
        try:
            metadata = distribution(name).metadata
        except PackageNotFoundError:  # for another platform
            continue
        classified = [one.rpartition(":: ")[2] for one in metadata.get_all("Classifier", []) if one[:7] == "License"]
        licence = metadata["License-Expression"] or ", ".join(classified) or metadata["License"] or "no licence"
        words = {*re.split(r" (?:AND|OR|WITH) |, |; ", licence)}
        if words - PERMISSIVE:
            yield f"{name}: its licence is {licence[:80]!r}, which is not among the allowed licences"


def old_releases(lock: dict[str, Any]) -> Iterator[str]:
    """Libraries without a recent release, to be reviewed; it is not an error."""
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
