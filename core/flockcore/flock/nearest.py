"""Exact nearest neighbours of many points at once.

The points are cut into leaves of equal size by median splits along the widest axis (the k-d tree of
Bentley, 1975, without its inner nodes). Each leaf then meets the other leaves in ascending order of
the least key that a pair between them can have, and stops when that bound exceeds the worst key
that any of its points still holds. Keys are ``distance << 32 | index``, so ties go to the lower
index, also among any number of points in one place.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flockcore.flock.fixed import isqrt

__all__ = ["MAX_COORDINATE", "nearest"]

MAX_COORDINATE = 2**29
"""Largest absolute coordinate: squared distances then stay below 2**62, distances below 2**31."""

_LEAF = 64
_FIRST_LEAVES = 9
_MORE_LEAVES = 16
_EXACT_FLOAT = 2**52
_NONE = np.iinfo(np.int64).max

type _Points = NDArray[Any]  # int64, or float64 where that is exact


def nearest(positions: NDArray[np.int64], size: int) -> NDArray[np.int64]:
    """Find the nearest other points of every point.

    Args:
        positions: Integer coordinates, shape (M, D), absolute values up to `MAX_COORDINATE`.
        size: How many neighbours, less than M.

    Returns:
        Keys ``distance << 32 | index``, ascending in each row, shape (M, size); the distance is
        the floor of the Euclidean distance.
    """
    points = _without_flat_axes(positions)
    leaves = list(_leaves(points))
    lows = np.array([points[leaf].min(axis=0) for leaf in leaves])
    highs = np.array([points[leaf].max(axis=0) for leaf in leaves])
    least = np.array([leaf.min() for leaf in leaves])
    keys = np.empty((len(points), size), dtype=np.int64)
    for number, leaf in enumerate(leaves):
        bounds = _keys(_gap(lows[number], highs[number], lows, highs), least)
        keys[leaf] = _search(points, leaf, leaves, bounds, size)
    keys.sort(axis=1)
    return keys


def _without_flat_axes(positions: NDArray[np.int64]) -> _Points:
    """Drop axes without extent; take floats where they carry squared distances exactly."""
    extent = np.ptp(positions, axis=0)
    points = np.ascontiguousarray(positions[:, extent > 0])
    if sum(int(width) ** 2 for width in extent) < _EXACT_FLOAT:
        return points.astype(np.float64)
    return points


def _leaves(points: _Points) -> Iterator[NDArray[np.intp]]:
    """Yield the indices of each leaf; every leaf but one has `_LEAF` points."""
    waiting = [np.arange(len(points), dtype=np.intp)]
    while waiting:
        group = waiting.pop()
        leaves = -(-len(group) // _LEAF)
        if leaves == 1:
            yield group
            continue
        here = points[group]
        if here.shape[1]:
            axis = int(np.argmax(np.ptp(here, axis=0)))
            group = group[np.lexsort((group, here[:, axis]))]
        half = leaves // 2 * _LEAF
        waiting += [group[half:], group[:half]]


def _gap(low: _Points, high: _Points, lows: _Points, highs: _Points) -> _Points:
    """Squared distance from one box to each of many, shape (L,)."""
    apart = np.maximum(np.maximum(lows - high, low - highs), 0)
    squared: _Points = (apart * apart).sum(axis=1)
    return squared


def _keys(squared: _Points, index: NDArray[np.intp]) -> NDArray[np.int64]:
    if squared.dtype == np.float64:
        # Below 2**52 the correctly rounded root never reaches the next integer.
        root = np.sqrt(squared).astype(np.int64)
    else:
        root = isqrt(squared.astype(np.int64, copy=False))
    root <<= 32
    root |= index
    return root


def _search(
    points: _Points,
    leaf: NDArray[np.intp],
    leaves: list[NDArray[np.intp]],
    bounds: NDArray[np.int64],
    size: int,
) -> NDArray[np.int64]:
    """Return the `size` least keys of each point of `leaf`, unsorted."""
    order = np.argsort(bounds)
    best = np.empty((len(leaf), 0), dtype=np.int64)
    worst, met, take = _NONE, 0, _FIRST_LEAVES
    while met < len(order) and bounds[order[met]] <= worst:
        batch = order[met : met + take]
        others = np.concatenate([leaves[one] for one in batch if bounds[one] <= worst])
        best = np.concatenate([best, _pairs(points, leaf, others)], axis=1)
        if best.shape[1] > size:
            best = np.partition(best, size - 1, axis=1)[:, :size]
            worst = int(best.max())
        met, take = met + take, _MORE_LEAVES
    return best


def _pairs(
    points: _Points,
    leaf: NDArray[np.intp],
    others: NDArray[np.intp],
) -> NDArray[np.int64]:
    """Keys of all pairs between `leaf` and `others`; a point and itself never meet."""
    squared = np.zeros((len(leaf), len(others)), dtype=points.dtype)
    for axis in range(points.shape[1]):
        apart = points[leaf, axis][:, None] - points[others, axis]
        apart *= apart
        squared += apart
    keys = _keys(squared, others)
    keys[leaf[:, None] == others] = _NONE
    return keys
