"""Joint paths of a risky leg and, where the safe leg is no cash, of a bond, in blocks of 64."""

import numpy as np

from quant.numeric.arrays import Floats
from quant.numeric.compilation import compiled
from quant.numeric.elementary import Word
from quant.numeric.random_numbers import LANES
from quant.worlds.bond import BondModel, fill_bond_block
from quant.worlds.paths import PathModel, fill_block, heston_moves, heston_returns


@compiled
def _fill_legs(
    code: int,
    numbers: Floats,
    states: Floats,
    stay: Floats,
    history: Floats,
    key: Word,
    bond: Floats,
    bond_rows: Floats,
    bond_key: Word,
    first_block: int,
    moves: Floats,
    equity: Floats,
    bonds: Floats,
) -> None:
    """Write returns of both legs into equity, bonds (blocks, T, 64); `bonds` is empty where there is none.

    `moves` are those of the equity, shape (blocks, 2, T, 64), or empty where they are to be drawn.
    With `bond_rows` the engine of the equity runs again over the bond's days: the same random numbers draw the same
    days.
    """
    yields = np.empty(bonds.shape[1:])
    for b in range(equity.shape[0]):
        first_path = (first_block + b) * LANES
        if moves.shape[0] == 0:
            fill_block(code, numbers, states, stay, history, key, first_path, equity[b])
        else:
            heston_returns(numbers, moves[b], equity[b])
        if bonds.shape[0] == 0:
            continue
        if bond_rows.size > 0:
            fill_block(code, numbers, states, stay, bond_rows, key, first_path, bonds[b])
        else:
            fill_bond_block(bond, bond_key, first_path, equity[b], yields, bonds[b])


@compiled
def _fill_moves(numbers: Floats, key: Word, first_block: int, out: Floats) -> None:
    for b in range(out.shape[0]):
        heston_moves(numbers, key, (first_block + b) * LANES, out[b])


def draw_moves(model: PathModel, *, days: int, first_block: int, blocks: int) -> Floats:
    """Moves of a Heston model, which do not depend on its premium.

    Parameters
    ----------
    model : PathModel
        Of Heston's engine.
    days, first_block, blocks
        As in `draw_legs`.

    Returns
    -------
    ndarray, shape (blocks, 2, days, 64)
        `quant.worlds.paths.heston_moves` of each block.
    """
    moves = np.empty((blocks, 2, days, LANES))
    _fill_moves(model.numbers, np.uint64(model.key), first_block, moves)
    return moves


def draw_legs(
    model: PathModel,
    bond: BondModel | None,
    *,
    days: int,
    first_block: int,
    blocks: int,
    moves: Floats | None = None,
) -> tuple[Floats, Floats]:
    """Daily simple returns of both legs, block by block.

    Parameters
    ----------
    model : PathModel
        Of the risky leg.
    bond : BondModel, optional
        Of the same scenario and seed; None for cash.
    days : int
        Sessions of each path.
    first_block, blocks : int
        As in `quant.worlds.paths.sample_paths`.
    moves : ndarray, shape (blocks, 2, days, 64), optional
        Of `draw_moves` for these blocks and this model, or one that differs from it in the premium alone.

    Returns
    -------
    equity, bonds : ndarray, shape (blocks, days, 64)
        Fractions per session; `bonds` is of shape (0, 0, 0) without a bond.
    """
    equity = np.empty((blocks, days, LANES))
    bonds = np.empty((0, 0, 0)) if bond is None else np.empty_like(equity)
    _fill_legs(
        model.code,
        model.numbers,
        model.states,
        model.stay,
        model.history,
        np.uint64(model.key),
        np.empty(0) if bond is None else bond.numbers,
        np.empty(0) if bond is None else bond.rows,
        np.uint64(0 if bond is None else bond.key),
        first_block,
        np.empty((0, 0, 0, 0)) if moves is None else moves,
        equity,
        bonds,
    )
    return equity, bonds


def sample_legs(
    model: PathModel, bond: BondModel, *, days: int, first_block: int = 0, blocks: int = 1
) -> tuple[Floats, Floats]:
    """Daily simple returns of both legs on `blocks` blocks of 64 paths.

    Parameters
    ----------
    model, bond, days, first_block, blocks
        As in `draw_legs`.

    Returns
    -------
    equity, bonds : ndarray, shape (days, 64 * blocks)
        Fractions per session.
    """
    legs = draw_legs(model, bond, days=days, first_block=first_block, blocks=blocks)
    equity, bonds = (np.hstack(list(leg)) for leg in legs)
    return equity, bonds
