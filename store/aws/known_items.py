"""What this process last saw of items, so that a writer need not read again what a condition verifies."""

import threading
from collections import OrderedDict
from collections.abc import Iterable

from store.aws.tables import Item
from store.keys import LABELS, Key

MAX_ITEMS = 5_000
WRITE_ATTRIBUTES = ("write", "created", "version", "expires", "ttl", "blob", *LABELS)
"""Attributes of an item that a writer needs in order to replace it."""


class KnownItems:
    """The write attributes of the items seen last, of at most `MAX_ITEMS` keys.

    They may be outdated: a write that relies on one has its `write` as a condition.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._items: OrderedDict[Key, Item] = OrderedDict()

    def get(self, key: Key) -> Item | None:
        return self._items.get(key)

    def note(self, key: Key, item: Item) -> None:
        noted = {name: item[name] for name in ("pk", "sk", *WRITE_ATTRIBUTES) if name in item}
        with self._lock:
            self._items[key] = noted
            self._items.move_to_end(key)
            if len(self._items) > MAX_ITEMS:
                self._items.popitem(last=False)

    def forget(self, keys: Iterable[Key]) -> None:
        with self._lock:
            for key in keys:
                self._items.pop(key, None)
