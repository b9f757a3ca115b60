"""The nodes and links of the flock map, as columns."""

from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from flockcore.flock.codes import Health
from flockcore.kernel.faults import Cut
from flockpit.instruments.base import Columns
from flockpit.instruments.view import NOT_SEEN, DeckView

__all__ = [
    "Mark",
    "Ring",
    "alive_columns",
    "chosen_columns",
    "cut_link_columns",
    "halo_columns",
    "link_columns",
    "node_columns",
    "node_places",
    "selected_nodes",
    "selection_columns",
]

_HALO_ABOVE = 0.45
_HALOS = ((0.045, 1.0), (0.06, 46 / 62), (0.08, 32 / 62))
"""Opacity of each circle of a halo, and how far it reaches, the outermost first."""


class Mark(IntEnum):
    """How a node is drawn."""

    UNKNOWN = 0
    ALIVE = 1
    SUSPECT = 2
    DEAD = 3
    STALE = 4
    """Believed ALIVE, but nothing fresh of it is known."""
    NOWHERE = 5
    """No member: its seat is empty."""
    UNSEEN = 6
    """Beyond the reach of the observer: not even unknown to it."""


class Ring(IntEnum):
    """Where belief and truth contradict."""

    NONE = 0
    REALLY_UP = 1
    REALLY_DOWN = 2


# ---------------------------------------------------------------- nodes


def node_columns(view: DeckView) -> Columns:
    """Return seat, mark, field, ring and halo of every node.

    Returns:
        x, y, field: float32; mark, ring, halo: uint8; each of shape (N,).
    """
    belief, field = view.belief, view.field
    alive, fresh = belief == Health.ALIVE, ~np.isnan(field)
    mark = np.where(alive & ~fresh, np.uint8(Mark.STALE), belief)
    mark[belief == NOT_SEEN] = Mark.UNSEEN
    mark[~view.present] = Mark.NOWHERE
    x, y = view.positions.T
    return {
        "x": np.ascontiguousarray(x),
        "y": np.ascontiguousarray(y),
        "field": field,
        "mark": mark.astype(np.uint8),
        "ring": rings(view),
        "halo": (alive & fresh & view.present & (field > _HALO_ABOVE)).astype(np.uint8),
    }


def _nodes(view: DeckView) -> Columns:
    """`node_columns`, worked out once for all that draw a part of them."""
    found = view.memo.get("map nodes")
    if found is None:
        found = view.memo["map nodes"] = node_columns(view)
    return found


def node_places(view: DeckView, column: str, value: int) -> Columns:
    """Return the seats of the nodes whose `mark` or `ring` has a value: x and y."""
    nodes = _nodes(view)
    chosen = nodes[column] == value
    return {"x": nodes["x"][chosen], "y": nodes["y"][chosen]}


def alive_columns(view: DeckView) -> Columns:
    """Return seat and field of the nodes that are believed ALIVE and known afresh."""
    nodes = _nodes(view)
    chosen = nodes["mark"] == Mark.ALIVE
    return {name: nodes[name][chosen] for name in ("x", "y", "field")}


def halo_columns(view: DeckView) -> Columns:
    """Return the circles of all halos, three for each node that has one.

    Returns:
        x, y; field: float32, for the colour; wide: 0..1, how far the circle reaches; alpha: its
        opacity.
    """
    nodes = _nodes(view)
    chosen = nodes["halo"] == 1
    field = nodes["field"][chosen]
    alpha, share = (np.array(column, dtype=np.float32) for column in zip(*_HALOS, strict=True))
    return {
        "x": np.tile(nodes["x"][chosen], len(_HALOS)),
        "y": np.tile(nodes["y"][chosen], len(_HALOS)),
        "field": np.tile(field, len(_HALOS)),
        "wide": np.outer(share, field).reshape(-1),
        "alpha": np.repeat(alpha, len(field)),
    }


def rings(view: DeckView) -> NDArray[np.uint8]:
    """Return a `Ring` for each node, shape (N,)."""
    belief = view.belief
    ring = np.zeros(view.nodes, dtype=np.uint8)
    feared = (belief == Health.SUSPECT) | (belief == Health.DEAD)
    ring[feared & view.really_up] = Ring.REALLY_UP
    ring[(belief == Health.ALIVE) & ~view.really_up & view.present] = Ring.REALLY_DOWN
    return ring


def selection_columns(view: DeckView) -> Columns:
    """Return the seats of the selected nodes."""
    chosen = view.positions[selected_nodes(view)]
    return {"x": chosen[:, 0], "y": chosen[:, 1]}


def selected_nodes(view: DeckView) -> NDArray[np.intp]:
    """Return the selected nodes that there are, the inspected one first."""
    inside = [index for index in view.choice.selected if 0 <= index < view.nodes]
    return np.array(inside, dtype=np.intp)


# ---------------------------------------------------------------- links


def _pairs(view: DeckView) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Elected links, each pair of nodes once, the lower index first."""
    elected = view.elected
    near = np.repeat(np.arange(view.nodes, dtype=np.int64), elected.shape[1])
    far = elected.reshape(-1).astype(np.int64)
    there = far >= 0
    near, far = near[there], far[there]
    key = np.unique(np.minimum(near, far) * view.nodes + np.maximum(near, far))
    return (key // view.nodes).astype(np.intp), (key % view.nodes).astype(np.intp)


def _segments(view: DeckView, near: NDArray[np.intp], far: NDArray[np.intp]) -> Columns:
    places = view.positions
    return {
        "x0": places[near, 0],
        "y0": places[near, 1],
        "x1": places[far, 0],
        "y1": places[far, 1],
    }


def link_columns(view: DeckView) -> Columns:
    """Return the elected links that carry traffic both ways, each once; float32 ends."""
    near, far = _pairs(view)
    there = view.passes(near, far)
    return _segments(view, near[there], far[there])


def cut_link_columns(view: DeckView) -> Columns:
    """Return the elected links, and the links cut by hand, that are cut in a direction."""
    near, far = _pairs(view)
    gone = ~view.passes(near, far)
    cuts = [span.fault for span in view.cuts if isinstance(span.fault, Cut)]
    ends = np.array([(cut.source, cut.target) for cut in cuts], dtype=np.intp).reshape(-1, 2)
    near, far = np.append(near[gone], ends[:, 0]), np.append(far[gone], ends[:, 1])
    return _segments(view, near, far)


def chosen_columns(view: DeckView) -> Columns:
    """Return the links of the first selected node; `cut` is 1 where a link carries nothing."""
    chosen = selected_nodes(view)[:1]
    far = view.elected[chosen].reshape(-1).astype(np.intp)
    far = far[far >= 0]
    near = np.full(len(far), chosen[0] if len(chosen) else 0, dtype=np.intp)
    return {
        **_segments(view, near, far),
        "cut": (~view.passes(near, far)).astype(np.uint8),
    }
