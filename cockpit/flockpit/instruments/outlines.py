"""The shapes of a cut flock: an outline round each side, and the line between two sides."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["cut_line", "outline", "outline_reach", "side_reach"]

type Points = NDArray[np.floating]
type Line = tuple[NDArray[np.float32], NDArray[np.float32]]

_ANGLES = 120
_MOST = 200
"""Nodes by which the gap between sides is measured; of larger ones every n-th is taken."""
_REACH = 0.62
_SMOOTH = np.array([1.0, 2.0, 3.0, 2.0, 1.0]) / 9.0
_SWEEP = 48


def outline_reach(points: Points) -> float:
    """Return how far from its nodes an outline runs: about half a typical distance of nodes."""
    if len(points) < 2:
        return 1.0
    width, height = np.maximum(np.ptp(points, axis=0), 1e-9)
    even = np.sqrt(width * height / len(points)) + 0.25 * max(width, height) / len(points)
    return float(_REACH * even)


def side_reach(side: Points, rest: Points, reach: float) -> float:
    """Return the reach of one side's outline: less where the others are near.

    Args:
        side: points of the side, shape (n, 2).
        rest: points of all other sides, shape (m, 2).
        reach: what it would be alone.
    """
    if not len(rest) or not len(side):
        return reach
    near, far = side[:: -(-len(side) // _MOST)], rest[:: -(-len(rest) // _MOST)]
    squared = ((near[:, None, :] - far[None, :, :]) ** 2).sum(axis=2).min(axis=1)
    # The nearest points alone would pinch the whole outline: a tenth of them may lie over it.
    gap = float(np.sqrt(np.quantile(squared, 0.1)))
    return float(np.clip(0.5 * gap, 0.4 * reach, reach))


def outline(points: Points, reach: float) -> Line:
    """Return a closed line round points, as seen from their middle.

    Along a ray, a point at p along it and c aside carries the line to p + r - c^2 / 2r; the line
    is the farthest that any point carries it, smoothed. So it passes a lone point at its reach r,
    sinks gently between the outer ones, and costs one small product however many points there are.

    Args:
        points: shape (n, 2), n >= 1.
        reach: distance r at which the line passes a lone point.

    Returns:
        x and y, shape (120,).
    """
    chosen = np.asarray(points, dtype=np.float64)
    middle = chosen.mean(axis=0)
    away = chosen - middle
    angles = np.linspace(0.0, 2.0 * np.pi, _ANGLES, endpoint=False)
    rays = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    along = rays @ away.T
    aside = rays[:, :1] * away[:, 1] - rays[:, 1:] * away[:, 0]
    radius = (along - aside**2 / (2.0 * reach)).max(axis=1) + reach
    smooth = _smooth(np.maximum(radius, 0.0))
    x, y = (middle + smooth[:, None] * rays).T.astype(np.float32)
    return x, y


def _smooth(ring: NDArray[np.floating]) -> NDArray[np.floating]:
    half = len(_SMOOTH) // 2
    wrapped = np.concatenate([ring[-half:], ring, ring[:half]])
    return np.convolve(wrapped, _SMOOTH, mode="valid")


def cut_line(near: Points, far: Points, reach: float, others: Points | None = None) -> Line:
    """Return the line half-way between two sides, from above to below.

    The sides are swept across their common axis; at each place the line lies midway between the
    foremost points of both, where a point counts the less the farther aside it lies.

    Args:
        near: points of one side, shape (n, 2).
        far: points of the other, shape (m, 2).
        reach: distance aside at which a point has fallen back by half of it.
        others: points of further sides; the line ends where they are nearer.

    Returns:
        x and y, equally long; empty when the sides lie in each other.
    """
    near, far = np.asarray(near, dtype=np.float64), np.asarray(far, dtype=np.float64)
    along = far.mean(axis=0) - near.mean(axis=0)
    length = float(np.hypot(*along))
    if length < reach * 1e-3:
        return _nothing()
    along /= length
    across = np.array([along[1], -along[0]])
    if (across[1], across[0]) > (0.0, 0.0):
        across = -across
    both = np.concatenate([near, far]) @ across
    sweep = np.linspace(both.min() - 0.3 * reach, both.max() + 0.3 * reach, _SWEEP)
    front = _front(near @ along, near @ across, sweep, reach)
    back = -_front(-(far @ along), far @ across, sweep, reach)
    if np.mean(front > back + 0.5 * reach) > 0.5:
        return _nothing()
    middle = (front + back) / 2.0
    middle = np.convolve(np.pad(middle, 2, mode="edge"), _SMOOTH, mode="valid")
    places = middle[:, None] * along + sweep[:, None] * across
    if others is not None and len(others):
        gap = (back - front) / 2.0
        distance = np.sqrt(((places[:, None, :] - others[None, :, :]) ** 2).sum(axis=2)).min(axis=1)
        places = places[distance > np.maximum(gap, 0.25 * reach)]
    x, y = places.T.astype(np.float32)
    return x, y


def _front(
    along: NDArray[np.float64],
    across: NDArray[np.float64],
    sweep: NDArray[np.float64],
    reach: float,
) -> NDArray[np.float64]:
    aside = sweep[:, None] - across[None, :]
    front: NDArray[np.float64] = (along[None, :] - aside**2 / (2.0 * reach)).max(axis=1)
    # Beyond the outermost points the parabola would run away.
    return np.maximum(front, along.min())


def _nothing() -> Line:
    return np.zeros(0, dtype=np.float32), np.zeros(0, dtype=np.float32)
