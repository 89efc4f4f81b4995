"""Errors of the store.

StoreError
├── Invalid       a key, document, cursor or limit that no adapter accepts (also a ValueError)
│   └── InvalidCursor  a cursor of another list
├── Conflict      the record is not at the version that the writer expected
├── Missing       there is no such blob (also a LookupError)
├── Corrupted     stored data cannot be decoded, because something else changed it
├── Unavailable   the storage cannot serve the call now: disk full, locked, unreachable, throttled; nothing was written
│   └── OutcomeUnknown  the response was lost: the write was applied completely or not at all
└── NewerSchema   the database was written by a newer version of this program
"""


class StoreError(Exception):
    """Base class of the errors that this package raises."""


class Invalid(StoreError, ValueError):
    """A value that no adapter accepts; the message names the field, the value and the accepted values."""


class InvalidCursor(Invalid):
    """A cursor that is none of the list's."""

    def __init__(self, after: str) -> None:
        self.reason = f"{after[:80]!r} is not a cursor of this list"
        super().__init__(f"`after`: {self.reason}; expected the cursor of a page in the same order")


class Conflict(StoreError):
    """Another writer changed the record first; read it again before the next write."""


class Missing(StoreError, LookupError):
    """There is no such blob."""


class Corrupted(StoreError):
    """Stored data cannot be decoded, because something other than the store changed it."""


class Unavailable(StoreError):
    """The storage cannot serve the call now; a later retry may succeed."""


class OutcomeUnknown(Unavailable):
    """The response to a write was lost; a read, or a repeated write with an expected version, shows the outcome."""


class NewerSchema(StoreError):
    """The database was written by a newer version of this program."""
