"""Shapes of flows on a mesh: ribbons of lanes, arrowheads, filled triangles, turning arcs.

Everything is a pure function of arrays, in the plane's own units; `per_px` is the length of a pixel
on the plane, for what has a width in pixels.
"""

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "LANES",
    "WIDEST_PX",
    "arcs",
    "areas",
    "arrows",
    "corners_at",
    "lanes",
    "ribbon_widths",
    "triangles",
]

type Floats = NDArray[np.float64]
type Indices = NDArray[np.intp]

LANES = ("gradient", "curl", "harmonic")
"""Lanes of a ribbon in their order across it, seen along the edge from the right."""
WIDEST_PX = 11.0
"""Width of the ribbon of the largest flow."""
_THINNEST_LANE = 0.07
"""Share of a ribbon below which a lane is left out."""
_ARROW_AT, _ARROW_ABOVE = 0.56, 0.08
"""Where on its edge an arrowhead stands, and from which share of the largest flow on."""
_FILL_ABOVE, _ARC_ABOVE = 0.06, 0.38
"""Shares of the largest curl from which on a triangle is filled, and has an arc."""
_ARC_PX, _LEAST_ARC_PX = 14.0, 4.0
_SWEEP = 1.6 * np.pi
_ARC_POINTS = 25


def ribbon_widths(flow: Floats, largest: float) -> Floats:
    """Return the width of each edge's ribbon in pixels, shape (E,): 11 sqrt(|f| / largest)."""
    if largest <= 0:
        return np.zeros(len(flow))
    return WIDEST_PX * np.sqrt(np.minimum(np.abs(flow) / largest, 1.0))


def lanes(
    places: Floats, edges: Indices, parts: Floats, widths: Floats, per_px: float
) -> list[dict[str, Floats]]:
    """Return the lanes of all ribbons.

    Args:
        places: of the nodes, shape (N, 2).
        edges: ends of each edge, shape (E, 2).
        parts: gradient, curl and harmonic part of each edge's flow, shape (3, E).
        widths: of the ribbons in pixels, shape (E,).
        per_px: length of a pixel on the plane.

    Returns:
        For each part x0, y0, x1, y1 on the plane, width in pixels, and edge, the edge's number.
    """
    size = np.abs(parts)
    share = size / np.maximum(size.sum(axis=0), 1e-300)
    share[share < _THINNEST_LANE] = 0.0
    share /= np.maximum(share.sum(axis=0), 1e-300)
    wide = share * widths
    # The middle of each lane, from the ribbon's middle line, across it.
    middle = np.cumsum(wide, axis=0) - wide / 2.0 - wide.sum(axis=0) / 2.0
    near, far = places[edges[:, 0]], places[edges[:, 1]]
    along = far - near
    length = np.maximum(np.hypot(along[:, 0], along[:, 1]), 1e-300)
    across = np.stack([-along[:, 1], along[:, 0]], axis=1) / length[:, None] * per_px
    found = []
    for lane in range(len(parts)):
        drawn = np.flatnonzero(wide[lane] > 0.2)
        shift = across[drawn] * middle[lane, drawn, None]
        start, end = near[drawn] + shift, far[drawn] + shift
        found.append(
            {
                "x0": start[:, 0],
                "y0": start[:, 1],
                "x1": end[:, 0],
                "y1": end[:, 1],
                "width": wide[lane, drawn],
                "edge": drawn.astype(np.float64),
            }
        )
    return found


def arrows(
    places: Floats, edges: Indices, flow: Floats, largest: float, most_px: float = 15.0
) -> dict[str, Floats]:
    """Return an arrowhead for each edge whose flow counts.

    Returns:
        x, y; angle: of a marker that points upwards, in radians, anticlockwise; size in pixels.
    """
    chosen = np.flatnonzero((np.abs(flow) > _ARROW_ABOVE * largest) & (largest > 0))
    ahead = flow[chosen] > 0
    tail = places[np.where(ahead, edges[chosen, 0], edges[chosen, 1])]
    head = places[np.where(ahead, edges[chosen, 1], edges[chosen, 0])]
    along = head - tail
    at = tail + _ARROW_AT * along
    share = np.sqrt(np.abs(flow[chosen]) / largest) if largest > 0 else np.zeros(0)
    return {
        "x": at[:, 0],
        "y": at[:, 1],
        "angle": np.arctan2(along[:, 1], along[:, 0]) - np.pi / 2.0,
        "size": 5.0 + (most_px - 5.0) * share,
    }


