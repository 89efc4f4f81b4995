"""Refuses YAML whose aliases repeat so much of the file that reading it would fill the memory (a "YAML bomb")."""

import re
from typing import Any

LARGEST = 2_000_000
"""Nodes of a file with every alias written out; a cassette of a thousand calls has about thirty thousand."""
_ALIAS = re.compile(r"(?:^|[\s,\[{:-])\*[A-Za-z0-9_-]+\s*(?:[,\]}\n]|$)", re.MULTILINE)


def check_aliases(text: str) -> None:
    """Raise `ValueError` if the aliases of the file stand for too many nodes; cheap for a file without aliases."""
    if not _ALIAS.search(text):
        return
    import yaml

    count = _Count()
    for event in yaml.parse(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
        count.add(event)
        if count.total > LARGEST:
            raise ValueError(f"its aliases repeat more than {LARGEST:,} parts")


class _Count:
    """The number of nodes of a file with every alias written out."""

    def __init__(self) -> None:
        self.total = 0
        self._sizes: dict[str, int] = {}
        self._open: list[tuple[str | None, int]] = []
        """The anchors of the collections around the current event, and the total before each."""

    def add(self, event: Any) -> None:
        from yaml import AliasEvent, CollectionEndEvent, CollectionStartEvent, ScalarEvent

        match event:
            case AliasEvent():
                if event.anchor not in self._sizes:
                    raise ValueError(f"the alias *{event.anchor} stands for a part of the file that contains it")
                self.total += self._sizes[event.anchor]
            case CollectionStartEvent():
                self._open.append((event.anchor, self.total))
                self.total += 1
            case CollectionEndEvent():
                anchor, before = self._open.pop()
                if anchor is not None:
                    self._sizes[anchor] = self.total - before
            case ScalarEvent():
                size = 1 + len(event.value) // 1000
                self.total += size
                if event.anchor is not None:
                    self._sizes[event.anchor] = size
            case _:
                pass
