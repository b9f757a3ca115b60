"""Finding edges by their ends, and the triangles of a graph, by sorted adjacency.

Every edge is looked at from its end of lower rank, where the rank orders vertices by degree. The
pairs of edges that leave a vertex upwards are the candidates, and a candidate is a triangle if its
far ends are joined: at most O(E^1.5) look-ups (Chiba and Nishizeki 1985, "Arboricity and subgraph
listing algorithms").
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from flockcore.hodge.matrix import count_in_groups, sorting_order

if TYPE_CHECKING:
    from flockcore.hodge.arrays import Indices, Integers

__all__ = [
    "closed_by",
    "find",
    "in_rows",
    "lexicographic",
    "pair_keys",
    "pairs_in_groups",
    "tetrahedra",
    "triangles",
]


_FEW = 8
_MOST_CANDIDATES = 2**21
_MOST_VERTICES = 2**21 - 1
"""Three vertex numbers share one word."""


def pair_keys(pairs: Indices, vertices: int) -> Integers:
    """Return one integer for each unordered pair of vertices, shape (E,)."""
    low = np.minimum(pairs[..., 0], pairs[..., 1]).astype(np.int64)
    return low * vertices + np.maximum(pairs[..., 0], pairs[..., 1])


def find(pairs: Indices, vertices: int, first: Indices, second: Indices) -> Indices:
    """Return the edges that join `first` and `second`, -1 where there is none; any equal shapes."""
    if not len(pairs):
        return np.full(np.shape(first), -1, dtype=np.intp)
    keys = pair_keys(pairs, vertices)
    low = np.minimum(first, second)
    wanted = low.astype(np.int64) * vertices + np.maximum(first, second)
    order = None if (keys[1:] > keys[:-1]).all() else sorting_order(keys)
    keys = keys if order is None else keys[order]
    upward = np.bincount((keys // vertices).astype(np.intp), minlength=vertices)
    if upward.max() > _FEW:
        place = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    else:
        # A look at each of the few edges that leave a vertex upwards is faster than a search.
        place = np.minimum((np.cumsum(upward) - upward)[low], len(keys) - 1)
        for _ in range(int(upward.max()) - 1):
            place += (keys[place] < wanted) & (place < len(keys) - 1)
    edge = place if order is None else order[place]
    return np.where(keys[place] == wanted, edge, -1).astype(np.intp)


def triangles(pairs: Indices, vertices: int) -> tuple[Indices, Indices]:
    """Return every triangle of a graph.

    Args:
        pairs: ends of the edges, no pair twice, shape (E, 2).
        vertices: number of vertices.

    Returns:
        Vertices u < v < w in lexicographic order, shape (T, 3), and edges vw, uw, uv, shape (T, 3).
    """
    degree = np.bincount(pairs.reshape(-1), minlength=vertices)
    swap = degree[pairs[:, 0]] > degree[pairs[:, 1]]
    swap |= (degree[pairs[:, 0]] == degree[pairs[:, 1]]) & (pairs[:, 0] > pairs[:, 1])
    low = np.where(swap, pairs[:, 1], pairs[:, 0])
    high = np.where(swap, pairs[:, 0], pairs[:, 1])
    order = np.argsort(low, kind="stable")
    near, far = pairs_in_groups(low[order], vertices)
    near, far = order[near], order[far]
    closing = find(pairs, vertices, high[near], high[far])
    held = closing >= 0
    near, far, closing = near[held], far[held], closing[held]
    return _in_order(np.stack([low[near], high[near], high[far]], axis=1), pairs, vertices)


def in_rows(corners: Indices | Integers) -> Indices | Integers:
    """Return rows of three numbers, each sorted, shape (T, 3)."""
    # By columns: a minimum over rows of three is several times slower.
    u, v, w = corners.T
    low, high = np.minimum(u, v), np.maximum(u, v)
    first, last = np.minimum(low, w), np.maximum(high, w)
    return np.stack([first, np.maximum(low, np.minimum(high, w)), last], axis=1)


def lexicographic(corners: Indices | Integers, vertices: int) -> Indices:
    """Return the order of rows of three vertices, shape (T,)."""
    if vertices > _MOST_VERTICES:
        return np.lexsort(corners.T[::-1])
    wide = corners.astype(np.int64)
    return sorting_order((wide[:, 0] * vertices + wide[:, 1]) * vertices + wide[:, 2])


def closed_by(pairs: Indices, vertices: int, old: int) -> Indices:
    """Return the triangles that edges `old` and later close, shape (T, 3), in no order."""
    edge = np.arange(old, len(pairs), dtype=np.intp)
    both = np.concatenate([pairs, pairs[:, ::-1]])
    order = np.argsort(both[:, 0], kind="stable")
    start = np.searchsorted(both[order, 0], np.arange(vertices + 1))
    degree = np.diff(start)
    ends = pairs[edge]
    small = np.where(degree[ends[:, 0]] <= degree[ends[:, 1]], ends[:, 0], ends[:, 1])
    other = ends.sum(axis=1) - small
    row = np.repeat(np.arange(len(edge), dtype=np.intp), degree[small])
    step = np.arange(len(row), dtype=np.intp) - np.repeat(
        np.cumsum(degree[small]) - degree[small], degree[small]
    )
    third = both[order[start[small][row] + step], 1]
    held = (third != other[row]) & (find(pairs, vertices, third, other[row]) >= 0)
    corners = np.stack([small[row], other[row], third], axis=1)[held]
    return np.unique(np.sort(corners, axis=1), axis=0)


def tetrahedra(corners: Indices, vertices: int) -> Indices:
    """Return the triangles of each four vertices of which every three are a triangle.

    Args:
        corners: triangles u < v < w in lexicographic order, shape (T, 3).
        vertices: number of vertices.

    Returns:
        Shape (n, 4); none, which costs time but no truth, where the candidates are too many.
    """
    none = np.zeros((0, 4), dtype=np.intp)
    base = max(vertices, 1)
    if not len(corners) or base > _MOST_VERTICES:
        return none
    wide = corners.astype(np.int64)
    first_edge = wide[:, 0] * base + wide[:, 1]
    starts = np.flatnonzero(np.append(True, first_edge[1:] != first_edge[:-1]))
    size = np.diff(np.append(starts, len(corners)))
    if int((size * (size - 1) // 2).sum()) > _MOST_CANDIDATES:
        return none
    near, far = pairs_in_groups(np.repeat(np.arange(len(starts), dtype=np.intp), size), len(starts))
    keys = first_edge * base + wide[:, 2]
    found = [near, far]
    for corner in (0, 1):
        key = (wide[near, corner] * base + wide[near, 2]) * base + wide[far, 2]
        place = np.minimum(np.searchsorted(keys, key), len(keys) - 1)
        held = keys[place] == key
        near, far = near[held], far[held]
        found = [*(one[held] for one in found), place[held]]
    return np.stack(found, axis=1)


def pairs_in_groups(groups: Indices, size: int) -> tuple[Indices, Indices]:
    """Return every pair (i, j), i < j, of positions in the same group; groups ascend."""
    count, place = count_in_groups(groups, size)
    later = count[groups] - place - 1
    near = np.repeat(np.arange(len(groups), dtype=np.intp), later)
    step = np.arange(len(near), dtype=np.intp) - np.repeat(np.cumsum(later) - later, later)
    return near, near + 1 + step


def _in_order(corners: Indices, pairs: Indices, vertices: int) -> tuple[Indices, Indices]:
    corners = in_rows(corners)
    corners = corners[lexicographic(corners, vertices)]
    return corners, find(pairs, vertices, corners[:, [1, 0, 0]], corners[:, [2, 2, 1]])
