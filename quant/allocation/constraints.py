# pyright: reportMissingTypeStubs=false, reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false
"""Linear constraints of a portfolio's weights: checked, laid out as rows, and named when they contradict each other."""

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, Self

import numpy as np
from numpy.typing import ArrayLike

from quant.numeric.arguments import check_fields
from quant.numeric.arrays import Floats
from quant.numeric.errors import DataError, Infeasible, QuantError

_ROUNDING: Final = 1e-9
"""Constraints that contradict each other by less than this count as feasible."""


@dataclass(frozen=True)
class Group:
    """Limits of the sum of some assets' weights.

    Parameters
    ----------
    name : str
        How an error calls it.
    members : sequence of int
        Indices of the assets, each once.
    lower, upper : float
        Of the sum; an infinite limit does not bind.

    Raises
    ------
    DataError
        If the name or the members are empty, a member is negative or repeated, or a limit is NaN or beyond its
        opposite.
    """

    name: str
    members: tuple[int, ...]
    lower: float = -np.inf
    upper: float = np.inf

    def __post_init__(self) -> None:
        check_fields(self)
        members = tuple(int(i) for i in self.members)
        object.__setattr__(self, "members", members)
        if not self.name:
            raise DataError("`name` of a group must not be empty")
        if not members or min(members) < 0 or len(set(members)) < len(members):
            raise DataError(f"`members` of group {self.name!r} must be different indices from 0 on; got {members}")
        if not self.lower <= self.upper or self.lower == np.inf or self.upper == -np.inf:
            raise DataError(f"`lower` {self.lower} of group {self.name!r} must not be above `upper` {self.upper}")


def checked_bounds(lower: ArrayLike, upper: ArrayLike, assets: int, *, finite: bool = False) -> tuple[Floats, Floats]:
    """Bounds of the weights of each asset, arrays of shape (N,).

    Raises
    ------
    DataError
        If a bound is NaN, of another shape than () or (N,), or infinite where it must not be.
    Infeasible
        If a lower bound is above its upper one.
    """
    bounds: list[Floats] = []
    for name, bound in (("lower", lower), ("upper", upper)):
        if isinstance(bound, float | int) and math.isfinite(bound):
            bounds.append(np.full(assets, float(bound)))
            continue
        array = np.array(bound, dtype=np.float64)
        if array.shape not in {(), (assets,)}:
            raise DataError(f"`{name}` must be a number or have shape ({assets},); got {array.shape}")
        array = np.broadcast_to(array, (assets,)).copy()
        wrong = ~np.isfinite(array) if finite else np.isnan(array) | (array == (np.inf if name == "lower" else -np.inf))
        if wrong.any():
            i = int(wrong.argmax())
            raise DataError(f"`{name}` must be {'finite' if finite else 'a number'}; asset {i} has {array[i]}")
        bounds.append(array)
    low, high = bounds
    if (low > high).any():
        i = int((low > high).argmax())
        raise Infeasible(f"`lower` must not be above `upper`; asset {i} has {low[i]:g} and {high[i]:g}")
    return low, high


def checked_budget(low: Floats, high: Floats) -> None:
    """Whether weights within the bounds can sum to 1.

    Raises
    ------
    Infeasible
        If they cannot.
    """
    for name, bounds, fits in (
        ("lower", low, low.sum() <= 1.0 + _ROUNDING),
        ("upper", high, high.sum() >= 1.0 - _ROUNDING),
    ):
        if not fits:
            words = _bound_words(name, range(low.size), bounds, None)
            raise Infeasible(f"no weights that sum to 1 satisfy {words}, which sum to {bounds.sum():g}")


class Rows(NamedTuple):
    """``matrix x <= limits`` for x = (w,), or (w, t) with t >= abs(w - current) under a turnover limit.

    `names` holds for each row what it comes from and its index there; the last rows, that define t, have none.
    """

    matrix: Any
    limits: Floats
    names: tuple[tuple[str, int], ...]


