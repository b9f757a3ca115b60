"""Where nodes stand on the plane, and how loaded they are at the start.

Positions belong to the exact layers: they decide who is near to whom. So only sums, products,
quotients and square roots of float64 occur here, which have the same bits on every platform; sine
and cosine are polynomials.

The plane is `arena` wide and seven tenths of that high, the shape of the map on the screen. Nodes
are numbered from left to right within a blob or a cluster, so that ``"0-23"`` of 48 is its left
half; clusters are equal shares of consecutive numbers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["loads", "positions"]

_ROOT_3 = 1.7320508075688772
_PI = 3.141592653589793
_JITTER = 0.26
_ONE = 65536
_DISCS = {
    "blob": ((0.5, 0.35, 0.45, 0.31),),
    "two-clusters": ((0.27, 0.35, 0.215, 0.31), (0.73, 0.35, 0.215, 0.31)),
    "three-clusters": (
        (0.22, 0.2, 0.18, 0.16),
        (0.78, 0.2, 0.18, 0.16),
        (0.5, 0.53, 0.18, 0.16),
    ),
}
"""Centre x and y, radius x and y of every cluster, in widths of the plane."""


def positions(layout: str, nodes: int, arena: int, words: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Place the nodes.

    Args:
        layout: ``blob``, ``two-clusters``, ``three-clusters``, ``ring`` or ``grid``.
        nodes: Number of nodes N.
        arena: Width of the plane.
        words: Raw random words that jitter the places, shape (2 N,).

    Returns:
        Whole coordinates, shape (N, 2), within the plane.
    """
    noise = 2.0 * _unit(words[: 2 * nodes]).reshape(nodes, 2) - 1.0
    if layout == "ring":
        places = _ring(nodes, noise)
    elif layout == "grid":
        places = _grid(nodes)
    else:
        places = _clusters(layout, nodes, noise)
    limit = np.array([arena, 0.7 * arena])
    return np.clip(np.floor(places * arena + 0.5), 0.0, np.floor(limit)).astype(np.int64)


def loads(
    pattern: str, places: NDArray[np.int64], arena: int, words: NDArray[np.uint64]
) -> NDArray[np.int64]:
    """The load component at the start.

    Args:
        pattern: ``hill`` (one hot region that falls off), ``random``, ``even`` (one half) or
            ``none``.
        places: Positions, shape (N, 2).
        arena: Width of the plane.
        words: Raw random words, shape (N,) or longer.

    Returns:
        Loads from 0 to 1, raw Q16.16, shape (N,).
    """
    count = len(places)
    noise = _unit(words[:count])
    if pattern == "none":
        share = np.zeros(count)
    elif pattern == "even":
        share = np.full(count, 0.5)
    elif pattern == "random":
        share = noise
    else:
        offset = places.astype(np.float64) / arena - np.array([0.36, 0.28])
        squared = offset[:, 0] * offset[:, 0] + offset[:, 1] * offset[:, 1]
        share = 0.06 + 0.8 / (1.0 + squared / (0.16 * 0.16)) + 0.12 * noise
    return np.floor(share * _ONE).astype(np.int64)


def _unit(words: NDArray[np.uint64]) -> NDArray[np.float64]:
    """Turn raw words into numbers in [0, 1), exactly."""
    return (words >> np.uint64(11)).astype(np.float64) * 2.0**-53


def _disc(count: int, noise: NDArray[np.float64]) -> NDArray[np.float64]:
    """Fill the unit disc with `count` jittered points of a hexagonal lattice, by x ascending."""
    radius = float(np.sqrt(count * 2.0 * _ROOT_3 / _PI))
    half = int(radius) + 2
    row, column = np.mgrid[-half : half + 1, -half : half + 1]
    # Unit: half a spacing along x, and root 3 halves along y. Integers, so that the order is exact.
    x = (2 * column + (row & 1)).ravel()
    y = row.ravel()
    nearest = np.lexsort((x, y, x * x + 3 * y * y))[:count]
    spots = np.stack([x[nearest] * 1.0, y[nearest] * _ROOT_3], axis=1)
    spots = (spots + 2.0 * _JITTER * noise) / (radius + 0.4)
    return spots[np.lexsort((spots[:, 1], spots[:, 0]))]


def _clusters(layout: str, nodes: int, noise: NDArray[np.float64]) -> NDArray[np.float64]:
    discs = _DISCS[layout]
    shares = [len(share) for share in np.array_split(np.arange(nodes), len(discs))]
    placed, first = [], 0
    for (x, y, wide, high), count in zip(discs, shares, strict=True):
        spots = _disc(count, noise[first : first + count])
        placed.append(spots * np.array([wide, high]) + np.array([x, y]))
        first += count
    return np.concatenate(placed)


def _grid(nodes: int) -> NDArray[np.float64]:
    columns = int(np.ceil(np.sqrt(nodes / 0.7)))
    rows = -(-nodes // columns)
    number = np.arange(nodes)
    x = (number % columns + 0.5) / columns
    y = 0.7 * (number // columns + 0.5) / rows
    return np.stack([x, y], axis=1)


def _ring(nodes: int, noise: NDArray[np.float64]) -> NDArray[np.float64]:
    turn = np.arange(nodes) / nodes
    stretch = 1.0 + 0.05 * noise[:, 0]
    x = 0.5 + 0.42 * stretch * _cosine(turn)
    y = 0.35 + 0.29 * stretch * _cosine(turn - 0.25)
    return np.stack([x, y], axis=1)


def _cosine(turn: NDArray[np.float64]) -> NDArray[np.float64]:
    """Cosine of a number of turns, by Taylor's polynomial: error below 1e-9."""
    away = np.abs(turn - np.floor(turn + 0.5))
    flip = away > 0.25
    angle = 2.0 * _PI * np.where(flip, 0.5 - away, away)
    squared = angle * angle
    total = np.zeros_like(squared)
    for order in range(14, 0, -2):
        total = (total + 1.0) * -squared / (order * (order - 1.0))
    return np.where(flip, -1.0, 1.0) * (total + 1.0)
