"""The boundary operators of a complex as sums over index arrays, and their Laplacians.

d0 takes vertex values to edges and d1 takes edge values to triangles; d1 d0 = 0 (spec shivya,
section 1.2; Lim 2020, "Hodge Laplacians on graphs").
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from flockcore.hodge.cliques import pairs_in_groups
from flockcore.hodge.matrix import SymmetricMatrix, sorting_order

if TYPE_CHECKING:
    from flockcore.hodge.arrays import Floats
    from flockcore.hodge.complex import Complex

__all__ = [
    "circulation",
    "curl",
    "divergence",
    "gradient",
    "triangle_laplacian",
    "vertex_laplacian",
]


def gradient(complex_: Complex, potential: Floats) -> Floats:
    """Return d0 a: the rise of a vertex potential (V,) along each edge, shape (E,)."""
    flow = potential[complex_.edges[:, 1]]
    flow -= potential[complex_.edges[:, 0]]
    return flow


def divergence(complex_: Complex, flow: Floats) -> Floats:
    """Return d0^T f: what an edge flow (E,) brings each vertex less what it takes, shape (V,)."""
    count = complex_.vertex_count
    arriving = np.bincount(complex_.edges[:, 1], flow, minlength=count)
    arriving -= np.bincount(complex_.edges[:, 0], flow, minlength=count)
    return arriving


def curl(complex_: Complex, flow: Floats) -> Floats:
    """Return d1 f: an edge flow (E,) summed round each triangle, shape (T,)."""
    turn = flow[complex_.faces]
    turn *= complex_.signs
    summed: Floats = turn.sum(axis=1)
    return summed


def circulation(complex_: Complex, stream: Floats) -> Floats:
    """Return d1^T b: the edge flow that turns round each triangle with its value (T,), (E,)."""
    weight = (complex_.signs * stream[:, None]).reshape(-1)
    return np.bincount(complex_.faces.reshape(-1), weight, minlength=complex_.edge_count)


def vertex_laplacian(complex_: Complex) -> SymmetricMatrix:
    """Return d0^T d0, the graph Laplacian, of order V."""
    tail, head = complex_.edges[:, 0], complex_.edges[:, 1]
    degree = np.bincount(complex_.edges.reshape(-1), minlength=complex_.vertex_count)
    return SymmetricMatrix.from_pairs(
        degree.astype(np.float64), tail, head, np.full(complex_.edge_count, -1.0)
    )


def triangle_laplacian(complex_: Complex) -> SymmetricMatrix:
    """Return d1 d1^T of order T: 3 on the diagonal, 1 or -1 for two triangles with a common edge.

    It is 1 where both triangles turn the same way along the edge.
    """
    face = complex_.faces.reshape(-1)
    order = sorting_order(face)
    near, far = pairs_in_groups(face[order], complex_.edge_count)
    near, far = order[near], order[far]
    sign = complex_.signs.reshape(-1)
    return SymmetricMatrix.from_pairs(
        np.full(complex_.triangle_count, 3.0), near // 3, far // 3, sign[near] * sign[far]
    )
