"""The file format of daily series: several float64 arrays, compressed without loss.

The bytes of the numbers are grouped by place, since signs and exponents repeat and low digits do not. Of records of
trials, which are rows of excess returns and weights on the same days, only the differences from predictions are stored.
"""

import json
import zlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

from desk.optimization.repositories.series_prediction import decode_records, encode_records
from store.errors import Corrupted

if TYPE_CHECKING:
    from quant.numeric.arrays import Floats

MAGIC = b"series\xf8\xff"
"""As a float64 it is not a number, which no series contains; files without it hold one array as plain numbers."""
LEVEL = 6
FEWEST_RECORDS = 3
"""Fewer records have no common returns to be predicted from."""


def encode_series(arrays: "Sequence[Floats]") -> bytes:
    """One file of these arrays, whose shapes are not stored."""
    import numpy as np  # callers that only list trials do not need it

    plain = [np.ascontiguousarray(array, dtype="<f8") for array in arrays]
    alike = len({array.shape for array in plain}) == 1
    predicted = len(plain) >= FEWEST_RECORDS and alike and plain[0].ndim == len(plain[0]) == 2
    numbers = (
        encode_records(np.stack(plain))
        if predicted
        else np.concatenate([np.empty(0), *map(np.ravel, plain)]).view("u8")
    )
    grouped = np.ascontiguousarray(numbers.view("u1").reshape(-1, 8).T)
    header = {"sizes": [array.size for array in plain], "predicted": predicted}
    return MAGIC + json.dumps(header).encode() + b"\n" + zlib.compress(grouped.tobytes(), LEVEL)


def decode_series(content: bytes) -> "list[Floats]":
    """The arrays of a file, each of one dimension; raises `Corrupted` for a damaged file."""
    import numpy as np

    if not content.startswith(MAGIC):
        return [np.frombuffer(content, dtype="<f8")]
    head, _, body = content[len(MAGIC) :].partition(b"\n")
    try:
        header = json.loads(head)
        sizes: list[int] = header["sizes"]
        grouped = np.frombuffer(zlib.decompress(body), dtype="u1").reshape(8, -1)
        numbers = np.ascontiguousarray(grouped.T).reshape(-1).view("<u8")
        if header["predicted"]:
            return [record.reshape(-1) for record in decode_records(numbers, len(sizes))]
    except (ValueError, KeyError, TypeError, zlib.error) as error:
        raise Corrupted(f"a file of series cannot be read: {error}") from error
    if numbers.size != sum(sizes):
        raise Corrupted(f"a file of series holds {numbers.size} numbers; its header names {sum(sizes)}")
    return np.split(numbers.view("<f8"), np.cumsum(sizes)[:-1])
