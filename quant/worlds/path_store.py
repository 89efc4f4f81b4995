"""Drawn paths, kept so that the next configs meet the same ones without drawing them again."""

import hashlib
from threading import Lock

import numpy as np

from quant.numeric.arrays import Floats
from quant.worlds.bond import BondModel
from quant.worlds.legs import draw_legs, draw_moves
from quant.worlds.path_limit import LIMIT
from quant.worlds.paths import PathModel, without_premium


class PathStore:
    """Keeps the first paths that are asked for, up to a limit of memory; further ones are drawn anew each time.

    Of models that differ in their premium alone it keeps the moves that they share: in a search, which begins at
    block 0, from the second model on; in a judgement on fresh paths, which varies every premium, from the first on. All
    that it keeps begins at one block, so that a judgement replaces the paths of the search. What it returns is not to
    be written to. Threads may share it.
    """

    def __init__(self, limit: int = LIMIT) -> None:
        """Keep `limit` bytes of paths and as many of moves at most; 0 keeps nothing."""
        self._limit = limit
        self._legs: dict[tuple[bytes, int, int], tuple[Floats, Floats]] = {}
        self._moves: dict[tuple[bytes, int, int], Floats] = {}
        self._law_of: dict[bytes, bytes] = {}
        """The first law that was asked for with these moves."""
        self._bytes = self._bytes_of_moves = 0
        self._start: int | None = None
        self._lock = Lock()

    def begin(self, first_block: int) -> None:
        """Drop what is kept unless it begins at `first_block` too."""
        with self._lock:
            if first_block != self._start:
                self._legs, self._moves, self._bytes, self._bytes_of_moves = {}, {}, 0, 0
                self._start = first_block

    def legs(
        self, law: bytes, model: PathModel, bond: BondModel | None, *, days: int, first_block: int, blocks: int
    ) -> tuple[Floats, Floats]:
        """As `quant.worlds.legs.draw_legs`; `law` is the digest of model, bond and days."""
        place = law, first_block, blocks
        with self._lock:
            kept = self._legs.get(place)
        if kept is not None:
            return kept
        moves = self._shared_moves(law, model, days=days, first_block=first_block, blocks=blocks)
        legs = draw_legs(model, bond, days=days, first_block=first_block, blocks=blocks, moves=moves)
        equity, bonds = legs
        size = equity.nbytes + bonds.nbytes
        with self._lock:
            if place not in self._legs and self._bytes + size <= self._limit:
                self._legs[place] = legs
                self._bytes += size
        return legs

    def _shared_moves(self, law: bytes, model: PathModel, *, days: int, first_block: int, blocks: int) -> Floats | None:
        """None where no other law has the same moves, or none was asked for in a search."""
        common = without_premium(model)
        if common is None:
            return None
        place = law_digest(common, None, days), first_block, blocks
        with self._lock:
            kept = self._moves.get(place)
            alone = not self._start and self._law_of.setdefault(place[0], law) == law
            if kept is not None or alone:
                return kept
        moves = draw_moves(common, days=days, first_block=first_block, blocks=blocks)
        with self._lock:
            if place not in self._moves and self._bytes_of_moves + moves.nbytes <= self._limit:
                self._moves[place] = moves
                self._bytes_of_moves += moves.nbytes
        return moves


def law_digest(model: PathModel, bond: BondModel | None, days: int) -> bytes:
    """Digest of everything that decides the paths, but for their blocks."""
    digest = hashlib.blake2b(digest_size=16)
    parts = [model.numbers, model.states, model.stay, model.history]
    whole = [model.code, model.key, days]
    if bond is not None:
        parts += [bond.numbers, bond.rows]
        whole.append(bond.key)
    for part in parts:
        digest.update(repr(part.shape).encode())
        digest.update(np.ascontiguousarray(part).tobytes())
    digest.update(repr(whole).encode())
    return digest.digest()
