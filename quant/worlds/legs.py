"""Joint paths of a risky leg and a bond, in blocks of 64."""

import numpy as np

from quant.numeric.arrays import Floats
from quant.numeric.compilation import compiled
from quant.numeric.elementary import Word
from quant.numeric.random_numbers import LANES
from quant.worlds.bond import BondModel, fill_bond_block
from quant.worlds.paths import PathModel, fill_block


@compiled
def fill_bond_leg(
    code: int,
    numbers: Floats,
    states: Floats,
    stay: Floats,
    key: Word,
    bond: Floats,
    bond_rows: Floats,
    bond_key: Word,
    first_path: int,
    equity: Floats,
    yields: Floats,
    out: Floats,
) -> None:
    """Bond returns into `out` on the 64 paths of `equity` from `first_path` on, (T, 64).

    With `bond_rows` the engine of the equity runs again over the bond's days: the same random numbers draw the same
    days.
    """
    if bond_rows.size > 0:
        fill_block(code, numbers, states, stay, bond_rows, key, first_path, out)
    else:
        fill_bond_block(bond, bond_key, first_path, equity, yields, out)


def sample_legs(
    model: PathModel, bond: BondModel, *, days: int, first_block: int = 0, blocks: int = 1
) -> tuple[Floats, Floats]:
    """Daily simple returns of both legs on `blocks` blocks of 64 paths.

    Parameters
    ----------
    model : PathModel
        Of the risky leg.
    bond : BondModel
        Of the same scenario and seed.
    days : int
        Sessions of each path.
    first_block, blocks : int
        As in `quant.worlds.paths.sample_paths`.

    Returns
    -------
    equity, bonds : ndarray, shape (days, 64 * blocks)
        Fractions per session.
    """
    equity, bonds = np.empty((days, LANES * blocks)), np.empty((days, LANES * blocks))
    block, out, yields = (np.empty((days, LANES)) for _ in range(3))
    for b in range(blocks):
        first, key = LANES * (first_block + b), np.uint64(model.key)
        fill_block(model.code, model.numbers, model.states, model.stay, model.history, key, first, block)
        fill_bond_leg(
            model.code,
            model.numbers,
            model.states,
            model.stay,
            key,
            bond.numbers,
            bond.rows,
            np.uint64(bond.key),
            first,
            block,
            yields,
            out,
        )
        equity[:, LANES * b : LANES * (b + 1)] = block
        bonds[:, LANES * b : LANES * (b + 1)] = out
    return equity, bonds