@dataclass(frozen=True, eq=False)
class Constraints:
    """Bounds (N,), groups, the turnover limit with the weights held, and the least mean return."""

    low: Floats
    high: Floats
    groups: tuple[Group, ...] = ()
    turnover: float | None = None
    current: Floats | None = None
    mean: Floats | None = None
    target: float = 0.0

    @classmethod
    def checked(
        cls,
        assets: int,
        lower: ArrayLike,
        upper: ArrayLike,
        groups: Sequence[Group],
        turnover: float | None,
        current: ArrayLike | None,
    ) -> Self:
        """The constraints of N assets from a caller's arguments, checked.

        Raises
        ------
        DataError
            If a bound, a group, `turnover` or `current` is not finite or not of the right shape.
        Infeasible
            If a lower bound is above its upper one.
        """
        low, high = checked_bounds(lower, upper, assets)
        for group in groups:
            if max(group.members) >= assets:
                raise DataError(f"`groups` {group.name!r} has asset {max(group.members)}; there are {assets} assets")
        if (turnover is None) != (current is None):
            raise DataError("`turnover` and `current` must be given together")
        if turnover is None or current is None:
            return cls(low, high, tuple(groups))
        if not 0.0 <= turnover < np.inf:
            raise DataError(f"`turnover` must be finite and not negative, got {turnover!r}")
        current_weights = np.array(current, dtype=np.float64)
        if current_weights.shape != (assets,):
            raise DataError(f"`current` must have shape ({assets},); got {current_weights.shape}")
        if not np.isfinite(current_weights).all():
            i = int((~np.isfinite(current_weights)).argmax())
            raise DataError(f"`current` must be finite; asset {i} has {current_weights[i]}")
        return cls(low, high, tuple(groups), float(turnover), current_weights)

    def rows(self) -> Rows:
        """All inequalities with a finite limit."""
        from scipy import sparse

        n = self.low.size
        unit: Any = sparse.identity(n, format="csr")
        names: list[tuple[str, int]] = []
        blocks: list[Any] = []
        limits: list[float] = []
        for name, sign, bounds in (("lower", -1.0, self.low), ("upper", 1.0, self.high)):
            bound = np.flatnonzero(np.isfinite(bounds))
            blocks.append(sign * unit[bound])
            limits += (sign * bounds[bound]).tolist()
            names += [(name, int(i)) for i in bound]
        for g, group in enumerate(self.groups):
            members = np.zeros(n)
            members[list(group.members)] = 1.0
            for name, sign, limit in (("group lower", -1.0, group.lower), ("group upper", 1.0, group.upper)):
                if np.isfinite(limit):
                    blocks.append(sparse.csr_matrix(sign * members))
                    limits.append(sign * limit)
                    names.append((name, g))
        if self.mean is not None:
            blocks.append(sparse.csr_matrix(-self.mean))
            limits.append(-self.target)
            names.append(("target", 0))
        matrix = sparse.vstack(blocks, format="csc") if names else sparse.csc_matrix((0, n))
        if self.current is None or self.turnover is None:
            return Rows(matrix, np.array(limits), tuple(names))
        total = sparse.hstack([sparse.csr_matrix((1, n)), sparse.csr_matrix(np.ones((1, n)))])
        traded = sparse.vstack([sparse.hstack([unit, -unit]), sparse.hstack([-unit, -unit])])
        matrix = sparse.vstack(
            [sparse.hstack([matrix, sparse.csr_matrix((len(names), n))]), total, traded], format="csc"
        )
        limits = [*limits, 2.0 * self.turnover, *self.current.tolist(), *(-self.current).tolist()]
        return Rows(matrix, np.array(limits), (*names, ("turnover", 0)))

    @property
    def are_long_only(self) -> bool:
        """Whether only negative weights are excluded."""
        bounded = self.groups or self.mean is not None or self.current is not None
        return not bounded and bool((self.low == 0.0).all() and (self.high >= 1.0).all())

    def violation(self, weights: Floats) -> float:
        """The farthest that `weights` lie outside a constraint."""
        violations = [abs(weights.sum() - 1.0), float((self.low - weights).max()), float((weights - self.high).max())]
        for group in self.groups:
            total = float(weights[list(group.members)].sum())
            violations += [group.lower - total, total - group.upper]
        if self.mean is not None:
            violations.append(self.target - float(self.mean @ weights))
        if self.current is not None and self.turnover is not None:
            violations.append(0.5 * float(np.abs(weights - self.current).sum()) - self.turnover)
        return max(violations)


def highest(values: Floats, constraints: Constraints) -> float:
    """The largest mean of `values` that weights under the constraints reach; infinite if there is no largest.

    Raises
    ------
    Infeasible
        If no weights satisfy the constraints.
    """
    rows = constraints.rows()
    size = float(np.abs(values).max()) or 1.0
    cost = np.zeros(rows.matrix.shape[1])
    cost[: values.size] = -values / size
    answer = _programme(cost, rows.matrix, rows.limits, _budget(rows, values.size))
    if answer.status == 3:
        return np.inf
    if answer.status != 0:
        refuse(constraints)
        raise QuantError(f"the linear programme of the highest mean was not solved: {answer.message}")
    return -float(answer.fun) * size


def refuse(constraints: Constraints) -> None:
    """Name a smallest set of constraints that contradict each other (deletion filter, Chinneck and Dravnieks 1991).

    Raises
    ------
    Infeasible
        If there is such a set.
    """
    rows = constraints.rows()
    blocks = {_block(name) for name in rows.names} | {("budget", 0)}
    if not _contradict(rows, constraints.low.size, blocks):
        return
    order = ("lower", "upper", "budget", "target", "turnover", "group lower", "group upper")
    for block in sorted(blocks, key=lambda block: (order.index(block[0]), block[1])):
        if _contradict(rows, constraints.low.size, blocks - {block}):
            blocks.remove(block)
    raise Infeasible(_words(constraints, blocks, _contradict(rows, constraints.low.size, blocks)))


