"""A small picture of the triangle that is written round, as SVG."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from flockpit.texts import node

__all__ = ["picture"]

_WIDE, _HIGH = 240.0, 96.0
_BESIDE, _ABOVE = 44.0, 18.0
"""Room for the names."""
_LEAST = 0.5
"""Extent at the least, as a share of the other one: a flat triangle would hide its own arrows."""


def _seats(places: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return where the corners stand in the picture: as on the mesh, but filling it, (3, 2)."""
    points = np.asarray(places, dtype=np.float64)
    points = points - points.min(axis=0)
    span = np.maximum(np.ptp(points, axis=0), 1e-9)
    points *= np.maximum(span, _LEAST * span.max()) / span
    span = np.maximum(span, _LEAST * span.max())
    room = np.array([_WIDE - 2 * _BESIDE, _HIGH - 2 * _ABOVE])
    points = points * (room / span).min()
    points += (room - np.ptp(points, axis=0)) / 2.0 + np.array([_BESIDE, _ABOVE])
    points[:, 1] = _HIGH - points[:, 1]
    return points


def _beside(
    points: NDArray[np.float64], place: int, middle: NDArray[np.float64]
) -> tuple[str, float, float]:
    """Return how a corner's name is anchored, and how far it stands to the right and below."""
    if place == int(np.argsort(points[:, 0], kind="stable")[1]):
        return "middle", 0.0, 17.0 if points[place, 1] > middle[1] else -9.0
    return ("start", 9.0, 4.0) if points[place, 0] >= middle[0] else ("end", -9.0, 4.0)


def picture(path: Sequence[int], places: NDArray[np.floating], writer: int) -> str:
    """Return a triangle with an arrow on each edge and a name at each corner.

    Args:
        path: the corners in the order in which the flow goes round.
        places: of all nodes, y upwards, shape (N, 2).
        writer: the corner whose log takes the entry.
    """
    points = _seats(places[list(path)])
    outline = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    middle = points.mean(axis=0)
    arrows, names = [], []
    for place in range(3):
        start, end = points[place], points[(place + 1) % 3]
        along = end - start
        x, y = start + 0.56 * along
        turn = np.degrees(np.arctan2(along[1], along[0]))
        arrows.append(
            f"<path d='M-5,-5 L6,0 L-5,5 Z' transform='translate({x:.1f} {y:.1f}) "
            f"rotate({turn:.1f})' class='arrow'/>"
        )
        side, right, down = _beside(points, place, middle)
        css = " writer" if path[place] == writer else ""
        names.append(
            f"<circle cx='{start[0]:.1f}' cy='{start[1]:.1f}' r='5' class='corner{css}'/>"
            f"<text x='{start[0] + right:.1f}' y='{start[1] + down:.1f}' text-anchor='{side}'>"
            f"{node(path[place])}</text>"
        )
    return (
        f"<svg class='loop' viewBox='0 0 {_WIDE:g} {_HIGH:g}' role='img' "
        f"aria-label='a loop over {', '.join(map(node, path))}'>"
        f"<polygon points='{outline}'/>{''.join(arrows)}{''.join(names)}</svg>"
    )
