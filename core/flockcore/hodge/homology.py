"""Exact Betti numbers and closed cochains, by collapsing.

A triangle that is the last face of a tetrahedron is the sum of three that come before it: filling
or leaving it changes no hole, and nearly all that depend on others go this way. Of the rest, one
with an edge that bounds no other triangle is removed together with that edge, which changes no
homology; where no such edge is left, a triangle is set aside and the collapse goes on (a discrete
Morse function: Forman 1998; the greedy choice: Benedetti and Lutz 2014). A graph is left. Each of
its edges outside a spanning forest gives a whole-numbered cochain that is closed on all collapsed
triangles; its curl round the triangles set aside is a small matrix of whole numbers, whose rank r
gives b1 = cochains - r, and b2 follows from the Euler characteristic. The rank is taken modulo the
prime 2^31 - 1, which is that over the rationals unless the complex has torsion of that very order.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from flockcore.hodge.cliques import tetrahedra
from flockcore.hodge.forest import spanning_forest
from flockcore.hodge.rank import rank

if TYPE_CHECKING:
    from flockcore.hodge.arrays import Floats, Indices, Integers, Mask
    from flockcore.hodge.complex import Complex

__all__ = ["Collapse", "Homology", "collapse"]

_SHARE_SET_ASIDE = 32
_BLOCK = 32
"""Triangles set aside whose boundaries are moved at a time."""
_ROOM = 2**21
"""More than the triangles that one edge can bound, while vertices number less."""


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Collapse:
    """How cells collapse to some of their faces.

    Attributes:
        rounds: pairs of arrays, the faces and the cells removed with them, shape (n,) each; no two
            pairs of a round touch.
        aside: cells set aside, shape (c,).
        left: faces that no cell took with it, ascending, shape (g,).
    """

    rounds: list[tuple[Indices, Indices]]
    aside: Indices
    left: Indices


def collapse(faces: Indices, size: int) -> Collapse:
    """Collapse all cells, in rounds of all that are free at a time.

    Args:
        faces: faces of each cell, shape (n, k).
        size: number of faces.
    """
    cells, sides = faces.shape
    flat = faces.reshape(-1)
    count = np.bincount(flat, minlength=size)
    total = np.bincount(flat, np.repeat(np.arange(cells, dtype=np.float64), sides), minlength=size)
    # How many cells a face has left, and above that the sum of their numbers: of one, its number.
    left = total.astype(np.int64) * _ROOM + count
    stands = np.ones(cells, dtype=np.bool_)
    claim = np.empty(max(cells, size), dtype=np.intp)
    rounds: list[tuple[Indices, Indices]] = []
    aside: list[Indices] = []
    paired = np.zeros(size, dtype=np.bool_)
    free = np.flatnonzero(count == 1)
    standing, looked, gathered = cells, 0, 0
    while standing:
        if len(free):
            gone = (left[free] // _ROOM).astype(np.intp)
            claim[gone] = free
            first = claim[gone] == free
            free, gone = free[first], gone[first]
            rounds.append((free, gone))
            paired[free] = True
        else:
            gone, looked = _next_standing(stands, looked, 1 + gathered // _SHARE_SET_ASIDE)
            aside.append(gone)
            gathered += len(gone)
        stands[gone] = False
        standing -= len(gone)
        touched = faces[gone].reshape(-1)
        np.subtract.at(left, touched, np.repeat(gone.astype(np.int64) * _ROOM + 1, sides))
        free = touched[left[touched] % _ROOM == 1]
        # Each face once: the one that wrote last stays.
        place = np.arange(len(free), dtype=np.intp)
        claim[free] = place
        free = free[claim[free] == place]
    return Collapse(
        rounds=rounds,
        aside=np.concatenate([*aside, np.zeros(0, dtype=np.intp)]),
        left=np.flatnonzero(~paired),
    )


def _next_standing(stands: Mask, start: int, wanted: int) -> tuple[Indices, int]:
    """Return up to `wanted` cells that stand, from `start` on, and where to look next."""
    while True:
        stop = start + 64 * wanted
        ahead = np.flatnonzero(stands[start:stop])[:wanted] + start
        if len(ahead):
            return ahead, int(ahead[-1]) + 1
        start = stop


class Homology:
    """Betti numbers of a complex and what follows from its collapse.

    Args:
        complex_: the complex.
        pieces: number of connected pieces, where it is known already.
    """

    def __init__(self, complex_: Complex, *, pieces: int | None = None) -> None:
        self.complex = complex_
        needed = np.ones(complex_.triangle_count, dtype=np.bool_)
        needed[tetrahedra(complex_.triangles, complex_.vertex_count)[:, 3]] = False
        spare = np.flatnonzero(needed)
        self._triangles = spare
        self._collapse = collapse(complex_.faces[spare], complex_.edge_count)
        self._pieces = pieces

    @cached_property
    def _forest(self) -> tuple[Indices, Mask]:
        ends = self.complex.edges[self._collapse.left]
        return spanning_forest(ends, self.complex.vertex_count)

    @property
    def components(self) -> Indices:
        """The connected piece of each vertex, numbered from 0, shape (V,)."""
        return self._forest[0]

    @property
    def pieces(self) -> int:
        """Number of connected pieces."""
        if self._pieces is None:
            self._pieces = int(self.components.max(initial=-1)) + 1
        return self._pieces

    @property
    def loops(self) -> int:
        """Independent loops of the graph that is left, at least b1."""
        return len(self._collapse.left) - self.complex.vertex_count + self.pieces

    @property
    def aside(self) -> int:
        """Triangles that the collapse set aside; counting holes costs memory for aside x loops."""
        return len(self._collapse.aside)

    @cached_property
    def betti(self) -> tuple[int, int, int]:
        """The Betti numbers: components, holes, and enclosed voids."""
        filled = rank(self._wound()) if self.aside and self.loops else 0
        holes = self.loops - filled
        return self.pieces, holes, self.complex.euler - self.pieces + holes

    def _wound(self) -> Integers:
        """How each triangle set aside winds round the loops, those that none winds round left out.

        As `closing`, which it spares where there are many loops: the boundary of each triangle is
        moved over collapsed triangles until it lies on the graph that is left.

        Returns:
            Shape (aside, loops that are touched).
        """
        faces = self.complex.faces[self._triangles]
        signs = self.complex.signs[self._triangles].astype(np.int64)
        loops = self._collapse.left[~self._forest[1]]
        entries = []
        for start in range(0, self.aside, _BLOCK):
            some = self._collapse.aside[start : start + _BLOCK]
            chain = np.zeros((self.complex.edge_count, len(some)), dtype=np.int64)
            chain[faces[some], np.arange(len(some))[:, None]] = signs[some]
            for edges, triangles in self._collapse.rounds:
                live = chain[edges].any(axis=1)
                edge, face, sign = edges[live], faces[triangles[live]], signs[triangles[live]]
                weight = chain[edge] * sign[face == edge[:, None]][:, None]
                np.subtract.at(chain, face, sign[:, :, None] * weight[:, None])
            loop, row = np.nonzero(chain[loops])
            entries.append((row + start, loop, chain[loops[loop], row]))
        rows, columns, values = (np.concatenate(one) for one in zip(*entries, strict=True))
        touched, column = np.unique(columns, return_inverse=True)
        found = np.zeros((self.aside, len(touched)), dtype=np.int64)
        found[rows, column] = values
        return found

    @cached_property
    def cochains(self) -> Integers:
        """Cochains closed on all triangles but those set aside, whole numbers, shape (loops, E)."""
        found = np.zeros((self.loops, self.complex.edge_count), dtype=np.int64)
        found[np.arange(self.loops), self._collapse.left[~self._forest[1]]] = 1
        faces = self.complex.faces[self._triangles]
        signs = self.complex.signs[self._triangles].astype(np.int64)
        for edges, triangles in reversed(self._collapse.rounds):
            face, sign = faces[triangles], signs[triangles]
            own = face == edges[:, None]
            turn = (found[:, face] * np.where(own, 0, sign)).sum(axis=2)
            found[:, edges] = -turn * sign[own]
        return found

    @cached_property
    def closing(self) -> Integers:
        """Curl of each cochain round each triangle set aside, shape (aside, loops)."""
        aside = self._triangles[self._collapse.aside]
        face, sign = self.complex.faces[aside], self.complex.signs[aside].astype(np.int64)
        curl: Integers = (self.cochains[:, face] * sign).sum(axis=2).T
        return curl

    def closed(self) -> Floats:
        """Return cochains that span the closed ones up to gradients, shape (b1, E)."""
        holes = self.betti[1]
        if holes == self.loops:
            return self.cochains.astype(np.float64)
        rows = np.unique(self.closing, axis=0).astype(np.float64)
        _, _, vectors = np.linalg.svd(rows, full_matrices=True)
        return vectors[len(vectors) - holes :] @ self.cochains
