"""Search the tracked files, or the given ones, for secrets: `python .ci/secret_scan.py [file ...]`.

`allowed_secrets.toml` lists false positives with reasons; an entry that matches nothing is an error too.
"""

import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Sequence
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, NamedTuple

from detect_secrets.core.scan import get_plugins
from detect_secrets.filters import heuristic
from detect_secrets.plugins.base import BasePlugin, RegexBasedDetector
from detect_secrets.settings import default_settings

ROOT = Path(__file__).resolve().parent.parent
ALLOWED = Path(__file__).with_name("allowed_secrets.toml")

DIGESTS_ONLY = ("uv.lock", "package-lock.json")
BUILT = "web/dist/"
"""What web/src gives, in lines of a hundred thousand characters; the sources are scanned."""
WORTH_A_LOOK = re.compile(
    r"(?=[\w+/=-]*\d)[\w+/=-]{20,}|A[A-Z0-9]{3}[A-Z2-7]{16}|PRIVATE KEY|PuTTY|://[^:/\s]+:[^@/\s]+@"
    r"|key_?pass|(api|auth|service|account|db|database|private|client)[_-]?(key|pass)|passw|pwd|secret|contrase",
    re.IGNORECASE,
)
"""Only lines that match are scanned; all detectors on every line take ten times as long."""


class MoreKeys(RegexBasedDetector):
    """Keys that detect-secrets does not know: of this program, of Bedrock, and encrypted private keys."""

    secret_type = "API or private key"  # noqa: S105 - the name of the kind
    denylist = (
        re.compile(r"stratigos_[0-9a-f]{12}_[A-Za-z0-9_-]{43}"),
        re.compile(r"bedrock-api-key-[A-Za-z0-9+/=]{40,}|ABSK[A-Za-z0-9+/=]{60,}"),
        re.compile(r"BEGIN ENCRYPTED PRIVATE KEY"),
    )


class Finding(NamedTuple):
    path: str
    line: int
    kind: str
    value: str


def candidates(paths: Sequence[str], detectors: Sequence[BasePlugin]) -> Iterator[Finding]:
    for path in paths:
        content = (ROOT / path).read_bytes()
        if b"\0" in content or Path(path).name in DIGESTS_ONLY or path.startswith(BUILT):
            continue
        for number, line in enumerate(content.decode(errors="replace").splitlines(), 1):
            if WORTH_A_LOOK.search(line):
                for detector in detectors:
                    for secret in detector.analyze_line(filename=path, line=line, line_number=number):
                        if not _is_prose(detector, line, secret.secret_value or ""):
                            yield Finding(path, number, secret.type, secret.secret_value or "")


def _is_prose(detector: BasePlugin, line: str, value: str) -> bool:
    """Whether the value is a placeholder, a name or a function call."""
    return not isinstance(detector, RegexBasedDetector) and (
        heuristic.is_sequential_string(value)
        or heuristic.is_potential_uuid(value)
        or heuristic.is_templated_secret(value)
        or heuristic.is_not_alphanumeric_string(value)
        or heuristic.is_prefixed_with_dollar_sign(value)
        or heuristic.is_indirect_reference(line)
        or heuristic.is_likely_id_string(value, line, detector)
    )


def permits(entry: dict[str, Any], finding: Finding) -> bool:
    if "values" in entry:
        return finding.value in entry["values"]
    return finding.kind in entry["kinds"] and any(fnmatch(finding.path, pattern) for pattern in entry["files"])


def tracked() -> list[str]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)  # noqa: S607 - git as the path has it
    own = ALLOWED.relative_to(ROOT).as_posix()
    return [path for path in listed.stdout.split("\0") if path and path != own and (ROOT / path).is_file()]


def main(paths: Sequence[str]) -> int:
    entries = tomllib.loads(ALLOWED.read_text())["allowed"]
    with default_settings():
        detectors = [*get_plugins(), MoreKeys()]
    findings = list(candidates(paths or tracked(), detectors))
    secrets = [one for one in findings if not any(permits(entry, one) for entry in entries)]
    for path, line, kind, _ in secrets:
        print(f"{path}:{line}: this looks like a secret ({kind})")
    stale = [] if paths else [entry for entry in entries if not any(permits(entry, one) for one in findings)]
    for entry in stale:
        print(f"{ALLOWED.name}: no file matches the entry {entry['reason']!r} any more; remove it")
    if secrets:
        print(f"Replace a secret that has been committed. For a false positive, add an entry to .ci/{ALLOWED.name}.")
    return 1 if secrets or stale else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