def areas(places: Floats, corners: Indices) -> Floats:
    """Return the area of each triangle, above 0 where its corners run anticlockwise, (T,)."""
    a, b, c = (places[corners[:, place]] for place in range(3))
    ahead, aside = b - a, c - a
    area: Floats = 0.5 * (ahead[:, 0] * aside[:, 1] - ahead[:, 1] * aside[:, 0])
    return area


def triangles(turn: Floats, sharpest: float) -> Indices:
    """Return the triangles that are filled, the weakest curl first so that the sharpest show."""
    if sharpest <= 0:
        return np.zeros(0, dtype=np.intp)
    size = np.abs(turn)
    chosen = np.flatnonzero(size > _FILL_ABOVE * sharpest)
    return chosen[np.argsort(size[chosen], kind="stable")]


def arcs(
    places: Floats, corners: Indices, turn: Floats, sharpest: float, per_px: float
) -> dict[str, list[Floats] | Floats]:
    """Return an arc with an arrowhead in each triangle round which enough turns.

    The arc goes the way in which a positive flow goes round. A triangle that is too narrow for an
    arc has none, nor has one that another arc lies on: triangles may overlap.

    Returns:
        xs, ys: one line an arc; x, y, angle: its arrowhead, as `arrows` has them.
    """
    strong = np.abs(turn) > _ARC_ABOVE * sharpest if sharpest > 0 else np.zeros(len(turn), bool)
    chosen = np.flatnonzero(strong)
    points = places[corners[chosen]]
    area = areas(places, corners[chosen])
    sides = np.stack(
        [np.hypot(*(points[:, (k + 1) % 3] - points[:, k]).T) for k in (1, 2, 0)], axis=1
    )
    around = np.maximum(sides.sum(axis=1), 1e-300)
    middle = (points * sides[:, :, None]).sum(axis=1) / around[:, None]
    radius = np.minimum(0.6 * 2.0 * np.abs(area) / around, _ARC_PX * per_px)
    fits = radius >= _LEAST_ARC_PX * per_px
    clear = _apart(middle[fits], radius[fits], np.abs(turn[chosen][fits]))
    kept = np.flatnonzero(fits)[clear]
    middle, radius = middle[kept], radius[kept]
    sense = np.sign(turn[chosen[kept]] * area[kept])
    # From the upper right all round to the right, with a gap in which the arrowhead stands.
    sweep = np.linspace(0.0, _SWEEP, _ARC_POINTS)
    angle = 0.35 * np.pi * sense[:, None] + sense[:, None] * sweep
    xs = middle[:, 0, None] + radius[:, None] * np.cos(angle)
    ys = middle[:, 1, None] + radius[:, None] * np.sin(angle)
    return {
        "xs": list(xs),
        "ys": list(ys),
        "x": xs[:, -1],
        "y": ys[:, -1],
        # A marker points upwards: along the tangent once the angle has been gone through.
        "angle": angle[:, -1] + np.where(sense > 0, 0.0, np.pi),
    }


def _apart(middle: Floats, radius: Floats, size: Floats) -> Indices:
    """Return which circles to keep so that none lies on another: of two the larger `size`."""
    kept: list[int] = []
    for one in np.argsort(-size, kind="stable").tolist():
        gap = np.hypot(*(middle[kept] - middle[one]).T) - radius[kept] - radius[one]
        if not (gap < 0).any():
            kept.append(one)
    return np.array(sorted(kept), dtype=np.intp)


def corners_at(places: Floats, corners: Indices, place: tuple[float, float]) -> int | None:
    """Return the triangle in which a place lies, the smallest of several; None outside all."""
    if not len(corners):
        return None
    point = np.asarray(place, dtype=np.float64)
    a, b, c = (places[corners[:, k]].astype(np.float64) for k in range(3))

    def side(p: Floats, q: Floats) -> Floats:
        ahead, aside = q - p, point - p
        turned: Floats = ahead[:, 0] * aside[:, 1] - ahead[:, 1] * aside[:, 0]
        return turned

    turned = np.stack([side(a, b), side(b, c), side(c, a)])
    holding = np.flatnonzero((turned >= 0).all(axis=0) | (turned <= 0).all(axis=0))
    if not len(holding):
        return None
    return int(holding[np.argmin(np.abs(areas(places, corners[holding])))])
