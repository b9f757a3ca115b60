"""A multilevel preconditioner by aggregation, for Laplacians of graphs and of triangles.

Rows are gathered round a maximal independent set, each with its neighbours; the coarse matrix is
that of the aggregates, with the sign by which each row belongs to its own. Coarse equations are
solved by two steps of conjugate gradients that the next level preconditions in turn (the K-cycle:
Notay 2010, "An aggregation-based algebraic multigrid method"), which keeps the number of steps
nearly independent of the size without the costly smoothing of the interpolation.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from flockcore.hodge.forest import spanning_forest
from flockcore.hodge.matrix import SymmetricMatrix
from flockcore.hodge.solver import dot

if TYPE_CHECKING:
    from flockcore.hodge.arrays import Floats, Indices, Integers, Mask

__all__ = ["Multilevel", "aggregate"]

_DENSE = 128
"""Order up to which a matrix is inverted in full."""

_ENOUGH = 0.25
"""One step is enough where it leaves this share of a coarse residual."""

_POWER_STEPS = 6
_NOTHING = 1e-12
_HALF = np.uint64(32)


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class _Level:
    """One level that is not the last.

    Attributes:
        matrix: of order n.
        relaxation: weight of each row in a relaxation step, shape (n,).
        aggregate: coarse row of each row, for one without it the row after the last, shape (n,).
        sign: sign with which the row takes part, 0 for a row without a coarse one, shape (n,).
        signed: whether any sign is -1.
        coarse: order of the next level.
    """

    matrix: SymmetricMatrix
    relaxation: Floats
    aggregate: Indices
    sign: Floats
    signed: bool
    coarse: int


class Multilevel:
    """An approximate inverse of a symmetric positive semi-definite matrix.

    Args:
        matrix: with entries off the diagonal that are mostly, or up to the signs of rows, negative.

    Attributes:
        orders: order of the matrix of each level, the finest first.
    """

    def __init__(self, matrix: SymmetricMatrix) -> None:
        self._levels: list[_Level] = []
        self.orders = [matrix.order]
        self._left = np.empty(matrix.order)
        while matrix.order > _DENSE:
            level, coarse = _coarsen(matrix)
            self._levels.append(level)
            self.orders.append(coarse.order)
            matrix = coarse
        self._last = matrix
        self._inverse = _inverse(matrix)

    @property
    def pieces(self) -> int:
        """Number of sets of rows that no entry connects, for a matrix without positive entries."""
        alone = sum(int(np.count_nonzero(one.aggregate == one.coarse)) for one in self._levels)
        ends = np.stack([self._last.rows, self._last.columns], axis=1)
        piece, _ = spanning_forest(ends, self._last.order)
        return alone + int(piece.max(initial=-1)) + 1

    def __call__(self, residual: Floats) -> Floats:
        """Return an approach to the solution for this right side, shape (n,)."""
        return self._cycle(0, residual)

    def _cycle(self, depth: int, right: Floats) -> Floats:
        if depth == len(self._levels):
            solved: Floats = self._inverse @ right
            return solved
        level = self._levels[depth]
        left = np.empty_like(right) if depth else self._left
        x = level.relaxation * right
        np.subtract(right, level.matrix.product(x, left), out=left)
        if level.signed:
            left *= level.sign
        gathered = np.bincount(level.aggregate, left, minlength=level.coarse + 1)
        gathered[:-1] = self._coarse(depth + 1, gathered[:-1])
        gathered[-1] = 0.0
        np.take(gathered, level.aggregate, out=left, mode="clip")
        if level.signed:
            left *= level.sign
        x += left
        np.subtract(right, level.matrix.product(x, left), out=left)
        left *= level.relaxation
        x += left
        return x

    def _coarse(self, depth: int, right: Floats) -> Floats:
        """Solve the equations of a coarse level by at most two preconditioned steps."""
        if depth == len(self._levels):
            solved: Floats = self._inverse @ right
            return solved
        matrix = self._levels[depth].matrix
        first = self._cycle(depth, right)
        image = matrix @ first
        curvature, slope = dot(first, image), dot(first, right)
        if not curvature > 0:
            return first
        left = right - (slope / curvature) * image
        if dot(left, left) <= _ENOUGH**2 * dot(right, right):
            first *= slope / curvature
            return first
        second = self._cycle(depth, left)
        second_image = matrix @ second
        mixed = dot(second, image)
        rest = dot(second, second_image) - mixed * mixed / curvature
        first_weight, second_weight = slope / curvature, 0.0
        if rest > 0:
            second_weight = dot(second, left) / rest
            first_weight -= mixed * second_weight / curvature
        first *= first_weight
        second *= second_weight
        first += second
        return first


def aggregate(matrix: SymmetricMatrix) -> tuple[Indices, Floats, int]:
    """Gather rows round centres that are three entries or more apart, found in rounds (Luby 1986).

    Neighbours of a centre belong to it alone, so there are at most half as many aggregates as rows.
    Rows with many entries go first, ties by a fixed shuffle, so that the hub of a star gathers it.

    Returns:
        The aggregate of each row, -1 for a row without entries off the diagonal, shape (n,); the
        sign with which each row takes part, such that entries inside are negative as far as they
        can be, 0 without an aggregate, shape (n,); and the number of aggregates.
    """
    rank = np.minimum(matrix.degree, 255).astype(np.int64) << 54
    rank |= _shuffle(matrix.order)
    undecided: Mask = matrix.degree > 0
    centre = np.zeros(matrix.order, dtype=np.bool_)
    while undecided.any():
        standing = np.where(undecided, rank, -1)
        best = matrix.largest_neighbour(matrix.largest_neighbour(standing))
        chosen = undecided & (best == standing)
        centre |= chosen
        near = matrix.largest_neighbour(matrix.largest_neighbour(chosen.astype(np.int64)))
        undecided &= near == 0
    number = np.full(matrix.order, -1, dtype=np.int64)
    number[centre] = np.arange(np.count_nonzero(centre))
    ring = matrix.largest_neighbour(number)
    first = np.where(centre, number, ring)
    found = np.where(first >= 0, first, matrix.largest_neighbour(first))
    sign = np.where(found < 0, 0.0, 1.0)
    if len(matrix.values) and matrix.values.max() > 0:
        _take_sign(matrix, sign, found, centre, ~centre & (first >= 0))
        _take_sign(matrix, sign, found, first >= 0, (first < 0) & (found >= 0))
    return found.astype(np.intp), sign, int(np.count_nonzero(centre))


def _take_sign(
    matrix: SymmetricMatrix, sign: Floats, member: Integers, inner: Mask, outer: Mask
) -> None:
    """Give rows of `outer` the sign that makes an entry with an inner row of theirs negative."""
    use = np.flatnonzero(outer[matrix.rows] & inner[matrix.columns])
    use = use[member[matrix.rows[use]] == member[matrix.columns[use]]]
    sign[matrix.rows[use]] = -np.sign(matrix.values[use]) * sign[matrix.columns[use]]


def _shuffle(count: int) -> Integers:
    """Return distinct numbers below 2^54 in a fixed disorder."""
    mixed = np.arange(count, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    mixed ^= mixed >> _HALF
    mixed *= np.uint64(0xD6E8FEB86659FD93)
    mixed ^= mixed >> _HALF
    high = (mixed >> np.uint64(42)).astype(np.int64) << 32
    return high | np.arange(count, dtype=np.int64)


def _coarsen(matrix: SymmetricMatrix) -> tuple[_Level, SymmetricMatrix]:
    member, sign, coarse = aggregate(matrix)
    member = np.where(member < 0, coarse, member)
    diagonal = np.bincount(member, matrix.diagonal * sign * sign, minlength=coarse + 1)
    upper = matrix.rows < matrix.columns
    rows, columns = matrix.rows[upper], matrix.columns[upper]
    value = matrix.values[upper] * sign[rows] * sign[columns]
    first, second = member[rows], member[columns]
    inside = first == second
    diagonal += 2 * np.bincount(first[inside], value[inside], minlength=coarse + 1)
    diagonal[diagonal < _NOTHING * matrix.diagonal.max(initial=0.0)] = 0.0
    level = _Level(
        matrix=matrix,
        relaxation=_weights(matrix),
        aggregate=member,
        sign=sign,
        signed=bool((sign < 0).any()),
        coarse=coarse,
    )
    between = ~inside
    return level, SymmetricMatrix.from_pairs(
        diagonal[:-1], first[between], second[between], value[between]
    )


def _weights(matrix: SymmetricMatrix) -> Floats:
    """Return weights of Jacobi's relaxation: 4/3 over the largest eigenvalue of D^-1 A."""
    diagonal = matrix.diagonal
    inverse = np.divide(1.0, diagonal, out=np.zeros(matrix.order), where=diagonal > 0)
    if not len(matrix.rows):
        return inverse
    x = _shuffle(matrix.order) / 2.0**53 - 1.0
    largest = 1.0
    for _ in range(_POWER_STEPS):
        y = inverse * (matrix @ x)
        largest = float(np.abs(y).max()) / float(np.abs(x).max())
        x = y
    return np.where(matrix.degree > 0, 4 / (3 * max(largest, 1.0)) * inverse, inverse)


def _inverse(matrix: SymmetricMatrix) -> Floats:
    """Return a generalised inverse in full, by sweeping out one pivot after the other.

    A pivot that is nothing but rounding belongs to the kernel; its row and column stay 0. (Linear
    algebra libraries start threads for this, which costs more than the work.)
    """
    work = matrix.dense()
    least = _NOTHING * max(float(matrix.diagonal.max(initial=0.0)), _NOTHING)
    waiting = np.ones(matrix.order, dtype=np.bool_)
    for _ in range(matrix.order):
        pivot = int(np.where(waiting, work.diagonal(), -1.0).argmax())
        if not work[pivot, pivot] > least:
            break
        waiting[pivot] = False
        row = work[pivot] / work[pivot, pivot]
        scale = work[pivot, pivot]
        work -= np.multiply.outer(work[:, pivot], row)
        work[:, pivot] = work[pivot] = row
        work[pivot, pivot] = -1.0 / scale
    work[waiting] = 0.0
    work[:, waiting] = 0.0
    inverse: Floats = -work
    return inverse
