"""Sparse symmetric matrices whose products are few, large numpy calls.

The off-diagonal entries of a row fill the columns of a rectangle (ELLPACK, Bell and Garland 2009,
"Implementing sparse matrix-vector multiplication on throughput-oriented processors"); what sticks
out of the rectangle, on rows with many entries, is a list of triples. A product is then one gather
and one contraction for the rectangle and one weighted count for the list. The rectangle is cut into
blocks of rows whose temporaries stay in the processor's cache.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Self

import numpy as np

if TYPE_CHECKING:
    from flockcore.hodge.arrays import Floats, Indices, Integers

__all__ = ["SymmetricMatrix", "count_in_groups", "sorting_order"]

_BLOCK = 8192
_HOLES = 0.45
"""A further column of the rectangle pays while less than this share of it would be empty."""

_LEAST = int(np.iinfo(np.int64).min)


def sorting_order(keys: Integers | Indices) -> Indices:
    """Return the positions of whole numbers from 0 in ascending order, ties by position.

    Number and position share one word where they fit: sorting plain integers is several times
    faster than finding an order.
    """
    bits = max(len(keys) - 1, 1).bit_length()
    if int(keys.max(initial=0)) >= 2 ** (63 - bits):
        return np.argsort(keys, kind="stable")
    packed = keys.astype(np.int64) << bits
    packed |= np.arange(len(keys), dtype=np.int64)
    packed.sort()
    packed &= (1 << bits) - 1
    return packed.astype(np.intp)


def count_in_groups(groups: Indices, size: int) -> tuple[Indices, Indices]:
    """Return the members of each group and the place of each entry in its group.

    Args:
        groups: ascending group numbers, shape (n,).
        size: number of groups.

    Returns:
        Counts, shape (size,), and places, shape (n,).
    """
    count = np.bincount(groups, minlength=size)
    start = np.cumsum(count) - count
    return count, np.arange(len(groups), dtype=np.intp) - start[groups]


class SymmetricMatrix:
    """A sparse symmetric matrix of order n.

    Args:
        diagonal: shape (n,).
        rows: rows of the entries above and below the diagonal, ascending, shape (m,).
        columns: their columns, shape (m,); each (row, column) at most once.
        values: their values, shape (m,); the entry of (i, j) is that of (j, i).

    Attributes:
        degree: Off-diagonal entries of each row, shape (n,).
    """

    def __init__(self, diagonal: Floats, rows: Indices, columns: Indices, values: Floats) -> None:
        self.diagonal = diagonal
        self.rows, self.columns, self.values = rows, columns, values
        self.degree, place = count_in_groups(rows, self.order)
        self.width = self._choose_width()
        self._fill(place)

    @classmethod
    def from_pairs(cls, diagonal: Floats, first: Indices, second: Indices, values: Floats) -> Self:
        """Return the matrix whose entries (first, second) and (second, first) have `values`.

        Args:
            diagonal: shape (n,).
            first: a row number for each pair, shape (m,); repeated pairs add up.
            second: the other row number, never that of `first`, shape (m,).
            values: shape (m,).
        """
        rows, columns = np.concatenate([first, second]), np.concatenate([second, first])
        keys = rows.astype(np.int64) * max(len(diagonal), 1) + columns
        place = sorting_order(keys)
        rows, columns, keys = rows[place], columns[place], keys[place]
        both = np.concatenate([values, values])[place]
        fresh = np.append(True, keys[1:] != keys[:-1])[: len(keys)]
        if not fresh.all():
            start = np.flatnonzero(fresh)
            rows, columns, both = rows[start], columns[start], np.add.reduceat(both, start)
        return cls(diagonal, rows, columns, both)

    @property
    def order(self) -> int:
        """Number of rows, n."""
        return len(self.diagonal)

    @cached_property
    def bound(self) -> float:
        """A bound of every eigenvalue (Gershgorin)."""
        size = np.abs(self.diagonal) + np.bincount(
            self.rows, np.abs(self.values), minlength=self.order
        )
        return float(size.max(initial=0.0))

    @property
    def entries(self) -> int:
        """Stored entries, the diagonal included."""
        return self.order + len(self.rows)

    def __matmul__(self, x: Floats) -> Floats:
        """Return the product with a vector, shape (n,)."""
        return self.product(x, np.empty(self.order))

    def product(self, x: Floats, out: Floats) -> Floats:
        """Write the product with x into `out`, which must not be x, and return it; shapes (n,)."""
        for start, index, values in self._blocks:
            block = slice(start, start + index.shape[1])
            gathered = self._buffer[: index.size].reshape(index.shape)
            summed = self._sum[: index.shape[1]]
            # "clip" spares numpy a second pass over the indices, which are in range already.
            np.take(x, index, out=gathered, mode="clip")
            if values is None:
                np.add.reduce(gathered, axis=0, out=summed)
                summed *= self._uniform
            else:
                np.einsum("ij,ij->j", values, gathered, out=summed)
            np.multiply(self._effective[block], x[block], out=out[block])
            out[block] += summed
        if len(self._tail_row):
            product = self._tail_value * x[self._tail_column]
            out += np.bincount(self._tail_row, product, minlength=self.order)
        return out

    def dense(self) -> Floats:
        """Return the matrix in full, shape (n, n)."""
        full = np.diag(self.diagonal)
        full[self.rows, self.columns] = self.values
        return full

    def largest_neighbour(self, x: Integers) -> Integers:
        """Return the largest of x over each row and the rows it has entries with, shape (n,)."""
        y = x.copy()
        room = np.empty(len(self._buffer), dtype=x.dtype)
        for start, index, _ in self._blocks:
            block = slice(start, start + index.shape[1])
            gathered = room[: index.size].reshape(index.shape)
            np.take(x, index, out=gathered, mode="clip")
            np.maximum(y[block], gathered.max(axis=0, initial=_LEAST), out=y[block])
        if len(self._tail_row):
            np.maximum.at(y, self._tail_row, x[self._tail_column])
        return y

    def _choose_width(self) -> int:
        """Columns of the rectangle: as many as enough rows can fill."""
        if not self.order:
            return 0
        # reach[k]: rows that have more than k entries.
        reach = self.order - np.cumsum(np.bincount(self.degree))
        return int(np.count_nonzero(reach > (1 - _HOLES) * self.order))

    def _fill(self, place: Indices) -> None:
        """Lay the entries out in blocks and tail; an empty place is its own row, with value 0.

        Where all values are equal they need not be stored: empty places then count as entries on
        the diagonal, from which they are taken off again.
        """
        inside = place < self.width
        where = (place[inside], self.rows[inside])
        index = np.tile(np.arange(self.order, dtype=np.intp), (self.width, 1))
        index[where] = self.columns[inside]
        self._effective = self.diagonal
        self._uniform = float(self.values[0]) if len(self.values) else 0.0
        values = None
        if (self.values == self._uniform).all():
            holes = np.maximum(self.width - self.degree, 0)
            self._effective = self.diagonal - self._uniform * holes
        else:
            values = np.zeros((self.width, self.order))
            values[where] = self.values[inside]
        starts = [slice(start, start + _BLOCK) for start in range(0, self.order, _BLOCK)]
        self._blocks = [
            (
                block.start,
                np.ascontiguousarray(index[:, block]),
                None if values is None else np.ascontiguousarray(values[:, block]),
            )
            for block in starts
        ]
        self._buffer = np.empty(self.width * min(_BLOCK, self.order))
        self._sum = np.empty(min(_BLOCK, self.order))
        outside = ~inside
        self._tail_row = self.rows[outside]
        self._tail_column = self.columns[outside]
        self._tail_value = self.values[outside]
