"""Prints the software bill of materials of an environment: what `uv export` lists, and its interpreter has installed.

Without the number and time of the export, so that the same libraries are the same file, and without the addresses and
hashes of all files that were published, which are in the lock.
"""

import json
import re
import sys
from collections.abc import Iterable
from importlib.metadata import distributions
from typing import Any


def installed_components(bill: dict[str, Any], installed: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """The bill (CycloneDX 1.5) of the installed names and versions; raises `LookupError` for one that is not in it."""
    wanted = {(canonical(name), version) for name, version in installed}
    listed = {(canonical(each["name"]), each["version"]): each for each in bill["components"]}
    if missing := wanted - listed.keys():
        raise LookupError(f"installed, but not in the lock: {', '.join(sorted(map(' '.join, missing)))}")
    components = [
        {name: value for name, value in listed[each].items() if name != "externalReferences"} for each in sorted(wanted)
    ]
    root = bill["metadata"]["component"]
    references = {each["bom-ref"] for each in (root, *components)}
    dependencies = [
        each | {"dependsOn": [name for name in each.get("dependsOn", ()) if name in references]}
        for each in bill["dependencies"]
        if each["ref"] in references
    ]
    kept = {name: bill[name] for name in ("bomFormat", "specVersion", "version")}
    metadata = {"tools": bill["metadata"]["tools"], "component": root}
    return kept | {"metadata": metadata, "components": components, "dependencies": dependencies}


def canonical(name: str) -> str:
    """The form in which names of packages are compared."""
    return re.sub(r"[-_.]+", "-", name).lower()


if __name__ == "__main__":
    installed = [(each.metadata["Name"], each.version) for each in distributions()]
    print(json.dumps(installed_components(json.load(sys.stdin), installed), indent=1))
