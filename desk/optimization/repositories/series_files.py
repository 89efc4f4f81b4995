"""The file format of daily series: several float64 arrays, compressed without loss.

The bytes of the numbers are grouped by place, since signs and exponents repeat and low digits do not.
"""

import json
import zlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

from store.errors import Corrupted

if TYPE_CHECKING:
    from quant.numeric.arrays import Floats

MAGIC = b"series\xf8\xff"
"""As a float64 it is not a number, which no series contains; files without it hold one array as plain numbers."""
LEVEL = 6


def encode_series(arrays: "Sequence[Floats]") -> bytes:
    """One file of these arrays, whose shapes are not stored."""
    import numpy as np  # callers that only list trials do not need it

    plain = [np.ascontiguousarray(array, dtype="<f8").reshape(-1) for array in arrays]
    joined = np.concatenate(plain) if plain else np.empty(0)
    grouped = np.ascontiguousarray(joined.view("u1").reshape(-1, 8).T)
    sizes = json.dumps([array.size for array in plain]).encode()
    return MAGIC + sizes + b"\n" + zlib.compress(grouped.tobytes(), LEVEL)


def decode_series(content: bytes) -> "list[Floats]":
    """The arrays of a file, each of one dimension; raises `Corrupted` for a damaged file."""
    import numpy as np

    if not content.startswith(MAGIC):
        return [np.frombuffer(content, dtype="<f8")]
    header, _, body = content[len(MAGIC) :].partition(b"\n")
    try:
        sizes = json.loads(header)
        grouped = np.frombuffer(zlib.decompress(body), dtype="u1").reshape(8, -1)
    except (ValueError, zlib.error) as error:
        raise Corrupted(f"a file of series cannot be read: {error}") from error
    joined = np.ascontiguousarray(grouped.T).reshape(-1).view("<f8")
    if joined.size != sum(sizes):
        raise Corrupted(f"a file of series holds {joined.size} numbers; its header names {sum(sizes)}")
    return np.split(joined, np.cumsum(sizes)[:-1])
