"""How the plane fits into the pixels of the map, and which nodes a gesture meant."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

__all__ = ["Frame", "hit", "inside"]

type Points = NDArray[np.floating]

_WIDE = (900.0, 11.5)
"""Frames at least as wide have nodes of that radius in pixels."""
_NARROW_RADIUS = 7.5
_LEAST_RADIUS = 3.5
_SHARE = 0.4
"""Most of the distance to the nearest neighbour that a node's radius may take."""
_REACH_PX = 18.0
"""How far from a node's centre a click still means it."""
_BORDER = (16.0, 44.0, 28.0)
"""Pixels around the outlines: beside, above (letters) and below (labels)."""


@dataclass(slots=True)
class Frame:
    """The part of the plane that the map shows, at one scale in both directions.

    Attributes:
        width: of the frame in pixels; until the page tells, a guess.
        height: likewise.
        x: range of the plane across.
        y: range of the plane upwards.
        radius: of a node in pixels.
        per_px: length of a pixel on the plane.
    """

    width: float = 1060.0
    height: float = 560.0
    x: tuple[float, float] = (0.0, 1.0)
    y: tuple[float, float] = (0.0, 1.0)
    radius: float = _WIDE[1]
    per_px: float = 1.0
    _shown: object = field(default=None, repr=False)

    @property
    def reach(self) -> float:
        """Distance on the plane within which a click means a node."""
        return _REACH_PX * self.per_px

    def resize(self, *, width: float | None = None, height: float | None = None) -> None:
        """Take the size that the page has given the frame; None leaves it."""
        if width and width > 1:
            self.width = float(width)
        if height and height > 1:
            self.height = float(height)

    def fit(self, points: Points, margin: float = 0.0) -> bool:
        """Show all points.

        Args:
            points: places on the plane, shape (n, 2).
            margin: length on the plane to be left around them.

        Returns:
            Whether anything has changed.
        """
        shown = (self.width, self.height, points.tobytes())
        if shown == self._shown or not len(points):
            return False
        self._shown = shown
        least, most = points.min(axis=0) - margin, points.max(axis=0) + margin
        beside, above, below = _BORDER
        size = np.maximum(most - least, 1e-9)
        room = np.maximum([self.width - 2 * beside, self.height - above - below], 40.0)
        self.per_px = float((size / room).max()) if (most > least).any() else 1.0
        middle = (least + most) / 2.0
        half = 0.5 * self.width * self.per_px
        self.x = (float(middle[0] - half), float(middle[0] + half))
        lift = 0.5 * (above - below) * self.per_px
        half = 0.5 * self.height * self.per_px
        self.y = (float(middle[1] - half + lift), float(middle[1] + half + lift))
        self.radius = self._radius(points)
        return True

    def _radius(self, points: Points) -> float:
        wanted = _WIDE[1] if self.width >= _WIDE[0] else _NARROW_RADIUS
        room = _SHARE * _nearest(points) / self.per_px
        return float(np.clip(room, _LEAST_RADIUS, wanted))


def _nearest(points: Points) -> float:
    """Distance to the nearest neighbour that nine tenths of the points exceed."""
    chosen = np.asarray(points, dtype=np.float32)[:1000]
    if len(chosen) < 2:
        return float("inf")
    squared = ((chosen[:, None, :] - chosen[None, :, :]) ** 2).sum(axis=2)
    np.fill_diagonal(squared, np.inf)
    return float(np.sqrt(np.quantile(squared.min(axis=1), 0.1)))


def hit(points: Points, place: tuple[float, float], reach: float) -> tuple[int, ...]:
    """Return the node nearest to a place, or nothing when none is within reach."""
    if not len(points):
        return ()
    squared = ((np.asarray(points, dtype=np.float64) - np.array(place)) ** 2).sum(axis=1)
    nearest = int(np.argmin(squared))
    return (nearest,) if squared[nearest] <= reach**2 else ()


def inside(points: Points, corners: Points) -> NDArray[np.intp]:
    """Return the points within a closed polygon, by the even-odd rule.

    Args:
        points: shape (n, 2).
        corners: shape (m, 2); the last is joined to the first.
    """
    if len(corners) < 3:
        return np.zeros(0, dtype=np.intp)
    x, y = np.asarray(points, dtype=np.float64).T[:, :, None]
    x0, y0 = np.asarray(corners, dtype=np.float64).T
    x1, y1 = np.roll(x0, -1), np.roll(y0, -1)
    spans = (y0 > y) != (y1 > y)
    rise = np.where(y1 == y0, 1.0, y1 - y0)
    crossings = spans & (x < x0 + (y - y0) * (x1 - x0) / rise)
    return np.flatnonzero(crossings.sum(axis=1) % 2 == 1)