def _block(name: tuple[str, int]) -> tuple[str, int]:
    """Block of a row: all lower bounds form one block, all upper bounds another."""
    return (name[0], 0) if name[0] in {"lower", "upper"} else name


def _contradict(rows: Rows, assets: int, blocks: Collection[tuple[str, int]]) -> list[tuple[str, int]]:
    """The rows of a proof that the constraints of `blocks` contradict each other; none if they do not.

    The least sum of violations, each row allowed one; the dual prices are the multipliers of Farkas' lemma.
    """
    from scipy import sparse

    named_rows = len(rows.names)
    block_rows = [r for r, name in enumerate(rows.names) if _block(name) in blocks]
    row_indices = block_rows + (list(range(named_rows, rows.limits.size)) if ("turnover", 0) in blocks else [])
    if not row_indices:
        return []
    matrix = rows.matrix.tocsr()[row_indices]
    count, width = matrix.shape
    elastic = sparse.csr_matrix(
        (np.full(len(block_rows), -1.0), (range(len(block_rows)), range(len(block_rows)))), (count, len(block_rows))
    )
    budget = _budget(rows, assets) if ("budget", 0) in blocks else None
    if budget is not None:
        budget = sparse.hstack([budget, sparse.csr_matrix((1, len(block_rows)))])
    cost = np.append(np.zeros(width), np.ones(len(block_rows)))
    positive = [(None, None)] * width + [(0.0, None)] * len(block_rows)
    answer = _programme(cost, sparse.hstack([matrix, elastic]), rows.limits[row_indices], budget, positive)
    if answer.status != 0:
        raise QuantError(f"the linear programme of the constraints' violations was not solved: {answer.message}")
    if answer.fun <= _ROUNDING:
        return []
    prices = np.abs(answer.ineqlin.marginals[: len(block_rows)])
    return [rows.names[r] for r, price in zip(block_rows, prices, strict=True) if price > 1e-9]


def _budget(rows: Rows, assets: int) -> Any:
    from scipy import sparse

    return sparse.csr_matrix(np.append(np.ones(assets), np.zeros(rows.matrix.shape[1] - assets)))


def _programme(cost: Floats, matrix: Any, limits: Floats, budget: Any, bounds: Any = (None, None)) -> Any:
    from scipy.optimize import linprog

    return linprog(
        cost,
        A_ub=matrix if matrix.shape[0] else None,
        b_ub=limits if matrix.shape[0] else None,
        A_eq=budget,
        b_eq=None if budget is None else [1.0],
        bounds=bounds,
        method="highs",
        options={"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10},
    )


def _words(constraints: Constraints, blocks: Collection[tuple[str, int]], proof: Sequence[tuple[str, int]]) -> str:
    groups = sorted((block for block in blocks if block[0].startswith("group")), key=lambda block: block[1])
    parts: list[str] = []
    for name, g in groups:
        group = constraints.groups[g]
        limit = f"at least {group.lower:g}" if name == "group lower" else f"at most {group.upper:g}"
        parts.append(f"`groups` {group.name!r} ({limit})")
    if ("target", 0) in blocks:
        parts.append(f"`target` {constraints.target:g}")
    if constraints.current is not None and ("turnover", 0) in blocks:
        parts.append(f"`turnover` {constraints.turnover:g} from `current`, whose sum is {constraints.current.sum():g}")
    only = constraints.groups[groups[0][1]] if len(groups) == 1 else None
    for name, bounds in (("lower", constraints.low), ("upper", constraints.high)):
        if (name, 0) in blocks:
            parts.append(_bound_words(name, [i for kind, i in proof if kind == name], bounds, only))
    whole = "no weights that sum to 1" if ("budget", 0) in blocks else "no weights"
    return f"{whole} satisfy {' together with '.join(parts)}"


def _bound_words(name: str, assets: Sequence[int], bounds: Floats, group: Group | None) -> str:
    values = bounds[list(assets)]
    value = f"{values[0]:g}" if np.ptp(values) == 0.0 else f"between {values.min():g} and {values.max():g}"
    if group is not None and set(assets) == set(group.members):
        return f"`{name}` {value} for its {len(assets)} members"
    if len(assets) == 1:
        return f"`{name}` {value} of asset {assets[0]}"
    listed = (
        ", ".join(str(i) for i in assets)
        if len(assets) <= 6
        else f"{assets[0]}, {assets[1]} and {len(assets) - 2} more"
    )
    return f"`{name}` {value} of assets {listed}"
