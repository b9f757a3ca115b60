"""Simplicial complexes of dimension two: vertices with mass, oriented edges, triangles.

Orientation, the one rule: an edge points from its first vertex to its second, as it was given, and
a positive flow goes that way; a triangle is the vertices u < v < w and turns u -> v -> w, so the
curl round it is f(u -> v) + f(v -> w) - f(u -> w) (spec shivya, section 1.2).

A complex does not change. What adds or removes returns the changed complex together with the edges
that it kept, so that a flow can be carried over.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

import numpy as np

from flockcore.errors import FlockError
from flockcore.hodge import cliques, validation

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from flockcore.hodge.arrays import Floats, Indices, Mask

__all__ = ["Change", "Complex"]


@dataclass(frozen=True, eq=False, kw_only=True)
class Complex:
    """Vertices, oriented edges and triangles. Made by `flag`, `given` or `from_neighbours`.

    Attributes:
        mass: mass of each vertex, shape (V,).
        edges: first and second vertex of each edge, shape (E, 2).
        triangles: vertices u < v < w of each triangle, in lexicographic order, shape (T, 3).
        faces: edges v-w, u-w and u-v of each triangle, shape (T, 3).
        signs: 1 where the triangle's turn follows the edge, -1 where it goes against it, in the
            order of `faces`, shape (T, 3).
    """

    mass: Floats
    edges: Indices
    triangles: Indices
    faces: Indices = field(repr=False)
    signs: Floats = field(repr=False)

    @classmethod
    def flag(
        cls, edges: ArrayLike, *, vertices: int | None = None, mass: ArrayLike | None = None
    ) -> Self:
        """Return the complex in which every three vertices that are joined pairwise are filled.

        Args:
            edges: pairs of vertices, shape (E, 2).
            vertices: number of vertices; None means the largest vertex of an edge plus one, or the
                length of `mass`.
            mass: mass of each vertex, 1 without, shape (V,).

        Raises:
            FlockError: an edge joins a vertex with itself, repeats another one or has an end that
                is no vertex, or a mass is not finite; the message names which.
        """
        pairs, weight = validation.ends(edges, vertices, mass)
        return cls._closed(weight, pairs)

    @classmethod
    def given(
        cls,
        edges: ArrayLike,
        triangles: ArrayLike,
        *,
        vertices: int | None = None,
        mass: ArrayLike | None = None,
    ) -> Self:
        """Return the complex with exactly these triangles, whose vertices may come in any order.

        Raises:
            FlockError: as `flag`; or a triangle repeats a vertex or another triangle, or lacks one
                of its edges.
        """
        pairs, weight = validation.ends(edges, vertices, mass)
        corners = validation.corners(triangles, len(weight))
        found = cliques.find(pairs, len(weight), corners[:, [1, 0, 0]], corners[:, [2, 2, 1]])
        validation.complete(corners, found)
        return cls._oriented(weight, pairs, corners, found)

    @classmethod
    def from_neighbours(cls, neighbours: ArrayLike, *, mass: ArrayLike | None = None) -> Self:
        """Return the flag complex of the union of neighbourhoods.

        Args:
            neighbours: vertices that each vertex has chosen, -1 where there is none, shape (V, K).
                An edge joins two vertices if either chose the other; it points from the lower
                number to the higher one, and edges are in lexicographic order.
            mass: mass of each vertex, 1 without, shape (V,).
        """
        chosen = validation.neighbours(neighbours)
        count = len(chosen)
        chooser = np.repeat(np.arange(count, dtype=np.int64), chosen.shape[1])
        other = chosen.reshape(-1)
        chooser, other = chooser[other >= 0], other[other >= 0]
        keys = np.unique(np.minimum(chooser, other) * count + np.maximum(chooser, other))
        low, high = np.divmod(keys, max(count, 1))
        pairs = np.stack([low, high], axis=1).astype(np.intp)
        return cls._closed(validation.masses(mass, count), pairs)

    @property
    def vertex_count(self) -> int:
        """Number of vertices, V."""
        return len(self.mass)

    @property
    def edge_count(self) -> int:
        """Number of edges, E."""
        return len(self.edges)

    @property
    def triangle_count(self) -> int:
        """Number of triangles, T."""
        return len(self.triangles)

    @property
    def euler(self) -> int:
        """Euler characteristic, V - E + T."""
        return self.vertex_count - self.edge_count + self.triangle_count

    def find_edges(self, first: ArrayLike, second: ArrayLike) -> tuple[Indices, Floats]:
        """Return the edges that join pairs of vertices.

        Args:
            first: vertices, shape (n,).
            second: vertices, shape (n,).

        Returns:
            The edges, -1 where there is none, and 1 where one points from first to second, -1
            where it points the other way, 0 where there is none, each of shape (n,).
        """
        tails = np.asarray(first, dtype=np.intp)
        edge = cliques.find(self.edges, self.vertex_count, tails, np.asarray(second, dtype=np.intp))
        if not self.edge_count:
            return edge, np.zeros(edge.shape)
        forward = np.where(self.edges[edge, 0] == tails, 1.0, -1.0)
        return edge, np.where(edge >= 0, forward, 0.0)

    def add_vertices(self, count: int = 1, *, mass: float = 1.0) -> Self:
        """Return the complex with `count` more vertices, numbered after the present ones."""
        weight = validation.masses(np.full(count, mass), count)
        return self._like(mass=np.concatenate([self.mass, weight]))

    def add_edges(self, edges: ArrayLike, *, present: str = "refuse") -> Change[Self]:
        """Return the complex with more edges, after the present ones, and the triangles they close.

        Args:
            edges: pairs of vertices, shape (n, 2).
            present: "refuse" an edge whose pair is joined already, in either direction, or "keep"
                the one that is there.

        Raises:
            FlockError: as `flag`.
        """
        if present not in ("refuse", "keep"):
            raise FlockError(f'present is {present!r}; "refuse" and "keep" are allowed')
        fresh, _ = validation.ends(edges, self.vertex_count, repeats=present == "keep")
        joined, _ = self.find_edges(fresh[:, 0], fresh[:, 1])
        if present == "refuse":
            validation.refuse_present(fresh, joined)
        pairs = np.concatenate([self.edges, fresh[joined < 0]])
        closed = cliques.closed_by(pairs, self.vertex_count, self.edge_count)
        corners = np.concatenate([self.triangles, closed])
        found = cliques.find(pairs, len(self.mass), corners[:, [1, 0, 0]], corners[:, [2, 2, 1]])
        order = cliques.lexicographic(corners, self.vertex_count)
        after = self._oriented(self.mass, pairs, corners[order], found[order])
        return Change(after, np.arange(self.edge_count, dtype=np.intp))

    def remove_edges(self, edges: ArrayLike) -> Change[Self]:
        """Return the complex without these edges and the triangles that they bound."""
        gone = validation.members(edges, self.edge_count, "edge")
        stays = np.ones(self.edge_count, dtype=np.bool_)
        stays[gone] = False
        return self._keep(stays)

    def isolate(self, vertices: ArrayLike) -> Change[Self]:
        """Return the complex without the edges of these vertices; every vertex keeps its number."""
        gone = np.zeros(self.vertex_count, dtype=np.bool_)
        gone[validation.members(vertices, self.vertex_count, "vertex")] = True
        return self._keep(~gone[self.edges].any(axis=1))

    def remove_vertices(self, vertices: ArrayLike) -> Change[Self]:
        """Return the complex without these vertices; the numbers above them close up."""
        bare = self.isolate(vertices)
        stays = np.ones(self.vertex_count, dtype=np.bool_)
        stays[validation.members(vertices, self.vertex_count, "vertex")] = False
        number = (np.cumsum(stays) - 1).astype(np.intp)
        after = bare.complex._like(
            mass=self.mass[stays],
            edges=number[bare.complex.edges],
            triangles=number[bare.complex.triangles],
        )
        return Change(after, bare.kept)

    @classmethod
    def _closed(cls, mass: Floats, pairs: Indices) -> Self:
        corners, found = cliques.triangles(pairs, len(mass))
        return cls._oriented(mass, pairs, corners, found)

    @classmethod
    def _oriented(cls, mass: Floats, pairs: Indices, corners: Indices, found: Indices) -> Self:
        """Finish a complex from triangles (u, v, w) and their edges vw, uw, uv."""
        along = pairs[:, 0][found] == corners[:, [1, 0, 0]] if len(corners) else found == 0
        signs = np.where(along, 1.0, -1.0) * (1.0, -1.0, 1.0)
        return cls(mass=mass, edges=pairs, triangles=corners, faces=found, signs=signs)

    def _keep(self, stays: Mask) -> Change[Self]:
        number = (np.cumsum(stays) - 1).astype(np.intp)
        whole = stays[self.faces].all(axis=1)
        after = self._like(
            edges=self.edges[stays],
            triangles=self.triangles[whole],
            faces=number[self.faces[whole]],
            signs=self.signs[whole],
        )
        return Change(after, np.flatnonzero(stays))

    def _like(
        self,
        *,
        mass: Floats | None = None,
        edges: Indices | None = None,
        triangles: Indices | None = None,
        faces: Indices | None = None,
        signs: Floats | None = None,
    ) -> Self:
        return type(self)(
            mass=self.mass if mass is None else mass,
            edges=self.edges if edges is None else edges,
            triangles=self.triangles if triangles is None else triangles,
            faces=self.faces if faces is None else faces,
            signs=self.signs if signs is None else signs,
        )


@dataclass(frozen=True, eq=False)
class Change[C: Complex]:
    """A changed complex.

    Attributes:
        complex: the complex after the change.
        kept: the edges of the complex before, in the order in which they come first in the complex
            after; edges that were added follow them.
    """

    complex: C
    kept: Indices

    def carry(self, flow: Floats) -> Floats:
        """Return a flow on the complex before as one on the complex after: 0 on added edges."""
        carried = np.zeros(self.complex.edge_count, dtype=flow.dtype)
        carried[: len(self.kept)] = flow[self.kept]
        return carried
