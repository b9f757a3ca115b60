"""Checks of what a complex or a flow is made from; messages name the entry and what is allowed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from flockcore.errors import FlockError
from flockcore.hodge.cliques import in_rows, lexicographic, pair_keys

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from flockcore.hodge.arrays import Floats, Indices, Integers

__all__ = ["complete", "corners", "ends", "finite", "masses", "members", "neighbours"]


def _table(values: ArrayLike, width: int | None, name: str) -> Integers:
    """Return whole numbers of shape (n, width), or (n, anything) with width None."""
    found = np.asarray(values)
    if not found.size and (found.ndim < 2 or width is not None):
        found = np.zeros((0, width or 0), dtype=np.int64)
    if found.ndim != 2 or (width is not None and found.shape[1] != width):
        allowed = f"(n, {'K' if width is None else width})"
        raise FlockError(f"{name} have shape {found.shape}; {allowed} is allowed")
    if found.dtype.kind not in "iu":
        raise FlockError(f"{name} are of type {found.dtype}; whole numbers are allowed")
    return found.astype(np.int64)


def _first(bad: Indices | np.ndarray[tuple[int], np.dtype[np.bool_]]) -> int:
    return int(np.flatnonzero(bad)[0])


def masses(mass: ArrayLike | None, vertices: int) -> Floats:
    """Return the mass of each vertex, 1 without, shape (V,)."""
    if mass is None:
        return np.ones(vertices)
    found = finite(mass, "mass", "vertex")
    if len(found) != vertices:
        raise FlockError(f"there are {len(found)} masses for {vertices} vertices; one each")
    return found


def finite(values: ArrayLike, name: str, entry: str) -> Floats:
    """Return finite numbers, shape (n,); an error names the first entry that is none."""
    try:
        found = np.array(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise FlockError(f"{name} holds what is no number; finite numbers are allowed") from error
    if found.ndim != 1:
        raise FlockError(f"{name} has shape {found.shape}; one number for each {entry} is allowed")
    bad = ~np.isfinite(found)
    if bad.any():
        row = _first(bad)
        raise FlockError(f"{name} of {entry} {row} is {found[row]}; finite numbers are allowed")
    return found


def ends(
    edges: ArrayLike,
    vertices: int | None = None,
    mass: ArrayLike | None = None,
    *,
    repeats: bool = False,
) -> tuple[Indices, Floats]:
    """Return the checked ends of edges, shape (E, 2), and the masses, shape (V,).

    Args:
        edges: pairs of vertices.
        vertices: number of vertices; None means as many as `mass` or the edges ask for.
        mass: mass of each vertex.
        repeats: whether a pair may come again; only its first appearance is returned then.
    """
    pairs = _table(edges, 2, "edges")
    if vertices is None and mass is not None:
        vertices = np.size(np.asarray(mass))
    count = int(pairs.max(initial=-1)) + 1 if vertices is None else vertices
    if count < 0:
        raise FlockError(f"vertices is {count}; 0 or more is allowed")
    outside = (pairs < 0) | (pairs >= count)
    if outside.any():
        row = _first(outside.any(axis=1))
        raise FlockError(
            f"edge {row} joins {pairs[row, 0]} and {pairs[row, 1]}; vertices are 0 to {count - 1}"
        )
    loops = pairs[:, 0] == pairs[:, 1]
    if loops.any():
        row = _first(loops)
        raise FlockError(f"edge {row} joins vertex {pairs[row, 0]} with itself; two are needed")
    keep = _without_repeats(pairs, count, repeats)
    return pairs[keep].astype(np.intp) if repeats else pairs.astype(np.intp), masses(mass, count)


def _without_repeats(pairs: Integers, count: int, repeats: bool) -> Indices:
    keys = pair_keys(pairs.astype(np.intp), count)
    ordered = np.sort(keys)
    if not repeats and (ordered[1:] != ordered[:-1]).all():
        return np.zeros(0, dtype=np.intp)
    _, first, group = np.unique(keys, return_index=True, return_inverse=True)
    if not repeats:
        row = _first(first[group] != np.arange(len(keys)))
        before = int(first[group[row]])
        raise FlockError(
            f"edge {row} joins {pairs[row, 0]} and {pairs[row, 1]}, as edge {before} does; "
            "one edge for each pair is allowed"
        )
    return np.sort(first)


def refuse_present(pairs: Indices, joined: Indices) -> None:
    """Refuse pairs that are joined by an edge already."""
    if (joined >= 0).any():
        row = _first(joined >= 0)
        raise FlockError(
            f"edge {row} joins {pairs[row, 0]} and {pairs[row, 1]}, as edge {joined[row]} of the "
            "complex does; one edge for each pair is allowed"
        )


def corners(triangles: ArrayLike, vertices: int) -> Indices:
    """Return checked triangles u < v < w in lexicographic order, shape (T, 3)."""
    found = _table(triangles, 3, "triangles")
    outside = (found < 0) | (found >= vertices)
    if outside.any():
        row = _first(outside.any(axis=1))
        raise FlockError(
            f"triangle {row} is {_listed(found[row])}; vertices are 0 to {vertices - 1}"
        )
    ordered = in_rows(found)
    flat = ordered[:, 1:] == ordered[:, :-1]
    if flat.any():
        row = _first(flat.any(axis=1))
        raise FlockError(f"triangle {row} is {_listed(found[row])}; three vertices are needed")
    order = lexicographic(ordered, vertices)
    ordered = ordered[order]
    again = (ordered[1:, 2] == ordered[:-1, 2]) & (ordered[1:, 1] == ordered[:-1, 1])
    again &= ordered[1:, 0] == ordered[:-1, 0]
    if again.any():
        place = _first(again)
        raise FlockError(
            f"triangle {order[place + 1]} is {_listed(ordered[place])}, as triangle "
            f"{order[place]} is; each triangle is allowed once"
        )
    return ordered.astype(np.intp)


def complete(triangles: Indices, faces: Indices) -> None:
    """Refuse triangles that lack an edge; `faces` holds -1 for each that is missing."""
    if faces.min(initial=0) < 0:
        row = _first((faces < 0).any(axis=1))
        u, v, w = triangles[row]
        side = ((v, w), (u, w), (u, v))[_first(faces[row] < 0)]
        raise FlockError(
            f"triangle {_listed(triangles[row])} lacks the edge {side[0]} to {side[1]}; "
            "a triangle needs its three edges"
        )


def neighbours(chosen: ArrayLike) -> Integers:
    """Return a checked table of neighbours, -1 for none, shape (V, K)."""
    found = _table(chosen, None, "neighbours")
    count = len(found)
    outside = (found < -1) | (found >= count)
    if outside.any():
        row, place = np.argwhere(outside)[0]
        raise FlockError(
            f"vertex {row} has neighbour {found[row, place]}; 0 to {count - 1} are allowed, "
            "and -1 for none"
        )
    own = found == np.arange(count)[:, None]
    if own.any():
        row = int(np.argwhere(own)[0, 0])
        raise FlockError(f"vertex {row} has itself as neighbour; other vertices are allowed")
    return found


def members(chosen: ArrayLike, size: int, name: str) -> Indices:
    """Return checked numbers of edges or vertices, shape (n,)."""
    found = np.atleast_1d(np.asarray(chosen))
    if not found.size:
        return np.zeros(0, dtype=np.intp)
    if found.ndim != 1 or found.dtype.kind not in "iu":
        raise FlockError(f"{name} numbers are {found.dtype}; a list of whole numbers is allowed")
    outside = (found < 0) | (found >= size)
    if outside.any():
        raise FlockError(f"there is no {name} {found[outside][0]}; 0 to {size - 1} are allowed")
    return found.astype(np.intp)


def _listed(corners: Integers | Indices) -> str:
    return ", ".join(str(int(corner)) for corner in corners)
