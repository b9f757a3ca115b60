"""Connected pieces of a graph and a spanning forest, found for all vertices at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from flockcore.hodge.arrays import Indices, Mask

__all__ = ["spanning_forest"]


def spanning_forest(pairs: Indices, vertices: int) -> tuple[Indices, Mask]:
    """Return the piece of each vertex and which edges make a spanning forest.

    In each round every piece takes its edge of lowest number that leaves it (Boruvka 1926), so
    there are at most log2 V rounds.

    Args:
        pairs: ends of the edges, shape (E, 2).
        vertices: number of vertices V.

    Returns:
        Pieces, numbered from 0 in the order of their first vertices, shape (V,), and a mask of
        edges, shape (E,).
    """
    piece = np.arange(vertices, dtype=np.intp)
    chosen = np.zeros(len(pairs), dtype=np.bool_)
    edge = np.arange(len(pairs), dtype=np.intp)
    while True:
        ends = piece[pairs[edge]]
        leaves = ends[:, 0] != ends[:, 1]
        edge, ends = edge[leaves], ends[leaves]
        if not len(edge):
            break
        lowest = np.full(vertices, len(pairs), dtype=np.intp)
        # Written from the last edge to the first, so that the lowest number stays.
        for side in (0, 1):
            best = np.full(vertices, len(pairs), dtype=np.intp)
            best[ends[::-1, side]] = edge[::-1]
            np.minimum(lowest, best, out=lowest)
        roots = np.flatnonzero(lowest < len(pairs))
        taken = lowest[roots]
        chosen[taken] = True
        parent = np.arange(vertices, dtype=np.intp)
        parent[roots] = piece[pairs[taken]].sum(axis=1) - roots
        # Two pieces that took the same edge point at each other: the lower one becomes the root.
        mutual = (parent[parent] == np.arange(vertices)) & (parent > np.arange(vertices))
        parent[mutual] = np.flatnonzero(mutual)
        piece = _roots(parent)[piece]
    _, first, piece = np.unique(piece, return_index=True, return_inverse=True)
    order = np.empty(len(first), dtype=np.intp)
    order[np.argsort(first)] = np.arange(len(first))
    return order[piece], chosen


def _roots(parent: Indices) -> Indices:
    """Follow parents to the end, doubling the stride."""
    while True:
        further = parent[parent]
        if np.array_equal(further, parent):
            return parent
        parent = further
