"""What can go wrong in the store.

StoreError
├── Invalid       a key, document, cursor or limit that no store takes (also a ValueError)
├── Conflict      the record is not at the version that the writer expected
├── Missing       there is no such blob (also a LookupError)
├── Corrupted       what is stored was changed by something else, and reads back as nothing that was written
├── Unavailable   the storage cannot answer now: disk full, locked, unreachable, throttled; nothing was written
│   └── OutcomeUnknown  the answer was lost on the way: what was to be written is there as a whole, or not at all
└── NewerSchema   the database was written by a newer version of this program
"""


class StoreError(Exception):
    """Base of every error this package raises on purpose."""


class Invalid(StoreError, ValueError):
    """A value that no store takes; the message names field, value and what is allowed."""


class Conflict(StoreError):
    """Somebody else wrote first: read again, decide again."""


class Missing(StoreError, LookupError):
    """There is no such blob."""


class Corrupted(StoreError):
    """What is stored was changed by something else, and reads back as nothing that was written."""


class Unavailable(StoreError):
    """The storage cannot answer now; trying later may help."""


class OutcomeUnknown(Unavailable):
    """Reading tells whether it was written; so does writing again with the version that was expected."""


class NewerSchema(StoreError):
    """The database was written by a newer version of this program."""
